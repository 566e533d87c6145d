"""The survey of a wide schema: 400 tables, 800 foreign keys, made up. Seconds, in one process.

The catalogue queries are counted apart, as the bar does: what is left is ours to make fast.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from domicile.estate.load import load_estate
from domicile.plan.planner import Planner
from domicile.survey.datamap import make_map
from domicile.survey.survey import Survey
from tests.servers import TestServer, debian_bin

TABLES = 400
ROWS = 100

ESTATE = """
estate: wide
stores:
  abroad: {{url: "{url}", country: SG, operator: Platform, holds: app}}
subjects:
  person: {{register: app.t0, key: id, residence: country}}
"""


def schema() -> str:
    """400 tables, each but the first with two keys to earlier ones."""
    draw = random.Random(1)
    lines = ["CREATE TABLE t0 (id int PRIMARY KEY, country text, email text);"]
    for n in range(1, TABLES):
        keys = ", ".join(f"r{k} int REFERENCES t{draw.randrange(n)} (id)" for k in (0, 1))
        lines.append(f"CREATE TABLE t{n} (id int PRIMARY KEY, {keys}, a text, c timestamptz);")
    lines.append(
        "INSERT INTO t0 SELECT g, 'US', 'p' || g || '@example.org' "
        f"FROM generate_series(1, {ROWS}) g;"
    )
    lines += [
        f"INSERT INTO t{n} SELECT g, g, g, 'x', now() FROM generate_series(1, {ROWS}) g;"
        for n in range(1, TABLES)
    ]
    return "\n".join(lines)


def run() -> Mapping[str, object]:
    """Seconds of the catalogue queries, and of the ownership of every row and the whole map."""
    bin_dir = debian_bin()
    if bin_dir is None:
        return {"left out": "Debian's PostgreSQL 15 is not installed: make deps"}
    directory = Path(tempfile.mkdtemp(prefix="domicile-bench-"))
    directory.chmod(0o755)
    server = TestServer(bin_dir, directory / "server")
    try:
        server.create()
        server.start()
        url = server.create_database("wide")
        server.psql("wide", stdin=schema())
        path = directory / "estate.yaml"
        path.write_text(ESTATE.format(url=url))
        estate = load_estate(path)
        began = time.monotonic()
        with Survey(estate, None) as survey:
            catalogue = time.monotonic() - began
            Planner(survey, (), date(2026, 1, 1)).run()
        began = time.monotonic()
        make_map(path)
        mapped = time.monotonic() - began
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)
    return {
        "tables": TABLES,
        "keys": 2 * (TABLES - 1),
        "catalogue queries, s": catalogue,
        "whole map, s": mapped,
        "map beyond the catalogue, s (bar 5)": mapped - catalogue,
    }
