"""Sessions of PostgreSQL: one moment, nothing written by reading, clear errors without values."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace

import pytest

from domicile.errors import StoreRefused, StoreUnreachable
from domicile.stores import postgres_sample
from domicile.stores.postgres import PostgresStore
from domicile.stores.postgres_loop import run
from tests.conftest import MakeDatabase
from tests.servers import TestServer
from tests.stores.test_postgres_reflect import store_at

SECRET = "Aaltje de Vries"


@pytest.fixture
def url(pg15: TestServer, database: MakeDatabase) -> str:
    made = database(pg15, "session")
    pg15.psql(
        made.rsplit("/", 1)[1], "--set=ON_ERROR_STOP=1",
        stdin="CREATE TABLE person (id int PRIMARY KEY, name text UNIQUE, at timestamptz, f float8,"
        " CONSTRAINT short CHECK (length(name) < 40));"
        f"INSERT INTO person VALUES (1, '{SECRET}', '2026-01-01 12:00+02', 1e15)",
    )  # fmt: skip
    return made


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    made = store_at(url)
    yield made
    made.close()


def _role(server: TestServer, url: str, name: str, *, options: str = "") -> str:
    """The URL for a new role that may read the table; the role goes with the test's server."""
    server.sql("postgres", f"DROP ROLE IF EXISTS {name}")
    server.sql("postgres", f"CREATE ROLE {name} LOGIN {options}")
    server.sql(url.rsplit("/", 1)[1], f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
    return url.replace("postgres@", f"{name}@")


def _drop(server: TestServer, url: str, name: str) -> None:
    server.sql(url.rsplit("/", 1)[1], f"DROP OWNED BY {name}")
    server.sql("postgres", f"DROP ROLE {name}")


def test_one_moment(pg15: TestServer, url: str, store: PostgresStore) -> None:
    with store.read() as session:
        count = "SELECT count(*) FROM person"
        assert session.query(count) == [(1,)]
        pg15.sql(url.rsplit("/", 1)[1], "INSERT INTO person VALUES (2, 'x')")
        assert session.query(count) == [(1,)]
    with store.read() as session:
        assert session.query(count) == [(2,)]


def test_texts_whatever_the_database_prefers(
    pg15: TestServer, url: str, store: PostgresStore
) -> None:
    name = url.rsplit("/", 1)[1]
    for setting in ("timezone TO 'Asia/Tokyo'", "datestyle TO 'German, DMY'",
                    "extra_float_digits TO -10", "intervalstyle TO 'sql_standard'"):  # fmt: skip
        pg15.sql(name, f'ALTER DATABASE "{name}" SET {setting}')
    assert store.sample("person", ["at", "f"], 5) == [("2026-01-01 10:00:00+00", "1e+15")]
    with store.read() as session:
        assert session.query("SELECT '1 day 2 hours'::interval::text") == [("P1DT2H",)]


def test_many_tables_are_sampled_as_one_by_one(
    pg15: TestServer, url: str, store: PostgresStore
) -> None:
    name = url.rsplit("/", 1)[1]
    small = "".join(
        f'CREATE TABLE "s {n}" (a int[], b jsonb, c text);'
        f"INSERT INTO \"s {n}\" SELECT ARRAY[g, {n}], jsonb_build_object('n', g), "
        f"nullif(repeat('x', g % 3), '') FROM generate_series(1, {n % 5}) g;"
        for n in range(postgres_sample.TOGETHER + 5)
    )
    large = (
        "CREATE TABLE large AS SELECT g AS n, repeat('y', 100) AS v FROM generate_series(1, 9000) g"
    )
    pg15.psql(name, "--set=ON_ERROR_STOP=1", stdin=f"{small}{large}; ANALYZE large;")
    tables = store.reflect().tables
    assert tables["large"].bytes > postgres_sample.SMALL
    found = dict(store.samples(list(tables), 30))
    assert found == {t: store.sample(t, shape.names, 30) for t, shape in tables.items()}
    assert len(found["large"]) == 30
    assert found["s 2"] == [("{1,2}", '{"n": 1}', "x"), ("{2,2}", '{"n": 2}', "xx")]
    with pytest.raises(KeyError, match="no such"):
        store.samples(["no such"], 1)


def test_samples_keep_one_connection_and_no_transaction(
    pg15: TestServer, url: str, store: PostgresStore
) -> None:
    count = (
        "SELECT count(*), count(xact_start) FROM pg_stat_activity "
        "WHERE application_name = 'domicile' AND datname = current_database()"
    )
    for _ in range(3):
        store.sample("person", ["id"], 1)
    assert pg15.sql(url.rsplit("/", 1)[1], count).strip() == "1|0"
    pg15.sql(url.rsplit("/", 1)[1], "ALTER TABLE person RENAME name TO called")
    with pytest.raises(StoreRefused, match="name"):
        store.sample("person", ["name"], 1)
    # The connection is as good as before.
    assert store.sample("person", ["id"], 1) == [("1",)]


def test_temporary_tables_go_and_nothing_else_is_left(
    pg15: TestServer, url: str, store: PostgresStore
) -> None:
    name, odd = url.rsplit("/", 1)[1], 'w "x"'
    with store.read() as session:
        rows = ((n, f"v{n}") for n in range(120_000))
        assert session.load(odd, [("k", "int"), ("v", "text")], rows) == 120_000
        session.analyse(odd)
        table = session.dialect.temp(odd)
        assert session.query(f"SELECT count(*), max(v) FROM {table}") == [(120_000, "v99999")]
        assert sum(len(part) for part in session.stream(f"SELECT k FROM {table}")) == 120_000
    assert pg15.sql(name, "SELECT count(*) FROM pg_class WHERE relpersistence = 't'") == "0"
    assert pg15.sql(name, "SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                    "'domicile' AND datname = current_database()") == "0"  # fmt: skip


def test_reading_that_fails_leaves_no_connection(
    pg15: TestServer, url: str, store: PostgresStore
) -> None:
    store.reflect()
    with pytest.raises(ZeroDivisionError), store.read():
        raise ZeroDivisionError
    assert pg15.sql("postgres", "SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                    f"'domicile' AND datname = '{url.rsplit('/', 1)[1]}'") == "0"  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (f"INSERT INTO person VALUES (2, '{SECRET}')", "constraint_name person_name_key"),
        (f"INSERT INTO person VALUES (3, repeat('{SECRET}', 9))", "constraint_name short"),
        (f"SELECT '{SECRET}'::int", "22P02"),
        (f"SELECT id FROM person WHERE name = '{SECRET}'::date::text", "22007"),
        ("SELECT nothing FROM person", "42703"),
    ],
)
def test_errors_name_things_and_no_values(store: PostgresStore, statement: str, said: str) -> None:
    with store.write() as session, pytest.raises(StoreRefused, match=said) as caught:
        session.query(statement)
    assert SECRET not in str(caught.value)
    assert caught.value.hint


def test_a_policy_that_hides_rows_is_an_error(pg15: TestServer, url: str) -> None:
    name = url.rsplit("/", 1)[1]
    pg15.sql(name, "ALTER TABLE person ENABLE ROW LEVEL SECURITY")
    pg15.sql(name, "CREATE POLICY none ON person USING (false)")
    mine = _role(pg15, url, "session_reader")
    try:
        store = store_at(mine)
        with store.read() as session, pytest.raises(StoreRefused, match="42501") as caught:
            session.query("SELECT count(*) FROM person")
        assert "row-level security" in caught.value.message
        with pytest.raises(StoreRefused, match="row-level security"):
            store.sample("person", ["name"], 3)
        pg15.sql("postgres", "ALTER ROLE session_reader BYPASSRLS")
        assert store.sample("person", ["id"], 3) == [("1",)]
    finally:
        _drop(pg15, url, "session_reader")


def test_no_right_to_read(pg15: TestServer, url: str) -> None:
    mine = _role(pg15, url, "session_stranger")
    try:
        pg15.sql(url.rsplit("/", 1)[1], "REVOKE SELECT ON person FROM session_stranger")
        with store_at(mine).read() as session, pytest.raises(StoreRefused, match="42501") as caught:
            session.query("SELECT name FROM person")
        assert "docs/stores.md" in caught.value.hint
    finally:
        _drop(pg15, url, "session_stranger")


def test_a_wrong_password_a_wrong_user_a_wrong_database(
    fresh_server: Callable[..., TestServer],
) -> None:
    server = fresh_server()
    server.sql("postgres", "ALTER ROLE postgres PASSWORD 'the-right-one'")
    rules = server.data / "pg_hba.conf"
    rules.write_text("host all all 127.0.0.1/32 scram-sha-256\n")
    server.restart()
    right = server.url("postgres").replace("postgres@", "postgres:the-right-one@")
    assert store_at(right).reflect().tables == {}
    for wrong, said in (
        (right.replace("right", "wrong"), "user or the password"),
        (right.replace("postgres:", "nobody:"), "user or the password"),
        (right.replace("/postgres", "/none").replace("//none", "//postgres"), "no such database"),
    ):
        store = store_at(wrong)
        store.declared = replace(store.declared, shown="postgresql://127.0.0.1")
        with pytest.raises(StoreUnreachable, match=said) as caught:
            store.reflect()
        assert "-one" not in str(caught.value)


def test_a_server_that_goes_away(fresh_server: Callable[..., TestServer]) -> None:
    server = fresh_server()
    store = store_at(server.url("postgres"))
    with store.read() as session:
        server.stop("immediate")
        with pytest.raises(StoreUnreachable, match="lost"):
            session.query("SELECT 1")
    with pytest.raises(StoreUnreachable, match="cannot connect"):
        store.connect()


def test_copy_from_one_server_to_another_in_one_loop(
    url: str, store: PostgresStore, pg18: TestServer, database: MakeDatabase
) -> None:
    other = database(pg18, "copied")
    pg18.sql(other.rsplit("/", 1)[1], "CREATE TABLE person (id int, name text)")
    home = store_at(other)
    parts: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def given() -> AsyncIterator[bytes]:
        while (part := await parts.get()) is not None:
            yield part

    with store.write() as there, home.write() as here:

        async def carry() -> tuple[int, int]:
            async def out() -> int:
                sent = await there.copy_out_async(
                    "SELECT id, name FROM person", parts.put, binary=True
                )
                await parts.put(None)
                return sent

            got = here.copy_in_async("person", ["id", "name"], given(), binary=True)
            one, two = await asyncio.gather(out(), got)
            return one, two

        assert run(carry()) == (1, 1)
        assert here.query("SELECT id, name FROM person") == [(1, SECRET)]


def test_rows_of_an_inheriting_table_are_counted_once(
    pg15: TestServer, url: str, store: PostgresStore
) -> None:
    pg15.psql(url.rsplit("/", 1)[1], stdin="CREATE TABLE child (extra text) INHERITS (person);"
              "INSERT INTO child VALUES (7, 'kid')")  # fmt: skip
    with store.read() as session:
        counts = {
            name: session.query(f"SELECT count(*) FROM {session.dialect.table(name)}")[0][0]
            for name in store.reflect().tables
        }
    assert counts == {"person": 1, "child": 1}


OID = "SELECT oid FROM pg_database WHERE datname = current_database()"


def test_live_files_are_those_of_this_database(
    pg15: TestServer, url: str, store: PostgresStore
) -> None:
    oid = pg15.sql(url.rsplit("/", 1)[1], OID)
    files = store.live_files()
    assert files
    assert all(f.startswith(str(pg15.data / "base" / oid)) for f in files)
    mine = _role(pg15, url, "session_plain")
    try:
        assert store_at(mine).live_files() is None
    finally:
        _drop(pg15, url, "session_plain")
