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

    def makes_steps(self, as_of: date) -> bool:
        """Only clauses in force or voluntary, and in effect, make steps (design.md, section 3)."""
        return self.status in ("in_force", "voluntary") and self.effective <= as_of
