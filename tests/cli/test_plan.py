"""`domicile plan` and `domicile verify` as a person reads them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from domicile.cli.main import main

ESTATE = """\
estate: shop
stores:
  abroad: {url: "sqlite:abroad.db", country: IE, operator: Shop Ltd, holds: app}
  home: {url: "sqlite:home.db", country: US, operator: Trust Inc, holds: app}
  watched: {url: "sqlite:watched.db", country: IE, operator: Shop Ltd, holds: events}
subjects:
  customer: {register: app.customer, key: id, residence: country}
links:
  - {from: events.watch.customer_id, to: customer}
"""
MANDATE = """\
mandate: us
title: A made-up mandate
status: voluntary
effective: 2026-01-01
protects: {residence: [US]}
clauses:
  - {id: rest, store: {country: [US]}, otherwise: move}
"""
CUSTOMER = "CREATE TABLE customer (id INTEGER PRIMARY KEY, email TEXT NOT NULL, country TEXT);"
WATCH = "CREATE TABLE watch (id INTEGER PRIMARY KEY, customer_id INTEGER, seconds INTEGER);"


@pytest.fixture
def estate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person of unknown residence, whose events are in a store of another schema."""
    for name, script in (
        ("abroad", CUSTOMER + "INSERT INTO customer VALUES (1, 'amy@example.org', NULL);"),
        ("home", CUSTOMER),
        ("watched", WATCH + "INSERT INTO watch VALUES (1, 1, 30);"),
    ):
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as connection:
            connection.executescript(script)
    (tmp_path / "estate.yaml").write_text(ESTATE, encoding="utf-8")
    (tmp_path / "mandates").mkdir()
    (tmp_path / "mandates" / "us.yaml").write_text(MANDATE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_people_registered_elsewhere_are_named_by_their_register(
    estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    doubtful = [u for u in document["unknown"] if "residence" in u["reason"]]
    assert {(u["store"], u["table"]) for u in doubtful} == {
        ("abroad", "app.customer"),
        ("watched", "app.customer"),
    }
    unknown = [f for f in document["findings"] if f["state"] == "unknown"]
    assert {(f["table"], f["subject"]) for f in unknown} == {("app.customer", "customer")}


def test_a_plan_without_steps_says_why_check_fails(
    estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "--check"]) == 1
    said = capsys.readouterr().out
    assert "Breaks a clause" not in said
    assert "No steps" in said
    assert "`--check` exits with 1" in said


def test_a_store_without_references_is_not_said_to_hold_all_of_them(
    estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "--json"]) == 0
    checks = {c["name"]: c["detail"] for c in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["keys watched"] == "no reference that a store holds"


def test_a_log_that_is_checked_alone_says_nothing_of_stores(
    estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan"]) == 0
    (estate / "abroad.db").unlink()
    capsys.readouterr()
    place = estate / ".domicile"
    given = ["--evidence", str(place / "evidence"), "--key", str(place / "keys" / "log.vkey")]
    assert main(["verify", *given]) == 0
    said = capsys.readouterr().out
    assert "No store was opened" in said
    assert "Clean" not in said


def test_an_estate_without_a_home_is_told_which_store_to_add(
    estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(estate / "abroad.db")) as connection, connection:
        connection.execute("INSERT INTO customer VALUES (2, 'bea@example.org', 'US')")
    lines = ESTATE.splitlines(keepends=True)
    alone = "".join(line for line in lines if "home:" not in line and "watched:" not in line)
    (estate / "estate.yaml").write_text(alone.split("links:")[0], encoding="utf-8")
    law = MANDATE.replace("residence: [US]", "residence: [US], categories: [user.contact]")
    law = law.replace("country: [US]}, other", "country: [US], operator: [Trust Inc]}, other")
    (estate / "mandates" / "us.yaml").write_text(law, encoding="utf-8")
    assert main(["plan", "--check"]) == 1
    said = capsys.readouterr()
    wanted = "add a store to estate.yaml with `holds: app`, country US, operator Trust Inc"
    assert wanted in " ".join(said.out.split())
    assert "a person moves whole" in " ".join(said.err.split())
    assert main(["plan", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [(h["code"], h["rows"]) for h in document["held"]] == [("no home", 1)]
    assert {f["state"] for f in document["findings"]} == {"held", "unknown"}
    assert document["homes_wanted"] == [
        {"holds": "app", "country": ["US"], "operator": ["Trust Inc"], "possible": True, "by": "us"}
    ]
    # Two mandates that no store can satisfy together.
    other = law.replace("mandate: us", "mandate: ca").replace(
        "country: [US], op", "country: [CA], op"
    )
    (estate / "mandates" / "ca.yaml").write_text(other, encoding="utf-8")
    assert main(["plan"]) == 0
    said = capsys.readouterr()
    assert "no store can be declared for `holds: app` that ca, us allow" in " ".join(
        said.out.split()
    )
