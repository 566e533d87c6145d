"""What mandates that are only tried out would cost: the plan they would make, in figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from domicile.estate.model import Estate
from domicile.law.model import Clause, Mandate
from domicile.plan.estimate import Stopwatch, estimated
from domicile.plan.findings import Report
from domicile.plan.planner import Planner
from domicile.survey.state import State
from domicile.survey.survey import Survey

Doc = dict[str, Any]


def in_force(mandate: Mandate, day: date) -> Mandate:
    """The mandate as if it and all its clauses bound on that day."""
    return replace(
        mandate,
        status="in_force",
        history=(),
        effective=min(mandate.effective, day),
        clauses=tuple(_bound(clause, day) for clause in mandate.clauses),
    )


def _bound(clause: Clause, day: date) -> Clause:
    start = clause.effective and min(clause.effective, day)
    return replace(clause, status=None, effective=start, until=None)


def forecast(
    estate: Estate, mandates: Sequence[Mandate], proposed: frozenset[str], day: date,
    state: State, progress: Callable[[str], None] = lambda _: None,
) -> Doc:  # fmt: skip
    """The figures of the plan that would be made if the `proposed` were in force.

    Beside the estate's own mandates, so that a clash shows as rows without a home. Nothing is
    written. Raises DomicileError.
    """
    as_if = [in_force(m, day) if m.id in proposed else m for m in mandates]
    watch = Stopwatch()
    with Survey(estate, state) as survey:
        planner = Planner(survey, as_if, day, progress=progress)
        outcomes = planner.run()
        watch.lap(read=True)
        document = Report(survey, as_if, day, outcomes, planner.files).document()
        watch.lap(read=False)
        document["cost"] |= estimated(document["steps"], survey, watch, state)
        return figures(document, sorted(proposed), estate)


def figures(document: Doc, mandates: Sequence[str], estate: Estate) -> Doc:
    """The figures of one plan. `people` are those whose register row goes."""
    acting = [step for step in document["steps"] if step["op"] in ("move", "erase")]
    registers = {str(subject.register) for subject in estate.subjects}
    return {
        "mandates": list(mandates),
        # Whose files may go is somebody whose rows are counted.
        "people": sum(step["rows"] for step in acting if step["table"] in registers),
        "findings": len(document["findings"]),
        "steps": len(document["steps"]),
        "leaving": sum(step["rows"] for step in acting),
        "held": sum(each["rows"] for each in document["held"]),
        "unknown": len(document["unknown"]),
        **document["cost"],
    }
