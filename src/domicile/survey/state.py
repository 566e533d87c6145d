"""What Domicile keeps for an estate between runs: stubs it left, and the journal of apply.

One SQLite file in the state directory, mode 0600: it holds keys of rows, and so belongs where the
estate is run from. It never leaves; the evidence log is what may be published.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

Keys = tuple[str | None, ...]
"""A row's identity as canonical texts."""

_TABLES = """
CREATE TABLE IF NOT EXISTS stub (
  store TEXT NOT NULL, name TEXT NOT NULL, keys TEXT NOT NULL, sure INTEGER NOT NULL,
  PRIMARY KEY (store, name, keys)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run (
  plan TEXT PRIMARY KEY, state TEXT NOT NULL, started TEXT NOT NULL, finished TEXT
);
CREATE TABLE IF NOT EXISTS batch (
  plan TEXT NOT NULL, source TEXT NOT NULL, action TEXT NOT NULL, number INTEGER NOT NULL,
  state TEXT NOT NULL, mark TEXT NOT NULL DEFAULT '', seen TEXT NOT NULL DEFAULT '',
  rows INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (plan, source, action, number)
);
CREATE TABLE IF NOT EXISTS purged (
  store TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (store, name)
);
CREATE TABLE IF NOT EXISTS moved (
  plan TEXT NOT NULL, source TEXT NOT NULL, home TEXT NOT NULL, name TEXT NOT NULL,
  rows INTEGER NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (plan, source, home, name)
);
"""


class State:
    """The state file of one estate. Every write is durable when its method returns."""

    def __init__(self, directory: Path) -> None:
        """Opens the file, making it when missing. Raises sqlite3.Error when it is not one."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = directory / "state.sqlite"
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self.path = path
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.executescript(_TABLES)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside are durable together, or none is."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

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

    def note_stubs(self, store: str, table: str, keys: Iterable[Keys]) -> None:
        """Note stubs that are about to be written."""
        self.connection.executemany(
            "INSERT OR IGNORE INTO stub VALUES (?, ?, ?, 0)",
            ((store, table, json.dumps(k)) for k in keys),
        )

    def sure_stubs(self, store: str, table: str, keys: Iterable[Keys]) -> None:
        """The store has committed these stubs."""
        self.connection.executemany(
            "UPDATE stub SET sure = 1 WHERE store = ? AND name = ? AND keys = ?",
            ((store, table, json.dumps(k)) for k in keys),
        )

    def remove_stubs(self, store: str, table: str, keys: Iterable[Keys]) -> None:
        """Forget stubs that were completed or taken away."""
        self.connection.executemany(
            "DELETE FROM stub WHERE store = ? AND name = ? AND keys = ?",
            ((store, table, json.dumps(k)) for k in keys),
        )

    def close(self) -> None:
        """Close the file."""
        self.connection.close()
