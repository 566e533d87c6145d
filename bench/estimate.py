"""A law that does not exist yet, estimated on the demo as of a future day; then it is in force, and
the same plan is carried out: rows, bytes and seconds, estimated and real, and their ratios.

The estimate is that of the first plan of an estate, without earlier applies to learn from, and of
the next one, which knows how long the first took. Times are by the clock. On a machine that others
use as well, the load while the plan was made is not that of apply: so the estimate's own probe runs
beside apply, in a process of its own, and the figures "load taken out" are the estimate times how
much slower or faster the machine was then. All data are made up.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from bench.bars import QUICK, Bar
from domicile.apply.run import apply_plan
from domicile.demo.stage import DATABASE, HOME, Stage, build
from domicile.plan.make import make_plan

PEOPLE = 2_000 if QUICK else 20_000

DAY = date(2027, 1, 1)

BARS = (
    Bar(4, f"estimated rows by real ones, {PEOPLE:,} people", "rows: ratio", least=0.67, most=1.5),
    Bar(4, "estimated bytes by real ones", "bytes: ratio", least=0.67, most=1.5),
    Bar(4, "estimated time by that of apply", "seconds: ratio", least=0.67, most=1.5),
    Bar(4, "estimated time by that of apply, load taken out", "seconds: ratio, load taken out",
        least=0.67, most=1.5),
    Bar(4, "the same, knowing one earlier apply", "second apply, seconds: ratio, load taken out",
        least=0.67, most=1.5),
)  # fmt: skip

SECOND = """
mandate: europe-home
title: Data of people of three countries rest in the US
status: voluntary
effective: 2027-01-01
protects: {residence: [GB, DE, FR]}
clauses:
  - {id: rest, store: {country: [US]}, otherwise: move, purge: true}
"""


def run() -> Mapping[str, object]:
    """Estimate, carry out, compare."""
    with tempfile.TemporaryDirectory() as folder:
        stage = build(Path(folder) / "demo", PEOPLE)
        try:
            return _run(stage)
        finally:
            stage.stop()


def _run(stage: Stage) -> dict[str, object]:
    estate = stage.directory / "estate.yaml"
    law = stage.directory / "mandates" / "us-home.yaml"
    text = re.sub(r"(?m)^deadline: .*\n", "", law.read_text("utf-8"))
    text = re.sub(r"(?m)^status: .*$", "status: proposed", text)
    text = re.sub(r"(?m)^effective: .*$", f"effective: {DAY}", text)
    proposed = stage.directory / "proposed.yaml"
    proposed.write_text(text, encoding="utf-8")
    law.unlink()
    tried = make_plan(estate, (str(proposed),), DAY)["what_if"]
    law.write_text(text.replace("status: proposed", "status: in_force"), encoding="utf-8")
    before = _bytes(stage)
    first, slow, rows = _apply(estate, make_plan(estate, (), DAY))
    size = _bytes(stage) - before
    law.write_text(SECOND, encoding="utf-8")
    plan = make_plan(estate, (), DAY)
    second, slow_again, _ = _apply(estate, plan)
    return {
        "people": PEOPLE,
        "estimated rows that leave": tried["leaving"], "rows that left": rows,
        "rows: ratio": round(tried["leaving"] / rows, 3),
        "estimated bytes": tried["bytes"], "bytes at home": size,
        "bytes: ratio": round(tried["bytes"] / size, 3),
        **_times("", tried, first, slow),
        **_times("second apply, ", plan["cost"], second, slow_again),
    }  # fmt: skip


def _times(name: str, said: Mapping[str, Any], took: float, slowness: float) -> dict[str, object]:
    other = slowness / said["rests_on"]["slowness"]
    return {
        f"{name}estimated seconds": said["seconds"], f"{name}seconds of apply": round(took, 1),
        f"{name}slowness at plan, at apply":
            f"{said['rests_on']['slowness']:.2f}, {slowness:.2f}",
        f"{name}seconds: ratio": round(said["seconds"] / took, 3),
        f"{name}seconds: ratio, load taken out": round(said["seconds"] * other / took, 3),
    }  # fmt: skip


def _apply(estate: Path, plan: dict[str, Any]) -> tuple[float, float, int]:
    """Carry it out: seconds, slowness beside it, rows."""
    beside = (
        "import time\nfrom domicile.plan.estimate import Stopwatch\n"
        "while True: w = Stopwatch(); w.lap(read=False); print(w.slowness, flush=True);"
        " time.sleep(0.5)"
    )
    with subprocess.Popen([sys.executable, "-c", beside], stdout=subprocess.PIPE, text=True) as at:
        assert at.stdout is not None
        at.stdout.readline()  # it has started
        began = time.monotonic()
        done = apply_plan(plan, estate, cap=None, approved=lambda: True)
        took = time.monotonic() - began
        at.terminate()
        samples = [float(line) for line in at.stdout if line.endswith("\n")]
    return took, sum(samples) / len(samples), sum(each["rows"] for each in done["moved"])


def _bytes(stage: Stage) -> int:
    """What the home holds: its tables with their indexes, and the files of its lake."""
    sizes = stage.servers[HOME].sql(
        DATABASE,
        "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p') AND n.nspname = 'public'",
    )
    files = (path.stat().st_size for path in stage.lake(HOME).rglob("*") if path.is_file())
    return int(sizes) + sum(files)
