"""Countries as real data spell them, to ISO 3166-1 alpha-2.

Names come from ISO 3166-1 (pycountry) and CLDR in English, then from CLDR in other languages
(babel), then from the short list of spellings below that neither has. A spelling that could mean
two countries means none: a wrong residence moves or erases the wrong person's data.

`XK` (Kosovo) is not in ISO 3166-1, but is the code that the EU and CLDR use; it is accepted.
Numbers are not: 352 is Iceland in ISO 3166-1 and Luxembourg on the telephone.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from functools import cache, lru_cache

_SPELLINGS = {
    "AE": ["UAE", "U A E", "Emirates"],
    "BA": ["Bosnia"],
    "BO": ["Bolivia"],
    "BN": ["Brunei"],
    "CD": ["DRC", "DR Congo", "Democratic Republic of Congo", "Congo-Kinshasa", "Zaire"],
    "CG": ["Republic of the Congo", "Congo Republic", "Congo-Brazzaville"],
    "CI": ["Ivory Coast", "Cote d Ivoire"],
    "CN": ["PRC", "Mainland China", "China mainland"],
    "CV": ["Cape Verde"],
    "CZ": ["Czech Republic", "Czech Rep"],
    "DO": ["Dominican Rep"],
    "FK": ["Falklands"],
    "GB": [
        "UK", "U K", "Great Britain", "Britain", "England", "Scotland", "Wales",
        "Northern Ireland", "England and Wales", "United Kingdom of Great Britain",
        "Grossbritannien", "Grande-Bretagne", "Groot-Brittannie", "Gran Bretana", "Gran Bretagna",
        "GB-ENG", "GB-SCT", "GB-WLS", "GB-NIR",
    ],
    "GR": ["EL", "Hellas"],  # EL is the EU's own code (Interinstitutional style guide, 7.1.1)
    "HK": ["Hong Kong SAR", "Hong Kong SAR China", "Hongkong"],
    "IE": ["Eire", "Republic of Ireland"],
    "IR": ["Iran"],
    "KP": ["North Korea", "DPRK", "Korea North", "Korea DPR"],
    "KR": ["South Korea", "ROK", "Korea South", "Korea Rep", "Republic of Korea"],
    "KZ": ["Kazakstan"],  # the old English spelling, in pagila and sakila
    "LA": ["Laos", "Lao PDR"],
    "LY": ["Libyan Arab Jamahiriya"],
    "MD": ["Moldova"],
    "MK": ["Macedonia", "FYROM", "Macedonia, FYR", "Former Yugoslav Republic of Macedonia"],
    "MM": ["Burma"],
    "MO": ["Macau", "Macao"],
    "NL": ["Holland", "The Netherlands"],
    "PS": ["Palestine", "Palestinian Territories", "Palestinian Territory, Occupied"],
    "RE": ["Runion", "Reunion Island"],  # Réunion that lost its é, as in pagila and sakila
    "RU": ["Russia", "Russian Fed"],
    "SA": ["KSA"],
    "SH": ["Saint Helena"],
    "SY": ["Syria"],
    "SZ": ["Swaziland"],
    "TL": ["East Timor"],
    "TR": ["Turkey"],
    "TW": ["Taiwan", "Taiwan ROC", "Chinese Taipei"],
    "TZ": ["Tanzania"],
    "US": ["U S", "U S A", "US of A", "EEUU", "EE UU", "Etats-Unis d Amerique"],
    "VA": ["Vatican", "Vatican City", "Holy See"],
    "VE": ["Venezuela", "Venezuela, RB"],
    "VG": ["BVI", "British Virgin Islands"],
    "VI": [
        "USVI", "US Virgin Islands", "United States Virgin Islands", "Virgin Islands US",
        "Virgin Islands of the United States",
    ],
    "VN": ["Vietnam", "Viet Nam"],
    "XK": ["Kosovo"],
    "ZA": ["RSA"],
}  # fmt: skip

_AMBIGUOUS = {
    "congo", "korea", "virgin islands", "saint martin", "america", "samoa islands", "indies",
    "west indies", "timor", "sudans", "guiana", "guayana", "micronesia islands", "antilles",
    "netherlands antilles", "yugoslavia", "czechoslovakia", "serbia and montenegro", "ussr",
    "soviet union", "eu", "europe", "european union", "eea", "un",
}  # fmt: skip
"""Names of several countries, of none, or of states that are no more."""

_WORDS = {
    "st": "saint", "ste": "saint", "sankt": "saint", "rep": "republic", "dem": "democratic",
    "fed": "federated", "sts": "states", "isl": "islands", "is": "islands",
}  # fmt: skip
"""Short words as lists of countries write them (`Korea, Dem. People's Rep.`)."""

_LANGUAGES = (
    "nl", "de", "fr", "es", "it", "pt", "pl", "sv", "da", "nb", "fi", "cs", "tr", "id", "hu", "ro",
    "el", "ru", "uk", "ar", "he", "ja", "ko", "zh",
)  # fmt: skip


@lru_cache(maxsize=8192)
def country_code(text: str) -> str | None:
    """The ISO 3166-1 alpha-2 code of a country's name or code, in any case; None when in doubt."""
    code = _one(text)
    if code:
        return code
    # `Congo, Dem. Rep.` turned round; `United States (USA)` when all parts mean the same.
    head, comma, tail = text.partition(",")
    if comma:
        return _name(_fold(f"{tail} {head}"))
    parts = [part for part in re.split(r"[()\[\]/]", text[:200]) if part.strip()]
    codes = {_one(part) for part in parts}
    return codes.pop() if len(parts) > 1 and len(codes) == 1 else None


def _one(text: str) -> str | None:
    # A code stands alone: `N/A`, `L.A.` and `S. A.` are not Namibia, Laos and Saudi Arabia.
    code = _codes().get(text.strip().upper()) if len(text.strip()) in (2, 3) else None
    return code or _name(_fold(text))


def _name(folded: str) -> str | None:
    if not folded or folded in _AMBIGUOUS:
        return None
    return _english().get(folded) or _other_languages().get(folded)


def nearest_country(text: str) -> str:
    """A hint for a message: `Did you mean Netherlands (NL)?`, or how countries are written."""
    near = difflib.get_close_matches(_fold(text), list(_english()), n=1, cutoff=0.75)
    if not near:
        return "Write an ISO 3166-1 alpha-2 code such as NL, or the country's English name."
    code = _english()[near[0]]
    return f"Did you mean {country_name(code)} ({code})?"


def country_name(code: str) -> str:
    """The English name of an alpha-2 code; the code itself when there is none."""
    return _territories("en").get(code, code)


def is_code(code: str) -> bool:
    """Whether it is exactly an alpha-2 code as we write it: `NL`."""
    return len(code) == 2 and _codes().get(code) == code


def _fold(text: str) -> str:
    """Letters and digits only, no accents or case, words apart; `St.` and `&` written out."""
    plain = unicodedata.normalize("NFKD", text[:200]).replace("&", " and ")
    plain = "".join(c for c in plain if not unicodedata.combining(c)).casefold()
    words = re.sub(r"[^\w]+|_", " ", plain.replace("'", " ").replace("\u2019", " ")).split()
    return " ".join(_WORDS.get(word, word) for word in words if word not in ("the", "of"))


def _variants(name: str) -> set[str]:
    """A name, turned round at its comma, and without what stands in brackets."""
    forms = {name}
    head, comma, tail = name.partition(",")
    if comma:
        forms |= {f"{tail} {head}", head}
    bare = re.sub(r"\s*[(\[].*?[)\]]", "", name)
    if bare != name:
        forms.add(bare)
        forms |= set(re.findall(r"[(\[](.*?)[)\]]", name)) if " part" not in name else set()
    return {folded for form in forms if (folded := _fold(form))}


@cache
def _codes() -> dict[str, str]:
    import pycountry

    codes = {"UK": "GB", "EL": "GR", "XK": "XK"}
    for country in pycountry.countries:
        codes[country.alpha_2] = codes[country.alpha_3] = country.alpha_2
    return codes


@cache
def _english() -> dict[str, str]:
    import pycountry

    names: dict[str, set[str]] = {}
    for code, spellings in _SPELLINGS.items():
        for spelling in spellings:
            names.setdefault(_fold(spelling), set()).add(code)
    given = dict(names)
    for country in pycountry.countries:
        for field in ("name", "official_name", "common_name"):
            for form in _variants(getattr(country, field, None) or ""):
                names.setdefault(form, set()).add(country.alpha_2)
    for code, name in _territories("en").items():
        for form in _variants(name):
            names.setdefault(form, set()).add(code)
    return _only(names | given)


@cache
def _other_languages() -> dict[str, str]:
    names: dict[str, set[str]] = {}
    for language in _LANGUAGES:
        for code, name in _territories(language).items():
            names.setdefault(_fold(name), set()).add(code)
    return _only(names)


def _only(names: dict[str, set[str]]) -> dict[str, str]:
    """The names that mean one country."""
    return {n: min(c) for n, c in names.items() if len(c) == 1 and n not in _AMBIGUOUS}


@cache
def _territories(language: str) -> dict[str, str]:
    from babel import Locale

    known = set(_codes().values())
    return {c: n for c, n in Locale.parse(language).territories.items() if c in known}
