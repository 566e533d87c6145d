"""What the names of a table and its columns say, in several languages.

A name is folded to ASCII and split where its style splits it (`emailAddress`, `EMAIL_ADDR`,
`e-mail`); every run of its words is looked up, joined, in the vocabulary. The run nearest the end
wins, then the longest: the last word says what the value is (`email_verified` is a flag,
`password_hash` a password).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from domicile.stores.schema import Table
from domicile.survey.classify_vocabulary import (
    ABBREVIATIONS,
    ADDRESSES,
    BEHAVIOUR,
    GEOGRAPHY,
    LONGEST,
    NAMING,
    OPERATIONS,
    PEOPLE,
    PHRASES,
    PROSE,
)

BY = "names-1"
"""The version of the vocabulary and its matching; raise it when either changes a verdict."""

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_GAPS = re.compile(r"[^a-z0-9]+")
_DIGITS = re.compile(r"\d+$|^\d+")
# Words that say whose the value is, or that qualify it, and nothing of what it is.
_PREFIXES = re.compile(r"^(?:tbl|vw|dim|fact|stg|fld|col|txt|str|dt|usr|cust|emp|c|f|s)$")
# Common joins that no style marks: `customeremail`, `klantnaam`.
_PEOPLE_JOINED = tuple(sorted((p for p in PEOPLE if len(p) >= 4), key=len, reverse=True))


@dataclass(frozen=True)
class NameVerdict:
    """What a name alone says. `role` tells words with a meaning of their own from those that
    depend on the table: `naming` (name, title), `prose` (description, text), or nothing."""

    category: str
    confidence: float
    phrase: str
    role: str = ""


@dataclass(frozen=True)
class TableContext:
    """What the table as a whole is about, worked out from names and keys alone."""

    people: bool  # one row describes one person
    refers: bool  # rows belong to a person, through a key or a column named like one
    behaviour: bool  # named after something that people do
    place: bool  # a look-up table of places, languages or currencies
    address: bool  # one row is an address
    personal: bool  # any of the above but places, or one column that is plainly of people
    located: bool  # it has a street, a city or a postal code: `state` is then one of a country
    settings: bool  # one row is what somebody chose


@lru_cache(maxsize=65_536)
def words(name: str) -> tuple[str, ...]:
    """The words of a name, folded: `voornaamKlant`, `FIRST_NAME2`, `e-mail` and so on."""
    plain = name.replace("ß", "ss")
    plain = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()
    found: list[str] = []
    for word in _GAPS.split(_CAMEL.sub(" ", plain).lower()):
        if word not in PHRASES:
            word = _DIGITS.sub("", word)
        if word:
            found.append(ABBREVIATIONS.get(word, word))
    return tuple(found)


@lru_cache(maxsize=65_536)
def by_name(name: str) -> NameVerdict | None:
    """What a column's own name says, or None. Confidence: whole name, then end, then elsewhere."""
    parts = words(name)
    while len(parts) > 1 and _PREFIXES.match(parts[0]):
        parts = parts[1:]
    best: tuple[int, int, str] | None = None
    for start in range(len(parts)):
        for end in range(start + 1, len(parts) + 1):
            joined = "".join(parts[start:end])
            if len(joined) > LONGEST:
                break
            if joined in PHRASES or joined in NAMING or joined in PROSE:
                best = max(best or (0, 0, ""), (end, len(joined), joined))
    if best is None:
        return _unjoin("".join(parts))
    end, _, phrase = best
    whole = phrase == "".join(parts)
    confidence = 0.9 if whole else 0.8 if end == len(parts) else 0.65
    if phrase in NAMING or phrase in PROSE:
        role = "naming" if phrase in NAMING else "prose"
        if role == "naming" and any(part in PEOPLE for part in parts[:end]):
            return NameVerdict("user.name", 0.8, "".join(parts[:end]))
        return NameVerdict("", 0.0, phrase, role)
    if phrase in ("id", "uuid", "guid", "number", "no", "nr", "type", "code") and not whole:
        # `passport_no`, `mobile_nr`: the word before says what the number is.
        before = by_name("_".join(parts[: end - 1])) if end > 1 else None
        if phrase in ("number", "no", "nr") and before and before.category.startswith("user."):
            return NameVerdict(before.category, 0.8, before.phrase + phrase)
    return NameVerdict(PHRASES[phrase], confidence, phrase)


def _unjoin(joined: str) -> NameVerdict | None:
    """`customeremail`, `klantnaam`: a word for a person and a phrase, written as one."""
    for person in _PEOPLE_JOINED:
        rest = joined.removeprefix(person)
        if rest != joined and len(rest) >= 3:
            if rest in PHRASES:
                return NameVerdict(PHRASES[rest], 0.75, rest)
            if rest in NAMING:
                return NameVerdict("user.name", 0.75, joined)
    # `factuurnummer`: a number of something that no phrase knows; its values are looked at first.
    if joined.endswith(("nummer", "number")):
        return NameVerdict(OPERATIONS, 0.55, joined[-6:])
    return None


def names_people(name: str) -> bool:
    """Whether a table's or a column's name has a word for people: `app_user`, `klant_id`."""
    return any(word in PEOPLE for word in words(name))


_STRONG = (
    "user.name.first", "user.name.last", "user.contact.email", "user.account.username",
    "user.authorization.password", "user.demographic.date_of_birth", "user.demographic.gender",
    "user.government_id.national_identification_number",
)  # fmt: skip


_LOCATED = (
    "user.contact.address.street", "user.contact.address.city", "user.contact.address.postal_code",
)  # fmt: skip


def context(table: Table) -> TableContext:
    """What the table is about. Pure; reads names and keys only."""
    parts = words(table.name)
    told = {v.category for column in table.columns if (v := by_name(column.name))}
    strong = told.intersection(_STRONG)
    keyed = {column for key in table.foreign_keys for column in key.columns}
    people_keys = any(
        words(key.parent)[-1:] and words(key.parent)[-1] in PEOPLE for key in table.foreign_keys
    ) or any(
        names_people(name) and (name in keyed or words(name)[-1] in ("id", "uuid", "key", "fk"))
        for name in table.names
    )
    headed = bool(parts) and any(word in PEOPLE for word in parts[-1:])
    place = bool(parts) and parts[-1] in GEOGRAPHY and not strong
    people = headed or len(strong) >= 2
    address = any(word in ADDRESSES for word in parts)
    return TableContext(
        people=people,
        refers=people_keys,
        behaviour=any(word in BEHAVIOUR for word in parts),
        place=place,
        address=address,
        located=bool(told.intersection(_LOCATED)),
        personal=people or people_keys or address or bool(strong),
        settings=any(
            word.startswith(("setting", "preference", "voorkeur", "einstellung")) for word in parts
        ),
    )


__all__ = ["BY", "OPERATIONS", "NameVerdict", "TableContext", "by_name", "context", "names_people",
           "words"]  # fmt: skip
