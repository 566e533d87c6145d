"""Clauses that cannot all be met for one person, found before they bite.

Complete for where data may rest (`store`) and who may see them (`access`): every class of people,
data, stores and principals is tried with the conditions themselves (`Condition.holds`), so that
this reading cannot differ from the others. Access clauses that ask for a form, a role or a purpose
narrow how data are shown and never exclude everybody: they are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from domicile.estate.model import Estate, Store
from domicile.law import classes
from domicile.law.condition import Condition, Person, protects_condition
from domicile.law.control import organisations
from domicile.law.model import Clause, Mandate

FAMILY = {"store": "rest", "access": "look"}
NARROWS = ("form", "role", "purposes")
"""What an access clause asks for beside who may see data."""


@dataclass(frozen=True)
class Conflict:
    """Clauses that cannot be met together, and a person who would need it.

    `in_law` when no store (or principal) anywhere could; otherwise the estate only lacks one.
    """

    clauses: tuple[tuple[str, str], ...]  # (mandate, clause)
    holds: str
    category: str
    person: Person
    in_law: bool
    about: Literal["rest", "look"] = "rest"
    example: str = ""  # the person in words
    resolve: str = ""  # what would resolve it

    def __str__(self) -> str:
        named = " and ".join(f"{mandate}/{clause}" for mandate, clause in self.clauses)
        who = f"{self.example} ({self.category} data in {self.holds})"
        if self.about == "look":
            return f"{named} cannot be met together for {who}: nobody anywhere may see them"
        if self.in_law:
            return f"{named} cannot be met together for {who}: no store anywhere could hold it"
        if len(self.clauses) == 1:
            return f"{named}: no declared store that holds {self.holds} is allowed for {who}"
        return f"{named}: no declared store satisfies all of them for {who}"


@dataclass(frozen=True)
class Duty:
    """A clause in effect, and whom and what it is about."""

    mandate: Mandate
    clause: Clause
    condition: Condition
    categories: tuple[str, ...]

    @property
    def name(self) -> tuple[str, str]:
        """Mandate and clause."""
        return self.mandate.id, self.clause.id


def allows(clause: Clause, store: Store) -> bool:
    """Whether a `store` clause lets protected people's data rest in a store."""
    return (not clause.countries or store.country in clause.countries) and (
        not clause.operators or store.operator in clause.operators
    )


def duties(
    mandates: Sequence[Mandate], as_of: date, about: Literal["rest", "look"]
) -> list[Duty]:  # fmt: skip
    """The clauses in effect of one family. `otherwise: erase` needs no store and is left out."""
    return [
        Duty(
            mandate,
            clause,
            protects_condition(mandate.protects, as_of),
            tuple(clause.body.get("categories", ())) or mandate.protects.categories,
        )
        for mandate in mandates
        for clause in mandate.clauses
        if mandate.binds(clause, as_of)
        and FAMILY.get(clause.kind) == about
        and clause.otherwise != "erase"
        and not any(key in clause.body for key in NARROWS)
    ]


def conflicts(estate: Estate, mandates: Sequence[Mandate], as_of: date) -> tuple[Conflict, ...]:
    """Sets of clauses in effect that leave somebody's data no store, or nobody to see them.

    Each set is told once, with an example. Whoever is left without is in one of them; of several
    such sets for the same people, the first that cannot be made smaller is told.
    """
    found: dict[tuple[object, ...], Conflict] = {}
    for conflict in (*_rest(estate, mandates, as_of), *_look(estate, mandates, as_of)):
        found.setdefault((conflict.about, conflict.clauses, conflict.holds), conflict)
    return tuple(found.values())


def _bound(
    estate: Estate, mine: Sequence[Duty], as_of: date
) -> Iterator[tuple[str, Person, tuple[Duty, ...]]]:
    """Category, person and the clauses that bind both, each set of clauses once a category."""
    everybody = [
        (person, frozenset(n for n, duty in enumerate(mine) if duty.condition.holds(person)))
        for person in classes.people(estate.subjects, [d.condition for d in mine], as_of)
    ]
    for category in classes.categories(c for duty in mine for c in duty.categories):
        about = frozenset(n for n, d in enumerate(mine) if classes.about(d.categories, category))
        seen: set[frozenset[int]] = set()
        for person, holding in everybody:
            binding = holding & about
            if binding and binding not in seen:
                seen.add(binding)
                yield category, person, tuple(mine[n] for n in sorted(binding))


def _rest(estate: Estate, mandates: Sequence[Mandate], as_of: date) -> Iterator[Conflict]:
    for category, person, binding in _bound(estate, duties(mandates, as_of, "rest"), as_of):
        for label in classes.labels(estate):

            def without_store(least: Sequence[Duty], label: str = label) -> bool:
                return _without_store(estate, label, least)

            for fails in (_impossible, without_store):
                if fails(binding):
                    least = _least(binding, fails)
                    in_law = _impossible(least)
                    yield Conflict(
                        clauses=tuple(duty.name for duty in least),
                        holds=label,
                        category=category,
                        person=person,
                        in_law=in_law,
                        example=classes.described(person, as_of),
                        resolve=_a_place(least, label, in_law=in_law),
                    )


def _look(estate: Estate, mandates: Sequence[Mandate], as_of: date) -> Iterator[Conflict]:
    mine = duties(mandates, as_of, "look")
    declared = organisations(estate)
    asking = classes.principals([duty.clause for duty in mine], declared)

    def nobody(binding: Sequence[Duty]) -> bool:
        return bool(binding) and all(
            any(classes.denies(duty.clause, each, declared) for duty in binding) for each in asking
        )

    for category, person, binding in _bound(estate, mine, as_of):
        if not nobody(binding):
            continue
        least = _least(binding, nobody)
        for label in classes.labels(estate):
            yield Conflict(
                clauses=tuple(duty.name for duty in least),
                holds=label,
                category=category,
                person=person,
                in_law=True,
                about="look",
                example=classes.described(person, as_of),
                resolve="name a country or an employer that all of them let in, "
                "or adapt one of them (extends) for these people",
            )


def _a_place(least: Sequence[Duty], label: str, *, in_law: bool) -> str:
    """What would resolve that there is no store."""
    ids = " or ".join(dict.fromkeys(duty.mandate.id for duty in least))
    if in_law:
        return f"adapt {ids} (extends): let them share a place, or leave these people out of one"
    parts = []
    countries = _common([duty.clause.countries for duty in least])
    operators = _common([duty.clause.operators for duty in least])
    if countries:
        parts.append("in " + " or ".join(sorted(countries)[:4]))
    if operators:
        parts.append("run by " + " or ".join(sorted(operators)))
    return " ".join([f"declare a store that holds {label}", *parts])


def _common(named: Sequence[frozenset[str]]) -> frozenset[str]:
    given = [each for each in named if each]
    return frozenset.intersection(*given) if given else frozenset()


def _least(binding: Sequence[Duty], fails: Callable[[Sequence[Duty]], bool]) -> list[Duty]:
    """Leave out what is not needed for it to fail."""
    least = list(binding)
    for duty in binding:
        fewer = [each for each in least if each is not duty]
        if fails(fewer):
            least = fewer
    return least


def _without_store(estate: Estate, label: str, binding: Sequence[Duty]) -> bool:
    return bool(binding) and not any(
        all(allows(duty.clause, store) for duty in binding) for store in estate.cells(label)
    )


def _impossible(binding: Sequence[Duty]) -> bool:
    """Whether the clauses name countries, or operators, that have none in common."""
    for named in (
        [duty.clause.countries for duty in binding if duty.clause.countries],
        [duty.clause.operators for duty in binding if duty.clause.operators],
    ):
        if len(named) > 1 and not frozenset.intersection(*named):
            return True
    return False
