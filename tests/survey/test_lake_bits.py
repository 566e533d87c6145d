"""Sets of numbers as bits: what they say is what a set of Python says."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from domicile.survey.lake_bits import PIECE, SEGMENT, Bits, whole_segments

FAR = st.sampled_from([-(1 << 63), (1 << 63) - 1, -1, 0, 1 << 40])
KEYS = st.one_of(st.integers(-200_000, 200_000), FAR)


def bits_of(numbers: set[int], least: int, most: int) -> Bits:
    first, places = whole_segments(least, most)
    marks = np.zeros(places, np.bool_)
    marks[[n - first for n in numbers]] = True
    return Bits.of(first, marks)


@given(st.sets(st.integers(-150_000, 150_000), min_size=1), st.lists(KEYS))
def test_members_are_those_of_the_set(numbers: set[int], asked: list[int]) -> None:
    bits = bits_of(numbers, min(numbers), max(numbers))
    keys = np.array(asked, np.int64)
    assert bits.has(keys).tolist() == [key in numbers for key in asked]
    assert len(bits) == len(numbers)


@given(st.integers(-70_000, 70_000), st.integers(1, 40), st.lists(KEYS))
def test_members_of_a_run_are_found(least: int, length: int, asked: list[int]) -> None:
    numbers = set(range(least, least + length))
    bits = bits_of(numbers, least - 9, least + length + 9)
    keys = np.array([*asked, least - 1, least, least + length - 1, least + length], np.int64)
    assert bits.has(keys).tolist() == [int(key) in numbers for key in keys]


@given(
    st.sets(st.integers(-70_000, 70_000), min_size=1),
    st.sets(st.integers(-70_000, 70_000), min_size=1),
)
def test_unions_and_what_is_common(one: set[int], other: set[int]) -> None:
    ends = min(one | other), max(one | other)
    first, second = bits_of(one, *ends), bits_of(other, *ends)
    assert len(first | second) == len(one | other)
    marks = np.zeros(first.places, np.bool_)
    marks[[n - first.first for n in other]] = True
    assert first.common(marks) == len(one & other)


@given(st.sets(st.integers(-400_000, 400_000), min_size=1))
def test_members_are_listed_in_order(numbers: set[int]) -> None:
    listed = list(bits_of(numbers, min(numbers), max(numbers)).members())
    assert all(0 < len(part) <= PIECE * 8 for part in listed)
    assert np.concatenate(listed).tolist() == sorted(numbers)


@given(st.sets(st.integers(-150_000, 150_000), min_size=1))
def test_segments_hold_every_member_and_no_empty_one(numbers: set[int]) -> None:
    bits = bits_of(numbers, min(numbers), max(numbers))
    found = set()
    for number, content in bits.segments():
        places = np.flatnonzero(np.unpackbits(np.frombuffer(content, np.uint8)))
        assert len(places)
        found |= {(number << SEGMENT) + int(p) for p in places}
    assert found == numbers
