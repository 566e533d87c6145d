"""SQLite through apsw: sessions with temporary tables beside the data, and purging.

Why apsw and not the standard library's module: docs/decisions/0002-sqlite-through-apsw.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import apsw

from domicile.errors import DeclarationError, StoreRefused, StoreUnreachable
from domicile.estate import model
from domicile.stores import sqlite_reflect
from domicile.stores.base import Capabilities, Row
from domicile.stores.schema import Schema
from domicile.stores.sqlite_sample import spread
from domicile.stores.sqlite_session import (
    BUSY,
    SqliteSession,
    SqliteWriteSession,
    refused,
    translated,
    uri_of,
)
from domicile.stores.sqlite_text import SqliteDialect, install

CAPABILITIES = Capabilities(
    "sqlite", write=True, transactions=True, foreign_keys=True,
    concurrent_writers=True, live_files=True,
)  # fmt: skip

CACHE = 64 * 2**20
"""Bytes of pages that one connection may keep."""

VACUUM_IN_MEMORY = 256 * 2**20
"""Bytes of a file up to which VACUUM's copy stays in memory rather than in a temporary file."""


class SqliteStore:
    """One SQLite file. See `stores.base.Store`."""

    capabilities = CAPABILITIES

    def __init__(self, store: model.Store) -> None:
        self.name = store.name
        self.declared = store
        self.path = path_of(store)
        self.skipped: list[tuple[str, str]] = []
        """(table, reason) of what the last `reflect` saw and could not read as a table."""
        self._reflected: tuple[int, sqlite_reflect.Reflected] | None = None
        self._open: list[apsw.Connection] = []

    def reflect(self) -> Schema:
        """Tables, columns, keys and sizes; also fills `skipped`."""
        return self.reflected().schema

    def reflected(self) -> sqlite_reflect.Reflected:
        """The schema with what SQLite's own code needs beside it; always read anew."""
        self._reflected = None
        with self.read():
            assert self._reflected is not None
            return self._reflected[1]

    def forget(self) -> None:
        """Reflect anew next time, although the schema's version is the same."""
        self._reflected = None

    def schema_of(self, connection: apsw.Connection) -> Schema:
        """The schema as this connection sees it; read again only when its version changed."""
        with translated(self.name):
            version = int(next(iter(connection.execute("PRAGMA main.schema_version")))[0])
            if self._reflected is None or self._reflected[0] != version:
                self._reflected = version, sqlite_reflect.reflect(connection)
                self.skipped = self._reflected[1].skipped
        return self._reflected[1].schema

    @contextmanager
    def read(self) -> Iterator[SqliteSession]:
        """A session for survey and plan, on a connection that cannot write the file."""
        connection = self._connect("ro")
        try:
            with translated(self.name):
                connection.execute("BEGIN")
                connection.execute("SELECT count(*) FROM main.sqlite_schema")  # takes the snapshot
            yield SqliteSession(self.name, connection, self.schema_of(connection))
        finally:
            self._close(connection)

    @contextmanager
    def write(self) -> Iterator[SqliteWriteSession]:
        """A session for apply; what was begun and not committed is rolled back at the end."""
        connection = self._connect("rw")
        try:
            yield SqliteWriteSession(self.name, connection, self.schema_of(connection))
        finally:
            self._close(connection)

    def sample(self, table: str, columns: Sequence[str], rows: int) -> list[Row]:
        """Up to `rows` rows at even steps of the rowid, fewer only when the table has fewer."""
        with self.read() as session:
            shape = session.schema.tables.get(table)
            missing = [c for c in columns if shape is None or c not in shape.names]
            if shape is None or missing:
                what = f"column {missing[0]!r} in " if shape else ""
                raise StoreRefused(
                    self.name, f"there is no {what}table {table!r}",
                    hint="its schema was changed: run the same command again",
                )  # fmt: skip
            return spread(session, shape, columns, rows)

    def purge(self, tables: Iterable[str] = ()) -> None:
        """Overwrite what deleted rows left in the live files: statistics, free pages, journals.

        `tables` are those that rows left; none means all. ANALYZE runs again where statistics hold
        samples, full-text indexes over those tables are rebuilt, then VACUUM and a checkpoint.
        VACUUM may give new rowids to tables without an INTEGER PRIMARY KEY. Safe to repeat.
        Raises StoreUnreachable while others hold the file; needs free disk of its size.
        """
        wanted = set(tables)
        connection = self._connect("rw")
        try:
            with translated(self.name):
                for name in _sampled(connection):
                    if not wanted or name in wanted:
                        connection.execute(f"ANALYZE {SqliteDialect().table(name)}")
                self._index_text(connection, wanted)
                if self.path.stat().st_size > VACUUM_IN_MEMORY:
                    connection.execute("PRAGMA temp_store = FILE")
                connection.execute("VACUUM main")
                state = list(connection.execute("PRAGMA main.wal_checkpoint(TRUNCATE)"))
            if state[0][0]:
                raise StoreUnreachable(
                    self.name, "a reader still needs old pages, so the log keeps them",
                    hint="close or wait for the other connections and run the same command again",
                )  # fmt: skip
        finally:
            self._close(connection)

    def index_text(self, tables: Iterable[str]) -> None:
        """Rebuild the full-text indexes over tables that rows came to or left: the triggers that
        keep them did not fire. Raises StoreRefused, StoreUnreachable; safe to repeat."""
        connection = self._connect("rw")
        try:
            with translated(self.name):
                self._index_text(connection, set(tables))
        finally:
            self._close(connection)

    def _index_text(self, connection: apsw.Connection, tables: set[str]) -> None:
        self.schema_of(connection)
        assert self._reflected is not None
        for index, content in self._reflected[1].full_text.items():
            if index != content and (not tables or content in tables):
                q = SqliteDialect().quote(index)
                connection.execute(f"INSERT INTO main.{q}({q}) VALUES ('rebuild')")

    def settle_files(self) -> None:
        """Nothing to do: the log and the journal are among the live files."""

    def place(self) -> str:
        """The device and number of the file, which hard links share."""
        try:
            found = self.path.stat()
        except OSError as error:
            raise StoreUnreachable(
                self.name, f"the file cannot be looked at: {error.strerror}", hint="is it there?"
            ) from error
        return f"{found.st_dev} {found.st_ino}"

    def live_files(self) -> list[str] | None:
        """The file, and its journal or log when there is one; None when it cannot be seen."""
        try:
            beside = sorted(self.path.parent.glob(_glob(self.path.name) + "-mj*"))
        except OSError:
            return None
        names = [self.path, *(Path(f"{self.path}{end}") for end in ("-wal", "-journal")), *beside]
        return [str(p) for p in names if p.is_file()] if self.path.is_file() else None

    def residues(self) -> list[tuple[str, str]]:
        """What copies of the file keep, and full-text indexes with a text of their own."""
        found = list(_KEPT)
        if self._reflected:
            found += [
                (f"full-text index {index}", "its own text: delete there, then 'optimize'")
                for index, content in sorted(self._reflected[1].full_text.items())
                if index == content
            ]
        return found

    def close(self) -> None:
        """Close every connection; open transactions are rolled back."""
        for connection in self._open:
            connection.close(True)
        self._open.clear()

    def _close(self, connection: apsw.Connection) -> None:
        if connection in self._open:
            self._open.remove(connection)
        connection.close(True)

    def _connect(self, mode: str) -> apsw.Connection:
        """A connection with our settings. Never makes a file. Raises StoreUnreachable."""
        shown = self.declared.shown or self.path
        if not self.path.exists():
            raise StoreUnreachable(
                self.name, f"no file at {shown}",
                hint="correct the store's url: sqlite:///absolute/path or sqlite:relative/path; "
                "for a new home an empty file will do",
            )  # fmt: skip
        if not self.path.is_file():
            raise StoreUnreachable(
                self.name, f"got a folder or device at {shown}, expected an SQLite file",
                hint="correct the store's url; a folder of Parquet files is file:///path",
            )  # fmt: skip
        try:
            try:
                connection = _opened(self.path, mode)
            except apsw.ReadOnlyError as error:
                if getattr(error, "extendedresult", 0) not in _UNFINISHED:
                    raise
                # A process was killed in a transaction. Only a connection that may write can roll
                # it back, as the application's next one would; what was committed stays as it is.
                _opened(self.path, "rw").close()
                connection = _opened(self.path, mode)
        except apsw.Error as error:
            raise refused(self.name, error, opening=True) from error
        install(connection)
        self._open.append(connection)
        return connection


def _opened(path: Path, mode: str) -> apsw.Connection:
    """A connection with our settings that has read the file. Raises apsw.Error."""
    flags = apsw.SQLITE_OPEN_READONLY if mode == "ro" else apsw.SQLITE_OPEN_READWRITE
    connection = apsw.Connection(uri_of(path, mode), flags=flags | apsw.SQLITE_OPEN_URI)
    try:
        connection.set_busy_timeout(BUSY)
        for option, value in _OPTIONS:
            connection.config(option, value)
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("SELECT count(*) FROM main.sqlite_schema")
    except apsw.Error:
        connection.close(True)
        raise
    return connection


_UNFINISHED = (
    apsw.SQLITE_READONLY_ROLLBACK,
    apsw.SQLITE_READONLY_RECOVERY,
    apsw.SQLITE_READONLY_CANTINIT,
)
_OPTIONS = (
    (apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0),
    (apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 0),
    (apsw.SQLITE_DBCONFIG_DEFENSIVE, 1),
    (apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
    (apsw.SQLITE_DBCONFIG_DQS_DML, 0),
    (apsw.SQLITE_DBCONFIG_DQS_DDL, 0),
)
_PRAGMAS = (
    "temp_store = MEMORY", f"cache_size = {-CACHE // 1024}",
    "secure_delete = ON", "synchronous = FULL",
)  # fmt: skip


_KEPT = (
    ("copies and backups of the file", "expire by your retention; replay erasures after a restore"),
    ("replicas of its log (Litestream, LiteFS)", "expire by the replica's retention"),
    ("snapshots and free blocks of the disk", "go with the file system's; encrypt the disk"),
    ("the highest keys given (sqlite_sequence)", "stay, so that no key is given twice"),
)


def path_of(store: model.Store) -> Path:
    """The file of a URL `sqlite:///absolute` or `sqlite:relative`, links followed.

    SQLite keeps its log and journal beside the file that a link leads to. Raises DeclarationError.
    """
    rest = store.url.partition(":")[2].removeprefix("//")
    if not rest or rest.lstrip("/").startswith(":memory:"):
        raise DeclarationError(
            f"store {store.name}: got no file in its url, expected sqlite:///path/file.db",
            hint="an SQLite database in memory belongs to one process and is no store",
        )
    if store.schema not in ("", "main"):
        raise DeclarationError(
            f"store {store.name}: got schema {store.schema!r}, expected none: "
            "an SQLite file has one, main",
            hint="leave out `schema` of this store in estate.yaml",
        )
    return Path(rest).expanduser().resolve()


def _glob(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _sampled(connection: apsw.Connection) -> list[str]:
    """The tables whose statistics hold values of rows (sqlite_stat4, sqlite_stat3)."""
    names = connection.execute(
        "SELECT name FROM main.sqlite_schema WHERE name IN ('sqlite_stat3', 'sqlite_stat4')"
    )
    found: set[str] = set()
    for (name,) in list(names):
        rows = connection.execute(
            f"SELECT DISTINCT s.tbl FROM main.{name} s JOIN main.sqlite_schema t "
            "ON t.name = s.tbl AND t.type = 'table'"
        )
        found.update(str(r[0]) for r in rows)
    return sorted(found)
