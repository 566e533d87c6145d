"""The key that our security events are signed with, and its public half."""

from __future__ import annotations

from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from domicile.devices.send import variable
from domicile.devices.signals.token import PrivateKey
from domicile.errors import UsageError
from domicile.estate.model import Signals
from domicile.evidence import place

SECRET = "devices.signals"  # noqa: S105 - the name of a file
"""The file of the secret that the key is made of, when the estate declares none."""

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""FIPS 186-4, D.1.2.3."""

MIN_RSA_BITS = 2048
"""RFC 7518, section 3.3."""


def signing_key(settings: Signals, state: Path) -> tuple[PrivateKey, str]:
    """The private key and its algorithm: from the declared variable, else made from a secret of
    the estate (P-256). Raises UsageError, EvidenceError."""
    if settings.key:
        return _declared(settings.key)
    number = int.from_bytes(place.open_secret(state, SECRET)) % (P256_ORDER - 1) + 1
    return ECKey.import_key(ec.derive_private_key(number, ec.SECP256R1())), "ES256"


def _declared(name: str) -> tuple[PrivateKey, str]:
    text = variable(name)
    for kind, algorithm in ((ECKey, "ES256"), (RSAKey, "RS256"), (OKPKey, "EdDSA")):
        try:
            key = kind.import_key(text)
        except (JoseError, ValueError, TypeError):
            continue
        if key.is_private and _good(key):
            return key, algorithm
    raise UsageError(
        f"the environment variable {name} holds no private key that is used here",
        hint="Expected P-256, Ed25519, or RSA of 2048 bits or more, in PEM or as a JWK.",
    )


def _good(key: PrivateKey) -> bool:
    if isinstance(key, RSAKey):
        return key.raw_value.key_size >= MIN_RSA_BITS
    return key.as_dict()["crv"] in ("P-256", "Ed25519")


def key_set(key: PrivateKey, algorithm: str) -> bytes:
    """The public half, as others fetch it: a JWK set (RFC 7517)."""
    public = key.as_dict(private=False)
    public |= {"kid": key.thumbprint(), "use": "sig", "alg": algorithm}
    public.pop("key_ops", None)
    return msgspec.json.encode({"keys": [public]})
