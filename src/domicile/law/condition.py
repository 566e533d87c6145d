"""Conditions on people: one expression, two readings that agree.

A condition is true, false or unknown of a person (Kleene's three values, as in SQL):

    to_sql(columns, dialect)    for sets of rows, in the store; NULL is unknown
    holds(person)               for one person, in memory; None is unknown

A person is a residence (ISO 3166-1 alpha-2), a birth date (ISO 8601 text) and the name of a
subject, each of which may be missing. Ages are whole years on the day that the condition was made
for. Somebody born on 29 February comes of age on 1 March where the year has no 29 February; that
falls out of comparing year, month and day, which is how both readings do it. A birth date that is
later than that day, or not written YYYY-MM-DD, says nothing about an age: unknown.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

from domicile.law.model import Protects

if TYPE_CHECKING:
    from sqlglot import exp

Label = Literal["protected", "not protected", "unknown"]
Dialect = Literal["postgres", "sqlite", "duckdb", "mysql"]
Column = Literal["residence", "born", "subject"]

_Reading = Callable[[str | None, str | None, str | None], bool | None]


class Person(NamedTuple):
    """What a condition may ask of a person."""

    residence: str | None  # ISO 3166-1 alpha-2
    born: str | None  # 'YYYY-MM-DD'; what follows the tenth character is not looked at
    subject: str | None = None  # the name of a subject of the estate


class Condition(ABC):
    """A condition on people. Combine with `&`, `|` and `~`."""

    @abstractmethod
    def reading(self) -> _Reading:
        """The condition as a function of residence, born and subject."""

    @abstractmethod
    def expression(self, columns: Mapping[Column, exp.Expr]) -> exp.Expr:
        """The condition as an SQL expression over those of the columns."""

    @abstractmethod
    def needs(self) -> frozenset[Column]:
        """The columns that it looks at: what it does not need, nobody has to fetch."""

    @cached_property
    def _compiled(self) -> _Reading:
        return self.reading()

    def holds(self, person: Person) -> bool | None:
        """Whether it is true of a person; None when what is known does not tell."""
        return self._compiled(*person)

    def to_sql(self, columns: Mapping[str, str], dialect: Dialect) -> str:
        """The condition in SQL: true, false or NULL for each row.

        `columns` has the SQL, in that dialect, of each column; one left out is NULL.
        """
        import sqlglot

        trees: dict[Column, exp.Expr] = {
            name: sqlglot.parse_one(columns.get(name, "NULL"), dialect=dialect)
            for name in self.needs()
        }
        return self.expression(trees).sql(dialect=dialect)

    def label_sql(self, columns: Mapping[str, str], dialect: Dialect) -> str:
        """The label of each row in SQL: 'protected', 'not protected' or 'unknown'."""
        sql = self.to_sql(columns, dialect)
        return (
            f"CASE WHEN {sql} THEN 'protected' WHEN NOT ({sql}) THEN 'not protected'"
            " ELSE 'unknown' END"
        )

    def label(self, person: Person) -> Label:
        """The label of one person."""
        value = self.holds(person)
        return "unknown" if value is None else "protected" if value else "not protected"

    def __and__(self, other: Condition) -> Condition:
        return AllOf((self, other))

    def __or__(self, other: Condition) -> Condition:
        return AnyOf((self, other))

    def __invert__(self) -> Condition:
        return Not(self)


@dataclass(frozen=True)
class ResidenceIn(Condition):
    """The residence is one of these countries; unknown for a person without one."""

    countries: frozenset[str]

    def reading(self) -> _Reading:
        countries = self.countries
        return lambda residence, _born, _subject: (
            None if residence is None else residence in countries
        )

    def expression(self, columns: Mapping[Column, exp.Expr]) -> exp.Expr:
        return _one_of(columns["residence"], self.countries)

    def needs(self) -> frozenset[Column]:
        return frozenset({"residence"})


@dataclass(frozen=True)
class ResidenceUnknown(Condition):
    """There is no residence. This is always known."""

    def reading(self) -> _Reading:
        return lambda residence, _born, _subject: residence is None

    def expression(self, columns: Mapping[Column, exp.Expr]) -> exp.Expr:
        return _is_null(columns["residence"])

    def needs(self) -> frozenset[Column]:
        return frozenset({"residence"})


@dataclass(frozen=True)
class Under(Condition):
    """Younger than `years` on `day`; unknown without a usable birth date."""

    years: int
    day: date

    @property
    def latest(self) -> str:
        """The latest birth date of those who are `years` old; it may be a 29 February that the
        calendar lacks, which compares just as well."""
        return f"{max(self.day.year - self.years, 0):04d}-{self.day:%m-%d}"

    def reading(self) -> _Reading:
        latest, today = self.latest, self.day.isoformat()

        def under(_residence: str | None, born: str | None, _subject: str | None) -> bool | None:
            if born is None or len(born) < 10 or born[4] != "-" or born[7] != "-":
                return None
            day = born[:10]
            return None if day > today else day > latest

        return under

    def expression(self, columns: Mapping[Column, exp.Expr]) -> exp.Expr:
        from sqlglot import exp

        born = columns["born"]
        day = exp.Substring(
            this=born.copy(), start=exp.Literal.number(1), length=exp.Literal.number(10)
        )
        usable = exp.and_(
            born.copy().like("____-__-__%"), day <= exp.Literal.string(self.day.isoformat())
        )
        return exp.Case().when(usable, day.copy() > exp.Literal.string(self.latest))

    def needs(self) -> frozenset[Column]:
        return frozenset({"born"})


@dataclass(frozen=True)
class SubjectIn(Condition):
    """The person is one of these subjects; unknown when it is not said which they are."""

    names: frozenset[str]

    def reading(self) -> _Reading:
        names = self.names
        return lambda _residence, _born, subject: None if subject is None else subject in names

    def expression(self, columns: Mapping[Column, exp.Expr]) -> exp.Expr:
        return _one_of(columns["subject"], self.names)

    def needs(self) -> frozenset[Column]:
        return frozenset({"subject"})


@dataclass(frozen=True)
class Not(Condition):
    """The opposite; unknown stays unknown."""

    part: Condition

    def reading(self) -> _Reading:
        part = self.part.reading()

        def opposite(residence: str | None, born: str | None, subject: str | None) -> bool | None:
            value = part(residence, born, subject)
            return None if value is None else not value

        return opposite

    def expression(self, columns: Mapping[Column, exp.Expr]) -> exp.Expr:
        return self.part.expression(columns).not_()

    def needs(self) -> frozenset[Column]:
        return self.part.needs()


@dataclass(frozen=True)
class AllOf(Condition):
    """All parts are true: one that is false decides, whatever is unknown. No parts: everyone."""

    parts: tuple[Condition, ...]

    def reading(self) -> _Reading:
        return _until([part.reading() for part in self.parts], decides=False)

    def expression(self, columns: Mapping[Column, exp.Expr]) -> exp.Expr:
        from sqlglot import exp

        if not self.parts:
            return exp.true()
        return exp.and_(*(part.expression(columns) for part in self.parts))

    def needs(self) -> frozenset[Column]:
        return frozenset().union(*(part.needs() for part in self.parts))


@dataclass(frozen=True)
class AnyOf(Condition):
    """One part is true, whatever is unknown. No parts: nobody."""

    parts: tuple[Condition, ...]

    def reading(self) -> _Reading:
        return _until([part.reading() for part in self.parts], decides=True)

    def expression(self, columns: Mapping[Column, exp.Expr]) -> exp.Expr:
        from sqlglot import exp

        if not self.parts:
            return exp.false()
        return exp.or_(*(part.expression(columns) for part in self.parts))

    def needs(self) -> frozenset[Column]:
        return frozenset().union(*(part.needs() for part in self.parts))


def protects_condition(protects: Protects, as_of: date) -> Condition:
    """Whom a mandate protects on a day: residence and age and subject.

    A person of unknown residence is unknown, or protected when the mandate says
    `unknown_residence: protect`; a person without a birth date is unknown to an age, unless
    residence or subject already excludes them.
    """
    parts: list[Condition] = []
    if protects.subjects:
        parts.append(SubjectIn(frozenset(protects.subjects)))
    if protects.residence:
        residence: Condition = ResidenceIn(protects.residence)
        if protects.unknown_residence == "protect":
            residence = ResidenceUnknown() | residence
        parts.append(residence)
    if protects.age_under is not None:
        parts.append(Under(protects.age_under, as_of))
    if protects.ages_under:
        by_country = (
            ResidenceIn(countries) & Under(years, as_of) for years, countries in protects.ages_under
        )
        parts.append(AnyOf(tuple(by_country)))
    if protects.age_from is not None:
        parts.append(~Under(protects.age_from, as_of))
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def _until(parts: list[_Reading], *, decides: bool) -> _Reading:
    """Kleene's and (False decides) and or (True decides)."""

    def reading(residence: str | None, born: str | None, subject: str | None) -> bool | None:
        unknown = False
        for part in parts:
            value = part(residence, born, subject)
            if value is decides:
                return decides
            if value is None:
                unknown = True
        return None if unknown else not decides

    return reading


def _one_of(column: exp.Expr, values: frozenset[str]) -> exp.Expr:
    """`IN`; an empty list is no SQL, and NULL is unknown in it as in any other."""
    from sqlglot import exp

    if not values:
        return exp.Case().when(_is_null(column).not_(), exp.false())
    return column.copy().isin(*(exp.Literal.string(value) for value in sorted(values)))


def _is_null(column: exp.Expr) -> exp.Expr:
    from sqlglot import exp

    return exp.Is(this=column.copy(), expression=exp.null())
