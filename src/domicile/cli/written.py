"""Files that a command writes because its user named them."""

from __future__ import annotations

from pathlib import Path

from domicile.durable.files import write_whole
from domicile.errors import UsageError


def write_named(path: Path, text: str, what: str, *, secret: bool = False) -> None:
    """Write `what` to the file that the user named, whole or not at all; with `secret`, for its
    owner only. Raises UsageError when the place cannot be written."""
    try:
        write_whole(path, text, secret=secret)
    except OSError as error:
        raise UsageError(
            f"cannot write {what} to {path}: {error.strerror}",
            hint="name another file, or make room and let this user write there",
        ) from error
