"""A link to a column that several rows share: what refers to them is about all of their people."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from domicile.cli.main import main

ESTATE = """\
estate: clubs
stores:
  abroad: {url: "sqlite:abroad.db", country: IE, operator: Club Ltd, holds: app}
  home: {url: "sqlite:home.db", country: US, operator: Trust Inc, holds: app}
subjects:
  member: {register: app.members, key: id, residence: country}
links:
  - {from: app.mails.address, to: app.members.mail}
"""
MANDATE = """\
mandate: us
title: A made-up mandate
status: voluntary
effective: 2026-01-01
protects: {residence: [US]}
clauses:
  - {id: rest, store: {country: [US]}, otherwise: move, purge: true}
"""
SCHEMA = """
CREATE TABLE members (id INTEGER PRIMARY KEY, mail TEXT, country TEXT);
CREATE TABLE mails (id INTEGER PRIMARY KEY, address TEXT, body TEXT);
CREATE TABLE opened (id INTEGER PRIMARY KEY, mail INTEGER REFERENCES mails);
"""
ROWS = """
INSERT INTO members VALUES (1, 'a', 'US'), (2, 'b', 'NL'), (3, 'a', 'NL'), (4, 'c', 'US'),
  (5, 'c', 'US');
INSERT INTO mails VALUES (1, 'a', 'joint'), (2, 'b', 'stays'), (3, 'c', 'both American');
INSERT INTO opened SELECT id, id FROM mails;
"""


def test_one_row_of_two_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, rows in (("abroad", ROWS), ("home", "")):
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as connection:
            connection.executescript(SCHEMA + rows)
    (tmp_path / "estate.yaml").write_text(ESTATE, encoding="utf-8")
    (tmp_path / "mandates").mkdir()
    (tmp_path / "mandates" / "us.yaml").write_text(MANDATE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "-o", "plan.json", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    moves = {s["table"]: s["rows"] for s in plan["steps"] if s["op"] == "move"}
    # The American who shares an address with a Dutch member goes; the joint mail is held.
    assert moves == {"app.members": 3, "app.mails": 1, "app.opened": 1}
    assert {h["table"]: h["rows"] for h in plan["held"]} == {"app.mails": 1, "app.opened": 1}
    assert main(["apply", "plan.json", "--yes", "--quiet"]) == 0
    for name, expected in (("abroad", [1, 2]), ("home", [3])):
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as connection:
            for table in ("mails", "opened"):
                found = connection.execute(f"SELECT id FROM {table} ORDER BY id").fetchall()
                assert [row[0] for row in found] == expected, (name, table)
