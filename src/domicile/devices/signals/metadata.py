"""What is published about our events: the public key, and who sends them."""

from __future__ import annotations

import msgspec

from domicile.devices.exchange import JSON, Answer, Asked

JWKS = "/.well-known/jwks.json"
CONFIGURATION = "/.well-known/ssf-configuration"
"""OpenID Shared Signals Framework 1.0, section 7.1."""

PUSH = "urn:ietf:rfc:8935"


def published(issuer: str, keys: bytes) -> dict[str, Answer]:
    """By path, what is answered to anybody."""
    configuration = msgspec.json.encode({
        "spec_version": "1_0", "issuer": issuer, "jwks_uri": issuer + JWKS,
        "delivery_methods_supported": [PUSH],
    })  # fmt: skip

    async def answer_keys(asked: Asked) -> None:
        await asked.reply(200, keys, JSON)

    async def answer_configuration(asked: Asked) -> None:
        await asked.reply(200, configuration, JSON)

    return {JWKS: answer_keys, CONFIGURATION: answer_configuration}
