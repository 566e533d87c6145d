"""Duties with a day on which they are due, and what is to be told of them on a day."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from domicile.law.model import Mandate
from domicile.law.standing import due_day

STAGES = (30, 7, 1)
"""Days before a deadline at which notice is given."""

PASSED = 0
"""The stage after the deadline: what follows is told, and done."""


@dataclass(frozen=True)
class Duty:
    """A clause in effect that is due."""

    mandate: str
    clause: str
    kind: str
    otherwise: str
    due: date

    @property
    def name(self) -> str:
        """`mandate/clause`."""
        return f"{self.mandate}/{self.clause}"


def duties(mandates: Sequence[Mandate], day: date) -> tuple[Duty, ...]:
    """The clauses that bind on a day and have a deadline: their own, a day in what they say, or
    the mandate's; soonest first."""
    return tuple(sorted(_duties(mandates, day), key=lambda duty: (duty.due, duty.name)))


def _duties(mandates: Sequence[Mandate], day: date) -> Iterator[Duty]:
    for mandate in mandates:
        for clause in mandate.clauses:
            if not mandate.binds(clause, day):
                continue
            due = due_day(mandate, clause)
            if due is not None:
                yield Duty(mandate.id, clause.id, clause.kind, clause.body["otherwise"], due)


def stage(duty: Duty, day: date) -> int | None:
    """The stage that a duty is at on a day; None while it is more than 30 days away.

    The deadline is the last day: it has passed on the day after. A watch that did not run on the
    day of a stage gives that notice when it runs next; of several that it missed, the nearest.
    """
    left = (duty.due - day).days
    if left < 0:
        return PASSED
    reached = [days for days in STAGES if left <= days]
    return min(reached) if reached else None


def due_now(
    every: Sequence[Duty], day: date, told: Collection[tuple[str, date, int]]
) -> list[tuple[Duty, int]]:
    """What is to be told on a day, given (name, due, stage) of what was."""
    now = []
    for duty in every:
        at = stage(duty, day)
        if at is None:
            continue
        # A nearer stage that was told covers those before it, should the clock be set back.
        if not any((duty.name, duty.due, s) in told for s in (at, *(x for x in STAGES if x < at))):
            now.append((duty, at))
    return now
