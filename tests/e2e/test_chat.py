"""A made-up chat in SQLite, hard in the way of SQLite's own features, goes home to an empty file.

Names compare without case, keys have no declared type, a full-text index follows by triggers.
"""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

from tests.e2e import support
from tests.e2e.support import Estate

SCHEMA = """
CREATE TABLE Users (
  UserName TEXT COLLATE NOCASE PRIMARY KEY, mail TEXT UNIQUE, country TEXT, born TEXT, bio TEXT,
  age INT GENERATED ALWAYS AS (2026 - CAST(substr(born, 1, 4) AS INT)) VIRTUAL) WITHOUT ROWID;
CREATE TABLE rooms (
  id PRIMARY KEY, name TEXT NOT NULL, owner TEXT REFERENCES Users(UserName) ON UPDATE CASCADE);
CREATE TABLE members (
  room ANY REFERENCES rooms, user TEXT REFERENCES Users, since INTEGER, PRIMARY KEY (room, user)
) STRICT;
CREATE TABLE messages (
  id INTEGER PRIMARY KEY, room NOT NULL REFERENCES rooms ON DELETE CASCADE, sender TEXT NOT NULL,
  body TEXT, sent REAL, attachment BLOB, reply INTEGER REFERENCES messages(id));
CREATE INDEX m_s ON messages(sender) WHERE sender IS NOT NULL;
CREATE VIRTUAL TABLE search USING fts5(body, content='messages', content_rowid='id');
CREATE TRIGGER m_ai AFTER INSERT ON messages BEGIN
  INSERT INTO search(rowid, body) VALUES (new.id, new.body); END;
CREATE TRIGGER m_ad AFTER DELETE ON messages BEGIN
  INSERT INTO search(search, rowid, body) VALUES ('delete', old.id, old.body); END;
CREATE TABLE "log table" ("user name" TEXT, "when" DATE, what);
CREATE VIEW active AS SELECT UserName FROM Users;
"""
BODY = """\
subjects:
  users: {register: app.Users, key: UserName, residence: country, born: born}
links:
  - {from: app.messages.sender, to: users}
  - {from: 'app."log table"."user name"', to: users}
tables:
  app.members: {joint: author, author: user}
  app.messages: {joint: author, author: sender}
"""
AMERICAN = ("US", "us", "USA", "United States")
COUNTRIES = (*AMERICAN, "NL", "Germany", "UK", None, "Atlantis")


def fill(path: Path) -> None:
    """120 people, half of whose references spell them in another case."""
    rng = random.Random(5)

    def someone() -> str:
        return f"{rng.choice(('user', 'USER'))}{rng.randrange(120)}"

    with support.sqlite(path) as c:
        c.executescript(SCHEMA)
        c.executemany(
            "INSERT INTO Users (UserName, mail, country, born, bio) VALUES (?, ?, ?, ?, ?)",
            [(f"User{n}", f"user{n}@chat.example", rng.choice(COUNTRIES), f"19{60 + n % 39}-01-02",
              "nul \0 inside" if n == 7 else f"I am {n}") for n in range(120)],
        )  # fmt: skip
        rooms: list[Any] = [f"r{n}" if n % 2 else n for n in range(12)]
        c.executemany("INSERT INTO rooms VALUES (?, 'room', ?)", [(r, someone()) for r in rooms])
        c.executemany(
            "INSERT OR IGNORE INTO members VALUES (?, ?, ?)",
            [(rng.choice(rooms), f"User{rng.randrange(120)}", n) for n in range(300)],
        )
        c.executemany(
            "INSERT INTO messages (id, room, sender, body, sent, attachment, reply)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(n, rng.choice(rooms), someone(), f"word{n}", float("inf") if n == 3 else n * 1.1,
              bytes([n % 256] * 5), rng.randrange(1, n) if n > 5 and n % 7 == 0 else None)
             for n in range(1, 900)],
        )  # fmt: skip
        c.executemany(
            'INSERT INTO "log table" VALUES (?, ?, ?)',
            [(someone(), "2026-01-02", rng.choice((1, "one", 2.5, b"x", None))) for _ in range(99)],
        )


def of_americans(path: Path, query: str) -> Counter[tuple[Any, ...]]:
    with support.sqlite(path) as c:
        marks = ", ".join("?" * len(AMERICAN))
        mine = f"(SELECT lower(UserName) FROM Users WHERE country IN ({marks}))"
        return Counter(c.execute(query.format(mine), AMERICAN).fetchall())


QUERIES = {
    "users": "SELECT * FROM Users WHERE lower(UserName) IN {}",
    "rooms": "SELECT * FROM rooms WHERE lower(owner) IN {}",
    "members": "SELECT * FROM members WHERE lower(user) IN {}",
    "messages": "SELECT * FROM messages WHERE lower(sender) IN {}",
    "log": 'SELECT * FROM "log table" WHERE lower("user name") IN {}',
}


def found(path: Path, word: str) -> int:
    """Messages that the full-text index finds; it must agree with the rows."""
    with support.sqlite(path) as c:
        c.execute("INSERT INTO search(search, rank) VALUES ('integrity-check', 1)")
        return int(c.execute("SELECT count(*) FROM search(?)", (word,)).fetchone()[0])


def test_home_into_an_empty_file(tmp_path: Path) -> None:
    abroad, home = tmp_path / "abroad.db", tmp_path / "home.db"
    fill(abroad)
    home.touch()
    estate = Estate(tmp_path, f"sqlite://{abroad}", f"sqlite://{home}", BODY)
    before = {name: of_americans(abroad, query) for name, query in QUERIES.items()}
    assert all(before.values())
    one = next(r for r in before["messages"] if r[6] is None)
    plan = estate.plan()
    assert plan["held"] == []
    estate.apply()
    for name, query in QUERIES.items():
        # What others point at stays abroad as a stub, of nobody; rooms keep their owner's room.
        assert of_americans(home, query) == before[name], name
        assert not of_americans(abroad, query), name
    for path in (abroad, home):
        with support.sqlite(path) as c:
            assert c.execute("PRAGMA foreign_key_check").fetchall() == []
            assert c.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert (found(abroad, one[3]), found(home, one[3])) == (0, 1)
    verified = estate.verify()
    assert support.checks(verified, "failed") == {}
    assert estate.plan("again.json")["steps"] == []
    with support.sqlite(home) as c:  # an insert works at home, and is found by its words
        c.execute("INSERT INTO messages (room, sender, body) SELECT id, 'x', 'fresh' FROM rooms")
    assert found(home, "fresh") > 0
    assert sqlite3.sqlite_version_info >= (3, 37)  # STRICT tables
