"""Erasure beside applications that write: what comes to somebody else is theirs, and stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from domicile.apply import move
from domicile.apply.removal import Removal
from domicile.errors import StoreRefused
from tests.conftest import MakeDatabase
from tests.e2e.support import Estate, name_of
from tests.servers import TestServer

BODY = """\
subjects:
  person: {register: app.person, key: id, residence: country}
"""
ERASE = """\
mandate: erase-us
title: What was collected is erased
status: in_force
effective: 2025-01-01
protects: {residence: [US]}
clauses:
  - {id: gone, store: {country: [FR]}, otherwise: erase, purge: true}
"""
SCHEMA = """\
CREATE TABLE person (id integer PRIMARY KEY, country text);
CREATE TABLE purchase (id integer PRIMARY KEY, person integer NOT NULL REFERENCES person);
CREATE TABLE item (id integer PRIMARY KEY, purchase integer NOT NULL REFERENCES purchase,
  sent_to integer REFERENCES person, what text);
INSERT INTO person SELECT n, CASE WHEN n < 9 THEN 'US' ELSE 'NL' END FROM generate_series(1, 12) n;
INSERT INTO purchase SELECT n, n FROM generate_series(1, 12) n;
-- Each purchase of an American has an item for the last of them: it goes first, in another batch.
INSERT INTO item SELECT n, n, CASE WHEN n < 9 THEN 8 END, 'thing' FROM generate_series(1, 12) n;
"""
CHANGES = {
    "the purchase comes to another": "UPDATE purchase SET person = 12 WHERE id = 1",
    "its owner is of another country": "UPDATE person SET country = 'NL' WHERE id = 1",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_an_owner_does_not_change_while_what_hangs_on_it_is_deleted(
    pg15: TestServer, database: MakeDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    change: str,
) -> None:  # fmt: skip
    abroad, home = database(pg15), database(pg15)
    for url in (abroad, home):
        pg15.psql(name_of(url), "--set=ON_ERROR_STOP=1", "--output=/dev/null", stdin=SCHEMA)
    estate = Estate(tmp_path / "estate", abroad, home, BODY)
    (estate.folder / "mandates" / "us.yaml").write_text(ERASE)
    monkeypatch.setattr(move, "BATCH_ROWS", 6)
    noted, tried = Removal._noted, list[str]()

    def once(removal: Removal, span: str) -> object:
        # All checks were made, nothing of the first batch is deleted yet.
        if not tried and removal.outcome.cell.name == "abroad":
            try:
                pg15.sql(name_of(abroad), f"SET lock_timeout = '300ms'; {change}")
                tried.append("done")
            except StoreRefused:
                tried.append("refused")
        return noted(removal, span)

    monkeypatch.setattr(Removal, "_noted", once)
    estate.plan()
    estate.apply()
    assert tried == ["refused"]
    for url in (abroad, home):
        ids = pg15.sql(name_of(url), "SELECT id FROM item ORDER BY id").split()
        assert ids == ["9", "10", "11", "12"]
        assert pg15.sql(name_of(url), "SELECT count(*) FROM purchase") == "4"
