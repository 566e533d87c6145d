"""A log in an object store, held against a real S3 server: writers at once, failures, losses."""

from __future__ import annotations

import errno
import json
import multiprocessing
import sys
import threading
from pathlib import Path

import pytest

from domicile.cli.main import main
from domicile.errors import EvidenceError, Stopped, UsageError
from domicile.evidence import place
from domicile.evidence.bulk import bulk_at
from domicile.evidence.files import Files
from domicile.evidence.head import HeadMoved
from domicile.evidence.keys import COSIGNATURE, SigningKey, VerifierKey
from domicile.evidence.log import Log
from domicile.evidence.note import cosignatures
from domicile.evidence.objects import HEAD, ObjectFiles, Taken
from domicile.evidence.reader import LogReader
from domicile.evidence.relocation import relocate
from domicile.evidence.rotation import rotation
from domicile.evidence.succession import succeed
from domicile.evidence.verify import fsck
from tests.evidence.making import KEY, ORIGIN, entries, entry

FORMS = ("absent", "persisted")


class Broken(ObjectFiles):
    """Objects whose `fails_at`-th change fails, without effect or although it was made."""

    form, fails_at, changes, dead = "", -1, 0, False
    _counting = threading.Lock()

    def _fails(self) -> bool:
        with self._counting:
            self.changes += 1
            return self.changes - 1 == self.fails_at or (self.dead and self.changes > self.fails_at)

    def put(self, path: str, content: bytes, match: object = "overwrite") -> object:  # type: ignore[override]
        failing = self._fails()
        put = super().put(path, content, match) if self.form == "persisted" or not failing else None  # type: ignore[arg-type]
        if failing:
            raise OSError(errno.EIO, "injected")
        return put

    def _delete(self, paths: object) -> None:
        failing = self._fails()
        if self.form == "persisted" or not failing:
            super()._delete(paths)  # type: ignore[arg-type]
        if failing:
            raise OSError(errno.EIO, "injected")


def opened(url: str, memory: Path | None = None) -> Log:
    return Log.open(ObjectFiles.at(url), origin=ORIGIN, key=KEY, memory=memory)


def checked(url: str) -> list[str]:
    """What is wrong with the log there, left-overs included."""
    return [str(finding) for finding in fsck(ObjectFiles.at(url), KEY.verifier)]


def test_it_is_written_read_and_checked(s3: str, tmp_path: Path) -> None:
    log = opened(f"{s3}/a/log", tmp_path)
    assert log.append(entries(0, 300)) == range(300)
    log.append(entries(300, 700))
    reader = LogReader(ObjectFiles.at(f"{s3}/a/log"), KEY.verifier)
    assert list(reader.entries()) == list(enumerate(entries(0, 700)))
    reader.inclusion(299).verify(KEY.verifier, entry=entry(299))
    reader.consistency(300).verify()
    assert checked(f"{s3}/a/log") == []
    again = opened(f"{s3}/a/log", tmp_path)
    assert again.append([entry(700)]) == range(700, 701)
    log.append([entry(701)])  # the first goes on from the second's head
    assert sorted(Files(tmp_path).names("")) == ["log.seen"]
    files = ObjectFiles.at(f"{s3}/a/log")
    assert files.names("staged") == []
    assert set(files.names("")) - {"staged"} == {"checkpoint", "head", "tile"}


def test_a_torn_or_missing_tile_and_a_stranger_are_named(s3: str) -> None:
    url = f"{s3}/log"
    opened(url).append(entries(0, 300))
    files = ObjectFiles.at(url)
    bundle = files.read("tile/entries/000")
    assert bundle is not None
    files.replace("tile/entries/000", bundle[:-7])
    assert "is cut off" in checked(url)[0]
    with pytest.raises(EvidenceError, match="is cut off"):
        LogReader(files, KEY.verifier).entry(3)
    files.replace("tile/entries/000", bundle)
    edge = files.read("tile/0/001.p/44")
    assert edge is not None
    files.replace("tile/0/001.p/44", edge[:-32])
    with pytest.raises(EvidenceError, match="43 hashes"):
        opened(url)
    files.remove("tile/0/001.p")
    assert any("is missing" in said for said in checked(url))
    files.replace("tile/0/001.p/44", edge)
    files.replace("tile/0/x", b"")
    assert checked(url) == ["tile/0/x: is no file of a log"]


def test_a_lost_head_is_taken_from_the_checkpoint_unless_that_may_be_old(
    s3: str, tmp_path: Path
) -> None:
    url = f"{s3}/log"
    log = opened(url)
    log.append(entries(0, 5))
    files = ObjectFiles.at(url)
    published = files.read("checkpoint")
    assert published is not None
    files.remove(HEAD)
    assert opened(url).append(entries(5, 9)) == range(5, 9)
    files.remove(HEAD)
    files.replace("checkpoint", published)
    with pytest.raises(EvidenceError, match=r"is lost, and .* holds files beyond its 5 entries"):
        opened(url)
    files.remove("checkpoint")
    with pytest.raises(EvidenceError, match="tiles but no checkpoint"):
        opened(url)
    assert files.read(HEAD) is None  # nothing was repaired unsaid


def test_an_older_copy_of_the_bucket_is_refused_by_who_saw_a_later_head(
    s3: str, tmp_path: Path
) -> None:
    url, files = f"{s3}/log", ObjectFiles.at(f"{s3}/log")
    log = opened(url, tmp_path)
    log.append(entries(0, 5))
    older = {path: files.read(path) or b"" for path in (HEAD, "checkpoint", *files.tree("tile"))}
    log.append(entries(5, 7))
    files.remove("tile")
    for path, content in older.items():
        files.replace(path, content)
    with pytest.raises(EvidenceError, match="not the log whose 7 entries were seen"):
        opened(url, tmp_path)
    files.remove(HEAD)
    with pytest.raises(EvidenceError, match="or an older copy"):
        opened(url, tmp_path)
    for path in ("tile", "checkpoint"):
        files.remove(path)
    with pytest.raises(EvidenceError, match="or an older copy"):
        opened(url, tmp_path)  # nor is a new one begun in its place
    assert opened(url).size == 0  # who has seen nothing begins anew


def test_two_who_swap_one_head_cannot_fork_it(s3: str) -> None:
    files = [ObjectFiles.at(f"{s3}/log") for _ in range(2)]
    opened(f"{s3}/log")
    one, two = (each.head() for each in files)
    note = one.read()
    assert two.read() == note
    for each in files:
        each.write("tile/0/000.p/1", each.place.encode())
        each.settle()
    one.swap(note, b"first")
    with pytest.raises(HeadMoved):
        two.swap(note, b"second")
    assert one.read() == two.read() == b"first"
    assert len(files[0].names("staged")) == 1  # the loser's is gone


class Followed(ObjectFiles):
    """Objects whose head is swapped, followed by another writer, and then reported as taken: as by
    a client whose first try was carried out without an answer, and that tried again."""

    follow = 0

    def put(self, path: str, content: bytes, match: object = "overwrite") -> object:  # type: ignore[override]
        put = super().put(path, content, match)  # type: ignore[arg-type]
        if path == HEAD and self.follow:
            start, self.follow = self.follow, 0
            opened(self.place).append(entries(start, start + 300))
            raise Taken
        return put


def test_a_swap_that_was_carried_out_and_followed_is_not_done_twice(s3: str) -> None:
    url = f"{s3}/log"
    files = Followed.at(url)
    assert isinstance(files, Followed)
    log = Log.open(files, origin=ORIGIN, key=KEY)
    log.append(entries(0, 2))
    files.follow = 1000
    assert log.append(entries(2, 5)) == range(2, 5)
    assert log.append([entry(5)]) == range(305, 306)
    found = [e for _, e in LogReader(ObjectFiles.at(url), KEY.verifier).entries()]
    assert found == [*entries(0, 5), *entries(1000, 1300), entry(5)]
    assert checked(url) == []


def _append_many(url: str, start: int) -> None:
    log = opened(url)
    for i in range(start, start + 24, 3):
        log.append(entries(i, i + 3))


def test_two_processes_and_two_threads_at_once(s3: str) -> None:
    url = f"{s3}/log"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_append_many, args=(url, s)) for s in (0, 1000)]
    threads = [threading.Thread(target=_append_many, args=(url, s)) for s in (2000, 3000)]
    for worker in workers:
        worker.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for worker in workers:
        worker.join()
    assert [w.exitcode for w in workers] == [0, 0]
    rows = [e["rows"] for _, e in LogReader(ObjectFiles.at(url), KEY.verifier).entries()]
    assert sorted(rows) == [r for s in (0, 1000, 2000, 3000) for r in range(s, s + 24)]
    assert [r for r in rows if r < 1000] == list(range(24))  # each writer's own order is kept
    assert checked(url) == []


@pytest.mark.faults
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("size", "batch"), [(0, 1), (250, 262)])
def test_each_change_failing_leaves_the_old_or_the_new_head(
    s3: str, size: int, batch: int, form: str
) -> None:
    outcomes, at, failed = set(), 0, True
    while failed:
        url = f"{s3}/at{at}"
        if size:
            opened(url).append(entries(0, size))
        opened(url)
        files = Broken.at(url)
        assert isinstance(files, Broken)
        log = Log.open(files, origin=ORIGIN, key=KEY)
        files.form, files.fails_at, files.changes = form, at, 0
        stopped = False
        try:
            log.append(entries(size, size + batch))
        except Stopped:
            stopped = True
        failed = files.changes > at
        files.fails_at = -1
        again = opened(url)  # somebody else, as after a crash
        assert again.size in (size, size + batch)
        assert stopped or again.size == size + batch
        outcomes.add((stopped, again.size))
        assert [f for f in fsck(ObjectFiles.at(url), KEY.verifier) if f.fails] == []
        done = again.size
        again.append(entries(10_000, 10_003))
        log.append(entries(20_000, 20_010))  # the one that failed goes on too
        expected = entries(0, done) + entries(10_000, 10_003) + entries(20_000, 20_010)
        reader = LogReader(ObjectFiles.at(url), KEY.verifier)
        assert [e for _, e in reader.entries()] == expected
        left = checked(url)
        assert all("is staged: an append was interrupted" in said for said in left)
        at += 1
    assert at > 5  # staged, head, a bundle, a tile, staged removed, checkpoint
    assert (True, size + batch) in outcomes  # failed after the swap: it was finished by the next
    assert (True, size) in outcomes
    assert (False, size + batch) in outcomes


def test_a_writer_that_died_after_the_swap_is_finished_by_the_next(s3: str) -> None:
    url = f"{s3}/log"
    files = Broken.at(url)
    assert isinstance(files, Broken)
    log = Log.open(files, origin=ORIGIN, key=KEY)
    files.form, files.changes, files.fails_at, files.dead = "absent", 0, 2, True
    # staged, swapped, and then no more
    with pytest.raises(Stopped, match="injected"):
        log.append(entries(0, 700))
    assert ObjectFiles.at(url).names("tile/entries") == []
    assert LogReader(ObjectFiles.at(url), KEY.verifier).size == 0  # readers see what is published
    (staged,) = ObjectFiles.at(url).names("staged")
    content = ObjectFiles.at(url).read(f"staged/{staged}") or b""
    ObjectFiles.at(url).replace(f"staged/{staged}", content[:-1])
    with pytest.raises(EvidenceError, match="is not what was staged"):
        opened(url)
    ObjectFiles.at(url).replace(f"staged/{staged}", content)
    assert opened(url).append(entries(700, 701)) == range(700, 701)
    assert checked(url) == []


def test_a_slow_writer_does_not_put_an_older_checkpoint_over_a_later_one(s3: str) -> None:
    url = f"{s3}/log"
    log = opened(url)
    log.append(entries(0, 3))
    older = log.checkpoint().encode()
    log.append(entries(3, 5))
    ObjectFiles.at(url).publish(older)
    assert LogReader(ObjectFiles.at(url), KEY.verifier).size == 5


def test_cosigned_heads_and_their_list(s3: str) -> None:
    from tests.evidence.test_witness import W1, W2, cosigned_by

    url = f"{s3}/log"
    log = opened(url)
    log.append(entries(0, 3))
    for witness in (W1, W2):  # the second's answer does not put out the first's
        log.publish(cosigned_by(log, witness))
    files = ObjectFiles.at(url)
    for path in ("checkpoint", "cosigned/3"):
        found = cosignatures(files.read(path) or b"", [W1.verifier, W2.verifier])
        assert set(found) == {W1.verifier, W2.verifier}
    assert files.read("cosigned/sizes") == b"3\n"
    assert len(list(LogReader(files, KEY.verifier).cosigned())) == 1
    assert W1.verifier.type == COSIGNATURE


def test_the_key_rotates_there(s3: str) -> None:
    url = f"{s3}/log"
    log, other = opened(url), opened(url)
    log.append(entries(0, 2))
    following = SigningKey(ORIGIN, bytes([7]) * 32)
    assert log.rotate(following, "test") == 2
    log.append([entry(3)])
    assert checked(url) == []
    with pytest.raises(Stopped, match="was rotated while"):
        other.append([entry(4)])
    assert LogReader(ObjectFiles.at(url), KEY.verifier).verifier == following.verifier
    assert rotation("test", 2, KEY, following)["kind"] == "key_rotated"


@pytest.fixture
def estate(tmp_path: Path) -> Path:
    """An estate with a log of 300 entries; the commands of the log do not read its file."""
    place.open_log(tmp_path / ".domicile", "shop").append(entries(0, 300))
    return tmp_path / "estate.yaml"


def test_a_log_moves_there_and_goes_on(
    s3: str, estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state, url = place.state_directory(estate), f"{s3}/shop"
    stale = place.open_log(state, "shop")
    assert main(["log", "move", url, "--estate", str(estate)]) == 0
    assert "the log's 300 entries are at s3://" in capsys.readouterr().out
    assert not (state / "evidence").exists()
    with pytest.raises((EvidenceError, Stopped)):
        stale.append([entry(1)])  # a process that had it open does not go on in the old place
    log = place.open_log(state, "shop")
    assert log.append([entry(300)]) == range(300, 301)
    assert main(["log", "fsck", "--estate", str(estate), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True, "findings": []}
    key = str(place.verifier_path(state))
    assert main(["log", "show", "--evidence", url, "--key", key, "--from", "300"]) == 0
    assert "rows=300" in capsys.readouterr().out
    assert main(["verify", "--evidence", url, "--key", key]) == 0
    assert "301 entries verify" in capsys.readouterr().out
    assert main(["log", "move", f"{s3}/other", "--estate", str(estate)]) == 2
    assert "in an object store already" in capsys.readouterr().err
    place.rotate_log_key(state, "shop")
    assert place.open_log(state, "shop").append([entry(302)]) == range(302, 303)
    succeed(state, "shop", "lost")
    assert place.log_files(state).place == f"{url}.2"
    assert place.read_log(state).entry(0)["size"] == 303
    succeed(state, "shop", "lost")
    assert place.log_files(state).place == f"{url}.3"
    first = VerifierKey.load(state / "keys" / "log.vkey.1")
    assert fsck(bulk_at(url), first) == []  # the old one stays, and verifies


def test_a_place_that_holds_a_log_is_refused(s3: str, estate: Path) -> None:
    opened(f"{s3}/taken").append(entries(0, 2))
    with pytest.raises(UsageError, match="there is a log at"):
        relocate(place.state_directory(estate), "shop", f"{s3}/taken")
    assert place.open_log(place.state_directory(estate), "shop").size == 300
    files = ObjectFiles.at(f"{s3}/torn")
    files.replace("tile/0/x", b"x")
    with pytest.raises(EvidenceError, match="does not verify"):
        relocate(place.state_directory(estate), "shop", f"{s3}/torn")
    assert place.open_log(place.state_directory(estate), "shop").size == 300


def test_a_move_that_was_cut_off_is_finished(
    s3: str, estate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, url = place.state_directory(estate), f"{s3}/shop"
    real = ObjectFiles.replace
    for limit in (0, 3, 4):  # in the middle of the copy
        count = 0

        def replace(self: ObjectFiles, path: str, content: bytes, most: int = limit) -> None:
            nonlocal count
            count += 1
            if count > most:
                raise OSError(errno.EIO, "injected")
            real(self, path, content)

        with monkeypatch.context() as patch:
            patch.setattr(ObjectFiles, "replace", replace)
            with pytest.raises(Stopped, match="injected"):
                relocate(state, "shop", url)
        assert place.open_log(state, "shop").size == 300
    with monkeypatch.context() as patch:
        patch.setattr(place, "leave_directory", _killed)  # after the address was written
        with pytest.raises(RuntimeError):
            relocate(state, "shop", url)
    assert (state / "evidence").exists()
    assert place.open_log(state, "shop").append([entry(300)]) == range(300, 301)
    assert not (state / "evidence").exists()


def _killed(_: Path) -> None:
    raise RuntimeError("killed")


@pytest.mark.parametrize(
    "address",
    ["s3://", "s3://AB/x", "s3://user:secret@bucket/x", "s3://bucket/a/../b", "s3://bucket/a//b",
     "s3://bucket/x?endpoint=http://example.org", "gs://bucket/x", "https://example.org/log"],
)  # fmt: skip
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(UsageError) as raised:
        bulk_at(address)
    assert "secret" not in str(raised.value)


def test_without_the_extra_the_error_says_what_to_install(
    estate: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    assert main(["log", "move", "s3://bucket/log", "--estate", str(estate)]) == 2
    assert "pip install 'domicile[s3]'" in capsys.readouterr().err


def test_a_store_that_is_away_or_refuses_us_is_one_clear_error(
    s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import domicile.evidence.objects as objects

    opened(f"{s3}/log")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-one")
    with pytest.raises(Stopped, match="cannot write the log: the object store") as raised:
        opened(f"{s3}/log")
    assert "wrong-one" not in str(raised.value)
    monkeypatch.setattr(objects, "RETRIES", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(Stopped, match="did not answer as it should"):
        opened(f"{s3}/log")
