"""Conflicts found by trying everybody, written apart from the code under test.

Nothing here calls a condition or a reading of the package: ages, residences, categories and places
are judged again, in the plainest way, so that a mistake in either shows.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import product
from typing import NamedTuple

from domicile.estate.model import Estate, Path, Store, Subject, TableName
from domicile.law import classes
from domicile.law.condition import Person, protects_condition
from domicile.law.conflicts import conflicts
from domicile.law.model import Clause, Mandate, Protects

DAY = date(2026, 6, 15)
COUNTRIES = ("US", "NL", "GB")
OPERATORS = ("Oracle", "Trust")
CATEGORIES = ("user", "user.contact", "user.contact.email", "user.financial")


class Somebody(NamedTuple):
    """A person as a test makes them up."""

    residence: str | None
    born: date | None


def estate_of(stores: Sequence[tuple[str, str]]) -> Estate:
    """An estate with a store for each (country, operator)."""
    subject = Subject(
        "customer", TableName("app", "customer"), ("id",), Path((), "country"), Path((), "born")
    )
    declared = tuple(Store(f"s{n}", f"memory:s{n}", c, o, "app") for n, (c, o) in enumerate(stores))
    return Estate("e", "e.yaml", "", declared, (subject,))


def world(seed: int) -> tuple[Estate, list[Mandate]]:
    """A small estate and two or three mandates with one clause each, as the seed has it."""
    draw = random.Random(seed)
    stores = [(c, o) for c, o in product(COUNTRIES, OPERATORS) if draw.random() < 0.5]
    mandates = []
    for number in range(draw.randint(2, 3)):
        age = draw.choice([None, None, 13, 16, 18])
        protects = Protects(
            residence=frozenset(draw.sample(COUNTRIES, draw.randint(0, 2))),
            unknown_residence=draw.choice(["report", "protect"]),
            categories=(draw.choice(CATEGORIES),),
            age_under=age if draw.random() < 0.6 else None,
            age_from=None,
        )
        if age is not None and protects.age_under is None:
            protects = Protects(protects.residence, protects.unknown_residence,
                                protects.categories, age_from=age)  # fmt: skip
        countries = frozenset(draw.sample(COUNTRIES, draw.randint(1, 2)))
        operators = frozenset(draw.sample(OPERATORS, draw.randint(0, 1)))
        body = {"country": sorted(countries), "otherwise": "deny"}
        look = draw.random() < 0.3
        clause = (
            Clause("c", "access", body)
            if look
            else Clause("c", "store", {"otherwise": "move"}, 0, countries, operators, "move")
        )
        mandates.append(
            Mandate(f"m{number}", "t", "f", "in_force", date(2020, 1, 1), protects, (clause,))
        )
    return estate_of(stores or [("US", "Oracle")]), mandates


def everybody() -> Iterator[Somebody]:
    """Every residence, and births on each side of each birthday that a law here could ask about."""
    births: list[date | None] = [None, date(1980, 3, 3)]
    for age in (13, 16, 18):
        births += [date(DAY.year - age, DAY.month, DAY.day + n) for n in (-1, 0, 1)]
    for residence, born in product([*COUNTRIES, "FR", None], births):
        yield Somebody(residence, born)


def protected(protects: Protects, person: Somebody) -> bool:
    """Whether somebody is surely protected."""
    if protects.residence:
        if person.residence is None:
            if protects.unknown_residence != "protect":
                return False
        elif person.residence not in protects.residence:
            return False
    if protects.age_under is None and protects.age_from is None:
        return True
    if person.born is None:
        return False
    years = DAY.year - person.born.year
    if (person.born.month, person.born.day) > (DAY.month, DAY.day):
        years -= 1
    if protects.age_under is not None and years >= protects.age_under:
        return False
    return protects.age_from is None or years >= protects.age_from


def without(estate: Estate, mandates: Sequence[Mandate]) -> dict[str, set[frozenset[str]]]:
    """The sets of mandates that leave somebody's data no store, and nobody to see them."""
    rest: set[frozenset[str]] = set()
    look: set[frozenset[str]] = set()
    for person, category in product(everybody(), CATEGORIES):
        mine = [
            m
            for m in mandates
            if protected(m.protects, person)
            and any((category + ".").startswith(c + ".") for c in m.protects.categories)
        ]
        stores = [m for m in mine if m.clauses[0].kind == "store"]
        sights = [m for m in mine if m.clauses[0].kind == "access"]
        places = [(s.country, s.operator) for s in estate.stores]
        if stores and not any(
            all(
                c in m.clauses[0].countries
                and (not m.clauses[0].operators or o in m.clauses[0].operators)
                for m in stores
            )
            for c, o in places
        ):
            rest.add(frozenset(m.id for m in stores))
        if sights and not any(
            all(c in m.clauses[0].body["country"] for m in sights) for c in (*COUNTRIES, "FR")
        ):
            look.add(frozenset(m.id for m in sights))
    return {"rest": rest, "look": look}


def _somebody(person: Person) -> Somebody:
    born = date.fromisoformat(person.born) if person.born else None
    return Somebody("FR" if person.residence == "ZZ" else person.residence, born)


def disagreement(seed: int) -> str:
    """How the analysis and trying everybody differ in one world; empty when they do not.

    Every set of the analysis leaves its own example without (it is right), and every person who is
    left without is left so by one of its sets (it is complete).
    """
    estate, mandates = world(seed)
    conditions = [protects_condition(mandate.protects, DAY) for mandate in mandates]
    for each in classes.people(estate.subjects, conditions, DAY):
        somebody = _somebody(each)
        for mandate, condition in zip(mandates, conditions, strict=True):
            if bool(condition.holds(each)) != protected(mandate.protects, somebody):
                return f"{mandate.id} reads {somebody} differently"
    naive = without(estate, mandates)
    found: dict[str, list[frozenset[str]]] = {"rest": [], "look": []}
    for conflict in conflicts(estate, mandates, DAY):
        found[conflict.about].append(frozenset(m for m, _ in conflict.clauses))
        for mandate in mandates:
            if (mandate.id, "c") in conflict.clauses and not protected(
                mandate.protects, _somebody(conflict.person)
            ):
                return f"{conflict}: {mandate.id} does not protect them"
    for about, sets in naive.items():
        if bool(sets) != bool(found[about]):
            return f"{about}: {sets} and {found[about]}"
        for left in sets:
            if not any(least <= left for least in found[about]):
                return f"{about}: {set(left)} is not among {found[about]}"
        for least in found[about]:
            if not any(least <= other for other in sets):
                return f"{about}: {set(least)} leaves nobody without"
    return ""
