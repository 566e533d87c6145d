"""SQLite's part of the common SQL, and the canonical text of its values.

SQLite types values, not columns, so a column may hold anything. `canonical` therefore looks at the
value first and at the column's kind second, and leaves alone what it does not recognise. What it
does recognise is written as PostgreSQL writes it under our settings, so that a key is the same text
in every kind of store:

    bool         '1', '0'
    int          decimal digits
    float        shortest digits that read back as the same double; exponent below 1e-4, from 1e15
    numeric      plain decimal, no exponent, no trailing zeros
    uuid         lower case with hyphens, also from 16 bytes or 32 hex digits
    date         YYYY-MM-DD
    timestamp    YYYY-MM-DD HH:MM:SS[.f], no trailing zeros; with time zone: in UTC and '+00'
    bytes        '\\x' and lower-case hex
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

import apsw

from domicile.stores.schema import Column, Kind, Table

Value = int | float | str | bytes | None

_BOOLS = {"1": "1", "t": "1", "true": "1", "0": "0", "f": "0", "false": "0"}
_STAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(?:\.(\d+))?(Z|[+-]\d\d(?::?\d\d)?)?)?\Z"
)
_CLOCK = re.compile(r"(\d\d:\d\d)(:\d\d)?(?:\.(\d+))?\Z")
_HEX32 = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\Z")
_ROWID_NAMES = ("rowid", "_rowid_", "oid")


def canonical(value: Value, kind: str) -> str | None:
    """The canonical text of a value in a column of that kind; NULL stays None."""
    if value is None:
        return None
    if isinstance(value, bytes):
        whole = kind == "uuid" and len(value) == 16
        return _hyphened(value.hex()) if whole else "\\x" + value.hex()
    if isinstance(value, float):
        return _plain(repr(value)) if kind == "numeric" else real(value)
    if isinstance(value, int):
        return str(value)
    shape = _TEXTS.get(kind)
    return shape(value) if shape else value


def real(value: float) -> str:
    """A double as PostgreSQL's float8 output: shortest digits, exponent below 1e-4, from 1e15."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    written = "".join(map(str, digits))
    head = "-" if sign else ""
    power = len(written) + exponent - 1
    if written == "0":
        return head + "0"
    if -4 <= power < 15:
        return head + format(Decimal((0, digits, exponent)), "f")
    rest = "." + written[1:] if len(written) > 1 else ""
    return f"{head}{written[0]}{rest}e{power:+03d}"


def _plain(text: str) -> str:
    """A decimal without exponent and trailing zeros; a text that is none stays as it is."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if not number.is_finite():
        return text
    plain = format(number, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _hyphened(text: str) -> str:
    if not _HEX32.match(text):
        return text
    h = text.replace("-", "").lower()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def _fraction(digits: str | None) -> str:
    kept = (digits or "").rstrip("0")
    return "." + kept if kept else ""


def _date(text: str) -> str:
    found = _STAMP.match(text)
    if not found or found[5]:
        return text
    midnight = found[2] in (None, "00:00") and found[3] in (None, ":00") and not _fraction(found[4])
    return found[1] if midnight else _timestamp(text)


def _timestamp(text: str) -> str:
    found = _STAMP.match(text)
    if not found or found[5]:
        return text
    return f"{found[1]} {found[2] or '00:00'}{found[3] or ':00'}{_fraction(found[4])}"


def _timestamptz(text: str) -> str:
    found = _STAMP.match(text)
    if not found or not found[5]:
        return _timestamp(text)
    zone = found[5].replace(":", "")
    zone = "+0000" if zone == "Z" else zone.ljust(5, "0")
    try:
        moment = datetime.strptime(
            f"{found[1]} {found[2]}{found[3] or ':00'}{zone}", "%Y-%m-%d %H:%M:%S%z"
        ).astimezone(UTC)
    except (ValueError, OverflowError):
        return text
    return f"{moment.replace(tzinfo=None).isoformat(' ')}{_fraction(found[4])}+00"


def _time(text: str) -> str:
    found = _CLOCK.match(text)
    return f"{found[1]}{found[2] or ':00'}{_fraction(found[3])}" if found else text


def _bytes(text: str) -> str:
    return "\\x" + text.encode().hex()


_TEXTS = {
    "bool": lambda text: _BOOLS.get(text.lower(), text),
    "numeric": _plain, "uuid": _hyphened, "date": _date, "time": _time,
    "timestamp": _timestamp, "timestamptz": _timestamptz, "bytes": _bytes,
}  # fmt: skip
"""How a value that SQLite keeps as text is written, by the column's kind."""


def digest(*texts: Value) -> str:
    """The md5 of `stores.base.Dialect.digest`: `<length>:<text>` or `-` for NULL, joined."""
    parts = ("-" if t is None else f"{len(str(t))}:{t!s}" for t in texts)
    return hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest()


def walk(document: Value, path: str) -> str | None:
    """The text at a path (a JSON array of steps) in a JSON text, as PostgreSQL's jsonb gives it.

    None where the path leads nowhere, to null, or where the text is not JSON.
    """
    try:
        found = json.loads(str(document), parse_float=Decimal)
    except ValueError:
        return None
    for step in json.loads(path):
        if isinstance(found, dict):
            found = found.get(step)
        elif isinstance(found, list) and re.fullmatch(r"-?\d{1,9}", step):
            at = int(step)
            found = found[at] if -len(found) <= at < len(found) else None
        else:
            return None
    return found if found is None or isinstance(found, str) else _jsonb(found)


def _jsonb(value: Any) -> str:
    """A JSON value in jsonb's spelling: shorter keys first, a space after each comma and colon."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda k: (len(k.encode()), k.encode()))
        return "{" + ", ".join(f"{_jsonb(k)}: {_jsonb(value[k])}" for k in keys) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_jsonb, value)) + "]"
    return (
        format(value, "f") if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)
    )


def install(connection: apsw.Connection) -> None:
    """Give a connection the functions that `SqliteDialect` writes."""

    def text(*given: Value) -> Value:
        return canonical(given[0], str(given[1]))

    def at_path(*given: Value) -> Value:
        return walk(given[0], str(given[1]))

    connection.create_scalar_function("domicile_text", text, 2, deterministic=True)
    connection.create_scalar_function("domicile_json", at_path, 2, deterministic=True)
    connection.create_scalar_function("domicile_digest", digest, deterministic=True)


def rowid_name(table: Table) -> str:
    """A name of the rowid that no column of the table hides; empty when all three are hidden."""
    taken = {name.lower() for name in table.names}
    return next((n for n in _ROWID_NAMES if n not in taken), "")


class SqliteDialect:
    """The common SQL as SQLite writes it; `database` is `main` or an attached one's alias."""

    name: Literal["sqlite"] = "sqlite"

    def __init__(self, database: str = "main") -> None:
        self.database = database

    def quote(self, name: str) -> str:
        """A name as an identifier."""
        return '"' + name.replace('"', '""') + '"'

    def literal(self, text: str) -> str:
        """A text as a string literal; one with a NUL goes through its bytes."""
        if "\0" in text:
            return f"CAST(X'{text.encode().hex()}' AS TEXT)"
        return "'" + text.replace("'", "''") + "'"

    def table(self, name: str) -> str:
        """A table of the application."""
        return f"{self.quote(self.database)}.{self.quote(name)}"

    def temp(self, name: str) -> str:
        """A temporary table of ours."""
        return f'"temp".{self.quote(name)}'

    def row_id(self, table: Table, alias: str) -> str:
        """The rowid as text, under a name that no column of the table hides.

        Tables WITHOUT ROWID always have a primary key, so they never come here.
        """
        return f"CAST({alias}.{rowid_name(table) or 'rowid'} AS TEXT)"

    def text(self, expression: str, kind: Kind) -> str:
        """The canonical text; what is stored plainly never leaves SQLite's own code."""
        plain = "text" if kind in _PLAIN_TEXT else "integer"
        same = expression if plain == "text" else f"CAST({expression} AS TEXT)"
        return (
            f"CASE typeof({expression}) WHEN 'null' THEN NULL WHEN '{plain}' THEN {same} "
            f"ELSE domicile_text({expression}, '{kind}') END"
        )

    def value(self, text: str, column: Column) -> str:
        """The value of that canonical text, as a column of the kind stores it.

        Not by the declared type: a column may have none, and CAST makes a number of a date. Where
        whole numbers and texts may stand in one column, what reads as a number is taken for one.
        """
        if column.kind == "bytes":
            return f"unhex(substr({text}, 3))"
        if column.kind in ("int", "other"):
            whole = f"CAST({text} AS INTEGER)"
            return f"CASE WHEN CAST({whole} AS TEXT) = {text} THEN {whole} ELSE {text} END"
        affinity = _CAST.get(column.kind)
        return f"CAST({text} AS {affinity})" if affinity else text

    def json(self, expression: str, path: Sequence[str]) -> str:
        """The text at a path inside a JSON value, also in SQLite's binary form of JSON."""
        binary = f"typeof({expression}) = 'blob' AND json_valid({expression}, 8)"
        text = f"CASE WHEN {binary} THEN json({expression}) ELSE {expression} END"
        return f"domicile_json({text}, {self.literal(json.dumps(list(path)))})"

    def digest(self, expressions: Sequence[str]) -> str:
        """An md5 of canonical texts: tells rows apart, guards nothing against an adversary."""
        return f"domicile_digest({', '.join(expressions)})"


_CAST: dict[Kind, str] = {
    "bool": "INTEGER", "float": "REAL", "numeric": "NUMERIC",
}  # fmt: skip
_PLAIN_TEXT = frozenset(
    ("text", "json", "inet", "enum", "interval", "array", "range", "tsvector", "other")
)
