"""References of several columns that no key declares: `(mandant_id, kundennummer)` of a customer.

The columns are named as those of the other table's key, or the last of them almost so
(`kunden_nr`), and the combinations of values that were sampled exist there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from domicile.estate.model import ColumnName
from domicile.stores.schema import Column, Table
from domicile.survey import classify_names as names
from domicile.survey.propose_model import ProposedLink, Reason
from domicile.survey.propose_read import Application, Reading, Seen
from domicile.survey.propose_words import KEY_ENDINGS

SURE: Final = 0.9
"""Share of sampled combinations that must exist at the target."""

FEW: Final = 5
"""Fewer different combinations than this prove nothing: the link is written as a comment."""

WORTH_SAYING: Final = 0.5
"""From this share on, a link that is not proposed is mentioned."""

_ASKED: Final = 200  # combinations that are looked up


def composite(reading: Reading, application: Application) -> Iterator[ProposedLink]:
    """The links of several columns within one application."""
    keyed = [t for t in application.schema.tables.values() if len(t.identity) > 1]
    for seen in application.seen.values():
        declared = [set(k.columns) for k in seen.table.foreign_keys]
        for target in keyed:
            if target.name == seen.table.name or target.name in application.unread:
                continue
            columns = _columns(seen.table, target)
            if columns is None or any(set(columns) <= key for key in declared):
                continue
            if link := _judged(reading, application, seen, columns, target):
                yield link


def _columns(child: Table, target: Table) -> tuple[str, ...] | None:
    """The child's columns for each of the target's key, in that order."""
    found: list[str] = []
    for name in target.identity:
        to = target.column(name)
        exact = [c for c in child.columns if c.name == name]
        alike = exact or [c for c in child.columns if _stem(c.name) == _stem(name)]
        fit = [c.name for c in alike if _fits(c, to) and c.name not in found]
        if len(fit) != 1:
            return None
        found.append(fit[0])
    # Two tables whose rows are each one of the same list share columns without being of each other.
    if set(found) == set(child.identity) and child.name < target.name:
        return None
    return tuple(found)


def _stem(name: str) -> str:
    """A name without what ends keys: `kundennummer`, `kunden_nr` → kunden."""
    words = list(names.words(name))
    if words and words[-1] in KEY_ENDINGS:
        return "".join(words[:-1])
    joined = "".join(words)
    for ending in sorted(KEY_ENDINGS, key=len, reverse=True):
        if len(ending) > 2 and joined.endswith(ending) and len(joined) > len(ending) + 2:
            return joined.removesuffix(ending)
    return joined


def _fits(one: Column, other: Column) -> bool:
    whole = ("int", "numeric")
    return one.kind == other.kind or (one.kind in whole and other.kind in whole)


def _judged(
    reading: Reading, application: Application, seen: Seen, columns: Sequence[str], target: Table
) -> ProposedLink | None:
    values = sorted(set(seen.together(columns)))[:_ASKED]
    there = _present(reading, application, target, values) if values else 0
    if not values or there < WORTH_SAYING * len(values):
        return None
    active = there >= SURE * len(values) and len(values) >= FEW
    because = (
        f"named as the key ({', '.join(target.identity)}) of {application.name(target.name)};"
        f" {there} of {len(values)} different combinations sampled exist there"
        f" ({there / len(values):.0%})"
    )
    if not active:
        because += "; too few to be sure" if len(values) < FEW else "; the others do not"
    holds = application.name(seen.table.name)
    return ProposedLink(
        ColumnName(holds, columns[0]),
        ColumnName(application.name(target.name), target.identity[0]),
        Reason(because, there < len(values)), active,
        more=tuple(columns[1:]), more_to=tuple(target.identity[1:]),
    )  # fmt: skip


def _present(
    reading: Reading, application: Application, target: Table, values: Sequence[tuple[str, ...]]
) -> int:
    """How many of these combinations exist at the target, in whichever cells."""
    there: set[tuple[str, ...]] = set()
    for session in reading.sessions(application):
        table = session.schema.tables.get(target.name)
        if table is None or not set(target.identity) <= set(table.names):
            continue
        dialect = session.dialect
        texts = [
            dialect.text(f"t.{dialect.quote(c)}", table.column(c).kind) for c in target.identity
        ]
        either = " OR ".join(
            "(" + " AND ".join(
                f"{t} = {dialect.literal(v)}" for t, v in zip(texts, each, strict=True)
            ) + ")"
            for each in values
        )  # fmt: skip
        rows = session.query(
            f"SELECT DISTINCT {', '.join(texts)} FROM {dialect.table(target.name)} t WHERE {either}"
        )
        there.update(tuple(str(v) for v in row) for row in rows)
    return len(there & set(values))
