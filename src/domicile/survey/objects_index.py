"""Listed files and what was found out about them, in a scratch database of their own.

SQLite makes a database without a name in the temporary directory and unlinks it at once; it goes
with the process, and keeps memory flat however many files there are.
"""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from domicile.stores.base import Row
from domicile.stores.files import Found
from domicile.stores.parquet_files import Mark

CACHE_KIB = 32_768
"""Memory for pages of the scratch database; beyond it they are in the unlinked file."""

_TABLES = """
CREATE TABLE file (
  n INTEGER PRIMARY KEY, store INTEGER NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL,
  changed INTEGER NOT NULL, inode TEXT NOT NULL, fits INTEGER NOT NULL,
  fate TEXT NOT NULL DEFAULT '', label INTEGER NOT NULL DEFAULT 0, rule INTEGER,
  home TEXT NOT NULL DEFAULT '', stands TEXT NOT NULL DEFAULT '',
  waits INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE alias (store INTEGER NOT NULL, name TEXT NOT NULL, n INTEGER NOT NULL);
CREATE TABLE hit (
  n INTEGER NOT NULL, rule INTEGER NOT NULL, cell TEXT NOT NULL, fate TEXT NOT NULL,
  label INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL
);
CREATE INDEX hit_file ON hit (n);
CREATE TABLE named (n INTEGER PRIMARY KEY);
CREATE TABLE going (
  n INTEGER NOT NULL, kind TEXT NOT NULL, rows INTEGER NOT NULL, PRIMARY KEY (n, kind)
) WITHOUT ROWID;
"""

_INDEXES = """
CREATE UNIQUE INDEX file_path ON file (store, path);
CREATE INDEX alias_name ON alias (store, name);
DELETE FROM alias WHERE EXISTS (
  SELECT 1 FROM file f WHERE f.store = alias.store AND f.path = alias.name);
DELETE FROM alias WHERE EXISTS (
  SELECT 1 FROM alias o WHERE o.store = alias.store AND o.name = alias.name AND o.n <> alias.n);
"""


@dataclass(frozen=True)
class Listed:
    """One file with its number."""

    number: int
    path: str
    mark: Mark


class Index:
    """The scratch database of one survey of files."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect("", isolation_level=None)
        self.connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        self.connection.execute("PRAGMA synchronous = OFF")
        self.connection.execute("PRAGMA journal_mode = OFF")
        self.connection.executescript(_TABLES)
        self.connection.execute("BEGIN")  # for good: nothing of it is to outlive us

    def fill(self, store: int, files: Iterable[tuple[Found, bool]]) -> None:
        """Add the files of a store, each with whether it fits some declared key.

        A name may be written in several ways in Unicode (UAX 15): under the composed and the
        decomposed form a file is found too, as long as no other file has that name.
        """
        connection = self.connection
        for found, fits in files:
            mark = found.mark
            row = connection.execute(
                "INSERT INTO file (store, path, size, changed, inode, fits) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (store, found.path, mark.size, mark.changed, str(mark.inode), fits),
            )
            if not found.path.isascii():
                other = {unicodedata.normalize(f, found.path) for f in ("NFC", "NFD")}
                connection.executemany(
                    "INSERT INTO alias VALUES (?, ?, ?)",
                    ((store, name, row.lastrowid) for name in other - {found.path}),
                )

    def filled(self) -> None:
        """All stores were added: index, and drop names that several files could mean."""
        self.connection.executescript(_INDEXES)  # which ends the transaction
        self.connection.execute("BEGIN")

    def names(self) -> Iterator[Row]:
        """(store, number, name) of all files, under every name that means one file."""
        yield from self.rows("SELECT store, n, path FROM file")
        yield from self.rows("SELECT store, n, name FROM alias")

    def rows(self, query: str, values: Sequence[Any] = ()) -> Iterator[Row]:
        """Run a query on a cursor of its own."""
        yield from self.connection.execute(query, values)

    def all(self, query: str, values: Sequence[Any] = ()) -> list[Row]:
        """Run a query whose answer is small."""
        return list(self.connection.execute(query, values))

    def run(self, statement: str, values: Sequence[Any] = ()) -> None:
        """Run one statement."""
        self.connection.execute(statement, values)

    def many(self, statement: str, lines: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each line."""
        self.connection.executemany(statement, lines)

    def files(self, where: str, values: Sequence[Any] = ()) -> Iterator[Listed]:
        """Files by a condition over alias `f`, in the order of their numbers."""
        query = f"SELECT n, path, size, changed, inode FROM file f WHERE {where} ORDER BY n"
        for number, path, size, changed, inode in self.rows(query, values):
            yield Listed(number, path, Mark(size, changed, int(inode)))

    def find(self, store: int, path: str) -> Listed | None:
        """The file of that very path in a store."""
        return next(self.files("store = ? AND path = ?", (store, path)), None)

    def close(self) -> None:
        """Give the space back."""
        self.connection.close()
