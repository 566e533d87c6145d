"""One store, several mandates: some people move to one home, some to another, some are erased."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from domicile.cli.main import main
from domicile.evidence.place import read_log, state_directory

SCHEMA = """
CREATE TABLE person (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, country TEXT, born TEXT);
CREATE TABLE post (id INTEGER PRIMARY KEY, person_id INTEGER NOT NULL REFERENCES person (id)
                   ON DELETE CASCADE, txt TEXT);
CREATE TABLE likes (post_id INTEGER REFERENCES post (id), person_id INTEGER REFERENCES person (id),
                    PRIMARY KEY (post_id, person_id));
"""

PEOPLE = [
    (1, "US", "1990-01-01"),  # moves to b
    (2, "NL", "2015-01-01"),  # a child: erased
    (3, "NL", "1980-01-01"),  # moves to c
    (4, None, "2001-01-01"),  # unknown: stays
    (5, "Germany", "2012-05-05"),  # moves to c
    (6, "uk", "2012-05-05"),  # moves to c
    (7, "Atlantis", "1999-01-01"),  # no country that we know: stays
]

ESTATE = """
estate: several
stores:
  a: {url: "sqlite:a.db", country: SG, operator: X, holds: app}
  b: {url: "sqlite:b.db", country: US, operator: Y, holds: app}
  c: {url: "sqlite:c.db", country: IE, operator: Z, holds: app}
subjects:
  person: {register: app.person, key: id, residence: country, born: born}
"""

MANDATE = """
mandate: {id}
title: made up
issuer: nobody
citation: none
status: voluntary
effective: 2025-01-01
protects: {{{protects}, categories: [user]}}
clauses:
  - {{id: rest, store: {{country: [{country}]}}, otherwise: {otherwise}, purge: true}}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The estate, with all rows in `a`."""
    for name in "abc":
        with sqlite3.connect(tmp_path / f"{name}.db") as connection:
            connection.executescript(SCHEMA)
            if name == "a":
                for n, country, born in PEOPLE:
                    row = (n, f"p{n}@people.example", country, born)
                    connection.execute("INSERT INTO person VALUES (?, ?, ?, ?)", row)
                    connection.execute("INSERT INTO post VALUES (?, ?, ?)", (10 * n, n, f"hi {n}"))
                likes = [(10, 2), (20, 1), (30, 5), (50, 5), (60, 5)]
                connection.executemany("INSERT INTO likes VALUES (?, ?)", likes)
        connection.close()
    (tmp_path / "mandates").mkdir()
    (tmp_path / "estate.yaml").write_text(ESTATE)
    for number, (protects, country, otherwise) in enumerate([
        ("residence: [US]", "US", "move"),
        ("residence: [EEA, GB]", "EU", "move"),
        ("residence: [NL], age: {under: 16}", "AQ", "erase"),
    ]):  # fmt: skip
        text = MANDATE.format(
            id=f"m{number}", protects=protects, country=country, otherwise=otherwise
        )
        (tmp_path / "mandates" / f"m{number}.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(place: Path, store: str, table: str) -> list[tuple[Any, ...]]:
    """A table's rows, in order."""
    with sqlite3.connect(place / f"{store}.db") as connection:
        found = connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
    connection.close()
    return found


def test_each_goes_where_its_mandate_says(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "-o", "p.json", "--quiet"]) == 0
    assert main(["apply", "p.json", "--yes", "--quiet"]) == 0
    assert [r[0] for r in rows(place, "b", "person")] == [1]
    assert [r[0] for r in rows(place, "c", "person")] == [3, 5, 6]
    assert rows(place, "c", "likes") == [(30, 5), (50, 5), (60, 5)]
    left = {r[0]: r[1] for r in rows(place, "a", "person")}
    # 1 and 2 left stubs: the held likes point at them.
    assert sorted(left) == [1, 2, 4, 7]
    assert "p1@people.example" not in left.values()
    assert "p2@people.example" not in left.values()
    capsys.readouterr()


def test_rows_about_somebody_erased_and_somebody_else_stay_held(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Erasing one of two people does not decide about the other's row: not within the same run,
    whose plan said held, and not by the next plan."""
    assert main(["plan", "-o", "p.json", "--quiet"]) == 0
    assert main(["apply", "p.json", "--yes", "--quiet"]) == 0
    assert rows(place, "a", "likes") == [(10, 2), (20, 1)]
    assert rows(place, "b", "likes") == []
    capsys.readouterr()
    assert main(["plan", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["steps"] == []
    assert [(h["table"], h["rows"]) for h in plan["held"]] == [("app.likes", 2)]


def test_a_stub_that_the_application_wrote_to_is_held(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Post 10 went home and left a stub; what is written to the stub is no part of the post there,
    so the two differ under one key, and nobody guesses which is right."""
    assert main(["plan", "-o", "p.json", "--quiet"]) == 0
    assert main(["apply", "p.json", "--yes", "--quiet"]) == 0
    with sqlite3.connect(place / "a.db") as connection:
        connection.execute("UPDATE post SET txt = 'written later' WHERE id = 10")
    connection.close()
    capsys.readouterr()
    assert main(["plan", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["steps"] == []
    held = {(h["table"], h["code"]): h["rows"] for h in plan["held"]}
    assert held == {("app.likes", "joint"): 2, ("app.post", "collision"): 1}


def test_the_cap_counts_what_the_plan_counts(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "-o", "p.json", "--quiet"]) == 0
    plan = json.loads((place / "p.json").read_text())
    ops = {s["op"] for s in plan["steps"]}
    assert {"move", "erase", "stub"} <= ops  # stubs are left for the held likes
    rows = plan["cost"]["rows"]
    assert rows == sum(s["rows"] for s in plan["steps"])
    capsys.readouterr()
    assert main(["apply", "p.json", "--yes", "--quiet", "--max-rows", str(rows - 1)]) == 4
    assert f"{rows} rows would be touched" in capsys.readouterr().err
    assert main(["apply", "p.json", "--yes", "--quiet", "--max-rows", str(rows)]) == 0


def test_the_log_says_how_files_were_purged(place: Path) -> None:
    assert main(["plan", "-o", "p.json", "--quiet"]) == 0
    assert main(["apply", "p.json", "--yes", "--quiet"]) == 0
    log = read_log(state_directory(place / "estate.yaml"))
    purges = [e for _, e in log.entries() if e["kind"] == "purge"]
    assert [(e["store"], e["method"], e["outcome"]) for e in purges] == [("a", "vacuum", "done")]


def test_the_map_knows_whom_stubs_stand_for(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the plan does, which holds the likes as rows about two people."""
    assert main(["plan", "-o", "p.json", "--quiet"]) == 0
    assert main(["apply", "p.json", "--yes", "--quiet"]) == 0
    capsys.readouterr()
    assert main(["map", "--json"]) == 0
    abroad = json.loads(capsys.readouterr().out)["stores"][0]["tables"]
    split = {
        t["name"]: {s["whose"]: (s["people"], s["rows"]) for s in t["rows_by_residence"]}
        for t in abroad
    }
    assert split == {
        "app.likes": {"several": (2, 2)},
        "app.post": {"unknown": (2, 2)},
        "app.person": {"unknown": (2, 2)},
    }
    assert {t["name"]: t["rows"] for t in abroad} == {
        "app.likes": 2, "app.post": 2, "app.person": 2,
    }  # fmt: skip
