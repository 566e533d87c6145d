"""What `init` proposes in PostgreSQL: partitions, permissions, and the recorded estates."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from domicile.survey.propose_model import Proposal
from tests.conftest import CopyEstate, MakeDatabase
from tests.servers import TestServer
from tests.survey.test_propose import links, proposal, residence, tables, url

PARTITIONED = """
    CREATE TABLE customer (customer_id integer PRIMARY KEY, email text, first_name text,
        last_name text, country text);
    CREATE TABLE payment (payment_id integer, customer_id integer, paid date)
        PARTITION BY RANGE (paid);
    CREATE TABLE payment_1 PARTITION OF payment FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
    CREATE TABLE payment_2 PARTITION OF payment FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
    ALTER TABLE payment_1 ADD CONSTRAINT paid_by
        FOREIGN KEY (customer_id) REFERENCES customer (customer_id);
    INSERT INTO customer SELECT i, 'c' || i || '@mail.example', 'Ada', 'Body', 'NL'
        FROM generate_series(1, 40) i;
    INSERT INTO payment SELECT i, 1 + i % 40, date '2024-01-01' + i % 50
        FROM generate_series(1, 200) i;
"""


def _partitioned(server: TestServer, database: MakeDatabase, more: str = "") -> Proposal:
    place = database(server, "init")
    server.sql(place.rsplit("/", 1)[-1], PARTITIONED + more)
    return proposal(place)


def test_a_key_that_some_partitions_lack(pg15: TestServer, database: MakeDatabase) -> None:
    result = _partitioned(pg15, database)
    assert links(result) == {"app.payment.customer_id": "customer"}
    assert "every row's value exists there" in result.links[0].reason.because


def test_a_key_that_the_data_deny(pg15: TestServer, database: MakeDatabase) -> None:
    more = "INSERT INTO payment VALUES (999, 12345, '2024-02-15')"
    result = _partitioned(pg15, database, more)
    assert links(result) == {}
    assert "1 row has a value that does not exist there" in result.links[0].reason.because


def test_a_table_that_may_not_be_read(pg15: TestServer, database: MakeDatabase) -> None:
    place = database(pg15, "init")
    name = place.rsplit("/", 1)[-1]
    role = f"reader_{name}"
    pg15.sql(
        name,
        PARTITIONED
        + f"CREATE TABLE closed (id integer PRIMARY KEY, email text); CREATE ROLE {role} LOGIN;"
        f"GRANT USAGE ON SCHEMA public TO {role}; GRANT SELECT ON customer, payment TO {role};"
        f"GRANT TEMPORARY ON DATABASE {name} TO {role};",
    )
    try:
        result = proposal(place.replace("//", f"//{role}@").replace("@postgres@", "@"))
        assert [s.name for s in result.subjects] == ["customer"]
        assert any(note.startswith("app.closed could not be read") for note in result.notes)
    finally:
        pg15.sql(name, f"DROP OWNED BY {role}; DROP ROLE {role};")


def test_pagila(pagila: CopyEstate) -> None:
    result = proposal(pagila())
    customer, staff = result.subjects
    assert (customer.name, str(customer.register)) == ("customer", "app.customer")
    assert residence(customer) == "address_id.city_id.country_id.country"
    assert (staff.name, staff.active) == ("staff", False)
    refused = {str(p.path) for p in customer.other_residences}
    assert "store_id.address_id.city_id.country_id.country" in refused
    assert {t: p.role.role for t, p in tables(result).items()} == {"address": "attachment"}
    assert links(result) == {
        "app.payment.customer_id": "customer",
        "app.payment.rental_id": "app.rental.rental_id",
        "app.payment.staff_id": "app.staff.staff_id",
    }
    assert result.guessed == 0


def test_a_video_platform(peertube: CopyEstate) -> None:
    result = proposal(peertube())
    (user,) = result.subjects
    assert (user.name, user.key) == ("user", ("id",))
    assert residence(user) == "<residence.country"
    assert str(user.born and user.born.path) == "<residence.born"
    active = tables(result)
    assert {t for t, p in active.items() if p.role.role == "attachment"} == {"actor"}
    authors = {t: str(p.role.author) for t, p in active.items() if p.role.author}
    expected = {
        "videoComment": "accountId", "actorFollow": "actorId", "accountVideoRate": "accountId",
        "abuse": "reporterAccountId", "abuseMessage": "accountId", "userNotification": "userId",
        "accountBlocklist": "accountId", "userVideoHistory": "userId",
        "videoChangeOwnership": "initiatorAccountId",
        "videoPlaylistElement": "videoPlaylistId.ownerAccountId",
    }  # fmt: skip
    assert {t: authors.get(t) for t in expected} == expected
    assert "video" not in active  # its channel's account is its one person
    notes = " ".join(result.notes)
    assert "app.userRegistration describes people" in notes
    assert "app.localVideoViewer.country holds countries too" in notes


def test_a_video_platform_that_stores_no_country(pg15: TestServer, peertube: CopyEstate) -> None:
    place = peertube(rows=True)
    pg15.sql(place.rsplit("/", 1)[-1], "DROP TABLE residence")
    (user,) = proposal(place).subjects
    assert user.residence is None
    assert user.born is None


def test_schemas_without_a_row(pagila: CopyEstate) -> None:
    result = proposal(pagila(rows=False))
    customer = result.subjects[0]
    assert customer.name == "customer"
    assert customer.residence is not None
    assert customer.residence.reason.guessed


@pytest.mark.parametrize(
    ("recorded", "register", "path", "second"),
    [
        ("chinook/Chinook_Sqlite.sqlite", "app.Customer", "Country", "employee"),
        (
            "sakila/sakila.sqlite", "app.customer", "address_id.city_id.country_id.country",
            "staff",
        ),
    ],
)  # fmt: skip
def test_sample_databases(
    shared: Path, tmp_path: Path, recorded: str, register: str, path: str, second: str
) -> None:
    copy = shutil.copy(shared / "estates" / recorded, tmp_path / "x.db")
    result = proposal(url(Path(copy)))
    subject, other = result.subjects
    assert (str(subject.register), residence(subject)) == (register, path)
    assert (other.name, other.active) == (second, False)
    attachments = {t for t, p in tables(result).items() if p.role.role}
    assert attachments == ({"address"} if second == "staff" else set())
