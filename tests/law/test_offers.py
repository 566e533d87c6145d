"""Declared services against `offer` clauses."""

from __future__ import annotations

import dataclasses
from datetime import date
from pathlib import Path

import pytest

from domicile.errors import DeclarationError
from domicile.estate.load import load_estate
from domicile.law.load import load_mandate
from domicile.law.offers import OfferFinding, offer_findings
from domicile.law.source import library

DAY = date(2026, 6, 1)
ESTATE = """\
estate: clips
stores: {a: {url: "memory:a", country: SG, operator: Clips Ltd, holds: app}}
organisations:
  Clips Ltd: {country: SG, owned_by: [{name: Holding, share: 40}]}
  Holding: {country: KY, owned_by: [{name: Parent, share: 50}]}
  Parent: {country: CN}
services:
  Clips: {publisher: Clips Ltd, countries: [US, Netherlands]%s}
"""


def findings(folder: Path, more: str = "", old: str = "", new: str = "") -> list[OfferFinding]:
    file = folder / "estate.yaml"
    file.write_text((ESTATE % more).replace(old, new) if old else ESTATE % more, encoding="utf-8")
    law = load_mandate(library()["pafaca"], DAY)
    return list(offer_findings(load_estate(file), [law], DAY))


def test_twenty_percent_through_a_chain(tmp_path: Path) -> None:
    """40% of 50% is 20%, and 2 million users are more than 1 million."""
    (found,) = findings(tmp_path, ", monthly_users: 2000000")
    assert (found.clause, found.state, found.otherwise) == ("controlled", "held", "withdraw")
    assert found.countries == ("US",)
    assert found.shown == "Clips in US"
    assert "owned for 20%" in found.reason
    assert "may not distribute, update, host there" in found.reason


@pytest.mark.parametrize(
    ("more", "old", "new"),
    [
        (", monthly_users: 1000000", "", ""),  # not more than a million
        (", monthly_users: 2000000", "share: 40", "share: 39"),
        (", monthly_users: 2000000", "[US, Netherlands]", "[Netherlands]"),
    ],
)
def test_what_is_not_meant(tmp_path: Path, more: str, old: str, new: str) -> None:
    assert findings(tmp_path, more, old, new) == []


def test_what_is_not_declared_is_unknown(tmp_path: Path) -> None:
    (found,) = findings(tmp_path)
    assert found.state == "unknown"
    assert "not declared" in found.reason


def test_a_service_by_name(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, "", "  Clips:", "  TikTok:")[:1]
    assert (found.clause, found.state) == ("named", "held")


def test_only_from_its_effect_on(tmp_path: Path) -> None:
    findings(tmp_path, ", monthly_users: 2000000")
    estate = load_estate(tmp_path / "estate.yaml")
    law = load_mandate(library()["pafaca"], DAY)
    assert offer_findings(estate, [law], date(2025, 1, 18)) == ()
    assert len(offer_findings(estate, [law], date(2025, 1, 19))) == 1
    proposed = dataclasses.replace(law, status="proposed", history=())
    assert offer_findings(estate, [proposed], DAY) == ()
    assert len(offer_findings(estate, [proposed], DAY, also={"pafaca"})) == 1


def test_a_country_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=r"services\.Clips\.countries"):
        findings(tmp_path, "", "Netherlands", "Nethrlands")
