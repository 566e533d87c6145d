"""What the values of a column look like, many patterns at once.

Two passes, both hyperscan's (docs/decisions, 3). Of a spread of the sample,
each whole value is matched against every shape a value can have; then the whole text is searched
for people's data inside longer values, until there is evidence enough. Checksums and look-ups see
a bounded part. What this module returns is counts, and a bounded list that its caller lets go.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache

import hyperscan

from domicile.survey import classify_numbers as numbers
from domicile.survey.classify_shapes import WHOLE, WITHIN

BY = "values-1"
"""The version of the patterns and thresholds; raise it when either changes a verdict."""

LOOKED_AT = 300
"""Distinct values that the slow checks (checksums, phone plans, countries) look at."""

SHAPED = 2_000
"""Values, spread over the sample, that are matched whole: a share is then within 3 points."""

EVIDENCE = 200
"""Hits inside longer values after which a search stops: more would say nothing new."""

_SEPARATOR = "\x1e"  # ASCII record separator: not expected in text, and replaced where it is
_local = threading.local()


def _database(name: str) -> hyperscan.Database:
    """This thread's compiled patterns, `whole` or `within`. Hyperscan's scratch space is not shared
    between threads (its manual, 'Scratch space'); compiling takes 0.2 s, once."""
    database: hyperscan.Database | None = getattr(_local, name, None)
    if database is None:
        if name == "whole":
            expressions = [f"\\x1e(?:{pattern})\\x1e".encode() for pattern in WHOLE.values()]
        else:
            expressions = [pattern.encode() for pattern in WITHIN.values()]
        database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        database.compile(
            expressions=expressions, ids=list(range(len(expressions))), elements=len(expressions)
        )
        setattr(_local, name, database)
    return database


@dataclass(frozen=True)
class Seen:
    """Counts of what a column's sample holds; no value of it."""

    rows: int  # values sampled, null and empty included
    filled: int
    shaped: int  # of the filled, those matched whole
    distinct: int  # of the shaped
    characters: int  # of all filled values
    counts: dict[str, int] = field(default_factory=dict)  # whole shapes, of the shaped
    within: dict[str, int] = field(default_factory=dict)  # up to EVIDENCE in all

    def share(self, *names: str) -> float:
        """The share of values that match the shapes as a whole, at most 1."""
        return min(1.0, sum(self.counts.get(n, 0) for n in names) / max(1, self.shaped))

    @property
    def mean_length(self) -> float:
        """Characters of a filled value, on average."""
        return self.characters / max(1, self.filled)

    @property
    def repeats(self) -> bool:
        """Whether few values are used over and over, as codes are."""
        return self.shaped >= 8 and self.distinct <= max(2, min(50, self.shaped // 4))


def look(sample: Sequence[str | None]) -> tuple[Seen, list[str]]:
    """Scan a sample: the counts, and up to `LOOKED_AT` distinct values for the slow checks.

    The second part holds people's data: callers use it and let it go.
    """
    filled = [value for value in sample if value and not value.isspace()]
    if not filled:
        return Seen(len(sample), 0, 0, 0, 0), []
    spread = filled[:: -(-len(filled) // SHAPED)]
    distinct = dict.fromkeys(spread)
    counts = _scan("whole", _SEPARATOR.join(v.replace(_SEPARATOR, " ") for v in spread), 0)
    text = _SEPARATOR.join(filled)
    explained = max(counts.get(n, 0) for n in ("email", "uuid", "ipv4", "phone", "date"))
    within = {} if explained == len(spread) else _scan("within", text, EVIDENCE)
    seen = Seen(len(sample), len(filled), len(spread), len(distinct), len(text), counts, within)
    return seen, list(distinct)[:LOOKED_AT]


def _scan(database: str, joined: str, limit: int) -> dict[str, int]:
    """Matches by pattern; with a limit, the search ends when that many were found."""
    names = tuple(WHOLE if database == "whole" else WITHIN)
    tally = [0] * len(names)
    found = 0

    def matched(pattern: int, _from: int, _to: int, _flags: int, _context: object) -> bool | None:
        nonlocal found
        tally[pattern] += 1
        found += 1
        return found == limit or None

    text = f"{_SEPARATOR}{joined}{_SEPARATOR}".encode("utf-8", "surrogatepass")
    with suppress(hyperscan.ScanTerminated):  # by `matched`, at the limit
        _database(database).scan(text, match_event_handler=matched)
    return {name: n for name, n in zip(names, tally, strict=True) if n}


def share(values: Sequence[str], check: Callable[[str], bool]) -> float:
    """The share of values that pass a check; 0 for none."""
    return sum(bool(check(value)) for value in values) / len(values) if values else 0.0


_COUNTRIES_BY_HABIT = frozenset({
    "russia", "turkey", "usa", "uk", "nederland", "deutschland", "españa", "belgië", "belgique",
    "italia", "holland", "czech republic", "south korea", "great britain", "england",
})  # fmt: skip


@lru_cache(maxsize=1)
def _countries() -> frozenset[str]:
    import pycountry

    found: set[str] = set()
    for country in pycountry.countries:
        for attribute in ("name", "common_name", "official_name", "alpha_3"):
            text = getattr(country, attribute, "")
            if text:
                found.add(text.casefold())
                found.add(text.casefold().split(",")[0])
    return frozenset(found | _COUNTRIES_BY_HABIT)


@lru_cache(maxsize=1)
def _country_codes() -> frozenset[str]:
    import pycountry

    return frozenset(country.alpha_2 for country in pycountry.countries) | {"UK", "EL"}


def country_share(values: Sequence[str]) -> float:
    """The share of values that name a country: its name or three-letter code (ISO 3166-1)."""
    return share(values, lambda value: value.strip().casefold() in _countries())


def country_code_share(values: Sequence[str]) -> float:
    """The share of values that are two-letter codes of ISO 3166-1, in upper case."""
    return share(values, lambda value: value.strip() in _country_codes())


_SHAPED_PHONE = re.compile(r"(?:\+|00|\(?0)[1-9]|\(?\d{2,4}\)?[ .-]\d{3}[ .-]\d{2,4}")


def phone_share(values: Sequence[str], *, bare: bool) -> float:
    """The share of values that are possible phone numbers.

    `bare` digits count only when the column's name says that it holds phones: bare numbers are
    not people.
    """
    if bare:
        return share(values, numbers.phone)
    written = [v for v in values if _SHAPED_PHONE.match(v)]
    return share(written, numbers.phone) * len(written) / len(values) if values else 0.0
