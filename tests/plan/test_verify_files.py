"""What bytes in a live file are explained by: each address by the rows that have it."""

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
subjects:
  customer: {register: app.customer, key: id, residence: country}
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
CREATE TABLE customer (id INTEGER PRIMARY KEY, email TEXT NOT NULL, country TEXT);
CREATE TABLE liked (id INTEGER PRIMARY KEY, by_id INTEGER REFERENCES customer,
    whom_id INTEGER REFERENCES customer, words TEXT);
CREATE TABLE log (line TEXT);
"""
ROWS = """
INSERT INTO customer VALUES (1, 'amy@first.example', 'US'), (2, 'bea@other.example', 'NL'),
    (3, 'ann@second.example', 'US');
INSERT INTO liked VALUES (1, 1, 2, 'from Amy@first.example');
"""
TEXT = "INSERT INTO log VALUES ('ann@second.example logged in')"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """After a move: Amy's like of Bea is held, with her address in its text."""
    for name, rows in (("abroad", ROWS), ("home", "")):
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as connection:
            connection.executescript(SCHEMA + rows)
    (tmp_path / "estate.yaml").write_text(ESTATE, encoding="utf-8")
    (tmp_path / "mandates").mkdir()
    (tmp_path / "mandates" / "us.yaml").write_text(MANDATE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "--quiet", "-o", "plan.json"]) == 0
    assert main(["apply", "plan.json", "--yes", "--quiet"]) == 0
    return tmp_path


def write(place: Path, *statements: str) -> None:
    with closing(sqlite3.connect(place / "abroad.db")) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        for statement in statements:
            connection.execute(statement)
            connection.commit()


def files(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """Status and detail of the check of the source's files."""
    capsys.readouterr()
    main(["verify", "--json"])
    checks = json.loads(capsys.readouterr().out)["checks"]
    (found,) = [c for c in checks if c["name"] == "files abroad"]
    return found["status"], found["detail"]


def test_a_held_row_explains_the_address_that_it_has(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, detail = files(capsys)
    assert (status, detail) == (
        "held",
        "1 occurrence of 1 e-mail address of people who went home, in 1 file: in rows named above",
    )


def test_and_no_other(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(place, TEXT, "DELETE FROM log")  # the bytes stay in the page
    status, detail = files(capsys)
    assert status == "failed"
    assert detail.startswith("2 occurrences of 2 e-mail addresses of people who went home")
    assert detail.endswith(": 1 of these addresses in no row that stays; apply again to purge them")
    assert "@" not in detail


def test_a_text_that_no_key_leads_from_explains_its_own(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(place, TEXT)
    assert files(capsys)[0] == "held"
    write(place, "UPDATE liked SET words = 'nothing'", "VACUUM")
    status, detail = files(capsys)
    assert status == "unknown"
    assert detail.startswith("1 occurrence of 1 e-mail address of")


def test_a_held_row_without_an_address_explains_nothing(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(place, TEXT, "DELETE FROM log", "UPDATE liked SET words = 'xxxxxxxxxxxxxxxxxxxxxx'")
    status, detail = files(capsys)
    assert status == "failed"
    assert detail.endswith(", in 1 file: apply again to purge them")
