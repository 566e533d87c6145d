"""The category of every column of a store: as declared, else as classification says."""

from __future__ import annotations

from collections.abc import Iterable

from domicile.estate.categories import covers
from domicile.estate.model import ColumnName
from domicile.stores.base import CanSampleMany, Row, Store
from domicile.stores.schema import Schema
from domicile.survey.classify import classify
from domicile.survey.classify_verdict import Verdict
from domicile.survey.survey import Cell

SAMPLE = 500
"""Rows sampled for each table: enough for shares of values, little beside a scan."""


def categories(cell: Cell) -> dict[str, dict[str, Verdict]]:
    """Verdicts by table and column. Raises StoreError when a table cannot be read."""
    found: dict[str, dict[str, Verdict]] = {name: {} for name in cell.schema.tables}
    for name, rows in _samples(cell.store, cell.schema):
        table = cell.schema.tables[name]
        columns = list(zip(*rows, strict=True)) if rows else []
        samples = dict(zip(table.names, columns or [()] * len(table.names), strict=True))
        verdicts = classify(table, samples)
        for column in table.names:
            declared = cell.graph.estate.columns.get(ColumnName(cell.graph.name(name), column))
            if declared is not None:
                verdicts[column] = Verdict(declared.category, 1.0, "declared", "the estate says so")
        found[name] = verdicts
    return found


def _samples(store: Store, schema: Schema) -> Iterable[tuple[str, list[Row]]]:
    if isinstance(store, CanSampleMany):
        return store.samples(list(schema.tables), SAMPLE)
    return ((n, store.sample(n, table.names, SAMPLE)) for n, table in schema.tables.items())


def personal(verdicts: dict[str, Verdict], protected: tuple[str, ...] = ("user",)) -> list[str]:
    """The categories of a table's columns that `protected` covers, sorted."""
    seen = {c for v in verdicts.values() for c in (v.category, *v.also) if c}
    return sorted(c for c in seen if any(covers(p, c) for p in protected))
