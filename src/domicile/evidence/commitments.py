"""People in the log: keyed commitments instead of identities.

A commitment to one person is made in three steps, each HMAC-SHA-256 (RFC 2104):

    use key    = HMAC(secret,  "domicile/commitment/v1/key\\n"  ‖ use)
    salt       = HMAC(use key, "domicile/commitment/v1/salt\\n" ‖ framed subject ‖ framed key)
    commitment = HMAC(salt,    "domicile/commitment/v1/open\\n" ‖ framed subject ‖ framed key)

where a framed text is its UTF-8 length as eight big-endian bytes and then its bytes, so that no
two pairs run together. Without the secret nobody can test a guess, and once the secret is
destroyed nobody at all can tell whom a commitment was about (cryptographic erase, NIST SP
800-88r2). A person who is given their own salt (`opening`) can check their commitment with the
standard library, and that discloses nobody else's.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from pathlib import Path

from domicile.errors import EvidenceError
from domicile.evidence.keys import read_secret

SECRET_SIZE = 32
"""Bytes of a secret: as many as the hash gives (RFC 2104, section 3)."""

_KEY = b"domicile/commitment/v1/key\n"
_SALT = b"domicile/commitment/v1/salt\n"
_OPEN = b"domicile/commitment/v1/open\n"


class Commitments:
    """Makes commitments from one secret, for one use (`person` when left out).

    Commitments of different uses cannot be linked, `principal` (who approved) and `person` say.
    """

    def __init__(self, secret: bytes, *, use: str = "person") -> None:
        """Raises EvidenceError when the secret is not 32 bytes."""
        if len(secret) != SECRET_SIZE:
            raise EvidenceError(
                f"the people secret has {len(secret)} bytes, expected {SECRET_SIZE}",
                hint="restore .domicile/keys/people.secret from your backup of keys",
            )
        self._key = hmac.digest(secret, _KEY + use.encode(), "sha256")

    @classmethod
    def load(cls, path: Path, *, use: str = "person") -> Commitments:
        """From a file of mode 0600 that holds the secret. Raises EvidenceError."""
        return cls(read_secret(path), use=use)

    def person(self, subject: str, key: str) -> str:
        """The commitment to one person: 64 hexadecimal digits. `key` is the register's, as text."""
        return self.people(subject, (key,))[0]

    def people(self, subject: str, keys: Iterable[str]) -> list[str]:
        """The commitments to many people of one subject, in order."""
        digest, start = hmac.digest, _frame(subject)
        use_key, commitments = self._key, []
        for key in keys:
            content = key.encode()
            who = start + len(content).to_bytes(8, "big") + content
            salt = digest(use_key, _SALT + who, "sha256")
            commitments.append(digest(salt, _OPEN + who, "sha256").hex())
        return commitments

    def opening(self, subject: str, key: str) -> str:
        """The person's salt, 64 hexadecimal digits: for this person's own receipt only."""
        who = _frame(subject) + _frame(key)
        return hmac.digest(self._key, _SALT + who, "sha256").hex()


def tree_key(secret: bytes, digest: str) -> bytes:
    """The key of the salts in one tree of people (`people_tree.py`), 32 bytes: from the people
    secret, so that it is destroyed with it, and of that plan only."""
    return hmac.digest(secret, b"domicile/receipt/v1/tree\n" + digest.encode(), "sha256")


def opens(commitment: str, subject: str, key: str, opening: str) -> bool:
    """Whether the opening shows that `commitment` is about this person. Needs no secret."""
    try:
        salt = bytes.fromhex(opening)
    except ValueError:
        return False
    made = hmac.digest(salt, _OPEN + _frame(subject) + _frame(key), "sha256").hex()
    return hmac.compare_digest(made.encode(), commitment.encode())


def _frame(text: str) -> bytes:
    content = text.encode()
    return len(content).to_bytes(8, "big") + content
