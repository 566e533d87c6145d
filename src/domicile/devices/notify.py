"""Tells owners what is due: noted, sent, logged, marked, in that order."""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from domicile.devices import outbox
from domicile.devices.due import Due, due, needed
from domicile.devices.model import Device
from domicile.devices.people import People
from domicile.devices.record import Place
from domicile.devices.send import Channel, MailChannel, Refused, WebhookChannel
from domicile.devices.settle import device_key
from domicile.devices.view import Known, known
from domicile.devices.visits import invite
from domicile.devices.words import notice
from domicile.errors import Stopped, UsageError
from domicile.estate.model import Estate
from domicile.evidence import kinds, place

BATCH = 20
"""Notices between two entries in the log: as many at most are sent twice after a kill."""


def notify(
    estate_file: Path,
    *,
    dry_run: bool = False,
    now: datetime | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> dict[str, Any]:
    """Tell every owner what is due, and send what still waits; the document of `devices notify`.

    Raises DeclarationError, UsageError, EvidenceError; Stopped when a channel takes nothing.
    """
    with known(estate_file, now) as at:
        people = People(at.estate.devices)
        channels = {} if dry_run else _channels(at.estate)
        told = outbox.told(at.record)
        wanted: list[tuple[Due, int, dict[str, str]]] = []
        unreachable: dict[Place, None] = {}  # in order, none twice
        for device in at.record.devices():
            mine = told.get((device.fleet, device.id), {})
            for each in due(at.judge, device, mine, at.now):
                states = _states(at.estate, people, each)
                if "waiting" not in states.values():
                    unreachable[device.fleet, device.id] = None
                    continue
                number = len(mine.get((each.owner, each.rule.key), ()))
                wanted.append((each, number, states))
            if not device.owners and _to_act(at, device):
                unreachable[device.fleet, device.id] = None
        sent: Counter[tuple[str, str, str]] = Counter()
        if not dry_run:
            outbox.note(at.record, wanted, at.now)
            _send_all(at, people, channels, place.state_directory(estate_file), sent, progress)
        return {
            "estate": at.estate.name,
            "at": at.now.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "dry_run": dry_run,
            "due": [
                {"fleet": d.device.fleet, "id": d.device.id, "owner": d.owner, "stage": d.stage,
                 "mandate": d.rule.key.mandate, "clause": d.rule.key.clause}
                for d, _, _ in wanted
            ],
            "sent": [
                {"stage": stage, "channel": channel, "outcome": outcome, "notices": count}
                for (stage, channel, outcome), count in sorted(sent.items())
            ],
            "unreachable": [{"fleet": fleet, "id": id_} for fleet, id_ in unreachable],
        }  # fmt: skip


def _to_act(at: Known, device: Device) -> bool:
    return any(needed(at.judge, device, rule, at.now) for rule in at.ban.rules)


def _channels(estate: Estate) -> dict[str, Channel]:
    settings = estate.devices
    found: dict[str, Channel] = {}
    if settings.mail:
        found["mail"] = MailChannel(settings.mail)
    if settings.webhook:
        found["webhook"] = WebhookChannel(settings.webhook)
    if not found:
        raise UsageError(
            "the estate says no way to tell owners",
            hint="Declare devices.mail or devices.webhook; see docs/devices.md.",
        )
    return found


def _states(estate: Estate, people: People, each: Due) -> dict[str, str]:
    """Which channels a notice goes to: mail needs an address, a webhook does not."""
    mail = estate.devices.mail is not None and people.of(each.owner).mail
    return {
        "mail": "waiting" if mail else "",
        "webhook": "waiting" if estate.devices.webhook else "",
    }


def _send_all(
    at: Known, people: People, channels: dict[str, Channel], state: Path,
    sent: Counter[tuple[str, str, str]], progress: Callable[[int], None],
) -> None:  # fmt: skip
    stopped: Stopped | None = None
    devices = {(device.fleet, device.id): device for device in at.record.devices()}
    for name, channel in channels.items():
        try:
            waiting = outbox.waiting(at.record, name)
            for start in range(0, len(waiting), BATCH):
                part = waiting[start : start + BATCH]
                problem = _send(at, people, channel, devices, part, state, sent)
                if problem:
                    stopped = stopped or problem
                    break
                progress(len(part))
        finally:
            channel.close()
    if stopped:
        raise stopped


def _send(
    at: Known, people: People, channel: Channel, devices: dict[Place, Device],
    part: Sequence[outbox.Noted], state: Path, sent: Counter[tuple[str, str, str]],
) -> Stopped | None:  # fmt: skip
    """Send a batch, log it, mark it. What Stopped is given back after the rest was logged."""
    settings, stopped = at.estate.devices, None
    links = (
        invite(at.record, sorted({each.owner for each in part}), at.now) if settings.page else {}
    )
    done: list[tuple[outbox.Noted, str]] = []
    for each in part:
        device, rule = devices.get(each.place), at.ban.rule(each.key)
        person = people.of(each.owner)
        if device is None or rule is None:
            done.append((each, "void"))  # it is in no inventory or under no clause any more
            continue
        page = f"{settings.page}/owner/{links[each.owner]}" if settings.page else ""
        if each.channel == "webhook":  # the link is its owner's alone
            page = ""
        message = notice(device, rule, each.stage, each.reason, settings, person.language, page)
        facts = {
            "stage": each.stage, "owner": each.owner, "mandate": each.key.mandate,
            "clause": each.key.clause, "reason": each.reason,
            "device": {"fleet": device.fleet, "id": device.id, "name": device.name},
            "deadline": rule.deadline.isoformat(),
        }  # fmt: skip
        try:
            channel.send(
                message, to=person.mail, language=person.language,
                identity=_identity(state, each), facts=facts, now=at.now,
            )  # fmt: skip
        except Refused:
            done.append((each, "failed"))
        except Stopped as error:
            stopped = error
            break
        else:
            done.append((each, "sent"))
    _log(at, people, state, done)
    outbox.mark(at.record, done)
    sent.update((each.stage, each.channel, how) for each, how in done if how != "void")
    return stopped


def _log(at: Known, people: People, state: Path, done: Sequence[tuple[outbox.Noted, str]]) -> None:
    of_devices = place.open_commitments(state, use="device")
    of_people = place.open_commitments(state)
    place.open_log(state, at.estate.name).append([
        kinds.make(
            "device_notice", at.estate.name, fleet=each.place[0], mandate=each.key.mandate,
            clause=each.key.clause, stage=each.stage, channel=each.channel,
            outcome="done" if how == "sent" else "failed",
            language=people.of(each.owner).language,
            device=of_devices.person("device", device_key(Device(*each.place))),
            person=of_people.person("owner", each.owner),
        )
        for each, how in done
        if how != "void"
    ])  # fmt: skip


def _identity(state: Path, notice_: outbox.Noted) -> str:
    """The same for the same notice, and nobody's name in it."""
    secret = place.open_secret(state, "devices.secret")
    return hmac.digest(secret, b"notice\n" + notice_.identity.encode(), "sha256").hex()[:32]
