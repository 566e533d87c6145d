"""Links that hold for some rows only (`commentable_type`), and links of several columns."""

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
  member: {register: app.members, key: [club, no], residence: country}
links:
  - {from: [app.posts.club, app.posts.member_no], to: member}
  - {from: [app.photos.club, app.photos.member_no], to: [app.members.club, app.members.no]}
  - {from: app.comments.about_id, to: app.posts.id, where: {about_type: [Post, Page]}}
  - {from: app.comments.about_id, to: app.photos.id, where: {about_type: Photo}}
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
CREATE TABLE members (club INTEGER, no TEXT, country TEXT, PRIMARY KEY (club, no));
CREATE TABLE posts (id INTEGER PRIMARY KEY, club INTEGER, member_no TEXT, body TEXT);
CREATE TABLE photos (id INTEGER PRIMARY KEY, club INTEGER, member_no TEXT, file TEXT);
CREATE TABLE comments (id INTEGER PRIMARY KEY, about_type TEXT, about_id INTEGER, body TEXT);
"""
ROWS = """
INSERT INTO members VALUES (1, 'a', 'US'), (1, 'b', 'NL'), (2, 'a', 'NL');
INSERT INTO posts VALUES (1, 1, 'a', 'hers'), (2, 1, 'b', 'x'), (3, 2, 'a', 'y');
INSERT INTO photos VALUES (1, 1, 'b', 'x.jpg'), (2, 1, 'a', 'hers.jpg');
INSERT INTO comments VALUES (1, 'Post', 1, 'hers'), (2, 'Photo', 1, 'x'), (3, 'Photo', 2, 'hers'),
    (4, 'Post', 2, 'x'), (5, 'Page', 1, 'hers'), (6, 'Club', 1, 'nobody'), (7, NULL, 1, 'nobody');
"""


@pytest.fixture
def estate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """(1, a) is to go home: with post 1, photo 2, and comments 1, 3 and 5."""
    for name, rows in (("abroad", ROWS), ("home", "")):
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as connection:
            connection.executescript(SCHEMA + rows)
    (tmp_path / "estate.yaml").write_text(ESTATE, encoding="utf-8")
    (tmp_path / "mandates").mkdir()
    (tmp_path / "mandates" / "us.yaml").write_text(MANDATE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ids(path: Path) -> dict[str, list[int]]:
    with closing(sqlite3.connect(path)) as connection:
        return {
            table: [row[0] for row in connection.execute(f"SELECT id FROM {table} ORDER BY id")]
            for table in ("posts", "photos", "comments")
        }


def test_rows_follow_the_link_of_their_type(
    estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "-o", "plan.json", "--quiet"]) == 0
    assert main(["apply", "plan.json", "--yes", "--quiet"]) == 0
    assert ids(estate / "home.db") == {"posts": [1], "photos": [2], "comments": [1, 3, 5]}
    assert ids(estate / "abroad.db") == {"posts": [2, 3], "photos": [1], "comments": [2, 4, 6, 7]}
    capsys.readouterr()
    assert main(["verify", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


def test_the_map_says_for_which_rows_a_route_is(
    estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["map", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    tables = {t["name"]: t for t in document["stores"][0]["tables"]}
    route = tables["app.comments"]["owner"]["route"]
    assert route == "about_id[about_type Photo].club+member_no → member"


def test_a_condition_on_a_column_that_is_not_there(
    estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = ESTATE.replace("about_type: Photo", "about_kind: Photo")
    (estate / "estate.yaml").write_text(text, encoding="utf-8")
    assert main(["plan"]) == 2
    said = capsys.readouterr().err
    assert "links[3].where: no column about_kind in app.comments" in said
