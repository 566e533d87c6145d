"""`joint: split` as somebody who runs it sees it: the plan, both stores, the log, and after."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from domicile.cli.main import main
from domicile.evidence.place import read_log

SCHEMA = """
CREATE TABLE person (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, country TEXT);
CREATE TABLE video (id INTEGER PRIMARY KEY, owner INTEGER REFERENCES person (id), title TEXT);
CREATE TABLE comment (id INTEGER PRIMARY KEY, writer INTEGER REFERENCES person (id),
                      video INTEGER REFERENCES video (id), body TEXT NOT NULL, address TEXT,
                      mood INTEGER REFERENCES mood (id), CHECK (body <> ''));
CREATE TABLE mood (id INTEGER PRIMARY KEY, name TEXT);
"""
ROWS = """
INSERT INTO person VALUES (1, 'amy@people.example', 'US'), (2, 'bea@people.example', 'NL');
INSERT INTO video VALUES (1, 1, 'of Amy'), (2, 2, 'of Bea');
INSERT INTO mood VALUES (1, 'calm');
INSERT INTO comment VALUES (1, 1, 1, 'Amy to herself', '10.0.0.1', 1), (2, 1, 2, 'Amy to Bea',
  '10.0.0.1', 1), (3, 2, 1, 'Bea to Amy', '10.0.0.2', 1), (4, 2, 2, 'Bea', '10.0.0.2', NULL);
"""
ESTATE = """
estate: two
stores:
  abroad: {{url: "sqlite:abroad.db", country: SG, operator: X, holds: app}}
  texas: {{url: "sqlite:texas.db", country: US, operator: Y, holds: app}}
subjects:
  person: {{register: app.person, key: id, residence: country}}
tables:
  app.comment: {{joint: split, author: writer{keep}}}
"""
MANDATE = """
mandate: us
title: made up
issuer: nobody
citation: none
status: voluntary
effective: 2025-01-01
protects: {residence: [US], categories: [user]}
clauses:
  - {id: rest, store: {country: [US]}, otherwise: move, purge: true}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two people who comment on each other's videos, all of it abroad; `keep: [body]`."""
    for name in ("abroad", "texas"):
        sql(tmp_path, name, SCHEMA + (ROWS if name == "abroad" else ""))
    (tmp_path / "mandates").mkdir()
    (tmp_path / "estate.yaml").write_text(ESTATE.format(keep=", keep: [body]"))
    (tmp_path / "mandates" / "us.yaml").write_text(MANDATE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sql(place: Path, store: str, script: str) -> None:
    """Run statements in a store, as an application would."""
    with sqlite3.connect(place / f"{store}.db") as connection:
        connection.executescript(script)
    connection.close()


def rows(place: Path, store: str, table: str) -> list[tuple[Any, ...]]:
    """A table's rows, in order."""
    with sqlite3.connect(place / f"{store}.db") as connection:
        found = connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()
    connection.close()
    return found


def planned(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """A new plan, in `p.json`."""
    capsys.readouterr()
    assert main(["plan", "-o", "p.json", "--json"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def apply() -> None:
    """Carry out `p.json`."""
    assert main(["apply", "p.json", "--yes", "--quiet"]) == 0


def steps(plan: dict[str, Any], op: str) -> list[tuple[str, str | None, int]]:
    """Table, store and rows of the steps of one operation."""
    return [(s["table"], s["to"], s["rows"]) for s in plan["steps"] if s["op"] == op]


def test_each_side_keeps_its_own_and_a_copy_of_the_other(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = planned(capsys)
    assert steps(plan, "split") == [("app.comment", "texas", 1), ("app.comment", "abroad", 1)]
    assert steps(plan, "move") == [
        ("app.comment", "texas", 2), ("app.person", "texas", 1), ("app.video", "texas", 1),
    ]  # fmt: skip
    assert plan["held"] == []
    apply()
    # The copies: key, author, video and what was published; no address, no mood.
    assert rows(place, "abroad", "comment") == [
        (2, 1, 2, "Amy to Bea", None, None),
        (3, 2, 1, "Bea to Amy", "10.0.0.2", 1), (4, 2, 2, "Bea", "10.0.0.2", None),
    ]  # fmt: skip
    assert rows(place, "texas", "comment") == [
        (1, 1, 1, "Amy to herself", "10.0.0.1", 1), (2, 1, 2, "Amy to Bea", "10.0.0.1", 1),
        (3, 2, 1, "Bea to Amy", None, None),
    ]  # fmt: skip
    for store, stub in (("abroad", 1), ("texas", 2)):  # the pseudonymous author
        found = {r[0]: r[1:] for r in rows(place, store, "person")}
        assert found[stub][0].startswith("stub-")
        assert found[stub][1] is None
    assert planned(capsys)["steps"] == []
    said = [
        (e["operation"], e.get("store") or e["to"], e["rows"])
        for _, e in read_log(place / ".domicile").entries()
        if e["kind"] == "batch" and e["operation"] == "split"
    ]
    assert said == [("split", "texas", 1), ("split", "abroad", 1)]


def test_verify_names_the_copies(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planned(capsys)
    apply()
    capsys.readouterr()
    assert main(["verify", "--json"]) == 0
    checks = {c["name"]: c for c in json.loads(capsys.readouterr().out)["checks"]}
    check = checks["split abroad app.comment"]
    assert check["status"] == "ok"
    assert check["detail"].startswith("1 rows are pseudonymised copies")
    assert check["detail"].endswith("kept of it: body")


def test_nothing_is_kept_unless_it_is_named(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "estate.yaml").write_text(ESTATE.format(keep=""))
    planned(capsys)
    apply()
    copy = next(r for r in rows(place, "abroad", "comment") if r[0] == 2)
    assert copy[:3] == (2, 1, 2)
    assert copy[3].startswith("stub-")
    assert copy[4:] == (None, None)


def test_a_copy_is_completed_when_its_author_comes(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bea moves to the US: her comment takes the place of its copy at home, and the copy that
    Amy's left abroad is still a copy, of which the next plan wants nothing."""
    planned(capsys)
    apply()
    sql(place, "abroad", "UPDATE person SET country = 'US' WHERE id = 2")
    plan = planned(capsys)
    assert {t: n for t, _, n in steps(plan, "move")}["app.comment"] == 2
    apply()
    assert [r[3:5] for r in rows(place, "texas", "comment")] == [
        ("Amy to herself", "10.0.0.1"), ("Amy to Bea", "10.0.0.1"), ("Bea to Amy", "10.0.0.2"),
        ("Bea", "10.0.0.2"),
    ]  # fmt: skip
    assert planned(capsys)["held"] == []


def test_a_copy_that_an_application_wrote_to_is_held(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was kept and then changed is no copy any more: two rows differ under one key."""
    planned(capsys)
    apply()
    sql(place, "abroad", "UPDATE comment SET body = 'moderated' WHERE id = 2")
    plan = planned(capsys)
    assert plan["steps"] == []
    held = [(h["table"], h["code"], h["rows"]) for h in plan["held"]]
    assert held == [("app.comment", "collision", 1)]


def test_whoever_is_erased_leaves_no_copy(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "mandates" / "us.yaml").write_text(MANDATE.replace("move", "erase"))
    assert steps(planned(capsys), "split") == []
    apply()
    assert [r[0] for r in rows(place, "abroad", "comment")] == [3, 4]


def test_a_column_to_keep_that_is_not_there_is_an_error(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "estate.yaml").write_text(ESTATE.format(keep=", keep: [words]"))
    assert main(["plan", "--quiet"]) == 2
    said = capsys.readouterr().err
    assert "no column words in app.comment" in said
    assert "tables.app.comment.keep" in said
