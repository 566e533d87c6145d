"""What planning found out about files, as parts of the document that a person reviews."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from domicile.counted import counted
from domicile.plan.objects import BUSY, DOUBT, GO, ORPHAN, ROW, STAY, FilePlan
from domicile.plan.verdicts import COLLISION, JOINT, LEGAL, NO_HOME, REASONS, REPORT
from domicile.survey.objects_map import missing, said
from domicile.survey.people import BLOCK

Doc = dict[str, Any]

FILES_A_SECOND, FILE_BYTES_A_SECOND = 200, 60_000_000
"""Files moved, read back and deleted a second on two cores, and their bytes."""

HELD = {
    **REASONS,
    JOINT: "their rows are about people whose verdicts differ, or several such rows name them",
    COLLISION: "the home has another file under the same name",
    NO_HOME: "no other folder of the same files that every mandate allows",
    LEGAL: "a legal hold of the estate stops the erasure",
    REPORT: "the clause asks to report, not to act",
    BUSY: "somebody is writing them",
    ROW: "the row that it belongs to is held: they go together",
}
"""Why files are held, in words."""


class FileReport:
    """Findings, steps, held and unknown of the files of one label."""

    def __init__(self, plan: FilePlan) -> None:
        self.plan = plan
        self.objects = plan.objects
        self.findings: list[Doc] = []
        self.steps: list[Doc] = []
        self.held: list[Doc] = []
        self.unknown: list[Doc] = []
        for number in self.plan.labels:
            self._going(number)
            self._held(number)
        for number in self.plan.concerned():
            self._unknown(number)
        self.unknown += [
            {
                "store": cell, "table": table, "column": "", "reason": reason, "code": "files",
                "count": rows,
            }
            for cell, table, rows, reason in missing(self.objects)
            if self.plan.concerned()
        ]  # fmt: skip

    def _going(self, number: int) -> None:
        store = self.objects.stores[number].name
        steps: dict[tuple[str, str], list[int]] = {}
        for rule, label, home, files, size in self.plan.index.all(
            "SELECT rule, label, home, count(*), sum(size) FROM file WHERE store = ? AND fate = ? "
            "GROUP BY rule, label, home ORDER BY rule, label, home",
            (number, GO),
        ):
            table = self._table(rule)
            people = self._people(number, GO, rule, label)
            for mandate, clause in sorted(self.plan.labels[number].clauses.get(label, ())):
                self._finding(number, mandate, clause, "curable", rule, people, files, "")
            totals = steps.setdefault((table, home), [0, 0, 0])
            for at, count in enumerate((people, files, size)):
                totals[at] += count
        for (table, home), (people, files, size) in sorted(steps.items()):
            self.steps.append({
                "id": "", "op": "move_files" if home else "erase_files", "table": table,
                "from": store, "to": home or None, "subjects": people, "rows": files,
                "bytes": size,
            })  # fmt: skip

    def _held(self, number: int) -> None:
        free = (GO, STAY, DOUBT, ORPHAN)
        counts: dict[tuple[str, str], int] = {}
        for fate, rule, label, files in self.plan.index.all(
            "SELECT fate, rule, label, count(*) FROM file WHERE store = ? "
            f"AND fate NOT IN ({', '.join('?' * len(free))}) "
            "GROUP BY fate, rule, label ORDER BY fate, rule, label",
            (number, *free),
        ):
            key = (self._table(rule), fate)
            counts[key] = counts.get(key, 0) + files
            people = self._people(number, fate, rule, label)
            for mandate, clause in sorted(self.plan.labels[number].clauses.get(label, ())):
                said = _held(fate)
                self._finding(number, mandate, clause, "held", rule, people, files, said)
        for (table, fate), files in counts.items():
            self.held.append({
                "store": self.objects.stores[number].name, "table": table, "rows": files,
                "reason": _held(fate), "code": fate,
            })  # fmt: skip

    def _unknown(self, number: int) -> None:
        store = self.objects.stores[number].name
        for reason, files in self._doubts(number):
            self.unknown.append({
                "store": store, "table": self.objects.holds, "column": "", "reason": reason,
                "code": "files", "count": files,
            })  # fmt: skip

    def _doubts(self, number: int) -> Iterator[tuple[str, int]]:
        count = self.plan.index.all(
            "SELECT coalesce(sum(fate = ?), 0), coalesce(sum(fate = ? AND fits), 0), "
            "coalesce(sum(fate = ? AND NOT fits), 0) FROM file WHERE store = ?",
            (DOUBT, ORPHAN, ORPHAN, number),
        )[0]
        if count[0]:
            yield f"{counted(count[0], 'file')} of people of unknown residence or age", count[0]
        yield from said(self.objects, number, count[1], count[2])

    def _people(self, number: int, fate: str, rule: int | None, label: int) -> int:
        """Distinct people whom the rows of these files are about, at either end of each range."""
        chosen = (
            "FROM hit h JOIN file f ON f.n = h.n "
            f"WHERE f.store = ? AND f.fate = ? AND f.rule IS ? AND f.label = ? "
            f"AND h.label >= {BLOCK}"
        )
        values = (number, fate, rule, label)
        return int(
            self.plan.index.all(
                f"SELECT count(*) FROM (SELECT h.cell, h.first {chosen} "
                f"UNION SELECT h.cell, h.last {chosen})",
                values * 2,
            )[0][0]
        )

    def _table(self, rule: int | None) -> str:
        return self.objects.holds if rule is None else str(self.objects.rules[rule].table)

    def _finding(
        self, number: int, mandate: str, clause: str, state: str, rule: int | None, people: int,
        files: int, reason: str,
    ) -> None:  # fmt: skip
        subjects = self.plan.planner.survey.estate.subjects
        self.findings.append({
            "mandate": mandate, "clause": clause, "state": state,
            "store": self.objects.stores[number].name, "table": self._table(rule),
            "subject": subjects[0].name if len(subjects) == 1 else "", "categories": [],
            "subjects": people, "rows": files,
            "reason": f"files: {reason or 'rest where the clause does not allow it'}",
        })  # fmt: skip


def _held(fate: str) -> str:
    return HELD.get(fate, fate)
