"""What Apple devices were asked and what they answered: one SQLite file beside the estate.

NanoMDM passes a command on and its answer comes later, or never. A device is asked for forbidden
identifiers only, and of its answer only those that it has are kept. A command of somebody else
is not known here, so its answer is never looked into. The file is its own, so that an answer does
not make the decision point read all devices again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from domicile.durable.database import Database

FILE = "apple.sqlite"

ASK_AGAIN = timedelta(days=7)
"""After how long a device that has not answered is asked anew: its first command still waits."""

FORGET = timedelta(days=60)
"""After how long an answer to a command is not waited for any more."""

_TABLES = """
CREATE TABLE IF NOT EXISTS command (
  uuid TEXT PRIMARY KEY, fleet TEXT NOT NULL, identifiers TEXT NOT NULL, looked TEXT NOT NULL,
  at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS asked (
  id TEXT NOT NULL, uuid TEXT NOT NULL, sent INTEGER NOT NULL, PRIMARY KEY (id, uuid)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS asked_by ON asked (uuid);
CREATE TABLE IF NOT EXISTS answer (
  fleet TEXT NOT NULL, id TEXT NOT NULL, looked TEXT NOT NULL, at REAL NOT NULL,
  whole INTEGER NOT NULL, found TEXT NOT NULL, PRIMARY KEY (fleet, id)
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Answer:
    """The last that a device said: which of the identifiers named by `looked` it has.

    `whole` is false when it could not say, or not of all its apps; then what it had before is
    still in `found`.
    """

    looked: str
    at: datetime
    whole: bool
    found: tuple[str, ...]


def looked_for(identifiers: Sequence[str]) -> str:
    """A name for what was asked for."""
    return sha256("\n".join(identifiers).encode()).hexdigest()[:16]


class Answers(Database):
    """The file of one estate."""

    def __init__(self, state: Path) -> None:
        """Open the file in the state directory, or make it. Raises Stopped."""
        super().__init__(state / FILE, _TABLES)

    def of(self, fleet: str, ids: Sequence[str]) -> dict[str, Answer]:
        """The last answers of these devices."""
        return {
            id_: Answer(looked, _moment(at), bool(whole), tuple(json.loads(found)))
            for id_, looked, at, whole, found in self.connection.execute(
                "SELECT id, looked, at, whole, found FROM answer WHERE fleet = ?"
                " AND id IN (SELECT value FROM json_each(?))",
                (fleet, json.dumps(ids)),
            )
        }

    def waiting(self, fleet: str, ids: Sequence[str], looked: str, now: datetime) -> set[str]:
        """Of these devices, those whose answer is waited for."""
        rows = self.connection.execute(
            "SELECT id FROM asked JOIN command USING (uuid) WHERE fleet = ? AND sent"
            " AND looked = ? AND at > ? AND id IN (SELECT value FROM json_each(?))",
            (fleet, looked, (now - ASK_AGAIN).timestamp(), json.dumps(ids)),
        )
        return {id_ for (id_,) in rows}

    def ask(
        self, uuid: str, fleet: str, ids: Iterable[str], identifiers: Sequence[str], now: datetime
    ) -> None:
        """Note a command before it is sent, so that no answer to it comes too early."""
        old = (now - FORGET).timestamp()
        with self.transaction():
            self.connection.execute(
                "DELETE FROM asked WHERE uuid IN (SELECT uuid FROM command WHERE at < ?)", (old,)
            )
            self.connection.execute("DELETE FROM command WHERE at < ?", (old,))
            self.connection.execute(
                "INSERT INTO command VALUES (?, ?, ?, ?, ?)",
                (uuid, fleet, json.dumps(identifiers), looked_for(identifiers), now.timestamp()),
            )
            self.connection.executemany(
                "INSERT INTO asked VALUES (?, ?, 0)", ((id_, uuid) for id_ in ids)
            )

    def sent(self, uuid: str, ids: Iterable[str]) -> None:
        """Note that a command waits in the queue of these devices."""
        with self.transaction():
            self.connection.executemany(
                "UPDATE asked SET sent = 1 WHERE uuid = ? AND id = ?",
                ((uuid, id_) for id_ in ids),
            )

    def asked(self, fleet: str, uuid: str, id_: str) -> tuple[str, ...] | None:
        """What a device was asked for by this command; None when it was not, or has answered."""
        row = self.connection.execute(
            "SELECT identifiers FROM command JOIN asked USING (uuid)"
            " WHERE uuid = ? AND id = ? AND fleet = ?",
            (uuid, id_, fleet),
        ).fetchone()
        return tuple(json.loads(row[0])) if row else None

    def answered(self, fleet: str, uuid: str, id_: str, answer: Answer) -> bool:
        """Keep an answer, once: the same again says nothing. Whether it was kept.

        What was found is lost only by a later answer about all apps: one that comes late, or from
        a clock that was set back, adds to what is known.
        """
        with self.transaction():
            done = self.connection.execute(
                "DELETE FROM asked WHERE uuid = ? AND id = ?", (uuid, id_)
            ).rowcount
            if not done:
                return False
            last = self.of(fleet, [id_]).get(id_)
            if last is not None and (not answer.whole or answer.at < last.at):
                found = tuple(dict.fromkeys((*last.found, *answer.found)))
                answer = replace(last if answer.at < last.at else answer, found=found)
            self.connection.execute(
                "INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?, ?, ?)",
                (fleet, id_, answer.looked, answer.at.timestamp(), answer.whole,
                 json.dumps(answer.found)),
            )  # fmt: skip
            return True


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
