"""Ed25519 keys in the text forms of signed notes (c2sp.org/signed-note).

A verifier key is `name+id+base64(0x01 ‖ public key)`, a signing key
`PRIVATE+KEY+name+id+base64(0x01 ‖ seed)`, as Go's `golang.org/x/mod/sumdb/note` writes them;
the id is eight hexadecimal digits of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key).
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from domicile.durable.files import sync
from domicile.errors import EvidenceError

ED25519 = b"\x01"
"""Signature type identifier byte (c2sp.org/signed-note, signature types)."""

COSIGNATURE = b"\x04"
"""Type byte of a witness's timestamped cosignatures (c2sp.org/tlog-cosignature, format)."""

PRIVATE_PREFIX = "PRIVATE+KEY+"


def check_name(name: str) -> str:
    """A key's name: not empty, no spaces, no plus (signed-note, format).

    Raises EvidenceError.
    """
    if not name or "+" in name or any(c.isspace() or ord(c) < 0x20 for c in name):
        raise EvidenceError(
            f"key name {name!r} is empty or has a space or a plus",
            hint="use a name like example.com/log",
        )
    return name


def key_id(name: str, public: bytes, kind: bytes = ED25519) -> bytes:
    """The four bytes that name an Ed25519 key beside its name."""
    return sha256(name.encode() + b"\n" + kind + public).digest()[:4]


def cosigned_text(text: str, time: int) -> bytes:
    """What a witness signs: header, time in seconds since 1970, note text (tlog-cosignature)."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


@dataclass(frozen=True)
class VerifierKey:
    """What a verifier needs: a name, 32 bytes of Ed25519 public key, and what it signs.

    A key of the type `ED25519` signs notes; one of `COSIGNATURE` only cosigns checkpoints.
    """

    name: str
    public: bytes
    type: bytes = ED25519

    @property
    def id(self) -> bytes:
        """The key's id, 4 bytes."""
        return key_id(self.name, self.public, self.type)

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(self.type + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read `name+id+base64`. Raises EvidenceError when it is not that, or the id differs."""
        name, _, rest = text.strip().partition("+")
        identity, _, encoded = rest.partition("+")
        body = _decode(encoded)
        if body is None or len(body) != 33 or body[:1] not in (ED25519, COSIGNATURE):
            raise EvidenceError(
                "the verifier key is not name+id+base64 of an Ed25519 key",
                hint="give the line of .domicile/keys/log.vkey, or the path of such a file",
            )
        key = cls(check_name(name), body[1:], body[:1])
        if key.id.hex() != identity.lower():
            raise EvidenceError(
                f"the verifier key of {name} says id {identity[:16]}, "
                f"its bytes give {key.id.hex()}",
                hint="copy the whole line again",
            )
        return key

    @classmethod
    def load(cls, source: str | Path) -> VerifierKey:
        """From a key's text, or from a file that holds it. Raises EvidenceError."""
        text = str(source)
        if "+" in text and not Path(text).exists():
            return cls.parse(text)
        try:
            return cls.parse(Path(source).read_text("utf-8"))
        except OSError as e:
            raise EvidenceError(
                f"verifier key {text}: {e.strerror}", hint="name a file, or give the key itself"
            ) from e

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` is this key's over `message`: 64 bytes, or a time before them."""
        if self.type == COSIGNATURE:
            time, signature = int.from_bytes(signature[:8], "big"), signature[8:]
            message = cosigned_text(message.decode(), time)
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


class SigningKey:
    """A named Ed25519 private key. Never printed: `repr` shows the name and the id only."""

    def __init__(self, name: str, seed: bytes, kind: bytes = ED25519) -> None:
        """`seed` is 32 bytes (RFC 8032, section 5.1.5). Raises EvidenceError, ValueError."""
        self._seed = seed
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._private.public_key().public_bytes_raw()
        self.verifier = VerifierKey(check_name(name), public, kind)

    def __repr__(self) -> str:
        return f"SigningKey({self.verifier.name}+{self.verifier.id.hex()})"

    @property
    def name(self) -> str:
        """The key's name; for a log's key, its origin."""
        return self.verifier.name

    @classmethod
    def generate(cls, name: str, kind: bytes = ED25519) -> SigningKey:
        """A new key from the operating system's randomness."""
        return cls(name, os.urandom(32), kind)

    @classmethod
    def load(cls, path: Path) -> SigningKey:
        """Read a key's file. Raises EvidenceError: unreadable, open to others, or misshapen."""
        text = read_secret(path).decode("ascii", "replace").strip()
        name, _, rest = text.removeprefix(PRIVATE_PREFIX).partition("+")
        identity, _, encoded = rest.partition("+")
        body = _decode(encoded)
        if not text.startswith(PRIVATE_PREFIX) or body is None or len(body) != 33:
            raise EvidenceError(
                f"{path} does not hold a signing key", hint="restore it from your backup of keys"
            )
        key = cls(name, body[1:], body[:1])
        known = body[:1] in (ED25519, COSIGNATURE)
        if not known or key.verifier.id.hex() != identity:
            raise EvidenceError(
                f"{path}: the key does not match its own id {identity[:16]}",
                hint="the file is damaged: restore it from your backup of keys",
            )
        return key

    def save(self, path: Path) -> None:
        """Write the key to a new file of mode 0600. Raises EvidenceError when it exists."""
        encoded = base64.b64encode(self.verifier.type + self._seed).decode()
        text = f"{PRIVATE_PREFIX}{self.name}+{self.verifier.id.hex()}+{encoded}\n"
        write_secret(path, text.encode())

    def sign(self, message: bytes) -> bytes:
        """64 bytes of Ed25519 signature (RFC 8032). Raises EvidenceError for a witness's key."""
        if self.verifier.type != ED25519:
            raise EvidenceError(
                f"{self.name} is a witness's key: it cosigns checkpoints and nothing else",
                hint="use a key made without --witness",
            )
        return self._private.sign(message)

    def cosign(self, text: str, time: int) -> bytes:
        """A timestamped cosignature of a checkpoint's text: 8 bytes of time, 64 of signature.

        `time` is in seconds since 1970. Raises EvidenceError unless the key is a witness's.
        """
        if self.verifier.type != COSIGNATURE:
            raise EvidenceError(
                f"{self.name} is no witness's key", hint="make one: domicile log keygen --witness"
            )
        return time.to_bytes(8, "big") + self._private.sign(cosigned_text(text, time))


def write_secret(path: Path, content: bytes) -> None:
    """Write a new file that only its owner can read, durably and as a whole.

    Raises EvidenceError when the file exists (a key is never overwritten) or cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(fd, "wb") as file:
                os.fchmod(fd, 0o600)  # whatever the umask
                file.write(content)
                file.flush()
                os.fsync(fd)
            os.link(temporary, path)  # unlike a rename, fails when the path exists
        finally:
            temporary.unlink()
        sync(path.parent)
    except OSError as e:
        raise EvidenceError(
            f"cannot write {path}: {e.strerror}",
            hint="a key is never overwritten; choose a new path",
        ) from e


def destroy_secret(path: Path) -> None:
    """Overwrite a secret and remove it.

    What the file system keeps by its nature (copy-on-write, snapshots, backups) is not reached.
    Raises EvidenceError when it cannot be done.
    """
    try:
        with path.open("r+b") as file:
            file.write(os.urandom(max(os.fstat(file.fileno()).st_size, 32)))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
        sync(path.parent)
    except OSError as e:
        raise EvidenceError(f"cannot destroy {path}: {e.strerror}") from e


def read_secret(path: Path) -> bytes:
    """Read a file that nobody but its owner may read. Raises EvidenceError otherwise."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read()
    except OSError as e:
        raise EvidenceError(f"cannot read {path}: {e.strerror}") from e
    if mode & 0o077:
        raise EvidenceError(
            f"{path} has mode {mode:04o}: others may read it, expected 0600",
            hint=f"if nobody has, run: chmod 600 {path}; otherwise start a new log with a new key",
        )
    return content


def _decode(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
