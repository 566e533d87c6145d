"""A store's schema as reflected, the same shape for every kind of store. Pure data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

Kind = Literal[
    "int", "float", "numeric", "bool", "text", "uuid", "date", "time", "timestamp", "timestamptz",
    "interval", "bytes", "json", "inet", "enum", "array", "range", "tsvector", "other",
]  # fmt: skip
"""A neutral kind of type; `Column.type` keeps the store's own spelling."""

OnDelete = Literal["no action", "restrict", "cascade", "set null", "set default"]


@dataclass(frozen=True)
class Column:
    """One column. `type` is in the store's own words, exact enough to create it again."""

    name: str
    type: str
    kind: Kind
    nullable: bool = True
    generated: bool = False  # computed by the store, never written
    identity: bool = False
    default: str = ""
    labels: tuple[str, ...] = ()  # of an enum
    length: int | None = None  # of varchar(n), char(n)
    collation: str = ""  # SQLite's, where it is not BINARY: by it references to the column compare


@dataclass(frozen=True)
class Key:
    """A unique key over plain columns (not partial, not over expressions)."""

    columns: tuple[str, ...]
    primary: bool = False
    name: str = ""


@dataclass(frozen=True)
class ForeignKey:
    """`columns` of this table refer to `parent_columns` of `parent`, in the same store."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    name: str = ""
    on_delete: OnDelete = "no action"
    deferrable: bool = False
    enforced: bool = True  # False: inferred or declared; the store does not hold it


@dataclass(frozen=True)
class Check:
    """A check constraint, its expression in the store's own SQL."""

    name: str
    expression: str


@dataclass(frozen=True)
class Table:
    """One table; a partitioned table is one table, its partitions are named here only."""

    name: str
    columns: tuple[Column, ...]
    keys: tuple[Key, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    checks: tuple[Check, ...] = ()
    partitions: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()  # enabled triggers of the user's own
    rules: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()  # why its rows may not be written, in words; they are held
    estimate: int = 0  # rows, as the catalogue guesses
    bytes: int = 0  # on disk, with indexes, as the catalogue says

    def column(self, name: str) -> Column:
        """The column of that name. Raises KeyError."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns, in order."""
        return tuple(c.name for c in self.columns)

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns that tell rows apart: primary key, else the first unique key of columns
        that may not be null, else nothing."""
        for key in sorted(self.keys, key=lambda k: not k.primary):
            if key.primary or not any(self.column(c).nullable for c in key.columns):
                return key.columns
        return ()


@dataclass(frozen=True)
class Schema:
    """All tables of one schema of one store."""

    tables: dict[str, Table] = field(default_factory=dict)
    digest: str = ""  # sha256:… over everything above that a plan depends on, sizes excluded


def digest_of(tables: Mapping[str, Table]) -> str:
    """`sha256:` and the hex digest over all that a plan depends on; sizes are left out.

    Canonical: tables in the order of their names, JSON with sorted keys.
    """
    plain = [asdict(replace(tables[n], estimate=0, bytes=0)) for n in sorted(tables)]
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
