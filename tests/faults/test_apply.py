"""apply is killed, its stores are killed, its writes fail: nothing is lost, and it ends well.

DOMICILE_TRIALS says how many random trials there are; `make faults` asks for a thousand.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest

from tests.faults.trials import FORMS, Bench
from tests.servers import TestServer

pytestmark = pytest.mark.faults

TRIALS = int(os.environ.get("DOMICILE_TRIALS", "40"))
SEED = int(os.environ.get("DOMICILE_SEED", "20260123"))
STORES = max(2, TRIALS // 20)
"""Trials in which a store is killed: each takes seconds for its recovery."""

THOROUGH = 7
"""In every so many-th trial the whole line of work is checked afterwards."""


@pytest.mark.parametrize("number", range(TRIALS // 3))
def test_killed_at_any_moment(bench: Bench, number: int) -> None:
    place = bench.place()
    moment = random.Random(f"{SEED}-{number}").uniform(0.0, bench.seconds)
    code = bench.kill_at(place, moment)
    bench.after(place, code, thorough=number % THOROUGH == 0)
    bench.drop(place)


@pytest.mark.parametrize("number", range(TRIALS // 3))
def test_a_durable_write_fails_or_is_the_last(bench: Bench, number: int) -> None:
    """Commits of both stores, writes of the state, of the log: before and after each of them."""
    place = bench.place()
    rng = random.Random(f"{SEED}-{number}")
    nth, form = rng.randint(1, len(bench.points)), rng.choice(FORMS)
    code = place.apply({"nth": nth, "form": form})
    # 3: what failed came before anything was begun.
    assert code in ((-9,) if form.startswith("die") else (3, 5)), (nth, form, place.output())
    bench.after(place, code, thorough=number % THOROUGH == 0)
    bench.drop(place)


def test_two_kills_in_a_row(bench: Bench) -> None:
    """What resumes is killed too, and what resumes that."""
    rng = random.Random(SEED)
    place = bench.place()
    code = -9
    for _ in range(6):
        code = place.apply({"nth": rng.randint(20, 60), "form": "die_after"})
        bench.nothing_lost(place)
        if code == 0:
            break
    bench.after(place, code, thorough=True)
    bench.drop(place)


@pytest.fixture(scope="module")
def durable(
    fresh_servers: Callable[[], TestServer], tmp_path_factory: pytest.TempPathFactory
) -> Bench:
    """A bench whose two stores are servers of their own, which may lose power."""
    return Bench(
        fresh_servers(), tmp_path_factory.mktemp("durable"), people=30, batch=200,
        home=fresh_servers(),
    )  # fmt: skip


@pytest.mark.parametrize("number", range(STORES))
def test_a_store_loses_power(durable: Bench, number: int) -> None:
    """Its processes are killed at once; it recovers from its log; apply is run again."""
    place = durable.place()
    rng = random.Random(f"{SEED}-{number}")
    store = durable.server if number % 2 else durable.home_server
    place.start("apply", str(place.plan), "--yes")
    durable.sleep(rng.uniform(0.2, 0.9) * durable.seconds)
    store.kill()
    code = place.wait()
    # 3: it was not there when apply began, or had not begun to change anything.
    assert code in (0, 3, 5), place.output()
    store.restart()
    durable.after(place, code, thorough=True)
    durable.drop(place)
