"""Applications that go on writing while people are moved, and remember what was acknowledged.

    python -m tests.faults.writers URL SEED LOG STOP

Updates, inserts and deletes rows of anybody at the source, one small transaction each, until the
file STOP is there. A line of JSON is written to LOG before a change is sent (`try`) and after the
store has acknowledged it (`done`, with the rows it touched), so that a change whose answer was lost
is known as such. Foreign keys may refuse what refers to somebody who has gone: that is no error.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path
from typing import Any

import asyncpg

FIRST_KEY = 1_000_000
"""Keys of inserted rows; each writer has a million of its own."""

PEOPLE = 60
"""Accounts of the estate, by `estate.rows`."""

MOST = 1_500
"""Changes of one writer: on a slow machine the tables would grow faster than they are moved."""

WRITERS = 2
"""Each changes the rows of its own people, so that the order of changes is in its log."""


class Writer:
    """One application."""

    def __init__(self, url: str, seed: int, log: Path, stop: Path) -> None:
        self.url, self.seed, self.stop = url, seed, stop
        self.rng = random.Random(seed)
        self.mine = seed % WRITERS
        self.next = FIRST_KEY * (seed + 1)
        self.log = log.open("a", buffering=1)

    async def work(self) -> None:
        """Write until asked to stop."""
        connection = await asyncpg.connect(self.url)
        people = [n for n in range(1, PEOPLE + 1) if n % WRITERS == self.mine]
        try:
            last = self.next + MOST
            while not self.stop.exists():
                if self.next >= last:
                    await asyncio.sleep(0.05)
                    continue
                await self.change(connection, self.rng.choice(people))
                await asyncio.sleep(self.rng.uniform(0.0, 0.01))
        finally:
            await connection.close()

    async def change(self, connection: Any, person: int) -> None:
        """One change, logged before and after."""
        self.next += 1
        key, rng = self.next, self.rng
        choices: list[tuple[str, str, Any, str, tuple[Any, ...]]] = [
            ("update", "account", person,
             "UPDATE account SET touched = $2 WHERE account_id = $1", (person, key)),
            ("update", "track", (person, 1),
             "UPDATE track SET title = $2 WHERE playlist_id = $1 AND place = 1",
             (person, f"song {key}")),
            ("update", "comment", 2 * person,
             "UPDATE comment SET body = $2 WHERE comment_id = $1", (2 * person, f"words {key}")),
            # It comes to somebody else, and what hangs on it with it.
            ("update", "video", 2 * rng.randrange(1, 30) + self.mine,
             "UPDATE video SET views = $2, account_id = $3 WHERE video_id = $1", ()),
            ("insert", "mood", key,
             "INSERT INTO mood VALUES ($1, $2, $3, 'fresh')", (key, person, rng.randrange(3))),
            ("insert", "comment", key,
             "INSERT INTO comment VALUES ($1, $2, $3, NULL, 'fresh')",
             (key, rng.choice((person, person % 50 + 1)), person)),
            ("insert", "watch", key,
             "INSERT INTO watch VALUES ($1, 'fresh ' || $2::text, 1, $3)",
             (person, str(key), rng.randint(1, 12))),
            ("insert", "journal", key,
             "INSERT INTO journal VALUES ($1, 'fresh ' || $2::text)", (person, str(key))),
            ("delete", "mood", 4 * rng.randrange(45) + 2 * self.mine + 1,
             "DELETE FROM mood WHERE mood_id = $1", ()),
            # Not a stub: the application would see that it is one.
            ("delete", "comment", 2 * person + 1,
             ("DELETE FROM comment WHERE comment_id = $1 AND body NOT LIKE 'stub-%' "
              "AND NOT EXISTS (SELECT 1 FROM comment r WHERE r.reply_to = $1)"), ()),
        ]  # fmt: skip
        what, table, row, sql, values = rng.choice(choices)
        if table == "video":
            values = (row, key, person)
        values = values or (row,)
        value = values[1] if what == "update" else None
        entry = {"what": what, "table": table, "row": row, "value": value, "person": person}
        self.note("try", entry)
        try:
            status = await connection.execute(sql, *values)
        except (asyncpg.ForeignKeyViolationError, asyncpg.DeadlockDetectedError):
            self.note("refused", entry)
            return
        self.note("done", {**entry, "rows": int(status.rsplit(" ", 1)[-1])})

    def note(self, state: str, entry: dict[str, Any]) -> None:
        """One line of the log."""
        self.log.write(json.dumps({"state": state, **entry}) + "\n")


def main() -> None:
    """See above."""
    url, seed, log, stop = sys.argv[1:]
    asyncio.run(Writer(url, int(seed), Path(log), Path(stop)).work())


if __name__ == "__main__":
    main()
