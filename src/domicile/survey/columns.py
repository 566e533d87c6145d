"""The category of every column of a store: as declared, else as classification says."""

from __future__ import annotations

from domicile.estate.categories import covers
from domicile.estate.model import ColumnName
from domicile.survey.classify import classify
from domicile.survey.classify_verdict import Verdict
from domicile.survey.survey import Cell

SAMPLE = 500
"""Rows sampled for each table: enough for shares of values, little beside a scan."""


def categories(cell: Cell) -> dict[str, dict[str, Verdict]]:
    """Verdicts by table and column. Raises StoreError when a table cannot be read."""
    found: dict[str, dict[str, Verdict]] = {}
    for name, table in cell.schema.tables.items():
        rows = cell.store.sample(name, table.names, SAMPLE)
        columns = list(zip(*rows, strict=True)) if rows else []
        samples = dict(zip(table.names, columns or [()] * len(table.names), strict=True))
        verdicts = classify(table, samples)
        for column in table.names:
            declared = cell.graph.estate.columns.get(ColumnName(cell.graph.name(name), column))
            if declared is not None:
                verdicts[column] = Verdict(declared.category, 1.0, "declared", "the estate says so")
        found[name] = verdicts
    return found


def personal(verdicts: dict[str, Verdict], protected: tuple[str, ...] = ("user",)) -> list[str]:
    """The categories of a table's columns that `protected` covers, sorted."""
    seen = {c for v in verdicts.values() for c in (v.category, *v.also) if c}
    return sorted(c for c in seen if any(covers(p, c) for p in protected))
