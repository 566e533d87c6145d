"""What `init` proposes, as data: every part with its reason, and whether it was guessed.

Nothing here repeats a value that stands in a store: reasons hold names, counts and shares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from domicile.estate.model import ColumnName, Path, TableName, TableRole

UNKNOWN_COUNTRY = "ZZ"
"""Unknown or unspecified territory (CLDR; user-assigned in ISO 3166-1): the loader refuses it and
names the line, so that nobody plans before somebody has said where a store stands."""

UNKNOWN_OPERATOR = "unknown"
"""No mandate trusts an operator of this name, so what rests with it is never counted as allowed."""


@dataclass(frozen=True)
class Reason:
    """Why something is proposed. `guessed`: a person should look before believing it."""

    because: str
    guessed: bool = False

    def document(self) -> dict[str, Any]:
        """As in the document of `--json`."""
        return {"because": self.because, "guessed": self.guessed}


@dataclass(frozen=True)
class ProposedStore:
    """One store as it will be declared; `url` holds no password."""

    name: str
    url: str
    holds: str
    reason: Reason
    country: str = UNKNOWN_COUNTRY
    operator: str = UNKNOWN_OPERATOR
    schema: str = ""


@dataclass(frozen=True)
class ProposedPath:
    """A route to a residence or a birth date."""

    path: Path
    reason: Reason


@dataclass(frozen=True)
class ProposedSubject:
    """A kind of data subject. Not `active`: written as a comment, for a person to take up."""

    name: str
    register: TableName
    key: tuple[str, ...]
    reason: Reason
    residence: ProposedPath | None = None
    born: ProposedPath | None = None
    other_residences: tuple[ProposedPath, ...] = ()  # seen and not chosen, each with why
    active: bool = True


@dataclass(frozen=True)
class ProposedLink:
    """A reference that no key declares; `to` is a subject's name or a column."""

    source: ColumnName
    target: ColumnName  # the key that the values are of
    reason: Reason
    active: bool = True
    to: str = ""  # as written: the name of the subject whose key it is, or the column
    more: tuple[str, ...] = ()  # further columns of the source's table: a key of several
    more_to: tuple[str, ...] = ()  # and of the target's
    where: tuple[tuple[str, str], ...] = ()  # only rows with this text in that column

    @property
    def sources(self) -> list[str]:
        """All referring columns as the estate names them."""
        table = self.source.table
        return [str(self.source), *(str(ColumnName(table, c)) for c in self.more)]

    @property
    def targets(self) -> list[str]:
        """All columns referred to, likewise."""
        table = self.target.table
        return [str(self.target), *(str(ColumnName(table, c)) for c in self.more_to)]


@dataclass(frozen=True)
class ProposedTable:
    """The role of a table, or whose act its rows are."""

    table: TableName
    role: TableRole
    reason: Reason
    active: bool = True


@dataclass(frozen=True)
class Proposal:
    """A whole estate, proposed."""

    name: str
    stores: tuple[ProposedStore, ...]
    subjects: tuple[ProposedSubject, ...] = ()
    links: tuple[ProposedLink, ...] = ()
    tables: tuple[ProposedTable, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def guessed(self) -> int:
        """How many of the active proposals a person should confirm."""
        reasons = [s.reason for s in self.stores]
        reasons += [k.reason for k in self.links if k.active]
        reasons += [t.reason for t in self.tables if t.active]
        for subject in self.subjects:
            if subject.active:
                reasons.append(subject.reason)
                reasons += [p.reason for p in (subject.residence, subject.born) if p]
        return sum(reason.guessed for reason in reasons)

    def document(self) -> dict[str, Any]:
        """The proposal as one document, for `--json`."""
        return {
            "version": 1,
            "estate": self.name,
            "guessed": self.guessed,
            "stores": [
                {"name": s.name, "url": s.url, "country": s.country, "operator": s.operator,
                 "holds": s.holds, "schema": s.schema or None, **s.reason.document()}
                for s in self.stores
            ],
            "subjects": [_subject(s) for s in self.subjects],
            "links": [
                {"from": k.sources if k.more else str(k.source),
                 "to": k.targets if k.more and k.to == str(k.target) else k.to,
                 "where": dict(k.where), "active": k.active, **k.reason.document()}
                for k in self.links
            ],
            "tables": [
                {"table": str(t.table), "role": t.role.role or None, "joint": t.role.joint,
                 "author": str(t.role.author) if t.role.author else None, "active": t.active,
                 **t.reason.document()}
                for t in self.tables
            ],
            "notes": list(self.notes),
        }  # fmt: skip


def _subject(subject: ProposedSubject) -> dict[str, Any]:
    def path(proposed: ProposedPath | None) -> dict[str, Any] | None:
        if proposed is None:
            return None
        return {"path": str(proposed.path), **proposed.reason.document()}

    return {
        "name": subject.name,
        "register": str(subject.register),
        "key": list(subject.key),
        "active": subject.active,
        **subject.reason.document(),
        "residence": path(subject.residence),
        "other_residences": [path(p) for p in subject.other_residences],
        "born": path(subject.born),
    }
