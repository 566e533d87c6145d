"""A receipt says what became of a person, not what the plan was to do with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from domicile.apply.removal import Removal
from tests.conftest import MakeDatabase
from tests.e2e.support import Estate, name_of, run
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
