"""Store clauses that cannot be met together are found, each with a person as the example."""

from __future__ import annotations

from datetime import date
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from domicile.estate.model import Estate, Store, Subject, TableName
from domicile.law.condition import Person, protects_condition
from domicile.law.conflicts import Conflict, allows, conflicts
from domicile.law.model import Clause, Mandate, Protects

DAY = date(2026, 1, 1)


def store(name: str, country: str, operator: str = "X", holds: str = "app") -> Store:
    return Store(name, f"memory:{name}", country, operator, holds)


def estate(*stores: Store) -> Estate:
    register = TableName("app", "customer")
    return Estate("e", "e.yaml", "", stores, (Subject("customer", register, ("id",)),))


def mandate(
    name: str,
    protects: Protects,
    countries: str = "",
    operators: str = "",
    status: str = "in_force",
    otherwise: str = "move",
) -> Mandate:
    clause = Clause(
        "rest",
        "store",
        countries=frozenset(countries.split()),
        operators=frozenset(operators.split()),
        otherwise=otherwise,  # type: ignore[arg-type]  # one of the literals, from this file
    )
    return Mandate(
        name,
        "t",
        f"{name}.yaml",
        status,  # type: ignore[arg-type]  # one of the literals, from this file
        date(2020, 1, 1),
        protects,
        (clause,),
    )


US = Protects(residence=frozenset({"US"}))
CHILDREN = Protects(age_under=16)


def test_two_laws_about_one_child() -> None:
    found = conflicts(
        estate(store("a", "US"), store("b", "NL")),
        [mandate("us", US, "US"), mandate("children", CHILDREN, "NL DE")],
        DAY,
    )
    (conflict,) = found
    assert set(conflict.clauses) == {("us", "rest"), ("children", "rest")}
    assert conflict.in_law
    assert conflict.person.residence == "US"
    assert protects_condition(CHILDREN, DAY).holds(conflict.person)
    assert "no store anywhere" in str(conflict)


def test_the_estate_lacks_a_store() -> None:
    both = [mandate("us", US, "US"), mandate("children", CHILDREN, "US NL", "Kids")]
    (conflict,) = conflicts(estate(store("a", "US"), store("b", "NL", "Kids")), both, DAY)
    assert not conflict.in_law
    met = estate(store("a", "US", "Kids"), store("b", "NL"))
    assert conflicts(met, both, DAY) == ()


def test_one_clause_without_a_store() -> None:
    (conflict,) = conflicts(estate(store("a", "NL")), [mandate("us", US, "US")], DAY)
    assert conflict.clauses == (("us", "rest"),)
    assert "no declared store that holds app" in str(conflict)


def test_people_apart_do_not_conflict() -> None:
    here = estate(store("a", "US"), store("b", "NL"))
    nl = mandate("nl", Protects(residence=frozenset({"NL"})), "NL")
    assert conflicts(here, [mandate("us", US, "US"), nl], DAY) == ()
    staff = mandate("staff", Protects(subjects=("staff",)), "NL")
    assert conflicts(here, [mandate("us", US, "US"), staff], DAY) == ()
    money = mandate("money", Protects(categories=("user.financial",)), "NL")
    mail = mandate("mail", Protects(categories=("user.contact",)), "US")
    assert conflicts(here, [money, mail], DAY) == ()


def test_a_category_above_another_does() -> None:
    here = estate(store("a", "US"), store("b", "NL"))
    money = mandate("money", Protects(categories=("user.financial",)), "NL")
    (conflict,) = conflicts(here, [mandate("us", US, "US"), money], DAY)
    assert conflict.category == "user.financial"


def test_what_is_not_in_effect_or_erases_needs_no_store() -> None:
    here = estate(store("a", "US"))
    assert conflicts(here, [mandate("x", US, "NL", status="proposed")], DAY) == ()
    assert conflicts(here, [mandate("x", US, "NL", otherwise="erase")], DAY) == ()
    assert conflicts(here, [mandate("x", US, "NL")], date(2019, 1, 1)) == ()


CODES = ["US", "NL", "GB"]
PROTECTS = st.builds(
    Protects,
    residence=st.frozensets(st.sampled_from(CODES), max_size=2),
    unknown_residence=st.sampled_from(["report", "protect"]),
    age_under=st.none() | st.integers(10, 20),
    age_from=st.none() | st.integers(10, 20),
)
MANDATES = st.lists(
    st.tuples(PROTECTS, st.lists(st.sampled_from(CODES), min_size=1, max_size=2, unique=True)),
    min_size=1,
    max_size=3,
)


@settings(max_examples=60, deadline=None)
@given(drawn=MANDATES, countries=st.lists(st.sampled_from(CODES), min_size=1, unique=True))
def test_complete_and_right(drawn: list[tuple[Protects, list[str]]], countries: list[str]) -> None:
    """Whoever has no store is found, and every example has none: against trying everybody."""
    here = estate(*(store(code, code) for code in countries))
    laws = [mandate(f"m{n}", p, " ".join(c)) for n, (p, c) in enumerate(drawn)]
    found = conflicts(here, laws, DAY)

    def stores_for(person: Person) -> list[Store]:
        binding = [
            law.clauses[0] for law in laws if protects_condition(law.protects, DAY).holds(person)
        ]
        return [s for s in here.stores if all(allows(clause, s) for clause in binding)]

    births = [None, *(f"{2026 - age}-01-01" for age in range(30))]
    everybody = product([*CODES, "FR", None], births)
    lost = [p for p in (Person(r, b, "customer") for r, b in everybody) if not stores_for(p)]
    assert bool(lost) == bool(found)
    assert all(isinstance(c, Conflict) and not stores_for(c.person) for c in found)
