"""Countries in law: single ones as data spell them, and groups whose members change with time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from domicile.estate.countries import (
    country_code,
    country_name,
    is_code,
    nearest_country,
)

__all__ = [
    "GROUPS",
    "UnknownCountryError",
    "country_code",
    "country_name",
    "expand",
    "is_code",
    "members",
    "nearest_country",
]

_FOUNDED = date(1958, 1, 1)  # Treaty of Rome, Art. 247
_EU: dict[str, tuple[date, date | None]] = {
    **dict.fromkeys(("BE", "DE", "FR", "IT", "LU", "NL"), (_FOUNDED, None)),
    **dict.fromkeys(("DK", "IE"), (date(1973, 1, 1), None)),
    # Left on 31 January 2020 at midnight (Art. 50 TEU). Union law went on to apply there until
    # 31 December 2020 (Withdrawal Agreement, Art. 127): a mandate that needs this names GB too.
    "GB": (date(1973, 1, 1), date(2020, 2, 1)),
    "GR": (date(1981, 1, 1), None),
    **dict.fromkeys(("ES", "PT"), (date(1986, 1, 1), None)),
    **dict.fromkeys(("AT", "FI", "SE"), (date(1995, 1, 1), None)),
    **dict.fromkeys(
        ("CY", "CZ", "EE", "HU", "LT", "LV", "MT", "PL", "SI", "SK"), (date(2004, 5, 1), None)
    ),
    **dict.fromkeys(("BG", "RO"), (date(2007, 1, 1), None)),
    "HR": (date(2013, 7, 1), None),
}

_EEA_START = date(1994, 1, 1)  # Agreement on the EEA, OJ L 1, 3.1.1994
_EEA: dict[str, tuple[date, date | None]] = {
    **{code: (max(since, _EEA_START), until) for code, (since, until) in _EU.items()},
    # New members of the Union join the EEA by agreements of their own, applied provisionally.
    **dict.fromkeys(("BG", "RO"), (date(2007, 8, 1), None)),
    "HR": (date(2014, 4, 12), None),
    **dict.fromkeys(("IS", "NO", "AT", "FI", "SE"), (_EEA_START, None)),
    "LI": (date(1995, 5, 1), None),
}

GROUPS: dict[str, dict[str, tuple[date, date | None]]] = {"EU": _EU, "EEA": _EEA}
"""Group → member → (first day in, first day out). Territories with codes of their own (RE, GF,
AX …) are not members: a mandate names them, as it names PR or GU beside US."""


class UnknownCountryError(ValueError):
    """A name that is neither one country nor a group; `hint` has the nearest."""

    def __init__(self, name: str) -> None:
        super().__init__(f"got '{name[:60]}', expected a country or one of {', '.join(GROUPS)}")
        self.name = name
        self.hint = nearest_country(name)


def members(group: str, on: date) -> frozenset[str]:
    """The members of a group on a day, as alpha-2 codes. Raises KeyError for no such group."""
    return frozenset(
        code
        for code, (since, until) in GROUPS[group].items()
        if since <= on and (until is None or on < until)
    )


def expand(names: Iterable[str], on: date) -> frozenset[str]:
    """Countries and groups as alpha-2 codes on a day. Raises UnknownCountryError."""
    codes: set[str] = set()
    for name in names:
        if name.strip().upper() in GROUPS:
            codes |= members(name.strip().upper(), on)
        elif code := country_code(name):
            codes.add(code)
        else:
            raise UnknownCountryError(name)
    return frozenset(codes)
