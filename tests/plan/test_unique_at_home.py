"""A unique key that is not the primary one is a key too: who has its value at home is not pushed
aside, and does not stop the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import MakeDatabase
from tests.e2e.support import Estate, name_of, sqlite
from tests.servers import TestServer

BODY = """\
subjects:
  person: {register: app.person, key: id, residence: country}
"""
SCHEMA = """\
CREATE TABLE mood (id integer PRIMARY KEY, word text NOT NULL UNIQUE);
CREATE TABLE person (id integer PRIMARY KEY, email text UNIQUE, country text);
CREATE TABLE note (id integer PRIMARY KEY, person integer REFERENCES person,
  mood integer REFERENCES mood);
"""
ROWS = """\
INSERT INTO mood VALUES (1, 'glad'), (2, 'sad');
INSERT INTO person VALUES (1, 'a@one.example', 'US'), (2, 'b@two.example', 'US'),
  (3, 'c@three.example', 'US'), (4, NULL, 'US'), (5, 'd@four.example', 'NL');
INSERT INTO note VALUES (1, 1, 1), (2, 2, 1), (3, 3, 2), (4, 4, NULL);
"""
# The first has an account at home as well, under another number; so has the second mood.
AT_HOME = """\
INSERT INTO mood VALUES (9, 'sad');
INSERT INTO person VALUES (90, 'a@one.example', 'US'), (91, NULL, 'US');
"""
MORE = "INSERT INTO person VALUES (92, 'y', 'US'), (93, 'z', 'US'), (94, 'x', 'US');"
STAY = [(1,), (5,)]


@pytest.mark.parametrize("at_home", [AT_HOME, AT_HOME + MORE], ids=["fewer", "more"])
def test_sqlite(tmp_path: Path, at_home: str) -> None:
    abroad, home = tmp_path / "abroad.db", tmp_path / "home.db"
    for path, rows in ((abroad, ROWS), (home, at_home)):
        with sqlite(path) as database:
            database.executescript(SCHEMA + rows)
    estate = Estate(tmp_path / "estate", f"sqlite:///{abroad}", f"sqlite:///{home}", BODY)
    _moves_the_others(estate)
    with sqlite(abroad) as database:
        assert database.execute("SELECT id FROM person ORDER BY id").fetchall() == [
            *STAY[:1], (3,), *STAY[1:]
        ]  # fmt: skip


def test_a_stub_needs_no_value_that_it_does_not_keep(tmp_path: Path) -> None:
    """Who stays abroad has an account at home too, under another number; a row that goes refers to
    them. Home gets a stub, which has no address to be in anybody's way."""
    abroad, home = tmp_path / "abroad.db", tmp_path / "home.db"
    sent = SCHEMA.replace("mood integer", "to_whom integer REFERENCES person, mood integer")
    rows = "INSERT INTO person VALUES (1, 'a@one.example', 'US'), (5, 'd@four.example', 'NL');"
    for path, more in (
        (abroad, f"{rows} INSERT INTO note VALUES (1, 1, 5, NULL);"),
        (home, "INSERT INTO person VALUES (95, 'd@four.example', 'US');"),
    ):
        with sqlite(path) as database:
            database.executescript(sent + more)
    body = f"{BODY}tables:\n  app.note: {{joint: author, author: person}}\n"
    estate = Estate(tmp_path / "estate", f"sqlite:///{abroad}", f"sqlite:///{home}", body)
    assert estate.plan()["held"] == []
    estate.apply()
    with sqlite(home) as database:
        assert database.execute("SELECT id, email FROM person ORDER BY id").fetchall() == [
            (1, "a@one.example"), (5, None), (95, "d@four.example")
        ]  # fmt: skip
    assert estate.plan("again.json")["steps"] == []


def test_postgres(pg15: TestServer, database: MakeDatabase, tmp_path: Path) -> None:
    abroad, home = database(pg15), database(pg15)
    for url, rows in ((abroad, ROWS), (home, AT_HOME)):
        pg15.psql(name_of(url), "--set=ON_ERROR_STOP=1", "--output=/dev/null", stdin=SCHEMA + rows)
    estate = Estate(tmp_path / "estate", abroad, home, BODY)
    _moves_the_others(estate)
    assert pg15.sql(name_of(home), "SELECT id FROM note ORDER BY id").split() == ["2", "4"]
    assert pg15.sql(name_of(abroad), "SELECT id FROM note ORDER BY id").split() == ["1", "3"]


def _moves_the_others(estate: Estate) -> None:
    plan = estate.plan()
    held = sorted((h["table"], h["rows"], h["code"]) for h in plan["held"])
    # The first person with their note; the note whose mood is another row at home.
    assert held == [("app.note", 2, "collision"), ("app.person", 1, "collision")]
    estate.apply()
    assert estate.plan("again.json")["steps"] == []
