"""Columns of few different texts as codes and a dictionary: read, written and hashed as such.

A dictionary is written as it is, with values that no row has any more: before rows are written,
theirs is made anew from what they hold.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

import numpy as np
import pyarrow as pa


def as_codes(schema: pa.Schema, names: Sequence[str]) -> pa.Schema:
    """The schema with these columns as dictionaries."""
    return pa.schema(
        [
            f.with_type(pa.dictionary(pa.int32(), f.type)) if f.name in names else f
            for f in schema
        ],
        metadata=schema.metadata,
    )  # fmt: skip


def described(schema: pa.Schema) -> dict[bytes, bytes]:
    """What Arrow puts into a footer to find the same types again, as its own writer does."""
    said = base64.b64encode(schema.serialize().to_pybytes())
    return {**(schema.metadata or {}), b"ARROW:schema": said}


def tidied(table: pa.Table) -> pa.Table:
    """The table with each dictionary made of what its rows hold, and one for each column."""
    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            column = table.column(place).unify_dictionaries().combine_chunks()
            table = table.set_column(place, field, _used(column))
    return table


def _used(column: pa.DictionaryArray | pa.ChunkedArray) -> pa.DictionaryArray:
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks else pa.array([], column.type)
    indices = column.indices
    there = indices.is_valid().to_numpy(zero_copy_only=False) if indices.null_count else None
    codes = (indices.fill_null(0) if indices.null_count else indices).to_numpy()
    held = np.zeros(len(column.dictionary), np.bool_)
    held[codes if there is None else codes[there]] = True
    if held.all():
        return column
    renamed = np.zeros(len(held), codes.dtype)
    kept = np.flatnonzero(held)
    renamed[kept] = np.arange(len(kept), dtype=codes.dtype)
    fresh = renamed[codes] if len(held) else codes
    return pa.DictionaryArray.from_arrays(
        pa.array(fresh, indices.type, mask=None if there is None else ~there),
        column.dictionary.take(pa.array(kept)),
        ordered=column.type.ordered,
    )
