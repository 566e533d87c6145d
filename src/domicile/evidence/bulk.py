"""What a log needs of the place where its files are, and of the place where its head is.

A directory (`files.py`, `head.py`) and an object store (`objects.py`) give the same promises, and
the tests of faults break each of them on purpose. Every method raises OSError when it fails; after
that error the change may have been made or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from domicile.errors import UsageError

CHECKPOINT = "checkpoint"
"""The published head's path (tlog-tiles, checkpoints)."""

STAGED = "staged"
"""Where an object store holds what an append will write, until its head was swapped."""


class Bulk(Protocol):
    """Tiles, bundles and checkpoint, named by relative paths with forward slashes."""

    @property
    def place(self) -> str:
        """Where this is, for messages: a directory or a URL without secrets."""
        ...

    @property
    def shared(self) -> bool:
        """Whether writers take no turns here: an append whose head was swapped away is done anew,
        and nothing stands beyond the head, because it is written after the swap."""
        ...

    def exists(self) -> bool:
        """Whether there is anything."""
        ...

    def make(self) -> None:
        """Make the place, where places are made."""
        ...

    def read(self, path: str) -> bytes | None:
        """A file's bytes, None when there is no such file."""
        ...

    def names(self, path: str) -> list[str]:
        """The names in a directory, none when there is no such directory."""
        ...

    def tree(self, below: str) -> Iterator[str]:
        """The paths of all files below a directory, sorted within each directory."""
        ...

    def write(self, path: str, content: bytes) -> None:
        """Write a file that no head refers to yet; durable, with its name, after `settle`."""
        ...

    def settle(self) -> None:
        """Wait until everything written since is durable, whatever becomes of this process."""
        ...

    def replace(self, path: str, content: bytes) -> None:
        """Put a file in the place of another, atomically and durably."""
        ...

    def publish(self, note: bytes) -> None:
        """Put a head in the place of the checkpoint, unless a later one is there."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file, or a directory of files; nothing when it is absent."""
        ...

    def writer(self) -> AbstractContextManager[None]:
        """Be the only writer, where writers take turns. Raises Stopped."""
        ...

    def head(self) -> Head | None:
        """The head beside these files, None where it is kept elsewhere."""
        ...


class Head(Protocol):
    """The head, changed by compare-and-swap only."""

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        ...

    def read(self) -> bytes | None:
        """The signed note, None when there is none yet."""
        ...

    def swap(self, expected: bytes | None, note: bytes) -> None:
        """Put `note` in the place of `expected`, durable on return.

        Raises HeadMoved when another head is there, and nothing is written then.
        """
        ...

    def finish(self) -> None:
        """Do what whoever swapped to this head may not have come to: write its tiles."""
        ...


def bulk_at(place: str | Path) -> Bulk:
    """The files at a directory, or at an address like `s3://bucket/prefix`.

    Raises UsageError for another address, or when the extra for object stores is missing.
    """
    from domicile.evidence.files import Files

    scheme, separator, _ = str(place).partition("://")
    if not separator or isinstance(place, Path):
        return Files(Path(place))
    if scheme != "s3":
        raise UsageError(
            f"{scheme}://… is no place for a log", hint="name a directory, or s3://BUCKET/PREFIX"
        )
    from domicile.evidence.objects import ObjectFiles

    return ObjectFiles.at(str(place))
