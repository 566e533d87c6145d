"""From what was seen of a device to a verdict, and from a verdict to what the device may reach.

Pure functions of their arguments and of the time, so that the same device at the same moment is
always judged the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from domicile.devices.ban import ENDLESS, Rule
from domicile.devices.model import Attestation, Device, Standing, Verdict
from domicile.estate.model import DeviceException

AHEAD = timedelta(minutes=10)
"""How far a device's clock may be ahead of ours before what it says of time is not believed."""


def verdict(device: Device, rule: Rule, now: datetime) -> tuple[Verdict, datetime]:
    """What is known, and until when by the clock alone.

    A hit is a hit however old it is: only a fresh inventory of all apps says that it is gone.
    """
    if rule.key in device.hits:
        return "present", ENDLESS
    if device.scope != "all":
        return "not_observable", ENDLESS
    if device.seen is None or device.seen > now + AHEAD:
        return "stale", ENDLESS
    end = device.seen + timedelta(days=rule.fresh_days)
    return ("absent", end) if now < end else ("stale", ENDLESS)


def standing(
    device: Device,
    rule: Rule,
    now: datetime,
    *,
    attestation: Attestation | None = None,
    exceptions: Sequence[DeviceException] = (),
    zone: ZoneInfo | None = None,
    given_up: bool = False,
) -> Standing:
    """What a clause says of a device now; refused is whatever nothing speaks for.

    `exceptions` are those of this device; a day is one at the place `zone` (UTC when None).
    """

    def say(
        allowed: bool, reason: str, how: str = "", until: datetime = ENDLESS,
        found: Verdict | None = None,
    ) -> Standing:  # fmt: skip
        return Standing(
            rule.key, found, allowed, reason, how, device.hits.get(rule.key, ""),
            min(until, changes), rule.deadline,
        )  # fmt: skip

    changes = ENDLESS
    if not rule.reaches(device.fleet, device.ownership, device.group):
        return say(True, "not_covered")
    found, changes = verdict(device, rule, now)
    binds, changed = rule.span(now)
    changes = min(changes, changed)
    if not binds:
        return say(True, "not_in_effect", found=found)
    if given_up:
        return say(False, "given_up", found=found)
    if rule.otherwise == "report":
        return say(True, "reported_only", found=found)
    today = now.astimezone(zone or UTC).date()
    for each in exceptions:
        if (each.start is None or each.start <= today) and today <= each.until:
            end = datetime.combine(each.until + timedelta(days=1), datetime.min.time(), zone or UTC)
            return say(True, "excepted", until=end.astimezone(UTC), found=found)
    if found == "absent":
        return say(True, "absent", "inventory", found=found)
    if rule.otherwise == "notify":
        return say(True, "reported_only", found=found)
    if now < rule.deadline:
        return say(True, "before_deadline", until=rule.deadline, found=found)
    if found == "present":
        return say(False, "present", "inventory", found=found)
    choice = rule.not_observable if found == "not_observable" else rule.stale
    if choice == "attest" and attestation is not None and now < attestation.until:
        return say(True, "attested", "attestation", attestation.until, found)
    if choice == "compliance":
        # A stale device is the management system's own to judge. Of one whose apps it cannot see,
        # what it says is as old as the device's last report.
        end = ENDLESS if found == "stale" else _speaks_until(device, rule, now)
        if device.compliance in ("compliant", "grace") and now < end:
            reason = "compliant" if device.compliance == "compliant" else "in_grace"
            return say(True, reason, "compliance", end, found)
        if device.compliance == "noncompliant":
            return say(False, "not_compliant", "compliance", found=found)
    return say(False, found, found=found)


def _speaks_until(device: Device, rule: Rule, now: datetime) -> datetime:
    if device.seen is None or device.seen > now + AHEAD:
        return now
    return device.seen + timedelta(days=rule.fresh_days)
