"""Verdicts on columns of text, JSON, arrays and numbers: names and values weighed together."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence

from domicile.stores.schema import Column
from domicile.survey import classify_names as names
from domicile.survey import classify_numbers as numbers
from domicile.survey import classify_values as values
from domicile.survey.classify_verdict import OPERATIONS, TYPES, Verdict, unknown

BOTH = f"{values.BY}+{names.BY}"

_INSIDE = {
    "has_email": "user.contact.email",
    "has_phone": numbers.PHONE,
    "has_ipv4": "user.device.ip_address",
    "has_iban": numbers.IBAN,
    "has_ssn": numbers.NATIONAL,
    "has_secret": "user.authorization.credentials",
}


def of_text(
    column: Column,
    named: names.NameVerdict | None,
    about: names.TableContext,
    seen: values.Seen,
    some: list[str],
) -> Verdict:
    """The verdict on text, JSON or an array of them."""
    if seen.filled:
        if column.kind == "json" or (column.kind == "text" and seen.share("json") > 0.5):
            return _of_json(column, named, about, some)
        told = _telling_values(named, about, seen, some)
        if told:
            return told
    if named and named.phrase in ("state", "st") and about.located:
        named = names.NameVerdict("user.contact.address.state", 0.8, named.phrase)
    also = tuple(sorted({_INSIDE[name] for name in seen.within}))
    if named and named.category and named.category != OPERATIONS:
        return _weighed(named, about, seen, some, also)
    if also and seen.mean_length < 40 and (named is None or not named.role):
        # Short values, some of them people's: the people decide, whatever the name.
        return Verdict(_above(also), 0.6, values.BY, "some of its values are people's", also)
    if named is None or named.role:
        if seen.filled and seen.share("digits", "decimal") > 0.9:
            return of_number(named, about, seen, some)
        return _by_table(named, about, seen, also)
    if also:
        return Verdict(_above(also), 0.6, values.BY, "people's data inside its values", also)
    return _structure(named, about, seen)


def elements(sample: Sequence[str | None]) -> list[str | None]:
    """The elements of arrays written `{a,"b c"}` or `[a, b]`, in one list."""
    found: list[str | None] = []
    for value in sample:
        inner = (value or "").strip()[1:-1]
        found.extend(part.strip(' "') for part in inner.split(","))
    return found


def of_number(
    named: names.NameVerdict | None, about: names.TableContext, seen: values.Seen, some: list[str]
) -> Verdict:
    """The verdict on numbers: bare numbers are not people, unless name or checksum say so."""
    if named and named.category == "user.location.precise" and about.place:
        return Verdict(OPERATIONS, 0.7, names.BY, "where a place is, in a table of places")
    things = named and named.category == "user.health_and_medical" and not about.personal
    if named and named.category.startswith(_NUMERIC) and not things:
        if named.category == "user.location.precise" and seen.filled and not _degrees(some):
            return unknown("named like a coordinate, but its values are none")
        if named.phrase in ("cvv", "cvc") and any(len(v) > 4 for v in some):
            return unknown("named like a card's code, but its values are longer")
        return Verdict(named.category, named.confidence, names.BY,
                       f"its name says {named.phrase!r}")  # fmt: skip
    share, what = numbers.national([v.zfill(9) for v in some]) if len(some) >= 20 else (0.0, "")
    if share > 0.9 and (named is None or named.category != OPERATIONS):
        return Verdict(numbers.NATIONAL, 0.7, values.BY, f"values pass the check of {what}")
    if len(some) >= 10 and values.share(some, numbers.card) > 0.9:
        return Verdict(numbers.CARD, 0.9, values.BY, "values pass the check of card numbers")
    if len(some) >= 10 and values.share(some, numbers.imei) > 0.9:
        return Verdict(numbers.DEVICE, 0.8, values.BY, "values pass the check of an IMEI")
    if named and named.category == OPERATIONS:
        if about.behaviour and about.refers and named.phrase in _AMOUNTS:
            return Verdict("user.payment", 0.6, names.BY, "what a person paid")
        return Verdict(OPERATIONS, 0.85, names.BY, f"its name says {named.phrase!r}")
    if about.settings and (about.people or about.refers):
        return Verdict("user.account.settings", 0.6, TYPES, "a number in a person's settings")
    if about.people:
        return Verdict("user", 0.5, TYPES, "a number in a table about people")
    if about.refers:
        return Verdict("user.behavior", 0.5, TYPES, "a number of something a person did or has")
    return Verdict(OPERATIONS, 0.6, TYPES, "a bare number in a table without people")


_NUMERIC = (
    "user.contact.phone_number", "user.contact.fax_number", "user.contact.address.street",
    "user.contact.address.postal_code", "user.location", "user.financial", "user.government_id",
    "user.demographic", "user.health_and_medical", "user.behavior", "user.social", "user.payment",
    "user.authorization", "user.unique_id", "user.privacy_preferences", "user.account.settings",
    "user.workplace", "user.device", "user.childrens",
)  # fmt: skip
_AMOUNTS = frozenset({
    "amount", "total", "price", "subtotal", "fee", "cost", "betrag", "preis", "bedrag", "prijs",
    "montant", "importe", "tax", "discount",
})  # fmt: skip


def _degrees(some: Sequence[str]) -> bool:
    try:
        return all(-180 <= float(value) <= 180 for value in some)
    except ValueError:
        return False


def _telling_values(
    named: names.NameVerdict | None,
    about: names.TableContext,
    seen: values.Seen,
    some: list[str],
) -> Verdict | None:
    """Values that are telling whatever the column is called, or with only a nod of its name."""
    category = named.category if named else ""
    if seen.share("email") >= 0.5:
        return _valued("user.contact.email", 0.95, "its values are e-mail addresses")
    if seen.share("password") >= 0.5:
        return _valued("user.authorization.password", 0.95, "its values are password hashes")
    if seen.share("token") >= 0.5:
        return _valued("user.authorization.credentials", 0.95, "its values are tokens or keys")
    if seen.share("mac") >= 0.8:
        return _valued(numbers.DEVICE, 0.9, "its values are hardware addresses")
    addresses = seen.share("ipv4", "ipv6") >= 0.8 and seen.share("clock") < 0.5
    if addresses and not _versions(named, seen, some):
        return _valued("user.device.ip_address", 0.9, "its values are IP addresses")
    if seen.share("agent") >= 0.5:
        return _valued("user.device", 0.9, "its values are user agents")
    if seen.share("coordinates") >= 0.8:
        return _valued("user.location.precise", 0.85, "its values are coordinates")
    if seen.share("iban") >= 0.5 and values.share(some, numbers.iban) >= 0.5:
        return _valued(numbers.IBAN, 0.95, "its values are valid IBANs")
    if seen.share("phone", "digits", "code", "iban") >= 0.7:
        share, what = numbers.national(some)
        plain = share and category in ("", OPERATIONS) and seen.share("digits") > 0.5
        if share >= 0.8 and (len(some) >= 12 or not plain):
            return _valued(numbers.NATIONAL, 0.9, f"its values pass the check of {what}")
        if values.share(some, numbers.card) >= 0.8:
            return _valued(numbers.CARD, 0.95, "its values pass the check of card numbers")
        if values.share(some, numbers.imei) >= 0.8 and len(some) >= 5:
            return _valued(numbers.DEVICE, 0.85, "its values pass the check of an IMEI")
        share, what = numbers.national_by_form(some)
        if share >= 0.8:
            return _valued(numbers.NATIONAL, 0.85, f"its values are written like {what}")
    shaped = seen.share("phone") >= 0.6 and seen.share("date") < 0.3
    named_phone = category == numbers.PHONE
    if shaped and category in ("", numbers.PHONE):
        share = values.phone_share(some, bare=named_phone)
        if share >= 0.6:
            return _valued(numbers.PHONE, 0.95 if named_phone else 0.8, "they are phone numbers")
    if seen.share("url") >= 0.8 and not category.startswith("user."):
        return _of_urls(named, about)
    if category.startswith("user.") or seen.distinct < 3 or values.country_share(some) < 0.9:
        return None
    if about.place or not about.personal:
        return _valued(OPERATIONS, 0.7, "countries in a table without people")
    return _valued("user.contact.address.country", 0.8, "its values are countries")


def _valued(category: str, confidence: float, reason: str) -> Verdict:
    return Verdict(category, confidence, values.BY, reason)


def _versions(named: names.NameVerdict | None, seen: values.Seen, some: list[str]) -> bool:
    """Versions of four parts look like IPv4: told by the name, or by how small they start."""
    if named and named.phrase.endswith(("version", "release", "build")):
        return True
    low = values.share(some, lambda value: value.partition(".")[0] in _LOW)
    return seen.share("ipv6") < 0.5 and low > 0.5 and seen.distinct >= 5


_LOW = frozenset("0123456789")


def _of_urls(named: names.NameVerdict | None, about: names.TableContext) -> Verdict:
    if about.people:
        return Verdict("user.contact.url", 0.6, BOTH, "addresses of pages about a person")
    if about.refers:
        return Verdict("user.content", 0.55, BOTH, "addresses of what a person made or did")
    return Verdict(OPERATIONS, 0.6, BOTH, "addresses in a table without people")


# Places that things have too, unlike streets.
_PLACES = (
    "user.contact.address.city", "user.contact.address.country", "user.contact.address.state",
)  # fmt: skip

# Shapes that the values of a category can have; a name is believed when most values have one.
_EXPECTED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("user.contact.email", ("email",)),
    ("user.contact.phone_number", ("phone",)),
    ("user.device.ip_address", ("ipv4", "ipv6")),
    ("user.demographic.date_of_birth", ("date", "digits")),
    ("user.location.precise", ("decimal", "digits", "coordinates", "json")),
    ("user.financial.credit_card", ("digits", "phone", "code", "word", "date")),
)
# Shapes that no value of these categories has.
_REFUSED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("user.name", ("digits", "decimal", "date", "uuid", "url", "hex")),
    ("user.contact.address.street", ("uuid", "url", "date", "decimal", "hex")),
    ("user.contact.address.city", ("digits", "uuid", "url", "date", "decimal")),
    ("user.contact.address.state", ("digits", "decimal", "date", "uuid")),
    ("user.demographic.gender", ("email", "url", "date")),
    ("user.contact.organization", ("uuid", "date", "decimal")),
    ("user.content", ("flag", "decimal")),
)


def _weighed(
    named: names.NameVerdict,
    about: names.TableContext,
    seen: values.Seen,
    some: list[str],
    also: tuple[str, ...],
) -> Verdict:
    """A personal name, held against the values and the table."""
    category, confidence = named.category, named.confidence
    reason = f"its name says {named.phrase!r}"
    if category.startswith("user.contact.address") and about.place:
        return Verdict(OPERATIONS, 0.8, names.BY, "a place in a table of places")
    if category in _PLACES and not about.personal:
        return Verdict(OPERATIONS, 0.6, names.BY, "a place in a table without people")
    if category == "user.contact.organization" and not (about.people or about.refers):
        return Verdict(OPERATIONS, 0.6, names.BY, "an organisation in a table without people")
    if not seen.filled:
        return Verdict(category, confidence, names.BY, reason)
    for wanted, shapes in _EXPECTED:
        if category == wanted and seen.share(*shapes) < 0.3:
            return _contradicted(named, seen, also)
    for refused, shapes in _REFUSED:
        if category.startswith(refused) and seen.share(*shapes) > 0.7:
            return _contradicted(named, seen, also)
    if category == "user.contact.address.country" and seen.distinct >= 3:
        share = max(values.country_share(some), values.country_code_share(some))
        return Verdict(category, 0.95 if share > 0.8 else 0.7, BOTH, reason, also)
    return Verdict(category, confidence, BOTH, f"{reason}, and its values do not deny it", also)


def _contradicted(named: names.NameVerdict, seen: values.Seen, also: tuple[str, ...]) -> Verdict:
    if also:
        return Verdict(_above(also), 0.5, values.BY, "its values hold people's data", also)
    if seen.share("flag") > 0.9 or (seen.repeats and seen.share("code", "word") > 0.9):
        return Verdict(OPERATIONS, 0.55, BOTH, f"named {named.phrase!r}, but its values are codes")
    return unknown(f"its name says {named.phrase!r}, but its values do not look like it")


def _by_table(
    named: names.NameVerdict | None,
    about: names.TableContext,
    seen: values.Seen,
    also: tuple[str, ...],
) -> Verdict:
    """Names and prose mean what the table is about; words that say nothing need values that do."""
    personal = about.people or about.refers
    nameable = named is None or named.role == "naming"
    if personal and nameable and seen.mean_length < 40 and seen.share("fullname") > 0.7:
        return Verdict("user.name", 0.6, BOTH, "values written like names of people", also)
    if named is None:
        if about.people and seen.share("word", "code") > 0.9 and seen.repeats:
            return Verdict("user", 0.5, TYPES, "a code in a table about people", also)
        if also:
            return Verdict("user.content", 0.6, values.BY, "text with people's data in it", also)
        if about.people or about.refers:
            return unknown("neither its name nor its values say what it holds")
        if seen.repeats and seen.mean_length < 40:
            return Verdict(OPERATIONS, 0.55, values.BY, "a few codes, in a table without people")
        if seen.share("uuid", "hex", "digits", "decimal", "path", "date", "flag") > 0.9:
            return Verdict(OPERATIONS, 0.6, values.BY, "identifiers or measures, no people")
        return unknown("neither its name nor its values say what it holds")
    said = f"{named.phrase!r} in a table "
    if named.phrase in ("title", "titel", "titre", "titulo") and about.people:
        salutations = seen.repeats and seen.mean_length < 6
        category = "user.name" if salutations else "user.job_title"
        return Verdict(category, 0.6, names.BY, said + "about people", also)
    if named.role == "naming" and about.people:
        return Verdict("user.name", 0.75, names.BY, said + "about people", also)
    if about.people or about.refers:
        return Verdict("user.content", 0.7, names.BY, said + "of people's rows", also)
    if also:
        return Verdict("user.content", 0.6, values.BY, "text with people's data in it", also)
    if not seen.filled:
        return Verdict(OPERATIONS, 0.5, names.BY, said + "without people")
    return Verdict(OPERATIONS, 0.6, BOTH, said + "without people; no person's data seen in it")


def _structure(named: names.NameVerdict, about: names.TableContext, seen: values.Seen) -> Verdict:
    """A structural name on text. In a person's row, long prose under it is not structure."""
    if seen.filled and seen.mean_length > 60 and seen.share("path", "hex", "code", "url") < 0.5:
        if about.people or about.refers:
            return Verdict("user.content", 0.55, BOTH, "long text in a person's row")
        return unknown(f"named {named.phrase!r}, but its values are long text")
    return Verdict(OPERATIONS, named.confidence, names.BY, f"its name says {named.phrase!r}")


def _of_json(
    column: Column, named: names.NameVerdict | None, about: names.TableContext, some: list[str]
) -> Verdict:
    """JSON is classified as the columns that its keys would be."""
    found: dict[str, list[str | None]] = defaultdict(list)
    for value in some[:100]:
        try:
            for key, leaf in _leaves(json.loads(value), column.name):
                found[key].append(leaf)
        except (ValueError, RecursionError):
            found[column.name].append(value)
    personal: set[str] = set()
    unclear = 0
    for key, sample in found.items():
        seen, distinct = values.look(sample)
        inner = Column(key, "text", "text")
        own = names.by_name(key)
        if all(v is None or v in ("true", "false") for v in sample):
            continue
        verdict = (
            of_number(own, about, seen, distinct)
            if seen.share("digits", "decimal") > 0.9
            else unknown("nested too deep")
            if seen.share("json") > 0.5
            else of_text(inner, own, about, seen, distinct)
        )
        if verdict.category.startswith("user") and verdict.by != TYPES:
            personal.update((verdict.category, *verdict.also))
        unclear += not verdict.category
    if personal:
        also = tuple(sorted(personal))
        return Verdict(_above(also), 0.85, BOTH, "its JSON holds people's data", also)
    if about.people or about.refers:
        return Verdict("user", 0.55, TYPES, "JSON in a person's row, no data of a known kind seen")
    if unclear or not found:
        return unknown(f"JSON with {unclear} of {len(found)} keys that say nothing")
    return Verdict(OPERATIONS, 0.65, BOTH, "JSON whose keys are all structural")


def _leaves(value: object, name: str, depth: int = 0) -> Iterator[tuple[str, str | None]]:
    if isinstance(value, dict) and depth < 12:
        for key, inner in value.items():
            yield from _leaves(inner, str(key), depth + 1)
    elif isinstance(value, list) and depth < 12:
        for inner in value[:50]:
            yield from _leaves(inner, name, depth + 1)
    elif value is None or isinstance(value, str):
        yield name, value
    else:
        yield name, json.dumps(value)


def _above(categories: Sequence[str]) -> str:
    """The category that covers all of them: their longest common part."""
    shared: list[str] = []
    for parts in zip(*(category.split(".") for category in categories), strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return ".".join(shared)
