"""The library: every mandate loads, every fact says where it is from, and figures are right."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from domicile.estate.document import read_document
from domicile.law.catalogue import Wanted, countries, matching, shipped, whole
from domicile.law.condition import Person, protects_condition
from domicile.law.load import load_mandate
from domicile.law.model import Mandate
from domicile.law.source import library

DAY = date(2026, 6, 1)
LIBRARY = {mandate.id: mandate for mandate in shipped(DAY)}


def test_there_are_twenty_and_more() -> None:
    assert len(LIBRARY) >= 20
    assert {c.kind for m in LIBRARY.values() for c in m.clauses} == {
        "store", "access", "use", "consent", "retain", "erase", "answer", "report", "offer",
        "install", "compensate",
    }  # fmt: skip


@pytest.mark.parametrize("name", LIBRARY)
def test_every_fact_says_where_it_is_from(name: str) -> None:
    mandate = LIBRARY[name]
    assert mandate.id == library()[name].stem
    assert mandate.issuer
    assert mandate.citation
    assert mandate.source
    assert isinstance(mandate.verified, bool)
    shown = whole(mandate, DAY)
    for fact in (*shown["clauses"], *shown["parameters"], *shown["history"]):
        assert fact["source"], fact
        assert isinstance(fact["verified"], bool), fact
    for clause in mandate.clauses:
        assert clause.body["source"], clause.id
        assert isinstance(clause.body["verified"], bool), clause.id


@pytest.mark.parametrize("name", LIBRARY)
def test_what_is_not_confirmed_says_what(name: str) -> None:
    """`verified: false` has a note, or a comment beside it, that says what was not read."""
    path = library()[name]
    text = path.read_text(encoding="utf-8")
    document = read_document(path)
    if document.data.get("verified") is False:
        commented = re.search(r"^verified: false # .+", text, re.M)
        assert commented or document.data.get("notes"), name
    for clause in document.data.get("clauses", []):
        if clause.get("verified") is False:
            line = _line_of(text, clause["id"])
            told = clause.get("note") or "from memory" in clause["source"] or "# " in line
            assert told or document.data.get("verified") is False, f"{name}/{clause['id']}"


def _line_of(text: str, clause: str) -> str:
    """The clause's `verified: false` line, with its comment."""
    after = text.partition(f"- id: {clause}\n")[2]
    return next((x for x in after.splitlines() if "verified: false" in x), "")


@pytest.mark.parametrize("name", LIBRARY)
def test_nothing_is_recalled_as_read(name: str) -> None:
    """A source that is a memory is never `verified: true`."""
    for fact in _facts(read_document(library()[name]).data):
        if "memory" in str(fact.get("source", "")) or "inferred" in str(fact.get("source", "")):
            assert fact.get("verified") is False, fact


def _facts(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [fact for each in value for fact in _facts(each)]
    if isinstance(value, dict):
        return [value, *(fact for each in value.values() for fact in _facts(each))]
    return []


def parameter(name: str, of: str, on: date = DAY) -> Any:
    values = [d.value for d in LIBRARY[of].parameters[name] if d.start <= on]
    return values[-1]


def test_deadlines_are_as_many_days_as_the_orders_say() -> None:
    def days(name: str, start: date | None = None) -> int:
        mandate = LIBRARY[name]
        assert mandate.deadline
        return (mandate.deadline - (start or mandate.effective)).days

    assert days("cfius-divestment-2020") == 90
    assert days("pafaca") == 270
    assert days("us-trusted-custodian") == 120
    assert days("ieepa-tiktok-2020") == 45
    assert days("no-tiktok-on-government-devices", date(2023, 2, 27)) == 30
    assert days("commission-device-ban") == 20
    contracts = {c.id: c.body.get("by") for c in LIBRARY["no-tiktok-on-government-devices"].clauses}
    start = date(2023, 2, 27)
    assert contracts["contracts"] == (start + timedelta(days=90)).isoformat()
    assert contracts["contracts-in-force"] == (start + timedelta(days=120)).isoformat()
    due = LIBRARY["dpc-tiktok-transfers-2025"].deadline
    assert due == date(2025, 10, 30)  # six months


def test_adequacy_ends_when_the_decision_says() -> None:
    """The decision on the United Kingdom: until 27 December 2031."""
    path = str(library()["gdpr-transfers"])
    for day, adequate in ((date(2031, 12, 27), True), (date(2031, 12, 28), False)):
        mandate = load_mandate(path, day)
        rest, look = mandate.clauses
        assert ("GB" in rest.countries, "GB" in look.body["country"]) == (adequate, adequate)
        assert {"NO", "JP", "UY"} <= rest.countries
        assert not {"US", "CN"} & rest.countries


def test_every_bulk_category_is_restricted_as_well_as_brokered() -> None:
    """28 CFR 202.301 to 202.303: brokerage, and what a covered person may not reach."""
    over = {
        (c.kind, frozenset(c.body["categories"])): c.body["over"]["more_than"]
        for c in LIBRARY["us-data-security-program"].clauses
        if "over" in c.body
    }
    brokered = {categories: n for (kind, categories), n in over.items() if kind == "use"}
    reached = {categories: n for (kind, categories), n in over.items() if kind == "access"}
    assert brokered == reached
    assert len(brokered) == 6


def test_figures_of_the_data_security_program() -> None:
    """28 CFR 202.205, 202.211 and 202.601."""
    name = "us-data-security-program"
    bulk = {key: parameter(key, name) for key in LIBRARY[name].parameters if "bulk" in key}
    assert bulk == {
        "bulk_genomic": 100, "bulk_biometric": 1_000, "bulk_location": 1_000,
        "bulk_health": 10_000, "bulk_financial": 10_000, "bulk_identifiers": 100_000,
    }  # fmt: skip
    by_id = {clause.id: clause for clause in LIBRARY[name].clauses}
    assert by_id["brokerage-identifiers"].body["over"]["more_than"] == 100_000
    assert by_id["brokerage-location"].body["over"]["count"] == "devices"
    control = by_id["restricted"].body["controlled_from"]
    assert control["share"] == 50
    assert control["country"] == ["CN", "CU", "HK", "IR", "KP", "MO", "RU", "VE"]


@pytest.mark.parametrize(
    ("country", "day", "age"),
    [("DK", date(2023, 12, 31), 13), ("DK", date(2024, 1, 1), 15), ("NL", DAY, 16),
     ("BE", DAY, 13), ("FR", DAY, 15), ("ES", DAY, 14), ("GB", DAY, 13), ("LI", DAY, 16)],
)  # fmt: skip
def test_the_age_of_consent_is_that_of_the_country_and_the_day(
    country: str, day: date, age: int
) -> None:
    protects = load_mandate(library()["gdpr-children"], day).protects
    condition = protects_condition(protects, day)
    last = Person(country, f"{day.year - age:04d}-{day + timedelta(days=1):%m-%d}")
    if day.month == 12 and day.day == 31:  # the day after is in the next year
        last = Person(country, f"{day.year - age + 1:04d}-01-01")
    assert condition.holds(last) is True
    assert condition.holds(Person(country, f"{day.year - age:04d}-{day:%m-%d}")) is False
    assert condition.holds(Person("US", "2020-01-01")) is False
    assert condition.holds(Person(None, "1980-01-01")) is False
    assert condition.holds(Person(None, None)) is None


def test_every_country_of_the_eea_has_an_age() -> None:
    protects = LIBRARY["gdpr-children"].protects
    assert frozenset().union(*(where for _, where in protects.ages_under)) == protects.residence


def test_statuses_as_they_stood() -> None:
    order = LIBRARY["ieepa-tiktok-2020"]
    assert [order.status_on(d) for d in (
        date(2020, 8, 1), date(2020, 9, 1), date(2020, 9, 27), date(2021, 6, 8), date(2021, 6, 9)
    )] == ["in_force", "in_force", "enjoined", "enjoined", "revoked"]  # fmt: skip
    assert order.makes_steps(date(2020, 9, 1))
    assert not order.makes_steps(DAY)
    assert not LIBRARY["dpc-tiktok-transfers-2025"].makes_steps(DAY)
    assert not LIBRARY["microsoft-promise-2020"].makes_steps(DAY)  # it lapsed before it bound
    assert LIBRARY["us-trusted-custodian"].makes_steps(DAY)
    ban = LIBRARY["be-device-ban-2023"]
    assert ban.binds(ban.clauses[0], date(2023, 9, 9))
    assert not ban.binds(ban.clauses[0], date(2023, 9, 10))


def test_places() -> None:
    assert LIBRARY["clover"].clauses[0].countries == {"IE", "NO"}
    assert {"GB", "CH", "NO"} <= LIBRARY["clover"].protects.residence
    allowed = LIBRARY["gdpr-transfers"].clauses[0].countries
    assert not {"CN", "US"} & allowed
    assert LIBRARY["coppa"].protects.age_under == 13


def test_found_by_country_category_and_kind() -> None:
    def found(**wanted: str) -> set[str]:
        return {m.id for m in matching(LIBRARY.values(), Wanted(**wanted), DAY)}

    assert "nl-collective-claim" in found(country="NL")
    assert "coppa" not in found(country="NL")
    assert "us-data-security-program" in found(country="CN")
    assert found(kind="compensate") == {"nl-collective-claim"}
    assert "us-data-security-program" in found(category="user.biometric.voice", kind="use")
    assert found(status="revoked") == {"ieepa-tiktok-2020"}
    assert all("US" in countries(LIBRARY[name]) for name in found(country="US"))


def test_one_that_extends_says_what_is_different(tmp_path: Path) -> None:
    four: Mandate = LIBRARY["microsoft-plan-2020-four-countries"]
    base = LIBRARY["microsoft-promise-2020"]
    assert four.protects.residence == {"US", "CA", "AU", "NZ"}
    assert [c.id for c in four.clauses] == [c.id for c in base.clauses]
    assert four.clauses[0].purge
    assert four.digest != base.digest
