"""People are moved while applications write: no acknowledged change is lost, none comes back."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.faults.estate import KEYS, Row, broken_keys
from tests.faults.trials import Bench, Place
from tests.faults.writers import WRITERS

pytestmark = pytest.mark.faults

SECONDS = 6.0


@contextmanager
def writing(place: Place) -> Iterator[Path]:
    """Writers at the source, until the end of the block; the directory of their logs."""
    stop = place.directory / "stop"
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.faults.writers", place.source, str(n),
             str(place.directory / f"changes{n}"), str(stop)],
            cwd=ROOT, stderr=(place.directory / f"errors{n}").open("w"),
        )
        for n in range(WRITERS)
    ]  # fmt: skip
    try:
        time.sleep(0.5)
        yield place.directory
    finally:
        stop.touch()
        codes = [p.wait(timeout=30) for p in started]
        stop.unlink()
    errors = [(place.directory / f"errors{n}").read_text() for n in range(WRITERS)]
    assert codes == [0] * WRITERS, errors


def changes(directory: Path) -> list[dict[str, Any]]:
    """What the writers tried, each with how it ended: done, refused, or unknown."""
    found: list[dict[str, Any]] = []
    for n in range(WRITERS):
        for line in (directory / f"changes{n}").read_text().splitlines():
            entry = json.loads(line)
            if entry["state"] == "try":
                found.append({**entry, "state": "unknown", "rows": 0})
            else:
                found[-1].update(entry)
    return found


def rounds(place: Place, until: float, rng: random.Random | None = None) -> list[int]:
    """Plan and apply, as an operator would, until the time is over; the exit codes.

    With `rng`, some runs are killed.
    """
    codes: list[int] = []
    plan_again = True
    while time.monotonic() < until or not codes:
        if plan_again:
            assert place.run("plan", "-o", str(place.plan)) == 0, place.output()
        if rng is not None and rng.random() < 0.5:
            pid = place.start("apply", str(place.plan), "--yes")
            time.sleep(rng.uniform(0, 1.5))
            place.kill(pid)
            codes.append(place.wait())
        else:
            codes.append(place.apply())
        assert codes[-1] in (0, 4, 5, -9), place.output()
        plan_again = codes[-1] in (0, 4)
    return codes


def settle(place: Place) -> None:
    """With the writers gone: plan and apply until there is nothing to do."""
    for _ in range(6):
        code = place.apply() if place.plan.exists() else 4
        assert code in (0, 4, 5), place.output()
        if code == 5:
            continue
        assert place.run("plan", "-o", str(place.plan)) == 0, place.output()
        if not json.loads(place.plan.read_text())["steps"]:
            return
    raise AssertionError(f"there is always something to do\n{place.output()}")


def key(table: str, row: Row) -> str:
    """A row's key as text, from the text of the row."""
    return ",".join(str(row[0]).strip("()").split(",")[: len(KEYS[table])])


def by_row(place: Place) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """What the writers tried, by table and key, in its order."""
    last: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for change in changes(place.directory):
        row = change["row"]
        name = ",".join(map(str, row)) if isinstance(row, list) else str(row)
        last.setdefault((change["table"], name), []).append(change)
    return last


def check(bench: Bench, place: Place) -> None:
    """No acknowledged change is lost, none that was deleted is back, the others' rows are whole."""
    source, home = place.contents()
    texts = {t: [str(r[0]) for r in source[t] + home[t]] for t in source}
    keys = {t: {key(t, r) for r in source[t] + home[t]} for t in KEYS if KEYS[t]}
    last = by_row(place)
    counted = 0
    for (table, name), entries in last.items():
        done = [e for e in entries if e["state"] == "done" and e["rows"]]
        if not done:
            continue
        counted += 1
        final = done[-1]
        after = entries[entries.index(final) + 1 :]
        unsure = [e for e in after if e["state"] == "unknown"]
        if final["what"] == "delete":
            there = [(end, r) for end, rows in (("source", source), ("home", home))
                     for r in rows[table]
                     if key(table, r) == name and "stub-" not in str(r[0])]  # fmt: skip
            assert not there, f"{table} {name} was deleted and is back: {there} {entries}"
        elif final["what"] == "insert" and KEYS[table]:
            assert unsure or name in keys[table], f"{table} {name} was inserted and is lost"
        elif final["what"] == "insert":
            found = sum(f"fresh {name}" in t for t in texts[table])
            assert found == 1, f"{table}: fresh {name} is there {found} times"
        else:
            values = [final["value"], *(e["value"] for e in unsure)]
            assert any(
                t.startswith(f"({name},") and str(v) in t for t in texts[table] for v in values
            ), f"{table} {name}: {values} is lost"
    assert counted > 20
    touched = {(table, name) for table, name in last}
    for table, lines in bench.outcome[0].items():
        if table == "audit" or not KEYS[table]:
            continue
        stays = set(lines) & set(bench.before[0][table])
        for row in stays - set(source[table]):
            assert (table, key(table, row)) in touched, f"{table} {key(table, row)} was to stay"
    assert not broken_keys(place.source)
    assert not broken_keys(place.home)


@pytest.mark.parametrize("killed", [False, True], ids=["undisturbed", "killed"])
def test_no_acknowledged_change_is_lost(bench: Bench, killed: bool) -> None:
    place = bench.place()
    rng = random.Random(11) if killed else None
    with writing(place):
        codes = rounds(place, time.monotonic() + SECONDS, rng)
    settle(place)
    assert codes
    check(bench, place)
    bench.drop(place)


def test_erasure_takes_nothing_that_came_to_somebody_else(bench: Bench) -> None:
    """The same writers, beside an erasure of everybody in the US: who stays keeps every row, those
    too that were given to them under way, with all that was acknowledged."""
    place, still = bench.place(), bench.place()
    for each in (place, still):
        law = each.directory / "mandates" / "us-home.yaml"
        law.write_text(
            law.read_text()
            .replace("move", "erase")
            .replace("country: [US]}, o", "country: [NL]}, o")
        )
    assert still.run("plan", "-o", str(still.plan)) == 0, still.output()
    assert still.apply() == 0, still.output()
    outcome, (before, _) = still.contents()[0], bench.before
    stays = {key("account", r) for r in outcome["account"] if r in before["account"]}
    with writing(place):
        codes = rounds(place, time.monotonic() + SECONDS, random.Random(5))
    settle(place)
    assert codes
    source, _ = place.contents()
    there = {t: {key(t, r): str(r[0]) for r in source[t]} for t in KEYS if KEYS[t]}
    last, counted = by_row(place), 0
    for (table, name), entries in last.items():
        done = [e for e in entries if e["state"] == "done" and e["rows"]]
        if not done or entries[-1]["state"] == "unknown" or not KEYS[table]:
            continue
        final = done[-1]
        theirs = table in ("account", "track", "video") or final["what"] == "insert"
        if final["what"] == "delete" or not theirs or str(final["person"]) not in stays:
            continue
        counted += 1
        assert name in there[table], f"{table} {name} was somebody's who stays: {entries}"
        if final["what"] == "update":
            assert str(final["value"]) in there[table][name], (table, name, entries)
    assert counted > 20
    for table in KEYS:
        touched = {name for of, name in last if of == table}
        if KEYS[table]:
            lost = (set(outcome[table]) & set(before[table])) - set(source[table])
            assert {key(table, row) for row in lost} <= touched, f"{table}: {lost}"
    # And nobody who was to be erased is left, but for stubs.
    gone = {str(r[0]) for r in before["account"] if key("account", r) not in stays}
    assert not gone & {str(r[0]) for r in source["account"]}
    assert not broken_keys(place.source)
    for each in (place, still):
        bench.drop(each)
