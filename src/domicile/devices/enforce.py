"""Runs the decision point, and keeps it true: what changed is known within two seconds.

every half second   a file of devices that another process wrote is read again;
                    sessions of newly refused devices are ended
every second        decisions are written into the log
every minute, and   a process of its own judges every device again (the clock, what owners
at each deadline    said), so that decisions are not kept waiting
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvicorn

from domicile.devices.ban import Ban, compile_ban
from domicile.devices.dovecot import Sessions
from domicile.devices.people import People
from domicile.devices.point import Point
from domicile.devices.record import DeviceRecord
from domicile.devices.settle import Judge, settle_now
from domicile.devices.table import Table
from domicile.devices.tally import Tally
from domicile.errors import DomicileError, UsageError
from domicile.estate.load import load_estate
from domicile.estate.model import Estate
from domicile.evidence import kinds, place
from domicile.law.load import load_mandates

LOOK = 0.5
WRITE = 1.0
JUDGE = 60.0


@dataclass
class Enforcer:
    """One estate's decision point with what keeps it true."""

    estate_file: Path
    key: str
    sessions: Sessions | None = None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    warn: Callable[[str], None] = lambda text: None
    point: Point = field(init=False)

    def __post_init__(self) -> None:
        """Raises DeclarationError, UsageError when there is nothing to enforce."""
        self.state = place.state_directory(self.estate_file)
        self.estate, self.ban = self._declared()
        if not any(rule.otherwise == "block" for rule in self.ban.rules):
            raise UsageError("no mandate of the estate asks to block a device")
        self.tally = Tally(self.state, self.estate.name)
        self.point = Point(
            self.ban, self.estate.devices, self.key, self.tally, self.clock, self.estate_file
        )
        self._record: DeviceRecord | None = None
        self._version = -1
        self._history = -1
        self._warned = ""

    def _declared(self) -> tuple[Estate, Ban]:
        estate = load_estate(self.estate_file)
        return estate, compile_ban(load_mandates(estate), estate)

    async def run(self, host: str, port: int, ready: Callable[[int], None]) -> None:
        """Serve until SIGTERM or SIGINT; `ready` is told the port."""
        sys.setswitchinterval(0.0005)  # a table that is being read does not delay decisions
        with contextlib.suppress(DomicileError):
            await self.look()
        server = uvicorn.Server(
            uvicorn.Config(
                self.point, host=host, port=port, log_level="error", access_log=False,
                lifespan="off", timeout_graceful_shutdown=2, server_header=False,
            )
        )  # fmt: skip
        tasks = [
            asyncio.create_task(self._every(LOOK, self.look)),
            asyncio.create_task(self._every(WRITE, self.write)),
            asyncio.create_task(self._judging()),
        ]
        serving = asyncio.create_task(server.serve())
        try:
            while not server.started and not serving.done():
                await asyncio.sleep(0.01)
            if server.started:
                ready(server.servers[0].sockets[0].getsockname()[1])
            await serving
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.tally.write()

    async def look(self) -> None:
        """Read the devices again if they changed, and end sessions of those newly refused."""
        if self._record is None:
            self._record = DeviceRecord(self.state)
        version = self._record.version()
        if version == self._version:
            return
        self.point.table = await asyncio.to_thread(self._table)
        self._version = version
        await self._end_sessions(self._record)

    def _table(self) -> Table:
        """A new table, read on a connection of this thread's own. Raises Stopped, UsageError."""
        record = DeviceRecord(self.state)
        try:
            judge = Judge.of(self.estate, self.ban, record)
            return Table(record, judge, People(self.estate.devices))
        finally:
            record.close()

    async def _end_sessions(self, record: DeviceRecord) -> None:
        (latest,) = record.connection.execute("SELECT max(rowid) FROM history").fetchone()
        first, self._history = self._history, latest or 0
        if first < 0 or self.sessions is None or self.point.table is None:
            return
        people, estate = self.point.table.people, self.estate.name
        entries = []
        rows = record.connection.execute(
            "SELECT DISTINCT h.fleet, h.id FROM history AS h JOIN standing AS s"
            " USING (fleet, id, mandate, clause)"
            " WHERE h.rowid > ? AND NOT h.allowed AND NOT s.allowed",
            (first,),
        ).fetchall()
        for fleet, id_ in rows:
            owners = [name for (name,) in record.connection.execute(
                "SELECT name FROM owner WHERE fleet = ? AND id = ?", (fleet, id_))]  # fmt: skip
            for owner in owners:
                ended = await self.sessions.end([people.of(owner).account])
                entries.append(
                    kinds.make(
                        "device_sessions", estate, fleet=fleet,
                        outcome="done" if ended else "failed",
                        device=place.open_commitments(self.state, use="device").person(
                            "device", f"{fleet}\n{id_}"
                        ),
                        person=place.open_commitments(self.state).person("owner", owner),
                    )
                )  # fmt: skip
        if entries:
            place.open_log(self.state, estate).append(entries)

    async def write(self) -> None:
        """Write counted decisions into the log."""
        await asyncio.to_thread(self.tally.write)

    async def _every(self, seconds: float, work: Callable[[], object]) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self._try(work)

    async def _try(self, work: Callable[[], object]) -> None:
        """Do it; what fails is said once and tried again."""
        try:
            done = work()
            if asyncio.iscoroutine(done):
                await done
            self._warned = ""
        except DomicileError as error:
            if self._warned != str(error):
                self._warned = str(error)
                self.warn(str(error))

    async def _judging(self) -> None:
        """Judge every device each minute and at each deadline, in a process of its own."""
        context = multiprocessing.get_context("spawn")
        loop = asyncio.get_running_loop()
        with ProcessPoolExecutor(1, mp_context=context, initializer=_quiet) as pool:
            while True:
                now = self.clock()

                async def judge(at: datetime = now) -> None:
                    await loop.run_in_executor(pool, _judge, self.estate_file, at)

                await self._try(judge)
                coming = [at for rule in self.ban.rules for span in (*rule.spans, (rule.deadline,))
                          for at in span if now < at < now + timedelta(seconds=JUDGE)]  # fmt: skip
                wait = (min(coming) - self.clock()).total_seconds() if coming else JUDGE
                await asyncio.sleep(max(wait, 0.0) + 0.01)


def _judge(estate_file: Path, now: datetime) -> int:
    return len(settle_now(estate_file, now))


def _quiet() -> None:
    """Control-C is for the process that serves."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
