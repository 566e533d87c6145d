"""A security event token (SET, RFC 8417) that says whether a device complies.

The event is `device-compliance-change` of the OpenID Continuous Access Evaluation Profile 1.0.
A token that we make names a device by its id, and no person and no app: who takes it need know
neither. One that we take counts only when its signature, its issuer, its audience and its times
are right; an algorithm is never chosen by the token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey

from domicile.errors import DeclarationError

COMPLIANCE = "https://schemas.openid.net/secevent/caep/event-type/device-compliance-change"
"""The type of the event (CAEP 1.0, section 3.5)."""

TYPE = "secevent+jwt"
"""The `typ` of the header (RFC 8417, section 2.3)."""

ALGORITHMS = ("ES256", "ES384", "PS256", "RS256", "EdDSA", "Ed25519")
"""What a token may be signed with: signatures only, so that no key of ours can be taken for a
shared secret, and never `none`."""

AHEAD = timedelta(minutes=10)
"""How far another clock may be ahead."""

AGE = timedelta(days=7)
"""How old a token may be: its `jti` is kept for as long, so that it is taken once."""

Status = Literal["compliant", "not-compliant"]
STATUSES: tuple[Status, ...] = ("compliant", "not-compliant")

PrivateKey = ECKey | RSAKey | OKPKey


class RefusedTokenError(Exception):
    """A token does not count; `code` is an error of RFC 8935, section 2.4."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code, self.description = code, description


@dataclass(frozen=True)
class Event:
    """What a token says: whose device complies or does not, since when."""

    issuer: str
    jti: str
    device: str  # its id, as the issuer names it; empty for an event that says nothing of one
    status: Status
    at: datetime
    until: datetime  # when the token is too old to be taken


def sign(
    key: PrivateKey, algorithm: str, *, issuer: str, audience: str, jti: str, device: str,
    status: str, previous: str, mandate: str, at: datetime,
) -> str:  # fmt: skip
    """A token of ours, in compact form."""
    when = int(at.timestamp())
    return jws.serialize_compact(
        {"alg": algorithm, "typ": TYPE, "kid": key.thumbprint()},
        msgspec.json.encode({
            "iss": issuer, "jti": jti, "iat": when, "aud": audience, "txn": jti,
            "sub_id": {"format": "complex",
                       "device": {"format": "iss_sub", "iss": issuer, "sub": device}},
            "events": {COMPLIANCE: {
                "previous_status": previous, "current_status": status,
                "initiating_entity": "policy", "event_timestamp": when,
                "reason_admin": {"en": f"mandate {mandate}" if mandate else "no mandate"},
                "reason_user": _USER[status],
            }},
        }),
        key, algorithms=[algorithm],
    )  # fmt: skip


_USER = {
    "compliant": {
        "en": "This device complies again.",
        "nl": "Dit apparaat voldoet weer aan de regels.",
    },
    "not-compliant": {
        "en": "This device does not comply with the rules of your organisation.",
        "nl": "Dit apparaat voldoet niet aan de regels van uw organisatie.",
    },
}


def verify(
    text: bytes, issuers: Mapping[str, KeySet], audience: str, now: datetime
) -> Event | None:
    """What a token says to us; None for one that is right, and about something else.

    Raises RefusedTokenError. Whether it was taken before is the caller's to know.
    """
    header, claimed = _look(text)
    if str(header.get("typ", "")).lower().removeprefix("application/") != TYPE:
        raise RefusedTokenError("invalid_request", f"the typ must be {TYPE}")
    if header.get("alg") not in ALGORITHMS:
        raise RefusedTokenError("invalid_key", f"the alg must be one of {', '.join(ALGORITHMS)}")
    issuer = claimed.get("iss")
    keys = issuers.get(issuer) if isinstance(issuer, str) else None
    if keys is None:
        raise RefusedTokenError("invalid_issuer", "the iss is of nobody from whom events are taken")
    claims = _checked(text, keys)
    if claims.get("iss") != issuer:
        raise RefusedTokenError("invalid_issuer", "the iss is of somebody else")
    wanted = claims.get("aud")
    if audience not in (wanted if isinstance(wanted, list) else [wanted]):
        raise RefusedTokenError("invalid_audience", "the aud is somebody else")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= 256:
        raise RefusedTokenError("invalid_request", "the jti must be 1 to 256 characters")
    made = _moment(claims, "iat")
    if made is None or made > now + AHEAD:
        raise RefusedTokenError("invalid_request", "the iat must be there, and not in the future")
    until = min(made + AGE, _moment(claims, "exp") or made + AGE)
    if until <= now:
        raise RefusedTokenError("invalid_request", "the token has expired")
    events = claims.get("events")
    if not isinstance(events, dict) or not events:
        raise RefusedTokenError("invalid_request", "there are no events")
    if COMPLIANCE not in events:
        return None
    device, status, at = _change(claims, events[COMPLIANCE], made)
    if at > now + AHEAD:
        raise RefusedTokenError("invalid_request", "the event_timestamp is in the future")
    assert isinstance(issuer, str)
    return Event(issuer, jti, device, status, at, until)


def _look(text: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the claims, not believed yet."""
    try:
        parts = jws.extract_compact(text)
        header, claims = parts.headers(), msgspec.json.decode(parts.payload)
    except (JoseError, ValueError, TypeError, RecursionError):
        raise RefusedTokenError("invalid_request", "that is no signed token") from None
    if not isinstance(claims, dict) or "crit" in header:
        raise RefusedTokenError("invalid_request", "that is no signed token that is known here")
    return dict(header), claims


def _checked(text: bytes, keys: KeySet) -> dict[str, Any]:
    try:
        payload = jws.deserialize_compact(text, keys, algorithms=list(ALGORITHMS)).payload
        claims: dict[str, Any] = msgspec.json.decode(payload, type=dict[str, Any])
    except (JoseError, ValueError, TypeError, RecursionError):
        raise RefusedTokenError(
            "authentication_failed", "the signature is not one of the issuer's keys"
        ) from None
    return claims


def _change(claims: Mapping[str, Any], event: Any, made: datetime) -> tuple[str, Status, datetime]:
    """Whose compliance changed to what, and when."""
    subject = claims.get("sub_id")
    if isinstance(subject, dict) and subject.get("format") == "complex":
        subject = subject.get("device")
    name = {"iss_sub": "sub", "opaque": "id"}
    device = (
        subject.get(name.get(str(subject.get("format")), "")) if isinstance(subject, dict) else None
    )
    if not isinstance(device, str) or not 0 < len(device) <= 256:
        raise RefusedTokenError("invalid_request", "the sub_id names no device")
    status = event.get("current_status") if isinstance(event, dict) else None
    if status not in STATUSES:
        raise RefusedTokenError(
            "invalid_request", f"the current_status must be one of {', '.join(STATUSES)}"
        )
    return device, status, _moment(event, "event_timestamp") or made


def _moment(values: Mapping[str, Any], name: str) -> datetime | None:
    """A NumericDate (RFC 7519, section 2); None when there is none."""
    value = values.get(name)
    if value is None:
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        raise RefusedTokenError("invalid_request", f"the {name} must be a time") from None


def read_keys(file: Path) -> KeySet:
    """An issuer's public keys. Raises DeclarationError.

    Symmetric keys are none: a key that verifies must not be able to sign.
    """
    try:
        found = msgspec.json.decode(file.read_bytes(), type=dict[str, Any])["keys"]
        keys: list[OctKey | RSAKey | ECKey | OKPKey] = [_public(each) for each in found]
    except OSError as error:
        raise DeclarationError(f"cannot be read: {error.strerror}", file=str(file)) from None
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise DeclarationError(
            "is no JWK set of public keys", file=str(file),
            hint='Expected {"keys": [...]} with keys of kty EC, RSA or OKP.',
        ) from None  # fmt: skip
    if not keys:
        raise DeclarationError("holds no keys", file=str(file))
    return KeySet(keys)


def _public(data: dict[str, Any]) -> PrivateKey:
    kinds: dict[str, type[PrivateKey]] = {"EC": ECKey, "RSA": RSAKey, "OKP": OKPKey}
    return kinds[data["kty"]].import_key({k: v for k, v in data.items() if k != "d"})
