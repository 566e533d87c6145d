"""A database of our own: one SQLite file, mode 0600, whose writes are durable when they return."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from domicile.errors import Stopped

BUSY_SECONDS = 30.0
"""How long to wait for another process that writes the file."""


class Database:
    """The file, open. Every write is durable when its transaction ends.

    A failed write raises Stopped: nothing that was noted before is lost by it.
    """

    def __init__(self, path: Path, tables: str) -> None:
        """Opens the file, making it and its directory when missing, with these `tables`
        (statements that change nothing where they were run before). Raises Stopped."""
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
            raise self.stopped(error) from error

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside are durable together, or none is. Raises Stopped."""
        self.write("BEGIN IMMEDIATE")
        try:
            yield
            self.write("COMMIT")
        except BaseException as error:
            # A failed COMMIT may have ended the transaction already.
            with suppress(sqlite3.Error):
                self.connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise self.stopped(error) from error
            raise

    def write(self, statement: str, values: Sequence[Any] = ()) -> None:
        """Run one statement that writes. Raises Stopped."""
        try:
            self.connection.execute(statement, values)
        except sqlite3.Error as error:
            raise self.stopped(error) from error

    def write_all(self, statement: str, lines: Iterable[Sequence[Any]]) -> None:
        """Run it for each of `lines`, inside a `transaction`. Raises Stopped."""
        try:
            self.connection.executemany(statement, lines)
        except sqlite3.Error as error:
            raise self.stopped(error) from error

    def version(self) -> int:
        """A number that is another after another process wrote: cheap to ask for."""
        (value,) = self.connection.execute("PRAGMA data_version").fetchone()
        return int(value)

    def stopped(self, error: OSError | sqlite3.Error) -> Stopped:
        """Why the file could not be used; SQLite's own words hold no values of ours."""
        reason = getattr(error, "strerror", None) or error
        return Stopped(
            f"{self.path}: cannot be written: {reason}",
            hint="make room there, or mend what it says, and run the same command again",
        )
