"""References that no key declares, each held against the data before it is proposed.

Three kinds: keys that some partitions lack, columns named like a table's key (or like a person),
and the same inside JSON values. Across applications only registers are looked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from domicile.counted import counted
from domicile.estate.model import ColumnName
from domicile.stores.base import Session
from domicile.stores.schema import Column, ForeignKey
from domicile.survey.propose_composite import composite
from domicile.survey.propose_estate import COUNTED
from domicile.survey.propose_model import ProposedLink, Reason
from domicile.survey.propose_polymorphic import polymorphic
from domicile.survey.propose_read import Application, Reading, Seen
from domicile.survey.propose_targets import LIKE_A_PERSON, LIKE_A_TABLE, Target, Targets

SURE: Final = 0.9
"""Share of sampled values that must exist at the target for a link to be proposed."""

FEW: Final = 5
"""Fewer different values than this prove nothing: the link is written as a comment."""

SMALL: Final = 20
"""Rows of a table that few different values refer to, since there are not more."""

WORTH_SAYING: Final = 0.5
"""From this share on, a link that is not proposed is mentioned."""

_EMAIL: Final = "e-mail addresses as in"

_INT: Final = re.compile(r"-?[0-9]{1,18}\Z")
_DEPTH: Final = 3  # levels of JSON that are looked into


def links(
    reading: Reading, application: Application, registers: Iterable[Target]
) -> list[ProposedLink]:
    """The links of one application's columns. `registers`: of all applications, best first."""
    found = list(_of_partitions(reading, application))
    known = list(registers)
    keys = {(t.application.holds, t.table) for t in known}
    targets = Targets(
        [*known, *(
            Target(application, t.name, t.identity[0])
            for t in application.schema.tables.values()
            if len(t.identity) == 1 and (application.holds, t.name) not in keys
        )]
    )  # fmt: skip
    found += composite(reading, application)
    for seen in application.seen.values():
        keyed = {c for k in seen.table.foreign_keys for c in k.columns}
        typed = list(polymorphic(reading, application, seen))
        found += typed
        keyed |= {k.source.column for k in typed}
        for column in seen.table.columns:
            if column.name in keyed or column.generated:
                continue
            found += _of_column(reading, application, seen, column, targets)
            found += _inside_json(reading, application, seen, column, targets)
    return found + _by_email(reading, application, known, found)


def _by_email(
    reading: Reading, application: Application, registers: list[Target], found: list[ProposedLink]
) -> list[ProposedLink]:
    """E-mail addresses of people in a register, in tables that refer to them in no other way."""
    here = [t for t in registers if t.application is application]
    people = {t.table for t in here}
    linked = {k.source.table.table for k in found if k.active and k.target.table.table in people}
    said = []
    for name, seen in application.seen.items():
        referring = linked | {name} & people
        if name in referring or people & {k.parent for k in seen.table.foreign_keys}:
            continue
        for column in _emails(seen):
            values = set(seen.samples[column])
            fits = []
            for target in here:
                there = application.seen[target.table]
                one = next((c for c in _emails(there) if there.distinct([c]) == 1), "")
                source = ColumnName(application.name(name), column)
                to = Target(application, target.table, one, target.score)
                link = _judge(reading, source, to, values, _EMAIL) if one else None
                fits += [link] if link else []
            sure = [link for link in fits if link.active]
            # In two registers alike: whose they are cannot be told.
            said += [replace(link, active=len(sure) == 1) for link in sure or fits[:1]]
    return said


def _emails(seen: Seen) -> list[str]:
    """The columns of e-mail addresses that have values."""
    return [
        c for c, v in seen.verdicts.items()
        if v.category == "user.contact.email" and seen.samples.get(c)
    ]  # fmt: skip


def present(reading: Reading, target: Target, values: Iterable[str]) -> int:
    """How many of these values exist at the target, in whichever cells."""
    if target.table in target.application.unread:
        return 0
    kind = target.application.schema.tables[target.table].column(target.column).kind
    wanted = sorted({v for v in values if kind != "int" or _INT.match(v)})
    there: set[str] = set()
    for session in reading.sessions(target.application):
        table = session.schema.tables.get(target.table)
        if wanted and table is not None and target.column in table.names:
            there |= _found(session, target, wanted, whole=kind == "int")
    return len(there)


def _found(session: Session, target: Target, values: list[str], *, whole: bool) -> set[str]:
    dialect = session.dialect
    column = session.schema.tables[target.table].column(target.column)
    here = f"t.{dialect.quote(column.name)}"
    listed = ", ".join(dialect.literal(v.lower() if column.kind == "uuid" else v) for v in values)
    if whole:  # compared as numbers, so that the key's index serves
        listed = ", ".join(str(int(v)) for v in values)
    text = dialect.text(here, column.kind)
    rows = session.query(
        f"SELECT DISTINCT {text} FROM {dialect.table(target.table)} t "
        f"WHERE {here if whole else text} IN ({listed})"
    )
    return {str(row[0]) for row in rows}


def _of_partitions(reading: Reading, application: Application) -> Iterator[ProposedLink]:
    for seen in application.seen.values():
        for key in seen.table.foreign_keys:
            if key.enforced or not key.name or len(key.columns) != 1:
                continue
            target = Target(application, key.parent, key.parent_columns[0])
            if {seen.table.name, key.parent} & set(application.unread):
                continue
            because = "some partitions lack this key and their siblings have it; "
            if seen.rows > COUNTED:
                values = set(seen.samples[key.columns[0]])
                dangling = len(values) - present(reading, target, values)
                because += f"{dangling} of {len(values)} different values sampled are not there"
            else:
                dangling = _dangling(reading, application, seen.table.name, key)
                because += (
                    f"{counted(dangling, 'row has', 'rows have')} a value that does not exist there"
                    if dangling
                    else "every row's value exists there"
                )
            source = ColumnName(application.name(seen.table.name), key.columns[0])
            active = not dangling
            yield ProposedLink(source, target.name, Reason(because, not active), active)


def _dangling(reading: Reading, application: Application, child: str, key: ForeignKey) -> int:
    """Rows whose value is in no row of the parent, counted in each cell."""
    total = 0
    for session in reading.sessions(application):
        if not {child, key.parent} <= set(session.schema.tables):
            continue
        d = session.dialect
        mine, theirs = f"t.{d.quote(key.columns[0])}", f"p.{d.quote(key.parent_columns[0])}"
        total += session.query(
            f"SELECT count(*) FROM {d.table(child)} t LEFT JOIN {d.table(key.parent)} p "
            f"ON {theirs} = {mine} WHERE {mine} IS NOT NULL AND {theirs} IS NULL"
        )[0][0]
    return total


def _of_column(
    reading: Reading, application: Application, seen: Seen, column: Column, targets: Targets
) -> list[ProposedLink]:
    values = set(seen.samples.get(column.name, ()))
    if not values or column.kind not in ("int", "numeric", "uuid", "text"):
        return []
    if column.kind == "int" and values != {"0"}:
        values.discard("0")  # in many applications it stands for nobody
    child = application.words(seen.table.name)
    ways = list(targets.named(column.name, child, bare=column.kind in ("int", "uuid")))
    if column.kind == "uuid":  # hardly ever in two places by chance, whatever its name
        ways += [(t, "") for t in targets.registers if t not in [w for w, _ in ways]]
    source = ColumnName(application.name(seen.table.name), column.name)
    said: list[ProposedLink] = []
    for target, named in ways:
        there = target.application.schema.tables[target.table].column(target.column)
        own = target.application is application and target.table == seen.table.name
        # A table's own number is counted from one like any other.
        counted = seen.table.identity == (column.name,) and (
            named == LIKE_A_PERSON or not target.register
        )
        if own or counted or not _fits(column.kind, there.kind):
            continue
        link = _judge(reading, source, target, values, named)
        if link and link.active:
            return [link]
        said += [link] if link else []
    return said[:1]


def _inside_json(
    reading: Reading, application: Application, seen: Seen, column: Column, targets: Targets
) -> list[ProposedLink]:
    if column.kind not in ("json", "text"):
        return []
    said = []
    for path, values in sorted(_leaves(seen.samples.get(column.name, ())).items()):
        source = ColumnName(application.name(seen.table.name), column.name, path)
        for target, named in targets.named("_".join(path)):
            link = _judge(reading, source, target, values, named) if target.register else None
            if link:
                said.append(link)
                break
    return said


def _leaves(samples: Iterable[str]) -> dict[tuple[str, ...], set[str]]:
    """Path → values, of texts and whole numbers in JSON objects; nothing if one is no JSON."""
    found: dict[tuple[str, ...], set[str]] = {}
    for text in samples:
        if not text.lstrip().startswith(("{", "[")):
            return {}
        try:
            waiting: list[tuple[tuple[str, ...], object]] = [((), json.loads(text))]
        except ValueError:
            return {}
        while waiting:
            path, value = waiting.pop()
            if isinstance(value, dict) and len(path) < _DEPTH:
                waiting += [((*path, str(name)), each) for name, each in value.items()]
            elif path and isinstance(value, str | int) and not isinstance(value, bool):
                found.setdefault(path, set()).add(str(value))
    return found


def _judge(
    reading: Reading, source: ColumnName, target: Target, values: set[str], named: str
) -> ProposedLink | None:
    there = present(reading, target, values)
    share = there / len(values)
    if share < WORTH_SAYING:
        return None
    rows = target.application.seen[target.table].rows
    # A table of few rows is referred to by few values: reference data, such as realms or groups.
    small = rows <= SMALL and share == 1 and not target.register and named.startswith("named a")
    active = share >= SURE and (len(values) >= FEW or small)
    because = (
        f"{named or 'a uuid as in'} {target.application.name(target.table)}; "
        f"{there} of {counted(len(values), 'different value')} sampled"
        f" {'exists' if len(values) == 1 else 'exist'} there ({share:.0%})"
    )
    if len(values) < FEW and active:
        because += f", and it has {counted(rows, 'row')}"
    if not active:
        because += "; too few to be sure" if len(values) < FEW else "; the others do not"
    guessed = share < 1 or named in ("", LIKE_A_PERSON, LIKE_A_TABLE, _EMAIL)
    return ProposedLink(source, target.name, Reason(because, guessed), active)


def _fits(one: str, other: str) -> bool:
    whole = ("int", "numeric")
    return one == other or "text" in (one, other) or (one in whole and other in whole)
