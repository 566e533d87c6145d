"""Which policies can be rendered, and what each is rendered from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from domicile.devices import dovecot, forward, postfix
from domicile.devices.ban import compile_ban
from domicile.devices.policy import android, apple, intune, osquery, rpz
from domicile.devices.policy.ingredients import Ingredients, blocking
from domicile.errors import UsageError
from domicile.estate.load import load_estate
from domicile.evidence import place
from domicile.law.load import load_mandates

SETTINGS: dict[str, Callable[[Ingredients], str]] = {
    "dovecot": lambda given: dovecot.settings(given.url, given.key, given.nonce),
    "nginx": lambda given: forward.nginx(given.url, given.key),
    "caddy": lambda given: forward.caddy(given.url, given.key),
    "postfix": lambda given: postfix.settings(given.url, given.key),
}
"""Settings with which servers ask the decision point, by their names; each gives one text."""

BANS: dict[str, Callable[[Ingredients], str]] = {
    "android": android.policy,
    "apple": apple.profile,
    "fleet": osquery.policies,
    "intune": intune.policy,
    "rpz": rpz.zone,
    "unbound": rpz.unbound,
}
"""The ban itself, for systems that carry it out: it holds as soon as it is applied there."""

WHERE = {"postfix": "127.0.0.1:14002"}
"""Where the decision point is reached when nothing is said, by who asks."""

DEFAULT_WHERE = "http://127.0.0.1:14001"


def render(
    estate_file: Path, name: str, url: str = "", *, mandate: str = "", now: datetime | None = None
) -> str:
    """One rendered policy.

    `url` is where the decision point is reached: of Postfix `HOST:PORT` or the path of a socket.
    `mandate` renders the ban of one only. Raises KeyError, DeclarationError, EvidenceError,
    UsageError.
    """
    estate = load_estate(estate_file)
    ban = compile_ban(load_mandates(estate), estate)
    if name in SETTINGS:
        if mandate:
            raise UsageError(f"--mandate is not for {name}, which asks the decision point")
        url = (url or WHERE.get(name, DEFAULT_WHERE)).rstrip("/")
        return SETTINGS[name](Ingredients(ban, url, point_key(estate_file)))
    if url:
        raise UsageError(f"--url is not for {name}, which does not ask the decision point")
    part = blocking(ban, now or datetime.now(UTC), mandate)
    return BANS[name](Ingredients(part, "", "", estate.name, estate.devices.contact))


def not_before(
    estate_file: Path, name: str, mandate: str = "", now: datetime | None = None
) -> datetime | None:
    """The deadline that a rendered ban must not be applied before; None when it has passed.

    Raises DeclarationError, UsageError.
    """
    if name in SETTINGS:
        return None
    estate = load_estate(estate_file)
    at = now or datetime.now(UTC)
    part = blocking(compile_ban(load_mandates(estate), estate), at, mandate)
    coming = max(rule.deadline for rule in part.rules)
    return coming if at < coming else None


def point_key(estate_file: Path) -> str:
    """The key that whoever asks the decision point must send; made when there is none yet."""
    return place.open_secret(place.state_directory(estate_file), "devices.api").hex()
