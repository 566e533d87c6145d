"""Mandates and clauses as pure data. `law/load.py` makes them from YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

KINDS = (
    "store", "access", "use", "consent", "retain", "erase",
    "answer", "report", "offer", "install", "compensate",
)  # fmt: skip
"""The closed set of clause kinds (design.md, section 3)."""

Status = Literal["in_force", "enjoined", "stayed", "revoked", "proposed", "voluntary"]
Otherwise = Literal["move", "erase", "report"]

BINDING: tuple[Status, ...] = ("in_force", "voluntary")
"""Of these, clauses in effect make steps."""


@dataclass(frozen=True)
class Protects:
    """Whose data, and which, a mandate is about.

    Empty `residence` means every residence. Ages are whole years on the day of the plan:
    `age_under=16` protects people of 15 and younger; a person without a birth date is not
    protected by an age and is reported.
    """

    residence: frozenset[str] = frozenset()  # ISO 3166-1 alpha-2, groups expanded
    unknown_residence: Literal["report", "protect"] = "report"
    categories: tuple[str, ...] = ("user",)  # Fideslang keys; a key covers all below it
    age_under: int | None = None
    age_from: int | None = None
    ages_under: tuple[tuple[int, frozenset[str]], ...] = ()  # age and where; instead of age_under
    subjects: tuple[str, ...] = ()  # names of subjects; empty: all


@dataclass(frozen=True)
class Clause:
    """One testable duty. `body` holds what its kind asks for, validated by the schema."""

    id: str
    kind: str
    body: Mapping[str, Any] = field(default_factory=dict)
    line: int = 0

    # a `store` clause, normalised:
    countries: frozenset[str] = frozenset()  # empty: any
    operators: frozenset[str] = frozenset()  # empty: any
    otherwise: Otherwise = "report"
    purge: bool = False

    # where they are not the mandate's:
    status: Status | None = None
    effective: date | None = None
    until: date | None = None  # the first day on which it no longer binds
    deadline: date | None = None


@dataclass(frozen=True)
class StatusChange:
    """The status of a mandate from one day on."""

    on: date
    status: Status
    note: str = ""
    source: str = ""
    verified: bool = False


@dataclass(frozen=True)
class Dated:
    """One value of a parameter, from a day on until the next one's."""

    start: date
    value: Any
    note: str = ""
    source: str = ""
    verified: bool = False


@dataclass(frozen=True)
class Approvals:
    """How many approvers of a role, for an operator, a plan needs."""

    role: str
    operator: str
    need: int = 1


@dataclass(frozen=True)
class Cosignatures:
    """How many of these witnesses (all of the estate's when empty) must have cosigned."""

    need: int
    of: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mandate:
    """A law, order or promise, with its citation."""

    id: str
    title: str
    file: str
    status: Status
    effective: date
    protects: Protects
    clauses: tuple[Clause, ...]
    issuer: str = ""
    citation: str = ""
    deadline: date | None = None
    digest: str = ""  # sha256:… of the canonical declaration
    source: str = ""
    verified: bool | None = None
    notes: str = ""
    extends: str = ""  # the id of the mandate that it adapts
    history: tuple[StatusChange, ...] = ()  # oldest first
    parameters: Mapping[str, tuple[Dated, ...]] = field(default_factory=dict)
    approvals: tuple[Approvals, ...] = ()
    cosignatures: Cosignatures | None = None

    def status_on(self, day: date) -> Status:
        """The status on a day; before its history begins, that of its first day."""
        if not self.history:
            return self.status
        past = [change.status for change in self.history if change.on <= day]
        return past[-1] if past else self.history[0].status

    def makes_steps(self, as_of: date) -> bool:
        """Only clauses in force or voluntary, and in effect, make steps (design.md, section 3)."""
        return self.status_on(as_of) in BINDING and self.effective <= as_of

    def binds(self, clause: Clause, as_of: date) -> bool:
        """Whether one of its clauses makes steps on a day: its own status and dates count too."""
        return (
            self.makes_steps(as_of)
            and (clause.status is None or clause.status in BINDING)
            and (clause.effective is None or clause.effective <= as_of)
            and (clause.until is None or as_of < clause.until)
        )

    def due(self, clause: Clause) -> date | None:
        """The deadline of a clause: its own, else the mandate's."""
        return clause.deadline or self.deadline
