"""The events that wait to be sent: one SQLite file, and the place in the history they come from.

Events are made of what `devices.sqlite` has recorded, in one transaction with how far that was
read: a kill between any two steps loses none. A device that changed twice while nothing was read
is told of once, as it is now.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from domicile.devices.record import DeviceRecord, Place
from domicile.durable.database import Database

FILE = "signals.sqlite"

_TABLES = """
CREATE TABLE IF NOT EXISTS event (
  number INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, jti TEXT NOT NULL,
  fleet TEXT NOT NULL, id TEXT NOT NULL, status TEXT NOT NULL, previous TEXT NOT NULL,
  mandate TEXT NOT NULL, at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS told (
  target TEXT NOT NULL, fleet TEXT NOT NULL, id TEXT NOT NULL, status TEXT NOT NULL,
  PRIMARY KEY (target, fleet, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS read (target TEXT PRIMARY KEY, history INTEGER NOT NULL);
"""

_INSERT = (
    "INSERT INTO event (target, jti, fleet, id, status, previous, mandate, at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


@dataclass(frozen=True)
class Waiting:
    """An event that is to be sent; `jti` is the same whenever it is sent again."""

    number: int
    target: str
    jti: str
    place: Place
    status: str
    previous: str
    mandate: str
    at: datetime


class Outbox(Database):
    """The events of one estate. Every write is durable on return; raises Stopped."""

    def __init__(self, state: Path) -> None:
        """Open the file in the state directory, or make it. Raises Stopped."""
        super().__init__(state / FILE, _TABLES)

    def fill(self, record: DeviceRecord, targets: Sequence[str], now: datetime) -> int:
        """Make an event for each target of each device whose access is another than it was told;
        how many. A new target is told of every device that is refused."""
        added = 0
        for target in targets:
            row = self.connection.execute(
                "SELECT history FROM read WHERE target = ?", (target,)
            ).fetchone()
            last, refused, touched = _changed(record, row[0] if row else None)
            if row is not None and last == row[0]:
                continue
            told = dict.fromkeys(touched, "compliant") | {
                (fleet, id_): status
                for fleet, id_, status in self.connection.execute(
                    "SELECT fleet, id, status FROM told WHERE target = ?", (target,)
                )
            }
            events = []
            for place in sorted(touched):
                status = "not-compliant" if place in refused else "compliant"
                if status != told[place]:
                    events.append((target, os.urandom(16).hex(), *place, status, told[place],
                                   refused.get(place, ""), now.timestamp()))  # fmt: skip
            with self.transaction():
                self.write_all(_INSERT, events)
                self.write_all("INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?)",
                               [(target, *event[2:5]) for event in events])  # fmt: skip
                self.write("INSERT OR REPLACE INTO read VALUES (?, ?)", (target, last))
            added += len(events)
        return added

    def waiting(self, target: str, most: int) -> list[Waiting]:
        """The oldest events for a target."""
        return [
            Waiting(number, to, jti, (fleet, id_), status, previous, mandate,
                    datetime.fromtimestamp(at, UTC))
            for number, to, jti, fleet, id_, status, previous, mandate, at
            in self.connection.execute(
                "SELECT * FROM event WHERE target = ? ORDER BY number LIMIT ?", (target, most)
            )
        ]  # fmt: skip

    def remove(self, done: Iterable[Waiting]) -> None:
        """Forget events that were taken, or never will be."""
        with self.transaction():
            self.write_all("DELETE FROM event WHERE number = ?", [(each.number,) for each in done])


def _changed(record: DeviceRecord, since: int | None) -> tuple[int, dict[Place, str], set[Place]]:
    """As of one moment: how far the history goes; the refused devices with the mandate that
    refuses each; and which of all devices changed since (of a new target: the refused)."""
    execute = record.connection.execute
    execute("BEGIN")
    try:
        (last,) = execute("SELECT coalesce(max(rowid), 0) FROM history").fetchone()
        if last == since:
            return last, {}, set()
        refused = {
            (fleet, id_): mandate
            for fleet, id_, mandate in execute(
                "SELECT fleet, id, min(mandate) FROM standing WHERE NOT allowed GROUP BY fleet, id"
            )
        }
        touched = set(refused) if since is None else set(
            execute("SELECT DISTINCT fleet, id FROM history WHERE rowid > ?", (since,))
        )  # fmt: skip
        return last, refused, touched
    finally:
        execute("COMMIT")
