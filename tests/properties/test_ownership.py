"""The command line against the oracle: random estates in SQLite files, planned and carried out.

A wrong owner is a wrong deletion, so every row of both stores is compared, not only counts.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from domicile.cli.main import main
from domicile.estate.load import load_estate
from domicile.stores.registry import open_store
from domicile.stores.schema import Table
from tests.oracle.generate import worlds
from tests.oracle.model import Row, Rows, Value, World, key_of
from tests.oracle.outcome import Keys, Outcome, expected, kept_columns
from tests.oracle.write import (
    HOME_FILE,
    SOURCE_FILE,
    audited,
    broken_keys,
    bytes_of,
    markers,
    read_schema,
    read_store,
    write_world,
)

EXAMPLES = 40
AS_OF = "2026-01-01"
random_worlds = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def needs(*commands: str) -> pytest.MarkDecorator:
    """Skip a test until these commands of the command line exist."""
    missing = [c for c in commands if find_spec(f"domicile.cli.{c}") is None]
    return pytest.mark.skipif(bool(missing), reason=f"no command yet: {', '.join(missing)}")


def run(*arguments: str, expect: int = 0) -> str:
    """Run `domicile` in this process; its standard output."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(list(arguments))
    assert code == expect, f"domicile {' '.join(arguments)}: exit {code}\n{err.getvalue()}"
    return out.getvalue()


def plan(estate: Path, file: Path) -> dict[str, Any]:
    """Make a plan into `file`; the document that `--json` prints."""
    printed = run("plan", "--estate", str(estate), "--json", "-o", str(file), "--as-of", AS_OF)
    document: dict[str, Any] = json.loads(printed)
    return document


def counted(rows: list[Row]) -> Counter[tuple[tuple[str, Value], ...]]:
    """Rows as a multiset."""
    return Counter(tuple(sorted(r.items())) for r in rows)


def by_table(steps: list[dict[str, Any]], op: str, field: str) -> Counter[str]:
    """The sum of a figure of the steps of one kind, by table."""
    found: Counter[str] = Counter()
    for step in steps:
        if step["op"] == op and step[field]:
            found[str(step["table"])] += step[field]
    return found


def compare(world: World, side: str, actual: Rows, full: Rows, stubs: Keys) -> None:
    """The rows of a store are the expected ones and, beside them, exactly the expected stubs."""
    for name, table in world.schema.tables.items():
        left, wanted = counted(actual[name]), counted(full[name])
        missing = [dict(r) for r in wanted - left]
        assert not missing, f"{side}: {name} lacks {missing}"
        beside = [dict(r) for r in (left - wanted).elements()]
        found = {key_of(r, table.identity) for r in beside}
        expected_stubs = stubs.get(name, set())
        assert len(found) == len(beside), f"{side}: {name} has rows twice: {beside}"
        assert found == expected_stubs, (
            f"{side}: {name}: beside the full rows got {beside}, expected stubs {expected_stubs}"
        )
        for stub in beside:
            nothing_personal(world, side, table, stub)


def nothing_personal(world: World, side: str, table: Table, stub: Row) -> None:
    """A stub holds its key, its keys to others that may not be null, and nothing of the row."""
    kept = kept_columns(world, table.name)
    real = next(
        r
        for r in world.source[table.name]
        if key_of(r, table.identity) == key_of(stub, table.identity)
    )
    for column in table.columns:
        if column.name in kept:
            continue
        value = stub[column.name]
        if column.nullable:
            assert value is None, f"{side}: {table.name}.{column.name} of a stub is {value!r}"
        else:
            assert value != real[column.name], f"{side}: {table.name}.{column.name} of a stub"


@settings(random_worlds, max_examples=25)
@given(worlds())
def test_what_is_declared_and_created_is_read_as_meant(world: World) -> None:
    with tempfile.TemporaryDirectory() as directory:
        estate = load_estate(write_world(Path(directory), world, triggers=True))
        assert estate.subjects == world.estate.subjects
        assert estate.links == world.estate.links
        assert dict(estate.tables) == dict(world.estate.tables)
        store = open_store(estate.store("abroad"))
        reflected = store.reflect()
        store.close()
        for name, table in world.schema.tables.items():
            found = reflected.tables[name]
            assert found.names == table.names
            assert {k.columns for k in found.keys} == {k.columns for k in table.keys}
            assert found.identity == table.identity
            assert Counter(
                (f.columns, f.parent, f.parent_columns, f.on_delete) for f in found.foreign_keys
            ) == Counter(
                (f.columns, f.parent, f.parent_columns, f.on_delete) for f in table.foreign_keys
            )


@needs("plan")
@random_worlds
@given(worlds())
def test_a_plan_moves_and_holds_the_rows_that_the_oracle_does(world: World) -> None:
    with tempfile.TemporaryDirectory() as directory:
        document = plan(write_world(Path(directory), world), Path(directory) / "plan.json")
    outcome = expected(world)
    event("moves rows" if outcome.moving else "moves nothing")
    compare_plan(world, outcome, document)


def compare_plan(world: World, outcome: Outcome, document: dict[str, Any]) -> None:
    """Rows and people of the move steps, and the rows held, by table."""
    label = {name: str(_table_name(world, name)) for name in world.schema.tables}
    rows = {label[t]: outcome.rows(t) for t in label if outcome.rows(t)}
    assert by_table(document["steps"], "move", "rows") == Counter(rows)
    people = {label[t]: outcome.subjects(t) for t in label if outcome.subjects(t)}
    assert by_table(document["steps"], "move", "subjects") == Counter(people)
    held: Counter[str] = Counter()
    for entry in document["held"]:
        held[str(entry["table"])] += entry["rows"]
    assert held == Counter({label[t]: outcome.held_rows(t) for t in label if outcome.held_rows(t)})


def _table_name(world: World, name: str) -> object:
    from domicile.estate.model import TableName

    return TableName(world.holds, name)


@needs("plan", "apply")
@random_worlds
@given(worlds(), st.booleans())
def test_after_apply_both_stores_are_what_the_oracle_says(world: World, triggers: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        estate = write_world(directory, world, triggers=triggers)
        source, home = directory / SOURCE_FILE, directory / HOME_FILE
        schemas = [read_schema(source), read_schema(home)]
        file = directory / "plan.json"
        plan(estate, file)
        outcome = expected(world)
        run("apply", str(file), "--estate", str(estate), "--yes")

        compare(world, "source", read_store(source, world), outcome.source, outcome.source_stubs)
        compare(world, "home", read_store(home, world), outcome.home, outcome.home_stubs)
        assert broken_keys(source) == []
        assert broken_keys(home) == []
        assert [read_schema(source), read_schema(home)] == schemas
        assert audited(source) + audited(home) == 0, "a trigger of the application fired"
        nothing_left(world, outcome, source)
        again = plan(estate, directory / "again.json")
        assert by_table(again["steps"], "move", "rows") == Counter()


def nothing_left(world: World, outcome: Outcome, source: Path) -> None:
    """The source's files do not have the bytes of what left."""
    left = {m for t, i in outcome.moving for m in markers([world.source[t][i]])}
    stays = {m for rows in outcome.source.values() for m in markers(rows)}
    data = bytes_of(source)
    assert [m for m in left - stays if m in data] == []
