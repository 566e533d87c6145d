"""What a mandate may not say because it would contradict itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from domicile.estate.document import Key
from domicile.law.model import Clause, Mandate

Found = tuple[Key, str, str]
"""Where it stands, what is wrong, what to do."""


def contradictions(mandate: Mandate) -> Iterator[Found]:
    """Everything in a mandate that cannot be meant, in the order of its keys."""
    yield from _dates(mandate)
    for index, clause in enumerate(mandate.clauses):
        yield from _clause(mandate, ("clauses", index), clause)
    yield from _stores(mandate)


def _dates(mandate: Mandate) -> Iterator[Found]:
    if mandate.deadline and mandate.deadline < mandate.effective:
        yield ("deadline",), f"got {mandate.deadline}, before effective {mandate.effective}", ""
    days = [change.on for change in mandate.history]
    for index, (before, after) in enumerate(pairwise(days)):
        if after <= before:
            yield (
                ("history", index + 1, "on"),
                f"got {after}, not after the {before} before it",
                "Write the history oldest first.",
            )
    if mandate.history and mandate.history[-1].status != mandate.status:
        last = mandate.history[-1].status
        yield (
            ("status",),
            f"got {mandate.status}, but its history ends with {last}",
            "Make the two agree.",
        )


def _clause(mandate: Mandate, key: Key, clause: Clause) -> Iterator[Found]:
    start = max(mandate.effective, clause.effective or mandate.effective)
    for name, day in (("deadline", clause.deadline), ("until", clause.until)):
        if day is not None and day < start:
            yield (*key, name), f"got {day}, before it is in effect on {start}", ""
    by = clause.body.get("by")
    if by and by < start.isoformat():
        at = (*key, clause.kind, "by")
        yield at, f"got {by}, before it is in effect on {start}", ""
    for allowed, denied in (("country", "not_country"), ("forbid", "needs_consent")):
        if clause.kind not in ("access", "use"):
            continue
        both = sorted(set(clause.body.get(allowed, ())) & set(clause.body.get(denied, ())))
        if both:
            yield (
                (*key, clause.kind, denied),
                f"{both[0]} is under {allowed} as well",
                "Keep it in one of the two.",
            )


def _stores(mandate: Mandate) -> Iterator[Found]:
    """Two store clauses of one mandate are about the same people, so one place must do for both."""
    rest = [
        (index, clause)
        for index, clause in enumerate(mandate.clauses)
        if clause.kind == "store" and clause.otherwise != "erase"
    ]
    for at, (index, clause) in enumerate(rest):
        for _, other in rest[:at]:
            for what, one, two in (
                ("country", other.countries, clause.countries),
                ("operator", other.operators, clause.operators),
            ):
                if one and two and not one & two and _together(other, clause):
                    yield (
                        ("clauses", index, "store", what),
                        f"no {what} is allowed by clause {other.id} and by this one",
                        "Leave one of them out, or let them share one.",
                    )


def _together(one: Clause, two: Clause) -> bool:
    """Whether there is a day on which both bind."""
    return (one.until is None or two.effective is None or two.effective < one.until) and (
        two.until is None or one.effective is None or one.effective < two.until
    )
