"""People in rows that no key leads to: whom to look for, where, and what was found.

Design.md section 4: an e-mail in a pending registration, a name in JSON, in a URL or in free text
is a finding under unknown. Values never leave the session; what is reported is counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from domicile.counted import counted
from domicile.estate.categories import covers
from domicile.survey.classify_verdict import Verdict
from domicile.survey.residue import Identifiers, Kind, Residue, find_residue, readings
from domicile.survey.survey import Cell

LOOKED_AT = 200_000
"""Rows of a table that are searched; a larger table is named as searched in part."""

_KINDS: tuple[tuple[str, Kind], ...] = (
    ("user.contact.email", "email"),
    ("user.contact.phone_number", "phone"),
    ("user.account.username", "username"),
)

SAID = {
    "email": "the e-mail",
    "phone": "the phone number",
    "username": "the user name",
    "name": "the name",
}
"""What of people was found in rows, by kind."""


@dataclass(frozen=True)
class Left:
    """One column that holds people whom no key of its row leads to."""

    table: str
    column: str
    rows: int
    reason: str


def identifiers(
    cell: Cell, verdicts: Mapping[str, dict[str, Verdict]], people: Mapping[str, str], where: str
) -> Iterator[tuple[Kind, str]]:
    """The values that tell people of a cell: from their register rows, by the columns' categories.

    `people`: subject → table of people (alias `p` in `where`).
    """
    for subject in cell.graph.registers.values():
        relation = people.get(subject.name)
        if relation is None:
            continue
        for kind, expression in _expressions(cell, subject.register.table, verdicts):
            table = subject.register.table
            shapes = cell.people[subject.name].shapes
            for batch in cell.session.stream(
                f"SELECT {expression} FROM {cell.session.dialect.table(table)} t "
                f"JOIN {relation} p ON {shapes.same(table, 't', 'p')} "
                f"WHERE {where} AND {expression} IS NOT NULL"
            ):
                yield from ((kind, str(value)) for (value,) in batch)


def _expressions(
    cell: Cell, table: str, verdicts: Mapping[str, dict[str, Verdict]]
) -> Iterator[tuple[Kind, str]]:
    shape = cell.schema.tables[table]
    quote = cell.session.dialect.quote
    first = last = ""
    for name, verdict in verdicts.get(table, {}).items():
        if name not in shape.names:  # another cell's verdicts, and this one lacks the column
            continue
        text = cell.session.dialect.text(f"t.{quote(name)}", shape.column(name).kind)
        for category, kind in _KINDS:
            if covers(category, verdict.category):
                yield kind, text
        if covers("user.name.first", verdict.category):
            first = text
        elif covers("user.name.last", verdict.category):
            last = text
        elif covers("user.name", verdict.category):
            yield "name", text
    if first and last:
        yield "name", f"{first} || ' ' || {last}"


def people_left(
    cell: Cell, wanted: Identifiers, registered: Identifiers | None, owned: Mapping[str, list[str]]
) -> list[Left]:
    """Search the text and JSON of a cell. `owned`: table → relations of rows to leave out."""
    conditions: dict[str, str] = {}
    partly: list[str] = []
    for table, role in cell.graph.roles.items():
        if role == "ignore":
            continue
        shapes = cell.people[next(iter(cell.people))].shapes
        out = [
            f"NOT EXISTS (SELECT 1 FROM {relation} o WHERE {shapes.same(table, 't', 'o')})"
            for relation in owned.get(table, [])
        ]
        conditions[table] = " AND ".join(["1 = 1", *out]) + f" LIMIT {LOOKED_AT}"
        if cell.schema.tables[table].estimate > LOOKED_AT:
            partly.append(table)
    found = find_residue(readings(cell.session, conditions), wanted, registered=registered)
    left = [_said(r) for r in found]
    left += [
        Left(t, "", 0, f"searched for people in the first {LOOKED_AT:,} rows only") for t in partly
    ]
    return left


def _said(residue: Residue) -> Left:
    people = counted(residue.people, "protected person", "protected people")
    rows = counted(residue.rows, "row holds", "rows hold")
    if residue.kind == "unregistered":
        reason = f"{rows} an e-mail of nobody in a register"
    else:
        reason = f"{rows} {SAID[residue.kind]} of {people} whom no key of the row leads to"
    return Left(residue.table, residue.column, residue.rows, reason)
