"""A session on DuckDB, and DuckDB's errors as ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

import duckdb

from domicile.errors import StoreRefused
from domicile.stores.base import Dialect, Row
from domicile.stores.duckdb_text import DuckdbDialect
from domicile.stores.schema import Schema

BATCH = 2_000
"""Rows that one INSERT of `load` carries."""


class DuckdbSession:
    """One connection in one transaction that is rolled back. See `stores.base.Session`.

    Other connections never see its temporary tables, and what it might have written elsewhere
    goes with the transaction.
    """

    def __init__(
        self, name: str, connection: duckdb.DuckDBPyConnection, schema: Schema,
        database: str = "memory",
    ) -> None:  # fmt: skip
        self.name = name
        self.connection = connection
        self.dialect: Dialect = DuckdbDialect(database)
        self.schema = schema
        self._streams = 0

    def execute(self, sql: str) -> int:
        """Run one statement; the number of rows it inserted, updated, deleted or made."""
        with translated(self.name):
            done = self.connection.execute(sql)
            row = done.fetchone() if done.description else None
        return row[0] if row and len(row) == 1 and isinstance(row[0], int) else 0

    def query(self, sql: str) -> list[Row]:
        """Run one query and fetch all its rows."""
        with translated(self.name):
            return self.connection.execute(sql).fetchall()

    def stream(self, sql: str, size: int = 10_000) -> Iterator[list[Row]]:
        """Run one query and yield its rows in lists of `size`.

        A DuckDB connection has one result: the next statement would put its rows into this one's
        place. So the rows go to a temporary table first, which DuckDB may spill to its own files.
        """
        self._streams += 1
        kept = self.dialect.temp(f"stream {self._streams}")
        total = self.execute(f"CREATE TEMPORARY TABLE {kept} AS {sql}")
        first = self.query(f"SELECT min(rowid) FROM {kept}")[0][
            0
        ]  # a transaction's do not start at 0
        for start in range(first or 0, (first or 0) + total, size):
            yield self.query(
                f"SELECT * FROM {kept} WHERE rowid >= {start} AND rowid < {start + size} "
                "ORDER BY rowid"
            )
        self.execute(f"DROP TABLE {kept}")

    def load(self, name: str, columns: Sequence[tuple[str, str]], rows: Iterable[Row]) -> int:
        """Create temporary table `name` of `(column, DuckDB's type)` and fill it."""
        d = self.dialect
        defined = ", ".join(f"{d.quote(column)} {kind}" for column, kind in columns)
        self.execute(f"CREATE TEMPORARY TABLE {d.temp(name)} ({defined})")
        return insert(self.connection, self.name, d.temp(name), len(columns), rows)

    def analyse(self, name: str) -> None:
        """DuckDB keeps what it needs by itself."""


def insert(
    connection: duckdb.DuckDBPyConnection, store: str, table: str, width: int, rows: Iterable[Row]
) -> int:
    """Insert rows into a table (qualified and quoted); their number. Raises StoreRefused."""
    total, source = 0, iter(rows)
    marks = "(" + ", ".join("?" * width) + ")"
    while batch := list(islice(source, BATCH)):
        if any(len(row) != width for row in batch):
            raise StoreRefused(store, f"got a row that has not {width} values for {table}")
        with translated(store):
            connection.execute(
                f"INSERT INTO {table} VALUES {', '.join([marks] * len(batch))}",
                [value for row in batch for value in row],
            )
        total += len(batch)
    return total


@contextmanager
def translated(store: str) -> Iterator[None]:
    """DuckDB's errors as ours, cut before anything it quotes: that may be a person's data."""
    try:
        yield
    except duckdb.Error as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        for mark in (' "', " '"):
            said = said.split(mark, 1)[0]
        raise StoreRefused(
            store, said, hint="nothing was changed; mend the cause and run the same command again"
        ) from error
