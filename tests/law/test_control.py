"""Owners and shares add up along chains: the 50% of 28 CFR 202.211, the 20% of PAFACA."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domicile.estate.model import Organisation, Owner
from domicile.law.control import Rule, controlled, rule

CN = frozenset({"CN"})
HALF = Rule(CN, Fraction(50))
FIFTH = Rule(CN, Fraction(20), "stake")


def world(**owners: str) -> dict[str, Organisation]:
    """`a="US p:60 q:40"`: the country, then owners with their shares."""
    made = {}
    for name, text in owners.items():
        country, *held = text.split()
        shares = (each.split(":") for each in held)
        made[name] = Organisation(name, country, tuple(Owner(n, float(s)) for n, s in shares))
    return made


@pytest.mark.parametrize(
    ("by", "owners", "value"),
    [
        (HALF, {"a": "CN"}, True),
        (HALF, {"a": "US"}, False),
        (HALF, {"a": "SG p:50", "p": "CN"}, True),
        (HALF, {"a": "SG p:49.9", "p": "CN"}, False),
        (HALF, {"a": "SG p:25 q:25", "p": "CN", "q": "CN"}, True),  # in aggregate
        (HALF, {"a": "SG p:33.4 q:16.6", "p": "CN", "q": "CN"}, True),  # exact, not in floats
        (HALF, {"a": "SG b:50", "b": "KY p:50", "p": "CN"}, True),  # a covered person counts whole
        (HALF, {"a": "SG b:60 p:10", "b": "KY p:49", "p": "CN"}, False),
        (HALF, {"a": "SG b:40 c:40", "b": "KY p:60", "c": "US p:5", "p": "CN"}, False),
        (HALF, {"a": "SG b:40 p:10", "b": "KY p:60", "p": "CN"}, True),
        (FIFTH, {"a": "US p:19.9", "p": "CN"}, False),  # the joint venture's figure
        (FIFTH, {"a": "US p:20", "p": "CN"}, True),
        (FIFTH, {"a": "US b:40", "b": "KY p:50", "p": "CN"}, True),  # 20 in all
        (FIFTH, {"a": "US b:40", "b": "KY p:49", "p": "CN"}, False),
        (HALF, {"a": "SG b:100", "b": "SG a:100"}, False),  # a circle that nobody owns
        (HALF, {"a": "SG b:60", "b": "SG a:40 p:60", "p": "CN"}, True),
        (FIFTH, {"a": "SG b:60", "b": "SG a:40 p:20", "p": "CN"}, False),  # 12 + 0.24·x
        (FIFTH, {"a": "SG b:60 p:8", "b": "SG a:40 p:20", "p": "CN"}, True),
        (FIFTH, {"a": "US a:50 p:10", "p": "CN"}, True),  # its own shares: 20, in the limit
        (FIFTH, {"a": "US a:50 p:9.99", "p": "CN"}, False),
        (FIFTH, {"a": "US b:50 p:15", "b": "KY a:50", "p": "CN"}, True),  # 15 + 0.25·20
        (FIFTH, {"a": "US b:50 p:14.99", "b": "KY a:50", "p": "CN"}, False),
        (
            FIFTH,
            {"a": "US b:50 c:50", "b": "KY d:40", "c": "VG d:40", "d": "SG p:50", "p": "CN"},
            True,
        ),  # a diamond: 2 · 0.5 · 0.4 · 50
        (
            FIFTH,
            {"a": "US b:50 c:50", "b": "KY d:40", "c": "VG d:40", "d": "SG p:49", "p": "CN"},
            False,
        ),
        (FIFTH, {"a": "US b:99", "b": "KY a:99"}, False),
        (FIFTH, {"a": "US b:20", "b": "KY b:99.9999 p:0.0001", "p": "CN"}, True),
        (
            HALF,
            {"a": "US b:25 c:25", "b": "KY d:50", "c": "VG d:50", "d": "SG p:50", "p": "CN"},
            True,
        ),  # a diamond of those who count whole
        (
            HALF,
            {"a": "US b:25 c:24", "b": "KY d:50", "c": "VG d:50", "d": "SG p:50", "p": "CN"},
            False,
        ),
        (HALF, {"a": "US b:50", "b": "KY c:50", "c": "VG b:50 p:50", "p": "CN"}, True),
        (HALF, {"a": "US b:50", "b": "KY c:50", "c": "VG b:50 p:49", "p": "CN"}, False),
        (HALF, {"a": "SG unknown:60"}, None),
        (HALF, {"a": "SG unknown:40"}, False),
        (HALF, {"a": "SG unknown:20 p:40", "p": "CN"}, None),
        (HALF, {}, None),
    ],
)
def test_by_hand(by: Rule, owners: dict[str, str], value: bool | None) -> None:
    told = controlled(world(**owners), "a", by)
    assert told.value is value
    assert "a" in told.why


def test_an_exception_and_the_clause() -> None:
    by = rule({"country": ["CN"], "share": 19.9, "along": "stake", "except": "a"})
    assert by.share == Fraction("19.9")
    assert controlled(world(a="CN"), "a", by).value is False


def test_the_reason_names_the_share() -> None:
    told = controlled(world(a="SG p:25 q:30", p="CN", q="CN"), "a", HALF)
    assert told.why == "a is owned for 55% from CN"


NAMES = ["a", "b", "c", "d"]


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_more_shares_from_there_never_free_anybody(data: st.DataObject) -> None:
    """A law of both rules: control is monotone in what is owned from there."""
    shares = data.draw(
        st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from([*NAMES, "p"]),
                           st.integers(1, 30)), max_size=8)
    )  # fmt: skip
    owners: dict[str, list[Owner]] = {name: [] for name in NAMES}
    for owned, owner, share in shares:
        if owner != owned and sum(o.share for o in owners[owned]) + share <= 90:
            owners[owned].append(Owner(owner, share))
    before = {n: Organisation(n, "SG", tuple(o)) for n, o in owners.items()}
    before["p"] = Organisation("p", "CN")
    grown = dict(before)
    name = data.draw(st.sampled_from(NAMES))
    grown[name] = Organisation(name, "SG", (*owners[name], Owner("p", 10)))
    by = data.draw(st.sampled_from([HALF, FIFTH]))
    for each in NAMES:
        if controlled(before, each, by).value:
            assert controlled(grown, each, by).value
