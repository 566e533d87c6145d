"""How fast devices are read and judged: `python -m bench devices`, from the root.

64,000 devices from a gigabyte of JSON, and from a server that pages as Microsoft Graph does, each
by the command itself: the figures are its own processor time and memory.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.bars import QUICK, Bar
from tests.devices.graph_server import GraphServer, served

DEVICES = 6_400 if QUICK else 64_000
APPS = 118  # on each device; about 17 KB of JSON

BARS = (
    Bar(5, f"{DEVICES:,} devices from JSON, processor time", "json: processor time, s", most=30,
        unit="s"),
    Bar(5, "memory for that inventory of JSON", "json: peak memory, MB", most=500, unit="MB"),
    Bar(5, f"{DEVICES:,} devices by Graph, processor time", "graph: processor time, s", most=30,
        unit="s"),
)  # fmt: skip
BANNED = "com.zhiliaoapp.musically"
NOW = datetime(2023, 3, 16, tzinfo=UTC)
SEEN = "2023-03-15T08:00:00Z"

ESTATE = """\
estate: bench
fleets:
  json: {source: json, file: devices.json}
  graph: {source: graph, url: "%s/v1.0", secret: BENCH_TOKEN}
mandates: [ban.yaml]
"""
MANDATE = """\
mandate: ban
title: The app leaves our devices
status: in_force
effective: 2023-02-23
protects: {}
clauses:
  - id: remove
    install: {apps: [com.zhiliaoapp.musically], titles: [TikTok], by: 2023-03-15}
    otherwise: block
"""


def run() -> dict[str, object]:
    """Read both fleets; the figures by name."""
    figures: dict[str, object] = {}
    with (
        tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as name,
        served(_tenant()) as graph,
    ):
        folder = Path(name)
        (folder / "estate.yaml").write_text(ESTATE % graph.url, encoding="utf-8")
        (folder / "ban.yaml").write_text(MANDATE, encoding="utf-8")
        figures["inventory in JSON, MB"] = _write(folder / "devices.json") / 1e6
        for fleet in ("json", "graph"):
            cpu, wall, memory = _sync(folder, fleet)
            figures[f"{fleet}: processor time, s"] = cpu
            figures[f"{fleet}: wall time, s"] = wall
            figures[f"{fleet}: peak memory, MB"] = memory
    return figures


def _tenant() -> GraphServer:
    server = GraphServer()
    server.page = 1000  # what Graph gives at once
    server.devices = [
        {"id": f"g{n}", "deviceName": f"laptop {n}", "userPrincipalName": f"u{n}@example.org",
         "managedDeviceOwnerType": "company", "operatingSystem": "iOS",
         "complianceState": "compliant", "lastSyncDateTime": SEEN,
         "deviceEnrollmentType": "appleBulkWithUser"}
        for n in range(DEVICES)
    ]  # fmt: skip
    server.apps = [{"id": f"a{n}", "displayName": f"Product {n}", "platform": "ios"}
                   for n in range(20_000)]  # fmt: skip
    server.apps.append({"id": "tt", "displayName": "TikTok", "platform": "ios"})
    server.on = {"tt": [f"g{n}" for n in range(0, DEVICES, 100)]}
    return server


def _write(file: Path) -> int:
    """An inventory in which every hundredth device has the app; its size in bytes."""
    rng = random.Random(1)
    apps = [
        json.dumps({"id": f"com.vendor{n}.product{n}", "title": f"Product number {n}",
                    "version": f"{n % 10}.{n % 7}.3", "size": n * 1000,
                    "publisher": f"Vendor {n} International Ltd"})
        for n in range(2000)
    ]  # fmt: skip
    lists = [", ".join(rng.sample(apps, APPS)) for _ in range(50)]
    banned = json.dumps({"id": BANNED, "title": "TikTok"})
    with file.open("w", encoding="utf-8") as out:
        out.write("[")
        for n in range(DEVICES):
            more = f", {banned}" if n % 100 == 0 else ""
            out.write(
                f'{"," if n else ""}\n{{"id": "d{n}", "name": "phone {n}", "owner":'
                f' "u{n // 2}@example.org", "ownership": "corporate", "platform": "android",'
                f' "scope": "all", "seen": "{SEEN}", "apps": [{lists[n % 50]}{more}]}}'
            )
        out.write("\n]\n")
    return file.stat().st_size


def _sync(folder: Path, fleet: str) -> tuple[float, float, float]:
    """Processor time, wall time, and peak memory of the command."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "domicile", "devices", "sync", fleet, "--estate",
         str(folder / "estate.yaml"), "--at", NOW.isoformat(), "--json"],
        stdout=subprocess.PIPE, env={**os.environ, "BENCH_TOKEN": "token-1"},
    )  # fmt: skip
    assert process.stdout is not None
    document = json.load(process.stdout)["fleets"][0]
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    assert (document["devices"], document["present"]) == (DEVICES, DEVICES // 100)
    return used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024
