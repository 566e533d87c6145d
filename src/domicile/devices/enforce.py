"""Runs the decision point, and keeps it true: what changed is known within two seconds.

every half second   a file of devices that another process wrote is read again;
                    sessions of newly refused devices are ended, and again those that were not;
                    a file that could not be read for half a minute closes the point
every second        decisions are written into the log
every minute, and   a process of its own judges every device again (the clock, what owners
at each deadline    said), so that decisions are not kept waiting
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sqlite3
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from domicile.devices import listen, postfix
from domicile.devices.ban import Ban, compile_ban
from domicile.devices.dovecot import Sessions
from domicile.devices.people import People
from domicile.devices.point import Point
from domicile.devices.record import DeviceRecord, Place
from domicile.devices.settle import Judge, settle_now
from domicile.devices.signals.keys import key_set, signing_key
from domicile.devices.signals.metadata import published
from domicile.devices.signals.sending import Sender
from domicile.devices.signals.taking import Taker
from domicile.devices.table import Decision, Table
from domicile.devices.tally import Tally
from domicile.errors import DomicileError, Stopped, UsageError
from domicile.estate.load import load_estate
from domicile.estate.model import Estate
from domicile.evidence import kinds, place
from domicile.law.load import load_mandates
from domicile.workers import workers

LOOK = 0.5
WRITE = 1.0
JUDGE = 60.0
BLIND = 30.0
"""Seconds without a successful look after which nothing can be decided."""


@dataclass
class Enforcer:
    """One estate's decision point with what keeps it true."""

    estate_file: Path
    key: str
    sessions: Sessions | None = None
    postfix: str = ""  # where Postfix asks: HOST:PORT, or the path of a socket
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    warn: Callable[[str], None] = lambda text: None
    point: Point = field(init=False)

    def __post_init__(self) -> None:
        """Raises DeclarationError, UsageError when there is nothing to enforce."""
        self.state = place.state_directory(self.estate_file)
        self.estate, self.ban = self._declared()
        hears = any(fleet.source == "nanomdm" for fleet in self.estate.fleets)
        if not hears and not any(rule.otherwise == "block" for rule in self.ban.rules):
            raise UsageError("no mandate of the estate asks to block a device")
        self.tally = Tally(self.state, self.estate.name)
        self.point = Point(
            self.ban, self.estate.devices, self.key, self.tally, self.clock, self.estate_file
        )
        self.point.evidence = self._entry
        self._sender, self._taker = self._signals()
        self._record: DeviceRecord | None = None
        self._version = -1
        self._history = -1
        self._looked = time.monotonic()
        self._waiting: set[Place] = set()  # refused, and their sessions not ended yet
        self._failed: set[Place] = set()  # of these, those whose failure is in the log
        self._told: list[
            tuple[Place, str, bool]
        ] = []  # whose sessions ended or not, not logged yet
        self._warned: dict[str, str] = {}
        self._changed = asyncio.Event()  # another process wrote: judge again

    def _signals(self) -> tuple[Sender | None, Taker | None]:
        """Who sends events, and who takes them; what is published about both."""
        settings = self.estate.devices.signals
        if settings is None:
            return None, None
        issuer = self.estate.devices.point
        key, algorithm = signing_key(settings, self.state)
        self.point.open |= published(issuer, key_set(key, algorithm))
        taker = Taker(self.state, self.estate.name, issuer, settings.sources, self.clock)
        self.point.open["/events"] = taker.answer
        sender = Sender(
            self.state, self.estate.name, issuer, settings.targets, key, algorithm, self._warn_once
        )
        return sender, taker

    def _declared(self) -> tuple[Estate, Ban]:
        estate = load_estate(self.estate_file)
        return estate, compile_ban(load_mandates(estate), estate)

    async def run(self, host: str, port: int, ready: Callable[[int, str], None]) -> None:
        """Serve until SIGTERM or SIGINT; `ready` is told the port, and where Postfix asks.

        Raises UsageError when it cannot listen there.
        """
        sys.setswitchinterval(0.0005)  # a table that is being read does not delay decisions
        await self._try("look", self.look)
        server = listen.server(self.point, host, port)
        tasks = [
            asyncio.create_task(self._every(LOOK, self.look)),
            asyncio.create_task(self._every(LOOK, self.close_when_blind)),
            asyncio.create_task(self._every(LOOK, self.end_sessions)),
            asyncio.create_task(self._every(WRITE, self.write)),
            asyncio.create_task(self._judging()),
        ]
        if self._sender is not None:
            tasks.append(asyncio.create_task(self._every(LOOK, self.send_events)))
        mail = await self._listen_to_postfix()
        serving = asyncio.create_task(server.serve())
        try:
            while not server.started and not serving.done():
                await asyncio.sleep(0.01)
            if server.started:
                taken = server.servers[0].sockets[0].getsockname()[1]
                self.point.url = self.point.url or f"http://{host}:{taken}"
                ready(taken, mail)
            await asyncio.wait((serving, *tasks), return_when=asyncio.FIRST_COMPLETED)
            died = [task for task in tasks if task.done()]
            server.should_exit = True
            await serving
            if died:
                raise Stopped("the decision point no longer sees what changes; start it again")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._sender is not None:
                self._sender.close()
            if self._taker is not None:
                await self._try("write", partial(self._taker.write, last=True))
            self.tally.write()

    async def _listen_to_postfix(self) -> str:
        """Where it listens; empty when it is not to."""
        if not self.postfix:
            return ""
        try:
            server = await postfix.serve(
                self.postfix, self.key, lambda request: self.point.answer(request, "postfix")
            )
        except OSError as error:
            raise UsageError(f"cannot listen at {self.postfix}: {error.strerror}") from None
        name = server.sockets[0].getsockname()
        return name if isinstance(name, str) else f"{name[0]}:{name[1]}"

    def _entry(self, decision: Decision) -> int | None:
        """The entry of the log with the last recorded standing that was decided by."""
        if decision.device is None or decision.key is None or self._record is None:
            return None
        try:
            row = self._record.connection.execute(
                "SELECT entry FROM standing"
                " WHERE fleet = ? AND id = ? AND mandate = ? AND clause = ?",
                (decision.device.fleet, decision.device.id, decision.key.mandate,
                 decision.key.clause),
            ).fetchone()  # fmt: skip
        except sqlite3.Error:  # the decision stands without it
            return None
        return int(row[0]) if row else None

    async def look(self) -> None:
        """Read the devices again if they changed. Raises what reading them raises."""
        if self._record is None:
            self._record = DeviceRecord(self.state)
        version = self._record.version()
        if version != self._version:
            self.point.table = await asyncio.to_thread(self._table)
            self._version = version
            self._changed.set()
        self._looked = time.monotonic()

    def close_when_blind(self) -> None:
        """Decide nothing any more after `BLIND` seconds in which no look succeeded."""
        if time.monotonic() - self._looked > BLIND:
            self.point.table = None
            self._version = -1
            self._record = None  # the file may be another by now

    def _table(self) -> Table:
        """A new table, read on a connection of this thread's own. Raises Stopped, UsageError."""
        record = DeviceRecord(self.state)
        try:
            judge = Judge.of(self.estate, self.ban, record)
            return Table(record, judge, People(self.estate.devices))
        finally:
            record.close()

    async def end_sessions(self) -> None:
        """End the sessions of newly refused devices, at the start of all; again what failed."""
        record, table = self._record, self.point.table
        if self.sessions is None or record is None or table is None:
            return
        # Up to what the table knows: who is cut off must be refused when they come back at once.
        latest: int = table.history
        if latest == self._history and not self._waiting and not self._told:
            return
        refused = set(record.connection.execute(
            "SELECT fleet, id FROM standing WHERE NOT allowed"))  # fmt: skip
        if self._history < 0:  # sessions may have been opened while nothing was enforced
            new = refused
        else:
            new = set(record.connection.execute(
                "SELECT fleet, id FROM history WHERE rowid > ? AND rowid <= ? AND NOT allowed",
                (self._history, latest)))  # fmt: skip
        self._waiting = (self._waiting | new) & refused
        self._failed &= self._waiting
        self._history = latest
        owners = {where: table.owners(where) for where in sorted(self._waiting)}
        account = {
            name: table.people.of(name).account for names in owners.values() for name in names
        }
        ended = await self.sessions.end(sorted(set(account.values())))
        told: list[
            tuple[Place, str, bool]
        ] = []  # a failure is told once, however often it is tried
        for where, names in owners.items():
            again = where in self._failed  # a failure is logged once, however often it is tried
            if all(account[name] in ended for name in names):
                self._waiting.discard(where)
            else:
                self._failed.add(where)
            self._told += [(where, name, account[name] in ended) for name in names
                           if account[name] in ended or not again]  # fmt: skip
        if told := list(self._told):
            await asyncio.to_thread(self._log_sessions, told)
            del self._told[: len(told)]

    def _log_sessions(self, told: list[tuple[Place, str, bool]]) -> None:
        of_devices = place.open_commitments(self.state, use="device")
        of_people = place.open_commitments(self.state)
        place.open_log(self.state, self.estate.name).append([
            kinds.make(
                "device_sessions", self.estate.name, fleet=where[0],
                outcome="done" if done else "failed",
                device=of_devices.person("device", "\n".join(where)),
                person=of_people.person("owner", name),
            )
            for where, name, done in told
        ])  # fmt: skip

    async def send_events(self) -> None:
        """Tell others of devices whose access changed."""
        if self._sender is not None and self._record is not None:
            await self._sender.turn(self._record, self.clock())

    async def write(self) -> None:
        """Write counted decisions into the log, and how many events were refused."""
        await asyncio.to_thread(self.tally.write)
        if self._taker is not None:
            self._taker.refresh()
            await asyncio.to_thread(self._taker.write)

    async def _every(self, seconds: float, work: Callable[[], object]) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self._try(work.__name__, work)

    async def _try(self, name: str, work: Callable[[], object]) -> bool:
        """Do it, and whether it was done; what fails is said once and tried again."""
        try:
            done = work()
            if asyncio.iscoroutine(done):
                await done
        except Exception as error:  # noqa: BLE001 - the boundary of a task: it must not end unseen
            # Of what is not ours only the kind is said: its message may hold personal data.
            said = str(error) if isinstance(error, DomicileError) else (
                f"{name.strip('_')}: {type(error).__name__}; it is tried again"
            )  # fmt: skip
            self._warn_once(said, name)
            return False
        self._warned.pop(name, None)
        return True

    def _warn_once(self, said: str, name: str = "events") -> None:
        if self._warned.get(name) != said:
            self._warned[name] = said
            self.warn(said)

    async def _judging(self) -> None:
        """Judge every device each minute, at each deadline and after each change, in a process of
        its own."""
        loop = asyncio.get_running_loop()
        while True:  # a pool whose process died does nothing more: a new one after a failure
            pool = workers(1)
            try:
                done = True
                while done:
                    now = self.clock()
                    self._changed.clear()

                    async def judge(at: datetime = now, pool: ProcessPoolExecutor = pool) -> None:
                        await loop.run_in_executor(pool, _judge, self.estate_file, at)

                    done = await self._try("judge", judge)
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._changed.wait(), self._until_next(now))
            finally:
                # What it was at is done again at the next start: nobody waits for it to end.
                pool.shutdown(wait=False, cancel_futures=True)
                for child in multiprocessing.active_children():
                    child.kill()

    def _until_next(self, now: datetime) -> float:
        """Seconds until devices are judged again, after they were at `now`."""
        coming = [at for rule in self.ban.rules for span in (*rule.spans, (rule.deadline,))
                  for at in span if now < at < now + timedelta(seconds=JUDGE)]  # fmt: skip
        wait = (min(coming) - self.clock()).total_seconds() if coming else JUDGE
        return max(wait, 0.0) + 0.01


def _judge(estate_file: Path, now: datetime) -> int:
    return len(settle_now(estate_file, now))
