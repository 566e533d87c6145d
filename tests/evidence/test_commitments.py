"""Commitments: the derivation as documented, distinct, opened by the person alone."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile.errors import EvidenceError
from domicile.evidence.commitments import Commitments, opens

SECRET = bytes(range(32))
TEXTS = st.text(max_size=20)


def frame(text: str) -> bytes:
    return len(text.encode()).to_bytes(8, "big") + text.encode()


def mac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


@given(TEXTS, TEXTS)
def test_the_derivation_is_as_documented(subject: str, key: str) -> None:
    use = mac(SECRET, b"domicile/commitment/v1/key\nperson")
    salt = mac(use, b"domicile/commitment/v1/salt\n" + frame(subject) + frame(key))
    expected = mac(salt, b"domicile/commitment/v1/open\n" + frame(subject) + frame(key)).hex()
    made = Commitments(SECRET)
    assert made.person(subject, key) == expected
    assert made.opening(subject, key) == salt.hex()
    assert opens(expected, subject, key, salt.hex())


@given(st.lists(st.tuples(TEXTS, TEXTS), unique=True, max_size=30))
def test_different_people_have_different_commitments(people: list[tuple[str, str]]) -> None:
    made = Commitments(SECRET)
    assert len({made.person(s, k) for s, k in people}) == len(people)


@given(TEXTS, st.lists(TEXTS, max_size=20))
def test_the_batch_is_one_by_one(subject: str, keys: list[str]) -> None:
    made = Commitments(SECRET)
    assert made.people(subject, keys) == [made.person(subject, k) for k in keys]


def test_uses_and_secrets_cannot_be_linked() -> None:
    one = Commitments(SECRET).person("customer", "1")
    assert one != Commitments(SECRET, use="principal").person("customer", "1")
    assert one != Commitments(b"\0" * 32).person("customer", "1")


def test_an_opening_opens_its_own_commitment_only() -> None:
    made = Commitments(SECRET)
    one, opening = made.person("customer", "1"), made.opening("customer", "1")
    assert not opens(made.person("customer", "2"), "customer", "2", opening)
    assert not opens(one, "customer", "2", opening)
    assert not opens(one, "custome", "r1", opening)
    assert not opens(one, "customer", "1", "not hexadecimal")
    assert not opens("é", "customer", "1", opening)


def test_a_secret_of_another_size_is_refused() -> None:
    with pytest.raises(EvidenceError, match="31 bytes, expected 32"):
        Commitments(SECRET[:31])
