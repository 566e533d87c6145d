"""Durable files under one directory: the only place where the log writes.

The log relies on three promises, and the fault tests break each of them on purpose:
`write` returns when the file's bytes are on the disk; `settle` when the directory entries of
everything written are; `replace` changes a file at once or not at all.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from domicile.durable.files import sync, write_whole
from domicile.errors import Stopped
from domicile.evidence.bulk import CHECKPOINT

LOCK = ".lock"
"""The writer's lock. It is never removed: the kernel frees it when its holder dies."""


class Files:
    """Files below `directory`, named by relative paths with forward slashes."""

    shared = False

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._known: set[Path] = set()  # directories whose own entries are durable
        self._dirty: set[Path] = set()  # directories to be synced by `settle`

    @property
    def place(self) -> str:
        """The directory, for messages."""
        return str(self.directory)

    def exists(self) -> bool:
        """Whether the directory is there."""
        return self.directory.is_dir()

    def make(self) -> None:
        """Make the directory. Raises OSError."""
        self.directory.mkdir(parents=True, exist_ok=True)

    def read(self, path: str) -> bytes | None:
        """The file's bytes, or None when there is no such file.

        Raises OSError, also for a link or a pipe: a copy of a log may come from anybody.
        """
        try:
            descriptor = os.open(
                self.directory / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            )
        except (FileNotFoundError, NotADirectoryError):
            return None
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "it is no file")
            return file.read()

    def names(self, path: str) -> list[str]:
        """The names in a directory, none when there is no such directory. Raises OSError."""
        try:
            return [entry.name for entry in (self.directory / path).iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def tree(self, below: str) -> Iterator[str]:
        """The paths of all files below a directory, sorted within each. Raises OSError."""
        for name in sorted(self.names(below)):
            path = f"{below}/{name}"
            target = self.directory / path
            if target.is_dir() and not target.is_symlink():
                yield from self.tree(path)
            else:
                yield path

    def write(self, path: str, content: bytes) -> None:
        """Write a file and wait until its bytes are durable. Raises OSError.

        Not atomic: only for files that no head refers to yet. Its name is durable after `settle`.
        """
        target = self.directory / path
        self._prepare(target.parent)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(target, flags, 0o666), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def settle(self) -> None:
        """Wait until the names of all files written since are durable. Raises OSError."""
        for directory in sorted(self._dirty):
            sync(directory)
        self._known |= self._dirty
        self._dirty.clear()

    def replace(self, path: str, content: bytes) -> None:
        """Put a file in the place of another, atomically and durably. Raises OSError.

        After an error either the old or the new content is there.
        """
        target = self.directory / path
        self._prepare(target.parent)
        if target.is_symlink() or (target.exists() and not target.is_file()):
            raise OSError(errno.EINVAL, f"{path} is a link or no file")
        write_whole(target, content)

    def publish(self, note: bytes) -> None:
        """Put a head in the place of the checkpoint. Raises OSError.

        The caller is the only writer, so no later one is there.
        """
        self.replace(CHECKPOINT, note)

    def remove(self, path: str) -> None:
        """Remove a file, or a directory of files; nothing when it is absent. Raises OSError."""
        target = self.directory / path
        try:
            if target.is_dir():
                for entry in list(target.iterdir()):
                    entry.unlink(missing_ok=True)
                target.rmdir()
            else:
                target.unlink()
        except FileNotFoundError:
            return

    def head(self) -> None:
        """None: the head of a log in a directory is in another one, or is the checkpoint."""

    @contextmanager
    def writer(self, *, wait: float = 30.0, lock: str = LOCK) -> Iterator[None]:
        """Be the only writer of this directory, across threads and processes.

        Raises Stopped when another writer holds the directory for longer than `wait` seconds,
        OSError when the lock file cannot be opened.
        """
        fd = os.open(self.directory / lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            deadline = time.monotonic() + wait
            while True:
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError as e:
                    if time.monotonic() > deadline:
                        raise Stopped(
                            f"{self.directory}: another process has been writing the log "
                            f"for {wait:g} s",
                            hint="wait for it to end, then run the same command again",
                        ) from e
                    time.sleep(0.005)
            yield
        finally:
            os.close(fd)  # and with it the lock

    def _prepare(self, directory: Path) -> None:
        """Make a directory, and remember each one whose entry may not be durable yet."""
        if directory in self._known and directory.is_dir():
            self._dirty.add(directory)
            return
        directory.mkdir(parents=True, exist_ok=True)
        self._dirty.add(directory)
        while directory != self.directory and directory.parent not in self._known:
            if directory.is_symlink():
                raise OSError(errno.ELOOP, f"{directory.name} is a link")
            directory = directory.parent
            self._dirty.add(directory)
        self._dirty.add(directory.parent if directory != self.directory else directory)
