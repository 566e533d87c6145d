"""`joint: split` against the oracle: every row of both stores, and each column of every copy."""

from __future__ import annotations

import pytest
from hypothesis import event, given, settings

from tests.conftest import MakeDatabase
from tests.oracle.compare import SETTLED, check_move, check_waves, late_rows
from tests.oracle.generate import random_world, split, split_worlds
from tests.oracle.model import World
from tests.oracle.outcome import expected
from tests.oracle.write_postgres import PostgresEnds
from tests.properties.test_ownership import random_worlds
from tests.servers import TestServer

SEEDS = (15, 29, 36, 44, 58, 76, 83)
WAVES = (506, 534, 551)
POSTGRES_SEEDS = (2021, 2035, 2059)
"""Worlds in which split rows leave copies; which ones is the generator's matter, and checked."""


def seeded(seed: int) -> World:
    """The world of that seed, in which there is a copy on some side."""
    world = split(random_world(seed), seed)
    outcome = expected(world, SETTLED)
    assert outcome.source_copies or outcome.home_copies, "the generator changed: take other seeds"
    return world


@settings(random_worlds, max_examples=10)
@given(split_worlds())
def test_after_apply_both_stores_are_what_the_oracle_says(world: World) -> None:
    outcome = check_move(world, reading=SETTLED)
    event("copies" if outcome.source_copies or outcome.home_copies else "no copies")


@pytest.mark.parametrize("seed", SEEDS)
def test_copies_are_where_and_what_the_oracle_says(seed: int) -> None:
    check_move(seeded(seed), triggers=True, reading=SETTLED)


@pytest.mark.parametrize("seed", WAVES)
def test_rows_that_come_later_are_split_as_at_first(seed: int) -> None:
    world = seeded(seed)
    check_waves(world, late_rows(world))


def test_postgresql_splits_as_the_oracle_says(pg15: TestServer, database: MakeDatabase) -> None:
    ends = PostgresEnds(database(pg15, "abroad"), database(pg15, "texas"), pg15.data)
    for number, seed in enumerate(POSTGRES_SEEDS):
        check_move(seeded(seed), lambda _: ends, triggers=number % 2 == 1, reading=SETTLED)
