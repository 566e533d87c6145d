"""How near the estate is to the counts above which a clause applies (`over`).

Each line is one clause and one organisation that the clause is about: a recipient of a flow, or the
operator of a store. People are those whom the mandate surely protects and whose register row is
there; that all of them are counted, whatever the period, errs on the side of the rule. Devices are
the distinct values of a column of devices; where there is none, people are counted in their place.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from domicile.estate.categories import covers
from domicile.law.condition import protects_condition
from domicile.law.control import controlled, organisations, rule
from domicile.law.flows import flow_findings
from domicile.law.model import Clause, Mandate
from domicile.survey.columns import categories
from domicile.survey.survey import Cell, Survey

Doc = dict[str, Any]

DEVICE = ("user.device.device_id", "user.device.cookie_id")
"""Columns whose distinct values are devices, the first that is there."""


def thresholds(
    survey: Survey, mandates: Sequence[Mandate], as_of: date, also: frozenset[str]
) -> list[Doc]:
    """A line for each clause with `over` and each organisation that it is about.

    `also`: mandates that are only tried out. After `survey.people()`.
    """
    estate = survey.estate
    by_id = {(m.id, c.id): (m, c) for m in mandates for c in m.clauses if "over" in c.body}
    lines: list[Doc] = []
    counts: dict[tuple[str, str], int] = {}
    for found in flow_findings(estate, mandates, as_of, also):
        if found.over is None:
            continue
        mandate, clause = by_id[found.mandate, found.clause]
        cells = survey.of(found.flow.source)
        line = _line(mandate, clause, f"flow {found.shown}", cells, as_of, counts)
        line["reason"] = found.reason
        if found.state == "unknown" and line["state"] == "over":
            line["state"] = "unknown"
        lines.append(line)
    declared = organisations(estate)
    for mandate, clause in by_id.values():
        if clause.kind != "access" or "controlled_from" not in clause.body:
            continue
        if mandate.id not in also and not mandate.binds(clause, as_of):
            continue
        for cell in survey.cells.values():
            operator = cell.declared.operator
            told = controlled(declared, operator, rule(clause.body["controlled_from"]))
            if told.value is False or operator not in declared or not cell.people:
                continue
            if not _holds(cell, clause, mandate):
                continue
            where = f"store {cell.name}, run by {operator}"
            line = _line(mandate, clause, where, [cell], as_of, counts)
            line["reason"] = told.why
            if told.value is None and line["state"] == "over":
                line["state"] = "unknown"
            lines.append(line)
    return lines


def as_findings(lines: Sequence[Doc]) -> list[Doc]:
    """What is over its threshold, as findings of the plan: only a person can stop it."""
    return [
        {
            "mandate": line["mandate"], "clause": line["clause"],
            "state": "held" if line["state"] == "over" else "unknown", "store": "", "table": "",
            "subject": "", "categories": line["categories"], "subjects": line["now"], "rows": 0,
            "flow": line["about"],
            "reason": f"{line['now']:,} {line['count']}, more than {line['more_than']:,}; "
            f"{line['reason']}",
        }
        for line in lines
        if line["state"] != "below"
    ]  # fmt: skip


def _line(
    mandate: Mandate, clause: Clause, about: str, cells: Sequence[Cell], as_of: date,
    counts: dict[tuple[str, str], int],
) -> Doc:  # fmt: skip
    over = clause.body["over"]
    now, counted = _count(mandate, over["count"], cells, as_of, counts)
    return {
        "mandate": mandate.id,
        "clause": clause.id,
        "about": about,
        "count": counted,
        "now": now,
        "more_than": over["more_than"],
        "percent": round(100 * now / over["more_than"], 1),
        "within_months": over.get("within_months"),
        "state": "over" if now > over["more_than"] else "below",
        "categories": list(clause.body.get("categories", ())),
        "reason": "",
    }


def _count(
    mandate: Mandate, what: str, cells: Sequence[Cell], as_of: date,
    counts: dict[tuple[str, str], int],
) -> tuple[int, str]:  # fmt: skip
    """How many, and of what."""
    if what == "devices":
        devices = [n for cell in cells if (n := _devices(cell)) is not None]
        if devices:
            return sum(devices), "devices"
    people = 0
    for cell in cells:
        key = mandate.id, cell.name
        if key not in counts:
            counts[key] = _people(mandate, cell, as_of)
        people += counts[key]
    return people, "people"


def _people(mandate: Mandate, cell: Cell, as_of: date) -> int:
    """People here whom the mandate surely protects."""
    session, total = cell.session, 0
    condition = protects_condition(mandate.protects, as_of)
    for name, people in cell.people.items():
        columns = {"residence": "r.residence", "born": "r.born",
                   "subject": session.dialect.literal(name).strip()}  # fmt: skip
        sql = condition.to_sql(columns, session.dialect.name)
        here = "r.present = 1 AND " if people.local else ""
        rows = session.query(f"SELECT count(*) FROM {people.raw} r WHERE {here}({sql})")
        total += int(rows[0][0])
    return total


def _devices(cell: Cell) -> int | None:
    """Distinct devices in a store; None when no column holds them."""
    found = categories(cell)
    for wanted in DEVICE:
        counts = [
            int(
                cell.session.query(
                    f"SELECT count(DISTINCT {cell.session.dialect.quote(column)}) "
                    f"FROM {cell.session.dialect.table(table)}"
                )[0][0]
            )
            for table, verdicts in found.items()
            for column, verdict in verdicts.items()
            if verdict.category == wanted
        ]
        if counts:
            return max(counts)
    return None


def _holds(cell: Cell, clause: Clause, mandate: Mandate) -> bool:
    """Whether a store holds a category that the clause is about."""
    wanted = clause.body.get("categories") or mandate.protects.categories
    return any(
        verdict.category and any(covers(w, verdict.category) for w in wanted)
        for verdicts in categories(cell).values()
        for verdict in verdicts.values()
    )
