"""Whole files: written beside their place, made durable, then put there.

Whoever reads the name sees the old content or the new one, also after a power cut.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


def write_whole(path: Path, content: bytes | str, *, secret: bool = False) -> None:
    """Put a file in the place of another, atomically and durably. Text is written as UTF-8.

    A link is followed; what is no file (a terminal, a pipe, /dev/null) is written to as it is.
    The mode of a file that was there stays; a new one has the usual mode. With `secret` nobody
    but its owner can read it, whatever was there. Raises OSError: either the old or the new
    content is there then.
    """
    body = content.encode() if isinstance(content, str) else content
    if _is_special(path):
        path.write_bytes(body)
        return
    with writing_whole(path, secret=secret) as file:
        file.write(body)


@contextmanager
def writing_whole(path: Path, *, secret: bool = False) -> Iterator[BinaryIO]:
    """As `write_whole`, for a file that is written piece by piece. Only for files and new names.

    When the body raises, the place is as it was.
    """
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    temporary = target.with_name(f".{target.name}.new")
    with suppress(FileNotFoundError):
        temporary.unlink()  # of a run that was cut off; its mode and owner are not to be kept
    mode = 0o600 if secret else _mode_of(target)
    descriptor = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if secret else 0o666
    )
    try:
        with os.fdopen(descriptor, "wb") as file:
            if mode is not None:
                os.fchmod(descriptor, mode)
            yield file
            file.flush()
            os.fsync(descriptor)
        temporary.rename(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(target.parent)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a directory, are durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


def _mode_of(path: Path) -> int | None:
    try:
        return path.stat().st_mode & 0o7777
    except FileNotFoundError:
        return None
