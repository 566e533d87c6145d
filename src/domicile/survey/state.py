"""What Domicile keeps for an estate between runs: stubs it left, and the journal of apply.

One SQLite file in the state directory, mode 0600: it holds keys of rows, and so belongs where the
estate is run from. It never leaves; the evidence log is what may be published.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domicile.durable.database import Database

Keys = tuple[str | None, ...]
"""A row's identity as canonical texts."""

_TABLES = """
CREATE TABLE IF NOT EXISTS stub (
  store TEXT NOT NULL, name TEXT NOT NULL, keys TEXT NOT NULL, sure INTEGER NOT NULL,
  about TEXT NOT NULL, kept TEXT NOT NULL DEFAULT '', digest TEXT NOT NULL DEFAULT '',
  mark TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (store, name, keys)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run (
  plan TEXT PRIMARY KEY, state TEXT NOT NULL, at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS pace (
  plan TEXT PRIMARY KEY, took REAL NOT NULL, said REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS batch (
  plan TEXT NOT NULL, run TEXT NOT NULL, source TEXT NOT NULL, home TEXT NOT NULL,
  number INTEGER NOT NULL, mark TEXT NOT NULL, seen TEXT NOT NULL, state TEXT NOT NULL,
  source_mark TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS pair (
  plan TEXT NOT NULL, run TEXT NOT NULL, source TEXT NOT NULL, home TEXT NOT NULL,
  tables TEXT NOT NULL, mark TEXT NOT NULL, source_mark TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS copied (
  home TEXT NOT NULL, mark TEXT NOT NULL, name TEXT NOT NULL, keys TEXT NOT NULL,
  digest TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS unsaid (
  store TEXT NOT NULL, mark TEXT NOT NULL, entries TEXT NOT NULL, PRIMARY KEY (store, mark)
);
CREATE TABLE IF NOT EXISTS purge (
  store TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (store, name)
);
"""


_ADDED = ("kept", "digest", "mark")
"""Columns of `stub` that a state file of version 0.1 does not have."""


@dataclass(frozen=True)
class Batch:
    """One transaction at home, and the one that deletes its rows at the source."""

    source: str
    home: str
    number: int
    mark: str
    source_mark: str


class State(Database):
    """The state file of one estate. Every write is durable when its method returns.

    A failed write raises Stopped: nothing that was noted before is lost by it.
    """

    def __init__(self, directory: Path) -> None:
        """Opens the file, making it when missing. Raises Stopped when that cannot be done."""
        self.directory = directory
        super().__init__(directory / "state.sqlite", _TABLES)
        have = {r[0] for r in self.connection.execute("SELECT name FROM pragma_table_info('stub')")}
        for column in _ADDED:
            if column not in have:
                self.write(f"ALTER TABLE stub ADD COLUMN {column} TEXT NOT NULL DEFAULT ''")

    def stubbed(self, store: str) -> list[str]:
        """The tables of a store in which stubs stand."""
        rows = self.connection.execute("SELECT DISTINCT name FROM stub WHERE store = ?", (store,))
        return [r[0] for r in rows]

    def stubs(self, store: str, table: str, *, sure: bool) -> Iterator[Keys]:
        """The keys of the stubs in one table: those known to stand, or those that may.

        A stub is noted before the store commits it and made sure afterwards. One noted and not
        sure was cut off in between: whoever reads it looks at the row itself.
        """
        rows = self.connection.execute(
            "SELECT keys FROM stub WHERE store = ? AND name = ? AND sure = ?",
            (store, table, int(sure)),
        )
        return (tuple(json.loads(r[0])) for r in rows)

    def kept(self, store: str, table: str) -> list[tuple[str, ...]]:
        """Which columns the stubs of one table keep beyond a stub's: () for plain ones."""
        rows = self.connection.execute(
            "SELECT DISTINCT kept FROM stub WHERE store = ? AND name = ? ORDER BY kept",
            (store, table),
        )
        return [tuple(json.loads(r[0])) if r[0] else () for r in rows]

    def noted(self, store: str, table: str, kept: tuple[str, ...], *, sure: bool) -> Iterator[Keys]:
        """Keys, and the digest of what is kept, of stubs that keep these columns."""
        rows = self.connection.execute(
            "SELECT keys, digest FROM stub WHERE store = ? AND name = ? AND sure = ? AND kept = ?",
            (store, table, int(sure), _kept(kept)),
        )
        return ((*json.loads(keys), digest) for keys, digest in rows)

    def abouts(self, store: str, table: str) -> Iterator[tuple[Keys, list[tuple[str, Keys]]]]:
        """The stubs in one table, with the people (subject, key) whom the real rows are about."""
        rows = self.connection.execute(
            "SELECT keys, about FROM stub WHERE store = ? AND name = ?", (store, table)
        )
        for keys, about in rows:
            yield tuple(json.loads(keys)), [(s, tuple(k)) for s, k in json.loads(about)]

    def note_stubs(
        self, store: str, table: str, stubs: Iterable[tuple[Keys, list[tuple[str, Keys]], str]],
        kept: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        """Note stubs that are about to be written: keys, whom the real rows are about, and a
        digest of the columns `kept` where they keep more than a stub does."""
        self.write_all(
            "INSERT INTO stub (store, name, keys, sure, about, kept, digest) "
            "VALUES (?, ?, ?, 0, ?, ?, ?) ON CONFLICT (store, name, keys) DO UPDATE SET "
            "about = excluded.about, kept = excluded.kept, digest = excluded.digest",
            (
                (store, table, json.dumps(k), json.dumps(about), _kept(kept), digest)
                for k, about, digest in stubs
            ),
        )

    def sure_stubs(self, store: str, table: str, keys: Iterable[Keys]) -> None:
        """The store has committed these stubs."""
        self.write_all(
            "UPDATE stub SET sure = 1 WHERE store = ? AND name = ? AND keys = ?",
            ((store, table, json.dumps(k)) for k in keys),
        )

    def remove_stubs(self, store: str, table: str, keys: Iterable[Keys]) -> None:
        """Forget stubs that were completed or taken away."""
        self.write_all(
            "DELETE FROM stub WHERE store = ? AND name = ? AND keys = ?",
            ((store, table, json.dumps(k)) for k in keys),
        )

    def doubt_stubs(self, store: str, table: str, keys: Iterable[Keys], mark: str) -> None:
        """These stubs are about to be replaced by their real rows, or taken away, by a transaction
        of the store. Those that are in doubt already stay so."""
        self.write_all(
            "UPDATE stub SET sure = 0, mark = ? "
            "WHERE store = ? AND name = ? AND keys = ? AND sure = 1",
            ((mark, store, table, json.dumps(k)) for k in keys),
        )

    def ending_stubs(self) -> list[tuple[str, str]]:
        """(store, transaction) of which it is not noted whether it ended the stubs it was to."""
        rows = self.connection.execute("SELECT DISTINCT store, mark FROM stub WHERE mark <> ''")
        return [(str(r[0]), str(r[1])) for r in rows]

    def end_stubs(self, store: str, mark: str, *, committed: bool) -> None:
        """What became of it: the stubs are gone, or stand as before."""
        self.write(
            "DELETE FROM stub WHERE store = ? AND mark = ?" if committed else
            "UPDATE stub SET sure = 1, mark = '' WHERE store = ? AND mark = ?",
            (store, mark),
        )  # fmt: skip

    # The journal of apply.

    def run_state(self, plan: str) -> str:
        """`started`, `finished`, or "" for a plan that was never applied."""
        row = self.connection.execute("SELECT state FROM run WHERE plan = ?", (plan,)).fetchone()
        return str(row[0]) if row else ""

    def finished(self) -> int:
        """How many plans were carried out to the end."""
        row = self.connection.execute("SELECT count(*) FROM run WHERE state = 'finished'")
        return int(row.fetchone()[0])

    def set_run(self, plan: str, state: str) -> None:
        """Note that a plan was started or finished."""
        self.write(
            "INSERT INTO run VALUES (?, ?, datetime('now')) "
            "ON CONFLICT (plan) DO UPDATE SET state = excluded.state, at = excluded.at",
            (plan, state),
        )

    def note_pace(self, plan: str, took: float, said: float) -> None:
        """Note how many seconds a plan took that was carried out in one run, and how many were
        modelled for it."""
        self.write("INSERT OR REPLACE INTO pace VALUES (?, ?, ?)", (plan, took, said))

    def paces(self, last: int) -> list[tuple[float, float]]:
        """(took, modelled) of the last plans, in seconds."""
        rows = self.connection.execute(
            "SELECT took, said FROM pace ORDER BY rowid DESC LIMIT ?", (last,)
        )
        return [(float(took), float(said)) for took, said in rows]

    def note_batch(
        self, plan: str, run: str, source: str, home: str, number: int, mark: str, seen: str
    ) -> None:
        """A transaction at home is about to be committed, with rows that the source still has."""
        self.write(
            "INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, 'copied', '')",
            (plan, run, source, home, number, mark, seen),
        )

    def marks(self, source: str, home: str) -> list[str]:
        """The transactions at home whose rows may still be at the source too."""
        rows = self.connection.execute(
            "SELECT mark FROM batch WHERE source = ? AND home = ? AND state <> 'deleted'",
            (source, home),
        )
        return [str(r[0]) for r in rows]

    def copies(self, source: str, home: str) -> list[str]:
        """The transactions at home all of whose rows are copies: the source has not deleted any.

        Rows that stay at the source for good (number 0) are not among them.
        """
        rows = self.connection.execute(
            "SELECT mark FROM batch WHERE source = ? AND home = ? AND state = 'copied' "
            "AND number <> 0",
            (source, home),
        )
        return [str(r[0]) for r in rows]

    def note_deletion(self, home: str, mark: str, source_mark: str) -> None:
        """The source is about to commit that what this transaction carried home is gone there."""
        self.write(
            "UPDATE batch SET state = 'deleting', source_mark = ? WHERE home = ? AND mark = ?",
            (source_mark, home, mark),
        )

    def deletions(self) -> list[Batch]:
        """Batches of which it is not noted whether the source committed their deletion."""
        rows = self.connection.execute(
            "SELECT source, home, number, mark, source_mark FROM batch WHERE state = 'deleting'"
        )
        return [Batch(*r) for r in rows]

    def end_deletion(self, home: str, mark: str, *, committed: bool) -> None:
        """What became of it."""
        self.write(
            "UPDATE batch SET state = ? WHERE home = ? AND mark = ?",
            ("deleted" if committed else "copied", home, mark),
        )

    def note_copied(
        self, home: str, mark: str, table: str, rows: Iterable[tuple[Keys, str]]
    ) -> None:
        """Keys and digests of rows about to be committed at a home that cannot tell who wrote."""
        self.write_all(
            "INSERT INTO copied VALUES (?, ?, ?, ?, ?)",
            ((home, mark, table, json.dumps(k), d) for k, d in rows),
        )

    def copied(self, home: str, mark: str) -> dict[str, list[tuple[Keys, str]]]:
        """Table → keys and digests of the rows of one transaction at home."""
        found: dict[str, list[tuple[Keys, str]]] = {}
        for name, keys, digest in self.connection.execute(
            "SELECT name, keys, digest FROM copied WHERE home = ? AND mark = ?", (home, mark)
        ):
            found.setdefault(name, []).append((tuple(json.loads(keys)), digest))
        return found

    def all_copied(self) -> list[tuple[str, str, str]]:
        """The (home, transaction, source) of all that `copied` knows; no source where the home
        was not yet to commit."""
        rows = self.connection.execute(
            "SELECT DISTINCT c.home, c.mark, coalesce(b.source, '') FROM copied c "
            "LEFT JOIN batch b ON b.home = c.home AND b.mark = c.mark"
        )
        return [(str(r[0]), str(r[1]), str(r[2])) for r in rows]

    def forget_copied(self, home: str, mark: str) -> None:
        """These rows are settled."""
        self.write("DELETE FROM copied WHERE home = ? AND mark = ?", (home, mark))

    def note_pair(
        self, plan: str, run: str, source: str, home: str, tables: list[str], mark: str,
        source_mark: str,
    ) -> None:  # fmt: skip
        """Rows without a key are about to be committed at home, then deleted at the source, by
        these two transactions."""
        self.write(
            "INSERT INTO pair VALUES (?, ?, ?, ?, ?, ?, ?)",
            (plan, run, source, home, json.dumps(tables), mark, source_mark),
        )

    def pairs(self) -> list[tuple[str, str, list[str], str, str]]:
        """Pairs of transactions whose end was not noted: source, home, tables, marks."""
        rows = self.connection.execute("SELECT source, home, tables, mark, source_mark FROM pair")
        return [(r[0], r[1], json.loads(r[2]), r[3], r[4]) for r in rows]

    def end_pair(self, home: str, mark: str) -> None:
        """Both transactions of the pair are settled."""
        self.write("DELETE FROM pair WHERE home = ? AND mark = ?", (home, mark))

    def finish_batches(self, source: str, home: str) -> None:
        """All that was copied from there is deleted there."""
        self.write(
            "UPDATE batch SET state = 'deleted' WHERE source = ? AND home = ?", (source, home)
        )

    # What the log does not say yet.

    def note_unsaid(self, store: str, mark: str, entries: Sequence[dict[str, Any]]) -> None:
        """What the log is to say once this transaction of a store is committed."""
        self.write(
            "INSERT OR REPLACE INTO unsaid VALUES (?, ?, ?)", (store, mark, json.dumps(entries))
        )

    def unsaid(self) -> list[tuple[str, str, list[dict[str, Any]]]]:
        """(store, transaction, entries) of which it is not noted whether the log says them."""
        rows = self.connection.execute("SELECT store, mark, entries FROM unsaid ORDER BY rowid")
        return [(str(r[0]), str(r[1]), json.loads(r[2])) for r in rows]

    def said(self, store: str, mark: str) -> None:
        """The log says it, or it was not done."""
        self.write("DELETE FROM unsaid WHERE store = ? AND mark = ?", (store, mark))

    # What is still to be purged.

    def note_purge(self, store: str, tables: Iterable[str]) -> None:
        """Rows are about to leave these tables; their bytes must go too."""
        self.write_all("INSERT OR IGNORE INTO purge VALUES (?, ?)", ((store, t) for t in tables))

    def unpurged(self, store: str) -> list[str]:
        """The tables of a store that rows left and whose bytes were not purged yet."""
        rows = self.connection.execute(
            "SELECT name FROM purge WHERE store = ? ORDER BY name", (store,)
        )
        return [str(r[0]) for r in rows]

    def purged(self, store: str, tables: Iterable[str]) -> None:
        """The bytes are gone from the live files of these tables."""
        self.write_all(
            "DELETE FROM purge WHERE store = ? AND name = ?", ((store, t) for t in tables)
        )


def _kept(columns: tuple[str, ...]) -> str:
    return json.dumps(sorted(columns)) if columns else ""
