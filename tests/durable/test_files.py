"""Files written whole: old or new, never half, whatever fails."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from domicile.durable.files import write_whole, writing_whole


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("before", [None, b"old"])
@pytest.mark.parametrize("fails", ["fsync", "rename", "sync"])
@pytest.mark.parametrize("persisted", [False, True])
def test_old_or_new(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: bytes | None,
    fails: str,
    persisted: bool,
) -> None:
    path = tmp_path / "file"
    if before is not None:
        path.write_bytes(before)
    real_fsync, real_rename = os.fsync, Path.rename
    calls = 0

    def fsync(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if persisted:
            real_fsync(descriptor)
        if calls == (1 if fails == "fsync" else 2):
            raise OSError(errno.EIO, "Input/output error")

    def rename(self: Path, target: Path) -> Path:
        moved = real_rename(self, target) if persisted else target
        if fails == "rename":
            raise OSError(errno.EIO, "Input/output error")
        return moved if persisted else real_rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fsync)
        patched.setattr(Path, "rename", rename)
        with pytest.raises(OSError, match="Input/output"):
            write_whole(path, b"new")
    now = path.read_bytes() if path.exists() else None
    came = fails == "sync" or (fails == "rename" and persisted)
    assert now == (b"new" if came else before)
    write_whole(path, b"again")
    assert path.read_bytes() == b"again"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_what_was_cut_off_does_not_stand_in_the_way(tmp_path: Path) -> None:
    left = tmp_path / ".file.new"
    left.write_bytes(b"half of a secret")
    left.chmod(0o644)
    write_whole(tmp_path / "file", "whole", secret=True)
    assert (tmp_path / "file").read_text() == "whole"
    assert mode(tmp_path / "file") == 0o600
    assert not left.exists()


def test_a_body_that_raises_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def half() -> None:
        with writing_whole(path) as file:
            file.write(b"ne")
            raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        half()
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("file", b"old")]


def test_the_mode_stays_and_a_secret_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o640)
    write_whole(path, b"new")
    assert mode(path) == 0o640
    write_whole(path, b"newer", secret=True)
    assert mode(path) == 0o600


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "there" / "file")  # of which there is none yet
    for content in (b"one", b"two"):
        write_whole(link, content)
        assert link.is_symlink()
        assert (tmp_path / "there" / "file").read_bytes() == content


def test_a_pipe_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_whole(pipe, "for a reader")
    reader.join(10)
    assert read == [b"for a reader"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    write_whole(Path(os.devnull), b"nothing")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)
