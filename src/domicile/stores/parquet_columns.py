"""Some columns of a table of a lake, file by file and several files at once, without SQL.

What is asked of every row of tens of millions, and can be told from one or two plain columns, is
told here from the columns as they lie in memory: the rows come in their order, so that no number of
a row has to be read, and each thread works on what it read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from domicile.errors import StoreRefused
from domicile.stores.parquet_codes import coded
from domicile.stores.parquet_files import LakeFile
from domicile.stores.parquet_reflect import partitioned, shapes
from domicile.stores.parquet_session import THREADS, ParquetSession

BATCH = 1 << 18
"""Rows handed on at a time, at most."""

_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
"""DuckDB's types whose every value eight bytes with a sign hold."""

_T = TypeVar("_T")


def whole(session: ParquetSession, table: str, column: str) -> bool:
    """Whether a column of the files themselves holds whole numbers of up to eight bytes."""
    return (
        session.schema.tables[table].column(column).type in _WHOLE
        and _inside(session, table, column)
    )  # fmt: skip


def few(session: ParquetSession, table: str, column: str) -> bool:
    """Whether every file holds a column of texts as codes for few of them."""
    if session.schema.tables[table].column(column).kind != "text":
        return False
    footers = (session.footers.of(file) for file in session.files[table])
    return _inside(session, table, column) and all(
        not footer.num_rows or column in coded(footer, footer.schema.to_arrow_schema())
        for footer in footers
    )


def each_file(
    session: ParquetSession, table: str, columns: Sequence[str], codes: Sequence[str],
    work: Callable[[int, Iterator[pa.RecordBatch]], _T],
) -> list[_T]:  # fmt: skip
    """What `work(number, batches)` says of each file, in their order; in several threads at once.

    `codes`: those of the columns that are read as dictionaries; each batch is of one row group.
    Raises StoreRefused when a file cannot be read or has other rows than its footer said.
    """

    def one(numbered: tuple[int, LakeFile]) -> _T:
        number, file = numbered
        try:
            return work(number, _batches(session, file, columns, codes))
        except (OSError, pa.ArrowException) as error:
            raise _refused(session.name) from error

    with ThreadPoolExecutor(THREADS, "lake-columns") as pool:
        return list(pool.map(one, enumerate(session.files[table])))


def numbers(array: pa.Array, nothing: int) -> npt.NDArray[np.int64]:
    """Whole numbers as they are worked with; `nothing` where there is none."""
    array = pc.cast(array, pa.int64())
    found: npt.NDArray[np.int64] = (
        pc.fill_null(array, nothing) if array.null_count else array
    ).to_numpy()
    return found


def _inside(session: ParquetSession, table: str, column: str) -> bool:
    """A plain column at the top of the files; those that folders tell are none."""
    files = session.files[table]
    leaves = {shape.path for shape in shapes(session.footers.of(files[0]))}
    return "." not in column and column in leaves and column not in partitioned(
        session.footers, files
    )  # fmt: skip


def _batches(
    session: ParquetSession, file: LakeFile, columns: Sequence[str], codes: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    rows = 0
    with pq.ParquetFile(file.path, pre_buffer=False, read_dictionary=list(codes)) as opened:
        for group in range(opened.metadata.num_row_groups):
            if opened.metadata.row_group(group).num_rows:
                for batch in opened.iter_batches(BATCH, [group], list(columns), use_threads=False):
                    rows += batch.num_rows
                    yield batch.select(list(columns))
    if rows != session.footers.of(file).num_rows:
        raise _refused(session.name)


def _refused(store: str) -> StoreRefused:
    return StoreRefused(
        store, "a file cannot be read: it is damaged, or was changed meanwhile",
        hint="nothing was changed; mend the file and run the same command again",
    )  # fmt: skip
