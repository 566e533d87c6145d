"""Judges devices again and records what has become another: first in the log, then in the file.

A standing that was recorded is in the log already: what is found again after a kill is logged
twice at worst, and never missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from domicile.devices.ban import Ban, Rule, compile_ban
from domicile.devices.judge import standing
from domicile.devices.model import Attestation, ClauseKey, Device, Standing
from domicile.devices.record import DeviceRecord, Place, Recorded
from domicile.devices.reported import not_compliant
from domicile.estate.load import load_estate
from domicile.estate.model import DeviceException, Estate
from domicile.evidence import kinds, place
from domicile.evidence.commitments import Commitments
from domicile.evidence.log import Log
from domicile.law.load import load_mandates

BATCH = 900
"""Commitments in one entry: what the kind allows."""


@dataclass(frozen=True)
class Change:
    """A device whose standing under a clause is another than was recorded."""

    device: Device
    now: Standing
    before: Recorded | None

    @property
    def refused(self) -> bool:
        """Whether it loses access by this."""
        return not self.now.allowed and (self.before is None or self.before.allowed)

    @property
    def restored(self) -> bool:
        """Whether it has access back by this."""
        return self.now.allowed and self.before is not None and not self.before.allowed


@dataclass
class Judge:
    """All that is judged with, read once: rules, exceptions, and what owners said."""

    ban: Ban
    zone: ZoneInfo
    attestations: dict[tuple[Place, ClauseKey], Attestation] = field(default_factory=dict)
    given_up: set[Place] = field(default_factory=set)
    exceptions: dict[str, list[DeviceException]] = field(default_factory=dict)
    reported: set[Place] = field(default_factory=set)  # others say that these do not comply

    @classmethod
    def of(cls, estate: Estate, ban: Ban, record: DeviceRecord) -> Judge:
        """The judge of an estate, with what owners said until now."""
        excepted: dict[str, list[DeviceException]] = {}
        for each in estate.devices.exceptions:
            excepted.setdefault(each.device, []).append(each)
        return cls(
            ban, ZoneInfo(estate.devices.timezone), record.attestations(), record.given_up(),
            excepted, not_compliant(record, estate.devices.signals),
        )  # fmt: skip

    def standings(self, device: Device, now: datetime) -> Iterator[Standing]:
        """What every clause says of a device."""
        for rule in self.ban.rules:
            yield self.standing(device, rule, now)

    def standing(self, device: Device, rule: Rule, now: datetime) -> Standing:
        """What one clause says of a device."""
        place = (device.fleet, device.id)
        if place in self.reported:  # whatever its management system says
            device = replace(device, compliance="noncompliant")
        mine = self.exceptions.get(device.id, ())
        return standing(
            device,
            rule,
            now,
            attestation=self.attestations.get((place, rule.key)),
            exceptions=[
                each
                for each in mine
                if each.mandate == rule.key.mandate
                and each.clause in ("", rule.key.clause)
                and each.fleet in ("", device.fleet)
            ],
            zone=self.zone,
            given_up=place in self.given_up,
        )


def changes(
    judge: Judge,
    devices: Iterable[Device],
    recorded: dict[Place, dict[ClauseKey, Recorded]],
    now: datetime,
) -> list[Change]:
    """The devices whose verdict or access is another than was recorded."""
    found = []
    for device in devices:
        known = recorded.get((device.fleet, device.id), {})
        for said in judge.standings(device, now):
            before = known.get(said.key)
            if before is None or (before.verdict, before.allowed, before.reason, before.app) != (
                said.verdict, said.allowed, said.reason, said.app
            ):  # fmt: skip
                found.append(Change(device, said, before))
    return found


def settle_now(estate_file: Path, now: datetime) -> list[Change]:
    """Judge every device as of now, and record what the clock, owners or declarations changed.

    Raises DeclarationError, EvidenceError, Stopped.
    """
    estate = load_estate(estate_file)
    ban = compile_ban(load_mandates(estate), estate)
    state = place.state_directory(estate_file)
    record = DeviceRecord(state)
    try:
        at = record.clock(now)
        judge = Judge.of(estate, ban, record)
        found = changes(judge, record.devices(), record.recorded(), at)
        if found:
            commitments = place.open_commitments(state, use="device")
            numbers = log_changes(place.open_log(state, estate.name), estate.name, commitments,
                                  found)  # fmt: skip
            with record.transaction():
                places = [(change.device.fleet, change.device.id) for change in found]
                record.note(zip(places, (c.now for c in found), numbers, strict=True), at)
                record.wind(at)
        return found
    finally:
        record.close()


def left(
    ban: Ban, devices: Iterable[Device], recorded: dict[Place, dict[ClauseKey, Recorded]]
) -> list[Change]:
    """The changes of devices that their inventory no longer has."""
    found = []
    for device in devices:
        known = recorded.get((device.fleet, device.id), {})
        for rule in ban.rules:
            before = known.get(rule.key)
            if before is not None and before.reason != "gone":
                said = Standing(rule.key, None, allowed=False, reason="gone", how="inventory")
                found.append(Change(device, said, before))
    return found


def log_changes(
    log: Log, estate: str, commitments: Commitments, found: Sequence[Change], run: str | None = None
) -> list[int]:
    """Write changes into the log, many devices to an entry; the entry's number for each."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, change in enumerate(found):
        said, before = change.now, change.before
        group = (change.device.fleet, said.key, said.verdict, said.allowed, said.reason,
                 None if before is None else before.allowed)  # fmt: skip
        groups.setdefault(group, []).append(index)
    entries, members = [], []
    for (fleet, key, verdict, allowed, reason, before_allowed), indices in groups.items():
        assert isinstance(key, ClauseKey)
        for start in range(0, len(indices), BATCH):
            part = indices[start : start + BATCH]
            names = [device_key(found[index].device) for index in part]
            members.append(part)
            entries.append(
                kinds.make(
                    "device_standing", estate, fleet=fleet, mandate=key.mandate, clause=key.clause,
                    verdict=verdict, allowed=allowed, reason=reason, before=before_allowed,
                    devices=len(part), commitments=commitments.people("device", names), run=run,
                )
            )  # fmt: skip
    numbers = log.append(entries)
    entry_of = [0] * len(found)
    for number, part in zip(numbers, members, strict=True):
        for index in part:
            entry_of[index] = number
    return entry_of


def device_key(device: Device) -> str:
    """What a commitment to a device is made of: its fleet and its id."""
    return f"{device.fleet}\n{device.id}"
