"""A receipt says what became of a person, not what the plan was to do with them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from domicile.apply.receipts import note_receipts
from domicile.apply.removal import Removal
from domicile.apply.run import apply_plan
from domicile.errors import PlanRefused, Stopped
from domicile.evidence.people_tree import build
from tests.conftest import MakeDatabase
from tests.e2e.support import Estate, name_of, run, sqlite
from tests.servers import TestServer

BODY = """\
subjects:
  person: {register: app.person, key: [realm, id], residence: country}
"""
PEOPLE = """\
CREATE TABLE person (realm text, id integer, country text, PRIMARY KEY (realm, id));
CREATE TABLE note (id serial PRIMARY KEY, realm text, person integer,
  FOREIGN KEY (realm, person) REFERENCES person ON DELETE CASCADE);
INSERT INTO person SELECT 'a', n, CASE WHEN n <= 5 THEN 'US' ELSE 'NL' END
  FROM generate_series(1, 7) n;
INSERT INTO note (realm, person) SELECT realm, id FROM person;
"""
COLLIDES = "INSERT INTO person VALUES ('a', 1, 'CA')"


def has_receipt(estate: Estate, person: int) -> bool:
    ran = run("receipt", "--estate", str(estate.file), "person", f"a,{person}", "--json")
    assert ran.code in (0, 1), ran.err
    return ran.code == 0


def test_whoever_stayed_after_all_has_none(
    pg15: TestServer, database: MakeDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    abroad, home = database(pg15), database(pg15)
    for url in (abroad, home):
        pg15.psql(name_of(url), "--set=ON_ERROR_STOP=1", "--output=/dev/null", stdin=PEOPLE)
    pg15.sql(name_of(home), "TRUNCATE person, note")
    pg15.sql(name_of(home), COLLIDES)
    estate = Estate(tmp_path / "estate", abroad, home, BODY)
    remove, done = Removal.remove, list[int]()

    def once(removal: Removal, number: int) -> bool:
        if not done:
            done.append(number)
            # All were copied. The second person moves to another country, the third closes their
            # account, before anything is deleted.
            pg15.sql(name_of(abroad), "UPDATE person SET country = 'NL' WHERE id = 2")
            pg15.sql(name_of(abroad), "DELETE FROM person WHERE id = 3")
        return remove(removal, number)

    monkeypatch.setattr(Removal, "remove", once)
    estate.plan()
    estate.apply()
    at_home = pg15.sql(name_of(home), "SELECT id FROM person ORDER BY id").split()
    assert at_home == ["1", "4", "5"]  # the first is Canadian, and another's row
    assert [n for n in range(1, 8) if has_receipt(estate, n)] == [4, 5]
    (noted,) = [
        e["entry"]
        for e in estate.run_log("show").document["entries"]
        if e["entry"]["kind"] == "receipts"
    ]  # fmt: skip
    assert [(act["subject"], act["people"]) for act in noted["acts"]] == [("person", 2)]
    # What was kept to look for them again is gone.
    assert not list((estate.folder / ".domicile" / "receipts").glob("*.keys"))


def test_whoever_is_held_has_none(pg15: TestServer, database: MakeDatabase, tmp_path: Path) -> None:
    abroad, home = database(pg15), database(pg15)
    for url in (abroad, home):
        pg15.psql(name_of(url), "--set=ON_ERROR_STOP=1", "--output=/dev/null", stdin=PEOPLE)
    pg15.sql(name_of(home), "TRUNCATE person, note")
    pg15.sql(name_of(home), COLLIDES)
    estate = Estate(tmp_path / "estate", abroad, home, BODY)
    estate.plan()
    estate.apply()
    assert [n for n in range(1, 8) if has_receipt(estate, n)] == [2, 3, 4, 5]


SMALL = "CREATE TABLE person (realm text, id integer, country text, PRIMARY KEY (realm, id));"


def two_files(tmp_path: Path, *, empty_home: bool) -> Estate:
    """Two Americans and a Dutch person abroad; nobody at home."""
    abroad, home = tmp_path / "abroad.db", tmp_path / "home.db"
    with sqlite(abroad) as there:
        there.executescript(SMALL)
        there.execute("INSERT INTO person VALUES ('a', 1, 'US'), ('a', 2, 'US'), ('a', 3, 'NL')")
    with sqlite(home) as here:
        here.executescript("" if empty_home else SMALL)
    return Estate(tmp_path / "estate", f"sqlite:///{abroad}", f"sqlite:///{home}", BODY)


def kept_keys(estate: Estate) -> list[Path]:
    return list((estate.folder / ".domicile" / "receipts").glob("*.keys*"))


def test_cut_off_while_people_are_listed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The home got its schema; then its people are listed once more, since only now it is known
    what can go there."""
    estate = two_files(tmp_path, empty_home=True)
    estate.plan()
    calls = list[int]()

    def twice(*given: Any, **named: Any) -> tuple[int, bytes]:
        calls.append(1)
        if len(calls) == 2:
            raise Stopped("cut off")
        return build(*given, **named)

    with monkeypatch.context() as patch:
        patch.setattr("domicile.apply.receipts.build", twice)
        estate.apply(code=5)
    estate.apply()
    assert [n for n in range(1, 4) if has_receipt(estate, n)] == [1, 2]
    assert not kept_keys(estate)


def test_cut_off_while_what_was_kept_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    estate = two_files(tmp_path, empty_home=False)
    estate.plan()
    remove = shutil.rmtree

    def ended(*given: Any, **named: Any) -> None:
        note_receipts(*given, **named)
        monkeypatch.setattr(shutil, "rmtree", half)

    def half(path: Path, ignore_errors: bool = False) -> None:
        for file in sorted(path.iterdir()) if path.exists() else ():
            file.unlink()
            raise Stopped("cut off")

    with monkeypatch.context() as patch:
        patch.setattr("domicile.apply.run.note_receipts", ended)
        estate.apply(code=5)
    monkeypatch.setattr(shutil, "rmtree", remove)
    estate.apply()
    assert [n for n in range(1, 4) if has_receipt(estate, n)] == [1, 2]
    assert not kept_keys(estate)


def test_a_plan_that_was_not_approved_keeps_no_keys(tmp_path: Path) -> None:
    estate = two_files(tmp_path, empty_home=False)
    plan = estate.plan()
    with pytest.raises(PlanRefused, match="not approved"):
        apply_plan(plan, estate.file, cap=None, approved=lambda: not kept_keys(estate))
    assert not kept_keys(estate)
