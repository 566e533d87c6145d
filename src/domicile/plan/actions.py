"""What each store clause asks for the people of one store: the actions, and their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from domicile.estate import model
from domicile.law.condition import protects_condition
from domicile.law.model import Clause, Mandate
from domicile.stores.base import Session
from domicile.survey.people import BLOCK, STAYS, UNKNOWN, Rule

Kind = Literal["move", "erase", "no_home", "report"]
Named = tuple[str, str]  # mandate, clause


@dataclass(frozen=True)
class Action:
    """One thing to be done with rows of one store."""

    kind: Kind
    home: str = ""


def allows(clause: Clause, store: model.Store) -> bool:
    """Whether data may rest in that store under a `store` clause."""
    return (not clause.countries or store.country in clause.countries) and (
        not clause.operators or store.operator in clause.operators
    )


@dataclass
class Labels:
    """The labels of one store's people, made as combinations of mandates appear."""

    store: model.Store
    cells: Sequence[model.Store]
    mandates: Sequence[Mandate]
    as_of: date
    proposed: frozenset[str] = frozenset()  # mandates named on the command line: findings only
    actions: dict[Action, int] = field(default_factory=dict)  # → block
    clauses: dict[int, frozenset[Named]] = field(default_factory=dict)  # label →
    doubtful: dict[int, frozenset[Named]] = field(default_factory=dict)  # ubits →

    def label(self, pbits: int, ubits: int) -> int:
        """The label of people whom the mandates of `pbits` protect."""
        broken = self._broken(pbits)
        doubtful = self._broken(ubits)
        if doubtful:
            self.doubtful[ubits] = frozenset((m.id, c.id) for m, c in doubtful)
        if not broken:
            return UNKNOWN if doubtful else STAYS
        action = self._action(pbits, broken)
        block = self.actions.setdefault(action, BLOCK * (len(self.actions) + 1))
        named = frozenset((m.id, c.id) for m, c in broken)
        for label, clauses in self.clauses.items():
            if label - label % BLOCK == block and clauses == named:
                return label
        label = block + sum(1 for n in self.clauses if n - n % BLOCK == block)
        self.clauses[label] = named
        return label

    def action(self, label: int) -> Action:
        """The action that a label belongs to. Raises StopIteration for a label of nobody."""
        return next(a for a, b in self.actions.items() if b == label - label % BLOCK)

    def _broken(self, bits: int) -> list[tuple[Mandate, Clause]]:
        return [
            (m, c)
            for i, m in enumerate(self.mandates)
            if bits >> i & 1
            for c in m.clauses
            if c.kind == "store" and not allows(c, self.store)
        ]

    def _action(self, pbits: int, broken: list[tuple[Mandate, Clause]]) -> Action:
        making = [(m, c) for m, c in broken if self.makes_steps(m) and m.binds(c, self.as_of)]
        asked = {c.otherwise for _, c in making}
        if "erase" in asked:
            return Action("erase")
        if "move" not in asked:
            return Action("report")
        for cell in self.cells:
            mine = (
                m for i, m in enumerate(self.mandates) if pbits >> i & 1 and self.makes_steps(m)
            )
            # Files go to files; rows of a database cannot become part of a lake, nor the reverse.
            same = (cell.kind == "file") == (self.store.kind == "file")
            if (
                same
                and cell.name != self.store.name
                and all(
                    allows(c, cell)
                    for m in mine
                    for c in m.clauses
                    if c.kind == "store" and m.binds(c, self.as_of)
                )
            ):
                return Action("move", cell.name)
        return Action("no_home")

    def makes_steps(self, mandate: Mandate) -> bool:
        """In force or voluntary, in effect, and not merely tried out."""
        return mandate.id not in self.proposed and mandate.makes_steps(self.as_of)

    def forbids(self) -> list[tuple[Mandate, Clause]]:
        """The clauses for which it matters what lies in this store."""
        return self._broken((1 << len(self.mandates)) - 1)

    def purges(self, label: int) -> bool:
        """Whether a clause behind a label asks that the bytes go too."""
        named = self.clauses.get(label, frozenset())
        return any(c.purge for m in self.mandates for c in m.clauses if (m.id, c.id) in named)


def rules(mandates: Sequence[Mandate], session: Session, subject: str, as_of: date) -> list[Rule]:
    """The mandates as conditions over a people table (alias `r`) in the session's SQL."""
    dialect = session.dialect
    columns = {
        "residence": "r.residence", "born": "r.born", "subject": dialect.literal(subject).strip(),
    }  # fmt: skip
    made = []
    for mandate in mandates:
        sql = protects_condition(mandate.protects, as_of).to_sql(columns, dialect.name)
        made.append(Rule(f"({sql})", f"({sql}) IS NULL"))
    return made
