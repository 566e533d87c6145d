"""Copies at a home that cannot tell who wrote them, taken back after a run that was cut off."""

from __future__ import annotations

from pathlib import Path

import pytest

from domicile.errors import Stopped
from domicile.survey.state import State
from tests.e2e.support import Estate, sqlite

BODY = """\
subjects:
  person: {register: app.person, key: id, residence: country}
"""
PERSON = "CREATE TABLE person (id INTEGER PRIMARY KEY, country TEXT, name TEXT);"
NOTE = "CREATE TABLE note (id INTEGER PRIMARY KEY, person INTEGER REFERENCES person, words TEXT);"
ROWS = """\
INSERT INTO person VALUES (1, 'US', 'a'), (2, 'US', 'b'), (3, 'NL', 'c');
INSERT INTO note VALUES (1, 1, 'x'), (2, 2, 'y'), (3, 3, 'z');
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Abroad and at home."""
    return tmp_path / "abroad.db", tmp_path / "home.db"


def made(tmp_path: Path, abroad: Path, home: Path, at_home: str = PERSON + NOTE) -> Estate:
    with sqlite(abroad) as database:
        database.executescript(PERSON + NOTE + ROWS)
    with sqlite(home) as database:
        database.executescript(at_home)
    return Estate(tmp_path / "estate", f"sqlite:///{abroad}", f"sqlite:///{home}", BODY)


def cut_off(estate: Estate, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """Apply until the journal is to be written to by `method`, and no further."""

    def stop(*_: object, **__: object) -> None:
        raise Stopped("cut off")

    with monkeypatch.context() as patch:
        patch.setattr(State, method, stop)
        estate.plan()
        estate.apply(code=5)


def test_a_copy_that_others_refer_to(
    tmp_path: Path, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The application at home wrote about somebody who is to stay abroad after all."""
    abroad, home = files
    estate = made(tmp_path, abroad, home)
    cut_off(estate, monkeypatch, "note_deletion")
    with sqlite(home) as database:
        assert database.execute("SELECT count(*) FROM person").fetchone() == (2,)
        database.execute("INSERT INTO note VALUES (9, 2, 'from home')")
    with sqlite(abroad) as database:
        database.execute("UPDATE person SET country = 'NL' WHERE id = 2")
    estate.apply()
    with sqlite(home) as database:
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        assert database.execute("SELECT id, name FROM person ORDER BY id").fetchall() == [
            (1, "a"), (2, None),
        ]  # fmt: skip
        assert database.execute("SELECT id FROM note ORDER BY id").fetchall() == [(1,), (9,)]
    with sqlite(abroad) as database:
        assert database.execute("SELECT id FROM person ORDER BY id").fetchall() == [(2,), (3,)]


@pytest.mark.parametrize(
    "person",
    [
        "CREATE TABLE person (name TEXT, country TEXT, id INTEGER PRIMARY KEY);",
        "CREATE TABLE person (id INTEGER PRIMARY KEY, country TEXT, name TEXT, since TEXT);",
    ],
    ids=["other order", "a column more"],
)
def test_columns_that_differ_at_home(
    tmp_path: Path, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, person: str
) -> None:
    """Who closed their account abroad in the meantime is not left at home."""
    abroad, home = files
    estate = made(tmp_path, abroad, home, person + NOTE)
    cut_off(estate, monkeypatch, "note_deletion")
    with sqlite(abroad) as database:
        database.execute("DELETE FROM note WHERE person = 2")
        database.execute("DELETE FROM person WHERE id = 2")
    estate.apply()
    with sqlite(home) as database:
        assert database.execute("SELECT id FROM person").fetchall() == [(1,)]
        assert database.execute("SELECT id FROM note").fetchall() == [(1,)]


def test_the_source_is_no_longer_declared(
    tmp_path: Path, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it committed the deletion cannot be asked: nothing is taken back."""
    abroad, home = files
    estate = made(tmp_path, abroad, home)
    cut_off(estate, monkeypatch, "end_deletion")
    with sqlite(abroad) as database:
        assert database.execute("SELECT id FROM person").fetchall() == [(3,)]
    declared = estate.file.read_text("utf-8")
    lines = [line for line in declared.splitlines() if not line.startswith("  abroad:")]
    estate.file.write_text("\n".join(lines) + "\n", "utf-8")
    estate.plan("later.json")
    estate.apply("later.json")
    with sqlite(home) as database:
        assert database.execute("SELECT id FROM person ORDER BY id").fetchall() == [(1,), (2,)]
