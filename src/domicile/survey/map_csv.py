"""The data map as CSV: a line for each store, table, column and residence."""

from __future__ import annotations

import csv
import io
from typing import Any

from domicile.cells import safe

HEADER = (
    "store", "country", "operator", "table", "owner", "role", "column", "type", "category",
    "confidence", "by", "residence", "people", "rows",
)  # fmt: skip


def to_csv(document: dict[str, Any]) -> str:
    """The map as RFC 4180 text with CRLF; `residence` may also be unknown, several or nobody.

    A column without rows has one line, with no residence and zeros. People and rows are those of
    the table: they are the same for each of its columns, so add them up over one column only.
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(HEADER)
    for store in document["stores"]:
        for table in store["tables"]:
            owner = table["owner"]
            shares = [
                (s["residence"] or s["whose"], s["people"], s["rows"])
                for s in table["rows_by_residence"]
            ]
            for column in table["columns"]:
                for residence, people, rows in shares or [("", 0, 0)]:
                    cells = (
                        store["name"], store["country"], store["operator"], table["name"],
                        owner["subject"] or "", owner["role"], column["name"], column["type"],
                        column["category"], str(column["confidence"]), column["by"], residence,
                    )  # fmt: skip
                    writer.writerow([*map(safe, cells), people, rows])
    return file.getvalue()
