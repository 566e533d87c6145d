"""The notices of an estate: what was sent, and what waits to be.

A notice is first noted, then sent, then logged and marked as sent. What is stopped in between is
sent again with the same Message-ID, so that a reader's program can tell; none is lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from domicile.devices.due import Due, Told
from domicile.devices.model import ClauseKey
from domicile.devices.record import DeviceRecord, Place

CHANNELS = ("mail", "webhook")


@dataclass(frozen=True)
class Noted:
    """A notice that is to be sent on one channel."""

    place: Place
    key: ClauseKey
    owner: str
    number: int
    stage: str
    reason: str
    channel: str

    @property
    def identity(self) -> str:
        """What names it among all notices, on every channel."""
        return "\n".join([*self.place, str(self.key), self.owner, str(self.number)])


def told(record: DeviceRecord) -> dict[Place, dict[tuple[str, ClauseKey], list[Told]]]:
    """What owners were told, or are about to be, of each device, oldest first."""
    found: dict[Place, dict[tuple[str, ClauseKey], list[Told]]] = {}
    for fleet, id_, mandate, clause, owner, stage, at in record.connection.execute(
        "SELECT fleet, id, mandate, clause, owner, stage, at FROM notice ORDER BY number"
    ):
        mine = found.setdefault((fleet, id_), {})
        mine.setdefault((owner, ClauseKey(mandate, clause)), []).append(
            Told(stage, datetime.fromtimestamp(at, UTC))
        )
    return found


def note(
    record: DeviceRecord, lines: Iterable[tuple[Due, int, dict[str, str]]], now: datetime
) -> None:
    """Note notices with their numbers and the state of each channel; durable on return."""
    with record.transaction():
        record.connection.executemany(
            "INSERT OR IGNORE INTO notice VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (each.device.fleet, each.device.id, each.rule.key.mandate, each.rule.key.clause,
                 each.owner, number, each.stage, each.reason, now.timestamp(),
                 *(states[channel] for channel in CHANNELS))
                for each, number, states in lines
            ),
        )  # fmt: skip


def waiting(record: DeviceRecord, channel: str) -> list[Noted]:
    """The notices that wait to be sent on a channel, in the order in which they were noted."""
    return [
        Noted((fleet, id_), ClauseKey(mandate, clause), owner, number, stage, reason, channel)
        for fleet, id_, mandate, clause, owner, number, stage, reason in record.connection.execute(
            "SELECT fleet, id, mandate, clause, owner, number, stage, reason FROM notice"
            f" WHERE {_column(channel)} = 'waiting' ORDER BY at, owner, fleet, id"
        )
    ]


def mark(record: DeviceRecord, done: Iterable[tuple[Noted, str]]) -> None:
    """Mark notices as sent, failed or void; durable on return."""
    with record.transaction():
        for notice, state in done:
            record.connection.execute(
                f"UPDATE notice SET {_column(notice.channel)} = ? WHERE fleet = ? AND id = ?"
                " AND mandate = ? AND clause = ? AND owner = ? AND number = ?",
                (state, *notice.place, notice.key.mandate, notice.key.clause, notice.owner,
                 notice.number),
            )  # fmt: skip


def _column(channel: str) -> str:
    assert channel in CHANNELS
    return channel
