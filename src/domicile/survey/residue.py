"""People that no key leads to: their e-mails, user names, phones and names in text and JSON.

Set work: candidates are cut out of a whole batch of text at once and intersected with the set of
identifiers; only a batch with a hit is looked at value by value. Memory is the identifiers and one
batch. Results are counts by table, column and kind, never values.

What counts, and what is noise (docs/classification.md):

- an **e-mail** anywhere, `mailto:` and `%40` included;
- a **user name** (3 characters or more) as `@name`, `acct:name`, or a segment of a path or URL; as
  a whole value from 4; as a bare word only when it is distinctive: 6 characters or more with a
  digit or one of `._-` in it. `music` in a sentence is a word, not a person;
- a **phone** of 8 digits or more, however it is written; without its country from 9;
- a **full name** of two words or more and 7 characters or more, in the order given.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from domicile.stores.base import Row, Session
from domicile.stores.schema import Kind as TypeKind

Kind = Literal["email", "username", "phone", "name"]
Found = Literal["email", "username", "phone", "name", "unregistered"]
KINDS: tuple[Kind, ...] = ("email", "username", "phone", "name")

TEXTUAL: frozenset[TypeKind] = frozenset({"text", "json", "array", "other"})
"""Kinds of column that can hold a person outside a key."""

_SEPARATOR = "\x1e"
_PART = 64  # values looked at together once a batch has a hit
_LOCAL = r"\w\-.!#$%&'*+^`{|}~"
_EMAIL = re.compile(rf"(?<![{_LOCAL}])[{_LOCAL}]+@[\w-]+(?:\.[\w-]+)*")
# `@name@host` and `acct:name@host` are accounts elsewhere, not addresses of mail.
_MAIL_ONLY = re.compile(rf"(?<![@{_LOCAL}])(?<!acct:)[{_LOCAL}]+@[\w-]+(?:\.[\w-]+)+")
_EDGES = "'`{}|~!#$%&*^.-+"  # what may touch an address in text without being part of it
_NAMED = re.compile(r"(?:(?<![\w.])@|(?<!\w)acct:@?|(?<=[/=])@?)(\w(?:[\w.-]*\w)?)")
_PHONE = re.compile(r"\+?\(?\d(?:[ ()./-]{0,2}\d){7,16}")
_DISTINCTIVE = re.compile(r"(?=.*[\d._-]).{6,}")


def _kept(characters: bytes) -> bytes:
    """A table for `bytes.translate`: these, and all above ASCII, stay; the rest becomes a space."""
    return bytes(b if b >= 0x80 or b in characters else 0x20 for b in range(256))


_LETTERS = b"abcdefghijklmnopqrstuvwxyz"
_NAME_BYTES = _kept(_LETTERS + b"|")  # `|` stands between values
_USER_BYTES = _kept(_LETTERS + b"0123456789_.-")


def _split(text: str, keep: bytes) -> list[str]:
    """The words of a text that is case folded; several times as fast as a pattern of words."""
    plain = text.replace(_SEPARATOR, " | ").replace("\u2019", "'").replace("\xa0", " ")
    return plain.encode("utf-8", "replace").translate(keep).decode("utf-8").split()


class Identifiers:
    """The values that tell people, ready to be looked for. About 150 to 300 bytes of memory each.

    `skipped` counts by kind the values that are too short or too plain to be looked for; a caller
    that must be complete reports them.
    """

    def __init__(self, values: Iterable[tuple[Kind, str]] = ()) -> None:
        self.emails: set[str] = set()
        self.usernames: set[str] = set()
        self.names: set[tuple[str, ...]] = set()
        self._openings: set[tuple[str, ...]] = set()  # first two words of names of three and more
        self._lengths: set[int] = set()  # of those names
        self._phones: dict[str, tuple[str, ...]] = {}  # last 8 digits → numbers
        self.skipped: Counter[Kind] = Counter()
        for kind, value in values:
            self.add(kind, value)

    def __len__(self) -> int:
        phones = sum(map(len, self._phones.values()))
        return len(self.emails) + len(self.usernames) + len(self.names) + phones

    def add(self, kind: Kind, value: str) -> None:
        """Look for one more value of a person."""
        plain = value.strip().casefold()
        if kind == "email" and 0 < plain.rfind("@") < len(plain) - 1:
            self.emails.add(plain)
        elif kind == "username" and len(plain.removeprefix("@")) >= 3:
            self.usernames.add(plain.removeprefix("@"))
        elif kind == "phone" and len(number := _number(plain)) >= 8:
            have = self._phones.get(number[-8:], ())
            if number not in have:
                self._phones[number[-8:]] = (*have, number)
        elif kind == "name" and len(words := _split(plain, _NAME_BYTES)) >= 2 and len(plain) >= 7:
            self.names.add(tuple(words))
            if len(words) > 2:
                self._openings.add(tuple(words[:2]))
                self._lengths.add(len(words))
        elif plain:
            self.skipped[kind] += 1

    def found(self, kind: Kind, text: str) -> set[str]:
        """Which of them a text holds, case folded; the text may be many values joined."""
        return _FINDERS[kind](self, text)

    def _emails_in(self, text: str) -> set[str]:
        return emails_in(text) & self.emails

    def _usernames_in(self, text: str) -> set[str]:
        wholes = set(text.split(_SEPARATOR)) & self.usernames
        hits = {whole for whole in wholes if len(whole) >= 4}
        words = set(_split(text, _USER_BYTES))
        named = {word.strip(".-") for word in words} & self.usernames
        if named:
            hits |= {word for word in named if _DISTINCTIVE.fullmatch(word)}
            hits |= named.intersection(_NAMED.findall(text))
        return hits

    def _phones_in(self, text: str) -> set[str]:
        hits = set[str]()
        if self._phones:
            for written in _PHONE.findall(text):
                number = _number(written)
                for known in self._phones.get(number[-8:], ()):
                    # With its country on one side only, one number ends the other; eight bare
                    # digits are too few for that.
                    ends = known.endswith(number) or number.endswith(known)
                    if number == known or (ends and len(number) >= 9):
                        hits.add(known)
        return hits

    def _names_in(self, text: str) -> set[str]:
        if not self.names:
            return set()
        words = _split(text, _NAME_BYTES)  # `|` too, so that no name spans two values
        pairs: set[tuple[str, ...]] = set(pairwise(words))
        hits = pairs & self.names
        if pairs & self._openings:
            for size in self._lengths:
                parts = zip(*(words[n:] for n in range(size)), strict=False)
                hits |= set(parts) & self.names
        return {" ".join(name) for name in hits}


_FOUND: tuple[Found, ...] = (*KINDS, "unregistered")

_FINDERS: dict[Kind, Callable[[Identifiers, str], set[str]]] = {
    "email": Identifiers._emails_in,
    "username": Identifiers._usernames_in,
    "phone": Identifiers._phones_in,
    "name": Identifiers._names_in,
}


def emails_in(text: str) -> set[str]:
    """Every e-mail address in a text that is case folded, with each way its edges may be read."""
    if "%40" in text:
        text = text.replace("%40", "@")
    if "@" not in text:
        return set()
    found = set(_EMAIL.findall(text))
    return found | {address.lstrip(_EDGES).rstrip("-") for address in found}


def _number(written: str) -> str:
    """The digits of a phone number without what a country or trunk prefix starts with."""
    return re.sub(r"\D", "", written).lstrip("0")


@dataclass(frozen=True)
class Reading:
    """Columns of one table, and their values row by row in batches, as canonical text."""

    table: str
    columns: tuple[str, ...]
    batches: Iterable[Sequence[Row]]


@dataclass(frozen=True)
class Residue:
    """People in one column that no key leads to. `kind` "unregistered" counts e-mail addresses
    that nobody in any register has: a pending registration, a contact of somebody."""

    table: str
    column: str
    kind: Found
    rows: int
    people: int  # distinct identifiers


def readings(
    session: Session, rows: Mapping[str, str], *, size: int = 5_000,
    kinds: Container[str] = TEXTUAL,
) -> Iterator[Reading]:  # fmt: skip
    """What to read for `find_residue`: the text and JSON columns of each table in `rows`.

    `rows` maps a table's name to the SQL condition, over the table named `t`, of the rows that no
    key owns; "" reads all of them. `kinds` of column are read. Nothing is read until a reading's
    batches are.
    """
    dialect = session.dialect
    for name, condition in rows.items():
        table = session.schema.tables[name]
        columns = [column for column in table.columns if column.kind in kinds]
        if columns:
            shown = ", ".join(dialect.text(f"t.{dialect.quote(c.name)}", c.kind) for c in columns)
            where = f" WHERE {condition}" if condition else ""
            sql = f"SELECT {shown} FROM {dialect.table(name)} AS t{where}"
            yield Reading(name, tuple(c.name for c in columns), session.stream(sql, size))


def find_residue(
    read: Iterable[Reading], identifiers: Identifiers, *, registered: Identifiers | None = None
) -> list[Residue]:
    """Which columns still hold people, in the order of reading.

    With `registered`, the e-mails of everybody in a register, addresses of nobody are counted too.
    """
    found: list[Residue] = []
    for reading in read:
        rows: Counter[tuple[str, Found]] = Counter()
        people: dict[tuple[str, Found], set[str]] = defaultdict(set)
        for batch in reading.batches:
            for number, column in enumerate(reading.columns):
                values = [str(row[number]).casefold() for row in batch if row[number]]
                for kind, hits in _hits(values, identifiers, registered):
                    rows[column, kind] += 1
                    people[column, kind] |= hits
        found += [
            Residue(reading.table, column, kind, rows[column, kind], len(people[column, kind]))
            for column in reading.columns
            for kind in _FOUND
            if rows[column, kind]
        ]
    return found


def emails_of(read: Iterable[Reading], wanted: Identifiers) -> set[str]:
    """Which of the e-mail addresses stand in what is read, case folded; no more than is needed."""
    found: set[str] = set()
    for reading in read:
        for batch in reading.batches:
            values = (str(v) for row in batch for v in row if v)
            found |= wanted.found("email", _SEPARATOR.join(values).casefold())
            if len(found) == len(wanted.emails):
                return found
    return found


def _hits(
    values: list[str], identifiers: Identifiers, registered: Identifiers | None
) -> Iterator[tuple[Found, set[str]]]:
    """One (kind, identifiers) for each value and each kind of which it has a hit."""
    for value, kinds in _narrowed(values, KINDS, identifiers):
        rest = value
        for kind in kinds:
            if hits := identifiers.found(kind, rest):
                yield kind, hits
                # An address holds a user name, and that a name: each is counted once, as the
                # first of the kinds.
                for hit in hits:
                    rest = rest.replace(hit, " ")
    if registered is not None:
        for value in values:
            strangers = _MAIL_ONLY.findall(value) if "@" in value else []
            unknown = {
                address
                for address in map(_plain, strangers)
                if address not in registered.emails
                and address not in identifiers.emails
                and not address.endswith(".invalid")  # RFC 2606: nobody's; a stub's among them
            }
            if unknown:
                yield "unregistered", unknown


def _narrowed(
    values: list[str], kinds: Sequence[Kind], identifiers: Identifiers
) -> Iterator[tuple[str, Sequence[Kind]]]:
    """The values with hits, found by looking at ever smaller parts of a batch, each as one text."""
    joined = _SEPARATOR.join(values)
    some = [kind for kind in kinds if identifiers.found(kind, joined)]
    if some and len(values) > 1:
        size = _PART if len(values) > _PART else 1
        for start in range(0, len(values), size):
            yield from _narrowed(values[start : start + size], some, identifiers)
    elif some:
        yield values[0], some


def _plain(address: str) -> str:
    return address.lstrip(_EDGES).rstrip("-")


__all__ = ["KINDS", "TEXTUAL", "Found", "Identifiers", "Kind", "Reading", "Residue", "emails_in",
           "emails_of", "find_residue", "readings"]  # fmt: skip
