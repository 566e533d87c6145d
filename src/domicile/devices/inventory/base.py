"""The interface of an inventory, and how the words of its many sources become ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from domicile.devices.ban import Ban
from domicile.devices.model import ClauseKey, Device, Ownership, Scope
from domicile.estate.model import Fleet


@dataclass(frozen=True)
class Page:
    """A part of an inventory, and where to go on after it; an empty cursor after the last."""

    devices: Sequence[Device]
    hits: Sequence[tuple[str, ClauseKey, str]]  # (device id, clause, the mandate's name for it)
    cursor: str


class Inventory(Protocol):
    """Reads one fleet. Nothing of an app that no mandate forbids leaves it."""

    def pages(self, cursor: str) -> Iterator[Page]:
        """The pages from a cursor on, or from the first. The same page may come twice.

        Raises FleetError when the source refuses or says what it cannot mean; Stopped when it
        stopped answering, to go on later from the last cursor; CursorEnded.
        """
        ...


class CursorEnded(Exception):
    """The source no longer knows the place to go on from: begin anew."""


MakeInventory = Callable[[Fleet, Ban, Path, datetime], Inventory]
"""Made of a fleet, the ban, the directory of the estate's state, and the time to act at."""

_PLATFORMS = {
    "android": "android", "androidenterprise": "android", "androidforwork": "android",
    "androidoss": "android", "androiddeviceadministrator": "android",
    "androiddedicatedandfullymanaged": "android", "androidworkprofile": "android",
    "chromeos": "chromeos", "chrome": "chromeos", "darwin": "macos", "ios": "ios",
    "ipados": "ios", "tvos": "ios", "linux": "linux", "ubuntu": "linux", "debian": "linux",
    "rhel": "linux", "mac": "macos", "macos": "macos", "macmdm": "macos", "windows": "windows",
    "windows10": "windows", "windowsmobile": "windows", "windowsholographic": "windows",
}  # fmt: skip

_OWNERSHIPS: dict[str, Ownership] = {
    "corporate": "corporate", "company": "corporate", "company_owned": "corporate",
    "personal": "personal", "personally_owned": "personal", "byod": "personal",
    "enrolled_personal": "personal", "contractor": "contractor",
}  # fmt: skip

_COMPLIANCE = {
    "compliant": "compliant", "noncompliant": "noncompliant", "non-compliant": "noncompliant",
    "not-compliant": "noncompliant", "ingraceperiod": "grace", "grace": "grace",
    "conflict": "noncompliant", "error": "noncompliant",
}  # fmt: skip


def platform(text: str | None) -> str:
    """A platform as one of ours, else empty."""
    folded = (text or "").replace(" ", "").casefold()
    return _PLATFORMS.get(folded, "")


def ownership(text: str | None, otherwise: str = "") -> Ownership:
    """Whose a device is; `otherwise` where the source does not say, and empty when unknown."""
    return _OWNERSHIPS.get((text or "").strip().casefold()) or _OWNERSHIPS.get(otherwise, "")


def compliance(text: str | None) -> str:
    """What a management system says of a device: compliant, noncompliant, grace, else empty."""
    return _COMPLIANCE.get((text or "").strip().casefold(), "")


def scope(text: str | None, otherwise: str = "") -> Scope:
    """Which apps are listed: all, managed, else empty."""
    word = (text or "").strip().casefold() or otherwise
    return "all" if word == "all" else "managed" if word == "managed" else ""


def moment(text: str | None) -> datetime | None:
    """A time in UTC; None for what is none. Before 2000 stands for never (`0001-01-01`)."""
    if not text:
        return None
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    if when.year < 2000:
        return None
    try:
        return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    except OverflowError:  # the last day of the year 9999, west of Greenwich
        return None


def owners(*names: str | None) -> tuple[str, ...]:
    """User names in small letters, none twice."""
    return tuple(dict.fromkeys(n.strip().casefold() for n in names if n and n.strip()))
