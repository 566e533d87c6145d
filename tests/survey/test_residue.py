"""People in text that no key leads to: found where they are, and not where a word is a word."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domicile.survey.residue import Identifiers, Kind, Reading, Residue, find_residue

ANN = Identifiers(
    [
        ("email", "Ann.Lee@Example.org"),
        ("username", "@annlee"),
        ("username", "music"),
        ("username", "ann_lee7"),
        ("phone", "+31 6 1234 5678"),
        ("name", "Ann de Lee"),
        ("name", "José Díaz"),
    ]
)


def kinds(text: str, identifiers: Identifiers = ANN) -> list[str]:
    found = find_residue([Reading("t", ("c",), [[(text,)]])], identifiers)
    return [residue.kind for residue in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write to <ann.lee@example.org>.", ["email"]),
        ("MAILTO:ANN.LEE@EXAMPLE.ORG?subject=x", ["email"]),
        ("https://x.example/confirm?to=ann.lee%40example.org&n=1", ["email"]),
        ('{"requested_by": {"mail": "ann.lee@example.org"}}', ["email"]),
        ("'ann.lee@example.org'", ["email"]),
        ("{ann.lee@example.org,other@example.org}", ["email"]),
        ("see https://video.example/accounts/AnnLee/videos", ["username"]),
        ("acct:annlee@video.example", ["username"]),
        ("hello @annlee, welcome", ["username"]),
        ("https://x.example/?user=annlee&x=1", ["username"]),
        ("annlee", ["username"]),
        ("by ann_lee7.", ["username"]),
        ("/u/music/", ["username"]),
        ("call 06-12345678 now", ["phone"]),
        ("call 0031 (6) 12 34 56 78 now", ["phone"]),
        ("signed, ANN DE LEE", ["name"]),
        ("cv_josé_díaz_2024.pdf", ["name"]),
    ],
)
def test_people_are_found(text: str, expected: list[str]) -> None:
    assert kinds(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "joann.lee@example.org",
        "ann.lee@example.org.uk",
        "I like music and annlee as words",
        "annlees",
        "/u/annlee2/",
        "ann lee",
        "Anna de Lee",
        "12345678",
        "order 9912345679",
        "",
    ],
)
def test_what_is_somebody_else_or_a_word_is_not(text: str) -> None:
    assert kinds(text) == []


def test_each_person_is_counted_once_in_a_value_and_column() -> None:
    person = Identifiers(
        [("email", "a.leeson@x.org"), ("username", "a.leeson"), ("name", "A Leeson Long")]
    )
    rows = [
        ("a.leeson@x.org and again a.leeson@x.org", None),
        (None, "by a.leeson!"),
        ("nobody", ""),
    ]
    assert find_residue([Reading("t", ("c", "d"), [rows])], person) == [
        Residue("t", "c", "email", 1, 1),
        Residue("t", "d", "username", 1, 1),
    ]


def test_names_do_not_span_values() -> None:
    rows = [("Ann de",), ("Lee",)]
    assert find_residue([Reading("t", ("c",), [rows])], ANN) == []
    assert ANN.found("name", "ann de\x1elee") == set()
    assert ANN.found("name", "x\x1eann de lee\x1ey") == {"ann de lee"}


def test_addresses_that_nobody_registered_are_counted() -> None:
    registered = Identifiers([("email", "known@example.org")])
    rows = [("new@example.org",), ("known@example.org",), ("@someone@video.example hi",),
            ("ann.lee@example.org",), ("new@example.org",)]  # fmt: skip
    found = find_residue([Reading("pending", ("email",), [rows])], ANN, registered=registered)
    assert found == [
        Residue("pending", "email", "email", 1, 1),
        Residue("pending", "email", "unregistered", 2, 1),
    ]


def test_values_too_plain_to_look_for_are_told() -> None:
    plain: list[tuple[Kind, str]] = [
        ("email", "nobody"), ("username", "al"), ("phone", "112"), ("name", "Cher"),
    ]  # fmt: skip
    identifiers = Identifiers([*plain, ("name", "")])
    assert len(identifiers) == 0
    assert identifiers.skipped == {"email": 1, "username": 1, "phone": 1, "name": 1}


def batches(rows: Sequence[str | None], size: int) -> list[list[tuple[str | None]]]:
    return [[(value,) for value in rows[n : n + size]] for n in range(0, len(rows), size)]


PIECES = st.sampled_from(
    ["ann.lee@example.org", "@annlee", "/annlee/", " ", "x", "@", ".", "+31612345678", "Ann", "de",
     "Lee", "ann_lee7", "music", ",", "1", "-", "annlee"]
)  # fmt: skip


@given(
    rows=st.lists(st.none() | st.lists(PIECES, max_size=6).map("".join), max_size=30),
    size=st.integers(1, 40),
)
@settings(max_examples=200, deadline=None)
def test_batches_and_parts_never_change_the_counts(rows: list[str | None], size: int) -> None:
    whole = find_residue([Reading("t", ("c",), batches(rows, size))], ANN)
    alone = [find_residue([Reading("t", ("c",), [[(value,)]])], ANN) for value in rows]
    for kind in ("email", "username", "phone", "name"):
        expected = sum(r.rows for found in alone for r in found if r.kind == kind)
        assert sum(r.rows for r in whole if r.kind == kind) == expected


@given(st.text(max_size=30), st.text(max_size=30))
@settings(max_examples=200, deadline=None)
def test_an_address_between_any_text_and_spaces_is_found(before: str, after: str) -> None:
    assert "email" in kinds(f"{before} ann.lee@example.org {after}")


def test_no_identifier_is_in_a_result() -> None:
    found = find_residue([Reading("t", ("c",), [[("ann.lee@example.org",)]])], ANN)
    assert "ann" not in repr(found)
