"""Store clauses that cannot all be met for one person, found before they bite.

Complete for `store` clauses: residence, age, subject and category are each cut into the classes
that the mandates can tell apart, and every combination is tried with the conditions themselves
(`Condition.holds`), so that this reading cannot differ from the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product

from domicile.estate.categories import covers
from domicile.estate.model import Estate, Store
from domicile.law.condition import Condition, Person, protects_condition
from domicile.law.model import Clause, Mandate

_ELSEWHERE = "ZZ"  # ISO 3166-1 leaves it to users: a country that no mandate names


@dataclass(frozen=True)
class Conflict:
    """Clauses that no store satisfies together, and a person who would need one.

    `in_law` when no store anywhere could; otherwise the estate only lacks one.
    """

    clauses: tuple[tuple[str, str], ...]  # (mandate, clause)
    holds: str
    category: str
    person: Person
    in_law: bool

    def __str__(self) -> str:
        named = " and ".join(f"{mandate}/{clause}" for mandate, clause in self.clauses)
        who = f"a person {_whose(self.person)} ({self.category} data in {self.holds})"
        if self.in_law:
            return f"{named} cannot be met together for {who}: no store anywhere could hold it"
        if len(self.clauses) == 1:
            return f"{named}: no declared store that holds {self.holds} is allowed for {who}"
        return f"{named}: no declared store satisfies all of them for {who}"


@dataclass(frozen=True)
class _Duty:
    mandate: Mandate
    clause: Clause
    condition: Condition


def allows(clause: Clause, store: Store) -> bool:
    """Whether a `store` clause lets protected people's data rest in a store."""
    return (not clause.countries or store.country in clause.countries) and (
        not clause.operators or store.operator in clause.operators
    )


def conflicts(estate: Estate, mandates: Sequence[Mandate], as_of: date) -> tuple[Conflict, ...]:
    """Sets of clauses in effect that leave somebody's data no store, each once, with an example.

    Whoever is left without a store is in one of them; of several such sets for the same people,
    the first that cannot be made smaller is told.

    Clauses that say `otherwise: erase` need no store and are left out.
    """
    duties = [
        _Duty(mandate, clause, protects_condition(mandate.protects, as_of))
        for mandate in mandates
        for clause in mandate.clauses
        if mandate.binds(clause, as_of) and clause.kind == "store" and clause.otherwise != "erase"
    ]
    found: dict[tuple[object, ...], Conflict] = {}
    labels = sorted(
        {subject.register.holds for subject in estate.subjects}
        | {link.source.table.holds for link in estate.links}
    )
    people = list(_people(estate, duties, as_of))
    for category in sorted({each for duty in duties for each in duty.mandate.protects.categories}):
        about = [
            d for d in duties if any(covers(c, category) for c in d.mandate.protects.categories)
        ]
        for person in people:
            binding = [duty for duty in about if duty.condition.holds(person)]
            for label in labels:
                for conflict in _conflicts(estate, label, category, person, binding):
                    found.setdefault((conflict.clauses, label), conflict)
    return tuple(found.values())


def _conflicts(
    estate: Estate, label: str, category: str, person: Person, binding: Sequence[_Duty]
) -> Iterator[Conflict]:
    """The smallest sets of the binding clauses that no store, anywhere or declared, satisfies."""

    def without_store(duties: Sequence[_Duty]) -> bool:
        return _without_store(estate, label, duties)

    for fails in (_impossible, without_store):
        if fails(binding):
            least = _least(binding, fails)
            yield Conflict(
                clauses=tuple((duty.mandate.id, duty.clause.id) for duty in least),
                holds=label,
                category=category,
                person=person,
                in_law=_impossible(least),
            )


def _least(binding: Sequence[_Duty], fails: Callable[[Sequence[_Duty]], bool]) -> list[_Duty]:
    """Leave out what is not needed for it to fail."""
    least = list(binding)
    for duty in binding:
        fewer = [each for each in least if each is not duty]
        if fails(fewer):
            least = fewer
    return least


def _without_store(estate: Estate, label: str, binding: Sequence[_Duty]) -> bool:
    return bool(binding) and not any(
        all(allows(duty.clause, store) for duty in binding) for store in estate.cells(label)
    )


def _impossible(binding: Sequence[_Duty]) -> bool:
    """Whether the clauses name countries, or operators, that have none in common."""
    for named in (
        [duty.clause.countries for duty in binding if duty.clause.countries],
        [duty.clause.operators for duty in binding if duty.clause.operators],
    ):
        if len(named) > 1 and not frozenset.intersection(*named):
            return True
    return False


def _people(estate: Estate, duties: Sequence[_Duty], as_of: date) -> Iterator[Person]:
    """One person for each class that the duties can tell apart."""
    countries: dict[frozenset[int], str] = {}  # by which mandates name it
    every = sorted({code for duty in duties for code in duty.mandate.protects.residence})
    for code in [*every, _ELSEWHERE]:
        naming = frozenset(
            index for index, duty in enumerate(duties) if code in duty.mandate.protects.residence
        )
        countries.setdefault(naming, code)
    ages = {1, 40}
    for duty in duties:
        for age in (duty.mandate.protects.age_under, duty.mandate.protects.age_from):
            ages |= {age - 1, age} if age else set()
    births = [None, *(f"{as_of.year - age:04d}-01-01" for age in sorted(ages) if age >= 0)]
    subjects = [subject.name for subject in estate.subjects]
    for residence, born, subject in product([*countries.values(), None], births, subjects):
        yield Person(residence, born, subject)


def _whose(person: Person) -> str:
    where = {None: "of unknown residence", _ELSEWHERE: "resident anywhere else"}.get(
        person.residence, f"resident in {person.residence}"
    )
    born = f", born {person.born}" if person.born else ""
    return f"{where}{born} ({person.subject})"
