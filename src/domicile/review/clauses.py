"""How each clause stands: from what was read, what is declared, and what nothing reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from domicile.estate.model import Estate
from domicile.law.clocks import obligations
from domicile.law.model import Clause, Mandate
from domicile.plan.actions import allows
from domicile.review.model import State

Verdicts = Mapping[tuple[str, str], Mapping[str, int]]
"""(mandate, clause) → devices by verdict, as the fleets were last read."""

VERDICTS = ("present", "absent", "not_observable", "stale", "not_covered")


@dataclass(frozen=True)
class Stands:
    """A clause with its state and what breaks it."""

    mandate: Mandate
    clause: Clause
    state: State
    findings: int  # of an `install` clause, devices that have the app
    people: int  # at least: the most that one table of each store shows, added up
    rows: int  # of files, files
    due: date | None


def standing(
    estate: Estate, mandates: Sequence[Mandate], plan: Mapping[str, Any],
    devices: Verdicts | None, day: date,
) -> tuple[Stands, ...]:  # fmt: skip
    """Every clause of every mandate, in their order. Unknown is never counted as met.

    `devices`: None when the estate declares no fleet.
    """
    return tuple(
        _stands(estate, mandate, clause, plan, devices, day)
        for mandate in mandates
        for clause in mandate.clauses
    )


def _stands(
    estate: Estate, mandate: Mandate, clause: Clause, plan: Mapping[str, Any],
    devices: Verdicts | None, day: date,
) -> Stands:  # fmt: skip
    mine = [f for f in plan["findings"] if (f["mandate"], f["clause"]) == (mandate.id, clause.id)]
    people: dict[str, int] = {}
    for finding in mine:
        people[finding["store"]] = max(people.get(finding["store"], 0), finding["subjects"])
    findings, count, rows = len(mine), sum(people.values()), sum(f["rows"] for f in mine)
    state: State
    if not mandate.binds(clause, day):
        state = "not_in_effect"
    elif clause.kind == "install":
        state = "not_checked"
        if devices is not None:
            verdicts = devices.get((mandate.id, clause.id), {})
            state, findings = _installed(verdicts), verdicts.get("present", 0)
    else:
        state = _state(estate, clause, mine, plan)
    return Stands(mandate, clause, state, findings, count, rows, _due(mandate, clause, day))


def _due(mandate: Mandate, clause: Clause, day: date) -> date | None:
    """The deadline: the clause's or the mandate's own, or when its next report is due."""
    if clause.kind in ("install", "report") and "by" in clause.body:
        return date.fromisoformat(str(clause.body["by"]))
    mine = (o for o in obligations((mandate,), day) if o.clause == clause.id)
    return mandate.due(clause) or next((o.due for o in mine if o.due), None)


def _state(
    estate: Estate, clause: Clause, mine: Sequence[Mapping[str, Any]], plan: Mapping[str, Any]
) -> State:
    states = {f["state"] for f in mine}
    for found, state in _WORST:
        if found in states:
            return state
    if clause.kind == "store":
        doubtful = {u["store"] for u in plan["unknown"]} & set(_forbidden(estate, clause))
        return "unknown" if doubtful else "met"
    # Held against what the estate declares; where it declares nothing, nothing was looked at.
    declared: Mapping[str, Sequence[object]] = {"use": estate.flows, "offer": estate.services}
    return "met" if declared.get(clause.kind) else "not_checked"


_WORST: tuple[tuple[str, State], ...] = (
    ("curable", "broken"), ("held", "held"), ("unknown", "unknown"),
)  # fmt: skip


def _forbidden(estate: Estate, clause: Clause) -> Iterator[str]:
    return (store.name for store in estate.stores if not allows(clause, store))


def _installed(verdicts: Mapping[str, int]) -> State:
    """The state by what is known of the devices; a fleet that was never read is unknown."""
    if verdicts.get("present"):
        return "broken"
    unsure = any(verdicts.get(v) for v in ("not_observable", "stale"))
    return "met" if verdicts.get("absent") and not unsure else "unknown"
