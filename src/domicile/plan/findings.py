"""What planning found, as the document that a person reviews: findings, steps, held, unknown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import chain
from typing import Any

from domicile.counted import counted
from domicile.estate.model import Subject, TableName
from domicile.law.model import Mandate
from domicile.law.whole import whole
from domicile.plan.actions import Labels, Named, rules
from domicile.plan.closure import Closure
from domicile.plan.document import VERSION, digest_of
from domicile.plan.needs import needs
from domicile.plan.objects import FilePlan
from domicile.plan.objects_report import FileReport
from domicile.plan.planner import Outcome
from domicile.plan.reasons import flow_lines, legal_reason
from domicile.plan.sequences import sequence_warnings
from domicile.plan.thresholds import as_findings, thresholds
from domicile.plan.verdicts import BLOCKED, LEGAL, MISFIT, NO_HOME, REASONS, REPORT
from domicile.plan.wanted import wanted_homes
from domicile.survey.classify_verdict import Verdict
from domicile.survey.columns import categories, personal
from domicile.survey.graph import Graph
from domicile.survey.left import Left, identifiers, people_left
from domicile.survey.people import BLOCK
from domicile.survey.people import action as block_of
from domicile.survey.reach import MANY, Reach
from domicile.survey.residue import Identifiers, Kind
from domicile.survey.survey import Cell, Survey
from domicile.survey.work import Work

Doc = dict[str, Any]

SAID = {
    **REASONS,
    NO_HOME: "no store of the same schema that every mandate allows",
    MISFIT: "the home store cannot take them",
    REPORT: "the clause asks to report, not to act",
}
"""Why rows are held, in words."""


class Report:
    """Collects one plan document."""

    def __init__(
        self,
        survey: Survey,
        mandates: Sequence[Mandate],
        as_of: date,
        outcomes: list[Outcome],
        files: Sequence[FilePlan] = (),
        proposed: frozenset[str] = frozenset(),
    ) -> None:
        self.proposed = proposed
        self.survey = survey
        self.mandates = {m.id: m for m in mandates}
        self.as_of = as_of
        self.outcomes = outcomes
        self.files = files
        self.findings: list[Doc] = []
        self.steps: list[Doc] = []
        self.held: list[Doc] = []
        self.unknown: list[Doc] = []
        self._elsewhere: dict[tuple[str, str], dict[str, str]] = {}
        self._reaches: dict[str, Reach] = {}
        self._counted: dict[str, int] = {}  # a relation of rows that go → their people

    def document(self) -> Doc:
        """The whole plan, with its digest."""
        for outcome in self.outcomes:
            found = categories(outcome.cell)
            kinds = {t: personal(v) for t, v in found.items()}
            for closure in outcome.closures.values():
                self._curable(outcome, closure, kinds)
            self._held(outcome, kinds)
            self._unknown(outcome, kinds)
            for table, verdicts in found.items():
                for column, verdict in verdicts.items():
                    if not verdict.category:
                        self._say_unknown(outcome, table, column, verdict.reason, "unclassified")
            for left in self.left(outcome, found):
                self._say_unknown(outcome, left.table, left.column, left.reason, "text", left.rows)
            self._steps(outcome)
        for cell in self.survey.cells.values():
            for table, rows in sorted(cell.unneeded.items()):
                self._step("remove_stub", cell, table, "", 0, Work(cell.session, "us").count(rows))
        for files in self.files:
            said = FileReport(files)
            self.findings += said.findings
            self.steps += said.steps
            self.held += said.held
            self.unknown += said.unknown
        laws = list(self.mandates.values())
        self.findings += flow_lines(self.survey.estate, laws, self.as_of, self.proposed)
        near = thresholds(self.survey, laws, self.as_of, self.proposed)
        self.findings += as_findings(near)
        for number, step in enumerate(self.steps, 1):
            step["id"] = f"s{number}"
        estate = self.survey.estate
        document: Doc = {
            "version": VERSION,
            "estate": estate.name,
            "estate_digest": estate.digest,
            "as_of": self.as_of.isoformat(),
            # What one finished plan asked for may come to be asked again, word for word.
            "after": self.survey.finished(),
            "mandates": [
                {"id": m.id, "digest": m.digest, "status": m.status} for m in self.mandates.values()
            ],
            "schemas": {c.name: c.schema.digest for c in self.survey.cells.values()},
            "findings": self.findings,
            "steps": self.steps,
            "held": self.held,
            "unknown": self.unknown,
            "people": [
                *(o.identity() for o in self.outcomes if o.closures),
                *(identity for files in self.files for identity in files.identities()),
            ],
            "cost": self._cost(),
            "thresholds": near,
            "what_if": None,  # of mandates that are tried out: see make_plan
            "homes_wanted": wanted_homes(self.outcomes),
            "warnings": [*filter(None, map(whole, laws)), *sequence_warnings(self.survey)],
            **needs(estate, tuple(self.mandates.values()), self.as_of),
        }
        document["digest"] = digest_of(document)
        return document

    def _curable(self, outcome: Outcome, closure: Closure, kinds: dict[str, list[str]]) -> None:
        for table in closure.going:
            for label, count, people in self._by_label(outcome, closure, table):
                for named in sorted(outcome.labels.clauses[label]):
                    self._finding(outcome, named, "curable", table, kinds, people, count, "")

    def _by_label(
        self, outcome: Outcome, closure: Closure, table: str
    ) -> list[tuple[int, int, int]]:
        """Label, rows and people of what goes of a table."""
        if table in closure.told:
            labels = sorted(closure.told[table].labels.items())
            return [(label, rows.count, rows.people) for label, rows in labels]
        going = closure.going[table]
        found = outcome.cell.session.query(
            f"SELECT label, count(*) FROM {going} g GROUP BY label ORDER BY label"
        )
        lines = [
            (int(label), int(count), self._people(outcome, closure, table, f"label = {label}"))
            for label, count in found
        ]
        if len(lines) == 1:  # then the step's people are the same
            self._counted[going] = lines[0][2]
        return lines

    def _held(self, outcome: Outcome, kinds: dict[str, list[str]]) -> None:
        for table, held in outcome.verdicts.held.items():
            rows = outcome.cell.session.query(
                f"SELECT reason, label, count(*) FROM {held} GROUP BY reason, label ORDER BY 1, 2"
            )
            by_reason: dict[str, int] = {}
            for reason, label, count in rows:
                by_reason[reason] = by_reason.get(reason, 0) + int(count)
                for named in sorted(outcome.labels.clauses.get(int(label), frozenset())):
                    people = self._people_held(outcome, table, held, reason, int(label))
                    said = self._said(outcome, reason, table)
                    self._finding(outcome, named, "held", table, kinds, people, int(count), said)
            for reason, count in by_reason.items():
                self.held.append({
                    "store": outcome.cell.name, "table": _named(outcome.cell.graph, table),
                    "rows": count, "reason": self._said(outcome, reason, table), "code": reason,
                })  # fmt: skip

    def _people_held(self, outcome: Outcome, table: str, held: str, reason: str, label: int) -> int:
        """People whom held rows are about."""
        match = " AND ".join(f"w.{k} = h.{k}" for k in outcome.ownership.shapes.labels(table))
        session = outcome.cell.session
        rows = (
            f"FROM {held} h JOIN {outcome.ownership.work[table]} w ON {match} "
            f"WHERE h.label = {label} AND h.reason = {session.dialect.literal(reason)}"
        )
        work, reach = Work(session, "ph"), self._reach(outcome)
        keys = ", ".join(f"h.{k}" for k in outcome.ownership.shapes.labels(table))
        if reach.most(table) == MANY and work.any(f"(SELECT 1 AS one {rows} AND w.pmin < w.pmax)"):
            return reach.count(table, f"(SELECT {keys} {rows})")
        return work.count(f"(SELECT w.pmin AS n {rows} UNION SELECT w.pmax AS n {rows})")

    def _people(self, outcome: Outcome, closure: Closure, table: str, where: str = "1 = 1") -> int:
        """People whom rows of one action concern, of those whom that action is for."""
        if table in closure.told:
            return closure.told[table].people
        going, reach = closure.going[table], self._reach(outcome)
        # Of a row that follows its author, `plo` and `phi` do not tell whom it is about.
        told = table not in outcome.verdicts.mixed and (
            reach.most(table) < MANY or not closure.work.any(going, f"plo <> phi AND {where}")
        )
        if told:
            return people_of(closure.work, going, where)
        return reach.count(
            table, f"(SELECT g.* FROM {going} g WHERE {where})",
            lambda label: f"{block_of(label)} = {closure.block}",
        )  # fmt: skip

    def _reach(self, outcome: Outcome) -> Reach:
        name = outcome.cell.name
        if name not in self._reaches:
            self._reaches[name] = Reach(outcome.ownership, "pr")
        return self._reaches[name]

    def _said(self, outcome: Outcome, reason: str, table: str) -> str:
        if reason == BLOCKED:
            return "; ".join(outcome.cell.graph.table(table).blocks) or SAID[reason]
        if reason == LEGAL:
            return legal_reason(outcome.cell.graph, table)
        return outcome.misfit if reason == MISFIT and outcome.misfit else SAID[reason]

    def _unknown(self, outcome: Outcome, kinds: dict[str, list[str]]) -> None:
        cell = outcome.cell
        for (name, ubits), count in outcome.doubtful.items():
            subject = self.survey.estate.subject(name)
            register = _register(cell, subject)
            for named in sorted(outcome.labels.doubtful.get(ubits, frozenset())):
                self._finding(
                    outcome, named, "unknown", register, kinds, count, count,
                    "residence or age is unknown: perhaps protected; they stay and are reported",
                )  # fmt: skip
            if outcome.labels.doubtful.get(ubits):
                column = str(subject.residence or "")
                self._say_unknown(
                    outcome, register, column,
                    f"{counted(count, 'person', 'people')} of unknown residence or age",
                    "residence", count,
                )  # fmt: skip
        for name, people in cell.people.items():
            if people.repeated:
                self._say_unknown(
                    outcome, self.survey.estate.subject(name).register, "",
                    f"{counted(people.repeated, 'row has', 'rows have')} the key of another row of "
                    "the register: whoever they say different things of is of unknown residence",
                    "repeated", people.repeated,
                )  # fmt: skip
        for name, count in cell.dangling.items():
            self._say_unknown(
                outcome, self.survey.estate.subject(name).register.table, "",
                f"{counted(count, 'key')} that rows refer to, in no register", "dangling", count,
            )  # fmt: skip
        for table, found in kinds.items():
            if found and cell.graph.roles[table] not in ("reference", "ignore", "register"):
                self._nobodys(outcome, table, found)

    def _nobodys(self, outcome: Outcome, table: str, found: list[str]) -> None:
        """Rows with personal columns that no key leads from to a person."""
        cell = outcome.cell
        work = Work(cell.session, f"n{len(self.unknown)}_")
        about = outcome.ownership.work.get(table)
        shapes = outcome.ownership.shapes
        unknown = [
            f"NOT EXISTS (SELECT 1 FROM {known} w WHERE {shapes.same(table, 't', 'w')})"
            for known in (about, cell.stubs.get(table))
            if known
        ]
        every = f"{cell.session.dialect.table(table)} t"
        told = outcome.ownership.told.get(table)
        if told:  # one line a row: no need to compare
            rows = work.count(every) - told.about
        else:
            rows = work.count(every, " AND ".join(unknown) or "1 = 1")
        if not rows:
            return
        seen = ", ".join(found[:4])
        if about is None:
            reason = f"nobody owns this table, and it holds {seen}: declare an attachment or a link"
        else:
            reason = f"{counted(rows, 'row leads', 'rows lead')} to no person, and "
            reason += f"{'holds' if rows == 1 else 'hold'} {seen}"
        code = "unowned" if about is None else "nobody"
        self._say_unknown(outcome, table, "", reason, code, rows)

    def left(self, outcome: Outcome, found: dict[str, dict[str, Verdict]]) -> list[Left]:
        """People in text and JSON of rows that are not theirs by any key."""
        cell = outcome.cell
        if not cell.graph.registers:
            return []
        people = outcome.ownership.people
        here = identifiers(cell, found, people, f"p.lo >= {BLOCK} AND p.present = 1")
        wanted = Identifiers(chain(here, self.elsewhere(outcome, found)))
        registered = Identifiers(identifiers(cell, found, people, "p.present = 1"))
        owned: dict[str, list[str]] = {}
        for sets in [outcome.verdicts.held, *(c.going for c in outcome.closures.values())]:
            for table, rows in sets.items():
                owned.setdefault(table, []).append(rows)
        return people_left(cell, wanted, registered, owned)

    def elsewhere(
        self, outcome: Outcome, found: dict[str, dict[str, Verdict]]
    ) -> Iterator[tuple[Kind, str]]:
        """Identifiers of people already at home, who were perhaps left here in some text."""
        for other in self.survey.of(outcome.cell.declared.holds):
            if other is outcome.cell:
                continue
            people = self.protected_elsewhere(outcome, other)
            yield from identifiers(other, found, people, "p.lo >= 1")

    def protected_elsewhere(self, outcome: Outcome, other: Cell) -> dict[str, str]:
        """People of another cell who could not rest in this one: lo = 1 for them."""
        made = (outcome.cell.name, other.name)
        if made in self._elsewhere:
            return self._elsewhere[made]
        tables: dict[str, str] = {}
        for name, register in other.people.items():
            if not register.local:
                continue
            seen = register.judge(
                rules(list(self.mandates.values()), other.session, name, self.as_of)
            )
            labels = outcome.labels

            def kept_out(pbits: int, ubits: int, labels: Labels = labels) -> int:
                return int(labels.label(pbits, ubits) >= BLOCK)

            tables[name] = register.number(kept_out, seen, 0, f"at_{outcome.cell.name}_")
        self._elsewhere[made] = tables
        return tables

    def _say_unknown(
        self, outcome: Outcome, table: str | TableName, column: str, reason: str, code: str,
        count: int = 1,
    ) -> None:  # fmt: skip
        name = _named(outcome.cell.graph, table)
        self.unknown.append({
            "store": outcome.cell.name, "table": name, "column": column, "reason": reason,
            "code": code, "count": count,
        })  # fmt: skip

    def _finding(
        self, outcome: Outcome, named: Named, state: str, table: str | TableName,
        kinds: dict[str, list[str]], people: int, rows: int, reason: str,
    ) -> None:  # fmt: skip
        mandate, clause = named
        graph = outcome.cell.graph
        here = table if isinstance(table, str) else ""
        register = graph.registers.get(here)
        names = [register.name] if register else sorted(outcome.ownership.people)
        self.findings.append({
            "mandate": mandate, "clause": clause, "state": state, "store": outcome.cell.name,
            "table": _named(graph, table), "subject": names[0] if len(names) == 1 else "",
            "categories": kinds.get(here, []), "subjects": people, "rows": rows,
            "reason": reason or "rests where the clause does not allow it",
        })  # fmt: skip

    def _steps(self, outcome: Outcome) -> None:
        cell = outcome.cell
        purged: set[str] = set()
        for action, closure in outcome.closures.items():
            if closure.idle:
                continue
            to = action.home
            if to and not self.survey.cells[to].schema.tables:
                self._step("create_schema", cell, cell.declared.holds, to, 0, 0)
            for op, table, rows, at_home in closure.operations():
                people = 0
                if op in ("move", "erase"):
                    known = self._counted.get(closure.going[table])
                    people = known or self._people(outcome, closure, table)
                where = to if at_home or op in ("move", "erase") else cell.name
                self._step(op, cell, table, where, people, rows)
            if any(
                outcome.labels.purges(label)
                for label in outcome.labels.clauses
                if outcome.labels.action(label) == action
            ):
                purged.update(closure.going)
        for table in sorted(purged):
            self._step("purge", cell, table, cell.name, 0, 0)

    def _step(self, op: str, cell: Cell, table: str, to: str, people: int, rows: int) -> None:
        name = table if op == "create_schema" else _named(cell.graph, table)
        self.steps.append({
            "id": "", "op": op, "table": name, "from": cell.name, "to": to or None,
            "subjects": people, "rows": rows,
        })  # fmt: skip

    def _cost(self) -> Doc:
        """What it would take: rows, and bytes as the catalogue's averages say. How long, whoever
        timed the plan adds (`estimate.py`). A catalogue that knows no rows of a table, as before
        PostgreSQL's first ANALYZE, is made up for by counting them."""
        size = 0.0
        for step in self.steps:
            if step["from"] in self.survey.folders:
                size += step["bytes"]
                continue
            cell = self.survey.cells[step["from"]]
            name = step["table"].split(".", 1)[-1].strip('"')
            shape = cell.schema.tables.get(name)
            if shape and step["rows"]:
                rows = shape.estimate or Work(cell.session, "cost").count(
                    cell.session.dialect.table(name)
                )
                size += step["rows"] * shape.bytes / max(rows, 1)
        return {"rows": sum(s["rows"] for s in self.steps), "bytes": round(size)}


def people_of(work: Work, going: str, where: str = "1 = 1") -> int:
    """People whom rows concern: the distinct numbers at either end of each row's range."""
    if work.session.dialect.name == "duckdb":  # a bit for each, where a lake has many
        ends = (
            f"SELECT phi AS n FROM {going} g WHERE {where} "
            f"UNION ALL SELECT plo FROM {going} g WHERE plo > 0 AND plo <> phi AND {where}"
        )
        counted = work.session.query(
            "SELECT coalesce(sum(bit_count(b)), 0) FROM (SELECT "
            f"bitstring_agg(n & 65535, 0, 65535) AS b FROM ({ends}) GROUP BY n >> 16)"
        )
        return int(counted[0][0])
    return int(
        work.session.query(
            f"SELECT count(*) FROM (SELECT phi FROM {going} g WHERE {where} "
            f"UNION SELECT plo FROM {going} g WHERE plo > 0 AND plo <> phi AND {where}) n"
        )[0][0]
    )


def _register(cell: Cell, subject: Subject) -> str | TableName:
    """A subject's register: by its bare name where this store holds it."""
    local = subject.register.holds == cell.declared.holds
    return subject.register.table if local else subject.register


def _named(graph: Graph, table: str | TableName) -> str:
    """The table as the estate names it; a `TableName` may be of another schema."""
    return str(graph.name(table) if isinstance(table, str) else table)
