"""How long a plan may take: what the estimate rests on, and what earlier applies teach it."""

from __future__ import annotations

import itertools
import json
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from domicile.apply.run import apply_plan
from domicile.cli.main import main
from domicile.errors import PlanRefused
from domicile.evidence.place import state_directory
from domicile.plan import estimate
from domicile.plan.document import digest_of, read, write
from domicile.plan.estimate import FIXED, PACES, ROW, told
from domicile.plan.make import make_plan
from domicile.survey.state import State
from tests.watch.world import make_world

DAY = date(2026, 6, 1)


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which the fixed piece of work takes as long as on the one that was measured."""
    monkeypatch.setattr(estimate, "_probe", lambda: estimate.PROBE_SECONDS)


def paces(path: Path) -> list[tuple[float, float]]:
    state = State(state_directory(path))
    try:
        return state.paces(9)
    finally:
        state.close()


def test_what_it_is_made_of(tmp_path: Path, steady: None) -> None:
    """Reading as it was, the rows by that, and the steps at the pace of their store."""
    path = make_world(tmp_path, 25)
    cost = make_plan(path, (), DAY)["cost"]
    pace = PACES["sqlite"]
    steps = 2 * pace.step
    rests = cost["rests_on"]
    assert rests["slowness"] == pytest.approx(1)
    assert rests["modelled"] == pytest.approx(
        rests["reading"] * (1 + ROW * 3 / 5) + FIXED + steps,  # three of five rows go
        abs=0.005,
    )
    assert cost["seconds"] == pytest.approx(rests["modelled"], abs=0.06)
    assert rests["applies"] == 0


def test_twice_as_slow_is_twice_as_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_world(tmp_path, 25)
    acting = []
    for slowness in (1, 2):
        monkeypatch.setattr(estimate, "_probe", lambda s=slowness: s * estimate.PROBE_SECONDS)
        rests = make_plan(path, (), DAY)["cost"]["rests_on"]
        acting.append(rests["modelled"] - rests["reading"] * (1 + ROW * 3 / 5))
    assert acting[1] == pytest.approx(2 * acting[0], rel=0.01)


def test_earlier_applies_correct_it(tmp_path: Path, steady: None) -> None:
    path = make_world(tmp_path, 25)
    state = State(state_directory(path))
    for number, took in enumerate((9.0, 3.0, 4.0, 100.0, 2.0, 3.0)):
        state.note_pace(f"plan{number}", took, 1.0)
    state.close()
    cost = make_plan(path, (), DAY)["cost"]
    assert cost["rests_on"]["applies"] == 5  # the last; the first is not asked any more
    assert cost["seconds"] == pytest.approx(3 * cost["rests_on"]["modelled"], abs=0.06)


def test_apply_says_and_keeps_how_long_it_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time in which a person thinks about it is not apply's."""
    path = make_world(tmp_path, 25)
    plan = make_plan(path, (), DAY)
    clock = itertools.count(1.0)
    thought: list[float] = []

    def approved() -> bool:
        thought.append(1000.0)
        return True

    now = SimpleNamespace(monotonic=lambda: next(clock) + sum(thought))
    with monkeypatch.context() as patched:
        patched.setattr("domicile.apply.run.time", now)
        done = apply_plan(plan, path, cap=None, approved=approved)
    assert thought
    assert 1 < done["seconds"] < 1000
    assert done["estimated_seconds"] == plan["cost"]["seconds"]
    assert done["resumed"] is False
    ((took, said),) = paces(path)
    assert said == plan["cost"]["rests_on"]["modelled"]
    assert took == pytest.approx(done["seconds"], abs=0.06)
    assert make_plan(path, (), DAY)["cost"]["seconds"] == 0  # nothing is left to do


def test_a_run_that_was_stopped_teaches_nothing(tmp_path: Path) -> None:
    path = make_world(tmp_path, 25)
    plan = make_plan(path, (), DAY)
    state = State(state_directory(path))
    state.set_run(plan["digest"], "started")
    state.close()
    done = apply_plan(plan, path, cap=None, approved=lambda: True)
    assert done["resumed"] is True
    assert paces(path) == []


def test_the_screen_shows_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = make_world(tmp_path, 25)
    file = str(tmp_path / "plan.json")
    day = ["--as-of", DAY.isoformat()]
    assert main(["plan", "--estate", str(path), "-o", file, *day]) == 0
    assert "figures of another machine." in capsys.readouterr().out
    assert main(["apply", file, "--estate", str(path), "--yes"]) == 0
    shown = capsys.readouterr().out
    seconds = json.loads(Path(file).read_text("utf-8"))["cost"]["seconds"]
    assert f"; the plan said about {seconds:g} s." in shown


def test_the_digest_is_of_what_is_done(tmp_path: Path) -> None:
    """The same plan again has the same digest, however long it took; rows are still bound."""
    path = make_world(tmp_path, 25)
    one, two = make_plan(path, (), DAY), make_plan(path, (), DAY)
    assert one["cost"]["rests_on"] != two["cost"]["rests_on"]
    assert one["digest"] == two["digest"] == digest_of(one)
    file = tmp_path / "plan.json"
    changed: dict[str, Any] = {**one, "cost": {**one["cost"], "seconds": 1e6}}
    write(changed, file)
    assert read(file)["cost"]["seconds"] == 1e6
    changed["cost"] = {**one["cost"], "rows": 1}
    write(changed, file)
    with pytest.raises(PlanRefused, match="changed after it was made"):
        read(file)


def test_a_time_that_is_none_harms_nothing(tmp_path: Path) -> None:
    """No digest covers it, so anything may stand there."""
    path = make_world(tmp_path, 25)
    file = tmp_path / "plan.json"
    plan = make_plan(path, (), DAY)
    odd = {**plan["cost"], "seconds": "soon", "rests_on": {"modelled": "long"}}
    write({**plan, "cost": odd}, file)
    done = apply_plan(read(file), path, cap=None, approved=lambda: True)
    assert done["estimated_seconds"] is None
    assert paces(path) == []
    values: list[object] = [-1.0, 1e300, float("nan"), True, None, [], {}]
    for value in values:
        assert told({"cost": {"seconds": value, "rests_on": value}}) == (None, None)
    assert told({"cost": {"seconds": 2, "rests_on": {"modelled": 1.5}}}) == (2.0, 1.5)
