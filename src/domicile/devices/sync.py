"""Reads the inventories of an estate's fleets, judges the devices, and records what changed.

    source → staged pages → the whole inventory → standings → the log → the file of devices

Stopped anywhere, the last known inventory still holds; the next run goes on from the last page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from domicile.devices.ban import Ban, compile_ban
from domicile.devices.inventory.base import CursorEnded, Inventory
from domicile.devices.inventory.registry import open_inventory
from domicile.devices.model import VERDICTS, Device
from domicile.devices.record import DeviceRecord, Started
from domicile.devices.settle import Change, Judge, changes, left, log_changes
from domicile.errors import FleetError, UsageError
from domicile.estate.load import load_estate
from domicile.estate.model import Estate, Fleet
from domicile.evidence import kinds, place
from domicile.law.load import load_mandates
from domicile.law.model import Mandate

Progress = Callable[[str, int], None]


def sync(
    estate_file: Path,
    names: Sequence[str] = (),
    *,
    now: datetime | None = None,
    opened: Callable[[Fleet, Ban], Inventory] | None = None,
    progress: Progress = lambda what, done: None,
) -> dict[str, Any]:
    """Read these fleets, or all, and record what changed; the document of `devices sync`.

    Raises DeclarationError, UsageError, FleetError, Stopped, EvidenceError. A fleet that fails
    leaves what was known of it; those read before it are recorded.
    """
    estate = load_estate(estate_file)
    mandates = load_mandates(estate)
    ban = compile_ban(mandates, estate)
    fleets = chosen(estate, names)
    if not ban.rules:
        raise UsageError(
            "no mandate of the estate forbids an app",
            hint="Nothing is read that no mandate needs: add one with an install clause.",
        )
    state = place.state_directory(estate_file)
    record = DeviceRecord(state)
    given = now or datetime.now(UTC)
    at = record.clock(given)
    open_ = opened or (lambda fleet, ban: open_inventory(fleet, ban, state, at))
    try:
        result = [
            _fleet(estate, mandates, ban, fleet, record, state, at, open_, progress)
            for fleet in fleets
        ]
    finally:
        record.close()
    return {
        "estate": estate.name,
        "at": at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "clock_set_back": at > given,
        "fleets": result,
    }


def chosen(estate: Estate, names: Sequence[str]) -> list[Fleet]:
    """The named fleets, or all. Raises UsageError."""
    declared = [fleet.name for fleet in estate.fleets]
    if not declared:
        raise UsageError(
            f"{estate.file} declares no fleets", hint="docs/devices.md says how to declare one."
        )
    for name in names:
        if name not in declared:
            raise UsageError(f"got {name}, expected a fleet: {', '.join(declared)}")
    return [fleet for fleet in estate.fleets if not names or fleet.name in names]


def _fleet(
    estate: Estate, mandates: Sequence[Mandate], ban: Ban, fleet: Fleet, record: DeviceRecord,
    state: Path, now: datetime, opened: Callable[[Fleet, Ban], Inventory], progress: Progress,
) -> dict[str, Any]:  # fmt: skip
    started = record.start(fleet.name, ban.digest, now)
    resumed = bool(started.cursor)
    try:
        _read(fleet, ban, record, started, now, opened, progress)
    except CursorEnded:
        started, resumed = record.restart(fleet.name, ban.digest, now), False
        _read(fleet, ban, record, started, now, opened, progress)
    devices = record.staged(fleet.name)
    before = {device.id for device in record.devices(fleet.name)}
    if before and not devices:
        raise FleetError(
            fleet.name,
            f"got no devices, where {len(before):,} are known",
            hint="Nothing was changed. Check what its credentials may see.",
        )
    gone = before - devices.keys()
    judge, recorded = Judge.of(estate, ban, record), record.recorded(fleet.name)
    verdicts = Counter(
        said.verdict
        for device in devices.values()
        for said in judge.standings(device, now)
        if said.verdict is not None
    )
    found = changes(judge, devices.values(), recorded, now)
    found += left(ban, (Device(fleet.name, id_) for id_ in sorted(gone)), recorded)
    log = place.open_log(state, estate.name)
    numbers = log_changes(
        log, estate.name, place.open_commitments(state, use="device"), found, started.run
    )
    log.append([
        kinds.make(
            "device_sync", estate.name, fleet=fleet.name, run=started.run, devices=len(devices),
            gone=len(gone), resumed=resumed,
            mandates=[{"mandate": m.id, "digest": m.digest} for m in mandates
                      if any(rule.key.mandate == m.id for rule in ban.rules)],
            **{verdict: verdicts[verdict] for verdict in VERDICTS},
        )
    ])  # fmt: skip
    with record.transaction():
        record.settle(fleet.name, devices.values(), now)
        places = [(change.device.fleet, change.device.id) for change in found]
        standings = [change.now for change in found]
        record.note(zip(places, standings, numbers, strict=True), now)
        record.wind(now)
    return _summary(fleet, len(devices), len(gone), verdicts, found, resumed)


def _read(
    fleet: Fleet, ban: Ban, record: DeviceRecord, started: Started, now: datetime,
    opened: Callable[[Fleet, Ban], Inventory], progress: Progress,
) -> None:  # fmt: skip
    """Stage every page."""
    for page in opened(fleet, ban).pages(started.cursor):
        record.stage(fleet.name, page.devices, page.hits, page.cursor, now)
        progress(fleet.name, len(page.devices))


def _summary(
    fleet: Fleet, devices: int, gone: int, verdicts: Counter[Any], found: Sequence[Change],
    resumed: bool,
) -> dict[str, Any]:  # fmt: skip
    return {
        "fleet": fleet.name,
        "source": fleet.source,
        "devices": devices,
        "gone": gone,
        **{verdict: verdicts[verdict] for verdict in VERDICTS},
        "changed": len(found),
        "refused": sum(change.refused for change in found),
        "restored": sum(change.restored for change in found),
        "resumed": resumed,
    }
