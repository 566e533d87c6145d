"""Which rows of a lake are about whom, told by one scan of the referring column.

A table of a lake with one way to people, by a key that bitmaps hold, needs no work table: its rows
are looked up as they come, and what is kept is one bit a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from domicile.stores.parquet_columns import each_file, numbers, whole
from domicile.stores.parquet_session import FILE_BITS, ParquetSession
from domicile.survey.lake_bits import Bits, Marks
from domicile.survey.lake_kept import Kept, stamps

SIZE = 1 << 18
"""Rows looked up at a time."""

_NOBODY = -(1 << 63)
"""What stands for no key: no bitmap reaches that far."""


@dataclass(frozen=True)
class Rows:
    """The rows of one label: how many, about how many people, and where they are."""

    count: int
    people: int
    files: Mapping[int, npt.NDArray[np.uint8]]  # number of the file → one bit a row, packed


@dataclass(frozen=True)
class Told:
    """What one scan told about a table."""

    about: int  # rows that are about somebody
    labels: Mapping[int, Rows]  # of people to be acted on; without those that have no row
    sizes: Mapping[int, int]  # rows of each file

    def of(self, labels: range) -> Told:
        """The part of it that has these labels."""
        return Told(self.about, {n: r for n, r in self.labels.items() if n in labels}, self.sizes)

    @property
    def count(self) -> int:
        """Rows to be acted on."""
        return sum(r.count for r in self.labels.values())

    @property
    def people(self) -> int:
        """People whom they are about; each has one label."""
        return sum(r.people for r in self.labels.values())

    def files(self) -> Iterator[tuple[int, Marks]]:
        """Each file with such rows by its number, in order, and which of its rows they are."""
        for number in sorted({n for r in self.labels.values() for n in r.files}):
            size = self.sizes[number]
            found = np.zeros(size, np.bool_)
            for rows in self.labels.values():
                if number in rows.files:
                    found |= np.unpackbits(rows.files[number], count=size).view(np.bool_)
            yield number, found


def told(
    session: ParquetSession, table: str, key: str, condition: str, everyone: Bits,
    acted: Mapping[int, Bits], kept: Kept | None, column: str = "",
) -> Told:  # fmt: skip
    """What `tell` says, from what was kept where files and people are the same.

    `column`: the key is this column of whole numbers as it is; "" when it is worked out.
    """

    def anew() -> Told:
        if column and condition == "1 = 1" and whole(session, table, column):
            return tell_column(session, table, column, everyone, acted)
        return tell(session, table, key, condition, everyone, acted)

    seen = stamps(session.files[table]) if kept and condition == "1 = 1" else None
    if kept is None or seen is None:
        return anew()
    people = [(label, bits.digest) for label, bits in sorted(acted.items())]
    name = kept.key("rows", session.name, table, key, everyone.digest, people, seen)
    arrays = kept.get(name)
    if arrays is not None:
        return _unpacked(arrays, _sizes(session, table))
    found = anew()
    kept.put(name, _packed(found))
    return found


def tell(
    session: ParquetSession, table: str, key: str, condition: str, everyone: Bits,
    acted: Mapping[int, Bits],
) -> Told:  # fmt: skip
    """Look up the rows of `table` (alias `t`) by `key`, a BIGINT, where `condition` holds.

    `acted`: the people of each label that something is to be done for; all are in `everyone`.
    Raises StoreRefused when a file cannot be read.
    """
    scan = _Scan(session, table, acted)
    row = session.dialect.row_id(session.schema.tables[table], "t")
    looked = f"coalesce({key}, {_NOBODY})"
    if condition != "1 = 1":
        looked = f"CASE WHEN {condition} THEN {looked} ELSE {_NOBODY} END"
    about = 0
    query = f"SELECT {row} AS id, {looked} AS k FROM {session.dialect.table(table)} t"
    for batch in session.arrow(query, SIZE):
        rows, keys = (batch.column(i).to_numpy() for i in range(2))
        about += int(np.count_nonzero(everyone.has(keys)))
        scan.take(rows, keys)
    return Told(about, scan.found(), scan.sizes)


def tell_column(
    session: ParquetSession, table: str, column: str, everyone: Bits, acted: Mapping[int, Bits]
) -> Told:
    """As `tell`, of all rows, by a column that is `whole`; files beside each other.

    Raises StoreRefused when a file cannot be read.
    """
    sizes = _sizes(session, table)
    # Of all labels: each person has one. Threads only ever set what another may set too.
    seen = np.zeros(everyone.places, np.bool_)

    def look(
        number: int, batches: Iterator[pa.RecordBatch]
    ) -> tuple[int, dict[int, tuple[int, npt.NDArray[np.uint8]]]]:
        about = start = 0
        marks: dict[int, Marks] = {}
        for batch in batches:
            keys = numbers(batch.column(0), _NOBODY)
            about += int(np.count_nonzero(everyone.has(keys)))
            for label, people in acted.items():
                found = people.has(keys)
                who = keys[np.flatnonzero(found)]
                if len(who):
                    seen[who - people.first] = True
                    if label not in marks:
                        marks[label] = np.zeros(sizes[number], np.bool_)
                    marks[label][start : start + len(keys)] = found
            start += len(keys)
        return about, {n: (int(np.count_nonzero(m)), np.packbits(m)) for n, m in marks.items()}

    files = each_file(session, table, [column], [], look)
    labels: dict[int, Rows] = {}
    for label, people in acted.items():
        there = {number: found[label] for number, (_, found) in enumerate(files) if label in found}
        if there:
            count = sum(n for n, _ in there.values())
            bits = {number: packed for number, (_, packed) in there.items()}
            labels[label] = Rows(count, people.common(seen), bits)
    return Told(sum(about for about, _ in files), labels, sizes)


def _packed(told: Told) -> dict[str, npt.NDArray[Any]]:
    arrays: dict[str, npt.NDArray[Any]] = {"about": np.array([told.about], np.int64)}
    for label, rows in told.labels.items():
        numbers = sorted(rows.files)
        arrays[f"n{label}"] = np.array([rows.count, rows.people, *numbers], np.int64)
        arrays[f"b{label}"] = np.concatenate([rows.files[n] for n in numbers])
    return arrays


def _unpacked(arrays: Mapping[str, npt.NDArray[Any]], sizes: Mapping[int, int]) -> Told:
    labels: dict[int, Rows] = {}
    for name in arrays:
        if not name.startswith("n"):
            continue
        count, people, *numbers = (int(n) for n in arrays[name])
        ends = np.cumsum([-(-sizes[n] // 8) for n in numbers])
        parts = np.split(arrays[f"b{name[1:]}"], ends[:-1])
        labels[int(name[1:])] = Rows(count, people, dict(zip(numbers, parts, strict=True)))
    return Told(int(arrays["about"][0]), labels, sizes)


def _sizes(session: ParquetSession, table: str) -> dict[int, int]:
    """Rows of each file of a table, by its number."""
    footers = (session.footers.of(file) for file in session.files[table])
    return {number: footer.num_rows for number, footer in enumerate(footers)}


class _Scan:
    """Gathers the rows of each label; a file that is through is packed to one bit a row."""

    def __init__(self, session: ParquetSession, table: str, acted: Mapping[int, Bits]) -> None:
        self.sizes = _sizes(session, table)
        self._left = dict(self.sizes)  # rows of each file still to come
        self._acted = dict(acted)
        self._counts = dict.fromkeys(acted, 0)
        self._seen: Marks | None = None  # the people of all labels: each has one
        self._open: dict[tuple[int, int], Marks] = {}
        self._packed: dict[int, dict[int, npt.NDArray[np.uint8]]] = {n: {} for n in acted}

    def take(self, rows: npt.NDArray[np.int64], keys: npt.NDArray[np.int64]) -> None:
        """The next rows, by their ids, in whatever order."""
        if not len(rows):
            return
        files = rows >> FILE_BITS
        least, most = int(files.min()), int(files.max())
        numbers = [least] if least == most else [int(n) for n in np.unique(files)]
        for label, people in self._acted.items():
            found = np.flatnonzero(people.has(keys))
            if not len(found):
                continue
            self._counts[label] += len(found)
            if self._seen is None:
                self._seen = np.zeros(people.places, np.bool_)
            self._seen[keys[found] - people.first] = True
            places = rows[found] & ((1 << FILE_BITS) - 1)
            for number in numbers:
                mine = places if len(numbers) == 1 else places[files[found] == number]
                if len(mine):
                    self._mark(label, number, mine)
        for number in numbers:
            here = len(rows) if len(numbers) == 1 else int(np.count_nonzero(files == number))
            self._left[number] -= here
            if not self._left[number]:
                self._pack(number)

    def found(self) -> dict[int, Rows]:
        """Label → its rows; labels without rows left out."""
        for number in {n for _, n in self._open}:
            self._pack(number)
        if self._seen is None:
            return {}
        return {
            label: Rows(count, self._acted[label].common(self._seen), self._packed[label])
            for label, count in self._counts.items()
            if count
        }

    def _mark(self, label: int, number: int, places: npt.NDArray[np.int64]) -> None:
        marks = self._open.get((label, number))
        if marks is None:
            marks = self._open[label, number] = np.zeros(self.sizes[number], np.bool_)
        marks[places] = True

    def _pack(self, number: int) -> None:
        for label in self._acted:
            marks = self._open.pop((label, number), None)
            if marks is not None:
                self._packed[label][number] = np.packbits(marks)
