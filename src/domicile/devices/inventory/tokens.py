"""Bearer tokens: given as they are, or bought with a secret and renewed before they end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import httpx
import msgspec

from domicile.devices.inventory.http import TIMEOUT, secret, trust
from domicile.errors import FleetError
from domicile.estate.model import Fleet

MARGIN = 120.0
"""Seconds before its end at which a token is renewed."""

Authorise = Callable[[bool], Mapping[str, str]]
"""The headers that let us in; asked with True once the last were refused."""


class _Token(msgspec.Struct):
    access_token: str
    expires_in: float = 3600.0


def given(fleet: Fleet) -> Authorise:
    """The fleet's secret is the token."""
    return lambda _: {"Authorization": f"Bearer {secret(fleet)}"}


def bought(buy: Callable[[], tuple[str, float]]) -> Authorise:
    """Tokens that `buy` gives, each with the `time.monotonic()` at which it is to be renewed."""
    kept: list[tuple[str, float]] = []

    def bearer(refused: bool) -> Mapping[str, str]:
        if refused or not kept or kept[0][1] < time.monotonic():
            kept[:] = [buy()]
        return {"Authorization": f"Bearer {kept[0][0]}"}

    return bearer


def buy(fleet: Fleet, url: str, form: Mapping[str, str], hint: str) -> tuple[str, float]:
    """Ask a token endpoint (RFC 6749, section 4); see `bought`. Raises FleetError."""
    try:
        answer = httpx.post(url, data=form, timeout=TIMEOUT, verify=trust())
        token = msgspec.json.decode(answer.content, type=_Token)
    except (httpx.HTTPError, httpx.InvalidURL, msgspec.DecodeError, ValueError, RecursionError):
        raise FleetError(fleet.name, "no token was given", hint=hint) from None
    return token.access_token, time.monotonic() + token.expires_in - MARGIN
