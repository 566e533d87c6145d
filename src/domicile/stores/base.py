"""What every kind of store offers: reflection, samples, and SQL sessions beside the data.

Ownership, planning and applying are written once, in a small common SQL (SQL-92 joins, temporary
tables, double-quoted names) that PostgreSQL, SQLite and DuckDB (for lakes) run; what differs is in
`Dialect`. So the work happens where the rows are, in sets, and every store gives the same answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from domicile.stores.schema import Column, Kind, Schema, Table

if TYPE_CHECKING:
    import pyarrow as pa

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Capabilities:
    """What a kind of store can do; data, so that plan, README and docs read the same table."""

    kind: str
    write: bool  # rows can be moved out, in and erased
    transactions: bool
    foreign_keys: bool
    concurrent_writers: bool  # others may write while apply runs
    live_files: bool  # its files may be looked at, when they are on this machine


class Dialect(Protocol):
    """The few places where the common SQL differs."""

    name: Literal["postgres", "sqlite", "duckdb"]

    def quote(self, name: str) -> str:
        """A name as an identifier, whatever characters it has."""
        ...

    def literal(self, text: str) -> str:
        """A text as a string literal."""
        ...

    def table(self, name: str) -> str:
        """A table of the application, qualified and quoted."""
        ...

    def temp(self, name: str) -> str:
        """A temporary table of ours, qualified and quoted (`pg_temp."w_customer"`)."""
        ...

    def row_id(self, table: Table, alias: str) -> str:
        """One expression that tells the physical rows of a table apart within a session.

        Used only for tables without `Table.identity`. PostgreSQL: tableoid and ctid as text;
        SQLite: rowid; DuckDB over Parquet: file name and row number.
        """
        ...

    def text(self, expression: str, kind: Kind) -> str:
        """The value as canonical text: ISO dates, plain integers, lower-case uuids; NULL stays."""
        ...

    def value(self, text: str, column: Column) -> str:
        """An expression for the value of a column's kind whose canonical text an expression is."""
        ...

    def json(self, expression: str, path: Sequence[str]) -> str:
        """The text at a path inside a JSON value; NULL where the path leads nowhere."""
        ...

    def digest(self, expressions: Sequence[str]) -> str:
        """A short digest over canonical texts (NULL told from empty), equal in every engine:
        md5 in hex of the texts, each as `<length in characters>:<text>` or `-` for NULL, joined.
        It tells rows apart; it guards nothing against an adversary.
        """
        ...


class Session(Protocol):
    """One connection with temporary tables of its own and one consistent view of the data.

    A session of `read` never changes the application's tables. Closing drops the temporary tables.
    """

    name: str  # of the store, as the estate has it
    dialect: Dialect
    schema: Schema

    def execute(self, sql: str) -> int:
        """Run one statement; how many rows it touched. Raises StoreRefused, StoreUnreachable."""
        ...

    def query(self, sql: str) -> list[Row]:
        """Run one query and fetch all its rows; for results that are small by construction."""
        ...

    def stream(self, sql: str, size: int = 10_000) -> Iterable[list[Row]]:
        """Run one query and yield its rows in lists of `size`; memory stays flat."""
        ...

    def load(self, name: str, columns: Sequence[tuple[str, str]], rows: Iterable[Row]) -> int:
        """Create temporary table `name` of `(column, store's type)` and fill it in bulk."""
        ...

    def analyse(self, name: str) -> None:
        """Tell the store's planner about a temporary table, where that helps."""
        ...


@runtime_checkable
class CanView(Protocol):
    """A session that keeps queries of what is cheaper to read again than to copy: a lake's."""

    def view(self, name: str, select: str) -> None:
        """A temporary view of that name."""
        ...


@runtime_checkable
class CanArrow(Protocol):
    """A session that hands on rows without making an object of each value: a lake's."""

    def arrow(self, sql: str, size: int = 1_000_000) -> Iterator[pa.RecordBatch]:
        """Run one query and yield its rows as Arrow batches; nothing else may run meanwhile."""
        ...


class Store(Protocol):
    """One declared store, opened. Instances are made by `stores.open_store`."""

    name: str
    capabilities: Capabilities

    def reflect(self) -> Schema:
        """Tables, columns, keys, sizes, from the catalogue alone (no row is read).

        Raises StoreUnreachable; DeclarationError when the schema it should hold is not there.
        """
        ...

    def read(self) -> AbstractContextManager[Session]:
        """A session for survey and plan: one snapshot, application tables never written."""
        ...

    def sample(self, table: str, columns: Sequence[str], rows: int) -> list[Row]:
        """Up to `rows` rows spread over the table, each value as canonical text or None."""
        ...

    def settle_files(self) -> None:
        """Have the store bring its live files up to date, where it can be asked; no row changes."""
        ...

    def live_files(self) -> list[str] | None:
        """The paths that hold its live data, when they can be read from here; else None."""
        ...

    def residues(self) -> list[tuple[str, str]]:
        """What it keeps by its nature: (what, what removes it and when)."""
        ...

    def close(self) -> None:
        """Give back connections. Idempotent."""
        ...


@runtime_checkable
class CanTellPlace(Protocol):
    """A store that can say where its rows are, whatever its URL calls the place."""

    def place(self) -> str:
        """Equal for two stores of one kind exactly when they are one. Raises StoreUnreachable."""
        ...


@runtime_checkable
class CanSampleMany(Protocol):
    """A store to which a query for each table costs more than what it reads."""

    def samples(self, tables: Sequence[str], rows: int) -> Iterable[tuple[str, list[Row]]]:
        """What `sample` gives of all columns, for each of the tables, in any order."""
        ...


@runtime_checkable
class CanWrite(Protocol):
    """A store whose rows can be moved out, in and erased: those with `capabilities.write`."""

    def write(self) -> AbstractContextManager[Session]:
        """A session for apply; its transactions are the caller's."""
        ...
