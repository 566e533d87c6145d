"""A lake: a folder in which each table is a folder of Parquet files. Reading is DuckDB's work.

Rows are moved and erased by rewriting files (`apply/lake.py`); a store of this kind has no
transactions, so a session of `write` reads as one of `read` does, over a list of files that is
frozen when it opens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from domicile.counted import counted
from domicile.errors import DeclarationError, StoreRefused
from domicile.estate import model
from domicile.stores.base import Capabilities, Row
from domicile.stores.duckdb_session import translated
from domicile.stores.duckdb_text import DuckdbDialect
from domicile.stores.parquet_files import LakeFile, tables_of
from domicile.stores.parquet_reflect import Footers, unreadable
from domicile.stores.parquet_session import ParquetSession, opened
from domicile.stores.schema import Schema, Table

CAPABILITIES = Capabilities(
    "parquet", write=True, transactions=False, foreign_keys=False,
    concurrent_writers=True, live_files=True,
)  # fmt: skip

DEEP = 400_000
"""Rows that a sample reads at most: a row group cannot be entered in the middle."""

GROUPS = 24
"""Row groups that the sample of a large table is taken from."""


class ParquetStore:
    """One lake. See `stores.base.Store`."""

    capabilities = CAPABILITIES

    def __init__(self, store: model.Store) -> None:
        self.name = store.name
        self.declared = store
        self.root = root_of(store)
        self.footers = Footers(store.name)

    def reflect(self) -> Schema:
        """Tables, columns and exact sizes, from the footers alone. No keys: a lake holds none."""
        with self.read() as session:
            return session.schema

    @contextmanager
    def read(self) -> Iterator[ParquetSession]:
        """A session over the files as listed now. Files that come later are not seen by it."""
        files = tables_of(self.name, self.root)
        with opened(self.name, self.root, files, self.footers) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[ParquetSession]:
        """What `read` gives: files are rewritten beside the session, never through it."""
        with self.read() as session:
            yield session

    def sample(self, table: str, columns: Sequence[str], rows: int) -> list[Row]:
        """Up to `rows` rows at even steps over the row groups, values as canonical text."""
        files = tables_of(self.name, self.root).get(table)
        shape = self.reflect().tables.get(table)
        missing = [c for c in columns if shape is None or c not in shape.names]
        if files is None or shape is None or missing:
            what = f"column {missing[0]!r} in " if shape else ""
            raise StoreRefused(self.name, f"there is no {what}table {table!r}")
        if rows <= 0 or not columns:
            return []
        pieces = [p for p in self._pieces(files, shape, columns, rows) if p.num_rows]
        if not pieces:
            return []
        return self._texts(pa.concat_tables(pieces), shape, columns)[:rows]

    def settle_files(self) -> None:
        """Files of a lake are never behind: each is whole when it gets its name."""

    def live_files(self) -> list[str] | None:
        """Every file of every table."""
        found = tables_of(self.name, self.root)
        return [str(f.path) for files in found.values() for f in files]

    def residues(self) -> list[tuple[str, str]]:
        """What copies of the files keep, and files with a second name."""
        found = list(_KEPT)
        try:
            tables = tables_of(self.name, self.root)
        except (StoreRefused, OSError):
            tables = {}
        linked = sum(1 for files in tables.values() for f in files if f.links > 1)
        if linked:
            found.append(
                (f"{counted(linked, 'file')} with another hard link", "delete the other names")
            )
        return found

    def close(self) -> None:
        """Nothing stays open between sessions."""

    # Samples.

    def _pieces(
        self, files: Sequence[LakeFile], shape: Table, columns: Sequence[str], rows: int
    ) -> Iterator[pa.Table]:
        """Rows of the sample, file by file: the rows whose number is a multiple of the step."""
        inside = [c for c in columns if not shape.column(c).generated]
        groups = [
            (file, group, self.footers.of(file).row_group(group).num_rows)
            for file in files
            for group in range(self.footers.of(file).num_row_groups)
        ]
        chosen = [g for g in groups if g[2]]
        if shape.estimate > DEEP:  # a table of many groups is read in some of them
            chosen = chosen[:: max(1, -(-len(chosen) // GROUPS))]
        reach = {g: min(g[2], max(DEEP // len(chosen), rows)) for g in chosen}
        step = max(1, sum(reach.values()) // rows)
        number = 0  # of the first row of the group, over all that are within reach
        for file, group, total in chosen:
            size = reach[file, group, total]
            numbers = list(range(-number % step, size, step))
            number += size
            if not numbers:
                continue
            piece = self._rows(file, group, inside, numbers)
            folders = dict(file.partition)
            for name in columns:
                if name not in inside:
                    value = pa.array([folders[name]] * piece.num_rows, pa.string())
                    piece = piece.append_column(name, value)
            yield piece.select(list(columns))

    def _rows(self, file: LakeFile, group: int, columns: list[str], numbers: list[int]) -> pa.Table:
        try:
            with pq.ParquetFile(file.path) as opened_file:
                batches = opened_file.iter_batches(16_384, [group], columns, use_threads=False)
                found, start = [], 0
                for batch in batches:
                    here = [n - start for n in numbers if start <= n < start + batch.num_rows]
                    if here:
                        found.append(batch.take(pa.array(here)))
                    start += batch.num_rows
                    if start > numbers[-1]:
                        break
                schema = found[0].schema if found else pa.schema([])
                return pa.Table.from_batches(found, schema)
        except (OSError, pa.ArrowException) as error:
            raise unreadable(self.name, file.relative, error) from error

    def _texts(self, found: pa.Table, shape: Table, columns: Sequence[str]) -> list[Row]:
        connection = duckdb.connect(":memory:", config={"enable_external_access": False})
        d = DuckdbDialect()
        texts = ", ".join(d.text(f"t.{d.quote(c)}", shape.column(c).kind) for c in columns)
        try:
            with translated(self.name):
                connection.execute("SET TimeZone = 'UTC'")
                connection.register("sample", found)
                rows: list[Any] = connection.execute(f"SELECT {texts} FROM sample t").fetchall()
        finally:
            connection.close()
        return [tuple(row) for row in rows]


_KEPT = (
    ("object versions and copies of the folder", "expire by the bucket's or backup's retention"),
    ("snapshots and free blocks of the disk", "go with the file system's; encrypt the disk"),
    ("catalogues and caches that engines keep of the files", "refresh or drop them there"),
)


def root_of(store: model.Store) -> Path:
    """The folder of a URL `file:///absolute`. Raises DeclarationError."""
    rest = store.url.partition(":")[2].removeprefix("//")
    if not rest:
        raise DeclarationError(
            f"store {store.name}: got no folder in its url, expected file:///path/of/the/lake"
        )
    if store.schema:
        raise DeclarationError(
            f"store {store.name}: got schema {store.schema!r}, expected none: a lake is one folder",
            hint="leave out `schema`, and let the url lead to the folder whose folders are tables",
        )
    return Path(rest).expanduser().resolve()
