"""The grants of docs/stores.md are enough, and each of them is needed.

Roles with nothing but these grants plan, apply and purge on a server of the test's own.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from domicile.cli.main import main
from domicile.errors import StoreRefused
from domicile.stores.postgres_purge import SNAPSHOTS, STATISTICS, purge
from domicile.stores.postgres_schema import create_schema
from tests.oracle.compare import run
from tests.servers import TestServer
from tests.stores.test_postgres_reflect import store_at

TABLES = """
CREATE ROLE app_owner;
GRANT USAGE, CREATE ON SCHEMA public TO app_owner;
CREATE TABLE person (id serial PRIMARY KEY, country text NOT NULL, email text NOT NULL);
CREATE TABLE visit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at date,
  person_id int NOT NULL REFERENCES person);
CREATE MATERIALIZED VIEW counted AS SELECT person_id, count(*) AS n FROM visit GROUP BY 1;
ALTER TABLE person OWNER TO app_owner; ALTER TABLE visit OWNER TO app_owner;
ALTER MATERIALIZED VIEW counted OWNER TO app_owner;
"""
ROWS = """
INSERT INTO person (country, email) SELECT CASE WHEN n % 2 = 0 THEN 'US' ELSE 'NL' END,
  'person' || n || '@example.org' FROM generate_series(1, 40) n;
INSERT INTO visit (person_id) SELECT n FROM generate_series(1, 40) n, generate_series(1, 3);
REFRESH MATERIALIZED VIEW counted; ANALYZE;
"""
SEQUENCES = "SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public"
SURVEY = (
    "CONNECT, TEMPORARY ON DATABASE {database}",
    "USAGE ON SCHEMA public",
    "SELECT ON ALL TABLES IN SCHEMA public",
)
SOURCE = (
    *SURVEY,
    "UPDATE, DELETE ON ALL TABLES IN SCHEMA public",
    "SET ON PARAMETER session_replication_role",
)
HOME = (
    *SURVEY,
    "INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public",
    "SET ON PARAMETER session_replication_role",
    SEQUENCES,
)
PURGE = ("app_owner", "pg_checkpoint")

ESTATE = """
estate: grants
controller: {{name: Clips Ltd, country: SG}}
stores:
  abroad: {{url: "{abroad}", country: SG, operator: Clips Ltd, holds: app}}
  texas: {{url: "{texas}", country: US, operator: Potomac Data Trust, holds: app}}
organisations: {{Clips Ltd: {{country: SG}}, Potomac Data Trust: {{country: US}}}}
subjects:
  person: {{register: app.person, key: id, residence: country}}
"""
MANDATE = """
mandate: us-home
title: US users at home
issuer: Clips Ltd
citation: a promise made up for this test
status: voluntary
effective: 2026-01-01
protects: {residence: [US], unknown_residence: report, categories: [user]}
clauses:
  - {id: rest, store: {country: [US], operator: [Potomac Data Trust]}, otherwise: move}
"""


def _names(server: TestServer) -> tuple[str, str]:
    """Two databases that nobody may use by default."""
    server.create_database("abroad")
    server.create_database("texas")
    for name in ("abroad", "texas"):
        server.sql("postgres", f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
        server.sql(name, "REVOKE ALL ON SCHEMA public FROM PUBLIC")
    return "abroad", "texas"


def _grant(server: TestServer, database: str, role: str, grants: tuple[str, ...]) -> None:
    for grant in grants:
        server.sql(database, f"GRANT {grant.format(database=database)} TO {role}")


def _declare(server: TestServer, directory: Path) -> Path:
    (directory / "mandates").mkdir()
    (directory / "mandates" / "us-home.yaml").write_text(MANDATE)
    estate = directory / "estate.yaml"
    urls = {
        name: server.url(name).replace("postgres@", "${USER_OF_" + name.upper() + "}@")
        for name in ("abroad", "texas")
    }
    estate.write_text(ESTATE.format(**urls))
    return estate


@pytest.fixture
def prepared(
    fresh_server: Callable[..., TestServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[TestServer, Path]:
    """Two cells, one of them full, and roles with the grants; apply's roles are chosen."""
    server = fresh_server()
    abroad, texas = _names(server)
    server.psql(abroad, "--set=ON_ERROR_STOP=1", stdin=TABLES + ROWS)
    create_schema(store_at(server.url(abroad)), store_at(server.url(texas)))
    for role in ("surveyor", "mover", "custodian"):
        server.sql("postgres", f"CREATE ROLE {role} LOGIN")
    _grant(server, abroad, "surveyor", SURVEY)
    _grant(server, texas, "surveyor", SURVEY)
    _grant(server, abroad, "mover", SOURCE)
    _grant(server, texas, "custodian", HOME)
    monkeypatch.setenv("USER_OF_ABROAD", "mover")
    monkeypatch.setenv("USER_OF_TEXAS", "custodian")
    return server, _declare(server, tmp_path)


def _commands(estate: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The arguments of plan and of apply."""
    plan = estate.parent / "plan.json"
    return (
        ("plan", "--estate", str(estate), "-o", str(plan), "--as-of", "2026-06-01", "--json"),
        ("apply", str(plan), "--estate", str(estate), "--yes"),
    )


def test_the_grants_are_enough_and_needed(
    prepared: tuple[TestServer, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, estate = prepared
    plan, apply = _commands(estate)
    with monkeypatch.context() as environment:
        environment.setenv("USER_OF_ABROAD", "surveyor")
        environment.setenv("USER_OF_TEXAS", "surveyor")
        for grant in SURVEY:
            _fails_without(server, "abroad", "surveyor", grant, plan)
        document = json.loads(run(*plan))
    assert {s["op"] for s in document["steps"]} == {"move"}
    for grant in SOURCE:
        _fails_without(server, "abroad", "mover", grant, apply)
    for grant in HOME:
        if grant != SEQUENCES:
            _fails_without(server, "texas", "custodian", grant, apply)
    run(*apply)
    assert server.sql("abroad", "SELECT count(*) FROM person WHERE country = 'US'") == "0"
    assert server.sql("texas", "SELECT count(*) FROM visit") == "60"
    assert server.sql("texas", "SELECT nextval('person_id_seq')") == "41"


def test_sequences_are_moved_when_the_grant_came_late(prepared: tuple[TestServer, Path]) -> None:
    server, estate = prepared
    plan, apply = _commands(estate)
    run(*plan)
    _fails_without(server, "texas", "custodian", SEQUENCES, apply)
    run(*apply)
    assert server.sql("texas", "SELECT nextval('person_id_seq')") == "41"


def _fails_without(
    server: TestServer, database: str, role: str, grant: str, arguments: tuple[str, ...]
) -> None:
    """Without the grant the command ends in a clear error, with it restored it may go on."""
    named = grant.format(database=database)
    server.sql(database, f"REVOKE {named} FROM {role}")
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(list(arguments))
    assert code in (3, 5), f"without {named}: exit {code}: {err.getvalue()}"
    _grant(server, database, role, (grant,))


def test_a_purge_by_the_owner(fresh_server: Callable[..., TestServer]) -> None:
    server = fresh_server()
    abroad, _ = _names(server)
    server.psql(abroad, "--set=ON_ERROR_STOP=1", stdin=TABLES + ROWS)
    server.sql("postgres", "CREATE ROLE purger LOGIN")
    _grant(server, abroad, "purger", (*SURVEY, *PURGE))
    server.sql(abroad, "DELETE FROM visit WHERE person_id = 7")
    server.sql(abroad, "DELETE FROM person WHERE id = 7")
    mine = store_at(server.url(abroad).replace("postgres@", "purger@"))

    done = purge(mine, ["person", "visit"], lock_seconds=1)
    assert (done.tables, done.views) == (("person", "visit"), ("counted",))
    assert {what for what, _ in done.problems} == {STATISTICS}, "its tables are the database's"

    server.sql(abroad, "ALTER DATABASE abroad OWNER TO app_owner")
    assert purge(mine, ["person", "visit"], lock_seconds=1).problems == ()
    assert _in_base(server, b"person7@example.org") == 0

    server.sql(abroad, "DELETE FROM visit")
    (problem,) = purge(mine, ["visit"], lock_seconds=1).problems
    assert problem[0] == STATISTICS
    assert "superuser" in problem[1], "nobody else can clear statistics of an empty table on 15"


def test_a_purger_without_rights_sees_others_snapshots(
    fresh_server: Callable[..., TestServer],
) -> None:
    server = fresh_server()
    abroad, _ = _names(server)
    server.psql(abroad, "--set=ON_ERROR_STOP=1", stdin=TABLES + ROWS)
    server.sql("postgres", "CREATE ROLE purger LOGIN")
    server.sql("postgres", "ALTER DATABASE abroad OWNER TO app_owner")
    _grant(server, abroad, "purger", (*SURVEY, *PURGE))
    with store_at(server.url(abroad)).read() as other:
        other.query("SELECT 1")
        server.sql(abroad, "DELETE FROM visit WHERE person_id = 7")
        mine = store_at(server.url(abroad).replace("postgres@", "purger@"))
        done = purge(mine, ["visit"], lock_seconds=0.3)
    assert {what for what, _ in done.problems} == {SNAPSHOTS, "visit", STATISTICS}


def test_a_schema_is_made_by_its_owner(fresh_server: Callable[..., TestServer]) -> None:
    server = fresh_server()
    abroad, texas = _names(server)
    server.psql(abroad, "--set=ON_ERROR_STOP=1", stdin=TABLES)
    for role in ("surveyor", "custodian"):
        server.sql("postgres", f"CREATE ROLE {role} LOGIN")
    _grant(server, abroad, "surveyor", SURVEY)
    _grant(server, texas, "custodian", SURVEY)
    source = store_at(server.url(abroad).replace("postgres@", "surveyor@"))
    home = store_at(server.url(texas).replace("postgres@", "custodian@"))
    with pytest.raises(StoreRefused, match="permission denied for schema public"):
        create_schema(source, home)
    _grant(server, texas, "custodian", ("CREATE ON SCHEMA public",))
    notes = create_schema(source, home)
    assert "owners were not kept" in notes[0]
    assert set(home.reflect().tables) == {"person", "visit"}


def _in_base(server: TestServer, needle: bytes) -> int:
    files = (p for p in (server.data / "base").rglob("*") if p.is_file())
    return sum(needle in path.read_bytes() for path in files)
