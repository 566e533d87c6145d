"""Rows of a PostgreSQL table for classification: one table, or many small ones in one query."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from domicile.stores.base import Row
from domicile.stores.schema import Table

if TYPE_CHECKING:
    from domicile.stores.postgres import PostgresDialect

Query = Callable[[str], list[Row]]
"""`Session.query` of the connection that samples are read on."""

LONGEST = 4000
"""Characters of a value that are looked at."""

SMALL = 256 * 2**10
"""Bytes on disk up to which a table is small: it is read with others, and whole."""

TOGETHER = 25
"""Small tables that one query reads: what it gives stays far below what one large table may."""


def sample(
    query: Query, dialect: PostgresDialect, table: Table, columns: Sequence[str], rows: int
) -> list[Row]:
    """Up to `rows` rows spread over the pages of the table, values as canonical text."""
    values = ", ".join(_values(dialect, table, columns))
    name = dialect.table(table.name)
    if table.estimate > 50 * rows and not table.partitions:
        percent = min(100.0, 300.0 * rows / table.estimate)
        spread = f" TABLESAMPLE SYSTEM ({percent:.6f}) REPEATABLE (1)"
        found = query(f"SELECT {values} FROM {name}{spread} LIMIT {rows}")
        if found:
            return found
    return query(f"SELECT {values} FROM {name} LIMIT {rows}")


def samples(
    query: Query, dialect: PostgresDialect, tables: Sequence[Table], rows: int
) -> Iterator[tuple[str, list[Row]]]:
    """What `sample` gives of all columns of each table, with its name; small ones together."""
    small = [t for t in tables if 0 < t.bytes <= SMALL and t.columns and not t.partitions]
    for start in range(0, len(small), TOGETHER):
        some = small[start : start + TOGETHER]
        found: list[list[Row]] = [[] for _ in some]
        parts = (
            f"(SELECT {n} AS n, ARRAY[{', '.join(_values(dialect, table, table.names))}] "
            f"AS row FROM {dialect.table(table.name)} LIMIT {rows})"
            for n, table in enumerate(some)
        )
        for n, values in query(" UNION ALL ".join(parts)):
            found[n].append(tuple(values))
        yield from zip((t.name for t in some), found, strict=True)
    for table in tables:
        if table not in small:
            yield table.name, sample(query, dialect, table, table.names, rows)


def _values(dialect: PostgresDialect, table: Table, columns: Sequence[str]) -> list[str]:
    return [
        f"left({dialect.text(dialect.quote(c), table.column(c).kind)}, {LONGEST})" for c in columns
    ]
