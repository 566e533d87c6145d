"""How fast access is decided upon, and how soon a change reaches mail and web:
`python -m bench access`, from the root.

One decision point that knows 64,000 devices is asked over HTTP at a fixed rate. Then Debian's
Dovecot and nginx ask it, an inventory says that a device has the app, and from the end of that
`sync` on it is measured when its open IMAP session is gone, when its login is refused, and when its
web mail is; and when it is let in again after the app is gone.
"""

from __future__ import annotations

import asyncio
import imaplib
import json
import os
import random
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from bench.bars import QUICK, Bar
from domicile.demo.postgres import free_port
from domicile.devices.policy.render import render
from tests.devices.certificates import Authority
from tests.devices.daemons import Daemon, directory, dovecot, nginx
from tests.devices.enforcing import Running, enforcing

DEVICES = 6_400 if QUICK else 64_000
RATE, SECONDS = 1_000, 10
ROUNDS = 3  # of change; the slowest counts
BANNED = "com.zhiliaoapp.musically"
NOW = datetime(2023, 3, 16, tzinfo=UTC)

BARS = (
    Bar(5, "decisions over HTTP that one core can", "decisions/s that one core can", least=1_000,
        unit="/s"),
    Bar(5, f"decisions answered when {RATE:,}/s are asked for", "decisions/s answered", least=990,
        unit="/s"),
    Bar(5, f"p99 of a decision at {RATE:,}/s", "p99, ms", most=5, unit="ms"),
    Bar(5, "a changed verdict ends the open IMAP session", "session ended after, s", most=2,
        unit="s"),
    Bar(5, "a changed verdict reaches IMAP logins", "login refused after, s", most=2, unit="s"),
    Bar(5, "a changed verdict reaches web mail", "web mail refused after, s", most=2, unit="s"),
)  # fmt: skip

ESTATE = """\
estate: bench
fleets:
  all: {source: json, file: devices.json}
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
    install: {apps: [com.zhiliaoapp.musically], by: 2023-03-15}
    otherwise: block
"""


def run() -> dict[str, object]:
    """Decide, then change; the figures by name."""
    with (
        tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as name,
        ExitStack() as stack,
    ):
        folder = Path(name)
        (folder / "estate.yaml").write_text(ESTATE, encoding="utf-8")
        (folder / "ban.yaml").write_text(MANDATE, encoding="utf-8")
        _sync(folder, minutes=0, banned=False)
        with enforcing(folder / "estate.yaml", NOW) as point:
            figures = asyncio.run(_decisions(point))
        servers = _Servers(folder, stack)
        rounds = [servers.change(2 * n) for n in range(1, ROUNDS + 1)]
        figures["load while changing"] = os.getloadavg()[0]
        return figures | {key: max(each[key] for each in rounds) for key in rounds[0]}


def _sync(folder: Path, *, minutes: int, banned: bool) -> None:
    """Read all devices as they are then: the first has the app, or has not."""
    now = NOW + timedelta(minutes=minutes)
    with (folder / "devices.json").open("w", encoding="utf-8") as out:
        for n in range(DEVICES):
            has = n % 100 == 99 or (n == 0 and banned)
            out.write(json.dumps({
                "id": f"d{n}", "name": f"phone {n}", "owner": f"u{n // 2}", "platform": "ios",
                "ownership": "corporate", "scope": "all", "seen": now.isoformat(),
                "apps": ["com.example.notes", *([BANNED] if has else [])],
            }) + "\n")  # fmt: skip
    subprocess.run(
        [sys.executable, "-m", "domicile", "devices", "sync", "--estate",
         str(folder / "estate.yaml"), "--at", now.isoformat(), "--quiet"], check=True,
    )  # fmt: skip


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
    load = os.getloadavg()[0]
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
        "devices known": DEVICES,
        "decisions/s asked for": RATE,
        "decisions/s answered": len(taken) / wall,
        "p50, ms": _percentile(taken, 50) * 1000,
        "p99, ms": _percentile(taken, 99) * 1000,
        "processor time of a decision, ms": each * 1000,
        "decisions/s that one core can": 1 / each,
        "load while deciding": load,
    }


class _Servers:
    """Dovecot, nginx, and the decision point that they ask."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, estate = folder, folder / "estate.yaml"
        url = f"http://127.0.0.1:{free_port()}"
        mail, web = (stack.enter_context(directory(f"dom-{n}-")) for n in ("bm", "bw"))
        authority = Authority(web)
        authority.issue("server")
        self.context = ssl.create_default_context(cafile=str(web / "ca.pem"))
        self.context.load_cert_chain(*authority.issue("d0"))
        users = {"u0+d0": ("pw", "u0", "d0")}
        self.mail: Daemon = dovecot(mail, render(estate, "dovecot", url), users)
        stack.callback(self.mail.stop)
        self.web: Daemon = nginx(web, render(estate, "nginx", url))
        stack.callback(self.web.stop)
        stack.enter_context(enforcing(
            estate, NOW, "--listen", url.removeprefix("http://"), "--doveadm",
            f"http://127.0.0.1:{self.mail.ports['http']}", "--doveadm-secret", "DOVEADM",
            environment={"DOVEADM": "kicks"},
        ))  # fmt: skip

    def change(self, minutes: int) -> dict[str, float]:
        """The app comes, and goes: seconds from the end of each `sync` until it is felt."""
        session = self._login()
        assert session is not None
        assert self._page()
        _sync(self.folder, minutes=minutes, banned=True)
        start = time.perf_counter()
        found = _when(start, {
            "session ended after, s": lambda: not _is_open(session),
            "login refused after, s": lambda: self._login() is None,
            "web mail refused after, s": lambda: not self._page(),
        })  # fmt: skip
        _sync(self.folder, minutes=minutes + 1, banned=False)
        start = time.perf_counter()
        return found | _when(start, {
            "login works again after, s": lambda: self._login() is not None,
            "web mail works again after, s": self._page,
        })  # fmt: skip

    def _login(self) -> imaplib.IMAP4 | None:
        client = imaplib.IMAP4("127.0.0.1", self.mail.ports["imap"], timeout=30)
        try:
            client.login("u0+d0", "pw")
        except imaplib.IMAP4.error:
            client.shutdown()
            return None
        return client

    def _page(self) -> bool:
        with httpx.Client(verify=self.context, timeout=30) as client:
            return client.get(f"https://127.0.0.1:{self.web.ports['https']}/").status_code == 200


def _is_open(session: imaplib.IMAP4) -> bool:
    try:
        return bool(session.noop()[0] == "OK")
    except (imaplib.IMAP4.abort, OSError):
        return False


def _when(start: float, signs: dict[str, Callable[[], bool]]) -> dict[str, float]:
    """Seconds after `start` at which each was first seen; they are looked at in turn."""
    found: dict[str, float] = {}
    while len(found) < len(signs):
        for key, seen in signs.items():
            if key not in found and seen():
                found[key] = time.perf_counter() - start
        assert time.perf_counter() - start < 60, "the change does not arrive"
        time.sleep(0.01)
    return found


def _percentile(values: Sequence[float], percent: int) -> float:
    return sorted(values)[len(values) * percent // 100]


def _cpu(pid: int) -> float:
    """Processor time of a process so far, in seconds (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
