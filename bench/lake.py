"""A lake of people and events: plan, apply and verify beside a raw copy of the events by DuckDB.

    python -m bench lake            50 million people, 50 million events
    PEOPLE=5000000 EVENTS=5000000   another size

One run of each, one after the other, on the same files; the ratio is what counts.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from bench.bars import QUICK, Bar

FILES = 10

PEOPLE = int(os.environ.get("PEOPLE", 1_000_000 if QUICK else 50_000_000))
EVENTS = int(os.environ.get("EVENTS", 1_000_000 if QUICK else 50_000_000))

BARS = (
    Bar(2, f"lake of {PEOPLE:,} people and {EVENTS:,} events, by a raw copy", "ratio", most=2.0),
)  # fmt: skip

ESTATE = """
estate: bench
stores:
  people: {{url: "file://{root}/people", country: NL, operator: T, holds: app}}
  lake:   {{url: "file://{root}/lake", country: SG, operator: T, holds: events}}
  home:   {{url: "file://{root}/home", country: US, operator: T, holds: events}}
subjects:
  customer: {{register: app.customer, key: id, residence: country}}
links:
  - {{from: events.watch.user_id, to: customer}}
tables:
  app.customer: {{role: ""}}
columns:
  app.customer.id: {{category: user.unique_id}}
mandates: [home.yaml]
"""

MANDATE = """
mandate: home
title: US people's events rest in the US
issuer: Bench
citation: none
status: in_force
effective: 2020-01-01
source: made up
verified: true
protects: {residence: [US], unknown_residence: report, categories: [user]}
clauses:
  - id: rest
    store: {country: [US, NL]}
    otherwise: move
    purge: true
    citation: none
    source: made up
    verified: true
"""


def make_world(root: Path, people: int, events: int) -> None:
    """Registers and events as Parquet, one person in five American."""
    for folder in ("people/customer", "lake/watch", "home", "raw"):
        (root / folder).mkdir(parents=True)
    estate = ESTATE.format(root=root).replace('tables:\n  app.customer: {role: ""}\n', "")
    (root / "estate.yaml").write_text(estate)
    (root / "home.yaml").write_text(MANDATE)
    connection = duckdb.connect(":memory:", config={"threads": 2, "memory_limit": "3GB"})
    for number in range(FILES):
        start, stop = (people * n // FILES for n in (number, number + 1))
        connection.execute(
            f"COPY (SELECT i AS id, ['US', 'NL', 'DE', 'BR', 'SG'][(hash(i) % 5)::INT + 1] "
            f"AS country FROM range({start}, {stop}) t(i)) "
            f"TO '{root}/people/customer/{number}.parquet'"
        )
        start, stop = (events * n // FILES for n in (number, number + 1))
        connection.execute(
            f"COPY (SELECT i AS id, (hash(i, 1) % {people})::BIGINT AS user_id, "
            "(hash(i, 2) % 1000000)::INT AS video_id, "
            "TIMESTAMP '2024-01-01' + to_milliseconds((i * 37)::BIGINT) AS at, "
            "(hash(i, 3) % 600)::SMALLINT AS seconds, "
            "['feed', 'search', 'share'][(hash(i, 4) % 3)::INT + 1] AS came_by "
            f"FROM range({start}, {stop}) t(i)) TO '{root}/lake/watch/{number}.parquet'"
        )
    connection.close()


def raw_copy(root: Path) -> None:
    """Copy the events by DuckDB, file by file."""
    connection = duckdb.connect(":memory:", config={"threads": 2})
    for path in sorted((root / "lake" / "watch").iterdir()):
        connection.execute(f"COPY (FROM '{path}') TO '{root}/raw/{path.name}'")
    connection.close()


def forget_peak() -> None:
    """Begin anew with the greatest memory of this process: see proc(5), clear_refs."""
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """The greatest memory of this process since then, in megabytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found.group(1)) // 1024 if found else 0


class Timed:
    """Seconds by the clock and of the processors, for each part."""

    def __init__(self) -> None:
        self.clock: dict[str, float] = {}
        self.processors: dict[str, float] = {}

    def run(self, name: str, part: Callable[[], Any]) -> Any:
        """Carry out one part."""
        clock, processors = time.perf_counter(), time.process_time()
        done = part()
        self.clock[name] = time.perf_counter() - clock
        self.processors[name] = time.process_time() - processors
        return done

    def ratio(self, seconds: dict[str, float], apart: float = 0.0) -> float:
        """Our parts together, without some seconds, by the raw copy."""
        ours = sum(seconds[name] for name in ("plan", "apply", "verify"))
        return round((ours - apart) / seconds["raw"], 2)


def run() -> dict[str, Any]:
    """Seconds of each part, and the ratio of their sum to the raw copy."""
    from domicile.apply.run import apply_plan
    from domicile.plan.make import make_plan
    from domicile.plan.verify import verify_stores

    people, events = PEOPLE, EVENTS
    with tempfile.TemporaryDirectory(prefix="bench-lake-") as folder:
        root = Path(folder)
        make_world(root, people, events)
        estate, timed = root / "estate.yaml", Timed()
        os.sync()  # what made the world is on the disk: nobody's part waits for it
        timed.run("raw", lambda: raw_copy(root))
        shutil.rmtree(root / "raw")
        os.sync()
        forget_peak()
        plan = timed.run("plan", lambda: make_plan(estate))
        done = timed.run("apply", lambda: apply_plan(plan, estate, cap=None, approved=lambda: True))
        verified = timed.run("verify", lambda: verify_stores(estate))
        memory = peak()
    return {
        "people": people, "events": events, "moved": done["moved"], "ok": verified["ok"],
        **{name: round(value, 2) for name, value in timed.clock.items()},
        "of apply, the tree of people for receipts": done["receipts_seconds"],
        "ratio": timed.ratio(timed.clock),
        "ratio without that tree": timed.ratio(timed.clock, done["receipts_seconds"]),
        "processor_seconds": {n: round(value, 2) for n, value in timed.processors.items()},
        "processor_ratio": timed.ratio(timed.processors),
        "peak_mb": memory,
    }  # fmt: skip


if __name__ == "__main__":
    print(run())
