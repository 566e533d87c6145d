"""What is known of devices, as documents: the list, one device, and why it may or may not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from domicile.devices.ban import ENDLESS, Ban, compile_ban
from domicile.devices.model import REASONS, ClauseKey, Device, Standing
from domicile.devices.record import DeviceRecord, Recorded
from domicile.devices.settle import Judge
from domicile.errors import UsageError
from domicile.estate.load import load_estate
from domicile.estate.model import Estate
from domicile.evidence import place
from domicile.law.load import load_mandates

_WORST = ("present", "stale", "not_observable", "absent")


@dataclass(frozen=True)
class Known:
    """An estate's devices, open to be read and judged at one moment."""

    estate: Estate
    ban: Ban
    record: DeviceRecord
    judge: Judge
    now: datetime


@contextmanager
def known(estate_file: Path, now: datetime | None = None) -> Iterator[Known]:
    """Open what is known of an estate's devices. Raises DeclarationError, UsageError, Stopped."""
    estate = load_estate(estate_file)
    ban = compile_ban(load_mandates(estate), estate)
    record = DeviceRecord(place.state_directory(estate_file))
    try:
        at = record.clock(now or datetime.now(UTC))
        yield Known(estate, ban, record, Judge.of(estate, ban, record), at)
    finally:
        record.close()


def worst(standings: Iterable[Standing]) -> Standing | None:
    """The standing that decides for a device: a refusal first, then the worse verdict.

    None when no clause reaches the device.
    """
    reached = [each for each in standings if each.verdict is not None]
    return min(reached, key=lambda s: (s.allowed, _WORST.index(s.verdict or "")), default=None)


def listed(
    estate_file: Path,
    *,
    fleet: str = "",
    owner: str = "",
    verdict: str = "",
    refused: bool = False,
    now: datetime | None = None,
) -> dict[str, Any]:
    """The document of `devices list`."""
    with known(estate_file, now) as at:
        if fleet and fleet not in (names := [f.name for f in at.estate.fleets]):
            raise UsageError(f"got {fleet}, expected a fleet: {', '.join(names)}")
        devices = at.record.owned(owner) if owner else at.record.devices(fleet)
        lines = []
        for device in devices:
            said = worst(at.judge.standings(device, at.now))
            found = "" if said is None else said.verdict
            if (
                (fleet and device.fleet != fleet)
                or (verdict and found != verdict)
                or (refused and (said is None or said.allowed))
            ):
                continue
            lines.append({
                **_of(device),
                "verdict": found or None,
                "allowed": said is None or said.allowed,
                "reason": "not_covered" if said is None else said.reason,
                "app": said.app if said else "",
            })  # fmt: skip
        return {"estate": at.estate.name, "at": _time(at.now), "devices": lines}


def shown(estate_file: Path, name: str, *, now: datetime | None = None) -> dict[str, Any]:
    """The document of `devices show`: what is known of one device. Raises UsageError."""
    with known(estate_file, now) as at:
        device = one(at.record, name)
        return {
            **_of(device),
            "aliases": list(device.aliases),
            "compliance": device.compliance or None,
            "scope": device.scope or None,
            "apps": [
                {"mandate": key.mandate, "clause": key.clause, "app": app}
                for key, app in sorted(device.hits.items(), key=lambda item: str(item[0]))
            ],
            "history": [
                {
                    "at": _time(when),
                    "mandate": key.mandate,
                    "clause": key.clause,
                    "verdict": was.verdict,
                    "allowed": was.allowed,
                    "reason": was.reason,
                    "entry": was.entry,
                }
                for when, key, was in at.record.history((device.fleet, device.id))
            ],
        }


def explained(estate_file: Path, name: str, *, now: datetime | None = None) -> dict[str, Any]:
    """The document of `devices explain`: why a device may, or may not. Raises UsageError."""
    with known(estate_file, now) as at:
        device = one(at.record, name)
        recorded = at.record.recorded(device.fleet).get((device.fleet, device.id), {})
        standings = list(at.judge.standings(device, at.now))
        return {
            "device": _of(device),
            "at": _time(at.now),
            "allowed": all(each.allowed for each in standings),
            "clauses": [_clause(at.ban, each, recorded.get(each.key)) for each in standings],
        }


def one(record: DeviceRecord, name: str) -> Device:
    """The one device that goes by that id, alias or name. Raises UsageError."""
    found = record.find(name)
    if not found:
        if any(id_ == name for (_, id_), _ in record.gone()):
            raise UsageError(
                f"the device {name} is no longer in its inventory",
                hint="What was recorded of it is in the evidence log.",
            )
        raise UsageError(
            f"no inventory has a device {name}",
            hint="domicile devices sync reads them; domicile devices list shows their ids.",
        )
    if len(found) > 1:
        ids = ", ".join(f"{each.fleet}: {each.id}" for each in found)
        raise UsageError(f"{len(found)} devices go by {name}: {ids}", hint="Give the id of one.")
    return found[0]


def _clause(ban: Ban, said: Standing, recorded: Recorded | None) -> dict[str, Any]:
    rule = ban.rule(ClauseKey(said.key.mandate, said.key.clause))
    assert rule is not None  # the judge's rules are the ban's
    return {
        "mandate": said.key.mandate,
        "clause": said.key.clause,
        "title": rule.title,
        "verdict": said.verdict,
        "allowed": said.allowed,
        "reason": said.reason,
        "said": REASONS[said.reason],
        "how": said.how or None,
        "app": said.app or None,
        "deadline": _time(rule.deadline),
        "until": None if said.until in (None, ENDLESS) else _time(said.until),
        "since": None if recorded is None else _time(recorded.since),
        "entry": None if recorded is None else recorded.entry,
    }


def _of(device: Device) -> dict[str, Any]:
    return {
        "fleet": device.fleet,
        "id": device.id,
        "name": device.name,
        "owners": list(device.owners),
        "ownership": device.ownership or None,
        "platform": device.platform or None,
        "group": device.group or None,
        "seen": _time(device.seen) if device.seen else None,
    }


def _time(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
