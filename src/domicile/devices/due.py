"""Which notices are due: pure functions of devices, clauses, what was sent, and the time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from domicile.devices.ban import Rule
from domicile.devices.model import ClauseKey, Device, Standing
from domicile.devices.settle import Judge

REMINDERS = (1, 7, 30)
"""Days before the deadline at which an owner is told again, the nearest first."""

STAGES = ("first", "30", "7", "1", "refused", "restored")


@dataclass(frozen=True)
class Told:
    """A notice that an owner got, or is to get."""

    stage: str
    at: datetime


@dataclass(frozen=True)
class Due:
    """A notice to one owner about one device under one clause."""

    device: Device
    rule: Rule
    owner: str
    stage: str
    reason: str  # why the device is, or would be, refused


def needed(judge: Judge, device: Device, rule: Rule, now: datetime) -> Standing | None:
    """What would be said if the deadline had come, when that is something to act upon.

    None for a device that the clause does not reach, or that has nothing to fear from it.
    """
    if rule.otherwise == "report" or not rule.span(now)[0]:
        return None
    strict = replace(rule, deadline=min(rule.deadline, now), otherwise="block")
    said = judge.standing(device, strict, now)
    return None if said.allowed or said.reason == "given_up" else said


def due(
    judge: Judge,
    device: Device,
    told: dict[tuple[str, ClauseKey], list[Told]],
    now: datetime,
) -> list[Due]:
    """The notices about one device that are due now.

    `told` holds what was sent about it, by owner and clause, oldest first. Of several reminders
    that are due at once only the nearest to the deadline is sent.
    """
    found = []
    for rule in judge.ban.rules:
        act = needed(judge, device, rule, now)
        for owner in device.owners:
            stage = _stage(rule, act, told.get((owner, rule.key), []), now)
            if stage:
                reason = act.reason if act else ""
                found.append(Due(device, rule, owner, stage, reason))
    return found


def _stage(rule: Rule, act: Standing | None, told: list[Told], now: datetime) -> str:
    last = told[-1].stage if told else ""
    if act is None:
        return "restored" if last == "refused" else ""
    if now >= rule.deadline:
        if rule.otherwise == "block":
            return "" if last == "refused" else "refused"
        return "" if told else "first"
    since = max((each.at for each in told), default=None)
    if since is None or last == "restored":
        return "first"
    for days in REMINDERS:
        moment = rule.deadline - timedelta(days=days)
        if now >= moment:
            return str(days) if since < moment else ""
    return ""
