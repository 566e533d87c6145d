"""The tree of people against a brute-force tree, receipts cut from it, and forged ones refused."""

from __future__ import annotations

import copy
import pickle
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domicile.errors import EvidenceError
from domicile.evidence import people_tree, place
from domicile.evidence.keys import VerifierKey
from domicile.evidence.kinds import make
from domicile.evidence.merkle import leaf_hash
from domicile.evidence.people_tree import Group, PeopleTree, build, frame, leaf_of
from domicile.evidence.receipt import key_for, receipts, statement_digest, tree_directory, verify
from tests.evidence.test_merkle import mth
from verifier import domicile_verify as verifier

PLAN = "sha256:" + "ab" * 32
MOVED = {"act": "moved", "plan": PLAN, "from": "singapore", "to": "texas"}
ERASED = {"act": "erased", "plan": PLAN, "from": "lake"}
SALTS = b"k" * 32


def group(keys: list[str], said: dict[str, str] | None = None, subject: str = "customer") -> Group:
    arrays = [pa.array(keys[i : i + 100], pa.string()) for i in range(0, len(keys), 100)]
    return Group(statement_digest(said or MOVED), frame(subject.encode()), arrays)


@settings(max_examples=20, deadline=None)
@given(keys=st.lists(st.text(max_size=6), unique=True, max_size=700))
def test_it_is_the_tree_of_the_sorted_leaves(
    tmp_path_factory: pytest.TempPathFactory, keys: list[str]
) -> None:
    directory = tmp_path_factory.mktemp("tree") / "t"
    size, root = build(directory, [group(keys)], SALTS, {})
    statement, subject = statement_digest(MOVED), frame(b"customer")
    contents = []
    for key in keys:
        who = subject + frame(key.encode())
        salt, leaf = leaf_of(SALTS, statement, subject, key.encode())
        contents.append((leaf, salt + statement + who))
    assert (size, root) == (len(keys), mth([leaf_hash(content) for _, content in sorted(contents)]))
    tree = PeopleTree(directory)
    for leaf, _ in contents[:20]:
        index = tree.find(leaf)
        assert index is not None
        tree.path(index)
    assert tree.find(bytes(32)) is None


def test_processes_and_small_chunks_give_the_same_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [str(n) for n in range(3000)]
    alone = build(tmp_path / "a", [group(keys), group(keys[:50], ERASED)], SALTS, {})
    monkeypatch.setattr(people_tree, "CHUNK", 512)
    monkeypatch.setattr(people_tree, "FEW", 1)
    shared = build(tmp_path / "b", [group(keys), group(keys[:50], ERASED)], SALTS, {}, processes=2)
    assert alone == shared
    assert alone[0] == 3050
    for level in ("0", "1"):
        assert (tmp_path / "a" / level).read_bytes() == (tmp_path / "b" / level).read_bytes()


def test_a_chunk_takes_nothing_along_but_its_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people_tree, "CHUNK", 100)
    keys = [str(n) for n in range(10_000, 15_050)]
    groups = [
        Group(b"all at once", b"", [pa.array(keys), pa.array([], pa.string())]),
        Group(b"in parts", b"", [pa.array(keys[:70]), pa.array(keys[70:])]),
    ]
    found: dict[bytes, list[str]] = {}
    for statement, _, chunk in people_tree._chunks(groups):
        assert len(chunk) in (100, 50)
        assert len(pickle.dumps(chunk)) < 2000  # the arrays: 45,000 bytes
        found.setdefault(statement, []).extend(chunk.to_pylist())
    assert found == {b"all at once": keys, b"in parts": keys}


def test_a_tree_that_was_not_finished_or_is_damaged_is_none(tmp_path: Path) -> None:
    build(tmp_path / "t", [group([str(n) for n in range(600)])], SALTS, {})
    level = tmp_path / "t" / "0"
    content = bytearray(level.read_bytes())
    content[32 * 7] ^= 1
    level.write_bytes(content)
    with pytest.raises(EvidenceError, match="does not lead to its root"):
        PeopleTree(tmp_path / "t").path(6)
    level.write_bytes(content[:-32])
    with pytest.raises(EvidenceError, match="cut off"):
        PeopleTree(tmp_path / "t")
    (tmp_path / "t" / "tree.json").unlink()
    with pytest.raises(EvidenceError, match="no whole tree"):
        PeopleTree(tmp_path / "t")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state with a plan that moved 500 people and erased two of them somewhere else."""
    directory = tmp_path / ".domicile"
    log = place.open_log(directory, "e")
    description = {"plan": PLAN, "generation": 0, "statements": [MOVED, ERASED]}
    groups = [group([str(n) for n in range(500)]), group(["7", "9"], ERASED)]
    size, root = build(
        tree_directory(directory, PLAN), groups, key_for(directory, PLAN), description
    )
    acts = [{"act": "moved", "subject": "customer", "people": size}]
    made = make(
        "receipts", "e", plan=PLAN, people_root=f"sha256:{root.hex()}", people=size, acts=acts
    )
    log.append([made])
    return directory


def cut(state: Path, key: str, subject: str = "customer") -> list[dict[str, Any]]:
    return list(receipts(state, place.read_log(state), subject, key))


def audited(state: Path) -> verifier.Log:
    key = place.verifier_path(state).read_text()
    return verifier.Log("", verifier.Key.read(key))


def test_a_person_checks_their_own(state: Path) -> None:
    found = cut(state, "7")
    assert [r["statement"]["act"] for r in found] == ["moved", "erased"]
    for each in found:
        verify(each, VerifierKey.load(place.verifier_path(state)))
        assert "one of 502 people" in verifier.audit_receipt(each, audited(state))[0]
    assert cut(state, "500") == []
    assert cut(state, "7", "visitor") == []
    assert found[0]["salt"] == found[1]["salt"] != cut(state, "8")[0]["salt"]


FORGED = [
    ({"key": "8"}, "not in that tree"),  # another person's number
    ({"subject": "visitor"}, "not in that tree"),
    ({"salt": "00" * 32}, "not in that tree"),
    ({"salt": "00" * 31}, "256 bits|not in that tree"),
    ({"statement": ERASED}, "not in that tree"),
    ({"statement": {**MOVED, "to": "home"}}, "not in that tree"),
    ({"index": 0}, "not in that tree|does not lead"),
]


@pytest.mark.parametrize(("change", "said"), FORGED)
def test_a_forged_receipt_is_refused_by_both(
    state: Path, change: dict[str, Any], said: str
) -> None:
    (receipt,) = cut(state, "11")
    bad = {**copy.deepcopy(receipt), **change}
    with pytest.raises(verifier.Wrong, match=said):
        verifier.audit_receipt(bad, audited(state))
    with pytest.raises(EvidenceError):
        verify(bad, VerifierKey.load(place.verifier_path(state)))


def test_older_secrets_still_cut_and_a_destroyed_one_does_not(state: Path) -> None:
    before = cut(state, "11")
    place.rotate_commitments(state, "e")
    after = cut(state, "11")
    assert [r["salt"] for r in after] == [r["salt"] for r in before]
    place.destroy_commitments(state)
    with pytest.raises(EvidenceError, match="was destroyed"):
        cut(state, "11")
    assert verifier.audit_receipt(before[0], audited(state))  # what people have still verifies


def test_the_tree_s_work_and_size_grow_linearly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three hashes a person (salt, leaf, and one node for each leaf but one), and 32 bytes and an
    eighth of one: as many a person for eight times the people, so as many for 80 million."""
    calls = 0

    def counted(content: bytes = b"") -> Any:
        nonlocal calls
        calls += 1
        return sha256(content)

    monkeypatch.setattr("domicile.evidence.people_tree.sha256", counted)
    a_person = []
    for size in (1 << 11, 1 << 12, 1 << 14):
        calls, directory = 0, tmp_path / str(size)
        keys = [pa.array([str(n) for n in range(size)])]
        people_tree.build(directory, [Group(bytes(32), b"", keys)], bytes(32), {})
        stored = sum(f.stat().st_size for f in directory.iterdir() if f.name.isdecimal())
        a_person.append((calls / size, stored / size))
    for hashes, kept in a_person:
        assert hashes == pytest.approx(3, rel=0.01)
        assert kept == pytest.approx(32 * 257 / 256, rel=0.001)
