"""Clocks of duties: periods, hours after a breach, and which clauses are listed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile.law.clocks import add_months, due_time, last_period, next_period, obligations
from domicile.law.load import load_mandate
from domicile.law.source import library

DAY = date(2026, 6, 1)


@pytest.mark.parametrize(
    ("start", "every", "day", "end"),
    [
        (date(2026, 1, 1), "day", date(2026, 1, 1), date(2026, 1, 2)),
        (date(2020, 8, 14), "week", date(2020, 8, 20), date(2020, 8, 21)),
        (date(2020, 8, 14), "week", date(2020, 8, 21), date(2020, 8, 28)),
        (date(2026, 1, 31), "month", date(2026, 2, 1), date(2026, 2, 28)),
        (date(2026, 1, 31), "month", date(2026, 2, 28), date(2026, 3, 31)),
        (date(2024, 2, 29), "year", date(2024, 3, 1), date(2025, 2, 28)),
        (date(2024, 2, 29), "year", date(2027, 3, 1), date(2028, 2, 29)),
        (date(1, 1, 1), "month", date(2026, 12, 31), date(2027, 1, 1)),
        *((date(2025, 12, 31), every, date.max, date.max) for every in ("day", "month", "year")),
    ],
)
def test_periods(start: date, every: str, day: date, end: date) -> None:
    assert next_period(start, every, day) == end


@given(
    start=st.dates(date(2018, 1, 1), date(2026, 12, 31)),
    every=st.sampled_from(["day", "week", "month", "year"]),
    after=st.integers(0, 1500),
)
def test_every_day_is_in_one_period(start: date, every: str, after: int) -> None:
    day = start + timedelta(days=after)
    end = next_period(start, every, day)
    assert last_period(start, every, day) <= day < end
    assert last_period(start, every, end) == end  # the next one begins where this one ends


def test_months_end_on_their_last_day() -> None:
    assert add_months(date(2026, 1, 31), 1) == date(2026, 2, 28)
    assert add_months(date(2026, 11, 30), 3) == date(2027, 2, 28)


def test_hours_after_a_breach() -> None:
    (authority, _) = load_mandate(library()["gdpr-breach"], DAY).clauses
    aware = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)  # across the clocks' change: hours are hours
    assert due_time(authority, aware) == datetime(2026, 3, 31, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize("within", ["within_hours", "within_days"])
def test_no_time_is_too_long(within: str) -> None:
    """What is due after the end of all dates is due at their end, and not a fault."""
    (authority, _) = load_mandate(library()["gdpr-breach"], DAY).clauses
    body = {k: v for k, v in authority.body.items() if k != "within_hours"}
    far = replace(authority, body={**body, within: 10**30})
    due = due_time(far, datetime(2026, 3, 28, tzinfo=UTC))
    assert due is not None
    assert due.year == date.max.year
    assert add_months(date.max, 10**9) == date.max


def test_what_is_listed() -> None:
    names = ("cfius-divestment-2020", "gdpr-access", "gdpr-breach", "pafaca", "ieepa-tiktok-2020")
    found = {
        (o.mandate, o.clause): o
        for o in obligations([load_mandate(library()[n], DAY) for n in names], DAY)
    }
    assert found["cfius-divestment-2020", "weekly"].due == date(2026, 6, 5)
    assert found["gdpr-access", "answer"].clock == (
        "within 1 month of a request, and 2 months more when it is complex"
    )
    assert found["gdpr-breach", "authority"].clock == "on breach, within 72 hours"
    assert found["pafaca", "named"].kind == "offer"
    assert ("pafaca", "portability") not in found  # it ended when the prohibition began
    assert not any(mandate == "ieepa-tiktok-2020" for mandate, _ in found)  # revoked
