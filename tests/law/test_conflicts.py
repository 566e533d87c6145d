"""Store clauses that cannot be met together are found, each with a person as the example."""

from __future__ import annotations

from datetime import date
from itertools import product
from pathlib import Path as FilePath
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domicile.estate.load import load_estate
from domicile.estate.model import Estate, Path, Store, Subject, TableName
from domicile.law import classes
from domicile.law import conflicts as conflicts_module
from domicile.law.condition import (
    Not,
    Person,
    ResidenceIn,
    ResidenceUnknown,
    Under,
    protects_condition,
)
from domicile.law.conflicts import Conflict, allows, conflicts
from domicile.law.idle import forbidden_stores, idle
from domicile.law.load import load_mandate
from domicile.law.model import Clause, Mandate, Protects
from domicile.law.source import library
from tests.law.naive import disagreement

DAY = date(2026, 1, 1)


def store(name: str, country: str, operator: str = "X", holds: str = "app") -> Store:
    return Store(name, f"memory:{name}", country, operator, holds)


def estate(*stores: Store) -> Estate:
    register = TableName("app", "customer")
    subject = Subject("customer", register, ("id",), Path((), "country"), Path((), "born"))
    return Estate("e", "e.yaml", "", stores, (subject,))


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


@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_the_analysis_is_trying_everybody(seed: int) -> None:
    assert disagreement(seed) == ""


def _older(self: Under) -> str:
    return f"{self.day.year - self.years - 1:04d}-{self.day:%m-%d}"


def _no_category(mine: object, category: str) -> bool:
    return category in list(mine)  # type: ignore[call-overload]  # a mutant: covers nothing below


def _no_births(ages: object, as_of: date) -> list[str]:
    return ["1986-01-01"]


def _any_operator(clause: Clause, store: Store) -> bool:
    return not clause.countries or store.country in clause.countries


def _let_in(clause: Clause, principal: object, declared: object) -> bool:
    return False


MUTANTS: list[tuple[str, object, str, object]] = [
    ("an age off by one", Under, "latest", property(_older)),
    ("a residence that nothing names", ResidenceIn, "reading", lambda _s: lambda _r, _b, _u: False),
    ("unknown as known", ResidenceUnknown, "reading", lambda _s: lambda _r, _b, _u: False),
    ("not is yes", Not, "reading", lambda self: self.part.reading()),
    ("categories cover nothing", classes, "about", _no_category),
    ("grown people only", classes, "_births", _no_births),
    ("any operator will do", conflicts_module, "allows", _any_operator),
    ("everybody may look", classes, "denies", _let_in),
]


@pytest.mark.parametrize(("said", "owner", "name", "mutant"), MUTANTS, ids=[m[0] for m in MUTANTS])
def test_a_mutant_is_caught(
    said: str, owner: object, name: str, mutant: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The property above is no property of anything: each of these mistakes breaks it."""
    monkeypatch.setattr(owner, name, mutant)
    assert any(disagreement(seed) for seed in range(400)), said


DAY_OF_THE_LIBRARY = date(2026, 6, 1)


def pair(folder: FilePath, stores: str, *laws: str) -> tuple[Conflict, ...]:
    """The conflicts of an estate with these stores under mandates of the library, or texts."""
    (folder / "estate.yaml").write_text(
        f"estate: e\nstores:\n{stores}"
        "subjects: {person: {register: app.person, key: id, residence: country, born: born}}\n",
        encoding="utf-8",
    )
    mandates = []
    for number, law in enumerate(laws):
        file = folder / f"m{number}.yaml"
        if "\n" in law:
            file.write_text(law, encoding="utf-8")
        mandates.append(load_mandate(file if "\n" in law else library()[law], DAY_OF_THE_LIBRARY))
    return conflicts(load_estate(folder / "estate.yaml"), mandates, DAY_OF_THE_LIBRARY)


STORES = """\
  us: {url: "memory:us", country: US, operator: Oracle, holds: app}
  ie: {url: "memory:ie", country: IE, operator: TikTok, holds: app}
  nl: {url: "memory:nl", country: NL, operator: TikTok, holds: app}
"""
AT_HOME = """\
mandate: nl-children
title: Data of children who live in the Netherlands stay there
status: proposed
effective: 2026-01-01
protects: {residence: [NL], age: {under: 16}}
clauses:
  - {id: rest, store: {country: [NL]}, otherwise: move}
""".replace("proposed", "voluntary")


def test_planted_a_dutch_child_under_clover(tmp_path: FilePath) -> None:
    (conflict,) = pair(tmp_path, STORES, "clover", AT_HOME)
    assert set(conflict.clauses) == {("clover", "rest"), ("nl-children", "rest")}
    assert conflict.in_law
    assert conflict.example == "a child of 15, resident in Netherlands (NL), in person"
    assert "extends" in conflict.resolve


def test_planted_two_custodians(tmp_path: FilePath) -> None:
    mandate = (
        AT_HOME.replace("nl-children", "us-school")
        .replace("residence: [NL], age: {under: 16}", "residence: [US], age: {from: 4, under: 18}")
        .replace("country: [NL]", "country: [US], operator: [School Trust]")
    )
    found = pair(tmp_path, STORES, "us-trusted-custodian", mandate)
    (conflict,) = [each for each in found if each.in_law]
    assert conflict.person.residence == "US"
    assert "a child of" in conflict.example


def test_planted_nobody_may_look(tmp_path: FilePath) -> None:
    mandate = """\
mandate: auditors
title: Only auditors in Switzerland look at data of US users
status: voluntary
effective: 2026-01-01
protects: {residence: [US]}
clauses:
  - {id: look, access: {country: [CH]}}
"""
    (conflict,) = pair(tmp_path, STORES, "us-trusted-custodian", mandate)
    assert conflict.about == "look"
    assert "nobody anywhere may see them" in str(conflict)
    assert conflict.person.residence == "US"


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("clover", "us-trusted-custodian"),
        ("clover", "gdpr-transfers"),
        ("us-trusted-custodian", "us-joint-venture-2026"),
        ("us-trusted-custodian", "project-texas"),
        ("us-trusted-custodian", "coppa"),
        ("gdpr-transfers", "dpc-tiktok-transfers-2025"),
        ("gdpr-children", "clover"),
        ("us-data-security-program", "us-trusted-custodian"),
        ("us-data-security-program", "clover"),
        ("uk-childrens-code", "clover"),
    ],
)
def test_pairs_without_a_conflict(tmp_path: FilePath, one: str, two: str) -> None:
    assert pair(tmp_path, STORES, one, two) == ()


def test_what_would_resolve_a_missing_store(tmp_path: FilePath) -> None:
    found = pair(tmp_path, STORES.replace("Oracle", "Clips"), "us-trusted-custodian")
    (conflict,) = found
    assert conflict.resolve == "declare a store that holds app in US run by Oracle"


def test_dead_met_and_shadowed(tmp_path: FilePath) -> None:
    (tmp_path / "estate.yaml").write_text(
        f"estate: e\nstores:\n{STORES}"
        "subjects: {person: {register: app.person, key: id, residence: country}}\n",
        encoding="utf-8",
    )
    estate = load_estate(tmp_path / "estate.yaml")
    names = ("us-trusted-custodian", "us-joint-venture-2026", "coppa", "gdpr-transfers")
    mandates = [load_mandate(library()[n], DAY_OF_THE_LIBRARY) for n in names]
    told = {(i.mandate, i.clause): i for i in idle(estate, mandates, DAY_OF_THE_LIBRARY)}
    assert told["coppa", "consent"].state == "dead"
    assert "birth date" in told["coppa", "consent"].reason
    twins = {("us-trusted-custodian", "rest"), ("us-joint-venture-2026", "rest")}
    assert len(twins & set(told)) == 1  # of two that say the same, one is shadowed by the other
    assert ("gdpr-transfers", "rest") not in told
    (forbidden,) = forbidden_stores(estate, mandates[:2], DAY_OF_THE_LIBRARY)[:1]
    assert forbidden[0] == "ie"


def test_the_whole_library_in_seconds(tmp_path: FilePath) -> None:
    """The bar is 10 s of CPU for the demo's estate; here with its shape, no store opened."""
    start = process_time()
    everything = [load_mandate(path, DAY_OF_THE_LIBRARY) for path in library().values()]
    (tmp_path / "estate.yaml").write_text(
        f"estate: e\nstores:\n{STORES}"
        "subjects: {person: {register: app.person, key: id, residence: country, born: born}}\n",
        encoding="utf-8",
    )
    estate = load_estate(tmp_path / "estate.yaml")
    conflicts(estate, everything, DAY_OF_THE_LIBRARY)
    idle(estate, everything, DAY_OF_THE_LIBRARY)
    forbidden_stores(estate, everything, DAY_OF_THE_LIBRARY)
    assert process_time() - start < 10
