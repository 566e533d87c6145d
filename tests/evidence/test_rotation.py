"""The log's key changes by an entry that both keys sign; stopped anywhere, one of them holds."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from domicile.cli.main import main
from domicile.errors import EvidenceError, Stopped
from domicile.evidence import place
from domicile.evidence.canonical import encode
from domicile.evidence.keys import SigningKey, VerifierKey
from domicile.evidence.log import Log
from domicile.evidence.note import Checkpoint, sign_note
from domicile.evidence.reader import LogReader
from domicile.evidence.rotation import follow, rotation
from domicile.evidence.succession import succeed
from domicile.evidence.verify import fsck, verify_directory
from tests.evidence.making import KEY, ORIGIN, entry, make_log
from verifier import domicile_verify as verifier

NEXT, LAST = (SigningKey(ORIGIN, bytes([n]) * 32) for n in (7, 8))


def rotated(directory: Path) -> Log:
    log = make_log(directory, 300)
    assert log.rotate(NEXT, "test") == 300
    log.append([entry(1)])
    assert log.rotate(LAST, "test") == 302
    log.append([entry(2)])
    return log


@pytest.mark.parametrize("key", [KEY, NEXT, LAST])
def test_verifiers_follow_from_any_key(tmp_path: Path, key: SigningKey) -> None:
    rotated(tmp_path)
    assert LogReader(tmp_path, key.verifier).verifier == LAST.verifier
    said = verifier.audit_log([], verifier.Log(str(tmp_path), verifier.Key.read(str(KEY.verifier))))
    assert said[0].startswith("304 entries")
    assert fsck(tmp_path, KEY.verifier) == []
    assert verify_directory(tmp_path, KEY.verifier).size == 304


def test_a_proof_carries_the_rotations(tmp_path: Path) -> None:
    rotated(tmp_path)
    log = LogReader(tmp_path, KEY.verifier)
    proof = {**log.inclusion(5).to_json(), "entry": log.entry(5), "rotations": log.rotations}
    first = verifier.Log("", verifier.Key.read(str(KEY.verifier)))
    assert verifier.audit_proof(proof, first)
    with pytest.raises(verifier.Wrong, match="has not signed"):
        verifier.audit_proof({**proof, "rotations": log.rotations[:1]}, first)
    swapped = {**log.rotations[1], "new_key": str(SigningKey.generate(ORIGIN).verifier)}
    with pytest.raises(verifier.Wrong, match="signature is wrong"):
        verifier.audit_proof({**proof, "rotations": [log.rotations[0], swapped]}, first)


def test_a_stolen_old_key_cannot_go_on(tmp_path: Path) -> None:
    """Who has the key that was replaced appends an entry and signs the head with it."""
    log = rotated(tmp_path)
    log._key = KEY  # the thief has the files too
    with pytest.raises(Stopped, match="was rotated while"):
        log.append([entry(3)])
    log.verifier = KEY.verifier  # and takes the check out of the code
    log._append([encode(entry(3))], None)
    (found,) = [f for f in fsck(tmp_path, KEY.verifier) if f.fails]
    assert "was replaced before" in found.said
    with pytest.raises(verifier.Wrong, match="has not signed the checkpoint"):
        verifier.audit_log([], verifier.Log(str(tmp_path), verifier.Key.read(str(KEY.verifier))))


def test_a_process_that_has_the_old_key_does_not_sign_with_it(tmp_path: Path) -> None:
    """It had the log open when another process rotated the key."""
    place.open_log(tmp_path, "e").append([entry(1)])
    other = place.open_log(tmp_path, "e")
    place.rotate_log_key(tmp_path, "e")
    with pytest.raises(Stopped, match="was rotated while"):
        other.append([entry(2)])
    first = VerifierKey.load(place.verifier_path(tmp_path))
    assert fsck(tmp_path / "evidence", first) == []
    assert place.open_log(tmp_path, "e").append([entry(2)]) == range(2, 3)


def _altered(change: dict[str, Any]) -> dict[str, Any]:
    return {**rotation("test", 3, KEY, NEXT), **change}


@pytest.mark.parametrize(
    ("made", "index", "said"),
    [
        (_altered({}), 4, "was made for entry 3"),
        (_altered({"index": 4}), 4, "old_signature"),
        (rotation("test", 3, NEXT, LAST), 3, "rotates another key"),
        (_altered({"new_signature": base64.b64encode(bytes(64)).decode()}), 3, "new_signature"),
        (_altered({"new_key": str(SigningKey("other", bytes(32)).verifier)}), 3, "key of other"),
    ],
)
def test_a_forged_rotation_is_refused(made: dict[str, Any], index: int, said: str) -> None:
    assert follow(KEY.verifier, _altered({}), 3) == NEXT.verifier
    with pytest.raises(EvidenceError, match=said):
        follow(KEY.verifier, made, index)
    with pytest.raises(verifier.Wrong):
        verifier.Key.read(str(KEY.verifier)).rotated(made, index)


def test_a_rotation_that_only_the_new_key_signed_is_found_in_a_log(tmp_path: Path) -> None:
    """Without the key: a log whose first entry says that it was rotated to the forger's."""
    log = make_log(tmp_path)
    forged = rotation("test", 0, NEXT, NEXT) | {"old_key": str(KEY.verifier)}
    log.append([forged])
    head = Checkpoint(ORIGIN, 1, log.head.root)
    (tmp_path / "checkpoint").write_text(sign_note(head.text, NEXT))
    assert any(f.fails for f in fsck(tmp_path, KEY.verifier))
    with pytest.raises(EvidenceError, match="old_signature"):
        LogReader(tmp_path, KEY.verifier)


def test_rotation_through_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    estate = tmp_path / "estate.yaml"
    state = place.state_directory(estate)
    place.open_log(state, "Video Store").append([entry(1)])
    first = VerifierKey.load(place.verifier_path(state))
    kept = tmp_path / "kept"
    kept.write_bytes((state / "evidence/checkpoint").read_bytes())
    assert main(["log", "rotate", "--estate", str(estate), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["index"] == 1
    place.open_log(state, "Video Store").append([entry(2)])
    assert VerifierKey.load(place.verifier_path(state)) == first
    assert main(["log", "fsck", "--estate", str(estate)]) == 0
    capsys.readouterr()
    assert main(["log", "consistency", str(kept), "--estate", str(estate)]) == 0
    document = json.loads(capsys.readouterr().out)
    trusted = verifier.Log("", verifier.Key.read(str(first)))
    assert verifier.audit_consistency(document, trusted)[0].startswith("the log of 3")
    assert main(["log", "rotate-people", "--estate", str(estate)]) == 0
    assert main(["log", "destroy-people", "--yes", "--estate", str(estate)]) == 0
    assert main(["log", "fsck", "--estate", str(estate)]) == 0


@pytest.mark.parametrize("failing", ["replace", "settle", "rename"])
def test_stopped_while_rotating(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """The entry is in the log or not, and the next writer has the key that the head needs."""
    place.open_log(tmp_path, "e").append([entry(1)])

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        if failing == "rename":
            patched.setattr(place, "sync", fail)
        else:
            patched.setattr(f"domicile.evidence.files.Files.{failing}", fail)
        with pytest.raises((EvidenceError, Stopped)):
            place.rotate_log_key(tmp_path, "e")
    log = place.open_log(tmp_path, "e")
    log.append([entry(2)])
    first = VerifierKey.load(place.verifier_path(tmp_path))
    assert fsck(tmp_path / "evidence", first) == []
    assert place.rotate_log_key(tmp_path, "e")[1] == log.size
    assert fsck(tmp_path / "evidence", first) == []


@pytest.mark.parametrize("cause", ["lost", "stolen"])
def test_a_log_whose_key_is_lost_or_stolen_is_succeeded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], cause: str
) -> None:
    estate = tmp_path / "estate.yaml"
    state = place.state_directory(estate)
    log = place.open_log(state, "Video Store")
    log.append([entry(1), entry(2)])
    if cause == "lost":
        (state / "keys/log.key").unlink()
    assert main(["log", "succeed", "--cause", cause, "--estate", str(estate), "--json"]) == 0
    new = VerifierKey.parse(json.loads(capsys.readouterr().out)["key"])
    assert new.name == "domicile/Video%20Store/2"
    again = place.open_log(state, "Video Store")
    assert again.append([entry(3)]) == range(1, 2)
    said = again.entry(0)
    assert (said["cause"], said["old_key"], said["size"]) == (cause, str(log.verifier), 2)
    assert said["root"] == f"sha256:{log.head.root.hex()}"
    assert fsck(state / "evidence.1", log.verifier) == []  # the old one still verifies
    assert fsck(state / "evidence", new) == []
    assert main(["log", "fsck", "--estate", str(estate)]) == 0
    assert main(["log", "succeed", "--cause", cause, "--estate", str(estate)]) == 0
    assert place.open_log(state, "Video Store").head.origin == "domicile/Video%20Store/3"


@pytest.mark.parametrize("name", ["evidence.1", "log.head.1", "log.vkey.1", "log.key"])
def test_a_succession_that_was_stopped_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    log = place.open_log(tmp_path, "e")
    log.append([entry(1)])
    real = Path.rename

    def rename(self: Path, target: Path) -> Path:
        if target.name == name and self.name != "log.key.next":
            raise OSError(28, "No space left on device")
        return real(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", rename)
        with pytest.raises(EvidenceError, match="No space left"):
            succeed(tmp_path, "e", "stolen")
    key = succeed(tmp_path, "e", "stolen")
    assert place.open_log(tmp_path, "e").entry(0)["old_key"] == str(log.verifier)
    assert fsck(tmp_path / "evidence", key) == []
