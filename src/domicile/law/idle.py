"""Clauses that change nothing here: dead ones, shadowed ones; and stores that nobody may use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from domicile.estate.categories import covers
from domicile.estate.model import Estate
from domicile.law import classes
from domicile.law.condition import Person, protects_condition
from domicile.law.conflicts import Duty, allows, duties
from domicile.law.flows import flow_findings
from domicile.law.model import Clause, Mandate

_STRENGTH = {"report": 0, "move": 1, "deny": 1, "mask": 1, "aggregate": 1}


@dataclass(frozen=True)
class Idle:
    """A clause in effect that changes nothing in this estate, and why."""

    mandate: str
    clause: str
    state: Literal["dead", "met", "shadowed"]
    reason: str


def idle(estate: Estate, mandates: Sequence[Mandate], as_of: date) -> tuple[Idle, ...]:
    """Dead: nobody and nothing here is what it is about. Met: no store or flow can break it.
    Shadowed: wherever it applies, another clause asks for as much."""
    binding = [(m, c) for m in mandates for c in m.clauses if m.binds(c, as_of)]
    conditions = [protects_condition(mandate.protects, as_of) for mandate, _ in binding]
    everybody = list(classes.people(estate.subjects, conditions, as_of))
    flowing = {
        (f.mandate, f.clause) for f in flow_findings(estate, mandates, as_of)
    }  # fmt: skip
    found: list[Idle] = []
    for (mandate, clause), condition in zip(binding, conditions, strict=True):
        reason = _dead(estate, mandate, [condition.holds(person) for person in everybody])
        if reason:
            found.append(Idle(mandate.id, clause.id, "dead", reason))
        elif reason := _met(estate, clause, (mandate.id, clause.id) in flowing):
            found.append(Idle(mandate.id, clause.id, "met", reason))
    told = {(each.mandate, each.clause) for each in found}
    for about in ("rest", "look"):
        mine = duties(mandates, as_of, about)
        found += [
            Idle(*each.name, "shadowed", f"{'/'.join(other.name)} asks as much where it applies")
            for each, other in _shadowed(mine, everybody)
            if each.name not in told
        ]  # fmt: skip
    return tuple(found)


def forbidden_stores(
    estate: Estate, mandates: Sequence[Mandate], as_of: date
) -> tuple[tuple[str, frozenset[str]], ...]:
    """Stores where nobody whom a store clause protects may rest: name, and the mandates."""
    mine = duties(mandates, as_of, "rest")
    everybody = classes.people(estate.subjects, [d.condition for d in mine], as_of)
    bound = {
        frozenset(n for n, duty in enumerate(mine) if duty.condition.holds(person))
        for person in everybody
    } - {frozenset()}
    every = frozenset(mine[n].mandate.id for each in bound for n in each)
    return tuple(
        (store.name, every)
        for store in estate.stores
        if bound and not any(all(allows(mine[n].clause, store) for n in each) for each in bound)
    )


def _dead(estate: Estate, mandate: Mandate, holds: Sequence[bool | None]) -> str:
    """Why nobody here can be told to be protected; empty when somebody can."""
    if any(holds) or not estate.subjects:
        return ""
    if not any(value is None for value in holds):
        return "it protects none of the subjects of the estate"
    protects = mandate.protects
    if (protects.age_under or protects.age_from or protects.ages_under) and not any(
        subject.born for subject in estate.subjects
    ):
        return "it is about an age, and no subject declares a birth date: all are unknown to it"
    return "it is about a residence, and no subject declares one: all are unknown to it"


def _met(estate: Estate, clause: Clause, flows: bool) -> str:
    if clause.kind == "store" and all(allows(clause, store) for store in estate.stores):
        return "every declared store satisfies it"
    if clause.kind == "use" and not flows and estate.flows:
        return "no declared flow breaks it"
    if clause.kind == "use" and not estate.flows:
        return "no flow is declared"
    return ""


def _shadowed(
    mine: Sequence[Duty], everybody: Sequence[Person]
) -> Iterator[tuple[Duty, Duty]]:  # fmt: skip
    holding = [frozenset(n for n, p in enumerate(everybody) if d.condition.holds(p)) for d in mine]
    perhaps = [
        frozenset(n for n, p in enumerate(everybody) if d.condition.holds(p) is not False)
        for d in mine
    ]
    shadowed: set[int] = set()
    for a, duty in enumerate(mine):
        for b, other in enumerate(mine):
            if (
                a != b
                and b not in shadowed  # of two that say the same, one stays
                and holding[a]
                and holding[a] <= holding[b]
                and perhaps[a] <= perhaps[b]
                and all(any(covers(o, c) for o in other.categories) for c in duty.categories)
                and _as_strict(other.clause, duty.clause)
            ):
                shadowed.add(a)
                yield duty, other
                break


def _as_strict(other: Clause, clause: Clause) -> bool:
    """Whether whatever satisfies `other` satisfies `clause`, and its cure is as strong."""
    asked, given = clause.body, other.body
    if _STRENGTH.get(given["otherwise"], 2) < _STRENGTH.get(asked["otherwise"], 2):
        return False
    if clause.purge and not other.purge:
        return False
    if clause.kind == "store":
        return _within(other.countries, clause.countries) and _within(
            other.operators, clause.operators
        )
    if "over" in given or "controlled_from" in asked:
        return False
    return (
        _within(frozenset(given.get("country", ())), frozenset(asked.get("country", ())))
        and _within(frozenset(given.get("employer", ())), frozenset(asked.get("employer", ())))
        and frozenset(asked.get("not_country", ())) <= frozenset(given.get("not_country", ()))
    )


def _within(given: frozenset[str], asked: frozenset[str]) -> bool:
    """Whether what `given` lets in, `asked` lets in; empty lets everything in."""
    return not asked or (bool(given) and given <= asked)
