"""Signed notes and checkpoints (c2sp.org/signed-note, c2sp.org/tlog-checkpoint)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from domicile.errors import EvidenceError
from domicile.evidence.keys import COSIGNATURE, SigningKey, VerifierKey
from domicile.evidence.merkle import HASH_SIZE

MAX_NOTE = 1_000_000
"""Bytes of the largest note read: verifiers should apply a limit (signed-note, format)."""


LAST_TIME = 253_402_300_799
"""The end of the year 9999 in seconds since 1970: no date has more than four digits of year."""


@dataclass(frozen=True)
class Signature:
    """One signature line: the key's name, its id (4 bytes) and the signature's bytes."""

    name: str
    id: bytes
    signature: bytes


@dataclass(frozen=True)
class Note:
    """A text that ends in a newline, and its signatures, not yet verified."""

    text: str
    signatures: tuple[Signature, ...]


def sign_note(text: str, key: SigningKey) -> str:
    """The text with one signature line. The text must end in a newline."""
    encoded = base64.b64encode(key.verifier.id + key.sign(text.encode())).decode()
    return f"{text}\n— {key.name} {encoded}\n"


def parse_note(content: bytes) -> Note:
    """Split a note into text and signatures. Raises EvidenceError when misshapen."""
    if len(content) > MAX_NOTE:
        raise EvidenceError(f"note: {len(content)} bytes, expected at most {MAX_NOTE}")
    try:
        whole = content.decode("utf-8")
    except UnicodeDecodeError as e:
        raise EvidenceError("note: not UTF-8") from e
    if any(ord(c) < 0x20 and c != "\n" for c in whole):
        raise EvidenceError("note: has a control character")
    at = whole.rfind("\n\n")
    if at < 0 or not whole.endswith("\n"):
        raise EvidenceError("note: no blank line between text and signatures")
    lines = whole[at + 2 : -1].split("\n")
    return Note(whole[: at + 1], tuple(_signature(line) for line in lines))


def open_note(content: bytes, keys: Sequence[VerifierKey]) -> tuple[str, tuple[VerifierKey, ...]]:
    """The note's text, and which of `keys` signed it, at least one.

    Signatures of unknown keys are ignored. Raises EvidenceError when the note is misshapen, when
    a known key's signature is wrong, or when no known key signed.
    """
    note = parse_note(content)
    signers: list[VerifierKey] = []
    for line in note.signatures:
        for key in keys:
            if (line.name, line.id) != (key.name, key.id):
                continue
            if not key.verifies(line.signature, note.text.encode()):
                raise EvidenceError(
                    f"note: the signature of {key.name} does not verify",
                    hint="the text was altered, or signed with another key",
                )
            if key not in signers:
                signers.append(key)
    if not signers:
        got = ", ".join(f"{s.name}+{s.id.hex()}" for s in note.signatures)
        wanted = ", ".join(f"{k.name}+{k.id.hex()}" for k in keys)
        raise EvidenceError(
            f"note: signed by {got}, expected {wanted}",
            hint="check that the key belongs to this log",
        )
    return note.text, tuple(signers)


def is_signed_by(content: bytes, key: VerifierKey) -> bool:
    """Whether a note has a signature line of this key, right or wrong.

    Raises EvidenceError when the note is misshapen.
    """
    return any((s.name, s.id) == (key.name, key.id) for s in parse_note(content).signatures)


def cosignatures(content: bytes, keys: Sequence[VerifierKey]) -> dict[VerifierKey, int]:
    """The witnesses among `keys` who cosigned a checkpoint, each with its time in seconds since
    1970 (c2sp.org/tlog-cosignature). Raises EvidenceError when one of them is wrong."""
    note, times = parse_note(content), dict[VerifierKey, int]()
    for line in note.signatures:
        for key in keys:
            if key.type != COSIGNATURE or (line.name, line.id) != (key.name, key.id):
                continue
            if not key.verifies(line.signature, note.text.encode()):
                raise EvidenceError(f"note: the cosignature of {key.name} does not verify")
            times[key] = int.from_bytes(line.signature[:8], "big")
            if times[key] > LAST_TIME:
                raise EvidenceError(f"note: {key.name} cosigned at a time that no clock shows")
    return times


@dataclass(frozen=True)
class Checkpoint:
    """A tree head: the log's origin, the number of entries, the root (32 bytes)."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The note's text (tlog-checkpoint, note text)."""
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode())
        return "\n".join(lines + self.extensions) + "\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read a note's text as a checkpoint. Raises EvidenceError when it is not one."""
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() or not all(lines):
            raise EvidenceError("checkpoint: expected origin, size and root, each on a line")
        origin, size, encoded, *extensions = lines
        if not re.fullmatch(r"0|[1-9][0-9]{0,18}", size):
            raise EvidenceError(f"checkpoint of {origin}: {size[:20]!r} is not a size")
        try:
            root = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError) as e:
            raise EvidenceError(f"checkpoint of {origin}: the root is not base64") from e
        if len(root) != HASH_SIZE or base64.b64encode(root).decode() != encoded:
            raise EvidenceError(f"checkpoint of {origin}: the root is not a SHA-256 hash")
        return cls(origin, int(size), root, tuple(extensions))

    @classmethod
    def verify(
        cls, content: bytes, keys: Sequence[VerifierKey], *, origin: str | None = None
    ) -> Checkpoint:
        """Verify a signed checkpoint against `keys`, and its origin when given.

        Raises EvidenceError.
        """
        text, _ = open_note(content, keys)
        checkpoint = cls.parse(text)
        if origin is not None and checkpoint.origin != origin:
            raise EvidenceError(
                f"checkpoint of {checkpoint.origin}, expected {origin}",
                hint="this is another log; name the right evidence directory",
            )
        return checkpoint


def _signature(line: str) -> Signature:
    marker, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    try:
        body = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        body = b""
    if marker != "—" or not name or "+" in name or len(body) < 5:
        raise EvidenceError("note: a signature line is not '— name base64'")
    return Signature(name, body[:4], body[4:])
