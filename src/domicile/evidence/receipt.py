"""Receipts: what one person checks offline about their own data, with nobody else's disclosed.

A receipt holds the person's key and salt, what is said of them (the statement), the path from their
leaf to the root of the tree of people, and the proof that an entry with that root is in the log.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import rfc8785

from domicile.errors import EvidenceError
from domicile.evidence import place
from domicile.evidence.commitments import tree_key
from domicile.evidence.keys import VerifierKey, read_secret
from domicile.evidence.merkle import inclusion_root, leaf_hash
from domicile.evidence.people_tree import PeopleTree, frame, leaf_of
from domicile.evidence.proof import Proof, decode_hash
from domicile.evidence.reader import LogReader

RECEIPTS = "receipts"
"""The directory of trees in the state directory; never published."""

ENTRY = "entry"
"""Beside a tree: the index of the entry with its root, once it was found."""

Receipt = dict[str, Any]


def statement_digest(statement: Mapping[str, str]) -> bytes:
    """SHA-256 of a statement in canonical JSON, 32 bytes."""
    return sha256(rfc8785.dumps(dict(statement))).digest()


def tree_directory(state: Path, plan: str) -> Path:
    """Where the tree of a plan's people is. Raises EvidenceError for what is no digest."""
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", plan):
        raise EvidenceError("a plan is named by its digest, sha256:…")
    return state / RECEIPTS / plan.removeprefix("sha256:")[:32]


def key_for(state: Path, plan: str, generation: int | None = None) -> bytes:
    """The key of the salts of a plan's tree. Raises EvidenceError when the secret is destroyed."""
    place.open_commitments(state, generation=generation)  # makes it, or says that it is gone
    return tree_key(read_secret(place.people_secret(state, generation)), plan)


def receipts(state: Path, log: LogReader, subject: str, key: str) -> Iterator[Receipt]:
    """Every receipt of one person, oldest first. Raises EvidenceError.

    `key` is the register's, as text; the parts of a composite one with a comma between them.
    """
    directories = [d.parent for d in (state / RECEIPTS).glob("*/tree.json")]
    framed, name = frame(subject.encode()), key.encode()
    for index, directory in sorted(_noted(log, directories)):
        tree, entry = PeopleTree(directory), log.entry(index)
        description = tree.description
        salts = key_for(state, description["plan"], description["generation"])
        for statement in description["statements"]:
            salt, leaf = leaf_of(salts, statement_digest(statement), framed, name)
            at = tree.find(leaf)
            if at is not None:
                path = [base64.b64encode(p).decode() for p in tree.path(at)]
                yield {
                    "version": 1, "subject": subject, "key": key, "salt": salt.hex(),
                    "statement": statement, "index": at, "path": path,
                    "proof": _proof(log, index, entry),
                }  # fmt: skip


def _noted(log: LogReader, directories: Sequence[Path]) -> Iterator[tuple[int, Path]]:
    """The index of each tree's entry; a tree whose plan did not come to its end has none.

    An index that was found is kept beside the tree, so that the log is read through once.
    """
    waiting: dict[str, Path] = {}
    for directory in directories:
        root, kept = PeopleTree(directory).description["root"], directory / ENTRY
        index = int(kept.read_text("ascii")) if kept.exists() else -1
        if 0 <= index < log.size and log.entry(index).get("people_root") == root:
            yield index, directory
        else:
            waiting[root] = directory
    for index, entry in log.entries() if waiting else ():
        if entry["kind"] == "receipts" and entry["people_root"] in waiting:
            directory = waiting[entry["people_root"]]
            (directory / ENTRY).write_text(str(index), "ascii")
            yield index, directory


def _proof(log: LogReader, index: int, entry: Mapping[str, Any]) -> dict[str, Any]:
    rotations = {"rotations": log.rotations} if log.rotations else {}
    return {**log.inclusion(index).to_json(), "entry": entry, **rotations}


def verify(receipt: Mapping[str, Any], key: VerifierKey) -> None:
    """Check a receipt against the log's key (the one that signed its checkpoint).

    Raises EvidenceError naming what does not hold. The verifier does the same and more.
    """
    try:
        proof, entry = Proof.from_json(receipt["proof"]), receipt["proof"]["entry"]
        salt, path = bytes.fromhex(receipt["salt"]), [decode_hash(p) for p in receipt["path"]]
        people = frame(receipt["subject"].encode()) + frame(receipt["key"].encode())
        leaf = leaf_hash(salt + statement_digest(receipt["statement"]) + people)
        root = inclusion_root(leaf, receipt["index"], entry["people"], path)
        expected, plan = entry["people_root"], entry["plan"]
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        raise EvidenceError("the receipt is misshapen or has a part missing") from e
    if root is None or f"sha256:{root.hex()}" != expected or len(salt) != 32:
        raise EvidenceError("this person, with this salt and statement, is not in that tree")
    if receipt["statement"].get("plan") != plan:
        raise EvidenceError("the receipt is of another plan than its entry")
    proof.verify(key, entry=entry)
