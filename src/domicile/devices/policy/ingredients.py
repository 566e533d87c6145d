"""What policies are rendered from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID, uuid5

from domicile.devices.ban import Ban, Rule
from domicile.errors import UsageError

SPACE = UUID("6f0d8a4e-6d0c-5f8e-9d7e-3a4c1b0f9e21")
"""Where names become UUIDs (RFC 9562, section 5.5): the same ban is always the same policy."""


@dataclass(frozen=True)
class Ingredients:
    """The ban, whose it is, where the decision point is, and its key."""

    ban: Ban
    url: str
    key: str
    estate: str = ""
    contact: str = ""

    @property
    def nonce(self) -> str:
        """A value for hashes that Dovecot insists on; nothing here uses them."""
        return sha256(f"nonce {self.key}".encode()).hexdigest()[:32]

    @property
    def title(self) -> str:
        """What forbids, in the mandates' own words."""
        return "; ".join(dict.fromkeys(rule.title for rule in self.ban.rules))

    @property
    def label(self) -> str:
        """The mandates that forbid."""
        return ", ".join(mandates(self.ban.rules))

    def uuid(self, name: str) -> str:
        """The same UUID for the same estate and name, as Apple writes one."""
        return str(uuid5(SPACE, f"{self.estate}\n{name}")).upper()


def mandates(rules: Sequence[Rule]) -> list[str]:
    """The ids of the mandates of these rules."""
    return list(dict.fromkeys(rule.key.mandate for rule in rules))


def blocking(ban: Ban, now: datetime, mandate: str = "") -> Ban:
    """The part of a ban that blocks and has not ended, of one mandate or of all.

    Raises UsageError when there is none.
    """
    part = ban.only(
        lambda rule: (
            rule.otherwise == "block"
            and now < rule.spans[-1][1]
            and mandate in ("", rule.key.mandate)
        )
    )
    if not part.rules:
        of = f" of {mandate}" if mandate else ""
        raise UsageError(
            f"no install clause{of} asks to block",
            hint="Only clauses with otherwise: block become policies.",
        )
    return part


def some(names: list[str], what: str, *, most: int = 0, of: str = "") -> list[str]:
    """The names, once there are some, and not more than whoever reads them takes.

    Raises UsageError.
    """
    if not names:
        raise UsageError(
            f"the clauses that block name no {what}",
            hint="docs/clauses.md says how an install clause names them.",
        )
    if most and len(names) > most:
        raise UsageError(
            f"got {len(names):,} of {what}, expected at most {most:,}: {of} takes no more",
            hint="Render one mandate at a time with --mandate.",
        )
    return names
