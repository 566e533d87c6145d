"""The journal of files that are being moved: what a killed run leaves is told from it."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from domicile.survey.state import State

_TABLE = """
CREATE TABLE IF NOT EXISTS lake_file (
  store TEXT NOT NULL, source TEXT NOT NULL, home TEXT NOT NULL, placed TEXT NOT NULL,
  name TEXT NOT NULL, seen TEXT NOT NULL, placed_mark TEXT NOT NULL, rest_mark TEXT NOT NULL,
  rows INTEGER NOT NULL, size INTEGER NOT NULL, digest TEXT NOT NULL,
  PRIMARY KEY (store, source)
) WITHOUT ROWID
"""


@dataclass(frozen=True)
class Swap:
    """One file about to be swapped. Marks tell files apart (size, time, inode), as text.

    The source is as surveyed (`seen`): nothing was removed yet. It is the rest (`rest_mark`, or
    not there when that is ""): the swap was done.
    """

    store: str
    source: str  # relative to the lake
    home: str  # the store; "" for an erasure
    placed: str  # the file at home, relative to its lake; "" when this swap makes none
    name: str  # the table, as the estate names it
    seen: str
    placed_mark: str
    rest_mark: str
    rows: int
    size: int
    digest: str  # of the rows that go; "" for an erasure


class LakeJournal:
    """The part of the state file that is about lakes. Every write is durable when it returns; one
    that fails raises Stopped."""

    def __init__(self, state: State) -> None:
        """Raises Stopped when the state file cannot be written."""
        self._state = state
        state.write(_TABLE)

    def note(self, swap: Swap) -> None:
        """A file is about to get its name at home, and then to be replaced at the source."""
        marks = ", ".join("?" * 11)
        self._state.write(f"INSERT INTO lake_file VALUES ({marks})", astuple(swap))

    def unsettled(self) -> list[Swap]:
        """Swaps whose end was not noted."""
        rows = self._state.connection.execute("SELECT * FROM lake_file ORDER BY store, source")
        return [Swap(*row) for row in rows]

    def end(self, swap: Swap) -> None:
        """The swap was carried out, or taken back."""
        self._state.write(
            "DELETE FROM lake_file WHERE store = ? AND source = ?", (swap.store, swap.source)
        )
