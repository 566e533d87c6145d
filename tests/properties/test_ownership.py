"""The command line against the oracle: random estates in SQLite files, planned and carried out.

A wrong owner is a wrong deletion, so every row of both stores is compared, not only counts.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from domicile.estate.load import load_estate
from domicile.stores.registry import open_store
from tests.conftest import MakeDatabase
from tests.oracle.compare import SETTLED, check_move, check_plan
from tests.oracle.generate import random_world, worlds
from tests.oracle.model import World
from tests.oracle.write import SqliteEnds, write_world
from tests.oracle.write_postgres import PostgresEnds
from tests.servers import TestServer

EXAMPLES = 25
SEEDS = 25
POSTGRES_FIRST = 1000  # other worlds than those in SQLite
POSTGRES_SEEDS = 8
random_worlds = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,  # the same worlds in each run; tests.oracle.hunt looks for others
    phases=[Phase.explicit, Phase.generate],  # tests.oracle.shrink knows worlds better
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    ],
)


@settings(random_worlds, max_examples=25)
@given(worlds())
def test_what_is_declared_and_created_is_read_as_meant(world: World) -> None:
    with tempfile.TemporaryDirectory() as directory:
        estate = load_estate(
            write_world(Path(directory), world, SqliteEnds(Path(directory)), triggers=True)
        )
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


@random_worlds
@given(worlds())
def test_a_plan_moves_and_holds_the_rows_that_the_oracle_does(world: World) -> None:
    outcome = check_plan(world, reading=SETTLED)
    event("moves rows" if outcome.moving else "moves nothing")


@random_worlds
@given(worlds(), st.booleans())
def test_after_apply_both_stores_are_what_the_oracle_says(world: World, triggers: bool) -> None:
    check_move(world, triggers=triggers, reading=SETTLED)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_richer_worlds_end_as_the_oracle_says(seed: int) -> None:
    world = random_world(seed)
    check_move(world, triggers=seed % 2 == 1, reading=SETTLED)


def test_postgresql_ends_as_the_oracle_says(pg15: TestServer, database: MakeDatabase) -> None:
    ends = PostgresEnds(database(pg15, "abroad"), database(pg15, "texas"), pg15.data)
    for seed in range(POSTGRES_FIRST, POSTGRES_FIRST + POSTGRES_SEEDS):
        world = random_world(seed)
        check_move(world, lambda _: ends, triggers=seed % 2 == 1, reading=SETTLED)
