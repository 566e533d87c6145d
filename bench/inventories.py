"""How fast the sources that cannot be filtered, and those that answer later, are read.

64,000 devices from a server that pages as the Android Management API does, each with 118 apps; and
64,000 iPhones behind one that asks and answers as NanoMDM does: asked, heard, and collected. Each
by the command itself: the figures are its own processor time and memory, and for what the decision
point hears the time of a process that does nothing else.
"""

from __future__ import annotations

import json
import os
import plistlib
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bench.bars import QUICK, Bar
from domicile.devices.hook import Hook
from domicile.devices.inventory.answers import Answers, looked_for
from domicile.evidence import place
from tests.devices.android_server import ENTERPRISE
from tests.devices.graph_server import Answer, GraphServer, served
from tests.devices.nanomdm_server import KEY, SECRET, NanomdmServer, Phone, signed

DEVICES = 6_400 if QUICK else 64_000
HEARD = DEVICES // 20
APPS = 118  # on each Android device
BANNED = "com.zhiliaoapp.musically"
NOW = datetime(2023, 3, 16, tzinfo=UTC)

BARS = (
    Bar(5, f"{DEVICES:,} devices by Android, processor time", "android: processor time, s",
        most=30, unit="s"),
    Bar(5, "memory for the devices by Android", "android: peak memory, MB", most=500, unit="MB"),
    Bar(5, f"{DEVICES:,} devices by NanoMDM, asked, processor time",
        "nanomdm, asking: processor time, s", most=30, unit="s"),
    Bar(5, f"{DEVICES:,} answers collected, processor time",
        "nanomdm, collecting: processor time, s", most=30, unit="s"),
    Bar(5, "memory for the answers collected",
        "nanomdm, collecting: peak memory, MB", most=500, unit="MB"),
)  # fmt: skip

ESTATE = """\
estate: bench
fleets:
  android: {source: android, tenant: %s, url: "%s", secret: BENCH_TOKEN}
  nanomdm: {source: nanomdm, url: "%s", secret: BENCH_NANO, webhook_secret: BENCH_HOOK}
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
    """Read Android; ask, hear and collect from Apple devices; the figures by name."""
    figures: dict[str, object] = {}
    os.environ |= {"BENCH_TOKEN": "token-1", "BENCH_NANO": KEY, "BENCH_HOOK": SECRET}
    phones = [Phone(f"UDID-{n:08d}", [BANNED] if n % 100 == 0 else []) for n in range(DEVICES)]
    apple = NanomdmServer(*phones)
    apple.page, apple.now = 500, NOW.isoformat()
    with (
        tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as name,
        served(Enterprise()) as android,
        served(apple),
    ):
        folder = Path(name)
        estate = folder / "estate.yaml"
        estate.write_text(ESTATE % (ENTERPRISE, android.url, apple.url), encoding="utf-8")
        (folder / "ban.yaml").write_text(MANDATE, encoding="utf-8")
        figures |= _sync(folder, "android", "android", NOW, DEVICES // 100)
        figures["android: inventory, MB"] = Enterprise.sent / 1e6
        figures |= _sync(folder, "nanomdm", "nanomdm, asking", NOW, 0)
        figures |= _hear(estate, apple)
        later = NOW + timedelta(hours=1)
        figures |= _sync(folder, "nanomdm", "nanomdm, collecting", later, DEVICES // 100)
    return figures


class Enterprise(GraphServer):
    """Pages made once and given as fast as they can be: what is measured is who reads them."""

    sent = 0

    def __init__(self) -> None:
        super().__init__()
        rng = random.Random(1)
        apps = [
            json.dumps({"packageName": f"com.vendor{n}.product{n}",
                        "displayName": f"Product number {n}", "state": "INSTALLED"})
            for n in range(2_000)
        ]  # fmt: skip
        self._lists = [", ".join(rng.sample(apps, APPS)) for _ in range(50)]
        self._banned = ", " + json.dumps({"packageName": BANNED, "state": "INSTALLED"})

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> Answer:
        query = parse_qs(urlsplit(path).query)
        start, size = int(query.get("pageToken", ["0"])[0]), int(query["pageSize"][0])
        devices = ",".join(self._device(n) for n in range(start, min(start + size, DEVICES)))
        token = f', "nextPageToken": "{start + size}"' if start + size < DEVICES else ""
        page = f'{{"devices": [{devices}]{token}}}'.encode()
        Enterprise.sent += len(page)
        return 200, {}, page

    def _device(self, n: int) -> str:
        return (
            f'{{"name": "enterprises/e/devices/d{n}", "ownership": "COMPANY_OWNED",'
            ' "managementMode": "DEVICE_OWNER", "policyCompliant": true,'
            f' "lastStatusReportTime": "2023-03-15T08:00:00Z", "userName": "e/users/{n}",'
            f' "enrollmentTokenData": "u{n}@example.org", "hardwareInfo": {{"serialNumber": "s{n}",'
            f' "model": "Pixel"}}, "applicationReports":'
            f" [{self._lists[n % 50]}{self._banned if n % 100 == 0 else ''}]}}"
        )


def _hear(estate: Path, server: NanomdmServer) -> dict[str, object]:
    """Devices answer: how long a process that only hears them needs for each of the first. The
    other answers are put into the file, which is all that hearing them does."""
    hook = Hook(estate, lambda: NOW + timedelta(minutes=30))
    phones = list(server.phones.values())
    deliveries = []
    for phone in phones[:HEARD]:
        for body in phone.queue:
            command = plistlib.loads(body)
            event = server.event(phone, command["CommandUUID"], phone.respond(command))
            deliveries.append(signed(event))
    start, used = time.perf_counter(), time.process_time()
    taken = [hook._receive("nanomdm", body, mark.encode()) for body, mark in deliveries]
    cpu, wall = time.process_time() - used, time.perf_counter() - start
    assert taken == [200] * HEARD
    answers = Answers(place.state_directory(estate))
    with answers.transaction():
        looked = looked_for([BANNED])
        answers.connection.executemany(
            "INSERT INTO answer VALUES ('nanomdm', ?, ?, ?, 1, ?)",
            ((phone.id, looked, NOW.timestamp(), json.dumps(phone.apps))
             for phone in phones[HEARD:]),
        )  # fmt: skip
    answers.close()
    return {
        "nanomdm, hearing: processor time of an answer, ms": cpu / HEARD * 1000,
        "nanomdm, hearing: wall time of an answer, ms": wall / HEARD * 1000,
    }


def _sync(folder: Path, fleet: str, label: str, now: datetime, present: int) -> dict[str, object]:
    """Processor time, wall time, and peak memory of the command."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "domicile", "devices", "sync", fleet, "--estate",
         str(folder / "estate.yaml"), "--at", now.isoformat(), "--json"],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    document = json.load(process.stdout)["fleets"][0]
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert (document["devices"], document["present"]) == (DEVICES, present)
    return {
        f"{label}: processor time, s": used.ru_utime + used.ru_stime,
        f"{label}: wall time, s": time.perf_counter() - start,
        f"{label}: peak memory, MB": used.ru_maxrss / 1024,
    }
