"""A verified move between two PostgreSQL servers, beside the plain pipe that proves nothing.

Both run on the same two throw-away servers, one after the other: `psql COPY | psql COPY` in binary
and then DELETE at the source; and `domicile apply`, which copies, reads back, checks digests,
deletes only what is unchanged and writes the evidence. Purging is counted apart.
The table: rows of about 100 bytes, a primary key and one index. All data are made up.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from bench.bars import QUICK, Bar
from tests.servers import TestServer, debian_bin

_ASKED = os.environ.get("BENCH_ROWS")

SIZES = (
    tuple(int(n) for n in _ASKED.split(",")) if _ASKED
    else (50_000, 250_000, 500_000) if QUICK
    else (1_000_000, 5_000_000, 10_000_000)
)  # fmt: skip
"""Rows; the ratio is that of the middle size, and memory should not grow from first to last."""

MIDDLE = SIZES[len(SIZES) // 2]

BARS = (
    Bar(2, f"verified move of {MIDDLE:,} rows, by COPY and DELETE", f"{MIDDLE:,} rows: ratio",
        most=1.25),
    Bar(2, f"peak memory of apply, {SIZES[-1]:,} rows", f"{SIZES[-1]:,} rows: peak memory, MB",
        most=300, unit="MB"),
    Bar(2, f"memory at {SIZES[-1]:,} rows, by that at {SIZES[0]:,} (flat: about 1)",
        "memory, last size by first", most=1.2),
)  # fmt: skip

SCHEMA = """
CREATE TABLE person (person_id bigint PRIMARY KEY, country text NOT NULL);
CREATE TABLE event (event_id bigint PRIMARY KEY, person_id bigint NOT NULL, at timestamptz NOT NULL,
                    what text NOT NULL, note text NOT NULL);
CREATE INDEX event_person ON event (person_id);
"""

FILL = """
INSERT INTO person SELECT n, 'US' FROM generate_series(1, {people}) n;
INSERT INTO event SELECT n, n % {people} + 1, timestamptz '2026-01-01' + n * interval '1 second',
       'watched', repeat(md5(n::text), 1) FROM generate_series(1, {rows}) n;
VACUUM ANALYZE;
"""

ESTATE = """
estate: bench
stores:
  abroad: {{url: "{abroad}", country: SG, operator: Platform, holds: app}}
  home:   {{url: "{home}", country: US, operator: Custodian, holds: app}}
subjects:
  person: {{register: app.person, key: person_id, residence: country}}
links:
  - {{from: app.event.person_id, to: person}}
"""

MANDATE = """
mandate: home
title: A made-up mandate for the benchmark
issuer: nobody
citation: none
status: voluntary
effective: 2026-01-01
protects: {residence: [US], categories: [user]}
clauses:
  - {id: rest, store: {country: [US]}, otherwise: move, purge: true}
"""


def run() -> Mapping[str, object]:
    """For each size: seconds of both ways, their ratio, and the peak memory of `domicile apply`."""
    bin_dir = debian_bin()
    if bin_dir is None:
        return {"left out": "Debian's PostgreSQL 15 is not installed: make deps"}
    figures: dict[str, object] = {}
    memory = []
    for rows in SIZES:
        found = _fresh(bin_dir, rows)
        memory.append(found["peak memory, MB"])
        figures |= {f"{rows:,} rows: {name}": value for name, value in found.items()}
    return {**figures, "memory, last size by first": memory[-1] / memory[0]}


def _fresh(bin_dir: Path, rows: int) -> dict[str, float]:
    """One size on two new servers."""
    directory = Path(tempfile.mkdtemp(prefix="domicile-bench-"))
    directory.chmod(0o755)
    servers = [TestServer(bin_dir, directory / name, fsync=True) for name in ("abroad", "home")]
    try:
        for server in servers:
            server.settings |= {"shared_buffers": "1GB", "max_wal_size": "8GB"}
            server.create()
            server.start()
        return _run(directory, rows, *servers)
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(directory, ignore_errors=True)


def _run(directory: Path, rows: int, abroad: TestServer, home: TestServer) -> dict[str, float]:
    abroad.create_database("filled")
    _psql(abroad, "filled", SCHEMA + FILL.format(rows=rows, people=max(1, rows // 100)))
    size = _psql(abroad, "filled", "SELECT pg_table_size('event') / count(*) FROM event").strip()
    plain = _plain(abroad, home)
    seconds, memory, purged = _domicile(directory, rows, abroad, home)
    return {
        "bytes a row": int(size),
        "psql COPY | psql COPY, s": plain[0],
        "DELETE, s": plain[1],
        "domicile apply without purge, s": seconds - purged,
        "ratio": (seconds - purged) / sum(plain),
        "purge, s": purged,
        "peak memory, MB": memory,
    }


def _plain(abroad: TestServer, home: TestServer) -> tuple[float, float]:
    source = abroad.create_database("plain", "filled")
    target = home.create_database("plain")
    _psql(home, "plain", SCHEMA)
    _settle(abroad, home)
    began = time.monotonic()
    for table in ("person", "event"):
        out = subprocess.Popen(
            [_bin("psql"), "-qX", source, "-c", f"COPY {table} TO STDOUT (FORMAT binary)"],
            stdout=subprocess.PIPE,
        )
        subprocess.run(
            [_bin("psql"), "-qX", target, "-c", f"COPY {table} FROM STDIN (FORMAT binary)"],
            stdin=out.stdout, check=True,
        )  # fmt: skip
        assert out.wait() == 0
    copied = time.monotonic()
    _psql(abroad, "plain", "DELETE FROM event; DELETE FROM person")
    done = time.monotonic()
    abroad.drop_database("plain")
    home.drop_database("plain")
    return copied - began, done - copied


def _domicile(
    directory: Path, rows: int, abroad: TestServer, home: TestServer
) -> tuple[float, float, float]:
    source = abroad.create_database("moved", "filled")
    target = home.create_database("moved")
    _psql(home, "moved", SCHEMA)
    place = directory / "estate"
    (place / "mandates").mkdir(parents=True)
    (place / "estate.yaml").write_text(ESTATE.format(abroad=source, home=target))
    (place / "mandates" / "home.yaml").write_text(MANDATE)
    _command(place, "plan", "-o", "plan.json")
    _settle(abroad, home)
    began = time.monotonic()
    said, memory = _command(place, "apply", "plan.json", "--yes", "--json")
    seconds = time.monotonic() - began
    purged = float(json.loads(said)["purge_seconds"])
    left = _psql(abroad, "moved", "SELECT count(*) FROM event").strip()
    there = _psql(home, "moved", "SELECT count(*) FROM event").strip()
    assert (left, there) == ("0", str(rows)), "the move is not whole"
    return seconds, memory, purged


def _command(place: Path, *arguments: str) -> tuple[str, float]:
    """What a command printed, and its peak memory in MB."""
    process = subprocess.Popen(
        [sys.executable, "-m", "domicile", *arguments], cwd=place, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{arguments[0]} failed: see above"
    return said, used.ru_maxrss / 1024


def _settle(*servers: TestServer) -> None:
    for server in servers:
        server.sql("postgres", "CHECKPOINT")


def _psql(server: TestServer, database: str, sql: str) -> str:
    done = subprocess.run(
        [_bin("psql"), "-qXAt", "-v", "ON_ERROR_STOP=1", server.url(database)],
        input=sql, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def _bin(name: str) -> str:
    found = debian_bin()
    assert found is not None
    return str(found / name)
