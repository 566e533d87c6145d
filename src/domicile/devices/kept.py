"""A SQLite file of ours, mode 0600: made when it is not there, and written whole or not at all."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from domicile.errors import Stopped

BUSY_SECONDS = 30.0


class Kept:
    """One file. Every write is durable when its transaction ends.

    A failed write raises Stopped: nothing that was noted before is lost by it.
    """

    def __init__(self, path: Path, tables: str) -> None:
        """Open the file, or make it and its directory. Raises Stopped."""
        self.path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.exists():
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self.connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS)
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.execute("PRAGMA synchronous = FULL")
            self.connection.executescript(tables)
        except (OSError, sqlite3.Error) as error:
            raise _stopped(path, error) from error

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside are durable together, or none is. Raises Stopped."""
        try:
            self.connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise _stopped(self.path, error) from error
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException as error:
            # A failed COMMIT may have ended the transaction already.
            with suppress(sqlite3.Error):
                self.connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise _stopped(self.path, error) from error
            raise


def _stopped(path: Path, error: Exception) -> Stopped:
    reason = getattr(error, "strerror", None) or type(error).__name__
    return Stopped(
        f"{path}: cannot be written: {reason}",
        hint="free space or correct the permissions there, then run the same command again",
    )
