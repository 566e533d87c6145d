"""What the footers of a lake's files say: columns, sizes, and that the files of a table agree."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from domicile.errors import StoreRefused
from domicile.stores.duckdb_session import translated
from domicile.stores.parquet_files import LakeFile
from domicile.stores.schema import Column, Kind, Schema, Table, digest_of

_KINDS: dict[str, Kind] = {
    "TINYINT": "int", "SMALLINT": "int", "INTEGER": "int", "BIGINT": "int", "HUGEINT": "int",
    "UTINYINT": "int", "USMALLINT": "int", "UINTEGER": "int", "UBIGINT": "int", "UHUGEINT": "int",
    "FLOAT": "float", "DOUBLE": "float", "BOOLEAN": "bool", "VARCHAR": "text", "UUID": "uuid",
    "DATE": "date", "TIME": "time", "TIME_NS": "time", "TIMESTAMP": "timestamp",
    "TIMESTAMP_S": "timestamp", "TIMESTAMP_MS": "timestamp", "TIMESTAMP_NS": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz", "INTERVAL": "interval", "BLOB": "bytes",
    "JSON": "json",
}  # fmt: skip
"""DuckDB's type → neutral kind. `DECIMAL(p,s)`, lists and the rest are told by their form."""


@dataclass(frozen=True)
class Shape:
    """One column of a Parquet schema, all that two files of a table must have in common."""

    path: str
    physical: str
    logical: str
    width: int
    definition: int  # levels: what is optional or repeated above and at this column
    repetition: int


class Footers:
    """Reads footers once for each file as it is."""

    def __init__(self, store: str) -> None:
        self.store = store
        self._known: dict[LakeFile, pq.FileMetaData] = {}

    def of(self, file: LakeFile) -> pq.FileMetaData:
        """The footer. Raises StoreRefused naming the file."""
        if file not in self._known:
            self._known[file] = read_footer(self.store, file)
        return self._known[file]

    def keep(self, files: Sequence[LakeFile]) -> None:
        """Forget the footers of all others."""
        self._known = {f: m for f in files if (m := self._known.get(f)) is not None}


def read_footer(store: str, file: LakeFile) -> pq.FileMetaData:
    """The footer of one file. Raises StoreRefused naming the file, never quoting its bytes."""
    try:
        return pq.read_metadata(file.path)
    except (OSError, pa.ArrowException) as error:
        raise unreadable(store, file.relative, error) from error


def unreadable(store: str, relative: str, error: Exception) -> StoreRefused:
    """One clear error for a file that is truncated, encrypted, or no Parquet file."""
    if isinstance(error, OSError) and error.errno:
        said = error.strerror or "it cannot be opened"
    elif "encrypt" in str(error).lower():
        said = "it is encrypted"
    else:
        said = "it is not a whole Parquet file (truncated, damaged, or of another kind)"
    return StoreRefused(
        store, f"{relative} cannot be read: {said}",
        hint="nothing was changed; mend or move the file and run the same command again",
    )  # fmt: skip


def shapes(footer: pq.FileMetaData) -> list[Shape]:
    """The columns of a footer, nested ones by their leaves."""
    schema = footer.schema
    found = []
    for index in range(len(schema)):
        leaf = schema.column(index)
        found.append(
            Shape(
                leaf.path,
                leaf.physical_type,
                _logical(f"{leaf.logical_type}", leaf.physical_type),
                # Decimals may be stored wider than they need.
                0 if leaf.logical_type.type == "DECIMAL" else leaf.length,
                leaf.max_definition_level,
                leaf.max_repetition_level,
            )
        )
    return found


def _logical(written: str, physical: str) -> str:
    """A logical type without what only tells how it is spelt in the footer."""
    if physical in ("INT32", "INT64") and written == f"Int(bitWidth={physical[3:]}, isSigned=true)":
        return "None"
    return re.sub(r", is_from_converted_type=.*", ")", written)


def differing(one: list[Shape], other: list[Shape], *, nulls: bool = True) -> str:
    """The first column in which two schemas differ, in words; "" when they are equal.

    `nulls`: whether columns that may be null differ from columns that may not.
    """
    if not nulls:
        one, other = ([replace(s, definition=0) for s in side] for side in (one, other))
    mine, theirs = ({s.path: s for s in side} for side in (one, other))
    for path in [*mine, *theirs]:
        if path not in theirs or path not in mine:
            return f"column {path} is in only one of them"
        if mine[path] != theirs[path]:
            got, expected = theirs[path], mine[path]
            said = [
                f"{getattr(got, name)}, not {getattr(expected, name)}"
                for name in ("physical", "logical", "width", "definition", "repetition")
                if getattr(got, name) != getattr(expected, name)
            ]
            return f"column {path} differs: {'; '.join(said)}"
    return "" if one == other else "the order of the columns differs"


def reflect(
    store: str, connection: duckdb.DuckDBPyConnection, footers: Footers,
    tables: dict[str, tuple[LakeFile, ...]],
) -> Schema:  # fmt: skip
    """The schema of a lake; `connection` has a view for each table. Raises StoreRefused."""
    footers.keep([f for files in tables.values() for f in files])
    found = {name: _table(store, connection, footers, name, tables[name]) for name in tables}
    return Schema(found, digest_of(found))


def agree(store: str, footers: Footers, files: Sequence[LakeFile]) -> None:
    """All files of a table have one schema. Raises StoreRefused naming file and column."""
    first = shapes(footers.of(files[0]))
    for file in files[1:]:
        said = differing(first, shapes(footers.of(file)), nulls=False)
        if said:
            raise StoreRefused(
                store, f"{file.relative} has another schema than {files[0].relative}: {said}",
                hint="rewrite the files of a table to one schema, or make it two tables",
            )  # fmt: skip
    names = [tuple(n for n, _ in f.partition) for f in files]
    for file, other in zip(files, names, strict=True):
        if other != names[0]:
            raise StoreRefused(
                store, f"{file.relative} is partitioned by {', '.join(other) or 'nothing'}, "
                f"{files[0].relative} by {', '.join(names[0]) or 'nothing'}",
                hint="partition a table in one way",
            )  # fmt: skip


def told_ends(footers: Sequence[pq.FileMetaData], column: str) -> tuple[int | None, int | None]:
    """The least and the greatest whole number of a column, where every row group says them."""
    ends: list[int] = []
    for footer in footers:
        names = [footer.schema.column(i).path for i in range(len(footer.schema))]
        if column not in names:
            return None, None
        for group in range(footer.num_row_groups):
            if not footer.row_group(group).num_rows:
                continue
            said = footer.row_group(group).column(names.index(column)).statistics
            if said is None or not said.has_min_max:
                return None, None
            if not isinstance(said.min, int) or not isinstance(said.max, int):
                return None, None
            ends += [said.min, said.max]
    return (min(ends), max(ends)) if ends else (None, None)


def partitioned(footers: Footers, files: Sequence[LakeFile]) -> tuple[str, ...]:
    """Partition columns that only the folders tell; those in the files too are read there."""
    inside = {s.path.split(".", 1)[0] for s in shapes(footers.of(files[0]))}
    names = tuple(n for n, _ in files[0].partition)
    return names if not inside.intersection(names) else ()


def _table(
    store: str, connection: duckdb.DuckDBPyConnection, footers: Footers, name: str,
    files: tuple[LakeFile, ...],
) -> Table:  # fmt: skip
    hidden = partitioned(footers, files)
    required = set.intersection(
        *({s.path for s in shapes(footers.of(f)) if s.definition == 0} for f in files)
    )
    with translated(store):
        quoted = '"' + name.replace('"', '""') + '"'
        described: list[Any] = connection.execute(f"DESCRIBE {quoted}").fetchall()
    columns = tuple(
        Column(
            str(row[0]), str(row[1]), kind_of(str(row[1])), nullable=str(row[0]) not in required,
            generated=str(row[0]) in hidden,
        )
        for row in described
        if row[0] != ROW
    )  # fmt: skip
    return Table(
        name, columns, estimate=sum(footers.of(f).num_rows for f in files),
        bytes=sum(f.mark.size for f in files),
    )  # fmt: skip


ROW = "domicile row"
"""The column that each view adds: file and row number, as one number."""


def kind_of(duckdb_type: str) -> Kind:
    """The neutral kind of a type in DuckDB's words."""
    if duckdb_type.endswith("]") or duckdb_type.startswith("MAP("):
        return "array"
    if duckdb_type.startswith("DECIMAL("):
        return "numeric"
    if duckdb_type.startswith("ENUM("):
        return "enum"
    return _KINDS.get(duckdb_type, "other")
