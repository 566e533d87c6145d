"""Kills while stubs that nothing points at any more are taken away: all go, and nothing else."""

from __future__ import annotations

import json

import pytest

from domicile.survey.state import State
from tests.faults.estate import Contents
from tests.faults.test_attacks import sql
from tests.faults.trials import Bench, Place

pytestmark = pytest.mark.faults


def bare(bench: Bench) -> Place:
    """People are at home; then the application deletes abroad what pointed at their stubs, and
    there is a plan of what to remove."""
    place = bench.place()
    assert place.apply() == 0, place.output()
    sql(place.source, "DELETE FROM message", "DELETE FROM comment", "DELETE FROM family")
    assert place.run("plan", "-o", str(place.plan)) == 0, place.output()
    planned = json.loads(place.plan.read_text())["steps"]
    assert {s["op"] for s in planned} == {"remove_stub"}, planned
    return place


@pytest.fixture(scope="module")
def undisturbed(bench: Bench) -> tuple[tuple[Contents, Contents], int, int]:
    """What both stores hold afterwards, and the first and last durable write of the removal."""
    place = bare(bench)
    before = place.contents()
    assert place.apply() == 0, place.output()
    outcome = place.contents()
    assert len(outcome[0]["video"]) < len(before[0]["video"])
    commits = [n for n, p in enumerate(place.points, 1) if p == "PostgresEnd.commit"]
    bench.drop(place)
    return outcome, commits[-1] - 1, commits[-1] + 2


def test_each_durable_write_is_the_last_or_fails(
    bench: Bench, undisturbed: tuple[tuple[Contents, Contents], int, int]
) -> None:
    outcome, first, last = undisturbed
    for nth in range(first, last + 1):
        form = "fail_after" if nth == first + 1 else "die_before"  # the commit itself: both ends
        place = bare(bench)
        assert place.apply({"nth": nth, "form": form}) in (-9, 3, 5), place.output()
        place.resume((3, 5))
        for now, then in zip(place.contents(), outcome, strict=True):
            assert now == then
        state = State(place.directory / ".domicile")
        assert state.ending_stubs() == []
        assert list(state.stubs("abroad", "video", sure=False)) == []
        state.close()
        bench.drop(place)
