"""Loading mandates: what they give, where they are found, and what is wrong with them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from domicile.errors import DeclarationError
from domicile.estate.load import load_estate
from domicile.estate.model import Estate
from domicile.law.kinds import enforced_by, is_enforced, kind
from domicile.law.load import load_mandate, load_mandates
from domicile.law.model import KINDS, Mandate

MANDATE = """\
mandate: us
title: US people at home
status: in_force
effective: 2025-09-25
deadline: 2026-01-23
protects: {residence: [US], unknown_residence: report, categories: [user]}
clauses:
  - {id: rest, store: {country: [US], operator: [Oracle]}, otherwise: move, purge: true}
  - {id: look, access: {country: United States, employer: Oracle}, otherwise: deny}
  - {id: lanes, access: {purposes: [analytics]}, form: aggregate, min_group: 20, epsilon_per_day: 1}
"""
ESTATE = """\
estate: e
stores: {a: {url: "sqlite:a.db", country: NL, operator: X, holds: app}}
subjects: {customer: {register: app.customer, key: id}}
"""
EVERY_KIND = """\
mandate: all
title: One of each
status: voluntary
effective: 2023-01-01
protects: {}
clauses:
  - {id: c1, store: {country: EU}}
  - {id: c2, access: {not_country: [CN, Hong Kong], categories: user.contact}, form: pseudonymised}
  - {id: c3, use: {forbid: marketing.advertising.profiling, recipient_country: CN}}
  - {id: c4, consent: {of: parent, age_under: 13}, otherwise: erase}
  - {id: c5, retain: {months: 6, after: last login}, otherwise: erase}
  - {id: c6, erase: {on: request, within_days: 30}}
  - {id: c7, answer: {requests: [access, portability], within_months: 1, language: nl}}
  - {id: c8, report: {to: CFIUS, what: a certificate, every: week}}
  - {id: c9, offer: {services: App, country: US, forbid: [distribute, update]}, otherwise: withdraw}
  - {id: c10, install: {apps: com.example.app, devices: [corporate], by: 2023-03-15}}
  - {id: c11, compensate: {class: children, from: 2018-05-25, until: 2022-11-09, country: NL}}
"""


def load(tmp_path: Path, text: str, on: date | None = None) -> Mandate:
    file = tmp_path / "m.yaml"
    file.write_text(text, encoding="utf-8")
    return load_mandate(file, on)


def estate_in(tmp_path: Path, text: str = ESTATE, **mandates: str) -> Estate:
    (tmp_path / "mandates").mkdir(exist_ok=True)
    for name, content in mandates.items():
        (tmp_path / "mandates" / f"{name}.yaml").write_text(content, encoding="utf-8")
    (tmp_path / "estate.yaml").write_text(text, encoding="utf-8")
    return load_estate(tmp_path / "estate.yaml", {})


def test_everything(tmp_path: Path) -> None:
    mandate = load(tmp_path, MANDATE)
    assert (mandate.id, mandate.status, mandate.deadline) == ("us", "in_force", date(2026, 1, 23))
    assert mandate.protects.residence == {"US"}
    rest, look, lanes = mandate.clauses
    assert rest.kind == "store"
    assert rest.countries == {"US"}
    assert rest.operators == {"Oracle"}
    assert (rest.otherwise, rest.purge, rest.line) == ("move", True, 8)
    assert look.body == {"country": ["US"], "employer": ["Oracle"], "otherwise": "deny"}
    assert lanes.body["min_group"] == 20
    assert mandate.makes_steps(date(2025, 9, 25))
    assert not mandate.makes_steps(date(2025, 9, 24))


def test_every_kind_parses_and_says_who_enforces_it(tmp_path: Path) -> None:
    mandate = load(tmp_path, EVERY_KIND, date(2026, 1, 1))
    assert tuple(clause.kind for clause in mandate.clauses) == KINDS
    store, access = mandate.clauses[:2]
    assert len(store.countries) == 27
    assert store.otherwise == "report"
    assert access.body["not_country"] == ["CN", "HK"]
    assert access.body["otherwise"] == "deny"
    assert mandate.protects.categories == ("user",)
    assert [name for name in KINDS if is_enforced(name)] == [
        "store", "use", "answer", "report", "offer", "install",
    ]  # fmt: skip
    assert enforced_by("store") == "plan, apply and verify"
    assert enforced_by("install") == "devices"
    later = [name for name in KINDS if not is_enforced(name)]
    assert all(enforced_by(name).startswith("not enforced yet: ") for name in later)
    assert all(kind(name).otherwise for name in KINDS)


def test_groups_are_those_of_the_day(tmp_path: Path) -> None:
    text = MANDATE.replace("residence: [US]", "residence: [EU]")
    assert "GB" in load(tmp_path, text, date(2020, 1, 31)).protects.residence
    assert "GB" not in load(tmp_path, text, date(2020, 2, 1)).protects.residence
    assert load(tmp_path, text, date(2020, 1, 31)).digest == load(tmp_path, text).digest


@pytest.mark.parametrize(
    ("old", "new", "key", "line", "said"),
    [
        ("status: in_force", "status: inforce", "status", 3, "Did you mean in_force?"),
        ("status: in_force\n", "", "", 1, "the key status is missing"),
        ("2025-09-25", "25-09-2025", "effective", 4, "a date written as"),
        ("2025-09-25", "2025-02-30", "effective", 4, "such as 2025-09-25"),
        ("2026-01-23", "2024-01-23", "deadline", 5, "before effective"),
        ("mandate: us", "mandate: US users", "mandate", 1, "small letters"),
        ("residence: [US]", "residence: [Korea]", "protects.residence[0]", 6, "Korea"),
        ("residence: [US]", "residance: [US]", "protects.residance", 6, "mean residence?"),
        ("[user]}", "[usr]}", "protects.categories[0]", 6, "Did you mean user?"),
        ("[user]}", "[user], age: {under: 13, from: 16}}", "protects.age", 6, "nobody"),
        ("[user]}", "[user], age: {}}", "protects.age", 6, "nothing in it"),
        ("[user]}", "[user], age: {under: 0}}", "protects.age.under", 6, "whole years"),
        ("[user]}", "[user], age: {under: sixteen}}", "protects.age.under", 6, "whole number"),
        ("store: {country: [US]", "stor: {country: [US]", "clauses[0].stor", 8, "mean store?"),
        ("store: {country", "use: {forbid: analytics}, store: {country", "clauses[0]", 8,
         "store and use, expected one"),
        ("id: rest, store: {country: [US], operator: [Oracle]}, otherwise: move, purge: true",
         "id: rest", "clauses[0]", 8, "no kind of clause"),
        ("otherwise: move, purge", "otherwise: mve, purge", "clauses[0].otherwise", 8, "mean move"),
        ("otherwise: move, purge", "otherwise: deny, purge", "clauses[0].otherwise", 8,
         "report, move, erase for a store clause"),
        ("otherwise: move, purge", "purge", "clauses[0].purge", 8, "otherwise: move"),
        ("id: look,", "id: look, purge: true,", "clauses[1].purge", 9, "is for store clauses"),
        ("id: look,", "id: rest,", "clauses[1].id", 9, "twice"),
        ("form: aggregate, ", "", "clauses[2].min_group", 10, "aggregate only"),
        ("purposes: [analytics]", "purposes: [analytcs]", "clauses[2].access.purposes[0]", 10,
         "Did you mean analytics?"),
        ("epsilon_per_day: 1", "epsilon_per_day: 0", "clauses[2].epsilon_per_day", 10, "above 0"),
        ("country: [US], op", "county: [US], op", "clauses[0].store.county", 8, "mean country?"),
        ("{country: [US], operator: [Oracle]}", "{}", "clauses[0].store", 8, "nothing in it"),
        ("{country: [US], operator: [Oracle]}", "US", "clauses[0].store", 8, "a mapping"),
        ("country: United States", "country: Texas", "clauses[1].access.country[0]", 9, "'Texas'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(
    tmp_path: Path, old: str, new: str, key: str, line: int, said: str
) -> None:
    assert old in MANDATE
    with pytest.raises(DeclarationError) as caught:
        load(tmp_path, MANDATE.replace(old, new, 1))
    assert (caught.value.key, caught.value.line) == (key, line)
    assert said in str(caught.value)


def test_the_folder_beside_the_estate(tmp_path: Path) -> None:
    second = MANDATE.replace("mandate: us", "mandate: other")
    estate = estate_in(tmp_path, b=MANDATE, a=second)
    assert [mandate.id for mandate in load_mandates(estate)] == ["other", "us"]


def test_no_mandates(tmp_path: Path) -> None:
    assert load_mandates(estate_in(tmp_path)) == ()


def test_listed_files_and_ids_replace_the_folder(tmp_path: Path) -> None:
    (tmp_path / "laws").mkdir()
    (tmp_path / "laws" / "us.yaml").write_text(MANDATE, encoding="utf-8")
    estate = estate_in(tmp_path, ESTATE + "mandates: [laws/us.yaml, clover]\n", x=EVERY_KIND)
    assert [mandate.id for mandate in load_mandates(estate)] == ["us", "clover"]


def test_extras(tmp_path: Path) -> None:
    estate = estate_in(tmp_path, us=MANDATE)
    other = tmp_path / "other.yaml"
    other.write_text(EVERY_KIND, encoding="utf-8")
    ids = [mandate.id for mandate in load_mandates(estate, ["coppa", other])]
    assert ids == ["us", "coppa", "all"]
    again = load_mandates(estate, ["us", tmp_path / "mandates" / "us.yaml"])
    assert [mandate.id for mandate in again] == ["us"]


def test_an_id_twice_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="the id us is taken"):
        load_mandates(estate_in(tmp_path, a=MANDATE, b=MANDATE))


@pytest.mark.parametrize(
    ("name", "said"),
    [("clovr", "Did you mean clover?"), ("laws/none.yaml", "no such file"), ("x.yaml", "no such")],
)
def test_a_mandate_that_is_not_there(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        load_mandates(estate_in(tmp_path), [name])
    assert said in str(caught.value)
    with pytest.raises(DeclarationError) as caught:
        load_mandates(estate_in(tmp_path, ESTATE + f"mandates: [{name}]\n"))
    assert said in str(caught.value)
    assert Path(caught.value.file).name == "estate.yaml"
    assert caught.value.line == 4


def test_a_subject_that_the_estate_lacks(tmp_path: Path) -> None:
    text = MANDATE.replace("[user]}", "[user], subjects: [custmer]}")
    with pytest.raises(DeclarationError, match="customer") as caught:
        load_mandates(estate_in(tmp_path, us=text))
    assert caught.value.line == 6
