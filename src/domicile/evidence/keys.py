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

from domicile.errors import EvidenceError

ED25519 = b"\x01"
"""Signature type identifier byte (c2sp.org/signed-note, signature types)."""

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


def key_id(name: str, public: bytes) -> bytes:
    """The four bytes that name an Ed25519 key beside its name."""
    return sha256(name.encode() + b"\n" + ED25519 + public).digest()[:4]


@dataclass(frozen=True)
class VerifierKey:
    """What a verifier needs: a name and 32 bytes of Ed25519 public key."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The key's id, 4 bytes."""
        return key_id(self.name, self.public)

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read `name+id+base64`. Raises EvidenceError when it is not that, or the id differs."""
        name, _, rest = text.strip().partition("+")
        identity, _, encoded = rest.partition("+")
        body = _decode(encoded)
        if body is None or len(body) != 33 or body[:1] != ED25519:
            raise EvidenceError(
                "the verifier key is not name+id+base64 of an Ed25519 key",
                hint="give the line of .domicile/keys/log.vkey, or the path of such a file",
            )
        key = cls(check_name(name), body[1:])
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
        """Whether `signature` (64 bytes) is this key's over `message`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


class SigningKey:
    """A named Ed25519 private key. Never printed: `repr` shows the name and the id only."""

    def __init__(self, name: str, seed: bytes) -> None:
        """`seed` is 32 bytes (RFC 8032, section 5.1.5). Raises EvidenceError, ValueError."""
        self._seed = seed
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = VerifierKey(check_name(name), self._private.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"SigningKey({self.verifier.name}+{self.verifier.id.hex()})"

    @property
    def name(self) -> str:
        """The key's name; for a log's key, its origin."""
        return self.verifier.name

    @classmethod
    def generate(cls, name: str) -> SigningKey:
        """A new key from the operating system's randomness."""
        return cls(name, os.urandom(32))

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
        key = cls(name, body[1:])
        if body[:1] != ED25519 or key.verifier.id.hex() != identity:
            raise EvidenceError(
                f"{path}: the key does not match its own id {identity[:16]}",
                hint="the file is damaged: restore it from your backup of keys",
            )
        return key

    def save(self, path: Path) -> None:
        """Write the key to a new file of mode 0600. Raises EvidenceError when it exists."""
        encoded = base64.b64encode(ED25519 + self._seed).decode()
        text = f"{PRIVATE_PREFIX}{self.name}+{self.verifier.id.hex()}+{encoded}\n"
        write_secret(path, text.encode())

    def sign(self, message: bytes) -> bytes:
        """64 bytes of Ed25519 signature (RFC 8032)."""
        return self._private.sign(message)


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
        sync_directory(path.parent)
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
        sync_directory(path.parent)
    except OSError as e:
        raise EvidenceError(f"cannot destroy {path}: {e.strerror}") from e


def sync_directory(path: Path) -> None:
    """Wait until the names in a directory are durable. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


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
