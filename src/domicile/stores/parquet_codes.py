"""Columns of few different texts, which a Parquet file holds as codes and a dictionary."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

FEW = 1.0
"""Bytes that a value takes in the file, dictionary and all, below which reading codes pays: some
256 different texts in a row group."""


def coded(footer: pq.FileMetaData, schema: pa.Schema) -> list[str]:
    """The columns of plain texts that every row group holds as codes for few of them."""
    places = {footer.schema.column(i).path: i for i in range(len(footer.schema))}
    return [
        field.name
        for field in schema
        if field.type == pa.string()
        and field.name in places
        and footer.num_row_groups
        and all(_few(footer, group, places[field.name]) for group in range(footer.num_row_groups))
    ]


def _few(footer: pq.FileMetaData, group: int, place: int) -> bool:
    column = footer.row_group(group).column(place)
    if not column.num_values:
        return True
    in_codes = any("DICTIONARY" in encoding for encoding in column.encodings)
    return in_codes and column.total_uncompressed_size <= FEW * column.num_values
