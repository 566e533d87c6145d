"""A store in this process's memory: the reference that other kinds are compared with.

Its engine is DuckDB, so that it shares no code with the stores it is compared with. Keys and
foreign keys are what its `Table`s declare; DuckDB is not asked to hold them.

    hold("cell", tables, {"customer": [(1, "a"), (2, "b")]})
    open_store(Store("cell", "memory:cell", country="US", operator="O", holds="app"))
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from domicile.errors import DeclarationError, StoreRefused, StoreUnreachable
from domicile.estate import model
from domicile.stores.base import Capabilities, Row
from domicile.stores.duckdb_session import DuckdbSession, insert, translated
from domicile.stores.duckdb_text import DuckdbDialect
from domicile.stores.schema import Schema, Table, digest_of

CAPABILITIES = Capabilities(
    "memory", write=False, transactions=True, foreign_keys=False,
    concurrent_writers=True, live_files=False,
)  # fmt: skip


@dataclass
class _Held:
    connection: duckdb.DuckDBPyConnection
    tables: dict[str, Table]


_held: dict[str, _Held] = {}


def hold(name: str, tables: Sequence[Table], rows: Mapping[str, Sequence[Row]]) -> None:
    """Keep these tables under `memory:name` until `release`. `Column.type` is DuckDB's.

    Raises DeclarationError when a key or a foreign key names what is not there, StoreRefused when
    a row does not fit.
    """
    by_name = {t.name: t for t in tables}
    for table in tables:
        named = [(table, c) for k in table.keys for c in k.columns]
        for key in table.foreign_keys:
            parent = by_name.get(key.parent)
            if parent is None:
                raise DeclarationError(f"table {table.name!r} refers to {key.parent!r}: not there")
            named += [(table, c) for c in key.columns] + [(parent, c) for c in key.parent_columns]
        for owner, column in named:
            if column not in owner.names:
                raise DeclarationError(f"a key names {column!r}, not a column of {owner.name!r}")
    dialect = DuckdbDialect()
    connection = duckdb.connect(":memory:")
    with translated(name):
        connection.execute("SET TimeZone = 'UTC'")
        for table in tables:
            defined = ", ".join(
                f"{dialect.quote(c.name)} {c.type}{'' if c.nullable else ' NOT NULL'}"
                for c in table.columns
            )
            connection.execute(f"CREATE TABLE {dialect.table(table.name)} ({defined})")
    for table in tables:
        width = len(table.columns)
        insert(connection, name, dialect.table(table.name), width, rows.get(table.name, ()))
    release(name)
    _held[name] = _Held(connection, by_name)


def release(name: str) -> None:
    """Forget what is kept under `memory:name`. Harmless when there is nothing."""
    held = _held.pop(name, None)
    if held:
        held.connection.close()


def execute(name: str, sql: str) -> None:
    """What the application writes, on a connection of its own. Raises StoreRefused."""
    with translated(name):
        _held[name].connection.execute(sql)


class MemoryStore:
    """What `hold` keeps under the name in the URL. See `stores.base.Store`."""

    capabilities = CAPABILITIES

    def __init__(self, store: model.Store) -> None:
        self.name = store.name
        self.declared = store
        self._open: list[duckdb.DuckDBPyConnection] = []

    def reflect(self) -> Schema:
        """The tables as declared, with their real numbers of rows."""
        with self.read() as session:
            return session.schema

    @contextmanager
    def read(self) -> Iterator[DuckdbSession]:
        """A session for survey and plan: one snapshot, rolled back at the end."""
        held = self._find()
        connection = held.connection.cursor()
        self._open.append(connection)
        try:
            dialect = DuckdbDialect()
            with translated(self.name):
                connection.execute("SET TimeZone = 'UTC'")
                connection.execute("BEGIN TRANSACTION")
                sizes = {  # the first look takes the snapshot
                    str(name): int(size)
                    for name, size in connection.execute(
                        "SELECT table_name, estimated_size FROM duckdb_tables() "
                        f"WHERE database_name = {dialect.literal(dialect.database)}"
                    ).fetchall()
                }
            tables = {
                name: Table(
                    name, table.columns, table.keys, table.foreign_keys, table.checks,
                    estimate=sizes[name],
                )
                for name, table in held.tables.items()
            }  # fmt: skip
            yield DuckdbSession(self.name, connection, Schema(tables, digest_of(tables)))
        finally:
            self._open.remove(connection)
            connection.close()

    def sample(self, table: str, columns: Sequence[str], rows: int) -> list[Row]:
        """Up to `rows` rows at even steps, values as canonical text."""
        with self.read() as session:
            shape = session.schema.tables.get(table)
            missing = [c for c in columns if shape is None or c not in shape.names]
            if shape is None or missing:
                what = f"column {missing[0]!r} in " if shape else ""
                raise StoreRefused(self.name, f"there is no {what}table {table!r}")
            d = session.dialect
            values = "".join(
                f"{d.text(f't.{d.quote(c)}', shape.column(c).kind)}, " for c in columns
            )
            total = int(session.query(f"SELECT count(*) FROM {d.table(table)}")[0][0])
            step = max(1, total // max(rows, 1))
            numbered = (
                f"SELECT {values}row_number() OVER (ORDER BY t.rowid) AS n "
                f"FROM {d.table(table)} AS t"
            )
            found = session.query(
                f"SELECT * FROM ({numbered}) WHERE (n - 1) % {step} = 0 "
                f"ORDER BY n LIMIT {max(rows, 0)}"
            )
            return [row[:-1] for row in found]

    def live_files(self) -> list[str] | None:
        """None: it is in memory."""
        return None

    def settle_files(self) -> None:
        """Nothing to do: there are no files."""

    def residues(self) -> list[tuple[str, str]]:
        """Nothing outlives the process, but for what the machine swapped out."""
        return [("swap space", "overwritten by the machine; encrypt it")]

    def close(self) -> None:
        """Close this store's sessions; what is held stays."""
        for connection in self._open:
            connection.close()

    def _find(self) -> _Held:
        key = self.declared.url.partition(":")[2].removeprefix("//")
        if key not in _held:
            raise StoreUnreachable(
                self.name, f"nothing is held under memory:{key} in this process",
                hint="call domicile.stores.memory.hold first, or declare a database",
            )  # fmt: skip
        return _held[key]
