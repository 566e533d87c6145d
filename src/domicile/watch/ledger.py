"""What the watch keeps between runs: the last map, notices, consequences, approvals in advance.

One SQLite file in the state directory. A notice is written here before it is sent, in one
transaction with whatever made it due, and marked when a channel has taken it: after a crash the
next run sends what is not marked, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from domicile.durable.database import Database
from domicile.watch.notices import Notice

_TABLES = """
CREATE TABLE IF NOT EXISTS map (one INTEGER PRIMARY KEY CHECK (one = 1), day TEXT, map TEXT);
CREATE TABLE IF NOT EXISTS look (
  one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL, day TEXT NOT NULL,
  people TEXT NOT NULL, broken TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS told (
  name TEXT, due TEXT, stage INTEGER, day TEXT, PRIMARY KEY (name, due, stage)
);
CREATE TABLE IF NOT EXISTS notice (
  id TEXT PRIMARY KEY, subject TEXT NOT NULL, text TEXT NOT NULL, facts TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS sent (id TEXT, channel TEXT, PRIMARY KEY (id, channel));
CREATE TABLE IF NOT EXISTS channel (name TEXT PRIMARY KEY, since INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS consequence (
  name TEXT, due TEXT, what TEXT NOT NULL, done TEXT, PRIMARY KEY (name, due)
);
CREATE TABLE IF NOT EXISTS own (one INTEGER PRIMARY KEY CHECK (one = 1));
CREATE TABLE IF NOT EXISTS unsaid (entry TEXT NOT NULL);
DROP TABLE IF EXISTS approval;  -- of 0.1: bound to a name only, so void
CREATE TABLE IF NOT EXISTS approved (
  name TEXT PRIMARY KEY, max_rows INTEGER NOT NULL, until TEXT NOT NULL, digest TEXT NOT NULL,
  used INTEGER NOT NULL
);
"""

SUPERSEDED = "superseded"
"""What came of a consequence that the mandates ask for no more."""


@dataclass(frozen=True)
class Approval:
    """A clause that may be carried out when its deadline passes, without a plan's own approval."""

    name: str  # mandate/clause
    max_rows: int
    until: date  # the last day
    digest: str  # sha256:… of what was approved (`approve.bound_to`)
    used: int = 0  # rows carried out, or begun, of `max_rows`


@dataclass(frozen=True)
class Look:
    """What the last look at the stores found, beside its map."""

    number: int
    day: date
    people: str  # the name of who was seen (`presence.py`)
    broken: Mapping[str, int]  # mandate/clause → open findings


class Ledger(Database):
    """The watch's file. Every write is durable when its transaction ends. Raises Stopped."""

    def __init__(self, directory: Path) -> None:
        """Opens the file, making it when missing."""
        super().__init__(directory / "watch.sqlite", _TABLES)

    # The last map.

    def last_map(self) -> dict[str, Any] | None:
        """The map of the last look; None before the first."""
        row = self.connection.execute("SELECT map FROM map").fetchone()
        return json.loads(row[0]) if row else None

    def last_look(self) -> Look | None:
        """What else the last look found; None before the first."""
        row = self.connection.execute("SELECT number, day, people, broken FROM look").fetchone()
        if row is None:
            return None
        return Look(int(row[0]), date.fromisoformat(row[1]), row[2], json.loads(row[3]))

    def keep_look(self, people: str, broken: Mapping[str, int], day: date) -> None:
        """Keep under which name the people of this look are, and the open findings by clause."""
        self.write(
            "INSERT INTO look VALUES (1, 1, ?, ?, ?) ON CONFLICT (one) DO UPDATE SET"
            " number = number + 1, day = excluded.day, people = excluded.people,"
            " broken = excluded.broken",
            (day.isoformat(), people, json.dumps(dict(broken))),
        )

    def keep_map(self, document: Mapping[str, Any], day: date) -> None:
        """Keep the map that the next look compares with."""
        self.write("DELETE FROM own")
        text = json.dumps(document, ensure_ascii=False)
        self.write("INSERT OR REPLACE INTO map VALUES (1, ?, ?)", (day.isoformat(), text))

    def acting(self) -> None:
        """Note that people are about to be moved or erased: the next look sees it, as ours."""
        self.write("INSERT OR IGNORE INTO own VALUES (1)")

    def acted(self) -> bool:
        """Whether people were moved or erased since the last map was kept."""
        return self.connection.execute("SELECT 1 FROM own").fetchone() is not None

    # Notices.

    def told(self) -> set[tuple[str, date, int]]:
        """(mandate/clause, due, stage) of every notice about a deadline."""
        rows = self.connection.execute("SELECT name, due, stage FROM told")
        return {(name, date.fromisoformat(due), int(stage)) for name, due, stage in rows}

    def tell(self, name: str, due: date, stage: int, day: date) -> None:
        """Note that the notice of a stage is written."""
        self.write(
            "INSERT OR IGNORE INTO told VALUES (?, ?, ?, ?)",
            (name, due.isoformat(), stage, day.isoformat()),
        )

    def queue(self, notice: Notice) -> None:
        """Write a notice down, to be sent. One of that identity that is there stays as it is."""
        self.write(
            "INSERT OR IGNORE INTO notice VALUES (?, ?, ?, ?)",
            (notice.identity, notice.subject, notice.text, json.dumps(dict(notice.facts))),
        )

    def know(self, channels: Sequence[str]) -> None:
        """Note the channels that there are; a new one gets no notices of before that others got."""
        for name in channels:
            self.write(
                "INSERT OR IGNORE INTO channel SELECT ?, coalesce(max(n.rowid), 0) FROM notice n"
                " WHERE n.id IN (SELECT id FROM sent)",
                (name,),
            )

    def unsent(self, channels: Sequence[str]) -> list[tuple[Notice, str]]:
        """Notices that a channel has not taken yet, in the order in which they were written."""
        rows = self.connection.execute(
            "SELECT rowid, id, subject, text, facts FROM notice ORDER BY rowid"
        )
        sent = set(self.connection.execute("SELECT id, channel FROM sent"))
        since = dict(self.connection.execute("SELECT name, since FROM channel"))
        return [
            (Notice(identity, subject, text, json.loads(facts)), channel)
            for number, identity, subject, text, facts in rows
            for channel in channels
            if (identity, channel) not in sent and number > since.get(channel, 0)
        ]

    def mark_sent(self, identity: str, channel: str) -> None:
        """Note that a channel has taken a notice."""
        self.write("INSERT OR IGNORE INTO sent VALUES (?, ?)", (identity, channel))

    # The log.

    def say(self, entry: Mapping[str, Any]) -> None:
        """Write an entry of the evidence log down, to be appended."""
        self.write("INSERT INTO unsaid VALUES (?)", (json.dumps(entry),))

    def unsaid(self) -> list[tuple[int, dict[str, Any]]]:
        """Entries that are perhaps not in the log yet, with their numbers."""
        rows = self.connection.execute("SELECT rowid, entry FROM unsaid ORDER BY rowid")
        return [(int(number), json.loads(entry)) for number, entry in rows]

    def said(self, last: int) -> None:
        """Forget the entries up to a number: the log has them."""
        self.write("DELETE FROM unsaid WHERE rowid <= ?", (last,))

    # Consequences and approvals.

    def begin(self, name: str, due: date, what: str) -> None:
        """Note what is to follow a deadline that passed; anew, where it was superseded."""
        self.write(
            "INSERT INTO consequence VALUES (?, ?, ?, NULL) ON CONFLICT (name, due) DO UPDATE"
            " SET what = excluded.what, done = NULL WHERE done = ?",
            (name, due.isoformat(), what, SUPERSEDED),
        )

    def supersede(self, name: str, due: date) -> None:
        """Note that nothing follows that deadline; should it pass again, it is told again."""
        self.finish(name, due, SUPERSEDED)
        self.write("DELETE FROM told WHERE name = ? AND due = ?", (name, due.isoformat()))

    def pending(self) -> list[tuple[str, date, str]]:
        """What is to follow and has not yet: mandate/clause, due, what."""
        rows = self.connection.execute(
            "SELECT name, due, what FROM consequence WHERE done IS NULL ORDER BY due, name"
        )
        return [(name, date.fromisoformat(due), what) for name, due, what in rows]

    def finish(self, name: str, due: date, outcome: str) -> None:
        """Note what came of it."""
        self.write(
            "UPDATE consequence SET done = ? WHERE name = ? AND due = ?",
            (outcome, name, due.isoformat()),
        )

    def consequences(self) -> list[tuple[str, date, str, str]]:
        """Every consequence: mandate/clause, due, what, what came of it (empty: pending)."""
        rows = self.connection.execute(
            "SELECT name, due, what, done FROM consequence ORDER BY due, name"
        )
        return [(n, date.fromisoformat(d), what, done or "") for n, d, what, done in rows]

    def approve(self, approval: Approval) -> None:
        """Keep an approval in advance; it replaces one of the same clause."""
        self.write(
            "INSERT OR REPLACE INTO approved VALUES (?, ?, ?, ?, ?)",
            (
                approval.name,
                approval.max_rows,
                approval.until.isoformat(),
                approval.digest,
                approval.used,
            ),
        )

    def approvals(self) -> dict[str, Approval]:
        """Every approval in advance, by mandate/clause."""
        rows = self.connection.execute("SELECT name, max_rows, until, digest, used FROM approved")
        return {
            name: Approval(name, int(most), date.fromisoformat(until), digest, int(used))
            for name, most, until, digest, used in rows
        }

    def use(self, name: str, rows: int) -> None:
        """Count rows against the cap of an approval; negative, when nothing was begun."""
        self.write("UPDATE approved SET used = used + ? WHERE name = ?", (rows, name))
