"""One file of a lake split in two: rows that go, and rows that stay. One scan writes both.

A task is plain data and the work touches only the files it names, so that the same function runs
here, in a process pool, or on another machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import BoundedSemaphore

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from domicile.apply.lake_codes import as_codes, described, tidied
from domicile.apply.lake_digest import RowsDigest
from domicile.apply.lake_fates import GOES, GONE, STAYS
from domicile.durable.files import sync
from domicile.errors import FidelityError, StoreRefused
from domicile.stores.parquet_codes import coded
from domicile.stores.parquet_files import Mark
from domicile.stores.parquet_reflect import differing, shapes, unreadable

BATCH = 131_072
"""Rows read at a time."""

BUFFER = 256 * 2**20
"""Bytes of rows kept for one row group; a larger group of the source becomes several."""

WORKERS = 2
"""Files written or read back at the same time; each needs memory for its row groups."""

_AT_WORK = BoundedSemaphore(WORKERS)
"""Held by whoever needs a processor: others wait for the disk meanwhile."""

_STEP = 1024
"""Values that Arrow encodes at a time when nothing is said; more are faster where they are short,
and a page may become larger than a megabyte by so many."""

_PAGE = 131_072
"""Rows of a page, at most, where no index leads to pages; a page also ends at a megabyte."""

_ABOUT_SCHEMA = (b"pandas", b"parquet.avro.schema", b"avro.schema", b"writer.model.name")
"""Footer texts that say what columns mean. Others may say what rows held, and are left out."""


@dataclass(frozen=True)
class Task:
    """What is to be done with one file."""

    store: str
    relative: str  # the file's name in the lake, for messages
    source: str
    mark: Mark
    fates: bytes  # one byte a row
    home: str  # where the rows that go are written; "" when none do
    rest: str  # where the rows that stay are written
    keep_empty: bool = False  # write `rest` although no row stays


@dataclass(frozen=True)
class Part:
    """A file that was written, made durable, and read back."""

    rows: int
    size: int
    digest: str
    mark: Mark


@dataclass(frozen=True)
class Split:
    """What a task came to. `changed`: the source is no longer the file that was surveyed."""

    home: Part | None = None
    rest: Part | None = None
    changed: bool = False


def split(task: Task) -> Split:
    """Write both sides under their temporary names, make them durable, read them back.

    Nothing that a reader of the lake sees is changed. Raises StoreRefused naming the file, and
    FidelityError naming a column or type that would not come back as it was.
    """
    try:
        with _AT_WORK, _opened(task.source) as source:
            if not _as_surveyed(task):
                return Split(changed=True)
            sides = _write(task, source)
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, FileNotFoundError) and not Path(task.source).exists():
            return Split(changed=True)
        raise unreadable(task.store, task.relative, error) from error
    written = [(path, side) for path, side in zip((task.home, task.rest), sides, strict=True)]
    try:
        for path, side in written:
            if side:
                sync(Path(path))
        with _AT_WORK:
            parts = [_read_back(task, p, side, source) if side else None for p, side in written]
    except (OSError, pa.ArrowException) as error:
        raise unreadable(task.store, f"what was written of {task.relative}", error) from error
    return Split(parts[0], parts[1]) if _as_surveyed(task) else Split(changed=True)


def _as_surveyed(task: Task) -> bool:
    try:
        return Mark.of(Path(task.source).stat()) == task.mark
    except FileNotFoundError:
        return False


def write_empty(store: str, relative: str, like: Path, path: Path) -> None:
    """A file without rows and with the schema of another, durable when this returns.

    Raises StoreRefused, FidelityError; then there is no such file.
    """
    try:
        with _opened(str(like)) as source, ExitStack() as stack:
            side = _Side(source, str(path), store, stack)
            side.table(side.schema.empty_table())
            stack.pop_all().close()
            said = differing(shapes(source.footer), shapes(pq.read_metadata(path)))
    except (OSError, pa.ArrowException) as error:
        path.unlink(missing_ok=True)
        raise unreadable(store, relative, error) from error
    if said:
        path.unlink()
        raise _lossy(store, relative, said)
    sync(path)


# Writing.


@dataclass(frozen=True)
class _Open:
    """A file that is read, some of its columns as codes."""

    file: pq.ParquetFile
    footer: pq.FileMetaData
    schema: pa.Schema  # as its readers see it
    codes: list[str]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows in their order, without the empty row groups that some writers leave."""
        for group in range(self.footer.num_row_groups):
            # One at a time: a batch over two groups would have two dictionaries to unite.
            if self.footer.row_group(group).num_rows:
                yield from self.file.iter_batches(BATCH, [group], use_threads=False)


@contextmanager
def _opened(path: str, codes: list[str] | None = None) -> Iterator[_Open]:
    """Open a file; `codes`: the columns to read as codes, left out: those where it pays."""
    with pq.ParquetFile(path, pre_buffer=False) as file:
        footer, schema = file.metadata, file.schema_arrow
        if codes is None:
            codes = coded(footer, schema)
        if not codes:
            yield _Open(file, footer, schema, codes)
            return
    with pq.ParquetFile(path, pre_buffer=False, read_dictionary=codes) as file:
        yield _Open(file, file.metadata, schema, codes)


class _Side:
    """One of the two files being written, in row groups as large as the source's."""

    def __init__(self, source: _Open, path: str, store: str, stack: ExitStack) -> None:
        self.digest = RowsDigest(source.schema, store, source.codes)
        self._group = max(1, *_group_sizes(source.footer))
        self._kept: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0
        plain = source.schema.with_metadata(_metadata(source.schema))
        self.schema = as_codes(plain, source.codes)
        options = _options(source.footer)
        self._writer = stack.enter_context(
            pq.ParquetWriter(path, self.schema, store_schema=False, **options)
        )
        self._writer.add_key_value_metadata(described(plain))
        stack.callback(self.flush)

    def take(self, batch: pa.RecordBatch) -> None:
        if not batch.num_rows:
            return
        self.digest.update(batch)
        start = 0
        while start < batch.num_rows:
            piece = batch.slice(start, self._group - self._rows)
            start += piece.num_rows
            self._kept.append(piece)
            self._rows += piece.num_rows
            self._bytes += piece.nbytes
            if self._rows >= self._group or self._bytes >= BUFFER:
                self.flush()

    def flush(self) -> None:
        if self._kept:
            self.table(pa.Table.from_batches(self._kept))
            self._kept, self._rows, self._bytes = [], 0, 0

    def table(self, table: pa.Table) -> None:
        table = tidied(table).cast(self.schema).replace_schema_metadata(self.schema.metadata)
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))


def _write(task: Task, source: _Open) -> tuple[RowsDigest | None, RowsDigest | None]:
    fates = np.frombuffer(task.fates, np.uint8)
    goes, gone = (int(np.count_nonzero(fates == fate)) for fate in (GOES, GONE))
    if len(fates) != source.footer.num_rows:
        raise StoreRefused(task.store, f"{task.relative} has another number of rows than before")
    with ExitStack() as stack:
        home = _Side(source, task.home, task.store, stack) if task.home else None
        stays = task.keep_empty or goes + gone < len(fates)
        rest = _Side(source, task.rest, task.store, stack) if stays else None
        start = 0
        for batch in source.batches():
            fate = fates[start : start + batch.num_rows]
            start += batch.num_rows
            for side, wanted in ((home, GOES), (rest, STAYS)):
                if side is not None:
                    side.take(_chosen(batch, fate == wanted))
    written = sum(s.digest.rows for s in (home, rest) if s)
    left = gone + (0 if home else goes)
    if start != len(fates) or written + left != start:
        raise StoreRefused(
            task.store, f"{task.relative}: {start} rows read, {written} written, {left} to go",
            hint="nothing was changed; run the same command again",
        )  # fmt: skip
    return (home.digest if home else None), (rest.digest if rest else None)


def _chosen(batch: pa.RecordBatch, wanted: npt.NDArray[np.bool_]) -> pa.RecordBatch:
    """Its rows where `wanted`: by their places, which takes half the time of a mask."""
    places = np.flatnonzero(wanted)
    if len(places) == batch.num_rows:
        return batch
    return batch.take(pa.array(places.astype(np.int32)))


def _group_sizes(footer: pq.FileMetaData) -> list[int]:
    return [footer.row_group(g).num_rows for g in range(footer.num_row_groups)] or [1]


def _metadata(schema: pa.Schema) -> dict[bytes, bytes]:
    return {
        k: v
        for k, v in (schema.metadata or {}).items()
        if k in _ABOUT_SCHEMA or k.startswith(b"org.apache.spark.")
    }


def _options(footer: pq.FileMetaData) -> dict[str, object]:
    """How the source was written, as far as a footer tells."""
    leaves = [footer.schema.column(i) for i in range(len(footer.schema))]
    physical = {leaf.physical_type for leaf in leaves}
    options: dict[str, object] = {
        "version": "2.6",
        "use_deprecated_int96_timestamps": "INT96" in physical,
        "use_compliant_nested_type": not any(".list.item" in leaf.path for leaf in leaves),
        "store_decimal_as_integer": any(
            leaf.logical_type.type == "DECIMAL" and leaf.physical_type in ("INT32", "INT64")
            for leaf in leaves
        ),
    }
    if footer.num_row_groups:
        group = footer.row_group(0)
        columns = [group.column(i) for i in range(group.num_columns)]
        options["compression"] = {c.path_in_schema: _codec(c.compression) for c in columns}
        options["use_dictionary"] = [
            c.path_in_schema for c in columns if any("DICTIONARY" in e for e in c.encodings)
        ]
        options["write_page_index"] = any(c.has_offset_index for c in columns)
        options["write_batch_size"] = step = _step(footer)
        if not options["write_page_index"]:
            # Small pages serve readers that pass over some by that index; others pay for each.
            options["max_rows_per_page"] = max(step, _PAGE)
        options["write_statistics"] = [c.path_in_schema for c in columns if c.is_stats_set]
        if group.sorting_columns:
            options["sorting_columns"] = group.sorting_columns
    return options


def _step(footer: pq.FileMetaData) -> int:
    """Values encoded at a time, between looks at how large the page has become."""
    widest = 1.0
    for group in (footer.row_group(g) for g in range(footer.num_row_groups)):
        for column in (group.column(i) for i in range(group.num_columns)):
            widest = max(widest, column.total_uncompressed_size / max(1, column.num_values))
    return max(_STEP, min(_PAGE, int(_STEP * 1024 / widest)))


def _codec(name: str) -> str:
    return "none" if name == "UNCOMPRESSED" else name


# Reading back.


def _read_back(task: Task, path: str, sent: RowsDigest, before: _Open) -> Part:
    with _opened(path, before.codes) as written:
        said = differing(shapes(before.footer), shapes(written.footer))
        if said:
            raise _lossy(task.store, task.relative, said)
        found = RowsDigest(written.schema, task.store, before.codes)
        for batch in written.batches():
            found.update(batch)
    if (found.rows, found.text()) != (sent.rows, sent.text()):
        raise StoreRefused(
            task.store, f"what was read back of {task.relative} is not what was written: "
            f"{sent.rows} rows written, {found.rows} read",
            hint="nothing was changed; is the disk sound?",
        )  # fmt: skip
    stat = Path(path).stat()
    return Part(sent.rows, stat.st_size, sent.text(), Mark.of(stat))


def _lossy(store: str, relative: str, said: str) -> FidelityError:
    return FidelityError(
        store, f"{relative} would not come back as it was: {said}",
        hint="nothing was changed; rewrite the file with a current Parquet writer",
    )  # fmt: skip
