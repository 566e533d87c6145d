"""Keys of SQLite in forms of their own: bytes, capitals, a letter between date and time.

Domicile knows rows by the canonical text of their keys. Whatever the application stored, its stubs
must be found again, go when nothing points at them, and people at home be recognised abroad.
"""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from tests.e2e.support import Estate, sqlite

BODY = """\
subjects:
  person: {register: app.person, key: id, residence: country}
tables:
  app.message: {joint: author, author: writer}
"""
PEOPLE = range(1, 9)  # the even ones are American


def as_bytes(n: int) -> object:
    return UUID(int=n * 10**30).bytes


def in_capitals(n: int) -> object:
    return str(UUID(int=n * 10**30 + 0xABCDEF)).upper()


def as_instant(n: int) -> object:
    return f"2020-01-01T00:00:0{n}Z"


@pytest.mark.parametrize(
    ("declared", "key"),
    [("uuid", as_bytes), ("uuid", in_capitals), ("timestamptz", as_instant), ("text", as_bytes)],
    ids=["bytes", "capitals", "instant", "bytes in text"],
)
def test_stubs_are_found_again(tmp_path: Path, declared: str, key: object) -> None:
    assert callable(key)
    abroad, home = tmp_path / "abroad.db", tmp_path / "home.db"
    for path in (abroad, home):
        with sqlite(path) as database:
            database.executescript(
                f"CREATE TABLE person (id {declared} PRIMARY KEY, country text);"
                f"CREATE TABLE message (id integer PRIMARY KEY,"
                f" writer {declared} REFERENCES person, reader {declared} REFERENCES person);"
            )
    with sqlite(abroad) as database:
        database.executemany(
            "INSERT INTO person VALUES (?, ?)", [(key(n), "NL" if n % 2 else "US") for n in PEOPLE]
        )
        database.executemany(
            "INSERT INTO message (writer, reader) VALUES (?, ?)",
            [(key(a), key(b)) for a in PEOPLE for b in PEOPLE if a < b],
        )
    estate = Estate(tmp_path / "estate", f"sqlite:///{abroad}", f"sqlite:///{home}", BODY)
    estate.plan()
    estate.apply()
    again = estate.plan("again.json")
    assert (again["steps"], again["held"], again["unknown"]) == ([], [], [])
    # Somebody at home is written about abroad, by the stub that stands there.
    with sqlite(abroad) as database:
        database.execute("INSERT INTO message (writer, reader) VALUES (?, ?)", (key(2), key(4)))
    late = estate.plan("late.json")
    assert [(s["op"], s["table"], s["rows"]) for s in late["steps"] if s["op"] == "move"] == [
        ("move", "app.message", 1)
    ]
    estate.apply("late.json")
    with sqlite(home) as database:
        found = database.execute(
            "SELECT count(*) FROM message WHERE writer = ? AND reader = ?", (key(2), key(4))
        ).fetchone()
        assert found == (2,)
    with sqlite(abroad) as database:
        database.execute("DELETE FROM message")
    last = estate.plan("last.json")
    assert [(s["op"], s["rows"]) for s in last["steps"]] == [("remove_stub", 4)]
    estate.apply("last.json")
    with sqlite(abroad) as database:
        assert database.execute("SELECT count(*) FROM person").fetchone() == (4,)
