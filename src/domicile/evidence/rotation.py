"""The log's signing keys over time: each is named by an entry that it and the one before signed.

A verifier who has the first key follows the chain by the signatures alone; that an entry stands
where it says (`index`), and that no old key signed a later head, is checked by whoever reads the
whole log (`verify.py`).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from domicile.errors import EvidenceError
from domicile.evidence.canonical import encode
from domicile.evidence.keys import ED25519, SigningKey, VerifierKey
from domicile.evidence.kinds import make

SIGNED = ("index", "new_key", "old_key")
"""The fields of the entry that both keys sign."""


def statement(kind: str, fields: Mapping[str, Any]) -> bytes:
    """What is signed of an entry: a line that names it, and canonical JSON of the fields."""
    return f"domicile/{kind}/v1\n".encode() + encode(fields) + b"\n"


def rotation(estate: str, index: int, old: SigningKey, new: SigningKey) -> dict[str, Any]:
    """The entry, to stand at `index`, by which `new` follows `old`. Raises EvidenceError."""
    if new.name != old.name or new.verifier.type != ED25519:
        raise EvidenceError(
            f"the new key is named {new.name}, expected {old.name}",
            hint="a log's key is named as its origin",
        )
    fields = {"index": index, "old_key": str(old.verifier), "new_key": str(new.verifier)}
    message = statement("key-rotation", fields)
    return make(
        "key_rotated", estate, **fields,
        old_signature=base64.b64encode(old.sign(message)).decode(),
        new_signature=base64.b64encode(new.sign(message)).decode(),
    )  # fmt: skip


def follow(key: VerifierKey, entry: Mapping[str, Any], index: int | None = None) -> VerifierKey:
    """The key that an entry puts after `key`; `index` is where it stands, when that is known.

    Raises EvidenceError when the entry is not signed by both, or was made for another place.
    """
    at = entry["index"]
    if entry["old_key"] != str(key):
        raise EvidenceError(f"entry {at} rotates another key than {key.id.hex()}")
    if index is not None and index != at:
        raise EvidenceError(f"the rotation at entry {index} was made for entry {at}")
    new = VerifierKey.parse(entry["new_key"])
    if (new.name, new.type) != (key.name, ED25519):
        raise EvidenceError(f"entry {at} names a key of {new.name}, expected {key.name}")
    message = statement("key-rotation", {name: entry[name] for name in SIGNED})
    for signer, which in ((key, "old_signature"), (new, "new_signature")):
        if not signer.verifies(base64.b64decode(entry[which]), message):
            raise EvidenceError(f"entry {at}: the {which} is not by {signer.id.hex()}")
    return new


def is_rotation(content: bytes) -> bool:
    """Whether an entry's bytes are those of a rotation (cheaply: most are not)."""
    return b'"kind":"key_rotated"' in content and json.loads(content)["kind"] == "key_rotated"
