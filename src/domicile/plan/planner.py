"""The data map under the mandates: what goes, what is held, what is unknown (design.md 2, 4)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from domicile.law.model import Mandate
from domicile.plan.actions import Action, Labels, rules
from domicile.plan.closure import Closure
from domicile.plan.exports import Exports
from domicile.plan.fit import misfit as misfits
from domicile.plan.home import Home
from domicile.plan.objects import FilePlan, identity_of
from domicile.plan.unneeded import Unneeded
from domicile.plan.verdicts import FILE, MISFIT, NO_HOME, REPORT, Verdicts
from domicile.plan.written import Written
from domicile.stores.base import CanView, Row
from domicile.survey.ghosts import ghosts_of
from domicile.survey.objects import labels_of_folders
from domicile.survey.ownership import Looks, Ownership
from domicile.survey.survey import Cell, Survey


@dataclass(frozen=True)
class Owned:
    """The rows of one cell under one labelling; the sets live in the cell's session."""

    ownership: Ownership
    verdicts: Verdicts
    people: dict[tuple[str, int], int]  # subject, label → people
    doubtful: dict[tuple[str, int], int]  # subject, ubits → people


@dataclass
class Outcome:
    """What planning found out about one store; its sets live in the cell's session."""

    cell: Cell
    labels: Labels
    ownership: Ownership
    verdicts: Verdicts
    closures: dict[Action, Closure] = field(default_factory=dict)
    people: dict[tuple[str, int], int] = field(default_factory=dict)  # subject, label → people
    doubtful: dict[tuple[str, int], int] = field(default_factory=dict)  # subject, ubits → people
    misfit: str = ""  # why rows cannot go to their home

    def identity(self) -> dict[str, Any]:
        """Who is to be acted on here: how many, and a digest over their keys in any order."""
        count = total = 0
        for name, table in self.ownership.people.items():
            people, number = self.cell.people[name].acted_on(table)
            count += people
            total += number
        return identity_of(self.cell.name, count, total)


class Planner:
    """Runs over an open survey."""

    def __init__(
        self, survey: Survey, mandates: Sequence[Mandate], as_of: date,
        proposed: frozenset[str] = frozenset(), progress: Callable[[str], None] = lambda _: None,
        in_place: bool = False, busy: Collection[tuple[str, str]] = (),
    ) -> None:  # fmt: skip
        """`in_place`: keys are listed only where the rows cannot be found without
        (`plan/route.py`); for apply, which looks at each row a few times, not again and again.
        `busy`: files (store, path) that others are writing, whose rows stay for now.
        """
        self.in_place = in_place
        self.busy = busy
        self.survey = survey
        self.mandates = mandates
        self.as_of = as_of
        self.proposed = proposed
        self.progress = progress
        self.files: list[FilePlan] = []

    def labels(self, cell: Cell) -> Labels:
        """The labels that people of a cell can have."""
        cells = [c.declared for c in self.survey.of(cell.declared.holds)]
        return Labels(cell.declared, cells, self.mandates, self.as_of, self.proposed)

    def concerned(self) -> list[Cell]:
        """The stores in which some clause could forbid data to rest."""
        return [
            c for c in self.survey.cells.values() if c.schema.tables and self.labels(c).forbids()
        ]

    def run(self) -> list[Outcome]:
        """Plan every store; the survey's sessions hold the sets until it is closed."""
        self.progress("reading the registers")
        self.survey.people()
        self.files = [FilePlan(self, holds) for holds in labels_of_folders(self.survey)]
        for files in self.files:
            self.survey.until_closed(files.objects.close)
            files.judge()
        outcomes = [self._plan(cell) for cell in self.concerned()]
        for files in self.files:
            files.follow(outcomes)
        for cell in self.survey.cells.values():
            cell.unneeded = self._unneeded(cell, outcomes)
        return outcomes

    def _unneeded(self, cell: Cell, outcomes: Sequence[Outcome]) -> dict[str, str]:
        """The cell's stubs that nothing will point at after this plan."""
        if not cell.sure:
            return {}
        relied: dict[str, list[Row]] = {}
        for outcome in outcomes:
            for action, closure in outcome.closures.items():
                for table, keys in closure.relies() if action.home == cell.name else ():
                    relied.setdefault(table, []).extend(keys)
        leaving = [c for o in outcomes if o.cell is cell for c in o.closures.values()]
        return Unneeded(cell, leaving, relied).find()

    def own(self, cell: Cell, labels: Labels, prefix: str = "") -> Owned:
        """Whose each row of a cell is under these labels, and what happens to it by itself.

        `prefix` tells the temporary tables of several labellings apart.
        """
        tables: dict[str, str] = {}
        people: dict[tuple[str, int], int] = {}
        doubtful: dict[tuple[str, int], int] = {}
        spans: dict[str, tuple[int, int]] = {}
        start = 0
        for name, register in cell.people.items():
            seen = register.judge(rules(self.mandates, cell.session, name, self.as_of))
            for (pbits, ubits), count in (register.here() if register.local else seen).items():
                label = labels.label(pbits, ubits)
                people[name, label] = people.get((name, label), 0) + count
                if ubits:
                    doubtful[name, ubits] = doubtful.get((name, ubits), 0) + count
            tables[name] = register.number(labels.label, seen, start, prefix)
            spans[name] = (start + 1, start + sum(seen.values()))
            start += sum(seen.values())
        lookups: Mapping[str, Looks] = {}
        if isinstance(cell.session, CanView):
            from domicile.survey.lake_people import lookups_of  # it takes long to load

            lookups = lookups_of(cell.people)
        ownership = Ownership(
            cell.session,
            cell.graph,
            tables,
            prefix=prefix,
            stubs=cell.stubs,
            ghosts=ghosts_of(cell.session, cell.graph, cell.people, tables, cell.ghosts, prefix),
            lookups=lookups,
            # A row found later along its way could be one whose file was not copied.
            in_place=self.in_place and not self.files and cell.session.dialect.name == "postgres",
        )
        ownership.run()
        verdicts = Verdicts(cell.session, cell.graph, ownership, spans, prefix)
        erasing = {b for a, b in labels.actions.items() if a.kind == "erase"}
        verdicts.run(erasing)
        return Owned(ownership, verdicts, people, doubtful)

    def _plan(self, cell: Cell) -> Outcome:
        self.progress(f"{cell.name}: whose row is it")
        labels = self.labels(cell)
        owned = self.own(cell, labels)
        ownership, verdicts = owned.ownership, owned.verdicts
        people, doubtful = owned.people, owned.doubtful
        withheld = [files.withheld(cell, verdicts) for files in self.files]
        outcome = Outcome(cell, labels, ownership, verdicts, people=people, doubtful=doubtful)
        self.progress(f"{cell.name}: what must come along")
        unfit = {
            a: misfits(cell, self.survey.cells[a.home]) for a in labels.actions if a.kind == "move"
        }
        moving = frozenset(b for a, b in labels.actions.items() if a in unfit and not unfit[a])
        erasing = frozenset(b for a, b in labels.actions.items() if a.kind == "erase")
        for action, block in labels.actions.items():
            misfit = unfit.get(action, "")
            if action.kind == "no_home" or misfit:
                outcome.misfit = misfit
                for table in list(verdicts.moves):
                    reason = MISFIT if misfit else NO_HOME
                    verdicts.hold(table, verdicts.of(table, block), reason)
            elif action.kind == "report":
                for table in list(verdicts.moves):
                    verdicts.hold(table, verdicts.of(table, block), REPORT)
            else:
                home = self._home(cell, action)
                exports = None
                if home is not None:
                    exports = Exports(cell, self.survey.cells[action.home], labels, verdicts)
                closure = Closure(verdicts, block, home, moving, erasing, exports)
                for rows in withheld:
                    if rows:
                        closure.withhold(rows, FILE)
                closure.settle()
                outcome.closures[action] = closure
        return outcome

    def _home(self, cell: Cell, action: Action) -> Home | None:
        if action.kind != "move":
            return None
        home = self.survey.cells[action.home]
        return Home(
            home.name, cell.session, home.session, cell.graph, home.stubs,
            Written(self.survey.state, cell.name, home).condition,
        )  # fmt: skip
