"""The survey of a wide schema: 400 tables, 800 foreign keys, made up. Seconds, in one process.

The catalogue queries are counted apart, as the bar does: what is left is ours to make fast. On a
busy machine the seconds of the clock are others' too; those of this process's CPU are its own.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from bench.bars import Bar
from domicile.estate.load import load_estate
from domicile.plan.make import make_plan
from domicile.survey.datamap import make_map
from domicile.survey.survey import Survey
from tests.servers import TestServer, debian_bin

TABLES = 400
ROWS = 100

BARS = (
    Bar(2, f"survey of {TABLES} tables and {2 * (TABLES - 1)} keys, beyond the catalogue",
        "map beyond the catalogue, s", most=5, unit="s"),
)  # fmt: skip

ESTATE = """
estate: wide
stores:
  abroad: {{url: "{abroad}", country: SG, operator: Platform, holds: app}}
  home: {{url: "{home}", country: US, operator: Platform, holds: app}}
subjects:
  person: {{register: app.t0, key: id, residence: country}}
"""

MANDATE = """
mandate: rest-at-home
title: Everyone goes home
issuer: bench
citation: made up
status: in_force
effective: 2025-01-01
protects: {residence: [US], categories: [user]}
clauses:
  - {id: rest, store: {country: [US]}, otherwise: move}
"""


def schema() -> str:
    """400 tables, each but the first with two keys to earlier ones."""
    draw = random.Random(1)
    lines = ["CREATE TABLE t0 (id int PRIMARY KEY, country text, email text);"]
    for n in range(1, TABLES):
        keys = ", ".join(f"r{k} int REFERENCES t{draw.randrange(n)} (id)" for k in (0, 1))
        lines.append(f"CREATE TABLE t{n} (id int PRIMARY KEY, {keys}, a text, c timestamptz);")
    return "\n".join(lines)


def rows() -> str:
    """The same number in each table."""
    people = "INSERT INTO t0 SELECT g, 'US', 'p' || g || '@example.org'"
    lines = [f"{people} FROM generate_series(1, {ROWS}) g;"]
    lines += [
        f"INSERT INTO t{n} SELECT g, g, g, 'x', now() FROM generate_series(1, {ROWS}) g;"
        for n in range(1, TABLES)
    ]
    return "\n".join(lines)


def run() -> Mapping[str, object]:
    """Seconds of the catalogue queries, of the whole map, and of a plan that moves every row."""
    bin_dir = debian_bin()
    if bin_dir is None:
        return {"left out": "Debian's PostgreSQL 15 is not installed: make deps"}
    directory = Path(tempfile.mkdtemp(prefix="domicile-bench-"))
    directory.chmod(0o755)
    server = TestServer(bin_dir, directory / "server")
    try:
        server.create()
        server.start()
        abroad, home = server.create_database("abroad"), server.create_database("home")
        server.psql("abroad", stdin=schema() + rows())
        server.psql("home", stdin=schema())
        path = directory / "estate.yaml"
        path.write_text(ESTATE.format(abroad=abroad, home=home))
        (directory / "mandates").mkdir()
        (directory / "mandates" / "rest-at-home.yaml").write_text(MANDATE)
        estate = load_estate(path)
        with _Clock() as catalogue, Survey(estate, None):
            pass
        with _Clock() as mapped:
            make_map(path)
        with _Clock() as planned:
            make_plan(path)
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)
    return {
        "tables": TABLES,
        "keys": 2 * (TABLES - 1),
        "catalogue queries of both stores, s": catalogue.wall,
        "whole map, s": mapped.wall,
        "map beyond the catalogue, s": mapped.wall - catalogue.wall,
        "map, s of CPU in this process": mapped.cpu,
        "plan that moves every row, s": planned.wall,
        "plan, s of CPU in this process": planned.cpu,
    }


class _Clock:
    """Seconds that pass inside `with`."""

    wall = cpu = 0.0

    def __enter__(self) -> _Clock:
        self._began = time.monotonic(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall = time.monotonic() - self._began[0]
        self.cpu = time.process_time() - self._began[1]
