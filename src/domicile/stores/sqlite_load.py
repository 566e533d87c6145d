"""Filling a table from Python's values, refusing by name what SQLite would change."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import apsw

from domicile.errors import FidelityError
from domicile.stores.base import Row

_AS_IT_IS = frozenset((int, str, bytes, type(None)))
_NUMERIC = re.compile(r"TEXT|CHAR|CLOB|BLOB", re.IGNORECASE)
EXACT_DIGITS = 15
"""Significant digits that SQLite keeps of a decimal in a numeric column; sqlite.org/datatype3."""


def insert(
    connection: apsw.Connection, store: str, table: str,
    columns: Sequence[tuple[str, str]], rows: Iterable[Row],
) -> None:  # fmt: skip
    """Insert rows into a table (qualified and quoted).

    Raises FidelityError, naming the column, for a value that SQLite would not give back.
    """
    marks = ", ".join("?" * len(columns))
    connection.executemany(f"INSERT INTO {table} VALUES ({marks})", _bound(store, columns, rows))


def _bound(
    store: str, columns: Sequence[tuple[str, str]], rows: Iterable[Row]
) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        if len(row) != len(columns):
            raise FidelityError(store, f"got a row of {len(row)} values, expected {len(columns)}")
        yield tuple(
            value if type(value) is str and value.isascii() else bind(store, column, kind, value)
            for value, (column, kind) in zip(row, columns, strict=True)
        )


def bind(store: str, column: str, declared: str, value: object) -> int | float | str | bytes | None:
    """A value as SQLite stores it. Raises FidelityError, naming the column, never the value."""

    def lost(what: str) -> FidelityError:
        return FidelityError(
            store, f"column {column!r}: SQLite cannot hold {what}",
            hint="nothing was copied; change the value or keep the table where it is",
        )  # fmt: skip

    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise lost("a whole number of more than 64 bits")
        return int(value)
    if isinstance(value, float):
        if math.isnan(value):
            raise lost("NaN (it would become NULL)")
        return value
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise lost("text that is not valid Unicode") from None
        return value
    if type(value) in _AS_IT_IS:
        return value  # type: ignore[return-value]  # None and bytes
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Decimal):
        digits = value.normalize().as_tuple().digits
        if not _NUMERIC.search(declared) and (not value.is_finite() or len(digits) > EXACT_DIGITS):
            raise lost(f"a decimal of more than {EXACT_DIGITS} digits in a numeric column")
        return format(value, "f")
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    raise lost(f"a value of type {type(value).__name__}")
