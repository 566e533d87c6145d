"""Homes and rights that stand in the way: what is refused, by name, with every row where it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import MakeDatabase
from tests.e2e import support
from tests.e2e.bad.world import World, check, postgres_world, sqlite_world
from tests.servers import TestServer


@pytest.fixture
def served(pg15: TestServer, database: MakeDatabase, tmp_path: Path) -> World:
    return postgres_world(pg15, database, tmp_path)


def held(world: World) -> dict[str, tuple[int, str]]:
    """What a plan holds: rows and reason by table; nothing in the stores changed."""
    before = world.contents()
    plan = world.estate.plan()
    assert world.contents() == before
    return {h["table"]: (h["rows"], h["reason"]) for h in plan["held"]}


REFUSING = {
    "check": "ALTER TABLE person ADD CONSTRAINT short CHECK (length(name) < 3)",
    "not null": "ALTER TABLE note ALTER body SET NOT NULL",
    "unique": "CREATE UNIQUE INDEX one_land ON person (country)",
    "trigger always": """
        CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'no one comes in: %', NEW.name; END $$;
        CREATE TRIGGER never BEFORE INSERT ON person FOR EACH ROW EXECUTE FUNCTION no();
        ALTER TABLE person ENABLE ALWAYS TRIGGER never""",
}


@pytest.mark.parametrize("what", REFUSING)
def test_a_rule_at_home_that_refuses(what: str, served: World) -> None:
    """Made after the plan or before it: rows are held or the store's refusal is named."""
    if what == "not null":
        served.sql("abroad", "UPDATE note SET body = NULL")
    served.sql("home", REFUSING[what])
    before = served.contents()
    plan = served.estate.plan()
    moves = {s["table"] for s in plan["steps"] if s["op"] == "move"}
    if "app.person" not in moves:
        assert plan["held"]
        assert all("home" in h["reason"] for h in plan["held"])
        return
    ran = served.run("apply", "--yes")
    check(ran, 5, "store home", "person" if what != "not null" else "note")
    after = served.contents()
    assert after[0] == before[0]  # nothing left
    assert after[1] == before[1]
    assert after[3] == before[3]


MISFITS = {
    "no table": ("DROP TABLE note", "note"),
    "no column": ("ALTER TABLE person DROP email CASCADE", "email"),
    "another type": ("ALTER TABLE note ALTER body TYPE varchar(3)", "body"),
    "a column more": ("ALTER TABLE note ADD more text NOT NULL", "more"),
    "another key": ("ALTER TABLE note DROP CONSTRAINT note_pkey", "note"),
}


@pytest.mark.parametrize("what", MISFITS)
def test_a_home_whose_schema_differs(what: str, served: World) -> None:
    statement, word = MISFITS[what]
    served.sql("home", statement)
    reasons = held(served)
    assert reasons["app.person"][0] == 2
    assert "store home differs" in reasons["app.person"][1]
    assert word in reasons["app.person"][1]


def test_a_column_more_that_fills_itself(served: World) -> None:
    served.sql("home", "ALTER TABLE note ADD more text NOT NULL DEFAULT 'x'")
    assert held(served) == {}
    served.estate.apply()
    assert served.server is not None
    there = served.server.sql(support.name_of(served.home), "SELECT * FROM note ORDER BY id")
    assert there == "1|1|first|x\n3|3|third|x"
    assert served.estate.plan("again.json")["steps"] == []


def test_a_reader_may_plan_and_not_apply(served: World, pg15: TestServer) -> None:
    """SELECT is enough to survey and plan; apply names the grant that it lacks."""
    pg15.sql("postgres", "CREATE ROLE reader LOGIN")
    try:
        for end in ("abroad", "home"):
            served.sql(end, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        served.edit("postgres@", "reader@")
        assert served.run("map").code == 0
        plan = served.estate.plan()
        before = served.contents()
        ran = served.run("apply", "--yes")
        assert ran.code in (4, 5), ran.err
        if not plan["held"]:
            check(ran, ran.code, "store ", "GRANT")
        assert served.contents() == before
    finally:
        for end in ("abroad", "home"):
            served.sql(end, "DROP OWNED BY reader")
        pg15.sql("postgres", "DROP ROLE reader")


def test_no_right_to_read_one_table(served: World, pg15: TestServer) -> None:
    pg15.sql("postgres", "CREATE ROLE clerk LOGIN")
    try:
        for end in ("abroad", "home"):
            served.sql(end, "GRANT SELECT ON person TO clerk")
        served.edit("postgres@", "clerk@")
        served.refuses("plan", 3, "store abroad", "note")
    finally:
        for end in ("abroad", "home"):
            served.sql(end, "DROP OWNED BY clerk")
        pg15.sql("postgres", "DROP ROLE clerk")


def test_row_security_that_would_hide_people(served: World, pg15: TestServer) -> None:
    """A policy that hides rows from us is an error, never people overlooked."""
    pg15.sql("postgres", "CREATE ROLE guest LOGIN")
    try:
        for end in ("abroad", "home"):
            served.sql(end, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO guest")
        served.sql(
            "abroad", "ALTER TABLE person ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY a_few ON person FOR SELECT TO guest USING (id = 2)",
        )  # fmt: skip
        served.edit("postgres@", "guest@")
        served.refuses("plan", 3, "store abroad", "person", "BYPASSRLS")
    finally:
        for end in ("abroad", "home"):
            served.sql(end, "DROP OWNED BY guest")
        pg15.sql("postgres", "DROP ROLE guest")


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_names_like_sql_are_only_names(
    kind: str, pg15: TestServer, database: MakeDatabase, tmp_path: Path
) -> None:
    """A register, its key and a country column of such names: people go home as any others."""
    odd, key, land = "x'; DROP TABLE note; --", 'c"; DROP TABLE note; --', "a'$1 %s {}\\é land"
    quoted = {n: '"' + n.replace('"', '""') + '"' for n in (odd, key, land)}
    body = (
        "subjects:\n  person:\n"
        f"    register: '{('app.' + quoted[odd]).replace(chr(39), chr(39) * 2)}'\n"
        f"    key: ['{key.replace(chr(39), chr(39) * 2)}']\n"
        f"    residence: '{quoted[land].replace(chr(39), chr(39) * 2)}'\n"
    )
    if kind == "sqlite":
        world = sqlite_world(tmp_path, body)
    else:
        world = postgres_world(pg15, database, tmp_path, body)
    made = (
        f"CREATE TABLE {quoted[odd]} ({quoted[key]} integer PRIMARY KEY, {quoted[land]} text,"
        f" boss integer REFERENCES {quoted[odd]})"
    )
    for end in ("abroad", "home"):
        world.sql(end, made)
    world.sql("abroad", f"INSERT INTO {quoted[odd]} VALUES (1, 'US', NULL), (2, 'NL', NULL)")
    plan = world.estate.plan()
    assert [s["rows"] for s in plan["steps"] if s["op"] == "move"] == [1]
    world.estate.apply()
    contents = world.contents()
    for rows in (contents[0], contents[2]):
        assert isinstance(rows, dict)
        assert rows[odd].total() == 1
        assert "note" in rows
    assert world.estate.plan("again.json")["steps"] == []
    assert world.estate.verify()["ok"]


def test_a_home_of_another_kind_without_tables(
    pg15: TestServer, database: MakeDatabase, tmp_path: Path
) -> None:
    world = sqlite_world(tmp_path)
    world.edit(f"sqlite://{world.home}", database(pg15, "home"))
    reasons = {h["table"]: h["reason"] for h in world.estate.plan()["held"]}
    assert "store home has no tables" in reasons["app.person"]
