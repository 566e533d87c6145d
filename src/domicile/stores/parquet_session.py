"""A session over a lake: DuckDB in memory, one view for each table over a frozen list of files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

import duckdb

from domicile.stores.duckdb_session import DuckdbSession, translated
from domicile.stores.duckdb_text import DuckdbDialect
from domicile.stores.parquet_files import LakeFile
from domicile.stores.parquet_reflect import ROW, Footers, agree, partitioned, reflect
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
        self.dialect: ParquetDialect = ParquetDialect()
        self.files = files
        self.footers = footers
        self.root = root


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
