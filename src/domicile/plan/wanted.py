"""What store would have to be declared for people whom no store of the estate may have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from domicile.plan.actions import Labels
from domicile.plan.planner import Outcome

SHOWN = 6
"""Countries named one by one; of more, how many they are."""


def wanted_homes(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """One line for each schema and set of mandates: `holds`, `country`, `operator`.

    An empty list of countries or operators is any; `possible` is false when the mandates leave
    none that all of them allow.
    """
    found: dict[str, dict[str, Any]] = {}
    for outcome in outcomes:
        labels = outcome.labels
        for label in labels.clauses:
            if labels.action(label).kind == "no_home":
                line = _wanted(labels, label)
                found.setdefault(said(line), line)
    return [found[text] for text in sorted(found)]


def said(line: dict[str, Any]) -> str:
    """One line in words."""
    if not line["possible"]:
        return f"no store can be declared for `holds: {line['holds']}` that {line['by']} allow"
    country = _some(line["country"], "any country")
    operator = _some(line["operator"], "any operator")
    return f"`holds: {line['holds']}`, country {country}, operator {operator}"


def _wanted(labels: Labels, label: int) -> dict[str, Any]:
    countries: frozenset[str] | None = None
    operators: frozenset[str] | None = None
    named = {mandate for mandate, _ in labels.clauses[label]}
    for mandate in labels.mandates:
        if mandate.id not in named or not labels.makes_steps(mandate):
            continue
        for clause in mandate.clauses:
            if clause.kind != "store" or not mandate.binds(clause, labels.as_of):
                continue
            if clause.countries:
                countries = _both(countries, clause.countries)
            if clause.operators:
                operators = _both(operators, clause.operators)
    return {
        "holds": labels.store.holds,
        "country": sorted(countries or ()),
        "operator": sorted(operators or ()),
        "possible": countries != frozenset() and operators != frozenset(),
        "by": ", ".join(sorted(named)),
    }


def _both(one: frozenset[str] | None, other: frozenset[str]) -> frozenset[str]:
    return other if one is None else one & other


def _some(names: Sequence[str], every: str) -> str:
    if not names:
        return every
    more = f" or one of {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return " or ".join(names[:SHOWN]) + more
