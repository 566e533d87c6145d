"""Sessions on an SQLite file, and SQLite's errors as ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import apsw

from domicile.errors import StoreRefused, StoreUnreachable
from domicile.stores.base import Row
from domicile.stores.schema import Schema
from domicile.stores.sqlite_load import insert
from domicile.stores.sqlite_text import SqliteDialect

BUSY = 5000
"""Milliseconds to wait for another process's lock."""

_NAME = r'(?:"(?:[^"]|"")+"|\w+)'
_MADE_AS = re.compile(
    rf"\s*CREATE\s+(?:TEMP\s+|TEMPORARY\s+)?TABLE\s+((?:{_NAME}\s*\.\s*)?{_NAME})\s+AS\b", re.I
)


class SqliteSession:
    """One connection in one transaction that never writes. See `stores.base.Session`.

    Its temporary tables are in memory (`temp_store`), so that people's keys reach no temporary
    file. While it is open, writers of a database in WAL mode go on; in rollback mode they wait.
    """

    def __init__(self, name: str, connection: apsw.Connection, schema: Schema) -> None:
        self.name = name
        self.connection = connection
        self.dialect = SqliteDialect()
        self.schema = schema

    def execute(self, sql: str) -> int:
        """Run one statement; the number of rows that it inserted, updated or deleted.

        Those of `CREATE TABLE … AS` are counted afterwards: SQLite itself says 0.
        """
        before = self.connection.total_changes()
        with translated(self.name):
            self.connection.execute(sql)
            made = _MADE_AS.match(sql)
            if made:
                return int(self.query(f"SELECT count(*) FROM {made[1]}")[0][0])
        return self.connection.total_changes() - before

    def query(self, sql: str) -> list[Row]:
        """Run one query and fetch all its rows."""
        with translated(self.name):
            return list(self.connection.execute(sql))

    def stream(self, sql: str, size: int = 10_000) -> Iterator[list[Row]]:
        """Run one query and yield its rows in lists of `size`."""
        with translated(self.name):
            cursor = self.connection.execute(sql)
        while True:
            with translated(self.name):
                rows = list(islice(cursor, size))
            if rows:
                yield rows
            if len(rows) < size:
                return

    def load(self, name: str, columns: Sequence[tuple[str, str]], rows: Iterable[Row]) -> int:
        """Create temporary table `name` and fill it; raises FidelityError, naming the column."""
        q = self.dialect.quote
        defined = ", ".join(f"{q(column)} {kind}" for column, kind in columns)
        before = self.connection.total_changes()
        with translated(self.name), self.connection:
            self.connection.execute(f"CREATE TABLE {self.dialect.temp(name)} ({defined})")
            insert(self.connection, self.name, self.dialect.temp(name), columns, rows)
        return self.connection.total_changes() - before

    def analyse(self, name: str) -> None:
        """Tell the planner about a temporary table; its statistics are temporary too."""
        self.execute(f"ANALYZE {self.dialect.temp(name)}")


class SqliteWriteSession(SqliteSession):
    """A session for apply; transactions are the caller's: `begin`, then `commit` or `rollback`.

    Foreign keys are not enforced and triggers do not fire on this connection, so that nothing
    reaches rows that stay; keys are checked in sets by apply. A commit is durable when it returns
    (`synchronous=FULL`), in rollback and in WAL mode alike. What is deleted is overwritten
    (`secure_delete`); earlier pages are left to `SqliteStore.purge`.
    """

    def begin(self) -> None:
        """Take the write lock now (BEGIN IMMEDIATE). Raises StoreUnreachable when it is held."""
        self.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Make it durable. On StoreUnreachable (a reader holds on) it may be called again."""
        self.execute("COMMIT")

    def rollback(self) -> None:
        """Give up what was done since `begin`. Harmless when nothing was begun."""
        if self.connection.in_transaction:
            self.execute("ROLLBACK")

    def attach(self, alias: str, path: str | Path, *, read_only: bool = False) -> SqliteDialect:
        """Attach another SQLite file, and the dialect that names its tables.

        Outside a transaction only. A commit over two files is atomic under rollback journals, but
        not in WAL mode: copy and commit first, delete in a later transaction.
        """
        if not Path(path).is_file():
            raise StoreUnreachable(self.name, f"cannot attach {alias}: its file is not there")
        q = self.dialect.quote(alias)
        uri = self.dialect.literal(uri_of(Path(path), "ro" if read_only else "rw"))
        self.execute(f"ATTACH DATABASE {uri} AS {q}")
        self.execute(f"PRAGMA {q}.secure_delete = ON")
        self.execute(f"PRAGMA {q}.synchronous = FULL")
        return SqliteDialect(alias)

    def detach(self, alias: str) -> None:
        """Let go of an attached file. Outside a transaction only."""
        self.execute(f"DETACH DATABASE {self.dialect.quote(alias)}")


def uri_of(path: Path, mode: str) -> str:
    """The file as an SQLite URI; `mode` is `ro` or `rw`, neither of which makes a file."""
    return f"file:{quote(str(path))}?mode={mode}"


@contextmanager
def translated(store: str) -> Iterator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except apsw.Error as error:
        raise refused(store, error) from error
    except UnicodeDecodeError as error:
        raise StoreRefused(
            store, "a text value is not valid UTF-8",
            hint="find it with `SELECT … WHERE x <> CAST(CAST(x AS BLOB) AS TEXT)` and mend it",
        ) from error  # fmt: skip


def refused(
    store: str, error: apsw.Error, *, opening: bool = False
) -> StoreRefused | StoreUnreachable:
    """What SQLite said, without a row's values: unreachable, or refused with what to do."""
    said = str(error).split(": '", 1)[0].split(': "', 1)[0]
    for kinds, message, hint in _UNREACHABLE:
        if isinstance(error, kinds):
            return StoreUnreachable(store, message, hint=hint)
    if opening:
        return StoreUnreachable(store, f"cannot open the file: {said}", hint="may it be read?")
    hint = "nothing was lost; mend the cause and run the same command again"
    if isinstance(error, apsw.FullError):
        hint = "the disk of the store is full: make room and run again"
    if isinstance(error, apsw.ReadOnlyError):
        hint = "the session or the file is read only"
    return StoreRefused(store, said, hint=hint)


_UNREACHABLE: tuple[tuple[tuple[type[apsw.Error], ...], str, str], ...] = (
    ((apsw.BusyError, apsw.LockedError),
     f"the file is locked by another process (waited {BUSY // 1000} s)",
     "wait until the other process is done, or stop it, and run the same command again"),
    ((apsw.NotADBError,), "the file is not an SQLite database",
     "is it encrypted, or a file of another kind? Domicile reads plain SQLite 3 files"),
    ((apsw.CorruptError,), "the database is damaged",
     "look with `PRAGMA integrity_check`, and restore it or repair it with `.recover`"),
    ((apsw.CantOpenError, apsw.PermissionsError, apsw.IOError), "the file cannot be opened or read",
     "the file, and in WAL mode its folder too, must be open to this user"),
)  # fmt: skip
