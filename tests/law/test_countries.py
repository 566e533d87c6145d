"""Groups of countries change with time."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domicile.law.countries import UnknownCountryError, expand, is_code, members


@pytest.mark.parametrize(
    ("group", "day", "count"),
    [
        ("EU", date(1957, 12, 31), 0),
        ("EU", date(1958, 1, 1), 6),
        ("EU", date(1973, 1, 1), 9),
        ("EU", date(1995, 1, 1), 15),
        ("EU", date(2004, 4, 30), 15),
        ("EU", date(2004, 5, 1), 25),
        ("EU", date(2007, 1, 1), 27),
        ("EU", date(2013, 7, 1), 28),
        ("EU", date(2020, 1, 31), 28),
        ("EU", date(2020, 2, 1), 27),
        ("EU", date(2026, 1, 1), 27),
        ("EEA", date(1993, 12, 31), 0),
        ("EEA", date(2013, 7, 1), 30),
        ("EEA", date(2014, 4, 12), 31),
        ("EEA", date(2026, 1, 1), 30),
    ],
)
def test_members(group: str, day: date, count: int) -> None:
    assert len(members(group, day)) == count


def test_who_came_and_went() -> None:
    assert "GB" in expand(["EU"], date(2020, 1, 31))
    assert "GB" not in expand(["EU"], date(2020, 2, 1))
    assert "HR" in expand(["EU"], date(2013, 7, 1))
    assert "HR" not in expand(["EU"], date(2013, 6, 30))
    assert expand(["EEA"], date(2026, 1, 1)) - expand(["EU"], date(2026, 1, 1)) == {
        "IS",
        "LI",
        "NO",
    }


def test_names_codes_and_groups_together() -> None:
    day = date(2026, 1, 1)
    assert expand(["eea", "UK", "Switzerland"], day) == expand(["EEA"], day) | {"GB", "CH"}
    assert expand([], day) == frozenset()
    with pytest.raises(UnknownCountryError, match="'Korea'"):
        expand(["US", "Korea"], day)


@settings(deadline=None)
@given(st.dates(), st.sampled_from(["EU", "EEA"]))
def test_members_are_codes_and_the_eea_is_wider(day: date, group: str) -> None:
    assert all(is_code(code) for code in members(group, day))
    assert {"NO", "IS"}.isdisjoint(members("EU", day))
