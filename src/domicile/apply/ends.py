"""The two ends of a move: transactions, what has changed since it was read, quiet writing.

One class a kind of store; `end_of` finds it. Conditions are SQL over the alias of a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Protocol, cast

from domicile.errors import UsageError
from domicile.stores.base import Row, Session


class End(Protocol):
    """One store while apply writes it."""

    concurrent: bool
    """Whether others may write between the snapshot and the deletion."""

    @property
    def session(self) -> Session:
        """The session of `write` that it works in."""
        ...

    spent: bool
    """Its snapshot is over and others may have written since, so nothing more may be deleted by
    what was surveyed in it; never true of one that can tell what changed."""

    tells: bool
    """Whether it can say which of our transactions wrote a row (`ours`)."""

    def alone(self) -> None:
        """Be the only apply at work in this store until the session ends.

        Waits for what a killed run left working in the store. Raises StoreBusy.
        """
        ...

    def snapshot(self) -> str:
        """Begin the transaction in which rows are read; a mark of what is visible in it."""
        ...

    def in_order(self) -> None:
        """Read rows in the order in which they lie, for the rest of the open transaction."""
        ...

    def begin(self) -> str:
        """Begin a transaction that writes, with triggers and cascades quiet; a mark of its own."""
        ...

    def give_way(self) -> None:
        """Wait for others' locks only shortly in this transaction: StoreBusy comes before the
        store has to break a deadlock, perhaps at their cost."""
        ...

    def seal(self) -> None:
        """Leave in the open transaction what `committed` needs to know about it."""
        ...

    def commit(self) -> None:
        """Make it durable."""
        ...

    def rollback(self) -> None:
        """Give it up. Harmless when nothing was begun."""
        ...

    def unchanged(self, alias: str, seen: str) -> str:
        """The row is as it was at the snapshot `seen`; false when in doubt."""
        ...

    def ours(self, alias: str, marks: Sequence[str]) -> str:
        """The row was last written by one of our transactions `marks`."""
        ...

    def touch(self, table: str, condition: str) -> int | None:
        """Make rows (alias `t`) the open transaction's own, unchanged; how many.

        None when that cannot be done: then `ours` knows them under an older mark.
        """
        ...

    def place(self, table: str) -> str:
        """Where new rows of the table will come, for `written`; "" when that cannot be said."""
        ...

    def written(self, alias: str, mark: str, place: str) -> str | None:
        """The row was written by the open transaction `mark`, from `place` on; None when the
        store cannot tell."""
        ...

    def lock_table(self, table: str) -> None:
        """Let nobody else write the table until the end of the transaction."""
        ...

    def lock(self, select: str, alias: str, *, shared: bool = False) -> int:
        """Lock the rows of a SELECT until the end of the transaction; how many they are.

        `shared`: others may go on to refer to them, and may not change or delete them.
        """
        ...

    def committed(self, mark: str) -> bool | None:
        """Whether the transaction of that mark was committed; None when the store forgot."""
        ...

    def pair_mark(self, mark: str, places: Mapping[str, str]) -> str:
        """A mark by which `of_pair` finds rows without a key that were written after `places`."""
        ...

    def of_pair(self, alias: str, table: str, mark: str) -> str:
        """The row is one of those that a mark of `pair_mark` was made for."""
        ...

    def stands(self, mark: str) -> bool:
        """Whether `of_pair` still finds those rows, and no others, by a mark of `pair_mark`."""
        ...

    def fill(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> int:
        """Insert rows: canonical texts into PostgreSQL, Python's values into SQLite.

        Raises FidelityError, naming the column, for a value that would not come back.
        """
        ...


ENDS = {
    "postgres": ("domicile.apply.postgres_end", "PostgresEnd"),
    "sqlite": ("domicile.apply.sqlite_end", "SqliteEnd"),
    "duckdb": ("domicile.apply.lake_end", "LakeEnd"),
}
"""Dialect → where its end is; imported when a store needs it, as some bring much with them."""


def end_of(session: Session) -> End:
    """The end for a session of `write`. Raises UsageError for a store that cannot be written."""
    found = ENDS.get(session.dialect.name)
    if found is None:
        raise UsageError(f"rows cannot be moved in {type(session).__name__} yet")
    module, name = found
    return cast(End, getattr(import_module(module), name)(session))
