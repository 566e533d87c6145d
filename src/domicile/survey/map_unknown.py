"""What the map could not tell: unread, unowned, unclassified, of unknown residence or age.

Design.md section 5, 6: unknown is not safe, so each of these is named and counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, get_args, runtime_checkable

from domicile.counted import counted
from domicile.survey.classify_verdict import Verdict
from domicile.survey.columns import personal
from domicile.survey.map_rows import Share
from domicile.survey.survey import Cell

Doc = dict[str, Any]
Code = Literal[
    "unread",
    "dangling",
    "residence",
    "unreadable",
    "age",
    "unowned",
    "nobody",
    "missing",
    "orphan",
    "unclassified",
]

CODES: tuple[Code, ...] = get_args(Code)
"""What can be unknown, the gravest first."""

SHOWN = 4  # categories named in a reason


@runtime_checkable
class CanSkip(Protocol):
    """A store that says which of its tables it could not read, and why."""

    skipped: list[tuple[str, str]]


def unknowns(
    cell: Cell,
    people: Mapping[str, Sequence[Share]],
    verdicts: Mapping[str, Mapping[str, Verdict]],
    rows: Mapping[str, Sequence[Share]],
) -> list[Doc]:
    """Everything unknown in one store, the gravest first.

    `people` by subject, `verdicts` by table and column, `rows` by table as the map has them.
    """
    said = _Said(cell)
    if isinstance(cell.store, CanSkip):
        for table, reason in cell.store.skipped:
            said("unread", table, "", None, f"not read: {reason}")
    for name, shares in people.items():
        _people(cell, name, shares, said)
    for table, found in verdicts.items():
        kinds = personal(dict(found))
        role = cell.graph.roles[table]
        nobodys = sum(s.rows for s in rows[table] if s.whose == "nobody")
        if nobodys and kinds and role not in ("reference", "ignore", "register"):
            named = ", ".join(kinds[:SHOWN]) + (", …" if len(kinds) > SHOWN else "")
            if role == "plain" and table not in cell.graph.owned:
                reason = f"nobody owns this table, and it holds {named}: declare its role or a link"
                said("unowned", table, "", nobodys, reason)
            else:
                reason = f"{counted(nobodys, 'row')} of no person, with {named}"
                said("nobody", table, "", nobodys, reason)
        for column, verdict in found.items():
            if not verdict.category and role != "ignore":
                said("unclassified", table, column, None, verdict.reason)
    return sorted(said.found, key=lambda unknown: CODES.index(unknown["code"]))


class _Said:
    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.found: list[Doc] = []

    def __call__(self, code: Code, table: str, column: str, count: int | None, reason: str) -> None:
        self.found.append({
            "store": self.cell.name, "table": str(self.cell.graph.name(table)), "column": column,
            "code": code, "count": count, "reason": reason,
        })  # fmt: skip


def _people(cell: Cell, name: str, shares: Sequence[Share], said: _Said) -> None:
    subject = cell.graph.estate.subject(name)
    register = subject.register.table
    dangling = cell.dangling.get(name, 0)
    if dangling:
        reason = f"{counted(dangling, 'key')} that rows refer to, in no register"
        said("dangling", register, "", dangling, reason)
    lost = sum(s.people for s in shares if s.whose == "unknown")
    unreadable = cell.people[name].unreadable
    path = str(subject.residence or "")
    if lost > unreadable:
        reason = f"{counted(lost - unreadable, 'person', 'people')} without a residence"
        reason += "" if path else ": the estate declares no path to one"
        said("residence", register, path, lost - unreadable, reason)
    if unreadable:
        people = counted(unreadable, "person", "people")
        reason = f"{people} with a text that is no country, or could be several"
        said("unreadable", register, path, unreadable, reason)
    ageless = sum(s.ageless for s in shares)
    if ageless and subject.born is not None:
        reason = f"{counted(ageless, 'person', 'people')} without a usable birth date"
        said("age", register, str(subject.born), ageless, reason)
