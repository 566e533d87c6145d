"""The clocks of duties: when a report is due, by when an answer, how long after a breach."""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from domicile.law.model import Clause, Mandate


@dataclass(frozen=True)
class Obligation:
    """A clause in effect that asks somebody to answer, to tell or to withdraw."""

    mandate: str
    clause: str
    kind: str
    what: str
    to: tuple[str, ...]
    due: date | None  # None: it depends on what happens
    clock: str  # in words
    language: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The obligation as JSON."""
        return {
            "mandate": self.mandate,
            "clause": self.clause,
            "kind": self.kind,
            "what": self.what,
            "to": list(self.to),
            "due": self.due.isoformat() if self.due else None,
            "clock": self.clock,
            "language": list(self.language),
        }


def obligations(mandates: Sequence[Mandate], day: date) -> tuple[Obligation, ...]:
    """Every `answer`, `report` and `offer` clause in effect, soonest first."""
    found = [
        made
        for mandate in mandates
        for clause in mandate.clauses
        if mandate.binds(clause, day)
        for made in _obligation(mandate, clause, day)
    ]
    return tuple(sorted(found, key=lambda o: (o.due or date.max, o.mandate, o.clause)))


def _obligation(mandate: Mandate, clause: Clause, day: date) -> Iterator[Obligation]:
    body = clause.body
    if clause.kind == "report":
        due, clock = _report(mandate, clause, day)
        what, to = body["what"], tuple(body["to"])
    elif clause.kind == "answer":
        due, clock = None, f"{_within(body)} of a request"
        if "extend_months" in body:
            clock += f", and {_count(body['extend_months'], 'month')} more when it is complex"
        what, to = ", ".join(body["requests"]), ("who asks",)
    elif clause.kind == "offer":
        due = clause.deadline or mandate.deadline
        services = ", ".join(body.get("services", ("services of such publishers",)))
        what = f"no {', '.join(body.get('forbid', ('offer',)))} of {services}"
        to, clock = tuple(body["country"]), "from its effect on"
    else:
        return
    yield Obligation(
        mandate.id, clause.id, clause.kind, what, to, due, clock, tuple(body.get("language", ()))
    )


def _report(mandate: Mandate, clause: Clause, day: date) -> tuple[date | None, str]:
    body = clause.body
    if "every" in body:
        start = clause.effective or mandate.effective
        return next_period(start, body["every"], day), f"every {body['every']} from {start}"
    if "on" in body:
        within = _within(body)
        return None, f"on {body['on']}" + (f", {within}" if within else "")
    if "by" in body:
        return date.fromisoformat(body["by"]), f"by {body['by']}"
    due = clause.deadline or mandate.deadline
    return due, f"by {due}" if due else "always"


def next_period(start: date, every: str, day: date) -> date:
    """The end of the period that a day is in; periods begin at `start`.

    A month or a year ends on the day of the month at which it began, or on the month's last.
    """
    if every in ("day", "week"):
        step = 1 if every == "day" else 7
        passed = max((day - start).days, 0)
        return add_days(start, (passed // step + 1) * step)
    months = 1 if every == "month" else 12
    passed = (day.year - start.year) * 12 + day.month - start.month
    number = max(passed // months, 1)
    while (end := add_months(start, number * months)) <= day and end < date.max:
        number += 1
    return end


def last_period(start: date, every: str, day: date) -> date:
    """The beginning of the period that a day is in."""
    previous, end = start, next_period(start, every, start)
    while end <= day and end < date.max:
        previous, end = end, next_period(start, every, end)
    return previous


def add_months(day: date, months: int) -> date:
    """That many months later, on the same day of the month or on its last; the last day that a
    date can be, where that is later."""
    year, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + year, month + 1
    if year > date.max.year:
        return date.max
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def add_days(day: date, days: int) -> date:
    """That many days later; the last day that a date can be, where that is later."""
    return day + timedelta(days=min(days, (date.max - day).days))


def due_time(clause: Clause, aware: datetime) -> datetime | None:
    """By when something is to be told that was noticed at `aware`; None: without delay."""
    body = clause.body
    for unit in ("hours", "days"):
        if (within := body.get(f"within_{unit}")) is not None:
            # A day to spare: a time near the end of all dates could not be shown in another zone.
            most = datetime.max.replace(tzinfo=aware.tzinfo) - timedelta(days=2) - aware
            return aware + timedelta(hours=min(within * (24 if unit == "days" else 1),
                                               most // timedelta(hours=1)))  # fmt: skip
    return None


def _within(body: Any) -> str:
    for unit in ("hours", "days", "months"):
        if f"within_{unit}" in body:
            return "within " + _count(body[f"within_{unit}"], unit.removesuffix("s"))
    return ""


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"
