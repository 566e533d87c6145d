"""DuckDB's part of the common SQL; the canonical texts are those of `sqlite_text`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from domicile.stores.schema import Column, Kind, Table


class DuckdbDialect:
    """The common SQL as DuckDB writes it; `database` is the catalogue that holds the tables."""

    name: Literal["postgres", "sqlite", "duckdb"] = "duckdb"

    def __init__(self, database: str = "memory") -> None:
        self.database = database

    def quote(self, name: str) -> str:
        """A name as an identifier."""
        return '"' + name.replace('"', '""') + '"'

    def literal(self, text: str) -> str:
        """A text as a string literal; one with a NUL is put together around it."""
        parts = ["'" + part.replace("'", "''") + "'" for part in text.split("\0")]
        return parts[0] if len(parts) == 1 else "(" + " || chr(0) || ".join(parts) + ")"

    def table(self, name: str) -> str:
        """A table of the application."""
        return f'{self.quote(self.database)}."main".{self.quote(name)}'

    def temp(self, name: str) -> str:
        """A temporary table of ours; made with CREATE TEMPORARY TABLE, which DuckDB insists on."""
        return f'"temp"."main".{self.quote(name)}'

    def row_id(self, table: Table, alias: str) -> str:
        """DuckDB's own row number as text."""
        return f"CAST({alias}.rowid AS VARCHAR)"

    def value(self, text: str, column: Column) -> str:
        """The value of that canonical text."""
        return f"CAST({text} AS {column.type})"

    def text(self, expression: str, kind: Kind) -> str:
        """The canonical text of a value of that kind."""
        written = f"CAST({expression} AS VARCHAR)"
        if kind == "bool":
            return f"(CASE WHEN {expression} THEN '1' WHEN NOT {expression} THEN '0' END)"
        if kind == "bytes":
            return f"('\\x' || lower(hex({expression})))"
        if kind == "numeric":
            return (
                f"(CASE WHEN contains({written}, '.') "
                f"THEN rtrim(rtrim({written}, '0'), '.') ELSE {written} END)"
            )
        if kind == "float":
            return _real(expression, written)
        return written

    def json(self, expression: str, path: Sequence[str]) -> str:
        """The text at a path inside a JSON value; NULL where it is not JSON."""
        pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in path)
        text = f"CASE WHEN json_valid({expression}) THEN {expression} END"
        return f"json_extract_string({text}, {self.literal(pointer)})"

    def digest(self, expressions: Sequence[str]) -> str:
        """An md5 of canonical texts: tells rows apart, guards nothing against an adversary."""
        parts = " || ".join(
            f"coalesce(CAST(length({e}) AS VARCHAR) || ':' || ({e}), '-')" for e in expressions
        )
        return f"md5({parts})"


def _real(expression: str, written: str) -> str:
    """PostgreSQL's spelling of a double: no `.0`, and an exponent from 1e15 rather than 1e16."""
    whole = f"regexp_replace({written}, '\\.0$', '')"
    # 16 digits before the point: the first stays, zeros at the end go.
    shifted = f"regexp_replace({written}, '^(-?\\d)(\\d{{15}})\\.(\\d+)$', '\\1.\\2\\3')"
    return (
        f"(CASE WHEN isnan({expression}) THEN 'NaN' "
        f"WHEN isinf({expression}) THEN CASE WHEN {expression} > 0 THEN 'Infinity' "
        f"ELSE '-Infinity' END "
        f"WHEN abs({expression}) >= 1e15 AND abs({expression}) < 1e16 "
        f"THEN rtrim(rtrim({shifted}, '0'), '.') || 'e+15' ELSE {whole} END)"
    )
