"""A session over a lake: DuckDB in memory, one view for each table over a frozen list of files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

import duckdb
import pyarrow as pa

from domicile.errors import StoreRefused
from domicile.stores.base import Row
from domicile.stores.duckdb_session import DuckdbSession, translated
from domicile.stores.duckdb_text import DuckdbDialect
from domicile.stores.parquet_files import LakeFile
from domicile.stores.parquet_reflect import (
    ROW,
    Footers,
    agree,
    partitioned,
    reflect,
    told_ends,
)
from domicile.stores.schema import Schema, Table

MEMORY = "1GB"
"""What one session may keep in memory; the rest goes to files in its private scratch folder."""

THREADS = 2

FILE_BITS = 40
"""A row's number in its file has that many bits: a million million rows; the file's is above."""


SCRATCH = "domicile-lake-"
"""How the names of scratch folders begin; the number of the process follows."""


class ParquetDialect(DuckdbDialect):
    """DuckDB's SQL over views of files."""

    def row_id(self, table: Table, alias: str) -> str:
        """File and row number as one number: compact, and in the order of the files."""
        return f"{alias}.{self.quote(ROW)}"


class ParquetSession(DuckdbSession):
    """One view of a lake. `files[table][n]` is the file that the row ids of number n mean."""

    def __init__(
        self, name: str, connection: duckdb.DuckDBPyConnection, schema: Schema,
        files: dict[str, tuple[LakeFile, ...]], footers: Footers, root: Path,
    ) -> None:  # fmt: skip
        super().__init__(name, connection, schema)
        self.dialect = ParquetDialect()
        self.files = files
        self.footers = footers
        self.root = root

    def load(self, name: str, columns: Sequence[tuple[str, str]], rows: Iterable[Row]) -> int:
        """Create temporary table `name` of `(column, DuckDB's type)` and fill it; texts in bulk."""
        if any(kind != "text" for _, kind in columns) or not columns:
            return super().load(name, columns, rows)
        names = [c for c, _ in columns]
        return self.take(name, names, _texts(names, rows))

    def take(self, name: str, columns: Sequence[str], batches: Iterable[pa.RecordBatch]) -> int:
        """Create temporary table `name` of texts and fill it from Arrow; how many rows."""
        schema = pa.schema([(c, pa.string()) for c in columns])
        reader = pa.RecordBatchReader.from_batches(schema, batches)
        quoted = self.dialect.temp(name)
        with translated(self.name):
            self.connection.register("arrow batches", reader)
            try:
                self.connection.execute(
                    f'CREATE TEMPORARY TABLE {quoted} AS SELECT * FROM "arrow batches"'
                )
            finally:
                self.connection.unregister("arrow batches")
        return int(self.query(f"SELECT count(*) FROM {quoted}")[0][0])

    def arrow(self, sql: str, size: int = 1_000_000) -> Iterator[pa.RecordBatch]:
        """Run one query and yield its rows as Arrow batches; nothing else may run meanwhile."""
        try:
            with translated(self.name):
                reader = self.connection.sql(sql).to_arrow_reader(size)
                try:
                    yield from reader
                finally:
                    reader.close()  # whoever stops half-way leaves the connection free
        except (OSError, pa.ArrowException) as error:
            # DuckDB's words, handed on by Arrow: they may quote what stands in a file.
            raise StoreRefused(
                self.name,
                "a file cannot be read: it is damaged, or was changed meanwhile",
                hint="nothing was changed; mend the file and run the same command again",
            ) from error

    def ends(self, table: str, column: str) -> tuple[int | None, int | None]:
        """The least and the greatest whole number of a column; from the footers, where they say."""
        least, most = told_ends([self.footers.of(f) for f in self.files[table]], column)
        if least is not None and most is not None:
            return least, most
        quoted = self.dialect.quote(column)
        found: tuple[int | None, int | None] = self.query(
            f"SELECT min({quoted}), max({quoted}) FROM {self.dialect.table(table)}"
        )[0]
        return found

    def view(self, name: str, select: str) -> None:
        """A temporary view: what is asked of it is worked out from the files each time."""
        self.execute(f"CREATE OR REPLACE TEMPORARY VIEW {self.dialect.quote(name)} AS {select}")

    def segments(self, name: str, segments: Sequence[tuple[int, bytes]]) -> None:
        """A temporary table (n, bits) of pieces of a bitmap."""
        schema = pa.schema([("n", pa.int64()), ("bits", pa.binary())])
        found = pa.table([[n for n, _ in segments], [b for _, b in segments]], schema=schema)
        with translated(self.name):
            self.connection.register("arrow batches", found)
            try:
                self.connection.execute(
                    f"CREATE OR REPLACE TEMPORARY TABLE {self.dialect.quote(name)} AS "
                    'SELECT n, CAST(bits AS BIT) AS bits FROM "arrow batches"'
                )
            finally:
                self.connection.unregister("arrow batches")


def _texts(names: Sequence[str], rows: Iterable[Row]) -> Iterator[pa.RecordBatch]:
    source = iter(rows)
    schema = pa.schema([(n, pa.string()) for n in names])
    while part := list(islice(source, 100_000)):
        columns = [
            pa.array([None if v is None else str(v) for v in column], pa.string())
            for column in zip(*part, strict=True)
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


@contextmanager
def opened(
    store: str, root: Path, files: dict[str, tuple[LakeFile, ...]], footers: Footers
) -> Iterator[ParquetSession]:
    """A session that can read these files and nothing else, in a private scratch folder."""
    _sweep()
    with TemporaryDirectory(prefix=f"{SCRATCH}{os.getpid()}-") as scratch:
        connection = duckdb.connect(
            ":memory:",
            config={
                "temp_directory": scratch, "memory_limit": MEMORY, "threads": THREADS,
                "autoinstall_known_extensions": False, "autoload_known_extensions": False,
            },
        )  # fmt: skip
        try:
            with translated(store):
                connection.execute("SET TimeZone = 'UTC'")
                connection.execute("SET preserve_insertion_order = false")
                # What is read ahead while somebody works on the last batch.
                connection.execute("SET streaming_buffer_size = '16MB'")
                paths = [str(f.path) for table in files.values() for f in table]
                plain = [p for path in paths if (p := _plain(path)) != path]
                connection.execute(f"SET allowed_paths = {_list(paths + plain)}")
                connection.execute("SET enable_external_access = false")
                connection.execute("SET lock_configuration = true")
            for name, found in files.items():
                agree(store, footers, found)
                with translated(store):
                    connection.execute(_view(name, found, footers))
            with translated(store):
                connection.execute("BEGIN TRANSACTION")
            schema = reflect(store, connection, footers, files)
            yield ParquetSession(store, connection, schema, files, footers, root)
        finally:
            connection.close()


def _sweep() -> None:
    """Remove the scratch folders of processes that were killed: they may hold values of rows."""
    for folder in Path(gettempdir()).glob(f"{SCRATCH}*"):
        number = folder.name.removeprefix(SCRATCH).partition("-")[0]
        if number.isdecimal() and folder.is_dir() and folder.stat().st_uid == os.getuid():
            try:
                os.kill(int(number), 0)
            except ProcessLookupError:
                shutil.rmtree(folder, ignore_errors=True)
            except PermissionError:
                continue  # the number belongs to somebody else's process now


def _view(name: str, files: Sequence[LakeFile], footers: Footers) -> str:
    d = DuckdbDialect()
    hive = "true" if partitioned(footers, files) else "false"
    paths = _list([_plain(str(f.path)) for f in files])
    return (
        f"CREATE VIEW {d.table(name)} AS SELECT *, "
        f"(CAST(file_index AS BIGINT) << {FILE_BITS}) + file_row_number AS {d.quote(ROW)} "
        f"FROM read_parquet({paths}, hive_partitioning = {hive}, hive_types_autocast = false)"
    )


def _list(texts: Sequence[str]) -> str:
    return "[" + ", ".join("'" + t.replace("'", "''") + "'" for t in texts) + "]"


def _plain(path: str) -> str:
    """A path that DuckDB takes as it is: characters of patterns stand for themselves."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in path)
