"""Merkle trees against published vectors and against RFC 6962's definition, word for word."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domicile.evidence import merkle
from domicile.evidence.merkle import leaf_hash

# The test tree of the certificate-transparency implementations (RFC 6962's authors;
# also in golang.org/x/mod/sumdb/tlog and transparency-dev/merkle).
LEAVES = [
    bytes.fromhex(h)
    for h in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657",
              "606162636465666768696a6b6c6d6e6f")
]  # fmt: skip
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
FIRST_OF_EIGHT = [
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
]


PATHS = [
    (0, 1, []),
    (5, 8, ["bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            ROOTS[4]]),
    (2, 3, [ROOTS[2]]),
    (1, 5, [ROOTS[1], FIRST_OF_EIGHT[1],
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"]),
]  # fmt: skip
"""(leaf, size, path) of the same published tests."""

CONSISTENCY = [
    (1, 1, []),
    (1, 8, FIRST_OF_EIGHT),
    (6, 8, ["0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            ROOTS[4]]),
    (2, 5, [FIRST_OF_EIGHT[1],
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"]),
]  # fmt: skip
"""(old, new, path) of the same published tests."""


def mth(hashes: Sequence[bytes]) -> bytes:
    """RFC 6962, section 2.1, over leaf hashes."""
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return sha256(b"\x01" + mth(hashes[:k]) + mth(hashes[k:])).digest()


def path(m: int, hashes: Sequence[bytes]) -> list[bytes]:
    """RFC 6962, section 2.1.1: PATH(m, D[n])."""
    if len(hashes) == 1:
        return []
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    if m < k:
        return [*path(m, hashes[:k]), mth(hashes[k:])]
    return [*path(m - k, hashes[k:]), mth(hashes[:k])]


def proof(m: int, hashes: Sequence[bytes], whole: bool = True) -> list[bytes]:
    """RFC 6962, section 2.1.2: SUBPROOF(m, D[n], b)."""
    if m == len(hashes):
        return [] if whole else [mth(hashes)]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    if m <= k:
        return [*proof(m, hashes[:k], whole), mth(hashes[k:])]
    return [*proof(m - k, hashes[k:], False), mth(hashes[:k])]


def subtree_of(hashes: Sequence[bytes]) -> merkle.Subtree:
    return lambda level, index: mth(hashes[index << level : (index + 1) << level])


def leaf_hashes(n: int) -> list[bytes]:
    return [leaf_hash(i.to_bytes(4, "big")) for i in range(n)]


@pytest.mark.parametrize("n", range(9))
def test_published_roots(n: int) -> None:
    hashes = [leaf_hash(leaf) for leaf in LEAVES[:n]]
    assert merkle.root(subtree_of(hashes), n).hex() == ROOTS[n]
    assert mth(hashes).hex() == ROOTS[n]


def test_published_path() -> None:
    hashes = [leaf_hash(leaf) for leaf in LEAVES]
    found = merkle.inclusion_path(subtree_of(hashes), 0, 8)
    assert [h.hex() for h in found] == FIRST_OF_EIGHT


@pytest.mark.parametrize(("index", "size", "expected"), PATHS)
def test_published_inclusion(index: int, size: int, expected: list[str]) -> None:
    hashes = [leaf_hash(leaf) for leaf in LEAVES[:size]]
    found = merkle.inclusion_path(subtree_of(hashes), index, size)
    assert [h.hex() for h in found] == expected
    assert merkle.inclusion_root(hashes[index], index, size, found) == mth(hashes)


@pytest.mark.parametrize(("old", "new", "expected"), CONSISTENCY)
def test_published_consistency(old: int, new: int, expected: list[str]) -> None:
    hashes = [leaf_hash(leaf) for leaf in LEAVES[:new]]
    found = merkle.consistency_path(subtree_of(hashes), old, new)
    assert [h.hex() for h in found] == expected
    assert merkle.is_consistent(old, new, mth(hashes[:old]), mth(hashes), found)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_inclusion_is_the_definition_and_verifies(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 300))
    index = data.draw(st.integers(0, n - 1))
    hashes = leaf_hashes(n)
    found = merkle.inclusion_path(subtree_of(hashes), index, n)
    assert found == path(index, hashes)
    assert merkle.inclusion_root(hashes[index], index, n, found) == mth(hashes)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_consistency_is_the_definition_and_verifies(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, 300))
    old = data.draw(st.integers(1, new))
    hashes = leaf_hashes(new)
    found = merkle.consistency_path(subtree_of(hashes), old, new)
    assert found == proof(old, hashes)
    assert merkle.is_consistent(old, new, mth(hashes[:old]), mth(hashes), found)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_an_altered_inclusion_proof_fails(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 80))
    index = data.draw(st.integers(0, n - 1))
    hashes = leaf_hashes(n)
    good, root = path(index, hashes), mth(hashes)
    how = data.draw(st.sampled_from(["flip", "drop", "add", "swap_index", "leaf"]))
    bad, leaf, at = list(good), hashes[index], index
    if how == "flip":
        which = data.draw(st.integers(0, len(bad) - 1))
        bad[which] = sha256(bad[which]).digest()
    elif how == "drop":
        bad.pop(data.draw(st.integers(0, len(bad) - 1)))
    elif how == "add":
        bad.insert(data.draw(st.integers(0, len(bad))), sha256(b"more").digest())
    elif how == "swap_index":
        at = data.draw(st.integers(0, n - 1).filter(lambda i: i != index))
    else:
        leaf = leaf_hash(b"another")
    assert merkle.inclusion_root(leaf, at, n, bad) != root


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_an_altered_consistency_proof_fails(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, 80))
    old = data.draw(st.integers(1, new - 1))
    hashes = leaf_hashes(new)
    bad = proof(old, hashes)
    roots = [mth(hashes[:old]), mth(hashes)]
    how = data.draw(st.sampled_from(["flip", "drop", "add", "old_root", "new_root"]))
    if how == "flip":
        which = data.draw(st.integers(0, len(bad) - 1))
        bad[which] = sha256(bad[which]).digest()
    elif how == "drop":
        bad.pop(data.draw(st.integers(0, len(bad) - 1)))
    elif how == "add":
        bad.insert(data.draw(st.integers(0, len(bad))), sha256(b"more").digest())
    else:
        roots[how == "new_root"] = sha256(b"another tree").digest()
    assert not merkle.is_consistent(old, new, roots[0], roots[1], bad)


def test_edges_of_consistency() -> None:
    empty, one = merkle.EMPTY_ROOT, leaf_hash(b"x")
    assert merkle.is_consistent(0, 1, empty, one, [])
    assert merkle.is_consistent(0, 0, empty, empty, [])
    assert merkle.is_consistent(1, 1, one, one, [])
    assert not merkle.is_consistent(0, 1, one, one, [])
    assert not merkle.is_consistent(1, 1, one, empty, [])
    assert not merkle.is_consistent(2, 1, one, one, [])
    assert not merkle.is_consistent(1, 2, one, one, [])
    with pytest.raises(ValueError, match="no proof"):
        merkle.consistency_path(subtree_of([one]), 2, 1)
    with pytest.raises(ValueError, match="not in a tree"):
        merkle.inclusion_path(subtree_of([one]), 1, 1)
