"""The head kept apart from the log's files: one small file, changed by compare-and-swap only.

Whoever swaps says which head it started from; when another head is there by then, nothing is
written. So two writers cannot fork a log, not even when each has a copy of its files, as long as
both keep the head in one place. The swap is the moment at which entries are in the log.
"""

from __future__ import annotations

from contextlib import nullcontext

from domicile.errors import Stopped
from domicile.evidence.files import Files


class HeadMoved(Stopped):
    """Another writer moved the head: nothing was written, and the append may be done anew."""


LOCK = ".head.lock"
"""Held for one comparison and one rename; the kernel frees it when its holder dies."""


class HeadFile:
    """One head in one file."""

    def __init__(self, files: Files, path: str, *, alone: bool = False) -> None:
        """`alone`: whoever swaps holds the lock of that directory's writer already."""
        self.files = files
        self.path = path
        self._alone = alone

    @property
    def place(self) -> str:
        """The file."""
        return f"{self.files.place}/{self.path}"

    def read(self) -> bytes | None:
        """The signed note, None when there is none yet. Raises OSError."""
        return self.files.read(self.path)

    def swap(self, expected: bytes | None, note: bytes) -> None:
        """Put `note` in the place of `expected`, durable on return.

        Raises HeadMoved when another head is there, and nothing is written then; OSError when it
        could not be written, or was written and reported as failed: read it again.
        """
        with nullcontext() if self._alone else self.files.writer(lock=LOCK):
            if self.files.read(self.path) != expected:
                raise HeadMoved(
                    f"{self.place}: another writer moved the head",
                    hint="run the same command again: it starts from the new head",
                )
            self.files.replace(self.path, note)

    def finish(self) -> None:
        """Nothing: the tiles were there before the head."""
