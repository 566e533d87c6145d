"""Rows found along their one way to a person: what happens when it changes before the deletion."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from domicile.apply.batch import Batch
from domicile.apply.move import Move
from domicile.apply.removal import Removal
from domicile.cli.main import main
from tests.conftest import MakeDatabase
from tests.servers import TestServer

SCHEMA = """
CREATE TABLE person (id int PRIMARY KEY, country text NOT NULL);
CREATE TABLE purchase (id int PRIMARY KEY, person_id int NOT NULL REFERENCES person, what text);
CREATE TABLE item (id int PRIMARY KEY, purchase_id int NOT NULL REFERENCES purchase, note text);
"""

ROWS = """
INSERT INTO person SELECT n, CASE WHEN n % 2 = 0 THEN 'US' ELSE 'NL' END
  FROM generate_series(1, 20) n;
INSERT INTO purchase SELECT n, (n - 1) / 5 + 1, 'purchase ' || n FROM generate_series(1, 100) n;
INSERT INTO item SELECT n, (n - 1) / 10 + 1, 'item ' || n FROM generate_series(1, 1000) n;
"""
"""Each person has five purchases one after the other, each purchase ten items; 500 items go."""

ESTATE = """
estate: shop
stores:
  abroad: {{url: "{abroad}", country: SG, operator: Shop, holds: app}}
  home:   {{url: "{home}", country: US, operator: Custodian, holds: app}}
subjects:
  person: {{register: app.person, key: id, residence: country}}
"""

MANDATE = """
mandate: home
title: made up
issuer: nobody
citation: none
status: voluntary
effective: 2026-01-01
protects: {residence: [US], categories: [user]}
clauses:
  - {id: rest, store: {country: [US]}, otherwise: move, purge: true}
"""


class Shop:
    """A source with rows and an empty home."""

    def __init__(self, server: TestServer, abroad: str, home: str) -> None:
        self.server = server
        self.urls = {"abroad": abroad, "home": home}

    def sql(self, store: str, text: str) -> str:
        """Run SQL in one of the two; what it printed."""
        name = self.urls[store].rsplit("/", 1)[1]
        return self.server.psql(name, "--set=ON_ERROR_STOP=1", stdin=text).strip()

    def ids(self, store: str, table: str) -> set[int]:
        """The keys in a table."""
        return {int(n) for n in self.sql(store, f"SELECT id FROM {table};").split()}


@pytest.fixture
def shop(
    pg15: TestServer, database: MakeDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Shop:
    """The estate, planned."""
    made = Shop(pg15, database(pg15, "abroad"), database(pg15, "home"))
    made.sql("abroad", SCHEMA + ROWS)
    made.sql("home", SCHEMA)
    (tmp_path / "mandates").mkdir()
    (tmp_path / "estate.yaml").write_text(ESTATE.format(**made.urls))
    (tmp_path / "mandates" / "home.yaml").write_text(MANDATE)
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "-o", "p.json", "--quiet"]) == 0
    return made


def before_deletion(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Let something happen once, between the copy and the deletion of the first batch."""
    real = Removal.remove
    waiting = [happens]

    def remove(self: Removal, number: int) -> bool:
        while waiting:
            waiting.pop()()
        return real(self, number)

    monkeypatch.setattr(Removal, "remove", remove)


def nothing_is_left(capsys: pytest.CaptureFixture[str]) -> bool:
    """Whether a new plan has no steps, and holds nothing."""
    capsys.readouterr()
    assert main(["plan", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    return not plan["steps"] and not plan["held"]


def test_keys_are_listed_only_where_the_rows_cannot_be_found_without(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    routes: list[dict[str, bool]] = []
    before_deletion(monkeypatch, lambda: None)
    real = Move.carry_out

    def carry_out(self: Move) -> dict[str, int]:
        routes.append({t: self.closure.route(t).listed for t in self.closure.going})
        return real(self)

    monkeypatch.setattr(Move, "carry_out", carry_out)
    assert main(["apply", "p.json", "--yes", "--quiet"]) == 0
    assert routes == [{"person": True, "purchase": False, "item": False}]
    assert shop.ids("home", "item") | shop.ids("abroad", "item") == set(range(1, 1001))
    assert len(shop.ids("home", "item")) == len(shop.ids("abroad", "item")) == 500
    assert nothing_is_left(capsys)


@pytest.mark.parametrize("batch", [3_000_000, 200])
def test_what_changes_between_copy_and_deletion_is_neither_lost_nor_brought_back(
    shop: Shop, batch: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Person 2 has purchases 6 to 10 and items 51 to 100; person 20 the last of each."""
    monkeypatch.setattr("domicile.apply.move.BATCH_ROWS", batch)
    changes = """
        UPDATE item SET note = 'changed' WHERE id IN (51, 1000);
        DELETE FROM item WHERE id IN (52, 999);
        INSERT INTO item VALUES (2001, 6, 'new'), (2002, 100, 'new');
        UPDATE purchase SET person_id = 1 WHERE id IN (7, 99);
    """
    before_deletion(monkeypatch, lambda: shop.sql("abroad", changes))
    assert main(["apply", "p.json", "--yes", "--quiet"]) == 0
    assert shop.sql("home", "SELECT note FROM item WHERE id IN (51, 1000);").split() == [
        "changed", "changed",
    ]  # fmt: skip
    here, there = shop.ids("abroad", "item"), shop.ids("home", "item")
    assert not {52, 999} & (here | there)
    assert {2001, 2002} <= there
    # Two purchases are a Dutch person's by now.
    assert {7, 99} <= shop.ids("abroad", "purchase")
    assert not {7, 99} & shop.ids("home", "purchase")
    assert set(range(61, 71)) | set(range(981, 991)) <= here
    assert not here & there
    assert here | there == (set(range(1, 1001)) | {2001, 2002}) - {52, 999}
    for store in ("abroad", "home"):
        broken = shop.sql(store, (
            "SELECT count(*) FROM item i LEFT JOIN purchase p ON p.id = i.purchase_id "
            "LEFT JOIN person q ON q.id = p.person_id WHERE q.id IS NULL;"
        ))  # fmt: skip
        assert broken == "0"
    assert nothing_is_left(capsys)


@pytest.mark.parametrize("batch", [3_000_000, 200])
def test_rows_that_came_to_somebody_who_goes_were_not_copied_and_stay(
    shop: Shop, batch: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A purchase of person 1 becomes person 2's after the copy, and with it items 21 to 30."""
    monkeypatch.setattr("domicile.apply.move.BATCH_ROWS", batch)
    changes = """
        UPDATE purchase SET person_id = 2 WHERE id = 3;
        UPDATE item SET note = 'changed' WHERE id = 51;
    """
    before_deletion(monkeypatch, lambda: shop.sql("abroad", changes))
    assert main(["apply", "p.json", "--yes", "--quiet"]) == 0
    assert shop.ids("home", "item") | shop.ids("abroad", "item") == set(range(1, 1001))
    assert set(range(21, 31)) <= shop.ids("home", "item")
    assert nothing_is_left(capsys)


@pytest.mark.parametrize("batch", [3_000_000, 200])
@pytest.mark.parametrize("otherwise", ["erase", "move"])
def test_rows_that_came_to_somebody_who_stays_are_not_deleted(
    shop: Shop, batch: int, otherwise: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A purchase of person 2 becomes person 1's after the survey, and with it items 61 to 70."""
    monkeypatch.setattr("domicile.apply.move.BATCH_ROWS", batch)
    Path("mandates/home.yaml").write_text(MANDATE.replace("e: move", f"e: {otherwise}"))
    assert main(["plan", "-o", "p.json", "--quiet"]) == 0
    change = "UPDATE purchase SET person_id = 1 WHERE id = 7;"
    before_deletion(monkeypatch, lambda: shop.sql("abroad", change))
    assert main(["apply", "p.json", "--yes", "--quiet"]) == 0
    assert set(range(61, 71)) <= shop.ids("abroad", "item")
    assert not set(range(51, 61)) & shop.ids("abroad", "item")


def test_a_home_that_puts_rows_into_holes_gives_them_back_in_another_order(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.sql("home", """
        INSERT INTO person VALUES (1001, 'US');
        INSERT INTO purchase VALUES (1001, 1001, 'there');
        INSERT INTO item SELECT n, 1001, repeat('x', 100) FROM generate_series(3001, 6000) n;
    """)  # fmt: skip
    shop.sql("home", "DELETE FROM item WHERE id % 60 > 20;")
    shop.sql("home", "VACUUM item;")
    undone: list[int] = []
    real = Batch.undo

    def undo(self: Batch) -> None:
        undone.append(self.number)
        real(self)

    monkeypatch.setattr(Batch, "undo", undo)
    assert main(["apply", "p.json", "--yes", "--quiet"]) == 0
    assert undone == [1], "the order was the same: the test tests nothing"
    moved = {n for n in shop.ids("home", "item") if n <= 1000}
    assert len(moved) == 500
    assert not moved & shop.ids("abroad", "item")
    assert nothing_is_left(capsys)


def test_a_home_that_alters_values_gets_nothing_and_nothing_is_deleted(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.sql("home", """
        CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN NEW.note := upper(NEW.note); RETURN NEW; END $$;
        CREATE TRIGGER shout BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION shout();
        ALTER TABLE item ENABLE ALWAYS TRIGGER shout;
    """)  # fmt: skip
    assert main(["plan", "-o", "p.json", "--quiet"]) == 0
    assert main(["apply", "p.json", "--yes", "--quiet"]) == 5
    assert "item" in capsys.readouterr().err
    assert shop.ids("abroad", "item") == set(range(1, 1001))
    assert shop.ids("home", "item") == set()
