"""The state directory: modes, keys made once, and secrets that stay destroyed."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from domicile.errors import EvidenceError
from domicile.evidence import place
from domicile.evidence.keys import SigningKey, VerifierKey
from domicile.evidence.log import Log
from domicile.evidence.verify import fsck, verify_directory
from tests.evidence.making import entry


def test_everything_is_made_with_its_mode(tmp_path: Path) -> None:
    state = place.state_directory(tmp_path / "estate.yaml")
    assert state == tmp_path / ".domicile"
    log = place.open_log(state, "video-store")
    log.append([entry(1)])
    place.open_commitments(state)
    assert state.stat().st_mode & 0o777 == 0o700
    assert (state / "keys").stat().st_mode & 0o777 == 0o700
    for name in ("log.key", "people.secret"):
        assert (state / "keys" / name).stat().st_mode & 0o777 == 0o600
    key = VerifierKey.load(place.verifier_path(state))
    assert key.name == log.origin == "domicile/video-store"
    assert verify_directory(place.evidence_directory(state), key).size == 1
    assert place.read_log(state).entry(0) == entry(1)
    assert place.open_log(state, "video-store").append([entry(2)]) == range(1, 2)


def test_names_that_a_key_may_not_have_are_encoded(tmp_path: Path) -> None:
    assert place.origin_of("Video + Store") == "domicile/Video%20%2B%20Store"
    assert place.open_log(tmp_path / "s", "Video + Store").size == 0


def test_a_lost_key_is_not_replaced(tmp_path: Path) -> None:
    place.open_log(tmp_path, "e").append([entry(1)])
    (tmp_path / "keys" / "log.key").unlink()
    with pytest.raises(EvidenceError, match="is missing"):
        place.open_log(tmp_path, "e")
    assert not (tmp_path / "keys" / "log.key").exists()
    assert place.read_log(tmp_path).size == 1  # reading needs the public key only


def test_a_key_open_to_others_is_refused(tmp_path: Path) -> None:
    place.open_log(tmp_path, "e")
    place.open_commitments(tmp_path)
    for name, call in (
        ("log.key", lambda: place.open_log(tmp_path, "e")),
        ("people.secret", lambda: place.open_commitments(tmp_path)),
    ):
        (tmp_path / "keys" / name).chmod(0o644)
        with pytest.raises(EvidenceError, match="mode 0644"):
            call()


def test_another_estate_s_state_is_refused(tmp_path: Path) -> None:
    place.open_log(tmp_path, "one")
    with pytest.raises(EvidenceError, match="expected domicile/two"):
        place.open_log(tmp_path, "two")


def test_an_older_copy_of_the_log_is_refused(tmp_path: Path) -> None:
    log = place.open_log(tmp_path, "e")
    log.append([entry(1)])
    old = Path(shutil.copytree(tmp_path / "evidence", tmp_path / "backup"))
    log.append([entry(2)])
    newest = (tmp_path / "evidence").rename(tmp_path / "newest")
    old.rename(tmp_path / "evidence")
    with pytest.raises(EvidenceError, match="1 entry, but 2 were signed"):
        place.open_log(tmp_path, "e")
    shutil.rmtree(tmp_path / "evidence")
    newest.rename(tmp_path / "evidence")
    assert place.open_log(tmp_path, "e").size == 2
    (tmp_path / "keys" / "log.head").write_text("damaged")
    with pytest.raises(EvidenceError, match=r"log\.head"):
        place.open_log(tmp_path, "e")


def test_commitments_last_until_the_secret_is_destroyed(tmp_path: Path) -> None:
    one = place.open_commitments(tmp_path).person("customer", "1")
    assert place.open_commitments(tmp_path).person("customer", "1") == one
    assert place.open_commitments(tmp_path, use="principal").person("customer", "1") != one
    place.destroy_commitments(tmp_path)
    assert not (tmp_path / "keys" / "people.secret").exists()
    with pytest.raises(EvidenceError, match="was destroyed"):
        place.open_commitments(tmp_path)
    place.destroy_commitments(tmp_path)  # once more is no error


def test_many_start_at_once_and_agree_on_one_key(tmp_path: Path) -> None:
    heads: list[str] = []

    def start() -> None:
        heads.append(place.open_log(tmp_path, "e").checkpoint())

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(heads) == 6
    assert len(set(heads)) == 1


def test_a_lost_checkpoint_is_published_again_from_the_head(tmp_path: Path) -> None:
    place.open_log(tmp_path, "e").append([entry(1)])
    (tmp_path / "evidence" / "checkpoint").unlink()
    assert place.open_log(tmp_path, "e").append([entry(2)]) == range(1, 2)
    assert place.read_log(tmp_path).size == 2


def test_a_lost_head_is_taken_from_the_checkpoint_unless_that_may_be_old(tmp_path: Path) -> None:
    log = place.open_log(tmp_path, "e")
    log.append([entry(1)])
    published = (tmp_path / "evidence" / "checkpoint").read_bytes()
    (tmp_path / "keys" / "log.head").unlink()
    log = place.open_log(tmp_path, "e")
    assert log.append([entry(2)]) == range(1, 2)
    (tmp_path / "keys" / "log.head").unlink()
    (tmp_path / "evidence" / "checkpoint").write_bytes(published)  # one behind, as after a crash
    with pytest.raises(EvidenceError, match=r"is lost, and .* holds files beyond its 1 entry"):
        place.open_log(tmp_path, "e")


def test_an_older_head_with_a_later_log_catches_up(tmp_path: Path) -> None:
    log = place.open_log(tmp_path, "e")
    log.append([entry(1)])
    old = (tmp_path / "keys" / "log.head").read_bytes()
    log.append([entry(2)])
    (tmp_path / "keys" / "log.head").write_bytes(old)  # a backup of the keys was put back
    assert place.open_log(tmp_path, "e").size == 2


def test_two_writers_with_a_copy_each_cannot_fork_the_log(tmp_path: Path) -> None:
    one = place.open_log(tmp_path, "e")
    one.append([entry(1)])
    copy = Path(shutil.copytree(tmp_path / "evidence", tmp_path / "copy"))
    key = SigningKey.load(tmp_path / "keys" / "log.key")
    two = Log.open(copy, origin=one.head.origin, key=key, memory=tmp_path / "keys")
    one.append([entry(2)])
    with pytest.raises(EvidenceError):  # the head moved, and its tiles are not in this copy
        two.append([entry(3)])
    assert place.open_log(tmp_path, "e").size == 2
    assert fsck(tmp_path / "evidence", one.verifier) == []


def test_the_people_secret_rotates_and_older_ones_still_open(tmp_path: Path) -> None:
    place.open_log(tmp_path, "e")
    first = place.open_commitments(tmp_path).person("customer", "1")
    assert place.rotate_commitments(tmp_path, "e") == 1
    assert place.open_commitments(tmp_path).person("customer", "1") != first
    assert place.open_commitments(tmp_path, generation=0).person("customer", "1") == first
    assert place.rotate_commitments(tmp_path, "e") == 2
    assert place.open_commitments(tmp_path, generation=0).person("customer", "1") == first
    with pytest.raises(EvidenceError, match="cannot read"):
        place.open_commitments(tmp_path, generation=7)
    place.destroy_commitments(tmp_path)
    assert list((tmp_path / "keys").glob("people.secret*")) == []
    assert place.read_log(tmp_path).entry(1)["generation"] == 2
