"""Sakila in SQLite, the twin of Pagila: 36 American customers from one file to another."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e import support
from tests.e2e.support import Contents, Estate

BODY = """\
subjects:
  customer:
    register: app.customer
    key: customer_id
    residence: address_id.city_id.country_id.country
tables:
  app.address: {role: attachment}
"""

AMERICAN = (
    "(SELECT customer_id FROM customer JOIN address USING (address_id) JOIN city USING (city_id)"
    " JOIN country USING (country_id) WHERE country = 'United States')"
)
THEIRS = {
    "customer": f"customer_id IN {AMERICAN}",
    "rental": f"customer_id IN {AMERICAN}",
    "payment": f"customer_id IN {AMERICAN}",
    "address": f"address_id IN (SELECT address_id FROM customer WHERE customer_id IN {AMERICAN})",
}


@pytest.fixture
def abroad(shared: Path, tmp_path: Path) -> Path:
    """A copy of the recorded file."""
    return Path(shutil.copy(shared / "estates" / "sakila" / "sakila.sqlite", tmp_path / "a.sqlite"))


def theirs(path: Path) -> Contents:
    """The rows of the 36, by SQL of our own."""
    with support.sqlite(path) as connection:
        return {
            t: Counter(repr(r) for r in connection.execute(f"SELECT * FROM {t} WHERE {where}"))
            for t, where in THEIRS.items()
        }


@pytest.mark.parametrize("made", ["empty", "schema"])
def test_they_go_home_exactly(made: str, abroad: Path, tmp_path: Path) -> None:
    home = tmp_path / "h.sqlite"
    schema = support.sqlite_schema(abroad)
    with support.sqlite(home) as connection:
        if made == "schema":
            for _, kind, sql in sorted(schema, key=lambda s: s[1] != "table"):
                if sql and kind in ("table", "index", "view"):
                    connection.execute(sql)
        else:
            connection.execute("PRAGMA user_version = 1")
    estate = Estate(tmp_path / "e", f"sqlite://{abroad}", f"sqlite://{home}", BODY)
    moved, before = theirs(abroad), support.sqlite_rows(abroad)
    with support.sqlite(abroad) as connection:
        emails = {
            e for (e,) in connection.execute(
                f"SELECT email FROM customer WHERE customer_id IN {AMERICAN}"
            )
        }  # fmt: skip
        offices = Counter(
            repr(r) for r in connection.execute(
                "SELECT * FROM address WHERE address_id IN"
                " (SELECT address_id FROM store UNION SELECT address_id FROM staff)"
            )
        )  # fmt: skip
    assert {t: r.total() for t, r in moved.items()} == {
        "customer": 36, "rental": 968, "payment": 968, "address": 36,
    }  # fmt: skip

    plan = estate.plan()
    assert plan["held"] == []
    estate.apply()

    there = support.sqlite_rows(home)
    assert support.sqlite_rows(abroad) == {
        t: rows - moved.get(t, Counter()) for t, rows in before.items()
    }
    assert there["address"] - moved["address"] == offices
    for table, rows in there.items():
        if table in moved:
            assert rows == moved[table] or table == "address", table
        else:
            assert rows <= before[table], table
    assert support.sqlite_schema(abroad) == schema
    assert support.sqlite_schema(home) == schema
    for path in (abroad, home):
        with support.sqlite(path) as connection:
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            (new,) = connection.execute(
                "INSERT INTO rental (rental_id, rental_date, inventory_id, customer_id, staff_id,"
                " last_update) SELECT max(rental_id) + 1, '2026-01-01', inventory_id, customer_id,"
                " staff_id, '2026-01-01' FROM rental RETURNING rental_id"
            ).fetchone()
            assert new > 0
    again = estate.plan("again.json")
    assert (again["steps"], again["held"]) == ([], [])
    assert "files abroad" in support.checks(estate.verify(), "ok")
    bytes_left = abroad.read_bytes()
    assert [e for e in emails if e.encode() in bytes_left] == []
    assert estate.log()["ok"]
    assert [e for e in emails if e.encode() in estate.evidence()] == []
