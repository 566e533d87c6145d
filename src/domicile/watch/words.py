"""What the watch's notices say: names, counts and dates, and nobody's data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from domicile.counted import counted
from domicile.watch.deadlines import PASSED, Duty
from domicile.watch.drift import Change
from domicile.watch.ledger import SUPERSEDED, Look
from domicile.watch.notices import Notice, identity, shown


@dataclass(frozen=True)
class Known:
    """How many findings break a clause, as far as anybody knows."""

    count: int | None  # None: no look at the stores could be made yet
    since: date | None = None  # the day of the look that says so; None: this one

    @property
    def state(self) -> str:
        """In words."""
        if self.count is None:
            return "the stores could not be looked at"
        is_open = f"{counted(self.count, 'finding')} {'is' if self.count == 1 else 'are'} open"
        said = is_open if self.count else "nothing says that it is met"
        return f"{said}, as the stores were on {self.since}" if self.since else said


def deadline(estate: str, duty: Duty, stage: int, day: date, known: Known) -> Notice:
    """A deadline that is near, or has passed."""
    left = (duty.due - day).days
    if stage == PASSED:
        subject = f"[{estate}] {duty.name}: the deadline {duty.due} has passed"
        text = f"{duty.name} was due on {duty.due}; {known.state}. What follows: {duty.otherwise}."
    else:
        subject = f"[{estate}] {duty.name}: due on {duty.due}, {counted(left, 'day')} left"
        text = f"{duty.name} is due on {duty.due}; {known.state}. Otherwise: {duty.otherwise}."
    facts = {
        "estate": estate, "clause": duty.name, "due": duty.due.isoformat(), "days_left": left,
        "stage": stage, "findings": known.count, "otherwise": duty.otherwise,
    }  # fmt: skip
    return Notice(identity(estate, duty.name, duty.due, str(stage)), subject, text + "\n", facts)


def changed(estate: str, seen: dict[str, Any], changes: Sequence[Change], day: date) -> Notice:
    """What is not as it was at the last look."""
    listed = [str(change) for change in changes]
    return Notice(
        identity(estate, "drift", day, seen["digest"], *listed),
        f"[{estate}] {counted(len(changes), 'change')} since the last look",
        f"On {day}:\n{shown(changes)}",
        {"estate": estate, "drift": listed},
    )


def outcome(estate: str, name: str, due: date, what: str) -> Notice:
    """What followed a deadline."""
    return Notice(
        identity(estate, name, due, what),
        f"[{estate}] {name}: {what}",
        f"The deadline of {name} was {due}. What followed: {what}.\n",
        {"estate": estate, "clause": name, "due": due.isoformat(), "outcome": what},
    )


def superseded(estate: str, name: str, due: date, what: str, day: date, *, done: bool) -> Notice:
    """What was to follow, or was closed, and is so no longer."""
    was = "followed, and is over" if done else "was to follow, and nothing was done"
    return Notice(
        identity(estate, name, due, f"{SUPERSEDED} {what} {day}"),
        f"[{estate}] {name}: {SUPERSEDED}",
        f"{what} {was}: on {day} the mandates do not say so of the deadline {due} of {name}.\n",
        {"estate": estate, "clause": name, "due": due.isoformat(), "outcome": SUPERSEDED},
    )


def unseen(estate: str, problem: str, last: Look | None) -> Notice:
    """The stores cannot be looked at: once, until they can be again."""
    since = f"since the look of {last.day}" if last else "yet"
    return Notice(
        identity(estate, "unseen", last.number if last else 0),
        f"[{estate}] the stores cannot be looked at",
        f"Nobody knows what changed {since}: {problem}.\n"
        "Deadlines go on, with what the last look found.\n",
        {"estate": estate, "problem": problem, "last": last.day.isoformat() if last else None},
    )
