"""A lake of people and events: plan, apply and verify beside a raw copy of the events by DuckDB.

    python -m bench lake            50 million people, 50 million events
    PEOPLE=5000000 EVENTS=5000000   another size

One run of each, one after the other, on the same files; the ratio is what counts.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb

FILES = 10

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


def raw_copy(root: Path) -> float:
    """Seconds that DuckDB takes to copy the events, file by file."""
    connection = duckdb.connect(":memory:", config={"threads": 2})
    started = time.perf_counter()
    for path in sorted((root / "lake" / "watch").iterdir()):
        connection.execute(f"COPY (FROM '{path}') TO '{root}/raw/{path.name}'")
    connection.close()
    seconds = time.perf_counter() - started
    shutil.rmtree(root / "raw")
    return seconds


def run() -> dict[str, Any]:
    """Seconds of each part, and the ratio of their sum to the raw copy."""
    from domicile.apply.run import apply_plan
    from domicile.plan.make import make_plan
    from domicile.plan.verify import verify_stores

    people = int(os.environ.get("PEOPLE", 50_000_000))
    events = int(os.environ.get("EVENTS", 50_000_000))
    with tempfile.TemporaryDirectory(prefix="bench-lake-") as folder:
        root = Path(folder)
        make_world(root, people, events)
        seconds = {"raw": raw_copy(root)}
        started = time.perf_counter()
        plan = make_plan(root / "estate.yaml")
        seconds["plan"] = time.perf_counter() - started
        started = time.perf_counter()
        done = apply_plan(plan, root / "estate.yaml", cap=None, approved=lambda: True)
        seconds["apply"] = time.perf_counter() - started
        started = time.perf_counter()
        verified = verify_stores(root / "estate.yaml")
        seconds["verify"] = time.perf_counter() - started
    ours = sum(seconds[name] for name in ("plan", "apply", "verify"))
    return {
        "people": people, "events": events, "moved": done["moved"], "ok": verified["ok"],
        **{name: round(value, 2) for name, value in seconds.items()},
        "ratio": round(ours / seconds["raw"], 2),
    }  # fmt: skip


if __name__ == "__main__":
    print(run())
