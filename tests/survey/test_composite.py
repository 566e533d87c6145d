"""A register whose key has two columns, in two cells: rows of people who are at home already."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from domicile.cli.main import main

ESTATE = """\
estate: shops
stores:
  abroad: {url: "sqlite:abroad.db", country: IE, operator: Shop Ltd, holds: app}
  home: {url: "sqlite:home.db", country: US, operator: Trust Inc, holds: app}
subjects:
  customer: {register: app.customer, key: [shop, no], residence: country}
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
SCHEMA = """
CREATE TABLE customer (shop INTEGER, no TEXT, country TEXT, PRIMARY KEY (shop, no));
CREATE TABLE "order" (id INTEGER PRIMARY KEY, customer_no TEXT, shop INTEGER, what TEXT,
    FOREIGN KEY (customer_no, shop) REFERENCES customer (no, shop));
"""


@pytest.fixture
def estate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Customer (1, a) lives at home, and ordered abroad since; nobody knows (9, z)."""
    abroad = (
        "INSERT INTO customer VALUES (1, 'b', 'NL'); INSERT INTO \"order\" VALUES "
        "(1, 'a', 1, 'late'), (2, 'b', 1, 'x'), (3, 'z', 9, 'y'), (4, 'a', NULL, 'y');"
    )
    home = "INSERT INTO customer VALUES (1, 'a', 'US');"
    for name, rows in (("abroad", abroad), ("home", home)):
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as connection:
            connection.executescript(SCHEMA + rows)
    (tmp_path / "estate.yaml").write_text(ESTATE, encoding="utf-8")
    (tmp_path / "mandates").mkdir()
    (tmp_path / "mandates" / "us.yaml").write_text(MANDATE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_was_written_abroad_since_is_carried_home(
    estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "--json", "-o", "plan.json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    moved = [(s["op"], s["table"], s["rows"]) for s in plan["steps"]]
    assert moved == [("move", "app.order", 1)]
    lost = [u["reason"] for u in plan["unknown"] if "register" in u["reason"]]
    assert lost == ["1 key that rows refer to, in no register"]
    assert main(["apply", "plan.json", "--yes", "--quiet"]) == 0
    for name, ids in (("abroad", [2, 3, 4]), ("home", [1])):
        with closing(sqlite3.connect(estate / f"{name}.db")) as connection:
            assert [r[0] for r in connection.execute('SELECT id FROM "order" ORDER BY 1')] == ids


def test_the_map_counts_them_as_registered_elsewhere(
    estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["map", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [(p["store"], p["residence"], p["people"]) for p in document["elsewhere"]] == [
        ("abroad", "US", 1)
    ]
    (orders,) = [t for t in document["stores"][0]["tables"] if t["name"] == "app.order"]
    shares = {s["residence"] or s["whose"]: s["rows"] for s in orders["rows_by_residence"]}
    assert shares == {"US": 1, "NL": 1, "nobody": 2}
