"""Proofs against an implementation that is not ours: the inclusion check of `sigstore`, which
verifies entries of Rekor. Both directions: it accepts ours, and refuses what ours refuses."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sigstore._internal.merkle import verify_merkle_inclusion
from sigstore.errors import VerificationError

from domicile.evidence import merkle
from tests.evidence.test_merkle import LEAVES, mth, path, subtree_of
from verifier import domicile_verify as verifier


def sigstore_accepts(entry: bytes, index: int, size: int, hashes: list[bytes], root: bytes) -> bool:
    """What `sigstore` says of a proof; it takes it as Rekor hands it out."""
    proof = SimpleNamespace(log_index=index, tree_size=size, hashes=hashes, root_hash=root)
    rekor = SimpleNamespace(inclusion_proof=proof, canonicalized_body=entry)
    try:
        verify_merkle_inclusion(SimpleNamespace(_inner=rekor))  # type: ignore[arg-type]
    except VerificationError:
        return False
    return True


def we_accept(entry: bytes, index: int, size: int, hashes: list[bytes], root: bytes) -> bool:
    return merkle.inclusion_root(merkle.leaf_hash(entry), index, size, hashes) == root


def the_verifier_accepts(
    entry: bytes, index: int, size: int, hashes: list[bytes], root: bytes
) -> bool:
    try:
        return verifier.climb(verifier.node(entry, kind=b"\0"), index, size, list(hashes)) == root
    except verifier.Wrong:
        return False


def test_the_published_tree() -> None:
    for size in range(1, 9):
        leaves = [merkle.leaf_hash(leaf) for leaf in LEAVES[:size]]
        for index in range(size):
            proof = merkle.inclusion_path(subtree_of(leaves), index, size)
            assert sigstore_accepts(LEAVES[index], index, size, proof, mth(leaves))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_three_implementations_agree_on_any_proof(data: st.DataObject) -> None:
    """Sizes and places as they come; the proof is right, or is changed in one of six ways."""
    size = data.draw(st.integers(1, 200))
    index = data.draw(st.integers(0, size - 1))
    entries = [number.to_bytes(4, "big") for number in range(size)]
    leaves = [merkle.leaf_hash(each) for each in entries]
    hashes, root, entry = path(index, leaves), mth(leaves), entries[index]
    change = data.draw(
        st.sampled_from(["none", "drop", "add", "flip", "index", "size", "entry", "root"])
    )
    if change == "drop" and hashes:
        hashes.pop(data.draw(st.integers(0, len(hashes) - 1)))
    elif change == "add":
        hashes.insert(data.draw(st.integers(0, len(hashes))), bytes(32))
    elif change == "flip" and hashes:
        at = data.draw(st.integers(0, len(hashes) - 1))
        hashes[at] = bytes([hashes[at][0] ^ 1]) + hashes[at][1:]
    elif change == "index":
        index = data.draw(st.integers(0, size - 1))
    elif change == "size":
        size = data.draw(st.integers(index + 1, 400))
    elif change == "entry":
        entry = b"another"
    elif change == "root":
        root = bytes(32)
    ours = we_accept(entry, index, size, hashes, root)
    assert the_verifier_accepts(entry, index, size, hashes, root) == ours
    assert sigstore_accepts(entry, index, size, hashes, root) == ours
    assert ours or change != "none"


def test_a_proof_read_from_tiles(tmp_path_factory: pytest.TempPathFactory) -> None:
    from domicile.evidence.canonical import encode
    from tests.evidence.making import make_log

    log = make_log(tmp_path_factory.mktemp("log"), 700)
    for index in (0, 255, 256, 511, 512, 699):
        proof = log.inclusion(index)
        hashes = list(proof.path)
        content = encode(log.entry(index))
        assert sigstore_accepts(content, index, 700, hashes, log.head.root)
        assert not sigstore_accepts(content, index ^ 1, 700, hashes, log.head.root)
