"""Whether rows of one store can rest in another: the same tables, columns and keys."""

from __future__ import annotations

from domicile.stores.postgres_schema import differences
from domicile.survey.survey import Cell

SHOWN = 3
"""Differences named in one reason; the first ones tell what to do."""


def misfit(source: Cell, home: Cell) -> str:
    """Why rows of `source` cannot go to `home`, in words; empty when they can.

    A home without any table is no misfit between stores of one kind: apply makes its schema. Types
    are compared by their names between stores of one kind; between kinds apply refuses, by column,
    what would lose something.
    """
    kinds = (source.session.dialect.name, home.session.dialect.name)
    if not home.schema.tables:
        if kinds[0] == kinds[1]:
            return ""
        return (
            f"store {home.name} has no tables, and they cannot be made from a store of another "
            "kind: create the application's tables there"
        )
    found = differences(source.schema, home.schema)
    if kinds[0] != kinds[1]:
        found = [
            f for f in found
            if (f.endswith("missing at home") and "key" not in f) or "is at home only, may" in f
        ]  # fmt: skip
    if not found:
        return ""
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"store {home.name} differs: {'; '.join(found[:SHOWN])}{more}"
