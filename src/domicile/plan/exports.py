"""Copies of shared attachments are exports: checked against the mandates of all they are about.

An attachment that is shared across the line (two people's address, and one goes) is copied home and
stays. The copy tells about the other person too, whom another mandate may keep out of that store.
"""

from __future__ import annotations

from functools import cached_property

from domicile.plan.actions import Labels, allows, rules
from domicile.plan.verdicts import Verdicts
from domicile.survey.ghosts import ghosts_of
from domicile.survey.ownership import Ownership
from domicile.survey.survey import Cell

KEPT_OUT = 1
"""The label, in a labelling of its own, of people who may not rest in the home; others have 0."""


class Exports:
    """What may not be copied from one store to one home."""

    def __init__(self, cell: Cell, home: Cell, labels: Labels, verdicts: Verdicts) -> None:
        """`labels`: of the source; they know the mandates, and which of them make steps."""
        self.cell = cell
        self.home = home
        self.labels = labels
        self.verdicts = verdicts

    def forbidden(self, table: str) -> str | None:
        """Rows of an attachment about somebody who may not rest in the home, as a relation with
        its key columns. None when there is nobody whom any mandate keeps out of there."""
        if not self.kept_out((1 << len(self.labels.mandates)) - 1):
            return None
        if self.cell.session.dialect.name == "duckdb":
            # Of a lake, whose people have one labelling only: whatever is shared, to be safe.
            return self.verdicts.shared.get(table)
        return f"(SELECT * FROM {self._users[table]} u WHERE u.hi = {KEPT_OUT})"

    def kept_out(self, pbits: int, ubits: int = 0) -> int:
        """Whether a mandate of `pbits` forbids the home."""
        return int(
            any(
                not allows(clause, self.home.declared)
                for i, mandate in enumerate(self.labels.mandates)
                if pbits >> i & 1 and self.labels.makes_steps(mandate)
                for clause in mandate.clauses
                if clause.kind == "store"
            )
        )

    @cached_property
    def _users(self) -> dict[str, str]:
        """Attachment → its rows with their users, labelled by whether they may rest there."""
        cell, prefix = self.cell, f"x_{self.home.name}_"
        tables: dict[str, str] = {}
        start = 0
        for name, register in cell.people.items():
            judged = rules(self.labels.mandates, cell.session, name, self.labels.as_of)
            seen = register.judge(judged)
            tables[name] = register.number(self.kept_out, seen, start, prefix)
            start += sum(seen.values())
        ghosts = ghosts_of(cell.session, cell.graph, cell.people, tables, cell.ghosts, prefix)
        ownership = Ownership(
            cell.session, cell.graph, tables, prefix, stubs=cell.stubs, ghosts=ghosts
        )
        ownership.run()
        return ownership.users
