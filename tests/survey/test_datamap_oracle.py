"""Rows by residence in random estates, against the oracle's account of whose row each row is."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pytest

from domicile.estate.model import TableName
from domicile.survey.datamap import make_map
from tests.conftest import MakeDatabase
from tests.oracle.generate import random_world
from tests.oracle.model import Person, World
from tests.oracle.ownership import Ownership, person_of, residence
from tests.oracle.write import Ends, SqliteEnds, write_world
from tests.oracle.write_postgres import PostgresEnds
from tests.servers import TestServer

SEEDS = 30
POSTGRES_FIRST, POSTGRES_SEEDS = 2000, 10  # other worlds than those in SQLite

Split = dict[str, dict[str, tuple[int, int]]]
"""Table → residence, or whose → rows, people."""


def countries(world: World) -> dict[Person, str | None]:
    """The country of everyone in a register of either cell; the source's row decides first."""
    found: dict[Person, str | None] = {}
    for rows in (world.home, world.source):
        for subject in world.estate.subjects:
            table = subject.register.table
            for position, row in enumerate(rows.get(table, [])):
                spelled = residence(world, rows, (table, position))
                code = world.countries.get(spelled) if isinstance(spelled, str) else None
                found[person_of(world, table, row)] = code
    return found


def wanted(world: World) -> Split:
    """Rows and people of each table by residence, unknown, several or nobody."""
    about, where = Ownership(world).about, countries(world)
    rows: dict[str, Counter[str]] = {}
    people: dict[tuple[str, str], set[Person]] = {}
    for row_id in world.row_ids():
        codes = {where[person] for person in about[row_id]}
        (label,) = codes if len(codes) == 1 else ("several" if codes else "nobody",)
        name = str(TableName(world.holds, row_id[0]))
        rows.setdefault(name, Counter())[label or "unknown"] += 1
        people.setdefault((name, label or "unknown"), set()).update(about[row_id])
    return {
        name: {label: (count, len(people[name, label])) for label, count in labels.items()}
        for name, labels in rows.items()
    }


def got(world: World, ends: Ends | None = None) -> Split:
    """The same, as the map has it."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        document = make_map(write_world(directory, world, ends or SqliteEnds(directory)))
    source = next(s for s in document["stores"] if s["name"] == world.estate.stores[0].name)
    return {
        t["name"]: {
            s["residence"] or s["whose"]: (s["rows"], s["people"]) for s in t["rows_by_residence"]
        }
        for t in source["tables"]
        if t["rows"]
    }


def compare(world: World, ends: Ends | None = None) -> None:
    """The map beside the oracle."""
    assert got(world, ends) == wanted(world)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_rows_by_residence_are_the_oracles(seed: int) -> None:
    compare(random_world(seed))


@pytest.mark.parametrize("seed", range(POSTGRES_FIRST, POSTGRES_FIRST + POSTGRES_SEEDS))
def test_postgresql_has_the_same_rows_by_residence(
    seed: int, pg15: TestServer, database: MakeDatabase
) -> None:
    ends = PostgresEnds(database(pg15, "abroad"), database(pg15, "texas"), pg15.data)
    compare(random_world(seed), ends)
