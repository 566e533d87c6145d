"""What Domicile keeps of devices between runs: one SQLite file beside the estate, mode 0600.

It holds ids and owners of devices and, of their apps, only those that a mandate forbids. What an
inventory says is first staged, page by page, and takes effect as a whole when the last page is
there: a run that was stopped goes on where it was, and half an inventory is never taken for one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from domicile.devices.model import Attestation, ClauseKey, Device, Standing
from domicile.durable.database import Database

FILE = "devices.sqlite"

_TABLES = """
CREATE TABLE IF NOT EXISTS device (
  fleet TEXT NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL, gone REAL,
  PRIMARY KEY (fleet, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alias (
  name TEXT NOT NULL, fleet TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (name, fleet, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS owner (
  name TEXT NOT NULL, fleet TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (name, fleet, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS standing (
  fleet TEXT NOT NULL, id TEXT NOT NULL, mandate TEXT NOT NULL, clause TEXT NOT NULL,
  verdict TEXT, allowed INTEGER NOT NULL, reason TEXT NOT NULL, how TEXT NOT NULL,
  app TEXT NOT NULL, since REAL NOT NULL, entry INTEGER NOT NULL,
  PRIMARY KEY (fleet, id, mandate, clause)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS history (
  at REAL NOT NULL, fleet TEXT NOT NULL, id TEXT NOT NULL, mandate TEXT NOT NULL,
  clause TEXT NOT NULL, verdict TEXT, allowed INTEGER NOT NULL, reason TEXT NOT NULL,
  entry INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS history_of ON history (fleet, id);
CREATE TABLE IF NOT EXISTS attestation (
  fleet TEXT NOT NULL, id TEXT NOT NULL, mandate TEXT NOT NULL, clause TEXT NOT NULL,
  at REAL NOT NULL, until REAL NOT NULL, PRIMARY KEY (fleet, id, mandate, clause)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS given_up (
  fleet TEXT NOT NULL, id TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (fleet, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS look (
  fleet TEXT NOT NULL, id TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (fleet, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notice (
  fleet TEXT NOT NULL, id TEXT NOT NULL, mandate TEXT NOT NULL, clause TEXT NOT NULL,
  owner TEXT NOT NULL, number INTEGER NOT NULL, stage TEXT NOT NULL, reason TEXT NOT NULL,
  at REAL NOT NULL, mail TEXT NOT NULL, webhook TEXT NOT NULL,
  PRIMARY KEY (fleet, id, mandate, clause, owner, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reported (
  issuer TEXT NOT NULL, device TEXT NOT NULL, status TEXT NOT NULL, at REAL NOT NULL,
  PRIMARY KEY (issuer, device)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS taken (
  issuer TEXT NOT NULL, jti TEXT NOT NULL, until REAL NOT NULL, PRIMARY KEY (issuer, jti)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS visit (token BLOB PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL)
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sync (
  fleet TEXT PRIMARY KEY, run TEXT NOT NULL, ban TEXT NOT NULL, cursor TEXT NOT NULL,
  at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS staged (
  fleet TEXT NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (fleet, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS staged_hit (
  fleet TEXT NOT NULL, id TEXT NOT NULL, mandate TEXT NOT NULL, clause TEXT NOT NULL,
  app TEXT NOT NULL, PRIMARY KEY (fleet, id, mandate, clause)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

STAGED_SECONDS = 3600.0
"""How old a cursor may be to go on from. Graph's are opaque and end without notice; then the run
begins anew."""

Place = tuple[str, str]
"""A fleet and the id of a device in it."""


class _Body(msgspec.Struct, array_like=True):
    """A device as it is stored."""

    name: str
    aliases: tuple[str, ...]
    owners: tuple[str, ...]
    ownership: str
    platform: str
    group: str
    compliance: str
    scope: str
    seen: float | None
    hits: list[tuple[str, str, str]]


@dataclass(frozen=True)
class Started:
    """A run of `sync` over one fleet: new, or to be gone on with from `cursor`."""

    run: str
    cursor: str


@dataclass(frozen=True)
class Recorded:
    """The last standing that was recorded of a device under a clause, and its entry in the log."""

    verdict: str | None
    allowed: bool
    reason: str
    how: str
    app: str
    since: datetime
    entry: int


class DeviceRecord(Database):
    """The file of devices of one estate. Every write is durable when its transaction ends.

    A failed write raises Stopped: nothing that was noted before is lost by it.
    """

    def __init__(self, state: Path) -> None:
        """Open the file in the state directory, or make it. Raises Stopped."""
        super().__init__(state / FILE, _TABLES)

    # Reading an inventory.

    def start(self, fleet: str, ban: str, now: datetime) -> Started:
        """Begin a run over a fleet, or go on with one that was stopped under the same ban."""
        row = self.connection.execute(
            "SELECT run, cursor FROM sync WHERE fleet = ? AND ban = ? AND at > ? AND at <= ?",
            (fleet, ban, now.timestamp() - STAGED_SECONDS, now.timestamp()),
        ).fetchone()
        if row and row[1]:
            return Started(*row)
        return self.restart(fleet, ban, now)

    def restart(self, fleet: str, ban: str, now: datetime) -> Started:
        """Begin a run over a fleet from its first page."""
        run = os.urandom(8).hex()
        with self.transaction():
            self._unstage(fleet)
            self.connection.execute(
                "INSERT OR REPLACE INTO sync VALUES (?, ?, ?, '', ?)",
                (fleet, run, ban, now.timestamp()),
            )
        return Started(run, "")

    def stage(
        self,
        fleet: str,
        devices: Iterable[Device],
        hits: Iterable[tuple[str, ClauseKey, str]],
        cursor: str,
        now: datetime,
    ) -> None:
        """Keep one page, and where to go on after it."""
        with self.transaction():
            self.connection.executemany(
                "INSERT OR REPLACE INTO staged VALUES (?, ?, ?)",
                ((fleet, device.id, _encode(device)) for device in devices),
            )
            self.connection.executemany(
                "INSERT OR REPLACE INTO staged_hit VALUES (?, ?, ?, ?, ?)",
                ((fleet, id_, key.mandate, key.clause, app) for id_, key, app in hits),
            )
            self.connection.execute(
                "UPDATE sync SET cursor = ?, at = ? WHERE fleet = ?",
                (cursor, now.timestamp(), fleet),
            )

    def staged(self, fleet: str) -> dict[str, Device]:
        """The whole inventory that was staged, hits joined to their devices."""
        found = {
            id_: decode(fleet, id_, body)
            for id_, body in self.connection.execute(
                "SELECT id, body FROM staged WHERE fleet = ?", (fleet,)
            )
        }
        for id_, mandate, clause, app in self.connection.execute(
            "SELECT id, mandate, clause, app FROM staged_hit WHERE fleet = ?", (fleet,)
        ):
            # A hit on a device that the list did not have: it came meanwhile, and is not lost.
            device = found.get(id_) or Device(fleet, id_)
            found[id_] = replace(device, hits={**device.hits, ClauseKey(mandate, clause): app})
        return found

    def settle(self, fleet: str, devices: Iterable[Device], now: datetime) -> None:
        """The staged inventory becomes what is known; inside a transaction.

        Devices that it does not have are kept, and marked as gone.
        """
        execute = self.connection.execute
        execute("UPDATE device SET gone = ? WHERE fleet = ? AND gone IS NULL AND id NOT IN"
                " (SELECT id FROM staged WHERE fleet = ? UNION"
                "  SELECT id FROM staged_hit WHERE fleet = ?)",
                (now.timestamp(), fleet, fleet, fleet))  # fmt: skip
        for table in ("alias", "owner"):
            execute(f"DELETE FROM {table} WHERE fleet = ?", (fleet,))
        lines = list(devices)
        self.connection.executemany(
            "INSERT OR REPLACE INTO device VALUES (?, ?, ?, NULL)",
            ((fleet, device.id, _encode(device)) for device in lines),
        )
        self.connection.executemany(
            "INSERT OR IGNORE INTO alias VALUES (?, ?, ?)",
            ((name, fleet, d.id) for d in lines for name in (d.id, *d.aliases)),
        )
        self.connection.executemany(
            "INSERT OR IGNORE INTO owner VALUES (?, ?, ?)",
            ((name, fleet, d.id) for d in lines for name in d.owners),
        )
        self.connection.executemany(
            "DELETE FROM look WHERE fleet = ? AND id = ? AND at < ?",
            ((fleet, d.id, d.seen.timestamp()) for d in lines if d.seen is not None),
        )
        self._unstage(fleet)
        execute("DELETE FROM sync WHERE fleet = ?", (fleet,))

    def _unstage(self, fleet: str) -> None:
        for table in ("staged", "staged_hit"):
            self.connection.execute(f"DELETE FROM {table} WHERE fleet = ?", (fleet,))

    # What is known.

    def devices(self, fleet: str = "") -> Iterator[Device]:
        """The devices that their inventories have, of one fleet or of all."""
        where, values = ("AND fleet = ?", (fleet,)) if fleet else ("", ())
        for name, id_, body in self.connection.execute(
            f"SELECT fleet, id, body FROM device WHERE gone IS NULL {where}", values
        ):
            yield decode(name, id_, body)

    def gone(self) -> list[tuple[Place, datetime]]:
        """Devices that their inventories had, and since when they have them no more."""
        return [
            ((fleet, id_), _moment(at))
            for fleet, id_, at in self.connection.execute(
                "SELECT fleet, id, gone FROM device WHERE gone IS NOT NULL"
            )
        ]

    def find(self, name: str) -> list[Device]:
        """The devices that go by that id or alias, or failing that by that name."""
        rows = self.connection.execute(
            "SELECT d.fleet, d.id, d.body FROM alias AS a JOIN device AS d USING (fleet, id)"
            " WHERE a.name = ? AND d.gone IS NULL",
            (name,),
        ).fetchall()
        if rows:
            return [decode(*row) for row in rows]
        return [device for device in self.devices() if device.name == name]

    def owned(self, owner: str) -> list[Device]:
        """The devices of one owner."""
        rows = self.connection.execute(
            "SELECT d.fleet, d.id, d.body FROM owner AS o JOIN device AS d USING (fleet, id)"
            " WHERE o.name = ? AND d.gone IS NULL ORDER BY d.fleet, d.id",
            (owner.casefold(),),
        )
        return [decode(*row) for row in rows]

    def recorded(self, fleet: str = "") -> dict[Place, dict[ClauseKey, Recorded]]:
        """The last recorded standing of the devices of a fleet, or of all, under every clause."""
        found: dict[Place, dict[ClauseKey, Recorded]] = {}
        for name, id_, mandate, clause, *rest in self.connection.execute(
            "SELECT fleet, id, mandate, clause, verdict, allowed, reason, how, app, since, entry"
            " FROM standing WHERE ? IN ('', fleet)",
            (fleet,),
        ):
            verdict, allowed, reason, how, app, since, entry = rest
            found.setdefault((name, id_), {})[ClauseKey(mandate, clause)] = Recorded(
                verdict, bool(allowed), reason, how, app, _moment(since), entry
            )
        return found

    def note(self, lines: Iterable[tuple[Place, Standing, int]], now: datetime) -> None:
        """Record standings that are others than before; inside a transaction.

        Each comes with the number of its entry in the log.
        """
        at = now.timestamp()
        changed = [
            (*place, s.key.mandate, s.key.clause, s.verdict, s.allowed, s.reason, s.how, s.app,
             at, entry)
            for place, s, entry in lines
        ]  # fmt: skip
        self.connection.executemany(
            "INSERT OR REPLACE INTO standing VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", changed
        )
        self.connection.executemany(
            "INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            ((at, *row[:7], row[10]) for row in changed),
        )

    def history(self, place: Place) -> list[tuple[datetime, ClauseKey, Recorded]]:
        """Every standing that was recorded of a device, oldest first."""
        return [
            (
                _moment(at),
                ClauseKey(mandate, clause),
                Recorded(verdict, bool(allowed), reason, "", "", _moment(at), entry),
            )
            for at, mandate, clause, verdict, allowed, reason, entry in self.connection.execute(
                "SELECT at, mandate, clause, verdict, allowed, reason, entry FROM history"
                " WHERE fleet = ? AND id = ? ORDER BY rowid",
                place,
            )
        ]

    # What owners said.

    def attestations(self) -> dict[tuple[Place, ClauseKey], Attestation]:
        """The owners' words that are kept, also those that have ended."""
        return {
            ((fleet, id_), ClauseKey(mandate, clause)): Attestation(_moment(until))
            for fleet, id_, mandate, clause, until in self.connection.execute(
                "SELECT fleet, id, mandate, clause, until FROM attestation"
            )
        }

    def given_up(self) -> set[Place]:
        """The devices on which their owners gave up work."""
        return set(self.connection.execute("SELECT fleet, id FROM given_up"))

    def attest(self, place: Place, key: ClauseKey, now: datetime, until: datetime) -> None:
        """Keep an owner's word; inside a transaction."""
        self.connection.execute(
            "INSERT OR REPLACE INTO attestation VALUES (?, ?, ?, ?, ?, ?)",
            (*place, key.mandate, key.clause, now.timestamp(), until.timestamp()),
        )

    def give_up(self, place: Place, now: datetime, *, again: bool = False) -> None:
        """An owner gives up work on a device, or takes it up again; inside a transaction."""
        if again:
            self.connection.execute("DELETE FROM given_up WHERE fleet = ? AND id = ?", place)
        else:
            self.connection.execute(
                "INSERT OR IGNORE INTO given_up VALUES (?, ?, ?)", (*place, now.timestamp())
            )

    def ask_look(self, place: Place, now: datetime) -> None:
        """An owner asks for another look at a device; inside a transaction."""
        self.connection.execute(
            "INSERT OR REPLACE INTO look VALUES (?, ?, ?)", (*place, now.timestamp())
        )

    def looks(self) -> dict[Place, datetime]:
        """The devices at which another look was asked for, and when; `settle` ends what it met."""
        return {
            (fleet, id_): _moment(at)
            for fleet, id_, at in self.connection.execute("SELECT fleet, id, at FROM look")
        }

    # The clock.

    def clock(self, now: datetime) -> datetime:
        """The time to judge by: never before the latest that was judged by.

        A clock that was set back does not undo a deadline. The latest is kept with `wind`.
        """
        row = self.connection.execute("SELECT value FROM meta WHERE name = 'clock'").fetchone()
        return max(now, _moment(float(row[0]))) if row else now

    def wind(self, now: datetime) -> None:
        """Keep the time that was judged by; inside a transaction."""
        self.connection.execute(
            "INSERT OR REPLACE INTO meta VALUES ('clock', ?)", (repr(now.timestamp()),)
        )


def _encode(device: Device) -> bytes:
    body = _Body(
        device.name, device.aliases, device.owners, device.ownership, device.platform,
        device.group, device.compliance, device.scope,
        device.seen.timestamp() if device.seen else None,
        [(key.mandate, key.clause, app) for key, app in device.hits.items()],
    )  # fmt: skip
    return msgspec.json.encode(body)


_DECODER = msgspec.json.Decoder(_Body)


def decode(fleet: str, id_: str, body: bytes) -> Device:
    """A device from its stored form."""
    kept: Any = _DECODER.decode(body)
    return Device(
        fleet=fleet,
        id=id_,
        name=kept.name,
        aliases=kept.aliases,
        owners=kept.owners,
        ownership=kept.ownership,
        platform=kept.platform,
        group=kept.group,
        compliance=kept.compliance,
        scope=kept.scope,
        seen=None if kept.seen is None else _moment(kept.seen),
        hits={ClauseKey(mandate, clause): app for mandate, clause, app in kept.hits},
    )


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
