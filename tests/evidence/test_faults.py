"""Every durable write fails once, in three forms; then the log is opened again and verified.

The forms: *not persisted* (the write had no effect), *torn* (half of it is there), *persisted
although it failed* (all of it is there and an error came back all the same).
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from domicile.errors import EvidenceError, Stopped
from domicile.evidence.files import Files
from domicile.evidence.log import Log
from domicile.evidence.reader import LogReader
from domicile.evidence.verify import fsck
from tests.evidence.making import KEY, ORIGIN, entries, make_log

pytestmark = pytest.mark.faults

FORMS = ("absent", "torn", "persisted")


class Broken(Files):
    """Files whose `fails_at`-th change fails in one of the forms; later ones work."""

    def __init__(self, directory: Path, form: str = "", fails_at: int = -1) -> None:
        super().__init__(directory)
        self.form, self.fails_at, self.changes = form, fails_at, 0

    def _change(self, act: Callable[[], None], torn: Callable[[], None]) -> None:
        self.changes += 1
        if self.changes - 1 != self.fails_at:
            return act()
        if self.form == "persisted":
            act()
        elif self.form == "torn":
            torn()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def write(self, path: str, content: bytes) -> None:
        half = content[: len(content) // 2]
        self._change(
            lambda: Files.write(self, path, content), lambda: Files.write(self, path, half)
        )

    def replace(self, path: str, content: bytes) -> None:
        def torn() -> None:  # the new file is written in part, and did not take the other's place
            (self.directory / f".{path}.new").write_bytes(content[: len(content) // 2])

        self._change(lambda: Files.replace(self, path, content), torn)

    def settle(self) -> None:
        self._change(lambda: Files.settle(self), lambda: None)

    def remove(self, path: str) -> None:
        def torn() -> None:  # one file of the directory is gone
            target = self.directory / path
            next(target.iterdir()).unlink() if target.is_dir() else None

        self._change(lambda: Files.remove(self, path), torn)


def changes_of(start: Path, batch: int, directory: Path) -> int:
    """How many changes the append of `batch` entries makes."""
    shutil.copytree(start, directory)
    files = Broken(directory)
    log = make_log(directory, files=files)
    before = files.changes
    log.append(entries(log.size, log.size + batch))
    return files.changes - before


# From the empty log; within a tile; to its end; over one boundary; over several.
CASES = [(0, 1), (0, 300), (5, 3), (200, 56), (200, 57), (256, 1), (250, 700), (512, 256)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("size", "batch"), CASES)
def test_each_write_failing_leaves_the_old_or_the_new_head(
    tmp_path: Path, size: int, batch: int, form: str
) -> None:
    start = tmp_path / "start"
    make_log(start, size)
    total = changes_of(start, batch, tmp_path / "count")
    assert total >= 4  # entries, hashes, names, head
    outcomes = set()
    for at in range(total):
        directory = tmp_path / f"at{at}"
        shutil.copytree(start, directory)
        files = Broken(directory, form, at)
        log = make_log(directory, files=files)
        stopped = False
        try:
            log.append(entries(size, size + batch))
        except Stopped:
            stopped = True
        # Somebody else opens it, as after a crash.
        again = make_log(directory)
        assert again.size in (size, size + batch)
        assert stopped or again.size == size + batch
        outcomes.add((stopped, again.size))
        assert list(again.entries()) == list(enumerate(entries(0, again.size)))
        assert [f for f in fsck(directory, KEY.verifier) if f.fails] == []
        # And it goes on, with other entries in the place of those that were lost.
        done = again.size
        again.append(entries(10_000, 10_000 + batch + 3))
        log.refresh()  # the one that failed goes on too
        log.append(entries(20_000, 20_300))
        expected = entries(0, done) + entries(10_000, 10_003 + batch) + entries(20_000, 20_300)
        assert [e for _, e in LogReader(directory, KEY.verifier).entries()] == expected
        assert fsck(directory, KEY.verifier) == []  # not even a left-over
    assert (True, size) in outcomes
    assert ((True, size + batch) in outcomes) == (form == "persisted")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("where", ["head", "log"])
def test_each_write_failing_with_the_head_apart(tmp_path: Path, where: str, form: str) -> None:
    """The head is in another directory: its swap, and the checkpoint after it, may fail too."""
    outcomes = set()
    for at in range(1 if where == "head" else 12):  # an append swaps the head once
        directory, memory = tmp_path / f"log{at}", tmp_path / f"memory{at}"
        memory.mkdir()
        Log.open(directory, origin=ORIGIN, key=KEY, memory=memory).append(entries(0, 200))
        head = Broken(memory, form, at if where == "head" else -1)
        files = Broken(directory, form, at if where == "log" else -1)
        log = Log.open(files, origin=ORIGIN, key=KEY, memory=head)
        stopped = False
        try:
            log.append(entries(200, 260))
        except Stopped:
            stopped = True
        files.fails_at = -1
        again = Log.open(directory, origin=ORIGIN, key=KEY, memory=memory)
        assert stopped or again.size == 260
        outcomes.add((stopped, again.size))
        assert list(again.entries()) == list(enumerate(entries(0, again.size)))
        again.append(entries(300, 310))
        log.append(entries(310, 320))  # the one that failed goes on too
        assert fsck(directory, KEY.verifier) == []
        assert LogReader(directory, KEY.verifier).size == again.size + 10
    if where == "head":
        assert outcomes == {(True, 260 if form == "persisted" else 200)}
    else:  # (True, 260): the head was swapped, and the checkpoint was not published
        assert outcomes == {(False, 260), (True, 200), (True, 260)}


@pytest.mark.parametrize("form", FORMS)
def test_two_failures_in_a_row(tmp_path: Path, form: str) -> None:
    """What a first interrupted append left never contradicts what later ones write."""
    for first in range(6):
        for second in range(6):
            directory = tmp_path / f"{first}-{second}"
            make_log(directory, 250)
            sizes = []
            for at, batch in ((first, 310), (second, 17)):
                log = make_log(directory, files=Broken(directory, form, at))
                at_start = log.size
                try:
                    log.append(entries(at_start, at_start + batch))
                except Stopped:
                    sizes.append(at_start)
            log = make_log(directory)
            log.append(entries(log.size, log.size + 40))
            assert fsck(directory, KEY.verifier) == []
            assert list(log.entries()) == list(enumerate(entries(0, log.size)))


@pytest.mark.parametrize("form", FORMS)
def test_a_log_that_could_not_be_started_is_started_later(tmp_path: Path, form: str) -> None:
    with pytest.raises(Stopped, match="No space left"):
        make_log(tmp_path, files=Broken(tmp_path, form, 0))
    assert make_log(tmp_path, 3).size == 3
    assert fsck(tmp_path, KEY.verifier) == []


def test_a_read_only_directory_is_one_clear_error(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        blocked = tmp_path / "file"
        blocked.write_text("")
        directory = blocked / "log"
    else:
        tmp_path.chmod(0o500)
        directory = tmp_path / "log"
    with pytest.raises(Stopped, match="cannot write the log"):
        Log.open(directory, origin=ORIGIN, key=KEY)


@pytest.mark.parametrize("path", ["tile/0/000.p/9", "tile/entries/000.p/9"])
@pytest.mark.parametrize("cut", [1, 32, 150])
def test_a_torn_right_edge_is_refused(tmp_path: Path, path: str, cut: int) -> None:
    make_log(tmp_path, 9)
    content = (tmp_path / path).read_bytes()
    (tmp_path / path).write_bytes(content[:-cut])
    with pytest.raises(EvidenceError):
        make_log(tmp_path)
    assert any(f.fails for f in fsck(tmp_path, KEY.verifier))


WRITER = """
import sys
from pathlib import Path
from tests.evidence.making import entries, make_log
log = make_log(Path(sys.argv[1]))
while True:
    log.append(entries(log.size, log.size + int(sys.argv[2])))
    print(log.size, flush=True)
"""


@pytest.mark.parametrize("batch", [1, 7, 300])
def test_kill_9_at_any_point(tmp_path: Path, batch: int) -> None:
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}"}
    times = random.Random(batch)
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(batch)],
            stdout=subprocess.PIPE, env=environment, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(times.uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
        said = process.communicate()[0].split()
        acknowledged = int(said[-1]) if said else 0
        log = make_log(tmp_path)
        assert log.size >= acknowledged  # what was acknowledged is there
        assert log.size % batch == 0  # and batches are whole
        assert [f for f in fsck(tmp_path, KEY.verifier) if f.fails] == []
        assert log.entry(log.size - 1)["rows"] == log.size - 1
    log.append(entries(log.size, log.size + 1))
    assert fsck(tmp_path, KEY.verifier) == []


def test_nothing_is_published_before_it_is_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a power cut: what was not synced by the moment of the rename counts as lost."""
    synced: set[str] = set()
    real_sync, real_rename = os.fsync, Path.rename
    heads = 0

    def sync(fd: int) -> None:
        real_sync(fd)
        synced.add(str(Path(f"/proc/self/fd/{fd}").readlink()))

    def rename(self: Path, target: Path) -> Path:
        nonlocal heads
        if target.name == "checkpoint":
            heads += 1
            assert str(self) in synced
            for path in (tmp_path / "log").rglob("*"):
                if path.name != ".lock" and path != target:
                    assert str(path) in synced, path
            assert heads == 1 or str(tmp_path / "log") in synced
        moved = real_rename(self, target)
        synced.discard(str(target.parent))  # its name changed: to be synced again
        synced.add(str(target)) if str(self) in synced else None
        return moved

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "rename", rename)
    log = make_log(tmp_path / "log")
    for batch in (1, 300, 2, 260):
        log.append(entries(log.size, log.size + batch))
        assert str(tmp_path / "log") in synced  # so is the head's name, on return
    assert heads == 5
