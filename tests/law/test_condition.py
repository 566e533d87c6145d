"""The readings of a condition agree, and say what the design says."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import date, timedelta

import duckdb
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from domicile.law.condition import (
    AllOf,
    AnyOf,
    Condition,
    Not,
    Person,
    ResidenceIn,
    ResidenceUnknown,
    SubjectIn,
    Under,
    protects_condition,
)
from domicile.law.model import Protects

COLUMNS = {"residence": 'p."residence"', "born": 'p."born"', "subject": 'p."subject"'}
COUNTRIES = ["US", "NL", "GB"]
SUBJECTS = ["customer", "staff"]
DAYS = st.dates(date(1999, 12, 31), date(2024, 3, 2))
BIRTHS = st.one_of(
    st.none(),
    st.dates(date(1900, 1, 1), date(2030, 1, 1)).map(date.isoformat),
    st.sampled_from(
        ["2004-02-29", "2008-02-29", "2008-02-28", "2008-03-01", "", "2008", "2008-2-9", "unknown"]
    ),
    st.just("2008-02-29 13:00:00"),
)
PEOPLE = st.builds(
    Person,
    st.one_of(st.none(), st.sampled_from(COUNTRIES)),
    BIRTHS,
    st.one_of(st.none(), st.sampled_from(SUBJECTS)),
)
CONDITIONS = st.recursive(
    st.one_of(
        st.builds(ResidenceIn, st.frozensets(st.sampled_from(COUNTRIES))),
        st.just(ResidenceUnknown()),
        st.builds(Under, st.integers(0, 40), DAYS),
        st.builds(SubjectIn, st.frozensets(st.sampled_from(SUBJECTS))),
    ),
    lambda part: st.one_of(
        st.builds(Not, part),
        st.builds(AllOf, st.lists(part, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(part, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


def in_sqlite(condition: Condition, people: list[Person]) -> list[bool | None]:
    with sqlite3.connect(":memory:") as db:
        db.execute("CREATE TABLE p (n INTEGER, residence TEXT, born TEXT, subject TEXT)")
        db.executemany("INSERT INTO p VALUES (?,?,?,?)", [(n, *p) for n, p in enumerate(people)])
        sql = condition.to_sql(COLUMNS, "sqlite")
        rows = db.execute(f"SELECT {sql} FROM p ORDER BY n").fetchall()
    return [None if value is None else bool(value) for (value,) in rows]


DUCK = duckdb.connect()


def in_duckdb(condition: Condition, people: list[Person]) -> list[bool | None]:
    DUCK.execute("CREATE OR REPLACE TABLE p (n INT, residence TEXT, born TEXT, subject TEXT)")
    DUCK.executemany("INSERT INTO p VALUES (?,?,?,?)", [(n, *p) for n, p in enumerate(people)])
    sql = condition.to_sql(COLUMNS, "duckdb")
    return [value for (value,) in DUCK.execute(f"SELECT {sql} FROM p ORDER BY n").fetchall()]


@pytest.mark.parametrize("reading", [in_sqlite, in_duckdb])
@settings(deadline=None, max_examples=60)
@given(condition=CONDITIONS, people=st.lists(PEOPLE, min_size=1, max_size=8))
def test_sql_and_python_agree(
    reading: Callable[[Condition, list[Person]], list[bool | None]],
    condition: Condition,
    people: list[Person],
) -> None:
    assert reading(condition, people) == [condition.holds(person) for person in people]


@settings(deadline=None, max_examples=300)
@given(
    born=st.dates(date(1950, 1, 1), date(2010, 12, 31)),
    years=st.integers(1, 30),
    day=st.dates(date(2011, 1, 1), date(2040, 12, 31)),
)
def test_age_is_whole_years_and_29_february_comes_of_age_on_1_march(
    born: date, years: int, day: date
) -> None:
    try:
        birthday = born.replace(year=born.year + years)
    except ValueError:  # 29 February in a year without one
        birthday = date(born.year + years, 3, 1)
    assert Under(years, day).holds(Person(None, born.isoformat())) is (day < birthday)


def test_29_february_by_hand() -> None:
    leap_child = Person("NL", "2008-02-29")
    assert Under(13, date(2021, 2, 28)).holds(leap_child) is True
    assert Under(13, date(2021, 3, 1)).holds(leap_child) is False
    assert Under(16, date(2024, 2, 28)).holds(leap_child) is True
    assert Under(16, date(2024, 2, 29)).holds(leap_child) is False
    # and seen from a 29 February that their birth year lacks
    assert Under(17, date(2024, 2, 29)).holds(Person("NL", "2007-02-28")) is False
    assert Under(17, date(2024, 2, 29)).holds(Person("NL", "2007-03-01")) is True


DAY = date(2026, 1, 1)
US = Protects(residence=frozenset({"US"}))
US_ALL = Protects(residence=frozenset({"US"}), unknown_residence="protect")
US_CHILD = Protects(residence=frozenset({"US"}), age_under=13)
TEENS = Protects(age_from=13, age_under=18)
STAFF = Protects(subjects=("staff",))


@pytest.mark.parametrize(
    ("protects", "person", "label"),
    [
        (US, Person("US", None), "protected"),
        (US, Person("NL", None), "not protected"),
        (US, Person(None, None), "unknown"),
        (US_ALL, Person(None, None), "protected"),
        (US_ALL, Person("NL", None), "not protected"),
        (US_CHILD, Person("US", "2014-06-01"), "protected"),
        (US_CHILD, Person("US", "2013-01-01"), "not protected"),  # thirteen that day
        (US_CHILD, Person("US", "2013-01-02"), "protected"),
        (US_CHILD, Person("US", None), "unknown"),
        (US_CHILD, Person("NL", None), "not protected"),  # residence already excludes
        (US_CHILD, Person(None, "1990-01-01"), "not protected"),  # age already excludes
        (US_CHILD, Person(None, "2014-06-01"), "unknown"),
        (US_CHILD, Person("US", "2030-01-01"), "unknown"),  # not born yet: no evidence
        (TEENS, Person(None, "2010-01-01"), "protected"),  # every residence, so none is missed
        (TEENS, Person("NL", "2015-01-01"), "not protected"),
        (TEENS, Person("NL", "1990-01-01"), "not protected"),
        (STAFF, Person("NL", None, "staff"), "protected"),
        (STAFF, Person("NL", None, "customer"), "not protected"),
        (Protects(), Person(None, None), "protected"),
    ],
)
def test_labels(protects: Protects, person: Person, label: str) -> None:
    condition = protects_condition(protects, DAY)
    assert condition.label(person) == label
    DUCK.execute("CREATE OR REPLACE TABLE p (residence TEXT, born TEXT, subject TEXT)")
    DUCK.execute("INSERT INTO p VALUES (?,?,?)", list(person))
    sql = condition.label_sql(COLUMNS, "duckdb")
    assert DUCK.execute(f"SELECT {sql} FROM p").fetchone() == (label,)


def test_sql_of_each_dialect_is_plain_and_parses_there() -> None:
    condition = protects_condition(US_CHILD, DAY)
    for dialect in ("postgres", "sqlite", "duckdb", "mysql"):
        column = "`born`" if dialect == "mysql" else '"born"'
        sql = condition.to_sql({"residence": "residence", "born": column}, dialect)
        assert "residence IN ('US')" in sql
        assert column in sql
        assert "'2013-01-01'" in sql
        sqlglot.parse_one(f"SELECT 1 WHERE {sql}", dialect=dialect)


def test_a_column_left_out_is_unknown() -> None:
    sql = Under(13, DAY).to_sql({}, "duckdb")
    assert DUCK.execute(f"SELECT {sql}").fetchone() == (None,)


def test_values_are_quoted() -> None:
    odd = SubjectIn(frozenset({"it's; --"}))
    sql = odd.to_sql({"subject": "'it''s; --'"}, "duckdb")
    assert DUCK.execute(f"SELECT {sql}").fetchone() == (True,)


def test_needs_only_what_it_looks_at() -> None:
    assert protects_condition(US, DAY).needs() == {"residence"}
    assert protects_condition(TEENS, DAY).needs() == {"born"}
    assert protects_condition(Protects(), DAY).needs() == frozenset()


def test_people_are_protected_until_the_day_before_their_birthday() -> None:
    day = date(2020, 1, 1)
    labels = [
        protects_condition(US_CHILD, day + timedelta(days=n)).label(Person("US", "2007-06-15"))
        for n in range(366)
    ]
    assert labels.index("not protected") == (date(2020, 6, 15) - day).days
