"""What changed between two data maps: tables and columns. People: `presence.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Doc = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """One thing that is not as it was."""

    what: str  # new_table, gone_table, new_column, category, people_came, …
    where: str  # store and table, or subject and residence
    detail: str

    def __str__(self) -> str:
        return f"{self.where}: {self.detail}"


def drift(before: Doc, after: Doc) -> Iterator[Change]:
    """Every change of tables and columns from one map to the next."""
    old, new = _by_table(before), _by_table(after)
    for (store, table), columns in new.items():
        where = f"{store}: {table}"
        personal = sorted({c for c in columns.values() if c.startswith("user")})
        if (store, table) not in old:
            if store in {name for name, _ in old} or not old:
                held = f", and holds {', '.join(personal)}" if personal else ""
                yield Change("new_table", where, f"this table is new{held}")
            else:
                yield Change("new_store", where, "this store is new")
            continue
        known = old[store, table]
        for column, category in columns.items():
            if column not in known:
                held = f", and holds {category}" if category else ""
                yield Change("new_column", f"{where}.{column}", f"this column is new{held}")
            elif category != known[column]:
                yield Change(
                    "category", f"{where}.{column}",
                    f"held {known[column] or 'nothing known'}, holds {category or 'nothing known'}",
                )  # fmt: skip
        for column in known.keys() - columns.keys():
            yield Change("gone_column", f"{where}.{column}", "this column is gone")
    for store, table in old.keys() - new.keys():
        yield Change("gone_table", f"{store}: {table}", "this table is gone")


def _by_table(document: Doc) -> dict[tuple[str, str], dict[str, str]]:
    return {
        (store["name"], table["name"]): {
            column["name"]: column["category"] or "" for column in table["columns"]
        }
        for store in document["stores"]
        for table in store["tables"]
    }
