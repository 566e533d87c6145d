"""The live files of a store, searched for e-mail addresses of people whose data may not rest there.

What is found is explained address by address: by rows that are held and have it, or by rows that no
key leads from to its person. An address that no row has was for the purge to take away.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Literal

from domicile.counted import counted
from domicile.plan.findings import Report
from domicile.plan.planner import Outcome
from domicile.survey.columns import categories
from domicile.survey.left import identifiers
from domicile.survey.people import BLOCK
from domicile.survey.residue import TEXTUAL, Identifiers, emails_of, readings
from domicile.survey.residue_files import FileResidue, scan_files

Status = Literal["ok", "held", "unknown", "failed"]

Said = tuple[str, Status, str]
"""A check's name, its status and the detail."""

UNSEEN = "its files cannot be seen from here, so their bytes were not searched"
UNREAD = "could not be read"
"""How a detail ends when files were not searched."""

ALSO: frozenset[str] = frozenset({"tsvector", "inet"})
"""Kinds of column that are no text, and whose bytes in a file may read like an address."""


def check_bytes(outcome: Outcome, report: Report) -> Said:
    """Search one store's files. Raises StoreError when its rows cannot be read."""
    cell = outcome.cell
    name = f"files {cell.name}"
    cell.store.settle_files()
    files = cell.store.live_files()
    if files is None:
        return name, "unknown", UNSEEN
    found = categories(cell)
    wanted = {v for kind, v in report.elsewhere(outcome, found) if kind == "email"}
    if not wanted:
        said = (
            f"{counted(len(files), 'file')}; no e-mail to search for: nobody kept from here has a "
            "register row elsewhere (who was erased is not known any more)"
        )
        return name, "ok", said
    stay = {
        v
        for kind, v in chain(
            identifiers(cell, found, outcome.ownership.people, f"p.lo < {BLOCK} AND p.present = 1")
        )
        if kind == "email"
    }
    residues = scan_files(files, wanted, kept=stay)
    if any(r.exact + r.adjoining for r in residues):
        return (name, *_explained(outcome, residues))
    unread = [r for r in residues if r.problem]
    if unread:
        said = f"{len(unread)} of {counted(len(files), 'file')} {UNREAD}"
        return name, "unknown", said
    size = sum(r.size for r in residues)
    said = f"none of {_addresses(len(wanted))} in {size:,} bytes of {counted(len(files), 'file')}"
    if cell.session.dialect.name != "sqlite":  # TOAST, pages of Parquet
        said += "; what the store keeps compressed cannot be searched so"
    return name, "ok", said


def _explained(outcome: Outcome, residues: list[FileResidue]) -> tuple[Status, str]:
    """Status and detail for addresses that were found: which rows have them, if any."""
    hits = sum(r.exact + r.adjoining for r in residues)
    files = sum(1 for r in residues if r.exact + r.adjoining)
    spelt = {a.decode("utf-8", "replace").casefold() for r in residues for a in r.addresses}
    held = _in_rows(outcome, spelt, outcome.verdicts.held, inside=True)
    going: dict[str, list[str]] = {}
    for sets in [outcome.verdicts.held, *(c.going for c in outcome.closures.values())]:
        for table, rows in sets.items():
            going.setdefault(table, []).append(rows)
    text = _in_rows(outcome, spelt - held, going, inside=False)
    lost = len(spelt - held - text)
    said = (
        f"{counted(hits, 'occurrence')} of {_addresses(len(spelt))} of people who went home, in "
        f"{counted(files, 'file')}"
    )
    if lost:
        rest = "" if lost == len(spelt) else f"{lost:,} of these addresses in no row that stays; "
        return "failed", f"{said}: {rest}apply again to purge them"
    return "held" if held else "unknown", f"{said}: in rows named above"


def _in_rows(
    outcome: Outcome, emails: set[str], sets: Mapping[str, str | list[str]], *, inside: bool
) -> set[str]:
    """Which of the addresses stand in rows of `sets` (by table), or in all rows but those."""
    if not emails:
        return set()
    conditions: dict[str, str] = {}
    shapes = outcome.ownership.shapes
    for table, role in outcome.cell.graph.roles.items():
        relations = sets.get(table, [])
        listed = [relations] if isinstance(relations, str) else relations
        among = " OR ".join(
            f"EXISTS (SELECT 1 FROM {rows} o WHERE {shapes.same(table, 't', 'o')})"
            for rows in listed
        )
        if inside and among:
            conditions[table] = among
        elif not inside and role != "ignore":
            conditions[table] = f"NOT ({among})" if among else ""
    read = readings(outcome.cell.session, conditions, kinds=TEXTUAL | ALSO)
    return emails_of(read, Identifiers(("email", e) for e in emails))


def _addresses(count: int) -> str:
    return counted(count, "e-mail address", "e-mail addresses")
