"""A database of our own: closed to others, whole transactions, errors without a traceback."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from domicile.durable.database import Database
from domicile.errors import Stopped

TABLES = "CREATE TABLE IF NOT EXISTS line (n INTEGER PRIMARY KEY);"


def lines(path: Path) -> list[int]:
    with sqlite3.connect(path) as connection:
        return [n for (n,) in connection.execute("SELECT n FROM line ORDER BY n")]


def test_its_owner_alone_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "state" / "file.sqlite"
    Database(path, TABLES).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_transaction_is_whole(tmp_path: Path) -> None:
    database = Database(tmp_path / "file.sqlite", TABLES)
    with database.transaction():
        database.write("INSERT INTO line VALUES (1)")

    def written(write: Callable[[str], object], number: int, then: Callable[[], object]) -> None:
        with database.transaction():
            write(f"INSERT INTO line VALUES ({number})")
            then()

    again = "INSERT INTO line VALUES (1)"
    with pytest.raises(KeyError):
        written(database.write, 2, lambda: os.environ["DOMICILE_NOT_SET"])
    # SQLite's own error becomes ours, from `write` and from the body alike.
    with pytest.raises(Stopped, match="UNIQUE"):
        written(database.write, 4, lambda: database.write(again))
    with pytest.raises(Stopped, match="UNIQUE"):
        written(database.connection.execute, 5, lambda: database.connection.execute(again))
    assert lines(database.path) == [1]
    with database.transaction():  # and it goes on
        database.write("INSERT INTO line VALUES (6)")
    assert lines(database.path) == [1, 6]


def test_another_writer_is_seen(tmp_path: Path) -> None:
    one, two = (Database(tmp_path / "file.sqlite", TABLES) for _ in range(2))
    before = one.version()
    one.write("INSERT INTO line VALUES (1)")
    assert one.version() == before
    two.write("INSERT INTO line VALUES (2)")
    assert one.version() != before


@pytest.mark.parametrize("kind", ["directory", "text"])
def test_what_is_no_database_is_one_error(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file.sqlite"
    path.mkdir() if kind == "directory" else path.write_text("not a database" * 100)
    with pytest.raises(Stopped, match=r"file\.sqlite: cannot be written"):
        Database(path, TABLES)
