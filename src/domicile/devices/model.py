"""Devices, what was seen on them, and what follows, as pure data."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Verdict = Literal["present", "absent", "not_observable", "stale"]
"""What is known of one forbidden app on one device. Not listed is never absent: absent is said
only of a device whose inventory lists every app and is fresh."""

VERDICTS: tuple[Verdict, ...] = ("present", "absent", "not_observable", "stale")

Scope = Literal["all", "managed", ""]
"""Which apps of a device its inventory lists: every one, those that the institution installed,
or not known."""

Ownership = Literal["corporate", "personal", "contractor", ""]

PLATFORMS = ("android", "ios", "macos", "windows", "linux", "chromeos")


@dataclass(frozen=True)
class ClauseKey:
    """Which clause of which mandate."""

    mandate: str
    clause: str

    def __str__(self) -> str:
        return f"{self.mandate}/{self.clause}"


@dataclass(frozen=True)
class Device:
    """A device as its inventory reports it; of its apps only the forbidden ones.

    `hits` holds, for each clause that forbids something on it, the identifier as the mandate
    writes it: nothing that only the inventory said of an app is kept.
    """

    fleet: str
    id: str
    name: str = ""
    aliases: tuple[str, ...] = ()  # other ids by which a mail or web server may know it
    owners: tuple[str, ...] = ()  # user names, in small letters
    ownership: Ownership = ""
    platform: str = ""  # of PLATFORMS; empty: unknown
    group: str = ""
    compliance: str = ""  # compliant, noncompliant, grace; empty: unknown
    scope: Scope = ""
    seen: datetime | None = None  # when it last reported, UTC
    hits: dict[ClauseKey, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Attestation:
    """An owner's word that a device does not have the app, until a moment."""

    until: datetime


@dataclass(frozen=True)
class Standing:
    """What one clause says of one device at one moment.

    `reason` is a word of `REASONS`. `until` is when this may change by the clock alone.
    """

    key: ClauseKey
    verdict: Verdict | None  # None: the clause does not reach this device
    allowed: bool
    reason: str
    how: str  # inventory, compliance, attestation; empty: none was needed
    app: str = ""
    until: datetime | None = None
    deadline: datetime | None = None


REASONS = {
    "not_covered": "the clause does not reach this device",
    "not_in_effect": "the clause is not in effect",
    "reported_only": "the clause asks for a report only",
    "excepted": "an exception was approved",
    "absent": "the app was looked for and is not there",
    "before_deadline": "the deadline has not come",
    "compliant": "its management system says that it complies",
    "in_grace": "its management system gives it time",
    "attested": "its owner has said that the app is not there",
    "present": "the app is there",
    "not_observable": "nobody can see whether the app is there",
    "stale": "it was last seen too long ago",
    "not_compliant": "its management system says that it does not comply",
    "given_up": "its owner gave up work on this device",
    "unknown_device": "no inventory has such a device",
    "gone": "it is no longer in its inventory",
    "other_owner": "it is registered in another name",
    "no_device": "the request names no device",
    "undecided": "the decision point has nothing to decide with",
}
"""Why a device is let through or refused."""
