"""References whose table stands beside them: `commentable_type` and `commentable_id`.

Rails writes the name of a class there (`Post`, `Blog::Post`), Laravel one with its namespace
(`App\\Models\\Post`), others the name of the table; Django the key of a row of
`django_content_type`, which has the name of the application and of the model. Each type is one
link, for its rows only. Of the values that stand there, only names of tables get into a proposal.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from domicile.counted import counted
from domicile.estate.model import ColumnName
from domicile.stores.schema import Column, Table
from domicile.survey import classify_names as names
from domicile.survey.propose_model import ProposedLink, Reason
from domicile.survey.propose_read import Application, Reading, Seen
from domicile.survey.propose_targets import Target
from domicile.survey.propose_words import KEY_ENDINGS

TYPES: Final = frozenset(("type", "typ", "class", "klass", "table", "model", "entity", "kind"))
"""What ends the name of a column that says which table the one beside it is of."""

SURE: Final = 0.9
"""Share of sampled values of one type that must exist at its table for a link to be proposed."""

FEW: Final = 5
"""Fewer different values of a type than this prove nothing: the link is written as a comment."""

MOST: Final = 40
"""More different types than this are no types."""

_DJANGO: Final = ("app_label", "model")  # docs.djangoproject.com: the contenttypes framework
_SEGMENT: Final = re.compile(r"::|\\|/|\.")


def polymorphic(reading: Reading, application: Application, seen: Seen) -> Iterator[ProposedLink]:
    """The links of one table, one for each type whose name is a table's."""
    for kind, key in _pairs(seen.table):
        found: dict[str, set[str]] = defaultdict(set)
        for type_, value in seen.together((kind.name, key.name)):
            found[type_].add(value)
        if not found or len(found) > MOST:
            continue
        tables = _tables(reading, application, seen.table, kind, list(found))
        unknown = sum(type_ not in tables for type_ in found)
        for type_, target in sorted(tables.items(), key=lambda t: t[1].table):
            yield _judged(
                reading, application, seen.table, (kind, key), type_, found, unknown, target
            )


def _pairs(table: Table) -> Iterator[tuple[Column, Column]]:
    """The columns of a type, each with that of the key which it is the type of."""
    stems: dict[str, Column] = {}
    for column in table.columns:
        if column.kind in ("int", "uuid", "text") and (stem := _stem(column.name, KEYS)):
            stems.setdefault(stem, column)
    for column in table.columns:
        stem = _stem(column.name, tuple(TYPES))
        if stem and column.kind in ("text", "enum") and stem in stems:
            yield column, stems[stem]
    for key in table.foreign_keys:
        if len(key.columns) == 1 and names.words(key.parent)[-2:] == ("content", "type"):
            beside = [stems[s] for s in ("object",) if s in stems]
            if beside:
                yield table.column(key.columns[0]), beside[0]


KEYS: Final = (*KEY_ENDINGS, "pk")


def _stem(name: str, endings: tuple[str, ...]) -> str:
    """What stands before an ending: `commentable_id`, `objecttable` → commentable, object."""
    words = names.words(name)
    if len(words) > 1 and words[-1] in endings:
        return "".join(words[:-1])
    if len(words) == 1:
        fits = [e for e in endings if len(words[0]) > len(e) + 2 and words[0].endswith(e)]
        if fits:
            return words[0].removesuffix(max(fits, key=len))
    return ""


def _tables(
    reading: Reading, application: Application, table: Table, kind: Column, types: list[str]
) -> dict[str, Target]:
    """Type as it is written → the table that it names."""
    targets = {
        t.name: Target(application, t.name, t.identity[0])
        for t in application.schema.tables.values()
        if len(t.identity) == 1
    }
    of = next((k for k in table.foreign_keys if k.columns == (kind.name,)), None)
    if of is not None:
        return _content_types(reading, application, of.parent, types, targets)
    forms: dict[str, list[Target]] = defaultdict(list)
    for target in targets.values():
        for form in {*target.forms(), "".join(names.words(target.table))}:
            forms[form].append(target)
    found: dict[str, Target] = {}
    for type_ in types:
        last = _SEGMENT.split(type_)[-1]
        fits = forms["".join(names.words(last))] or forms["".join(names.words(type_))]
        exact = [t for t in fits if t.table == last]
        if len(fits) == 1 or exact:
            found[type_] = (exact or fits)[0]
    return found


def _content_types(
    reading: Reading, application: Application, parent: str, types: list[str],
    targets: dict[str, Target],
) -> dict[str, Target]:  # fmt: skip
    """Keys of Django's content types → the tables of their models, `app_label` + `_` + `model`."""
    shape = application.schema.tables.get(parent)
    if shape is None or len(shape.identity) != 1 or not set(_DJANGO) <= set(shape.names):
        return {}
    found: dict[str, Target] = {}
    for session in reading.sessions(application):
        dialect = session.dialect
        key, app, model = (
            dialect.text(f"t.{dialect.quote(c)}", shape.column(c).kind)
            for c in (shape.identity[0], *_DJANGO)
        )
        listed = ", ".join(dialect.literal(t) for t in types)
        rows = session.query(
            f"SELECT {key}, {app}, {model} FROM {dialect.table(parent)} t WHERE {key} IN ({listed})"
        )
        for type_, label, name in rows:
            if target := targets.get(f"{label}_{name}"):
                found[str(type_)] = target
    return found


def _judged(
    reading: Reading, application: Application, table: Table, columns: tuple[Column, Column],
    type_: str, found: dict[str, set[str]], unknown: int, target: Target,
) -> ProposedLink:  # fmt: skip
    from domicile.survey.propose_links import present

    kind, key = columns
    values = found[type_]
    there = present(reading, target, values)
    active = there >= SURE * len(values) and len(values) >= FEW
    because = (
        f"{kind.name} names {application.name(target.table)} for these rows; {there} of"
        f" {counted(len(values), 'different value')} sampled exist there"
        f" ({there / len(values):.0%})"
    )
    if not active:
        because += "; too few to be sure" if len(values) < FEW else "; the others do not"
    if unknown:
        because += f"; {counted(unknown, 'other type names', 'other types name')} no table"
    source = ColumnName(application.name(table.name), key.name)
    reason = Reason(because, there < len(values))
    return ProposedLink(source, target.name, reason, active, where=((kind.name, type_),))
