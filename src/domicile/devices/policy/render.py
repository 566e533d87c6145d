"""Which settings can be rendered, and what each is rendered from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from domicile.devices import dovecot, forward, postfix
from domicile.devices.ban import Ban, compile_ban
from domicile.estate.load import load_estate
from domicile.evidence import place
from domicile.law.load import load_mandates


@dataclass(frozen=True)
class Ingredients:
    """What settings are made of: the ban, where the decision point is, and its key."""

    ban: Ban
    url: str
    key: str

    @property
    def nonce(self) -> str:
        """A value for hashes that Dovecot insists on; nothing here uses them."""
        return sha256(f"nonce {self.key}".encode()).hexdigest()[:32]


POLICIES: dict[str, Callable[[Ingredients], str]] = {
    "dovecot": lambda given: dovecot.settings(given.url, given.key, given.nonce),
    "nginx": lambda given: forward.nginx(given.url, given.key),
    "caddy": lambda given: forward.caddy(given.url, given.key),
    "postfix": lambda given: postfix.settings(given.url, given.key),
}
"""By name; each gives one text."""

WHERE = {"postfix": "127.0.0.1:14002"}
"""Where the decision point is reached when nothing is said, by who asks."""

DEFAULT_WHERE = "http://127.0.0.1:14001"


def render(estate_file: Path, name: str, url: str = "") -> str:
    """One rendered policy. Raises KeyError, DeclarationError, EvidenceError.

    `url` is where the decision point is reached: of Postfix `HOST:PORT` or the path of a socket.
    """
    url = url or WHERE.get(name, DEFAULT_WHERE)
    estate = load_estate(estate_file)
    ban = compile_ban(load_mandates(estate), estate)
    return POLICIES[name](Ingredients(ban, url.rstrip("/"), point_key(estate_file)))


def point_key(estate_file: Path) -> str:
    """The key that whoever asks the decision point must send; made when there is none yet."""
    return place.open_secret(place.state_directory(estate_file), "devices.api").hex()
