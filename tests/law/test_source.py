"""What a mandate extends, its parameters, and what is refused: each error with file and line."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from domicile.errors import DeclarationError
from domicile.law.load import load_mandate
from domicile.law.model import Mandate

BASE = """\
mandate: base
title: A base
status: in_force
effective: 2025-01-01
source: somewhere
parameters:
  hours:
    - {from: 2025-01-01, value: 72}
    - {from: 2027-01-01, value: 96}
protects: {residence: [NL], categories: [user]}
clauses:
  - {id: rest, store: {country: [NL]}, otherwise: move, purge: true}
  - {id: tell, report: {to: [authority], what: a breach, on: breach, within_hours: $hours}}
"""
OWN = """\
mandate: own
extends: base.yaml
protects: {subjects: [customer]}
clauses:
  - {id: rest, store: {country: [NL, DE]}}
  - {id: look, access: {country: [NL]}}
"""


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder / "own.yaml"


def refused(path: Path, on: date | None = None) -> DeclarationError:
    with pytest.raises(DeclarationError) as caught:
        load_mandate(path, on)
    return caught.value


def test_what_is_written_replaces_and_the_rest_stays(tmp_path: Path) -> None:
    own: Mandate = load_mandate(write(tmp_path, base=BASE, own=OWN))
    assert (own.id, own.title, own.extends) == ("own", "A base", "base.yaml")
    assert own.protects.residence == {"NL"}
    assert own.protects.subjects == ("customer",)
    rest, tell, look = own.clauses
    assert rest.countries == {"NL", "DE"}
    assert (rest.otherwise, rest.purge) == ("move", True)
    assert (tell.id, look.id) == ("tell", "look")
    assert (rest.line, look.line) == (5, 6)


def test_a_change_of_the_base_changes_the_digest(tmp_path: Path) -> None:
    before = load_mandate(write(tmp_path, base=BASE, own=OWN)).digest
    assert load_mandate(write(tmp_path, base=BASE + "\n# a comment\n")).digest == before
    changed = BASE.replace("value: 72", "value: 48")
    assert load_mandate(write(tmp_path, base=changed)).digest != before


def test_without_and_another_kind(tmp_path: Path) -> None:
    text = "mandate: own\nextends: base.yaml\nwithout: [tell]\nclauses:\n"
    text += "  - {id: rest, access: {country: [NL]}}\n"
    (only,) = load_mandate(write(tmp_path, base=BASE, own=text)).clauses
    assert (only.id, only.kind, only.purge) == ("rest", "access", False)


def test_no_clauses_of_its_own(tmp_path: Path) -> None:
    own = load_mandate(write(tmp_path, base=BASE, own="mandate: own\nextends: base.yaml\n"))
    assert [clause.id for clause in own.clauses] == ["rest", "tell"]


def test_parameters_of_the_day(tmp_path: Path) -> None:
    path = write(tmp_path, base=BASE, own=OWN)
    hours = [
        load_mandate(path, on).clauses[1].body["within_hours"]
        for on in (date(2024, 1, 1), date(2026, 12, 31), date(2027, 1, 1))
    ]
    assert hours == [72, 72, 96]
    assert load_mandate(path, date(2024, 1, 1)).digest == load_mandate(path).digest


def test_a_circle(tmp_path: Path) -> None:
    path = write(tmp_path, own=OWN, base="mandate: base\n# c\nextends: own.yaml\n")
    error = refused(path)
    assert (Path(error.file).name, error.line, error.key) == ("base.yaml", 3, "extends")
    assert "own.yaml → base.yaml → own.yaml" in str(error)
    itself = refused(write(tmp_path, own="mandate: own\nextends: own.yaml\n"))
    assert "circle" in str(itself)


def test_a_circle_further_down(tmp_path: Path) -> None:
    path = write(
        tmp_path, own="mandate: own\nextends: a.yaml\n", a="mandate: a\nextends: b.yaml\n",
        b="mandate: b\n\nextends: ./a.yaml\n",
    )  # fmt: skip
    error = refused(path)
    assert (Path(error.file).name, error.line, error.key) == ("b.yaml", 3, "extends")
    assert "own.yaml → a.yaml → b.yaml → a.yaml" in str(error)


MIDDLE = """\
mandate: middle
extends: base.yaml
without: [tell]
parameters:
  hours: [{from: 2025-01-01, value: 24}]
clauses:
  - {id: look, access: {country: [NL]}}
"""


def test_what_is_extended_twice(tmp_path: Path) -> None:
    """The nearest word holds; what the middle left out may come back, with its parameter."""
    again = "report: {to: [people], what: it, on: breach, within_hours: $hours}"
    text = f"mandate: own\nextends: middle.yaml\nclauses:\n  - {{id: tell, {again}}}\n"
    own = load_mandate(write(tmp_path, base=BASE, middle=MIDDLE, own=text))
    assert [clause.id for clause in own.clauses] == ["rest", "look", "tell"]
    assert own.title == "A base"
    assert own.protects.residence == {"NL"}
    assert own.clauses[2].body["within_hours"] == 24
    gone = refused(write(tmp_path, own="mandate: own\nextends: middle.yaml\nwithout: [tell]\n"))
    assert (Path(gone.file).name, gone.line) == ("own.yaml", 3)
    both = [load_mandate(tmp_path / f"{name}.yaml") for name in ("base", "middle")]
    assert [m.id for m in both] == ["base", "middle"]  # each stands for itself


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("base.yaml", "clovr", 2, "Did you mean clover?"),
        ("base.yaml", "other.yaml", 2, "no such file"),
        ("base.yaml", "[a]", 2, "expected a file or an id"),
        ("protects", "without: [tel]\nprotects", 3, "Did you mean tell?"),
        ("[NL, DE]", "[NL, Holand]", 5, "Holand"),
        ("id: rest", "id: rest, deadline: 2024-01-01", 5, "before it is in effect"),
        ("id: look", "id: look, effective: 2026-02-02, until: 2026-02-01", 6, "before it is in"),
        ("{country: [NL]}", "{country: [NL], not_country: [NL]}", 6, "NL is under country"),
        ("id: look, access", "id: two, store", 6, ""),
        ("{country: [NL]}", "{country: $plce}", 6, "expected a declared parameter"),
        ("extends", "status: stayed\nhistory: [{on: 2025-01-01, status: in_force}]\nextends",
         2, "its history ends with in_force"),
    ],
)  # fmt: skip
def test_what_is_wrong_has_a_file_and_a_line(
    tmp_path: Path, old: str, new: str, line: int, said: str
) -> None:
    text = OWN.replace(old, new, 1)
    assert text != OWN
    path = write(tmp_path, base=BASE, own=text)
    if not said:
        text = text.replace("store: {country: [NL]}", "store: {country: [US]}")
        path = write(tmp_path, own=text)
        said = "no country is allowed by clause rest and by this one"
    error = refused(path)
    assert (Path(error.file).name, error.line) == ("own.yaml", line)
    assert said in str(error)


def test_a_history_out_of_order(tmp_path: Path) -> None:
    text = BASE.replace(
        "source: somewhere",
        "history: [{on: 2025-02-01, status: stayed}, {on: 2025-01-01, status: in_force}]",
    )
    error = refused(write(tmp_path, own=text))
    assert (error.line, error.key) == (5, "history[1].on")


def test_values_out_of_order(tmp_path: Path) -> None:
    error = refused(write(tmp_path, own=BASE.replace("2027-01-01", "2024-01-01")))
    assert (error.line, error.key) == (7, "parameters.hours")


def test_ages_by_country(tmp_path: Path) -> None:
    def protects(age: str) -> str:
        return BASE.replace("residence: [NL]", f"residence: [NL], age: {age}")

    mandate = load_mandate(write(tmp_path, own=protects("{under: {16: [NL], 13: [BE, GB]}}")))
    assert mandate.protects.age_under is None
    assert mandate.protects.ages_under == ((13, frozenset({"BE", "GB"})), (16, frozenset({"NL"})))
    twice = refused(write(tmp_path, own=protects("{under: {16: [NL], 13: [NL]}}")))
    assert "NL has the age 13 already" in str(twice)
    odd = refused(write(tmp_path, own=protects("{under: {young: [NL]}}")))
    assert "an age in whole years" in str(odd)
