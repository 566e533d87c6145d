"""`domicile check`: what is listed, what is warned of, and how it fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from domicile.cli.main import main

ESTATE = """\
estate: shop
controller: {name: Shop Ltd, country: SG}
stores:
  abroad: {url: "postgresql://ana:hunter2@127.0.0.1/app", country: SG, operator: Shop Ltd, holds: app}
  home: {url: "sqlite:home.db", country: US, operator: Oracle, holds: app}
subjects:
  customer: {register: app.customer, key: id, residence: country, born: born}
"""  # noqa: E501 - one store a line, as people write it
MANDATE = """\
mandate: us
title: US people at home
status: in_force
effective: 2025-09-25
deadline: 2026-01-23
protects: {residence: [US]}
clauses:
  - {id: rest, store: {country: [US], operator: [Oracle]}, otherwise: move, verified: true}
  - {id: look, access: {country: [US]}}
"""


@pytest.fixture
def estate(tmp_path: Path) -> Path:
    file = tmp_path / "estate.yaml"
    file.write_text(ESTATE, encoding="utf-8")
    (tmp_path / "mandates").mkdir()
    (tmp_path / "mandates" / "us.yaml").write_text(MANDATE, encoding="utf-8")
    return file


def checked(estate: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    arguments = ["check", "--estate", str(estate), "--as-of", "2026-01-01", "--json", *more]
    assert main(arguments) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_what_is_listed(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = checked(estate, capsys)
    assert document["estate"] == "shop"
    assert [store["country"] for store in document["stores"]] == ["SG", "US"]
    assert document["subjects"][0]["residence"] == "country"
    (mandate,) = document["mandates"]
    assert (mandate["id"], mandate["makes_steps"]) == ("us", True)
    rest, look = mandate["clauses"]
    assert (rest["enforced"], rest["enforced_by"]) == (True, "plan, apply and verify")
    assert (rest["verified"], rest["otherwise"]) == (True, "move")
    assert not look["enforced"]
    assert look["enforced_by"].startswith("not enforced yet")
    assert document["conflicts"] == []


def test_for_people(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--estate", str(estate), "--as-of", "2026-02-01"]) == 0
    printed = capsys.readouterr()
    assert "us/rest" in printed.out
    assert "not enforced yet" in printed.out
    assert "the deadline 2026-01-23 was 9 days ago" in printed.err
    assert "hunter2" not in printed.out + printed.err


def test_warnings(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    warnings = "\n".join(checked(estate, capsys)["warnings"])
    assert "store home: the operator Oracle is not declared" in warnings
    assert "store abroad (SG, Shop Ltd): no store clause allows" in warnings
    assert "store home (US" not in warnings
    assert "deadline" not in warnings


def test_a_mandate_for_few_categories_moves_whole_people(
    estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "mandate us: protects user.contact only, but a person moves whole"
    assert said not in "\n".join(checked(estate, capsys)["warnings"])
    file = estate.parent / "mandates" / "us.yaml"
    narrow = MANDATE.replace("residence: [US]}", "residence: [US], categories: [user.contact]}")
    file.write_text(narrow, encoding="utf-8")
    assert said in "\n".join(checked(estate, capsys)["warnings"])


def test_no_warning_without_reason(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = ESTATE.replace("country: SG, operator: Shop Ltd", "country: US, operator: Oracle")
    estate.write_text(text + "organisations: {Oracle: {country: US}}\n", encoding="utf-8")
    assert checked(estate, capsys)["warnings"] == []


def test_no_mandate_and_no_subject(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (estate.parent / "mandates" / "us.yaml").unlink()
    estate.write_text(ESTATE.partition("subjects")[0], encoding="utf-8")
    warnings = "\n".join(checked(estate, capsys)["warnings"])
    assert "no mandate" in warnings
    assert "no subjects are declared" in warnings


def test_a_missing_birth_date(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    estate.write_text(ESTATE.replace(", born: born", ""), encoding="utf-8")
    assert "birth date" not in str(checked(estate, capsys)["warnings"])
    assert "birth date" in str(checked(estate, capsys, "--mandate", "coppa")["warnings"])


def test_a_clause_without_a_store(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = checked(estate, capsys, "--mandate", "clover")
    assert any("clover/rest: no declared store" in each for each in document["warnings"])


def test_a_conflict_with_its_person(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    children = MANDATE.replace("mandate: us", "mandate: kids").replace(
        "country: [US]", "country: NL"
    )
    children = children.replace("residence: [US]", "age: {under: 16}").replace(", deadline", "")
    (estate.parent / "kids.yaml").write_text(children, encoding="utf-8")
    document = checked(estate, capsys, "--mandate", str(estate.parent / "kids.yaml"))
    assert [conflict["about"] for conflict in document["conflicts"]] == ["rest", "look"]
    for conflict in document["conflicts"]:
        assert conflict["in_law"]
        assert conflict["example"]["residence"] == "US"
        assert conflict["who"].startswith("a child of ")
        assert "extends" in conflict["resolve"]
        assert {each["mandate"] for each in conflict["clauses"]} == {"us", "kids"}


def test_a_bad_declaration_exits_2_with_its_line(
    estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (estate.parent / "mandates" / "us.yaml").write_text(
        MANDATE.replace("otherwise: move", "otherwise: mov"), encoding="utf-8"
    )
    assert main(["check", "--estate", str(estate), "--json"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "us.yaml:8: clauses[0].otherwise: got 'mov'" in printed.err
    assert "Did you mean move?" in printed.err


def test_no_estate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--estate", str(tmp_path / "estate.yaml")]) == 2
    assert "no such file" in capsys.readouterr().err
