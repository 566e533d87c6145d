"""How fast devices are read and decided upon: `python -m bench devices`, from the root.

64,000 devices from a gigabyte of JSON, and from a server that pages as Microsoft Graph does, each
by the command itself: the figures are its own processor time and memory. Then decisions over HTTP
at a fixed rate, and how soon a changed verdict is known there.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from bench.bars import QUICK, Bar
from tests.devices.enforcing import Running, enforcing
from tests.devices.graph_server import GraphServer, served

DEVICES = 6_400 if QUICK else 64_000
APPS = 118  # on each device; about 17 KB of JSON
RATE, SECONDS = 1_000, 10

BARS = (
    Bar(5, f"{DEVICES:,} devices from JSON, processor time", "json: processor time, s", most=30,
        unit="s"),
    Bar(5, "memory for it", "json: peak memory, MB", most=500, unit="MB"),
    Bar(5, f"{DEVICES:,} devices by Graph, processor time", "graph: processor time, s", most=30,
        unit="s"),
    Bar(5, "decisions over HTTP that one core can", "decisions/s that one core can", least=1_000,
        unit="/s"),
    Bar(5, f"p99 of a decision at {RATE:,}/s", "p99, ms", most=5, unit="ms"),
    Bar(5, "a changed verdict reaches the decision point", "a change is known after, s", most=2,
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
    """Read, decide, change; the figures by name."""
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
        with enforcing(folder / "estate.yaml", NOW) as point:
            figures |= asyncio.run(_decisions(point))
            figures["a change is known after, s"] = _change(folder, graph, point)
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


async def _decisions(point: Running) -> dict[str, object]:
    """What the decision point can do, and how long one takes at a steady rate."""
    place = urlsplit(point.url)
    key = point.client.headers["X-API-Key"]
    rng = random.Random(2)

    def request() -> bytes:
        body = json.dumps({"device": f"d{rng.randrange(DEVICES)}", "protocol": "imap"}).encode()
        return (
            f"POST /dovecot?command=allow HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    connections = [await asyncio.open_connection(place.hostname, place.port) for _ in range(16)]
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for connection in connections:
        free.put_nowait(connection)
    taken: list[float] = []

    async def ask(due: float) -> None:
        reader, writer = await free.get()
        writer.write(request())
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        await reader.readexactly(length)
        free.put_nowait((reader, writer))
        taken.append(time.perf_counter() - due)

    for _ in range(500):
        await ask(time.perf_counter())
    taken.clear()
    used, start = _cpu(point.process.pid), time.perf_counter()
    waiting = []
    for n in range(RATE * SECONDS):
        due = start + n / RATE
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        waiting.append(asyncio.create_task(ask(due)))
    await asyncio.gather(*waiting)
    wall = time.perf_counter() - start
    each = (_cpu(point.process.pid) - used) / len(taken)
    for _, writer in connections:
        writer.close()
    return {
        "decisions/s asked for": RATE,
        "decisions/s answered": len(taken) / wall,
        "p50, ms": _percentile(taken, 50) * 1000,
        "p99, ms": _percentile(taken, 99) * 1000,
        "processor time of a decision, ms": each * 1000,
        "decisions/s that one core can": 1 / each,
    }


def _change(folder: Path, graph: GraphServer, point: Running) -> float:
    """Seconds from the end of a `sync` that clears a device until it is let in."""
    assert point.dovecot("g0")["status"] == -1
    graph.on["tt"].remove("g0")
    _sync_again(folder)
    start = time.perf_counter()
    while point.dovecot("g0")["status"] != 0:
        assert time.perf_counter() - start < 60, "the change does not arrive"
        time.sleep(0.01)
    return time.perf_counter() - start


def _sync_again(folder: Path) -> None:
    later = (NOW + timedelta(minutes=1)).isoformat()
    subprocess.run(
        [sys.executable, "-m", "domicile", "devices", "sync", "graph", "--estate",
         str(folder / "estate.yaml"), "--at", later, "--quiet"], check=True,
        env={**os.environ, "BENCH_TOKEN": "token-1"},
    )  # fmt: skip


def _percentile(values: Sequence[float], percent: int) -> float:
    return sorted(values)[len(values) * percent // 100]


def _cpu(pid: int) -> float:
    """Processor time of a process so far, in seconds (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
