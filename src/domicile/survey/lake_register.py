"""A register in a lake, told from two plain columns: its key, and the country as it is written.

Countries are few and written as codes in the files: each text is judged once, and every row by its
code. What cannot be read so goes through SQL (`lake_people`), and both say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Lock

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from domicile.stores.parquet_columns import each_file, few, numbers, whole
from domicile.stores.parquet_session import ParquetSession

TEXTS = 255
"""Different texts that a byte tells apart, beside none."""


class _Odd(Exception):
    """Something that the bytes of this way do not hold: it is read through SQL instead."""


def plain(session: ParquetSession, table: str, key: str, written: str) -> bool:
    """Whether the two columns can be read so."""
    return whole(session, table, key) and few(session, table, written)


def read(
    session: ParquetSession, table: str, key: str, written: str, first: int, places: int
) -> tuple[npt.NDArray[np.uint8], list[str | None]] | None:
    """For each key from `first` on, 0 or one more than the place of its text in the list.

    None when a row has no key, two have the same, one is outside those places, or there are more
    texts than a byte tells apart. Raises StoreRefused when a file cannot be read.
    """
    found = np.zeros(places, np.uint8)
    known: dict[str | None, int] = {}
    lock = Lock()

    def number(text: str | None) -> int:
        with lock:
            if text not in known and len(known) == TEXTS:
                raise _Odd
            return known.setdefault(text, len(known) + 1)

    def take(_: int, batches: Iterator[pa.RecordBatch]) -> int:
        people = 0
        for batch in batches:
            keys, texts = batch.columns
            if keys.null_count:
                raise _Odd
            keys = numbers(keys, 0)
            if keys.min() < first or keys.max() >= first + places:
                raise _Odd  # the footers do not say what the files hold
            people += len(keys)
            found[keys - first] = _numbered(texts, number)
        return people

    try:
        people = sum(each_file(session, table, [key, written], [written], take))
    except (_Odd, UnicodeDecodeError):
        return None
    if np.count_nonzero(found) != people:
        return None
    return found, list(known)


def _numbered(
    texts: pa.DictionaryArray, number: Callable[[str | None], int]
) -> npt.NDArray[np.uint8]:
    codes = texts.indices
    table = [number(text) for text in texts.dictionary.to_pylist()]
    if codes.null_count:
        table.append(number(None))
        codes = codes.fill_null(len(table) - 1)
    said: npt.NDArray[np.uint8] = np.array(table, np.uint8).take(codes.to_numpy())
    return said
