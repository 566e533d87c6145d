"""What becomes of each row of each file of a lake's table: one byte a row."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from domicile.errors import StoreRefused
from domicile.plan.closure import Closure
from domicile.stores.parquet_session import FILE_BITS, ParquetSession

STAYS, GOES, GONE = 0, 1, 2
"""A row's fate: it stays, it goes home, or it goes and home has it already (or it is erased)."""

Fates = npt.NDArray[np.uint8]
"""The fate of each row of a file, in their order."""

_BATCH = 1_000_000

_IN_FILE = (1 << FILE_BITS) - 1


def fates_of(source: ParquetSession, closure: Closure, table: str) -> Iterator[tuple[int, Fates]]:
    """The files with rows that go, by number and in order, and what becomes of each row.

    Raises StoreRefused when the register's key does not tell its rows apart.
    """
    if table in closure.told:
        for number, goes in closure.told[table].files():
            yield number, goes.view(np.uint8) * np.uint8(GOES)
        return
    there: Iterator[tuple[int, npt.NDArray[np.int64]]] = iter(())
    if table in closure.present:
        there = _rows(source, closure, table, closure.present[table])
    known = next(there, None)
    for number, rows in _rows(source, closure, table, closure.going[table]):
        fates = np.zeros(source.footers.of(source.files[table][number]).num_rows, np.uint8)
        fates[rows] = GOES
        while known is not None and known[0] < number:
            known = next(there, None)
        if known is not None and known[0] == number:
            fates[known[1]] = GONE
        yield number, fates


def _rows(
    source: ParquetSession, closure: Closure, table: str, relation: str
) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """File number and row numbers in it, in the order of the files."""
    select = f"SELECT k1 AS id FROM {relation}"
    if closure.shapes.identity(table):
        d = source.dialect
        row = d.row_id(closure.graph.table(table), "t")
        select = (
            f"SELECT DISTINCT {row} AS id FROM {d.table(table)} t "
            f"JOIN {relation} g ON {closure.shapes.same(table, 't', 'g')}"
        )
        if closure.work.count(f"({select}) i") != closure.work.count(relation):
            raise StoreRefused(
                source.name, f"several rows of {closure.graph.name(table)} have the same key",
                hint="nothing was changed; name columns in `key` that tell the rows apart",
            )  # fmt: skip
    kept: list[npt.NDArray[np.int64]] = []
    number = -1
    for batch in source.arrow(f"{select} ORDER BY id", _BATCH):
        ids = batch.column(0).to_numpy()
        while len(ids):
            first = int(ids[0] >> FILE_BITS)
            same = int(np.searchsorted(ids, (first + 1) << FILE_BITS))
            if first != number and kept:
                yield number, np.concatenate(kept)
                kept = []
            number = first
            kept.append(ids[:same] & _IN_FILE)
            ids = ids[same:]
    if kept:
        yield number, np.concatenate(kept)
