"""Proofs that verify offline, with the log's public key and nothing else."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domicile.errors import EvidenceError
from domicile.evidence.canonical import encode
from domicile.evidence.keys import VerifierKey
from domicile.evidence.merkle import HASH_SIZE, inclusion_root, is_consistent, leaf_hash
from domicile.evidence.note import Checkpoint


@dataclass(frozen=True)
class Proof:
    """That one entry is in the tree of a signed checkpoint.

    `entry_hash` is the RFC 6962 leaf hash of the canonical entry, `path` its siblings from the
    leaf to the root (RFC 6962, section 2.1.1), `checkpoint` the signed note.
    """

    index: int
    entry_hash: bytes
    path: tuple[bytes, ...]
    checkpoint: str

    def verify(self, key: VerifierKey, *, entry: Mapping[str, Any] | None = None) -> Checkpoint:
        """Check the signature, the path, and the entry when it is given.

        Returns the checkpoint. Raises EvidenceError naming what does not hold.
        """
        head = Checkpoint.verify(self.checkpoint.encode(), [key])
        if entry is not None and leaf_hash(encode(entry)) != self.entry_hash:
            raise EvidenceError(f"the proof of entry {self.index} is about another entry")
        if inclusion_root(self.entry_hash, self.index, head.size, self.path) != head.root:
            raise EvidenceError(
                f"the proof does not lead from entry {self.index} to the root of {head.size} "
                f"entries of {head.origin}",
                hint="ask for the proof again; if it fails again, the log or the proof is altered",
            )
        return head

    def to_json(self) -> dict[str, Any]:
        """As a JSON object: hashes in base64."""
        return {
            "checkpoint": self.checkpoint,
            "index": self.index,
            "entry_hash": base64.b64encode(self.entry_hash).decode(),
            "path": [base64.b64encode(p).decode() for p in self.path],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Proof:
        """Read what `to_json` wrote; other keys are ignored. Raises EvidenceError."""
        index, note, path = (document.get(k) for k in ("index", "checkpoint", "path"))
        if type(index) is not int or not isinstance(note, str) or not isinstance(path, list):
            raise EvidenceError("a proof has checkpoint (text), index (number) and path (list)")
        return cls(
            index,
            decode_hash(document.get("entry_hash")),
            tuple(decode_hash(p) for p in path),
            note,
        )

    def to_text(self) -> str:
        """In the textual form of c2sp.org/tlog-proof."""
        path = "".join(base64.b64encode(p).decode() + "\n" for p in self.path)
        return f"c2sp.org/tlog-proof@v1\nindex {self.index}\n{path}\n{self.checkpoint}"


@dataclass(frozen=True)
class Consistency:
    """That the tree of `new` entries begins with the tree of `old` entries."""

    old: int
    new: int
    old_root: bytes
    new_root: bytes
    path: tuple[bytes, ...]

    def verify(self) -> None:
        """Check the path against both roots. Raises EvidenceError.

        The caller must have both roots from checkpoints that it trusts.
        """
        if not is_consistent(self.old, self.new, self.old_root, self.new_root, self.path):
            raise EvidenceError(
                f"the log of {self.new} entries does not begin with the log of {self.old}",
                hint="history was rewritten, or the proof is altered: keep both checkpoints",
            )


def decode_hash(text: object) -> bytes:
    """A hash from base64. Raises EvidenceError unless it is 32 bytes."""
    try:
        value = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        value = b""
    if len(value) != HASH_SIZE:
        raise EvidenceError("a proof's hashes are base64 of 32 bytes")
    return value
