"""Pagila, a recorded video store: 36 American customers go home, exact to the row and the value.

Who they are and what is theirs is said here in SQL written for this schema. Two partitions of
`payment` declare no keys, so that a payment there is a customer's by its column alone.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import CopyEstate, MakeDatabase
from tests.e2e import support
from tests.e2e.support import Contents, Estate, Rows
from tests.servers import TestServer

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
PARTS = [
    "payment_p0000_default",
    *(f"payment_p2007_0{month}" for month in range(1, 7)),
    "payment_p2007_07_max",
]
THEIRS = {
    "customer": f"customer_id IN {AMERICAN}",
    "rental": f"customer_id IN {AMERICAN}",
    **dict.fromkeys(PARTS, f"customer_id IN {AMERICAN}"),
    "address": f"address_id IN (SELECT address_id FROM customer WHERE customer_id IN {AMERICAN})",
}
OFFICES = "address_id IN (SELECT address_id FROM store UNION SELECT address_id FROM staff)"


EMAILS = f"SELECT email FROM customer WHERE customer_id IN {AMERICAN}"


def theirs(server: TestServer, url: str) -> Contents:
    """The rows of the 36, by SQL of our own."""
    return {t: support.picked(server, url, t, where) for t, where in THEIRS.items()}


def without(contents: Contents, gone: Contents) -> Contents:
    """What stays of a database when some rows leave."""
    return {t: rows - gone.get(t, Rows()) for t, rows in contents.items()}


def remove(server: TestServer, url: str, people: str) -> None:
    """Delete customers and what is theirs; `people` is a condition on `customer_id`."""
    server.psql(
        support.name_of(url), "--set=ON_ERROR_STOP=1",
        stdin=f"""
            SET session_replication_role = replica;
            CREATE TEMP TABLE gone AS SELECT customer_id, address_id FROM customer WHERE {people};
            DELETE FROM payment WHERE customer_id IN (SELECT customer_id FROM gone);
            DELETE FROM rental WHERE customer_id IN (SELECT customer_id FROM gone);
            DELETE FROM customer WHERE customer_id IN (SELECT customer_id FROM gone);
            DELETE FROM address WHERE address_id IN (SELECT address_id FROM gone);""",
    )  # fmt: skip


def rent(server: TestServer, url: str) -> int:
    """A new rental with a key that the database gives; the key."""
    return int(
        server.sql(
            support.name_of(url),
            "INSERT INTO rental (rental_period, inventory_id, customer_id, staff_id)"
            " SELECT '[2026-01-01,)', inventory_id, customer_id, staff_id FROM rental LIMIT 1"
            " RETURNING rental_id",
        )
    )


@pytest.mark.parametrize("version", [15, 18])
def test_to_an_empty_database(
    version: int, pagila: CopyEstate, pg15: TestServer, database: MakeDatabase,
    request: pytest.FixtureRequest, tmp_path: Path,
) -> None:  # fmt: skip
    home_server: TestServer = request.getfixturevalue(f"pg{version}")
    abroad, home = pagila(name="abroad"), database(home_server, "home")
    estate = Estate(tmp_path, abroad, home, BODY)
    moved, before = theirs(pg15, abroad), support.rows_of(pg15, abroad)
    schema = support.schema_of(pg15, abroad)
    emails = set(pg15.sql(support.name_of(abroad), EMAILS).splitlines())
    assert {t: r.total() for t, r in moved.items() if t not in PARTS} == {
        "customer": 36, "rental": 968, "address": 36,
    }  # fmt: skip
    assert sum(moved[p].total() for p in PARTS) == 968

    plan = estate.plan()
    assert {
        s["table"]: s["rows"] for s in plan["steps"] if s["op"] == "move"
    } == {"app.customer": 36, "app.rental": 968, "app.payment": 968, "app.address": 36}  # fmt: skip
    assert plan["held"] == []
    estate.apply()

    after, there = support.rows_of(pg15, abroad), support.rows_of(home_server, home)
    assert after == without(before, moved)
    # Rentals and payments refer to staff and stores, and these to their own addresses.
    assert there["address"] - moved["address"] == support.picked(pg15, abroad, "address", OFFICES)
    for table, rows in there.items():
        if table in moved:
            assert rows == moved[table] or table == "address", table
        else:
            assert rows <= before[table], table  # reference rows, as they are abroad
    assert support.schema_of(pg15, abroad) == schema
    if version == 15:
        assert support.schema_of(pg15, home) == schema
    support.assert_whole(pg15, abroad)
    support.assert_whole(home_server, home)
    assert rent(home_server, home) > max(int(r[1:].split(",")[0]) for r in moved["rental"])
    again = estate.plan("again.json")
    assert (again["steps"], again["held"]) == ([], [])
    verified = estate.verify()
    assert "files abroad" in support.checks(verified, "ok")
    assert support.files_with(pg15, abroad, emails) == []
    assert estate.log()["ok"]
    assert [e for e in emails if e.encode() in estate.evidence()] == []


def test_to_a_home_with_the_schema_alone(
    pagila: CopyEstate, pg15: TestServer, tmp_path: Path
) -> None:
    abroad, home = pagila(name="abroad"), pagila(rows=False, name="home")
    estate = Estate(tmp_path, abroad, home, BODY)
    moved, schema = theirs(pg15, abroad), support.schema_of(pg15, home)
    estate.plan()
    estate.apply()
    there = support.rows_of(pg15, home)
    assert {t: there[t] for t in moved if t != "address"} == {
        t: r for t, r in moved.items() if t != "address"
    }
    assert support.schema_of(pg15, home) == schema
    support.assert_whole(pg15, home)
    assert rent(pg15, home) > 0


def test_to_a_home_with_people_and_reference_rows(
    pagila: CopyEstate, pg15: TestServer, tmp_path: Path
) -> None:
    abroad, home = pagila(name="abroad"), pagila(name="home")
    all_theirs = theirs(pg15, abroad)
    remove(pg15, abroad, f"customer_id IN {AMERICAN} AND customer_id % 2 = 0")
    remove(pg15, home, f"NOT (customer_id IN {AMERICAN} AND customer_id % 2 = 0)")
    estate = Estate(tmp_path, abroad, home, BODY)
    moved, before = theirs(pg15, abroad), support.rows_of(pg15, abroad)
    there = support.rows_of(pg15, home)
    assert 0 < moved["customer"].total() < 36
    plan = estate.plan()
    assert plan["held"] == []
    assert {s["op"] for s in plan["steps"]} == {"move", "purge"}  # every reference row is there
    estate.apply()
    assert support.rows_of(pg15, abroad) == without(before, moved)
    assert support.rows_of(pg15, home) == {
        t: rows + moved.get(t, Rows()) for t, rows in there.items()
    }
    assert theirs(pg15, home) == all_theirs
    support.assert_whole(pg15, home)
    assert estate.plan("again.json")["steps"] == []


RENTED = (
    "SELECT film_id FROM rental JOIN inventory USING (inventory_id)"
    f" WHERE customer_id IN {AMERICAN} GROUP BY film_id ORDER BY count(*) DESC, film_id LIMIT 1"
)
ITS = "inventory_id IN (SELECT inventory_id FROM inventory WHERE film_id = {film})"
ITS_RENTALS = f"customer_id IN {AMERICAN} AND {ITS}"
ITS_PAYMENTS = f"rental_id IN (SELECT rental_id FROM rental WHERE {ITS_RENTALS})"


def test_another_film_of_the_same_number_holds_what_needs_it(
    pagila: CopyEstate, pg15: TestServer, tmp_path: Path
) -> None:
    abroad, home = pagila(name="abroad"), pagila(name="home")
    remove(pg15, home, "true")
    film = pg15.sql(support.name_of(abroad), RENTED)
    pg15.sql(support.name_of(home), f"UPDATE film SET title = 'Another' WHERE film_id = {film}")
    estate = Estate(tmp_path, abroad, home, BODY)
    moved, before = theirs(pg15, abroad), support.rows_of(pg15, abroad)
    there = support.rows_of(pg15, home)
    held = {
        "rental": support.picked(pg15, abroad, "rental", ITS_RENTALS.format(film=film)),
        **{p: support.picked(pg15, abroad, p, ITS_PAYMENTS.format(film=film)) for p in PARTS},
    }
    assert held["rental"]
    renters = {row.split(",")[2] for row in held["rental"]}
    plan = estate.plan()
    said = {h["table"]: h for h in plan["held"]}
    assert {t: h["rows"] for t, h in said.items()} == {
        "app.rental": held["rental"].total(),
        "app.payment": sum(held[p].total() for p in PARTS),
    }
    assert all("same key" in h["reason"] for h in said.values())
    estate.apply()

    going = {t: rows - held.get(t, Rows()) for t, rows in moved.items()}
    after = support.rows_of(pg15, abroad)
    for table, rows in without(before, going).items():
        if table not in ("customer", "address"):
            assert after[table] == rows, table
    stubs = after["customer"] - before["customer"]
    assert {s[1:].split(",")[0] for s in stubs} == renters  # the held rentals still lead somewhere
    assert before["customer"] - after["customer"] == moved["customer"]
    names = [n for n in ("MARY", "LINDA", "@sakilacustomer.org") if any(n in s for s in stubs)]
    assert names == []
    assert support.rows_of(pg15, home) == {
        t: rows + going.get(t, Rows()) for t, rows in there.items()
    }
    support.assert_whole(pg15, abroad)
    support.assert_whole(pg15, home)
    assert estate.plan("again.json")["steps"] == []
    verified = estate.verify()
    assert "held abroad app.rental" in support.checks(verified, "held")
    assert not verified["clean"]
