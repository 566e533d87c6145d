"""What a query says, as Arrow batches of texts; no object for each where a store does without."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from domicile.stores.base import CanArrow, Session

ROWS = 100_000
"""Rows of one batch."""


def text_batches(session: Session, query: str, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The rows of a query, whose columns are texts and get these names; memory stays flat.

    Nothing else may run in the session meanwhile. Raises StoreRefused, StoreUnreachable.
    """
    if isinstance(session, CanArrow):
        columns = ", ".join(f"CAST({n} AS VARCHAR) AS {n}" for n in names)
        yield from session.arrow(f"SELECT {columns} FROM ({query}) t({', '.join(names)})", ROWS)
        return
    schema = pa.schema([(n, pa.string()) for n in names])
    for rows in session.stream(query, ROWS):
        columns_of = [pa.array(c, pa.string()) for c in zip(*rows, strict=True)]
        yield pa.RecordBatch.from_arrays(columns_of, schema=schema)
