"""What changed between two data maps: tables, columns, people. Counts and names only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Doc = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """One thing that is not as it was."""

    what: str  # new_table, gone_table, new_column, category, new_people, …
    where: str  # store and table, or subject and residence
    detail: str

    def __str__(self) -> str:
        return f"{self.where}: {self.detail}"


def drift(before: Doc, after: Doc, *, people: bool = True) -> tuple[Change, ...]:
    """Every change from one map to the next; without `people`, of tables and columns only."""
    return (*_tables(before, after), *(_people(before, after) if people else ()))


def _tables(before: Doc, after: Doc) -> Iterator[Change]:
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


def _people(before: Doc, after: Doc) -> Iterator[Change]:
    """People by subject, store and residence; who moved shows as fewer here and more there."""
    old, new = _by_people(before), _by_people(after)
    for key in sorted(old.keys() | new.keys(), key=str):
        subject, store, residence = key
        people, minors = new.get(key, (0, 0))
        had, young = old.get(key, (0, 0))
        where = f"{store}: {subject} of {residence or 'unknown residence'}"
        if people > had:
            what = "new_people" if not had else "more_people"
            yield Change(what, where, f"{people - had} more people, now {people}")
        elif people < had:
            yield Change("fewer_people", where, f"{had - people} fewer people, now {people}")
        if young > minors and people >= had:
            yield Change("came_of_age", where, f"{young - minors} came of age")


def _by_table(document: Doc) -> dict[tuple[str, str], dict[str, str]]:
    return {
        (store["name"], table["name"]): {
            column["name"]: column["category"] or "" for column in table["columns"]
        }
        for store in document["stores"]
        for table in store["tables"]
    }


def _by_people(document: Doc) -> dict[tuple[str, str, str], tuple[int, int]]:
    return {
        (line["subject"], line["store"], line["residence"] or ""): (
            line["people"], line.get("minors") or 0,
        )
        for line in document["people"]
    }  # fmt: skip
