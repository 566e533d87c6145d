"""Declared flows against clauses: findings before any row is read."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from domicile.estate.load import load_estate
from domicile.law.flows import FlowFinding, flow_findings
from domicile.law.load import load_mandate
from domicile.law.record import markdown, record
from domicile.law.source import library

DAY = date(2026, 6, 1)
ESTATE = """\
estate: clips
controller: {name: Clips Ltd, country: SG, owned_by: [{name: Parent, country: CN, share: 60}]}
stores: {a: {url: "memory:a", country: SG, operator: Clips Ltd, holds: app}}
organisations:
  Ad Exchange Inc: {country: US}
  Cloud GmbH: {country: DE}
  Parent: {country: CN}
  Sister: {country: KY, owned_by: [{name: Parent, share: 30}, {name: Clips Ltd, share: 20}]}
subjects: {person: {register: app.person, key: id, residence: country, born: born}}
"""


def findings(folder: Path, flow: str, *mandates: str) -> list[FlowFinding]:
    file = folder / "estate.yaml"
    file.write_text(ESTATE + f"flows:\n  - {{from: app, {flow}}}\n", encoding="utf-8")
    laws = [
        load_mandate(library()[name] if name in library() else folder / name, DAY)
        for name in mandates
    ]
    return list(flow_findings(load_estate(file), laws, DAY))


def test_a_profiling_ad_on_a_minor(tmp_path: Path) -> None:
    flow = (
        "to: Ad Exchange Inc, categories: [user.behavior], uses: [marketing.advertising.profiling]"
    )
    (found,) = findings(tmp_path, flow, "dsa-minors", "clover")
    assert (found.mandate, found.clause, found.state) == ("dsa-minors", "profiling-ads", "held")
    assert found.shown == "app → Ad Exchange Inc"
    assert "marketing.advertising.profiling is forbidden" in found.reason
    contextual = flow.replace("profiling", "first_party.contextual")
    assert findings(tmp_path, contextual, "dsa-minors") == []


def test_a_covered_person_through_a_chain(tmp_path: Path) -> None:
    """Sister is half the parent's: 30% directly, and 20% of the controller, which counts whole."""
    flow = "to: Sister, categories: [user.contact.email], uses: [third_party_sharing]"
    found = findings(tmp_path, flow, "us-data-security-program")
    assert {f.clause for f in found} == {"brokerage-identifiers", "restricted"}
    assert all("Sister is owned for 50%" in f.reason for f in found)
    assert all(f.over and f.over["more_than"] == 100_000 for f in found)
    assert (
        findings(tmp_path, flow.replace("Sister", "Cloud GmbH"), "us-data-security-program") == []
    )


def test_the_narrower_category_is_named(tmp_path: Path) -> None:
    flow = "to: Parent, categories: [user], uses: [third_party_sharing]"
    by_clause = {f.clause: f for f in findings(tmp_path, flow, "us-data-security-program")}
    assert by_clause["brokerage-biometric"].categories == ("user.biometric",)


def test_access_is_a_transfer(tmp_path: Path) -> None:
    flow = "to: Parent, categories: [user.contact.phone_number], uses: [essential.service]"
    assert [f.clause for f in findings(tmp_path, flow, "clover")] == ["restricted"]
    assert findings(tmp_path, flow.replace("phone_number", "email"), "clover") == []
    (look,) = findings(tmp_path, flow, "gdpr-transfers")
    assert "Parent sees it from CN" in look.reason


@pytest.mark.parametrize(
    ("flow", "said"),
    [
        ("to: Ad Exchange Inc, categories: [user.behavior]", "what it is used for"),
        ("to: Ad Exchange Inc, uses: [marketing.advertising.profiling]", "which categories"),
    ],
)
def test_what_is_not_declared_is_unknown(tmp_path: Path, flow: str, said: str) -> None:
    (found,) = findings(tmp_path, flow, "dsa-minors")
    assert found.state == "unknown"
    assert said in found.reason


def test_an_undeclared_recipient_is_unknown(tmp_path: Path) -> None:
    flow = "to: Somebody, categories: [user.biometric], uses: [third_party_sharing]"
    found = findings(tmp_path, flow, "us-data-security-program")
    assert {(f.state, f.clause) for f in found} == {
        ("unknown", "brokerage-biometric"), ("unknown", "restricted-biometric"),
    }  # fmt: skip
    assert all("Somebody is not declared" in f.reason for f in found)


def test_only_what_is_in_effect(tmp_path: Path) -> None:
    flow = "to: ByteDance, categories: [user], uses: [analytics]"
    assert findings(tmp_path, flow, "ieepa-tiktok-2020") == []  # revoked
    file = tmp_path / "estate.yaml"
    order = load_mandate(library()["ieepa-tiktok-2020"], DAY)
    (found,) = flow_findings(load_estate(file), [order], DAY, also=["ieepa-tiktok-2020"])
    assert found.clause == "transactions"


def test_the_record_has_what_article_30_asks(tmp_path: Path) -> None:
    flow = (
        "to: Ad Exchange Inc, categories: [user.behavior], uses: [marketing.advertising.profiling]"
    )
    findings(tmp_path, flow)
    laws = [
        load_mandate(library()[n], DAY) for n in ("coppa", "clover", "dpc-tiktok-transfers-2025")
    ]
    made = record(load_estate(tmp_path / "estate.yaml"), laws, DAY)
    assert made["controller"] == {"name": "Clips Ltd", "country": "SG"}
    assert made["purposes"] == ["marketing.advertising.profiling"]
    assert made["recipients"][0]["country"] == "US"
    assert {t["country"] for t in made["transfers"]} == {"SG", "US"}
    assert [each["mandate"] for each in made["limits"]] == ["coppa"]
    assert "dpc-tiktok-transfers-2025" not in str(made["measures"])  # stayed
    assert made["missing"] == []
    text = markdown(made)
    for point in "abcdefg":
        assert f"## ({point})" in text
