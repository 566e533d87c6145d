"""The command line beside the oracle: what must be the same, row for row."""

from __future__ import annotations

import io
import json
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

from domicile.cli.main import main
from domicile.estate.model import TableName
from domicile.stores.schema import Table
from tests.oracle.model import Reading, Row, RowId, Rows, Value, World, key_of
from tests.oracle.outcome import Keys, Outcome, expected, kept_columns, split_columns
from tests.oracle.write import Ends, SqliteEnds, markers, write_world

MakeEnds = Callable[[Path], Ends]  # from a directory of the world's own
AS_OF = "2026-01-01"

# What the random worlds are compared by. It differs from the oracle's own reading in what is still
# disputed; each such point has its small world in tests/properties/test_disagreements.py.
SETTLED = Reading()


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


def compare(world: World, side: str, actual: Rows, full: Rows, stubs: Keys, copies: Keys) -> None:
    """The rows of a store are the expected ones and, beside them, exactly the expected stubs, and
    the expected copies of split rows."""
    for name, table in world.schema.tables.items():
        left, wanted = counted(actual[name]), counted(full[name])
        missing = [dict(r) for r in wanted - left]
        assert not missing, f"{side}: {name} lacks {missing}"
        beside = [dict(r) for r in (left - wanted).elements()]
        found = {key_of(r, table.identity) for r in beside}
        split = copies.get(name, set())
        wanted_keys = stubs.get(name, set()) | split
        assert len(found) == len(beside), f"{side}: {name} has rows twice: {beside}"
        assert found == wanted_keys, (
            f"{side}: {name}: beside the full rows got {beside}, expected stubs "
            f"{stubs.get(name)} and copies {split}"
        )
        for row in beside:
            copy = key_of(row, table.identity) in split
            kept = (split_columns if copy else kept_columns)(world, name)
            nothing_personal(world, side, table, row, kept)


def nothing_personal(world: World, side: str, table: Table, stub: Row, kept: set[str]) -> None:
    """A stub holds its key and what else it keeps, as in the real row, and nothing of the rest."""
    real = next(
        r
        for r in world.source[table.name]
        if key_of(r, table.identity) == key_of(stub, table.identity)
    )
    for column in table.columns:
        value = stub[column.name]
        if column.name in kept:
            assert value == real[column.name], f"{side}: {table.name}.{column.name} is not kept"
        elif column.nullable:
            assert value is None, f"{side}: {table.name}.{column.name} of a stub is {value!r}"
        elif isinstance(value, str):  # a number derived from the key may be the same by chance
            assert value != real[column.name], f"{side}: {table.name}.{column.name} of a stub"


def check_plan(
    world: World, ends: MakeEnds = SqliteEnds, *, reading: Reading | None = None
) -> Outcome:
    """Plan the move of a world's people; raises AssertionError where it is not the oracle's."""
    outcome = expected(world, reading)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        estate = write_world(directory, world, ends(directory))
        document = plan(estate, directory / "plan.json")
    compare_plan(world, outcome, document)
    return outcome


def compare_plan(world: World, outcome: Outcome, document: dict[str, Any]) -> None:
    """Rows and people of the move steps, and the rows held, by table."""
    label = {name: str(TableName(world.holds, name)) for name in world.schema.tables}

    def by_label(figure: Callable[[str], int]) -> Counter[str]:
        return Counter({label[t]: figure(t) for t in label if figure(t)})

    same("rows to move", by_table(document["steps"], "move", "rows"), by_label(outcome.rows))
    counts = by_table(document["steps"], "move", "subjects")
    same("people to move", counts, by_label(outcome.subjects))
    same("rows held", held(document), by_label(outcome.held_rows))


def held(document: dict[str, Any]) -> Counter[str]:
    """The rows held, by table."""
    found: Counter[str] = Counter()
    for entry in document["held"]:
        found[str(entry["table"])] += entry["rows"]
    return found


def same(what: str, got: object, wanted: object) -> None:
    """Equality with a message that tells the two sides apart."""
    assert got == wanted, f"{what}: got {got}, the oracle has {wanted}"


def check_move(
    world: World,
    ends: MakeEnds = SqliteEnds,
    *,
    triggers: bool = False,
    reading: Reading | None = None,
) -> Outcome:
    """Plan, apply, and compare both stores; raises AssertionError where they differ."""
    outcome = expected(world, reading)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        stores = ends(directory)
        estate = write_world(directory, world, stores, triggers=triggers)
        catalogue = stores.catalogue()
        file = directory / "plan.json"
        document = plan(estate, file)
        run("apply", str(file), "--estate", str(estate), "--yes")

        source, home = stores.rows(world)
        compare(
            world, "source", source, outcome.source, outcome.source_stubs, outcome.source_copies
        )
        compare(world, "home", home, outcome.home, outcome.home_stubs, outcome.home_copies)
        same("keys that lead nowhere", stores.broken(), [])
        same("schema changed", stores.catalogue(), catalogue)
        same("triggers of the application that fired", stores.audited(), 0)
        nothing_left(world, outcome, stores.source_bytes())
        again = plan(estate, directory / "again.json")
        same("left over for a second plan", by_table(again["steps"], "move", "rows"), Counter())
        if not world.estate.links:  # disputed: what a row links to moves and leaves no stub
            same("rows held by a second plan", held(again), held(document))
    return outcome


def check_waves(world: World, late: set[RowId]) -> Outcome | None:
    """Move a world without its `late` rows; then they are written abroad, and it is moved again.

    Both ends must then be as after one move of everything. None when the source would refuse
    every late row, because what it refers to has left without a stub.
    """
    early = replace(world, source=without(world, late))
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        ends = SqliteEnds(directory)
        estate = write_world(directory, early, ends)
        for number, part in enumerate(("early", "late")):
            file = directory / f"{part}.json"
            plan(estate, file)
            run("apply", str(file), "--estate", str(estate), "--yes")
            if number == 0:
                arrived = {r for r in late if ends.insert(r[0], world.row(r))}
                if not arrived:
                    return None
        whole = replace(world, source=without(world, late - arrived))
        outcome = expected(whole, SETTLED)
        source, home = ends.rows(whole)
        compare(
            whole, "source", source, outcome.source, outcome.source_stubs, outcome.source_copies
        )
        compare(whole, "home", home, outcome.home, outcome.home_stubs, outcome.home_copies)
        same("keys that lead nowhere", ends.broken(), [])
        nothing_left(whole, outcome, ends.source_bytes())
    return outcome


def late_rows(world: World) -> set[RowId]:
    """Rows that nothing depends on: no row refers to them, no attachment or residence is theirs."""
    residences = {
        hop.name
        for subject in world.estate.subjects
        if subject.residence
        for hop in subject.residence.hops
    }
    found: set[RowId] = set()
    for name in world.schema.tables:
        edges = world.edges_from(name)
        if name in residences or not edges or world.register_of(name) or world.is_attachment(name):
            continue
        if any(world.is_attachment(e.parent) for e in edges):
            continue
        for row_id in world.row_ids(name):
            if not any(world.children(row_id, e) for e in world.edges_to(name)):
                found.add(row_id)
    return found


def without(world: World, rows: set[RowId]) -> Rows:
    """The source without those rows."""
    return {
        name: [r for n, r in enumerate(there) if (name, n) not in rows]
        for name, there in world.source.items()
    }


def nothing_left(world: World, outcome: Outcome, data: bytes) -> None:
    """The source's files do not have the bytes of what left."""
    left = {m for t, i in outcome.moving for m in markers([world.source[t][i]])}
    stays = {m for rows in outcome.source.values() for m in markers(rows)}
    for name, keys in outcome.source_copies.items():
        kept, identity = split_columns(world, name), world.table(name).identity
        copied = [r for r in world.source[name] if key_of(r, identity) in keys]
        stays |= set(markers([{c: r[c] for c in kept} for r in copied]))
    same("bytes left at the source", [m for m in left - stays if m in data], [])
