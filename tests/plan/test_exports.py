"""The copy of an address that two people share: one goes, the other is kept out of there."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from domicile.cli.main import main

ESTATE = """\
estate: shop
stores:
  abroad: {url: "sqlite:abroad.db", country: IE, operator: Shop Ltd, holds: app}
  home: {url: "sqlite:home.db", country: US, operator: Trust Inc, holds: app}
subjects:
  customer: {register: app.customer, key: id, residence: country}
tables:
  app.address: {role: attachment}
"""
MANDATE = """\
mandate: %s
title: A made-up mandate
status: voluntary
effective: %s
protects: {residence: [%s]}
clauses:
  - {id: rest, store: {country: [%s]}, otherwise: move}
"""
SCHEMA = """
CREATE TABLE address (id INTEGER PRIMARY KEY, street TEXT);
CREATE TABLE customer (id INTEGER PRIMARY KEY, country TEXT, address_id INTEGER REFERENCES address);
CREATE TABLE buy (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customer);
"""
ROWS = """
INSERT INTO address VALUES (1, 'shared by 1 and 2'), (2, 'of 3'), (3, 'shared by 4 and 5');
INSERT INTO customer VALUES (1, 'US', 1), (2, 'NL', 1), (3, 'US', 2), (4, 'US', 3), (5, 'SE', 3);
INSERT INTO buy VALUES (1, 1), (2, 2), (3, 3), (4, 4);
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Dutch people are kept out of the United States, Swedes are not."""
    for name, rows in (("abroad", ROWS), ("home", "")):
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as connection:
            connection.executescript(SCHEMA + rows)
    (tmp_path / "estate.yaml").write_text(ESTATE, encoding="utf-8")
    (tmp_path / "mandates").mkdir()
    monkeypatch.chdir(tmp_path)
    declare(tmp_path, "us", "US", "US")
    return tmp_path


def declare(place: Path, name: str, people: str, store: str, since: str = "2026-01-01") -> None:
    text = MANDATE % (name, since, people, store)
    (place / "mandates" / f"{name}.yaml").write_text(text, encoding="utf-8")


def plan(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["plan", "--json", "-o", "plan.json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def steps(document: dict[str, Any]) -> set[tuple[str, str, int]]:
    return {(s["op"], s["table"], s["rows"]) for s in document["steps"]}


def test_a_copy_that_another_mandate_forbids_is_not_made(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    declare(place, "nl", "NL", "IE")
    document = plan(capsys)
    held = {(h["table"], h["code"], h["rows"]) for h in document["held"]}
    assert held == {("app.customer", "export", 1), ("app.buy", "export", 1)}
    assert steps(document) == {
        ("move", "app.customer", 2), ("move", "app.buy", 2), ("move", "app.address", 1),
        ("copy", "app.address", 1),
    }  # fmt: skip
    assert main(["apply", "plan.json", "--yes", "--quiet"]) == 0
    with closing(sqlite3.connect(place / "home.db")) as home:
        assert home.execute("SELECT id FROM address ORDER BY id").fetchall() == [(2,), (3,)]
    with closing(sqlite3.connect(place / "abroad.db")) as abroad:
        assert abroad.execute("SELECT id FROM customer ORDER BY id").fetchall() == [
            (1,), (2,), (5,)
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("store", "since"), [("IE, US", "2026-01-01"), ("IE", "2999-01-01")],
    ids=["it allows the home", "it is not in effect"],
)  # fmt: skip
def test_a_mandate_that_does_not_forbid_it_changes_nothing(
    place: Path, capsys: pytest.CaptureFixture[str], store: str, since: str
) -> None:
    declare(place, "nl", "NL", store, since)
    document = plan(capsys)
    assert document["held"] == []
    assert steps(document) == {
        ("move", "app.customer", 3), ("move", "app.buy", 3), ("move", "app.address", 1),
        ("copy", "app.address", 2),
    }  # fmt: skip
