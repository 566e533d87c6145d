"""PostgreSQL's catalogue as our schema: what makes a real application's tables hard to read."""

from __future__ import annotations

import pytest

from domicile.errors import DeclarationError
from domicile.estate import model
from domicile.stores.postgres import PostgresStore
from domicile.stores.schema import Schema, Table
from tests.conftest import MakeDatabase
from tests.servers import TestServer

SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"');
CREATE DOMAIN code AS varchar(5) NOT NULL;
CREATE DOMAIN outer_code AS code;
CREATE TYPE place AS (street text, number int);
CREATE TYPE span AS RANGE (subtype = int8);
CREATE TABLE "User Account" ("The ""Id"" key" int PRIMARY KEY, "e-mail" varchar(40) UNIQUE);
CREATE TABLE "select" ("from" int REFERENCES "User Account" ON DELETE SET NULL);
CREATE TABLE pair (b int, a int, c int, d int, PRIMARY KEY (a, b), UNIQUE (c, d));
CREATE TABLE twice (x int, y int, z int, w int,
  FOREIGN KEY (y, x) REFERENCES pair (a, b) ON DELETE CASCADE DEFERRABLE,
  FOREIGN KEY (z, w) REFERENCES pair (c, d));
CREATE TABLE loose (id int NOT NULL, part int NOT NULL, word text, maybe int);
CREATE UNIQUE INDEX loose_partial ON loose (part) WHERE part > 0;
CREATE UNIQUE INDEX loose_lower ON loose (lower(word));
CREATE UNIQUE INDEX loose_maybe ON loose (maybe);
CREATE UNIQUE INDEX loose_key ON loose (id) INCLUDE (word);
CREATE TABLE kinds (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, m mood NOT NULL DEFAULT 'sad', c code,
  o outer_code, tags text[], moods mood[], home place, s span, ts tsvector, js jsonb, u uuid,
  ip cidr, money money, n numeric(9,2), ch char(7), at timestamptz(3), gone int,
  low text GENERATED ALWAYS AS (upper(n::text)) STORED, CHECK (n > 0), reg regclass);
ALTER TABLE kinds DROP COLUMN gone;
CREATE TABLE event (id int NOT NULL, at date NOT NULL, account int, film int)
  PARTITION BY RANGE (at);
CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')
  PARTITION BY LIST (account);
CREATE TABLE event_2_one PARTITION OF event_2 FOR VALUES IN (1);
ALTER TABLE event_1 ADD FOREIGN KEY (account) REFERENCES "User Account";
ALTER TABLE event ADD FOREIGN KEY (film) REFERENCES "User Account";
ALTER TABLE event_1 ADD PRIMARY KEY (id);
CREATE TABLE parent (id int PRIMARY KEY, word text);
CREATE TABLE child (extra text, PRIMARY KEY (id)) INHERITS (parent);
CREATE UNLOGGED TABLE quick (id int);
CREATE VIEW seen AS SELECT * FROM parent;
CREATE MATERIALIZED VIEW kept AS SELECT * FROM parent;
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER on_event AFTER INSERT ON event FOR EACH ROW EXECUTE FUNCTION f();
CREATE TRIGGER is_off AFTER INSERT ON parent FOR EACH ROW EXECUTE FUNCTION f();
ALTER TABLE parent DISABLE TRIGGER is_off;
CREATE RULE r AS ON DELETE TO parent DO INSTEAD NOTHING;
CREATE SCHEMA other; CREATE TABLE other.parent (x int);
"""


def store_at(url: str, schema: str = "") -> PostgresStore:
    """A declared store of that URL."""
    return PostgresStore(model.Store("s", url, "SG", "T", "app", schema=schema, shown=url))


@pytest.fixture(params=["pg15", "pg18"])
def schema(request: pytest.FixtureRequest, database: MakeDatabase) -> Schema:
    server: TestServer = request.getfixturevalue(request.param)
    url = database(server, "reflect")
    server.psql(url.rsplit("/", 1)[1], "--set=ON_ERROR_STOP=1", stdin=SCHEMA)
    return store_at(url).reflect()


def _keys(table: Table) -> set[tuple[tuple[str, ...], bool]]:
    return {(k.columns, k.primary) for k in table.keys}


def _foreign(table: Table) -> set[tuple[tuple[str, ...], str, tuple[str, ...], str, bool, bool]]:
    return {
        (k.columns, k.parent, k.parent_columns, k.on_delete, k.deferrable, k.enforced)
        for k in table.foreign_keys
    }


def test_which_tables(schema: Schema) -> None:
    assert set(schema.tables) == {
        "User Account", "select", "pair", "twice", "loose", "kinds", "event", "parent", "child",
        "quick",
    }  # fmt: skip
    assert schema.tables["parent"].names == ("id", "word"), "not the one in another schema"


def test_names_that_need_quotes(schema: Schema) -> None:
    account = schema.tables["User Account"]
    assert account.names == ('The "Id" key', "e-mail")
    assert account.column("e-mail").length == 40
    assert _keys(account) == {(('The "Id" key',), True), (("e-mail",), False)}
    assert _foreign(schema.tables["select"]) == {
        (("from",), "User Account", ('The "Id" key',), "set null", False, True)
    }


def test_composite_keys_keep_their_order(schema: Schema) -> None:
    assert schema.tables["pair"].identity == ("a", "b")
    assert _foreign(schema.tables["twice"]) == {
        (("y", "x"), "pair", ("a", "b"), "cascade", True, True),
        (("z", "w"), "pair", ("c", "d"), "no action", False, True),
    }


def test_only_whole_unique_keys_are_keys(schema: Schema) -> None:
    loose = schema.tables["loose"]
    assert _keys(loose) == {(("maybe",), False), (("id",), False)}
    assert loose.identity == ("id",), "a unique column that may be null tells no rows apart"
    assert schema.tables["twice"].identity == ()


def test_types(schema: Schema) -> None:
    table = schema.tables["kinds"]
    assert {c.name: c.kind for c in table.columns if c.name != "o"} == {
        "id": "int", "m": "enum", "c": "text", "tags": "array", "moods": "array",
        "home": "other", "s": "range", "ts": "tsvector", "js": "json", "u": "uuid", "ip": "inet",
        "money": "other", "n": "numeric", "ch": "text", "at": "timestamptz", "low": "text",
        "reg": "other",
    }  # fmt: skip
    assert table.column("m").labels == ("sad", 'it\'s "ok"')
    assert table.column("m").default == "'sad'::mood"
    assert (table.column("id").identity, table.column("low").generated) == (True, True)
    assert [c.name for c in table.columns if c.generated] == ["low"]
    assert (table.column("c").length, table.column("ch").length) == (5, 7)
    assert not table.column("c").nullable, "a domain may forbid null"
    assert table.column("n").type == "numeric(9,2)"
    assert [c.expression for c in table.checks if "n >" in c.expression]


def test_a_domain_over_a_domain(schema: Schema) -> None:
    column = schema.tables["kinds"].column("o")
    assert (column.kind, column.length, column.nullable) == ("text", 5, False)


def test_a_partitioned_table_is_one(schema: Schema) -> None:
    event = schema.tables["event"]
    assert set(event.partitions) == {"event_1", "event_2", "event_2_one"}
    assert _foreign(event) == {
        (("film",), "User Account", ('The "Id" key',), "no action", False, True),
        (("account",), "User Account", ('The "Id" key',), "no action", False, False),
    }, "a key that only one partition has is known, and not enforced"
    assert event.keys == (), "a key of one partition does not tell all rows apart"
    assert event.triggers == ("on_event",)


def test_triggers_and_rules(schema: Schema) -> None:
    assert schema.tables["parent"].triggers == ()
    assert schema.tables["parent"].rules == ("r",)


def test_the_digest_tells_schemas_apart_and_not_rows(
    pg15: TestServer, database: MakeDatabase
) -> None:
    url = database(pg15)
    name = url.rsplit("/", 1)[1]
    store = store_at(url)
    pg15.sql(name, "CREATE TABLE t (x int)")
    first = store.reflect().digest
    pg15.sql(name, "INSERT INTO t SELECT generate_series(1, 9999)")
    pg15.sql(name, "VACUUM ANALYZE t")
    store.forget()
    assert (store.reflect().digest, store.reflect().tables["t"].estimate) == (first, 9999)
    pg15.sql(name, "ALTER TABLE t ALTER x SET NOT NULL")
    assert store.reflect().digest == first, "read once"
    store.forget()
    assert store.reflect().digest != first


def test_a_schema_that_is_not_there(pg15: TestServer, database: MakeDatabase) -> None:
    """Where other schemas hold tables it is a mistake; a database without any is a home to be."""
    url = database(pg15)
    store = store_at(url, "app")
    assert store.reflect().tables == {}
    assert store.schemas() == []
    pg15.sql(url.rsplit("/", 1)[1], 'CREATE SCHEMA "App"')
    pg15.sql(url.rsplit("/", 1)[1], 'CREATE TABLE "App".t (x int)')
    assert store.schemas() == ["App"]
    store.forget()
    with pytest.raises(DeclarationError, match="no schema 'app'; its tables are in App") as caught:
        store.reflect()
    assert "`schema:`" in caught.value.hint


def test_a_schema_of_another_name(pg15: TestServer, database: MakeDatabase) -> None:
    url = database(pg15)
    pg15.sql(url.rsplit("/", 1)[1], 'CREATE SCHEMA "My App"')
    pg15.sql(url.rsplit("/", 1)[1], 'CREATE TABLE "My App".t (x int)')
    store = store_at(url, "My App")
    assert list(store.reflect().tables) == ["t"]
    with store.read() as session:
        assert session.query(f"SELECT count(*) FROM {session.dialect.table('t')}") == [(0,)]


def test_binary_copy_is_not_used_where_it_names_types_by_number(
    pg15: TestServer, database: MakeDatabase
) -> None:
    url = database(pg15)
    pg15.psql(url.rsplit("/", 1)[1], "--set=ON_ERROR_STOP=1", stdin=SCHEMA)
    assert store_at(url).reflected().text_copy == {"kinds"}


def test_large_objects_stay_where_they_are(pg15: TestServer, database: MakeDatabase) -> None:
    """A row names its large object by a number: the object would be left behind."""
    url = database(pg15)
    pg15.psql(
        url.rsplit("/", 1)[1],
        stdin="CREATE DOMAIN lo AS oid; CREATE TABLE scan (id int, f lo); "
        "CREATE TABLE plain (id int, f oid); INSERT INTO plain VALUES (1, 4294967295); "
        "INSERT INTO scan VALUES (1, lo_from_bytea(0, 'x')), (2, NULL);",
    )
    tables = store_at(url).reflect().tables
    assert tables["plain"].blocks == ()
    assert [b.split(", ")[0] for b in tables["scan"].blocks] == ["column f refers to large objects"]
