"""Which data category each column of a table has, by its name, its type and its values.

A verdict says what made it (`by`, versioned) and why. What nothing could tell with enough
confidence has the category "", which is a finding elsewhere: never silently clean. Data categories
are keys of Fideslang 3.1.4; a verdict on a mixed value (JSON, free text) names in `also` what was
seen inside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from domicile.stores.schema import Column, Table
from domicile.survey import classify_names as names
from domicile.survey import classify_text as text
from domicile.survey import classify_values as values
from domicile.survey.classify_verdict import OPERATIONS, TYPES, Verdict, unknown

ENOUGH = 0.5
"""Confidence below which a column is unknown."""


def classify(table: Table, samples: Mapping[str, Sequence[str | None]]) -> dict[str, Verdict]:
    """A verdict for every column of the table, in its order.

    `samples` holds, for each column that was sampled, values as canonical text (as
    `Store.sample` gives them, column by column). A column without a sample, or with nothing in it,
    is decided only where name and type leave no doubt; else it is unknown, `not sampled: …`.
    """
    about = names.context(table)
    keys = _surrogates(table)
    found: dict[str, Verdict] = {}
    for column in table.columns:
        found[column.name] = _decide(column, about, column.name in keys, samples.get(column.name))
    if not about.personal and any(_plainly_personal(verdict) for verdict in found.values()):
        # The values say what the names did not: countries, say, are then those of people.
        about = replace(about, personal=True)
        for column in table.columns:
            if found[column.name].category == OPERATIONS and column.name not in keys:
                found[column.name] = _decide(column, about, False, samples.get(column.name))
    return found


def _plainly_personal(verdict: Verdict) -> bool:
    return verdict.category.startswith("user.") and verdict.confidence >= 0.8


def _surrogates(table: Table) -> frozenset[str]:
    """Columns that only tell rows apart or refer to others: foreign keys, and keys of one number
    or uuid. A key of text may be an e-mail, so its values are looked at."""
    found = {c for key in table.foreign_keys for c in key.columns}
    for key in table.keys:
        if len(key.columns) == 1 and table.column(key.columns[0]).kind in ("int", "uuid"):
            named = names.by_name(key.columns[0])
            if key.primary or named is None or named.category == OPERATIONS:
                found.add(key.columns[0])
    return frozenset(found)


def _decide(
    column: Column, about: names.TableContext, key: bool, sample: Sequence[str | None] | None
) -> Verdict:
    named = names.by_name(column.name)
    if key and column.kind in ("int", "uuid", "numeric"):
        return Verdict(OPERATIONS, 0.95, TYPES, "a key: it tells rows apart or refers to one")
    if column.kind == "array":
        sample = None if sample is None else text.elements(sample)
    seen, some = values.look(sample or ())
    verdict = _by_kind(column, named, about, key, seen, some)
    if seen.filled == 0 and not _sure_unseen(verdict):
        lack = (
            "no sample was taken"
            if sample is None
            else f"nothing in the {seen.rows} rows sampled"
            if seen.rows
            else "the table is empty"
        )
        return unknown(f"not sampled: {lack}")
    if verdict.confidence < ENOUGH:
        return unknown(verdict.reason)
    return verdict


def _sure_unseen(verdict: Verdict) -> bool:
    """Whether name and type are telling enough without a single value."""
    return verdict.confidence >= 0.8 and verdict.by in (names.BY, TYPES)


def _by_kind(
    column: Column,
    named: names.NameVerdict | None,
    about: names.TableContext,
    key: bool,
    seen: values.Seen,
    some: list[str],
) -> Verdict:
    match column.kind:
        case "bool":
            return _of_flag(named, about)
        case "int" | "float" | "numeric":
            return text.of_number(named, about, seen, some)
        case "date" | "time" | "timestamp" | "timestamptz" | "interval" | "range":
            return _of_time(column, named, about)
        case "array" if column.type.lower().startswith(("int", "smallint", "bigint", "num")):
            return text.of_number(named, about, seen, some)
        case "inet":
            return Verdict("user.device.ip_address", 0.9, TYPES, "a network address by its type")
        case "uuid":
            return _of_uuid(column, named)
        case "enum":
            return _of_enum(column, named, about)
        case "bytes":
            return _of_bytes(named, about)
        case "tsvector":
            return _of_search_text(about)
        case _:
            verdict = text.of_text(column, named, about, seen, some)
            if key and verdict.confidence < 0.9:
                return Verdict(OPERATIONS, 0.8, TYPES, "refers to another row")
            return verdict


def _from(named: names.NameVerdict, confidence: float | None = None) -> Verdict:
    shown = named.confidence if confidence is None else confidence
    return Verdict(named.category, shown, names.BY, f"its name says {named.phrase!r}")


# Categories that a yes or no can state of a person; of all others it is a flag about the value.
_STATED = (
    "user.privacy_preferences", "user.health_and_medical", "user.demographic.marital_status",
    "user.demographic.age_range", "user.demographic.gender", "user.account.settings",
    "user.childrens", "user.criminal_history",
)  # fmt: skip


def _of_flag(named: names.NameVerdict | None, about: names.TableContext) -> Verdict:
    if named and named.category in _STATED:
        return _from(named)
    if named and named.category == OPERATIONS:
        return Verdict(OPERATIONS, 0.9, names.BY, "a flag of the row")
    if about.people and named is None:
        return Verdict("user.account.settings", 0.6, TYPES, "a choice in a table about people")
    return Verdict(OPERATIONS, 0.85, TYPES, "yes or no about the row")


_DATED = (
    "user.demographic.date_of_birth", "user.behavior", "user.privacy_preferences",
    "user.workplace", "user.childrens",
)  # fmt: skip


def _of_time(column: Column, named: names.NameVerdict | None, about: names.TableContext) -> Verdict:
    if named and named.category.startswith(_DATED):
        return _from(named)
    if named and named.category == OPERATIONS:
        return Verdict(OPERATIONS, 0.9, names.BY, "when the row came, changed or is due")
    last = names.words(column.name)[-1:]
    if about.behaviour and about.refers:
        return Verdict("user.behavior", 0.6, TYPES, "when a person did what the table records")
    if last in (("at",), ("on",), ("date",), ("time",), ("datum",), ("fecha",), ("update",)):
        return Verdict(OPERATIONS, 0.8, names.BY, "when something happened to the row")
    if column.kind in ("timestamp", "timestamptz", "interval", "time", "range"):
        return Verdict(OPERATIONS, 0.6, TYPES, "a time of the row")
    if about.people:
        return unknown("a date in a table about people whose name says nothing")
    return Verdict(OPERATIONS, 0.6, TYPES, "a date of the row")


def _of_uuid(column: Column, named: names.NameVerdict | None) -> Verdict:
    if named and named.category.startswith(("user.device", "user.unique_id", "user.auth")):
        return _from(named)
    return Verdict(OPERATIONS, 0.85, TYPES, "an identifier made by the application")


_CHOSEN = (
    "user.demographic", "user.health", "user.privacy", "user.account",
    "user.contact.address.country",
)  # fmt: skip


def _of_enum(column: Column, named: names.NameVerdict | None, about: names.TableContext) -> Verdict:
    if named and named.category.startswith(_CHOSEN):
        return _from(named)
    if about.people and named is None:
        return Verdict("user.account.settings", 0.6, TYPES, "a choice in a table about people")
    return Verdict(OPERATIONS, 0.8, TYPES, "one of the states the application defines")


def _of_bytes(named: names.NameVerdict | None, about: names.TableContext) -> Verdict:
    if named and named.category.startswith(("user.content.self_image", "user.biometric",
                                            "user.authorization")):  # fmt: skip
        return _from(named, 0.8)
    if named and named.category == OPERATIONS and named.phrase in ("checksum", "hash", "digest"):
        return _from(named)
    return unknown("bytes: nothing looks inside them; declare the column")


def _of_search_text(about: names.TableContext) -> Verdict:
    if about.people or about.refers:
        return Verdict("user.content", 0.7, TYPES, "words of a person's row, kept for search")
    return Verdict(OPERATIONS, 0.6, TYPES, "words of the row, kept for search")


__all__ = ["ENOUGH", "Verdict", "classify"]
