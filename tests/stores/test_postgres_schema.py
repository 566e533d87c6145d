"""The schema at home comes out the same, between servers of different ages too, or not at all."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from domicile.errors import StoreRefused
from domicile.estate import model
from domicile.stores import postgres_dump
from domicile.stores.postgres import PostgresStore
from domicile.stores.postgres_schema import create_schema, differences
from domicile.stores.schema import Check, Column, ForeignKey, Key, Schema, Table
from tests.conftest import CopyEstate, MakeDatabase
from tests.servers import TestServer

SCHEMA = r"""
CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"');
CREATE DOMAIN postcode AS text CHECK (VALUE ~ '^[1-9][0-9]{3} ?[A-Z]{2}$');
CREATE TYPE place AS (street text, number int);
CREATE SEQUENCE apart INCREMENT 2 START 2;
CREATE TABLE "Per son" (id int PRIMARY KEY DEFAULT nextval('apart'), "E-mail" text UNIQUE,
  mood mood DEFAULT 'sad', post postcode, home place, tags text[] DEFAULT '{}',
  low text GENERATED ALWAYS AS (lower("E-mail"::text)) STORED,
  CONSTRAINT "not nobody" CHECK (id > 0 AND ("E-mail" <> '' OR mood IN ('sad'))));
COMMENT ON TABLE "Per son" IS 'people; -- Name: x; Type: SCHEMA;';
CREATE TABLE visit (id bigint GENERATED ALWAYS AS IDENTITY, at date NOT NULL,
  person int NOT NULL REFERENCES "Per son" ON DELETE CASCADE DEFERRABLE,
  PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE visit_26 PARTITION OF visit FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE visit_rest PARTITION OF visit DEFAULT;
CREATE INDEX ON visit (person);
CREATE VIEW people AS SELECT id, "E-mail" FROM "Per son";
CREATE MATERIALIZED VIEW counted AS SELECT person, count(*) AS n FROM visit GROUP BY 1;
CREATE UNIQUE INDEX ON counted (person);
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $_$ BEGIN /*
\restrict notatoken
-- Name: public; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA public;
*/ RETURN NEW; END $_$;
CREATE TRIGGER watched BEFORE UPDATE ON "Per son" FOR EACH ROW
  WHEN (OLD.home IS DISTINCT FROM NEW.home) EXECUTE FUNCTION watch();
ALTER TABLE "Per son" ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON "Per son" USING (id = 7);
CREATE RULE no_people AS ON DELETE TO people DO INSTEAD NOTHING;
CREATE STATISTICS both_stats ON id, mood FROM "Per son";
CREATE FUNCTION plus(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + $2';
CREATE OPERATOR <+> (LEFTARG = int, RIGHTARG = int, FUNCTION = plus);
CREATE AGGREGATE summed (int) (SFUNC = plus, STYPE = int, INITCOND = '0');
INSERT INTO "Per son" VALUES (1, 'row-that-stays@example.nl');
REFRESH MATERIALIZED VIEW counted;
ANALYZE;
"""


def _store(url: str, schema: str = "", name: str = "home") -> PostgresStore:
    shown = url.replace("secret", "***")
    return PostgresStore(model.Store(name, url, "US", "T", "app", schema=schema, shown=shown))


def _fill(server: TestServer, url: str, script: str) -> None:
    # A line that starts with a backslash would be psql's own: run it as one statement.
    server.psql(_name(url), "--set=ON_ERROR_STOP=1", f"--command={script}")


def _name(url: str) -> str:
    return url.rsplit("/", 1)[1]


def _lines(server: TestServer, url: str, schema: str = "public") -> list[str]:
    """The schema as pg_dump writes it, in no order and without what names the run."""
    text = subprocess.run(
        [str(server.bin_dir / "pg_dump"), "-s", f"--schema={schema}", f"--dbname={url}"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    skip = ("\\", "-- Dumped", "SET transaction_timeout")
    return sorted(line for line in text.splitlines() if line and not line.startswith(skip))


@pytest.mark.parametrize(
    ("old", "new"), [("pg15", "pg15"), ("pg15", "pg18"), ("pg18", "pg15"), ("pg18", "pg18")]
)
def test_the_same_on_servers_of_any_age(
    old: str, new: str, request: pytest.FixtureRequest, database: MakeDatabase
) -> None:
    there, here = request.getfixturevalue(old), request.getfixturevalue(new)
    source, home = database(there, "there"), database(here, "here")
    _fill(there, source, SCHEMA)

    assert create_schema(_store(source), _store(home)) == ()

    assert differences(_store(source).reflect(), _store(home).reflect()) == []
    assert differences(_store(home).reflect(), _store(source).reflect()) == []
    assert here.sql(_name(home), 'SELECT count(*) FROM "Per son"') == "0"
    assert here.sql(_name(home), "SELECT relispopulated FROM pg_class WHERE relname = 'counted'") \
        == "f"  # fmt: skip
    body = "SELECT md5(prosrc) FROM pg_proc WHERE proname = 'watch'"
    assert here.sql(_name(home), body) == there.sql(_name(source), body)
    assert here.sql(_name(home), "SELECT count(*) FROM pg_statistic s JOIN pg_class c "
                    "ON c.oid = s.starelid WHERE relname = 'Per son'") == "0"  # fmt: skip
    if old == new:
        assert _lines(here, home) == _lines(there, source)


@pytest.mark.parametrize("estate", ["pagila", "peertube"])
def test_recorded_estates(
    estate: str, request: pytest.FixtureRequest, pg15: TestServer, pg18: TestServer,
    database: MakeDatabase,
) -> None:  # fmt: skip
    copy: CopyEstate = request.getfixturevalue(estate)
    source, same, newer = copy(), database(pg15, "same"), database(pg18, "newer")
    said = "schema legacy has 1 views and 0 foreign keys to these tables, which are not made"
    notes = (said,) if estate == "pagila" else ()
    assert create_schema(_store(source), _store(same)) == notes
    assert _lines(pg15, same) == _lines(pg15, source)
    if estate == "peertube":  # the wheel's server comes without contrib
        with pytest.raises(StoreRefused, match="extension pg_trgm of the source cannot be made"):
            create_schema(_store(source), _store(newer))
    else:
        assert create_schema(_store(source), _store(newer)) == notes


def test_a_schema_of_another_name(pg15: TestServer, database: MakeDatabase) -> None:
    source, home = database(pg15, "there"), database(pg15, "here")
    _fill(pg15, source, 'CREATE SCHEMA "My App"; CREATE TABLE "My App".t (x int PRIMARY KEY);'
          "CREATE SCHEMA myapp; CREATE TABLE myapp.not_this (x int)")  # fmt: skip
    assert create_schema(_store(source, "My App"), _store(home, "My App")) == ()
    assert list(_store(home, "My App").reflect().tables) == ["t"]
    assert pg15.sql(_name(home), "SELECT count(*) FROM pg_tables WHERE schemaname = 'myapp'") == "0"
    with pytest.raises(StoreRefused, match="schema 'other' from schema 'My App'"):
        create_schema(_store(source, "My App"), _store(home, "other"))


def test_a_home_with_tables_is_left_alone(pg15: TestServer, database: MakeDatabase) -> None:
    source, home = database(pg15, "there"), database(pg15, "here")
    _fill(pg15, source, "CREATE TABLE t (x int)")
    _fill(pg15, home, "CREATE TABLE mine (x int)")
    before = _lines(pg15, home)
    with pytest.raises(StoreRefused, match="not empty: it has mine"):
        create_schema(_store(source), _store(home))
    assert _lines(pg15, home) == before


def test_a_failure_half_way_leaves_nothing(pg15: TestServer, database: MakeDatabase) -> None:
    source, home = database(pg15, "there"), database(pg15, "here")
    _fill(
        pg15,
        source,
        "CREATE SCHEMA shared; CREATE DOMAIN shared.cents AS numeric;"
        "CREATE TABLE a (x int); CREATE TABLE b (x shared.cents); CREATE EXTENSION citext",
    )
    before = _lines(pg15, home)
    with pytest.raises(StoreRefused, match='schema "shared" does not exist'):
        create_schema(_store(source), _store(home))
    assert _lines(pg15, home) == before
    assert pg15.sql(_name(home), "SELECT count(*) FROM pg_extension") == "1"


def test_a_missing_schema_at_the_source(pg15: TestServer, database: MakeDatabase) -> None:
    with pytest.raises(StoreRefused, match="no schema 'none'"):
        create_schema(_store(database(pg15), "none"), _store(database(pg15), "none"))


def test_owners_and_privileges_follow_the_roles(
    pg15: TestServer, pg18: TestServer, database: MakeDatabase
) -> None:
    source, same, other = database(pg15), database(pg15), database(pg18)
    pg15.sql("postgres", "DROP ROLE IF EXISTS schema_owner; DROP ROLE IF EXISTS schema_reader")
    pg15.psql("postgres", stdin="CREATE ROLE schema_owner; CREATE ROLE schema_reader")
    try:
        _fill(pg15, source, "CREATE TABLE t (x int); ALTER TABLE t OWNER TO schema_owner;"
              "GRANT SELECT (x) ON t TO schema_reader; CREATE FUNCTION f() RETURNS int "
              "LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'")  # fmt: skip
        assert create_schema(_store(source), _store(same)) == ()
        assert _lines(pg15, same) == _lines(pg15, source)
        notes = create_schema(_store(source), _store(other))
        assert len(notes) == 3
        assert "cannot act for schema_owner" in notes[0]
        assert "no role schema_owner, schema_reader" in notes[1]
        assert "1 functions run with their owner's rights" in notes[2]
        owner = "SELECT relowner::regrole FROM pg_class WHERE relname = 't'"
        assert pg18.sql(_name(other), owner) == "postgres"
    finally:
        for url in (source, same):
            pg15.sql(_name(url), "DROP OWNED BY schema_owner, schema_reader CASCADE")
        pg15.sql("postgres", "DROP ROLE schema_owner, schema_reader")


def test_an_extension_that_the_home_has_not(
    pg15: TestServer, pg18: TestServer, database: MakeDatabase
) -> None:
    source = database(pg15)
    _fill(pg15, source, "CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext;"
          "CREATE TABLE t (x int)")  # fmt: skip
    home = database(pg15)
    role = "schema_plain"
    pg15.sql("postgres", f"DROP ROLE IF EXISTS {role}")
    pg15.sql(_name(home), f"CREATE ROLE {role} LOGIN")
    pg15.sql(_name(home), f"GRANT CREATE ON SCHEMA public TO {role}")
    try:
        mine = home.replace("postgres@", f"{role}@")
        notes = create_schema(_store(source), _store(mine))
        assert [n for n in notes if n.startswith("extension citext")]
        pg15.sql(_name(home), "DROP TABLE t")
        _fill(pg15, source, "ALTER TABLE t ADD y ext.citext")
        with pytest.raises(StoreRefused, match="extension citext of the source"):
            create_schema(_store(source), _store(mine))
    finally:
        pg15.sql(_name(home), f"DROP OWNED BY {role} CASCADE")
        pg15.sql("postgres", f"DROP ROLE {role}")


def test_without_pg_dump_it_says_what_to_run(
    pg18: TestServer, database: MakeDatabase, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source, home = database(pg18), database(pg18)
    old = tmp_path / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 14.2'\n")
    old.chmod(0o755)
    monkeypatch.setattr(postgres_dump, "_DEBIAN", tmp_path / "none")
    monkeypatch.setattr(postgres_dump, "_WHEEL", "no_such_wheel")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StoreRefused, match="this machine has 14") as caught:
        create_schema(_store(source), _store(home))
    assert "pg_dump --schema-only" in caught.value.hint


def test_the_password_is_never_an_argument(
    pg15: TestServer, database: MakeDatabase, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source, home = database(pg15), database(pg15)
    _fill(pg15, source, "CREATE TABLE t (x int)")
    seen = tmp_path / "seen"
    spy = tmp_path / "pg_dump"
    spy.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] || echo "$@" "[$PGPASSWORD]" >> {seen}\n'
        f'exec {pg15.bin_dir}/pg_dump "$@"\n'
    )
    spy.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for url in (source.replace("postgres@", "postgres:se%63ret%21@"), f"{source}?password=secret!"):
        create_schema(_store(url), _store(home))
        arguments, _, given = seen.read_text().strip().rpartition(" ")
        assert given == "[secret!]"
        assert "ret" not in arguments
        pg15.sql(_name(home), "DROP TABLE t")
        seen.unlink()


def _table(*columns: Column, **more: object) -> Schema:
    table = Table("t", columns, (Key(("id",), primary=True),))
    return Schema({"t": replace(table, **more)})  # type: ignore[arg-type]  # any field of Table


ID = Column("id", "integer", "int", nullable=False)
NAME = Column("name", "text", "text")
REFERENCE = ForeignKey(("name",), "t", ("id",), "k")


ON_DELETE = "foreign key (name) to t (id) is on delete no action, at home on delete cascade"


@pytest.mark.parametrize(
    ("source", "home", "expected"),
    [
        (_table(ID), Schema(), ["table t is missing at home"]),
        (_table(ID, NAME), _table(ID), ["table t: column name is missing at home"]),
        (_table(ID, NAME), _table(ID, replace(NAME, type="varchar(3)")),
         ["table t: column name is text, at home varchar(3)"]),
        (_table(ID, NAME), _table(ID, replace(NAME, nullable=False)),
         ["table t: column name may be null, at home it may not"]),
        (_table(ID, replace(NAME, nullable=False)), _table(ID, NAME), []),
        (_table(ID, NAME), _table(ID, replace(NAME, generated=True)),
         ["table t: column name is plain, at home generated"]),
        (_table(ID, replace(NAME, labels=("a", "b"))), _table(ID, replace(NAME, labels=("b",))),
         ["table t: column name: labels missing at home: a"]),
        (_table(ID), _table(ID, NAME), []),
        (_table(ID), _table(ID, replace(NAME, nullable=False)),
         ["table t: column name is at home only, may not be null and has no default"]),
        (_table(ID), _table(ID, replace(NAME, nullable=False, default="''")), []),
        (_table(ID), _table(ID, keys=()), ["table t: unique key (id) is missing at home"]),
        (_table(ID, keys=()), _table(ID), ["table t: unique key (id) is at home only"]),
        (_table(ID, NAME, foreign_keys=(REFERENCE,)), _table(ID, NAME),
         ["table t: foreign key (name) to t (id) is missing at home"]),
        (_table(ID, NAME), _table(ID, NAME, foreign_keys=(REFERENCE,)),
         ["table t: foreign key (name) to t (id) is at home only"]),
        (_table(ID, NAME, foreign_keys=(replace(REFERENCE, enforced=False),)),
         _table(ID, NAME), []),
        (_table(ID, NAME, foreign_keys=(REFERENCE,)),
         _table(ID, NAME, foreign_keys=(replace(REFERENCE, name="x", on_delete="cascade"),)),
         [f"table t: {ON_DELETE}"]),
        (_table(ID), _table(ID, checks=(Check("positive", "(id > 0)"),)),
         ["table t: check positive is at home only"]),
        (_table(ID, checks=(Check("c", "((id > 0))"),)),
         _table(ID, checks=(Check("d", "(id > 0)"),)), []),
        (_table(ID, NAME), _table(NAME, ID), []),
        (Schema(), _table(ID), []),
    ],
)  # fmt: skip
def test_differences(source: Schema, home: Schema, expected: list[str]) -> None:
    assert differences(source, home) == expected
