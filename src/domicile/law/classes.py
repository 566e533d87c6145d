"""One representative for each class of people, data and principals that the clauses tell apart.

A clause sees of a person a residence, an age and the kind of subject; of data a category; of a
principal a country and an employer. Two values that every clause treats alike are one class, and
trying one of each class is trying everybody (docs/decisions: the analysis of conflicts).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product

from domicile.estate.categories import covers
from domicile.estate.countries import country_name
from domicile.estate.model import Estate, Organisation, Subject
from domicile.law.condition import AllOf, AnyOf, Condition, Not, Person, ResidenceIn, Under
from domicile.law.control import controlled, rule
from domicile.law.model import Clause

ELSEWHERE = "ZZ"  # ISO 3166-1 leaves it to users: a country that no clause names

GROWN = 40
"""The age of somebody whom no law for children or for the old is about, unless it names it."""


@dataclass(frozen=True)
class Principal:
    """Somebody who asks: from a country, employed by an organisation (None: one of no account)."""

    country: str
    employer: str | None


def people(
    subjects: Sequence[Subject], conditions: Sequence[Condition], as_of: date
) -> Iterator[Person]:
    """One person for each class; only what a subject declares can be known of its people."""
    countries: dict[frozenset[int], str] = {}  # by which sets name it
    sets = [each for condition in conditions for each in _residences(condition)]
    for code in [*sorted(frozenset().union(*sets)), ELSEWHERE]:
        naming = frozenset(index for index, named in enumerate(sets) if code in named)
        countries.setdefault(naming, code)
    births = list(_births([age for c in conditions for age in _ages(c)], as_of))
    for subject in subjects:
        residences = [*countries.values(), None] if subject.residence else [None]
        born = [*births, None] if subject.born else [None]
        for residence, birth in product(residences, born):
            yield Person(residence, birth, subject.name)


def categories(named: Iterable[str]) -> list[str]:
    """One category for each class: a key that is named, since one that is not is as those above."""
    return sorted(set(named))


def about(mine: Iterable[str], category: str) -> bool:
    """Whether a clause about `mine` is about that category."""
    return any(covers(each, category) for each in mine)


def principals(clauses: Sequence[Clause], declared: Mapping[str, Organisation]) -> list[Principal]:
    """One principal for each class that access clauses tell apart."""
    named = [
        frozenset(clause.body[key])
        for clause in clauses
        for key in ("country", "not_country")
        if key in clause.body
    ]
    countries: dict[frozenset[int], str] = {}
    for code in [*sorted(frozenset().union(*named)), ELSEWHERE]:
        naming = frozenset(index for index, each in enumerate(named) if code in each)
        countries.setdefault(naming, code)
    employers: dict[tuple[object, ...], str | None] = {}
    lists = [frozenset(c.body["employer"]) for c in clauses if "employer" in c.body]
    rules = [rule(c.body["controlled_from"]) for c in clauses if "controlled_from" in c.body]
    for name in [None, *sorted({*declared, *frozenset().union(*lists)})]:
        kind = (
            tuple(name in each for each in lists),
            tuple(name is not None and controlled(declared, name, each).value for each in rules),
        )
        employers.setdefault(kind, name)
    return [Principal(c, e) for c, e in product(countries.values(), employers.values())]


def denies(clause: Clause, principal: Principal, declared: Mapping[str, Organisation]) -> bool:
    """Whether an access clause surely keeps a principal out, for where they are or whom they work
    for; an employer whose owners are not declared may be let in."""
    body = clause.body
    if "country" in body and principal.country not in body["country"]:
        return True
    if principal.country in body.get("not_country", ()):
        return True
    if "employer" in body and principal.employer not in body["employer"]:
        return True
    if "controlled_from" not in body:
        return False
    if principal.employer is None:  # somebody whom nobody owns
        return principal.country in body["controlled_from"]["country"]
    return controlled(declared, principal.employer, rule(body["controlled_from"])).value is True


def described(person: Person, as_of: date) -> str:
    """A person in words: `a child of 12, resident in Netherlands (NL), in customer`."""
    if person.born is None:
        who = "somebody whose age is not known"
    else:
        born = date.fromisoformat(person.born)
        age = as_of.year - born.year - ((as_of.month, as_of.day) < (born.month, born.day))
        who = f"a child of {age}" if age < 18 else f"somebody of {age}"
    where = {None: "of unknown residence", ELSEWHERE: "resident anywhere else"}.get(
        person.residence, f"resident in {country_name(person.residence or '')} ({person.residence})"
    )
    return f"{who}, {where}, in {person.subject}"


def labels(estate: Estate) -> list[str]:
    """The schemas in which people's data are, by register or by link."""
    held = {subject.register.holds for subject in estate.subjects}
    return sorted(held | {link.source.table.holds for link in estate.links})


def _births(ages: Iterable[int], as_of: date) -> Iterator[str]:
    """Birth dates on either side of each age, and of nobody whom an age is about."""
    listed = sorted(set(ages))
    # First those whom a law is just about, and just not: they make the plainest example.
    wanted = [*(age - 1 for age in listed), *listed, GROWN, 1]
    for age in dict.fromkeys(each for each in wanted if each >= 0):
        # On New Year's Day of that year they have their birthday behind them, whatever the day.
        yield f"{max(as_of.year - age, 1):04d}-01-01"


def _residences(condition: Condition) -> Iterator[frozenset[str]]:
    if isinstance(condition, ResidenceIn):
        yield condition.countries
    for part in _parts(condition):
        yield from _residences(part)


def _ages(condition: Condition) -> Iterator[int]:
    if isinstance(condition, Under):
        yield condition.years
    for part in _parts(condition):
        yield from _ages(part)


def _parts(condition: Condition) -> tuple[Condition, ...]:
    if isinstance(condition, (AllOf, AnyOf)):
        return condition.parts
    return (condition.part,) if isinstance(condition, Not) else ()
