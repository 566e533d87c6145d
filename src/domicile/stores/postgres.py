"""PostgreSQL through asyncpg: sessions with temporary tables, and raw COPY for the movers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import asyncpg

from domicile.errors import DeclarationError, StoreBusy, StoreRefused, StoreUnreachable
from domicile.estate import model
from domicile.stores import postgres_reflect, postgres_sample
from domicile.stores.base import Capabilities, Row
from domicile.stores.postgres_loop import run
from domicile.stores.schema import Column, Kind, Schema, Table

T = TypeVar("T")

_COPIED = re.compile(r"(?:.*\n)*?COPY (\w+), line")

GIVE_UP_SECONDS = 20.0
"""How long a ROLLBACK may take; an interrupted COPY can leave a connection that answers nothing."""

LOAD_ROWS = 50_000
"""Rows of one COPY into a temporary table."""

CAPABILITIES = Capabilities(
    "postgresql", write=True, transactions=True, foreign_keys=True,
    concurrent_writers=True, live_files=True,
)  # fmt: skip

SETTINGS = {
    # Canonical texts, whatever the database's own defaults are.
    "DateStyle": "ISO, YMD", "IntervalStyle": "iso_8601", "TimeZone": "UTC",
    "extra_float_digits": "1", "bytea_output": "hex", "xmlbinary": "base64",
    # A row that a policy would hide is an error, never a silent miss.
    "row_security": "off",
    # A home that forgets a commit after the source has deleted would lose rows.
    "synchronous_commit": "on",
    "default_transaction_read_only": "off", "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0", "jit": "off",
    "application_name": "domicile",
}  # fmt: skip


FAILURES = (
    asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError,
)  # fmt: skip
"""What asyncpg raises; `refused` turns each into one of our errors."""


class PostgresDialect:
    """The common SQL as PostgreSQL writes it."""

    name: Literal["postgres"] = "postgres"

    def __init__(self, schema: str, inherited: Collection[str] = ()) -> None:
        """`inherited`: tables with INHERITS children, to be read without those."""
        self.schema = schema
        self.inherited = frozenset(inherited)

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def literal(self, text: str) -> str:
        if "\\" in text:
            return " E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
        return "'" + text.replace("'", "''") + "'"

    def table(self, name: str) -> str:
        only = "ONLY " if name in self.inherited else ""
        return only + self.target(name)

    def target(self, name: str) -> str:
        """A table where `ONLY` may not stand: INSERT INTO, regclass."""
        return f"{self.quote(self.schema)}.{self.quote(name)}"

    def temp(self, name: str) -> str:
        return f"pg_temp.{self.quote(name)}"

    def row_id(self, table: Table, alias: str) -> str:
        return f"({alias}.tableoid::text || {alias}.ctid::text)"

    def value(self, text: str, column: Column) -> str:
        return f"CAST({text} AS {column.type})"

    def text(self, expression: str, kind: Kind) -> str:
        if kind == "bool":
            return f"(CASE WHEN {expression} THEN '1' WHEN NOT {expression} THEN '0' END)"
        if kind == "numeric":
            return f"trim_scale({expression})::text"  # 1.50 is 1.5, whatever the column's scale
        if kind == "inet":
            # As psql shows it: a cast would write /32 behind every address.
            return f"(CASE WHEN {expression} IS NOT NULL THEN format('%s', {expression}) END)"
        return f"({expression})::text"

    def json(self, expression: str, path: Sequence[str]) -> str:
        steps = ", ".join(self.literal(p) for p in path)
        return f"jsonb_extract_path_text(({expression})::jsonb, {steps})"

    def digest(self, expressions: Sequence[str]) -> str:
        parts = " || ".join(
            f"coalesce(length({e})::text || ':' || ({e}), '-')" for e in expressions
        )
        return f"md5({parts})"


class PostgresSession:
    """One connection. See `stores.base.Session`."""

    def __init__(self, store: PostgresStore, connection: asyncpg.Connection[Any]) -> None:
        self.store = store
        self.name = store.name
        self.dialect = PostgresDialect(store.schema, store.reflected().inherited)
        self.connection = connection
        self.schema = store.reflect()

    def execute(self, sql: str) -> int:
        status = self._run(self.connection.execute(sql))
        last = status.rsplit(" ", 1)[-1]
        return int(last) if last.isdigit() else 0

    def give_up(self) -> None:
        """ROLLBACK, or drop the connection when it does not answer: the server then does it."""
        try:
            run(asyncio.wait_for(self.connection.execute("ROLLBACK"), GIVE_UP_SECONDS))
        except TimeoutError:
            self.connection.terminate()
        except FAILURES as error:
            raise self._refused(error) from error

    def query(self, sql: str) -> list[Row]:
        return [tuple(r) for r in self._run(self.connection.fetch(sql))]

    def stream(self, sql: str, size: int = 10_000) -> Iterator[list[Row]]:
        cursor = self._run(self._cursor(sql))
        while rows := self._run(cursor.fetch(size)):
            yield [tuple(r) for r in rows]

    async def _cursor(self, sql: str) -> Any:
        return await self.connection.cursor(sql)

    def load(self, name: str, columns: Sequence[tuple[str, str]], rows: Iterable[Row]) -> int:
        q = self.dialect.quote
        defined = ", ".join(f"{q(c)} {t}" for c, t in columns)
        self.execute(f"CREATE TEMP TABLE {q(name)} ({defined})")
        # List by list: `rows` may itself be read from a PostgreSQL store, on the same loop.
        count, source = 0, iter(rows)
        while part := list(islice(source, LOAD_ROWS)):
            self._run(
                self.connection.copy_records_to_table(
                    name, records=part, columns=[c for c, _ in columns], schema_name="pg_temp"
                )
            )
            count += len(part)
        return count

    def analyse(self, name: str) -> None:
        # Statistics of these few columns are small whole numbers and keys; `purge` clears them.
        self.execute(f"ANALYZE {self.dialect.temp(name)}")

    def copy_out(
        self, sql: str, sink: Callable[[bytes], Coroutine[Any, Any, None]], binary: bool
    ) -> int:
        """COPY (sql) TO `sink`, raw; the number of rows."""
        return run(self.copy_out_async(sql, sink, binary))

    async def copy_out_async(
        self, sql: str, sink: Callable[[bytes], Coroutine[Any, Any, None]], binary: bool
    ) -> int:
        try:
            status = await self.connection.copy_from_query(
                sql, output=sink, format="binary" if binary else "text"
            )
        except FAILURES as error:
            raise self._refused(error) from error
        return int(status.rsplit(" ", 1)[-1])

    async def copy_in_async(
        self, table: str, columns: Sequence[str], source: AsyncIterator[bytes], binary: bool,
        schema: str | None = None,
    ) -> int:  # fmt: skip
        """COPY `table` (columns) FROM `source`, raw; the number of rows."""
        try:
            status = await self.connection.copy_to_table(
                table, schema_name=schema or self.dialect.schema, columns=list(columns),
                source=source, format="binary" if binary else "text",
            )  # fmt: skip
        except FAILURES as error:
            raise self._refused(error) from error
        return int(status.rsplit(" ", 1)[-1])

    def _run(self, work: Awaitable[T]) -> T:
        try:
            return run(work)
        except FAILURES as error:
            raise self._refused(error) from error

    def _refused(self, error: Exception) -> StoreRefused | StoreUnreachable:
        return refused(self.store.name, error)


class PostgresStore:
    """One schema of one database. See `stores.base.Store`."""

    capabilities = CAPABILITIES

    def __init__(self, store: model.Store) -> None:
        self.name = store.name
        self.declared = store
        self.schema = store.schema or "public"
        self._reflected: postgres_reflect.Reflected | None = None
        self._open: list[asyncpg.Connection[Any]] = []
        self._sampler: PostgresSession | None = None

    def connect(self) -> asyncpg.Connection[Any]:
        """A new connection with our settings. Raises StoreUnreachable."""
        parts = urlsplit(self.declared.url)
        url = parts._replace(scheme="postgresql").geturl()
        path = ", ".join('"' + s.replace('"', '""') + '"' for s in (self.schema, "public"))
        try:
            connection = run(
                asyncpg.connect(
                    url, timeout=10, command_timeout=None,
                    server_settings={**SETTINGS, "search_path": f"{path}, pg_temp"},
                )
            )  # fmt: skip
        except asyncpg.InvalidPasswordError as error:
            raise StoreUnreachable(
                self.name, "the server refused the user or the password",
                hint=f"URL as declared: {self.declared.shown}; set PGPASSWORD, or a .pgpass file",
            ) from error  # fmt: skip
        except asyncpg.InvalidCatalogNameError as error:
            raise StoreUnreachable(
                self.name, f"no such database at {self.declared.shown}",
                hint="create it, or correct the last part of the store's url",
            ) from error  # fmt: skip
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
            raise StoreUnreachable(
                self.name, f"cannot connect to {self.declared.shown}: {reason(error)}",
                hint="is the server running, and does it let this user in?",
            ) from error  # fmt: skip
        self._open.append(connection)
        return connection

    def reflect(self) -> Schema:
        return self.reflected().schema

    def reflected(self) -> postgres_reflect.Reflected:
        """The schema with what PostgreSQL's own code needs beside it; read once."""
        if self._reflected is None:
            connection = self.connect()

            def query(sql: str, schema: str) -> list[Any]:
                return run(connection.fetch(sql, schema))

            try:
                others = [str(r[0]) for r in query(postgres_reflect.SCHEMAS, self.schema)]
                # A database without any table is a home still to be furnished.
                if (
                    others
                    and self.schema not in others
                    and not query("SELECT FROM pg_namespace WHERE nspname = $1", self.schema)
                ):
                    raise DeclarationError(
                        f"store {self.name} has no schema {self.schema!r}; its tables are in "
                        + ", ".join(others),
                        hint="say which one holds the application with `schema:` in estate.yaml; "
                        "if it is to be made here, CREATE SCHEMA first",
                    )  # fmt: skip
                self._reflected = postgres_reflect.reflect(query, self.schema)
            except asyncpg.PostgresError as error:
                raise refused(self.name, error) from error
            finally:
                run(connection.close())
        return self._reflected

    def schemas(self) -> list[str]:
        """The schemas of the database in which there are tables."""
        connection = self.connect()
        try:
            rows = run(connection.fetch(postgres_reflect.SCHEMAS, self.schema))
        except asyncpg.PostgresError as error:
            raise refused(self.name, error) from error
        finally:
            self._close(connection)
        return [str(r[0]) for r in rows]

    def forget(self) -> None:
        """Reflect anew next time: the schema was changed."""
        self._reflected = None

    @contextmanager
    def read(self) -> Iterator[PostgresSession]:
        session = PostgresSession(self, self.connect())
        try:
            # Temporary tables are writes to PostgreSQL, so the transaction may not be READ ONLY;
            # nothing but temporary tables is ever written in it.
            session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ WRITE")
            yield session
        finally:
            self._close(session.connection)

    @contextmanager
    def write(self) -> Iterator[PostgresSession]:
        """A session for apply; transactions are the caller's."""
        session = PostgresSession(self, self.connect())
        try:
            yield session
        finally:
            self._close(session.connection)

    def sample(self, table: str, columns: Sequence[str], rows: int) -> list[Row]:
        session, shape = self._sampling(), self.reflect().tables[table]
        return postgres_sample.sample(session.query, session.dialect, shape, columns, rows)

    def samples(self, tables: Sequence[str], rows: int) -> Iterator[tuple[str, list[Row]]]:
        """See `stores.base.CanSampleMany`."""
        shapes = [self.reflect().tables[t] for t in tables]
        session = self._sampling()
        return postgres_sample.samples(session.query, session.dialect, shapes, rows)

    def _sampling(self) -> PostgresSession:
        """One connection for all samples: to open one takes longer than to read a small table. No
        transaction stays open in it."""
        if self._sampler is None or self._sampler.connection.is_closed():
            self._sampler = PostgresSession(self, self.connect())
        return self._sampler

    def settle_files(self) -> None:
        connection = self.connect()
        try:
            # Without the right to it (superuser, pg_checkpoint) the next regular one does it.
            with suppress(asyncpg.InsufficientPrivilegeError):
                run(connection.execute("CHECKPOINT"))
        finally:
            self._close(connection)

    def place(self) -> str:
        """When the server was started, its database's number, and the schema."""
        connection = self.connect()
        try:
            rows = run(
                connection.fetch(
                    "SELECT pg_postmaster_start_time()::text, oid::text FROM pg_database "
                    "WHERE datname = current_database()"
                )
            )
        except (asyncpg.PostgresError, OSError, asyncpg.InterfaceError) as error:
            raise refused(self.name, error) from error
        finally:
            self._close(connection)
        return " ".join([*rows[0], self.schema])

    def live_files(self) -> list[str] | None:
        connection = self.connect()
        try:
            rows = run(
                connection.fetch(
                    "SELECT current_setting('data_directory', true), d.oid, d.dattablespace::int "
                    "FROM pg_database d WHERE datname = current_database()"
                )
            )
        except asyncpg.PostgresError:
            return None
        finally:
            run(connection.close())
        directory = rows[0][0]
        if not directory:
            return None
        base = Path(directory) / "base" / str(rows[0][1])
        try:
            return sorted(str(p) for p in base.iterdir() if p.is_file())
        except OSError:
            return None

    def residues(self) -> list[tuple[str, str]]:
        return [
            ("write-ahead log", "recycled as checkpoints pass; archived segments by your archive"),
            ("replicas", "follow the primary by themselves; check their lag"),
            ("backups", "expire by your retention; replay the erasures after a restore"),
        ]

    def close(self) -> None:
        for connection in self._open:
            connection.terminate()
        self._open.clear()
        self._sampler = None

    def _close(self, connection: asyncpg.Connection[Any]) -> None:
        if connection in self._open:
            self._open.remove(connection)
        try:
            run(connection.close(timeout=5))
        except (*FAILURES, TimeoutError):
            connection.terminate()


_QUOTED = re.compile(r'"[^\n]*"')
_FUNCTION = re.compile(r"^PL/\w+ function ([^\s(]+\([^)]*\))", re.MULTILINE)


def reason(error: Exception) -> str:
    """An error of the server or the network in one line, without a row's values.

    PostgreSQL puts values into DETAIL and CONTEXT, never used here; a message that quotes a value
    (`invalid input syntax for type integer: "…"`) is cut before the quote, and what a complaint
    about data (SQLSTATE class 22) has in quotes is left out.
    """
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    state = str(getattr(error, "sqlstate", None) or "")
    if state.startswith("P0"):
        # RAISE in a function of the application: its words are its own, and may be a person's.
        context = str(getattr(error, "context", None) or "")
        names = sorted({m[1] for m in _FUNCTION.finditer(context)})
        return f"{'function ' + ', '.join(names) if names else 'a function'} raised an error"
    if state.startswith("22"):
        return _QUOTED.sub("…", text).removesuffix(": …")
    return text.split(': "', 1)[0]


_BUSY = ("55P03", "40P01", "40001")
"""SQLSTATE of a lock that was not given in time, a broken deadlock, a serialization failure."""


def refused(store: str, error: Exception) -> StoreRefused | StoreUnreachable:
    """What the server said, as one of our errors: gone away, or refused with what to do."""
    if isinstance(
        error,
        OSError | asyncpg.PostgresConnectionError | asyncpg.InterfaceError
        | asyncpg.InternalClientError
        | asyncpg.AdminShutdownError | asyncpg.CrashShutdownError | asyncpg.CannotConnectNowError,
    ):  # fmt: skip
        return StoreUnreachable(
            store, f"the connection was lost: {reason(error)}",
            hint="start the store again and run the same command to resume",
        )  # fmt: skip
    if "during recovery" in str(error):
        return StoreUnreachable(
            store, "the server is a standby, which is read only",
            hint="name the primary in the store's url: even a survey needs temporary tables",
        )  # fmt: skip
    state = getattr(error, "sqlstate", None) or "?"
    named = [
        f"{label} {value}"
        for label in ("table_name", "constraint_name", "column_name")
        if (value := getattr(error, label, None))
    ]
    hints = {
        "42501": "grant it; docs/stores.md lists what each command needs",
        "53100": "the disk of the store is full: make room and run again",
        "25006": "the store is read only: use the primary, or another home",
    }
    if not named and (copied := _COPIED.match(getattr(error, "context", None) or "")):
        named = [f"table {copied[1]}"]
    where = f" ({', '.join(named)})" if named else ""
    if "row-level security" in str(error):
        hints["42501"] = "rows must not be overlooked: ALTER ROLE … BYPASSRLS for this store's user"
    kind = StoreBusy if state in _BUSY else StoreRefused
    return kind(
        store, f"{reason(error)}{where} [SQLSTATE {state}]",
        hint=hints.get(state, "nothing was lost; mend the cause and run the same command again"),
    )  # fmt: skip
