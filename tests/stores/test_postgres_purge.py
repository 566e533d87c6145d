"""After a purge the deleted value is nowhere in the server's files but for the log."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from domicile.estate import model
from domicile.stores import postgres_purge
from domicile.stores.postgres import PostgresStore
from domicile.stores.postgres_loop import run
from domicile.stores.postgres_purge import CHECKPOINT, SNAPSHOTS, STATISTICS, purge, refresh_views
from tests.conftest import MakeDatabase
from tests.servers import TestServer

GONE = b"kaatje.van.der.purge@example.nl"
STAYS = b"piet.blijft@example.nl"

SCHEMA = """
CREATE TABLE person (id int PRIMARY KEY, email text NOT NULL UNIQUE, about text, country text);
CREATE INDEX ON person (lower(email));
CREATE STATISTICS person_both (mcv) ON email, country FROM person;
CREATE VIEW people AS SELECT * FROM person;
CREATE MATERIALIZED VIEW domains AS SELECT id, email, split_part(email, '@', 2) AS domain
  FROM people;
CREATE MATERIALIZED VIEW again AS SELECT upper(domain) AS domain, email FROM domains;
CREATE MATERIALIZED VIEW never AS SELECT email FROM person WITH NO DATA;
CREATE INDEX ON domains (email);
CREATE TABLE visit (id int, at date, email text) PARTITION BY RANGE (at);
CREATE TABLE visit_25 PARTITION OF visit FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE visit_26 PARTITION OF visit FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE letter (id int PRIMARY KEY, email text);
INSERT INTO person SELECT n, CASE WHEN n = 7 THEN '{gone}' WHEN n = 8 THEN '{stays}'
  ELSE 'person' || n || '@example.org' END, repeat('x', 3000) || CASE WHEN n = 7 THEN '{gone}'
  ELSE '' END, CASE WHEN n % 2 = 0 THEN 'US' ELSE 'NL' END FROM generate_series(1, 60) n;
ALTER TABLE person ALTER about SET STORAGE EXTERNAL;
UPDATE person SET about = about || ' ';
INSERT INTO visit SELECT n, date '2025-06-01' + n, '{gone}' FROM generate_series(1, 300) n;
INSERT INTO letter SELECT n, '{gone}' FROM generate_series(1, 5) n;
REFRESH MATERIALIZED VIEW domains;
REFRESH MATERIALIZED VIEW again;
ANALYZE;
CHECKPOINT;
""".format(gone=GONE.decode(), stays=STAYS.decode())

DELETE = "DELETE FROM visit; DELETE FROM letter; DELETE FROM person WHERE id = 7"


def _store(url: str) -> PostgresStore:
    return PostgresStore(model.Store("source", url, "SG", "Tester", "app", shown=url))


def _holding(server: TestServer, needle: bytes) -> set[str]:
    """The kinds of files below the data directory that hold these bytes."""
    found = set()
    for path in server.data.rglob("*"):
        if path.is_file() and needle in path.read_bytes():
            found.add(path.relative_to(server.data).parts[0])
    return found


@pytest.fixture
def held(pg15: TestServer, database: MakeDatabase) -> tuple[TestServer, str]:
    """A database in which one address is in heap, TOAST, indexes, views and statistics."""
    return _filled(pg15, database)


def _filled(server: TestServer, database: MakeDatabase) -> tuple[TestServer, str]:
    url = database(server, "purge")
    server.psql(url.rsplit("/", 1)[1], "--set=ON_ERROR_STOP=1", stdin=SCHEMA)
    return server, url


def _sql(server: TestServer, url: str, statement: str) -> str:
    return server.sql(url.rsplit("/", 1)[1], statement)


@contextmanager
def _connected(url: str) -> Iterator[asyncpg.Connection[Any]]:
    connection = run(asyncpg.connect(url))
    try:
        yield connection
    finally:
        run(connection.close())


@pytest.mark.parametrize("version", ["pg15", "pg18"])
def test_nothing_is_left_but_in_the_log(
    version: str, request: pytest.FixtureRequest, database: MakeDatabase
) -> None:
    server, url = _filled(request.getfixturevalue(version), database)
    _sql(server, url, DELETE)
    _sql(server, url, "CHECKPOINT")
    assert "base" in _holding(server, GONE), "deleting alone leaves the bytes"

    done = purge(_store(url), ["person", "visit", "letter"])

    assert done.problems == ()
    assert done.tables == ("person", "visit", "letter")
    assert done.views == ("domains", "again")
    assert _holding(server, GONE) <= {"pg_wal"}
    assert "base" in _holding(server, STAYS), "the search finds what is there"
    assert _sql(server, url, "SELECT count(*) FROM person") == "59"
    assert _sql(server, url, "SELECT count(*) FROM again") == "59"
    left = f"SELECT count(*) FROM pg_stats WHERE most_common_vals::text LIKE '%{GONE.decode()}%'"
    assert _sql(server, url, left) == "0"


def test_blanked_values_go_too(held: tuple[TestServer, str]) -> None:
    server, url = held
    _sql(server, url, "UPDATE person SET email = 'blank', about = NULL WHERE id = 7")
    _sql(server, url, "UPDATE visit SET email = NULL")
    _sql(server, url, "TRUNCATE letter")
    assert purge(_store(url), ["visit", "person", "letter"]).problems == ()
    assert _holding(server, GONE) <= {"pg_wal"}


def test_a_purge_does_nothing_to_what_lives(held: tuple[TestServer, str]) -> None:
    server, url = held
    whole = "SELECT md5(string_agg(p::text, '|' ORDER BY id)) FROM person p"
    before = _sql(server, url, whole)
    first = purge(_store(url), ["person"])
    again = purge(_store(url), ["person", "person"])
    assert replace(first, seconds=0) == replace(again, seconds=0)
    assert _sql(server, url, whole) == before
    assert _sql(server, url, "SELECT relispopulated FROM pg_class WHERE relname = 'never'") == "f"


def test_a_plain_vacuum_leaves_the_bytes(pg15: TestServer, database: MakeDatabase) -> None:
    """Why FULL: a plain VACUUM frees the room on the page and does not overwrite it."""
    url = database(pg15)
    for statement in (
        "CREATE TABLE t (n int, email text)",
        "INSERT INTO t VALUES (1, NULL), (2, NULL), (3, 'vacuumed' || '@example.org')",
        "DELETE FROM t WHERE n = 3",
        "VACUUM (FREEZE, ANALYZE) t",
        "CHECKPOINT",
    ):
        _sql(pg15, url, statement)
    heap = pg15.data / _sql(pg15, url, "SELECT pg_relation_filepath('t')")
    assert b"vacuumed@example.org" in heap.read_bytes()
    assert purge(_store(url), ["t"]).problems == ()
    assert "base" not in _holding(pg15, b"vacuumed@example.org")


def test_large_objects_that_were_unlinked(pg15: TestServer, database: MakeDatabase) -> None:
    url = database(pg15)
    photo = b"a-photo-of-somebody-who-left"
    for statement in (
        "CREATE TABLE photo (id int, data oid)",
        f"INSERT INTO photo VALUES (1, lo_from_bytea(0, '{photo.decode()}')), (2, NULL)",
        "SELECT lo_unlink(data) FROM photo WHERE id = 1",
        "DELETE FROM photo WHERE id = 1",
        "CHECKPOINT",
    ):
        _sql(pg15, url, statement)
    assert "base" in _holding(pg15, photo)
    assert purge(_store(url), ["photo"]).problems == ()
    assert _holding(pg15, photo) <= {"pg_wal"}


def test_a_locked_table_is_named_and_the_others_done(held: tuple[TestServer, str]) -> None:
    server, url = held
    _sql(server, url, DELETE)
    with _connected(url) as other:
        run(other.execute("BEGIN; LOCK TABLE letter IN ACCESS SHARE MODE"))
        done = purge(_store(url), ["letter", "visit"], lock_seconds=0.3)
        run(other.execute("ROLLBACK"))
    assert done.tables == ("visit",)
    assert [what for what, _ in done.problems] == ["letter"]
    assert "0.3 s" in done.problems[0][1]
    assert done.seconds < 20
    assert purge(_store(url), ["letter"]).problems == ()


def test_views_that_were_never_filled(held: tuple[TestServer, str]) -> None:
    server, url = held
    assert refresh_views(_store(url), ["person"]).views == ("domains", "again")
    filled = refresh_views(_store(url), ["person"], fill=True)
    assert set(filled.views) == {"domains", "again", "never"}
    assert filled.views.index("domains") < filled.views.index("again")
    assert _sql(server, url, "SELECT count(*) FROM never") == "60"


def test_a_locked_view_is_named(held: tuple[TestServer, str]) -> None:
    _, url = held
    with _connected(url) as other:
        run(other.execute("BEGIN; LOCK TABLE people IN ACCESS SHARE MODE; SELECT FROM domains"))
        done = refresh_views(_store(url), ["person"], lock_seconds=0.3)
        run(other.execute("ROLLBACK"))
    assert "domains" in [what for what, _ in done.problems]
    assert done.views == ("again",)


def test_an_old_snapshot_is_named_without_who(held: tuple[TestServer, str]) -> None:
    server, url = held
    with _connected(url) as other:
        run(other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ"))
        run(other.fetch("SELECT 1"))
        _sql(server, url, DELETE)
        done = purge(_store(url), ["visit", "letter"], lock_seconds=0.3)
        assert {what for what, _ in done.problems} == {SNAPSHOTS, "visit", "letter", STATISTICS}
        assert done.tables == ()
        assert done.problems[0][1].startswith("session of another (1, since ")
        assert "base" in _holding(server, GONE), "the problem is real"
        run(other.execute("ROLLBACK"))
    assert purge(_store(url), ["visit", "letter", "person"], lock_seconds=0.3).problems == ()
    assert _holding(server, GONE) <= {"pg_wal"}


def test_a_writer_in_another_database_counts(held: tuple[TestServer, str]) -> None:
    server, url = held
    with _connected(server.url("postgres")) as other:
        run(other.execute("BEGIN; SELECT pg_current_xact_id()"))
        _sql(server, url, DELETE)
        done = purge(_store(url), ["visit", "letter"], lock_seconds=0.3)
        run(other.execute("ROLLBACK"))
    assert SNAPSHOTS in {what for what, _ in done.problems}
    assert ("base" in _holding(server, GONE)) == (done.tables == ())


def test_a_snapshot_elsewhere_does_not(held: tuple[TestServer, str]) -> None:
    server, url = held
    with _connected(server.url("postgres")) as other:
        run(other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1"))
        _sql(server, url, DELETE)
        done = purge(_store(url), ["visit", "letter", "person"], lock_seconds=0.3)
    assert done.problems == ()
    assert _holding(server, GONE) <= {"pg_wal"}


def test_a_snapshot_that_ends_in_time_is_waited_for(held: tuple[TestServer, str]) -> None:
    server, url = held
    with _connected(url) as other:
        run(other.execute("SET statement_timeout = 0"))
        _sql(server, url, "CREATE FUNCTION nap() RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(1)'")
        napping = run(_begin(other))
        _sql(server, url, DELETE)
        done = purge(_store(url), ["visit", "letter", "person"])
        run(napping)
    assert done.problems == ()
    assert _holding(server, GONE) <= {"pg_wal"}


async def _begin(connection: asyncpg.Connection[Any]) -> Any:
    task = asyncio.ensure_future(connection.execute("SELECT nap()"))
    await asyncio.sleep(0.2)
    return task


PREPARED = """
CREATE TABLE t (x int); CREATE TABLE u (x int); INSERT INTO t VALUES (1);
BEGIN; INSERT INTO u VALUES (1); PREPARE TRANSACTION 'p';
DELETE FROM t;
"""


def test_prepared_transactions_and_slots_are_named(
    fresh_server: Callable[..., TestServer],
) -> None:
    server = fresh_server()
    server.sql("postgres", "ALTER SYSTEM SET max_prepared_transactions = 2")
    server.restart()
    url = server.create_database("t")
    server.psql("t", stdin=PREPARED)
    done = purge(_store(url), ["t"], lock_seconds=0.2)
    assert (SNAPSHOTS, True) in [
        (w, r.startswith("prepared transaction (1")) for w, r in done.problems
    ]
    server.psql("t", stdin="ROLLBACK PREPARED 'p'")
    assert purge(_store(url), ["t"], lock_seconds=0.2).problems == ()


def test_what_is_not_a_table_any_more_is_named(held: tuple[TestServer, str]) -> None:
    _, url = held
    done = purge(_store(url), ["gone", "letter"])
    assert done.problems == (("gone", "it is not there any more"),)
    assert done.tables == ("letter",)


def test_files_without_a_table_are_named(fresh_server: Callable[..., TestServer]) -> None:
    server = fresh_server()
    url = server.create_database("t")
    server.sql("t", "CREATE TABLE t (x int)")
    oid = server.sql("t", "SELECT oid FROM pg_database WHERE datname = 't'")
    orphan = server.data / "base" / oid / "999999"
    orphan.write_bytes(GONE)
    shutil.copystat(server.data / "PG_VERSION", orphan)
    os.chown(orphan, (server.data / "PG_VERSION").stat().st_uid, -1)
    os.utime(orphan, (1_000_000, 1_000_000))
    assert [what for what, _ in purge(_store(url), ["t"]).problems] == [postgres_purge.ORPHANS]


ROLES = """
CREATE ROLE {role} LOGIN;
ALTER TABLE letter OWNER TO {role};
ALTER TABLE visit OWNER TO {role};
ALTER TABLE visit_25 OWNER TO {role};
"""


def test_without_rights_each_thing_left_is_named(held: tuple[TestServer, str]) -> None:
    server, url = held
    role = "purge_owner"
    _sql(server, url, f"DROP ROLE IF EXISTS {role}")
    server.psql(url.rsplit("/", 1)[1], "--set=ON_ERROR_STOP=1", stdin=ROLES.format(role=role))
    try:
        _sql(server, url, "DELETE FROM letter")
        mine = url.replace("postgres@", f"{role}@")
        done = purge(_store(mine), ["letter", "visit", "person"], lock_seconds=0.5)
        problems = dict(done.problems)
        assert done.tables == ("letter",)
        assert set(problems) == {"visit", "person", "domains", "again", STATISTICS, CHECKPOINT}
        assert "superuser" in problems[STATISTICS]
    finally:
        _sql(server, url, f"DROP OWNED BY {role}; DROP ROLE {role}")
