"""SQLite's catalogue as a `Schema`: pragmas for what they tell, the CREATE text for the rest.

What cannot be read as a plain table is never dropped in silence: it is named in `Reflected.skipped`
with the reason, for the survey to report as unknown.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

import apsw
from sqlglot.dialects.sqlite import SQLite
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from domicile.stores.schema import (
    Check,
    Column,
    ForeignKey,
    Key,
    Kind,
    OnDelete,
    Schema,
    Table,
    digest_of,
)
from domicile.stores.sqlite_text import SqliteDialect, rowid_name

WALKED = 256 * 2**20
"""Bytes of a file up to which its pages are walked (dbstat) for exact sizes and row counts."""

# Names that say more than SQLite's affinity; https://sqlite.org/datatype3.html, section 3.1.
_NAMED: dict[str, Kind] = {
    "BOOL": "bool", "BOOLEAN": "bool", "UUID": "uuid", "GUID": "uuid", "UNIQUEIDENTIFIER": "uuid",
    "DATE": "date", "TIME": "time", "DATETIME": "timestamp", "TIMESTAMP": "timestamp",
    "TIMESTAMPTZ": "timestamptz", "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "DATETIMEOFFSET": "timestamptz", "TIMESTAMP WITHOUT TIME ZONE": "timestamp",
    "INTERVAL": "interval", "JSON": "json", "JSONB": "json", "INET": "inet", "CIDR": "inet",
    "NUMERIC": "numeric", "DECIMAL": "numeric", "NUMBER": "numeric", "DEC": "numeric",
    "MONEY": "numeric", "BYTEA": "bytes", "BINARY": "bytes", "VARBINARY": "bytes",
    "STRING": "text", "ENUM": "enum", "TSVECTOR": "tsvector",
}  # fmt: skip
_AFFINITIES: tuple[tuple[str, Kind], ...] = (
    ("INT", "int"), ("CHAR", "text"), ("CLOB", "text"), ("TEXT", "text"), ("BLOB", "bytes"),
    ("REAL", "float"), ("FLOA", "float"), ("DOUB", "float"),
)  # fmt: skip
_ON_DELETE: dict[str, OnDelete] = {
    "NO ACTION": "no action", "RESTRICT": "restrict", "CASCADE": "cascade",
    "SET NULL": "set null", "SET DEFAULT": "set default",
}  # fmt: skip
_COLLATIONS = frozenset(("BINARY", "NOCASE", "RTRIM"))
"""Built in; sqlite.org/datatype3.html, section 7. Others live in the application's process."""
_SIZE = re.compile(r"\(\s*(\d+)")
_dialect = SqliteDialect()


@dataclass
class Reflected:
    """The schema, and what only SQLite's own code needs beside it."""

    schema: Schema
    skipped: list[tuple[str, str]] = field(default_factory=list)
    """(table, reason) of everything that holds data and is not in the schema."""
    full_text: dict[str, str] = field(default_factory=dict)
    """Full-text index → the application's table whose text it indexes, or itself."""


@dataclass
class _Written:
    """What only the CREATE text says."""

    checks: list[Check] = field(default_factory=list)
    deferrable: list[bool] = field(default_factory=list)  # of each REFERENCES, in order
    names: list[str] = field(default_factory=list)


def kind_of(declared: str) -> Kind:
    """The kind of a declared type: by its name where that is known, else by SQLite's affinity."""
    name = " ".join(re.sub(r"\(.*?\)", " ", declared).upper().split())
    if name in _NAMED:
        return _NAMED[name]
    return next((kind for part, kind in _AFFINITIES if part in name), "other")


def reflect(connection: apsw.Connection) -> Reflected:
    """Read the catalogue of `main`. Raises apsw.Error; the store turns it into ours.

    No row of a table is read, but for its first and last rowid and, where a primary key allows
    NULL (SQLite does, in tables with rowids), whether the key's index holds one.
    """
    written = {
        str(name): str(sql or "")
        for name, sql in connection.execute("SELECT name, sql FROM main.sqlite_schema")
    }
    triggers: dict[str, list[str]] = defaultdict(list)
    for name, table in connection.execute(
        "SELECT name, tbl_name FROM main.sqlite_schema WHERE type = 'trigger' ORDER BY name"
    ):
        triggers[str(table).lower()].append(str(name))
    found = Reflected(Schema())
    plain: dict[str, bool] = {}
    for _, name, kind, _, without_rowid, _ in sorted(
        connection.execute("PRAGMA main.table_list"), key=lambda r: str(r[1])
    ):
        if kind == "view" or str(name).lower().startswith("sqlite_"):
            continue
        if kind == "table":
            plain[str(name)] = bool(without_rowid)
        else:
            module = _module(written.get(str(name), ""))
            what = f"a virtual table ({module})" if kind == "virtual" else "of a virtual table"
            found.skipped.append((str(name), f"{what}: its rows are not read"))
            if module.lower().startswith("fts"):
                found.full_text[str(name)] = _content(written.get(str(name), "")) or str(name)
    sizes = _sizes(connection)
    tables: dict[str, Table] = {}
    for name, without_rowid in plain.items():
        columns = _columns(connection, name)
        strange = {
            c for c in (_collation(connection, name, column.name) for column in columns)
            if c.upper() not in _COLLATIONS
        }  # fmt: skip
        if strange:
            reason = f"its collation {', '.join(sorted(strange))} lives in the application only"
            found.skipped.append((name, reason))
            continue
        keys, total = _keys(connection, name, columns, without_rowid, sizes)
        table = Table(
            name, tuple(columns), tuple(keys), checks=tuple(_read(written[name]).checks),
            triggers=tuple(triggers[name.lower()]),
            estimate=_estimate(connection, name, columns, without_rowid, sizes), bytes=total,
        )  # fmt: skip
        if not table.identity and not rowid_name(table):
            found.skipped.append((name, "no key, and columns of its own hide every rowid name"))
            continue
        tables[name] = table
    for name in list(tables):
        foreign, lost = _foreign_keys(connection, tables[name], tables, _read(written[name]))
        tables[name] = replace(tables[name], foreign_keys=tuple(foreign))
        found.skipped += lost
    found.schema = Schema(tables, digest_of(tables))
    found.skipped.sort()
    return found


def _columns(connection: apsw.Connection, table: str) -> list[Column]:
    rows = list(connection.execute(f"PRAGMA main.table_xinfo({_dialect.quote(table)})"))
    single = [r for r in rows if r[5]]
    columns = []
    for _, raw, raw_type, not_null, default, part_of_key, hidden in rows:
        if hidden == 1:
            continue
        name, declared = str(raw), str(raw_type or "")
        declared = re.sub(r"\s*GENERATED ALWAYS\s*$", "", declared, flags=re.IGNORECASE)
        rowid = bool(part_of_key) and len(single) == 1 and declared.upper() == "INTEGER"
        identity = rowid and not _without_alias(connection, table)
        collation = _collation(connection, table, name)
        size = _SIZE.search(declared)
        kind = kind_of(declared)
        columns.append(
            Column(
                name,
                declared,
                kind,
                nullable=not (not_null or identity),
                generated=hidden in (2, 3),
                identity=identity,
                default=str(default or ""),
                length=int(size[1]) if size and kind == "text" else None,
                collation="" if collation.upper() == "BINARY" else collation,
            )
        )
    return columns


def _without_alias(connection: apsw.Connection, table: str) -> bool:
    """Whether an INTEGER primary key is not the rowid: `PRIMARY KEY DESC`, or WITHOUT ROWID."""
    return any(
        r[3] == "pk" for r in connection.execute(f"PRAGMA main.index_list({_dialect.quote(table)})")
    )


def _collation(connection: apsw.Connection, table: str, column: str) -> str:
    return connection.column_metadata("main", table, column)[1] or "BINARY"


def _keys(
    connection: apsw.Connection, table: str, columns: list[Column], without_rowid: bool,
    sizes: dict[str, tuple[int, int, int]],
) -> tuple[list[Key], int]:  # fmt: skip
    """The table's unique keys, and the bytes of the table with its indexes."""
    names = [c.name for c in columns]
    total = sizes.get(table, (0, 0, 0))[0]
    keys = [Key((c.name,), primary=True) for c in columns if c.identity]
    for _, index, unique, origin, partial in connection.execute(
        f"PRAGMA main.index_list({_dialect.quote(table)})"
    ):
        total += sizes.get(str(index), (0, 0, 0))[0]
        if not unique or partial:
            continue
        parts = [
            r[2] if r[1] >= 0 else None
            for r in connection.execute(f"PRAGMA main.index_xinfo({_dialect.quote(str(index))})")
            if r[5]
        ]
        if None in parts or not set(parts) <= set(names):
            continue  # over an expression
        of = tuple(str(p) for p in parts)
        nulls = any(c.nullable for c in columns if c.name in of)
        whole = origin == "pk" and (
            without_rowid or not nulls or not _has_null(connection, table, of)
        )
        name = "" if str(index).startswith("sqlite_autoindex_") else str(index)
        keys.append(Key(of, primary=whole, name=name))
    return sorted(keys, key=lambda k: (not k.primary, k.columns, k.name)), total


def _has_null(connection: apsw.Connection, table: str, columns: tuple[str, ...]) -> bool:
    """Whether a key that should be primary holds NULL; each look-up is one seek or index scan."""
    q = _dialect.quote
    wanted = " OR ".join(f"{q(c)} IS NULL" for c in columns)
    inside = f"SELECT 1 FROM {_dialect.table(table)} WHERE {wanted}"
    found = connection.execute(f"SELECT EXISTS ({inside})")
    return bool(next(iter(found))[0])


def _foreign_keys(
    connection: apsw.Connection, table: Table, tables: dict[str, Table], written: _Written
) -> tuple[list[ForeignKey], list[tuple[str, str]]]:
    """The keys whose parent is there, in the order of declaration; and those that lead nowhere."""
    groups: dict[int, list[tuple[str, Any, str, str]]] = defaultdict(list)
    for number, _, parent_name, column, parent_column, _, on_delete, _ in connection.execute(
        f"PRAGMA main.foreign_key_list({_dialect.quote(table.name)})"
    ):
        key = (str(column), parent_column, str(parent_name), str(on_delete))
        groups[int(number)].append(key)
    by_name = {name.lower(): name for name in tables}
    keys, lost = [], []
    # SQLite numbers them from the last to the first.
    for place, number in enumerate(sorted(groups, reverse=True)):
        parts = groups[number]
        parent = tables.get(by_name.get(parts[0][2].lower(), ""))
        columns = tuple(_spelled(p[0], table) for p in parts)
        to: tuple[str, ...] = ()
        if parent is not None:
            implicit = next((k.columns for k in parent.keys if k.primary), ())
            to = tuple(
                _spelled(p[1], parent) if p[1] else (implicit[i] if i < len(implicit) else "")
                for i, p in enumerate(parts)
            )
        if parent is None or "" in to or "" in columns:
            what = f"{table.name}.{', '.join(columns)}"
            lost.append((what, f"refers to {parts[0][2]}, which is not a table with that key"))
            continue
        counted = len(written.deferrable) == len(groups)
        keys.append(
            ForeignKey(
                columns, parent.name, to,
                name=written.names[place] if counted else "",
                on_delete=_ON_DELETE.get(parts[0][3].upper(), "no action"),
                deferrable=counted and written.deferrable[place],
                # SQLite refuses to enforce a key whose parent columns are not unique.
                enforced=any(set(k.columns) == set(to) for k in parent.keys),
            )
        )  # fmt: skip
    return keys, lost


def _spelled(name: str, table: Table) -> str:
    """A column's real spelling, or nothing; names differ only by ASCII case in SQLite."""
    return next((n for n in table.names if n.lower() == name.lower()), "")


def _sizes(connection: apsw.Connection) -> dict[str, tuple[int, int, int]]:
    """Table or index → (bytes, cells of its leaves, all its cells), for files of moderate size."""
    pages = next(iter(connection.execute("PRAGMA main.page_count")))[0]
    size = next(iter(connection.execute("PRAGMA main.page_size")))[0]
    if int(pages) * int(size) > WALKED:
        return {}
    try:
        return {
            str(name): (int(total), int(leaves), int(cells))
            for name, total, leaves, cells in connection.execute(
                "SELECT name, sum(pgsize), sum(CASE pagetype WHEN 'leaf' THEN ncell ELSE 0 END), "
                "sum(ncell) FROM dbstat('main') GROUP BY name"
            )
        }
    except apsw.SQLError:
        return {}  # this build of SQLite has no dbstat


def _estimate(
    connection: apsw.Connection, table: str, columns: list[Column], without_rowid: bool,
    sizes: dict[str, tuple[int, int, int]],
) -> int:  # fmt: skip
    """Rows: counted by pages, else as ANALYZE left it, else the span of rowids."""
    if table in sizes:
        return sizes[table][2 if without_rowid else 1]
    try:
        for (stat,) in connection.execute(
            "SELECT stat FROM main.sqlite_stat1 WHERE tbl = ? AND stat IS NOT NULL", (table,)
        ):
            return int(str(stat).split(" ", 1)[0])
    except (apsw.SQLError, ValueError):
        pass  # never analysed
    if without_rowid:
        return 0
    rowid = rowid_name(Table(table, tuple(columns)))
    if not rowid:
        return 0
    edges = f"SELECT (SELECT max({rowid}) FROM {{0}}), (SELECT min({rowid}) FROM {{0}})"
    last, first = next(iter(connection.execute(edges.format(_dialect.table(table)))))
    return 0 if last is None else int(last) - int(first) + 1


def _tokens(sql: str) -> list[Token]:
    try:
        return SQLite.Tokenizer().tokenize(sql)
    except TokenError:
        return []


def _read(sql: str) -> _Written:
    """Checks, deferrability and names of constraints from a CREATE TABLE text."""
    tokens = _tokens(sql)
    out = _Written()
    depth, name, at = 0, "", 0
    while at < len(tokens):
        token = tokens[at]
        word = token.text.upper() if token.token_type is not TokenType.IDENTIFIER else ""
        if token.token_type is TokenType.L_PAREN:
            depth += 1
        elif token.token_type is TokenType.R_PAREN:
            depth -= 1
        elif depth == 1 and token.token_type is TokenType.COMMA:
            name = ""
        elif depth == 1 and word == "CONSTRAINT" and at + 1 < len(tokens):
            at += 1
            name = tokens[at].text
        elif depth == 1 and word == "CHECK" and at + 1 < len(tokens):
            end = _closing(tokens, at + 1)
            out.checks.append(Check(name, sql[tokens[at + 1].end + 1 : tokens[end].start].strip()))
            at, name = end, ""
        elif depth == 1 and word == "REFERENCES":
            out.deferrable.append(False)
            out.names.append(name)
            name = ""
        elif depth == 1 and word == "DEFERRABLE" and out.deferrable:
            out.deferrable[-1] = tokens[at - 1].text.upper() != "NOT"
        at += 1
    return out


def _closing(tokens: list[Token], start: int) -> int:
    depth = 0
    for at in range(start, len(tokens)):
        kind = tokens[at].token_type
        depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
        if depth == 0:
            return at
    return len(tokens) - 1


def _module(sql: str) -> str:
    """`fts5` of `CREATE VIRTUAL TABLE … USING fts5(…)`."""
    found = re.search(r"\bUSING\s+\"?(\w+)", sql, re.IGNORECASE)
    return found[1] if found else "unknown"


def _content(sql: str) -> str:
    """The table of `content=…` of a full-text index."""
    found = re.search(r"\bcontent\s*=\s*(?:\"([^\"]+)\"|'([^']+)'|(\w+))", sql, re.IGNORECASE)
    return next((g for g in found.groups() if g), "") if found else ""
