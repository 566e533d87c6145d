"""Rows spread over an SQLite table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from domicile.stores.base import Row
from domicile.stores.schema import Table
from domicile.stores.sqlite_session import SqliteSession, translated
from domicile.stores.sqlite_text import rowid_name


def spread(session: SqliteSession, table: Table, columns: Sequence[str], rows: int) -> list[Row]:
    """Up to `rows` different rows at even steps of the rowid, values as canonical text.

    Fewer only when the table has fewer. The same table gives the same rows. A table WITHOUT ROWID
    has no places to step to: its rows are counted off in one pass.
    """
    d, connection = session.dialect, session.connection
    source = f"{d.table(table.name)} AS t"
    values = "".join(f"{d.text(f't.{d.quote(c)}', table.column(c).kind)}, " for c in columns)
    rowid = rowid_name(table)
    with translated(session.name):
        kind = connection.execute(f"PRAGMA main.table_list({d.quote(table.name)})")
        if not rowid or any(r[0] == "main" and r[4] for r in kind):
            total = int(session.query(f"SELECT count(*) FROM {source}")[0][0])
            step = max(1, total // max(rows, 1))
            passed = session.query(
                f"SELECT * FROM (SELECT {values}row_number() OVER () AS n FROM {source}) "
                f"WHERE (n - 1) % {step} = 0 LIMIT {max(rows, 0)}"
            )
            return [row[:-1] for row in passed]
        edges = session.query(f"SELECT min(t.{rowid}), max(t.{rowid}) FROM {source}")[0]
        if edges[0] is None or rows < 1:
            return []
        first, last = int(edges[0]), int(edges[1])
        found: dict[int, Row] = {}
        sql = (
            f"SELECT {values}t.{rowid} FROM {source} WHERE t.{rowid} >= ? "
            f"ORDER BY t.{rowid} LIMIT ?"
        )
        start = first
        for n in range(rows):
            start = max(start, first + (last - first) * n // rows)
            for row in connection.execute(sql, (start, 1)):
                start = int(cast(Any, row[-1])) + 1
                found[start] = row[:-1]
        if len(found) < rows:  # the keys have gaps: fill up from the start
            for row in connection.execute(sql, (first, rows)):
                if len(found) < rows:
                    found.setdefault(int(cast(Any, row[-1])) + 1, row[:-1])
    return [found[n] for n in sorted(found)]
