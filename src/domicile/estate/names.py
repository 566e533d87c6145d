"""Names and paths as the estate writes them, quoted as in SQL where they need it.

    app.customer            app."User Account"          a table: label of the schema, name
    app.customer.email      events.watch.payload->user->id     a column, or a place in its JSON
    address_id.city_id.country_id.country               foreign-key hops, then a column
    <residence.country                                  backwards: a row that refers to this one

Names are exactly what is written: no case is folded, quoted or not.
"""

from __future__ import annotations

import re

from domicile.estate.model import ColumnName, Hop, Path, TableName

_PART = re.compile(
    r'\s*(?P<back><)?(?:"(?P<quoted>(?:[^"]|"")+)"|(?P<bare>[^\W\d](?:[\w$]|-(?!>))*))\s*'
)
_STEP = re.compile(r'->(?:"(?P<quoted>(?:[^"]|"")+)"|(?P<bare>(?:[\w$]|-(?!>))+))\s*')


class NameFormatError(ValueError):
    """A name that cannot be read; the loader turns it into a DeclarationError with its line."""


def parse_table(text: str) -> TableName:
    """`app.customer`. Raises NameFormatError."""
    parts, rest = _parts(text)
    if len(parts) != 2 or rest or any(back for back, _ in parts):
        raise NameFormatError(f"got '{text}', expected a table such as app.customer")
    return TableName(parts[0][1], parts[1][1])


def parse_column(text: str) -> ColumnName:
    """`events.watch.user_id` or `events.watch.payload->user->id`. Raises NameFormatError."""
    parts, rest = _parts(text)
    if len(parts) != 3 or any(back for back, _ in parts):
        raise NameFormatError(f"got '{text}', expected a column such as app.customer.email")
    steps = []
    while rest:
        match = _STEP.match(rest)
        if not match:
            raise NameFormatError(
                f"got '{text}', expected steps into JSON such as payload->user->id"
            )
        steps.append(_name(match))
        rest = rest[match.end() :]
    (_, holds), (_, table), (_, column) = parts
    return ColumnName(TableName(holds, table), column, tuple(steps))


def parse_path(text: str) -> Path:
    """Hops and then a column: `address_id.city_id.country_id.country`. Raises NameFormatError."""
    parts, rest = _parts(text)
    if rest:
        raise NameFormatError(f"got '{text}', expected names with dots between them")
    if parts[-1][0]:
        raise NameFormatError(
            f"got '{text}', expected a column after the last hop '<{parts[-1][1]}'"
        )
    return Path(tuple(Hop(name, back) for back, name in parts[:-1]), parts[-1][1])


def parse_hops(text: str) -> Path:
    """Hops only, as an `author` has: `channelId.accountId`. Raises NameFormatError."""
    parts, rest = _parts(text)
    if rest:
        raise NameFormatError(f"got '{text}', expected names with dots between them")
    return Path(tuple(Hop(name, back) for back, name in parts))


def parse_label(text: str) -> str:
    """One name: the label of a schema. Raises NameFormatError."""
    parts, rest = _parts(text)
    if len(parts) != 1 or rest or parts[0][0]:
        raise NameFormatError(f"got '{text}', expected one name such as app")
    return parts[0][1]


def _parts(text: str) -> tuple[list[tuple[bool, str]], str]:
    """The dotted parts as (backward, name), and what follows them."""
    parts, at = [], 0
    while True:
        match = _PART.match(text, at)
        if not match:
            raise NameFormatError(
                f"got '{text}', expected a name at position {at + 1}: letters, digits and _,"
                ' or anything in double quotes as in app."User Account"'
            )
        parts.append((bool(match["back"]), _name(match)))
        at = match.end()
        if text[at : at + 1] != ".":
            break
        at += 1
    rest = text[at:]
    if rest and not rest.startswith("->"):
        raise NameFormatError(f"got '{text}', expected a dot or the end at position {at + 1}")
    return parts, rest


def _name(match: re.Match[str]) -> str:
    quoted = match["quoted"]
    return quoted.replace('""', '"') if quoted is not None else match["bare"]
