"""The library as a catalogue: what each mandate is about, found by country, category and kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from domicile.estate.categories import covers
from domicile.law.load import load_mandate
from domicile.law.model import Clause, Mandate
from domicile.law.source import library


@dataclass(frozen=True)
class Wanted:
    """What to look for; None is anything."""

    country: str | None = None  # ISO 3166-1 alpha-2
    category: str | None = None  # a Fideslang key: mandates about it, above it or below it
    kind: str | None = None  # a kind of clause
    status: str | None = None  # on the day


def shipped(day: date) -> tuple[Mandate, ...]:
    """Every mandate of the library, as of a day. Raises DeclarationError."""
    return tuple(load_mandate(path, day) for path in library().values())


def matching(mandates: Iterable[Mandate], wanted: Wanted, day: date) -> tuple[Mandate, ...]:
    """Those that are about all that is wanted."""
    return tuple(mandate for mandate in mandates if _matches(mandate, wanted, day))


def countries(mandate: Mandate) -> frozenset[str]:
    """Every country that it names, of people, stores, principals, recipients or services."""
    named = set(mandate.protects.residence)
    for clause in mandate.clauses:
        named |= clause.countries
        for key in ("country", "not_country", "recipient_country"):
            listed = clause.body.get(key, ())
            named |= {listed} if isinstance(listed, str) else set(listed)
        named |= set(clause.body.get("controlled_from", {}).get("country", ()))
    return frozenset(named)


def categories(mandate: Mandate) -> frozenset[str]:
    """Every data category that it names."""
    below = (clause.body.get("categories", ()) for clause in mandate.clauses)
    return frozenset(mandate.protects.categories).union(*below)


def _matches(mandate: Mandate, wanted: Wanted, day: date) -> bool:
    return (
        (wanted.country is None or wanted.country in countries(mandate))
        and (
            wanted.category is None
            or any(
                covers(each, wanted.category) or covers(wanted.category, each)
                for each in categories(mandate)
            )
        )
        and (wanted.kind is None or any(clause.kind == wanted.kind for clause in mandate.clauses))
        and (wanted.status is None or mandate.status_on(day) == wanted.status)
    )


def summary(mandate: Mandate, day: date) -> dict[str, Any]:
    """A mandate in one line, as JSON."""
    return {
        "id": mandate.id,
        "title": mandate.title,
        "issuer": mandate.issuer,
        "citation": mandate.citation,
        "status": mandate.status_on(day),
        "effective": mandate.effective.isoformat(),
        "deadline": mandate.deadline.isoformat() if mandate.deadline else None,
        "makes_steps": mandate.makes_steps(day),
        "verified": mandate.verified,
        "source": mandate.source,
        "extends": mandate.extends or None,
        "kinds": sorted({clause.kind for clause in mandate.clauses}),
    }


def whole(mandate: Mandate, day: date) -> dict[str, Any]:
    """A mandate with all that it says and where that is from, as JSON."""
    protects = mandate.protects
    return {
        **summary(mandate, day),
        "file": Path(mandate.file).name,
        "notes": mandate.notes,
        "protects": {
            "residence": sorted(protects.residence),
            "unknown_residence": protects.unknown_residence,
            "categories": list(protects.categories),
            "age_under": protects.age_under,
            "age_from": protects.age_from,
            "ages_under": {str(age): sorted(where) for age, where in protects.ages_under},
            "subjects": list(protects.subjects),
        },
        "history": [
            {"on": c.on.isoformat(), "status": c.status, "note": c.note, "source": c.source,
             "verified": c.verified}
            for c in mandate.history
        ],
        "parameters": [
            {"name": name, "from": dated.start.isoformat(), "value": dated.value,
             "note": dated.note, "source": dated.source, "verified": dated.verified}
            for name, values in mandate.parameters.items()
            for dated in values
        ],
        "clauses": [_clause(mandate, clause, day) for clause in mandate.clauses],
    }  # fmt: skip


def _clause(mandate: Mandate, clause: Clause, day: date) -> dict[str, Any]:
    about = ("citation", "source", "verified", "note", "otherwise")
    deadline = mandate.due(clause)
    return {
        "id": clause.id,
        "kind": clause.kind,
        "says": {key: value for key, value in clause.body.items() if key not in about},
        "otherwise": clause.body["otherwise"],
        "purge": clause.purge,
        "status": clause.status or mandate.status_on(day),
        "makes_steps": mandate.binds(clause, day),
        "effective": (clause.effective or mandate.effective).isoformat(),
        "until": clause.until.isoformat() if clause.until else None,
        "deadline": deadline.isoformat() if deadline else None,
        "citation": clause.body.get("citation", mandate.citation),
        "source": clause.body.get("source", mandate.source),
        "verified": clause.body.get("verified", mandate.verified),
        "note": clause.body.get("note", ""),
    }
