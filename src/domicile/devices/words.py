"""What owners are told, in English and Dutch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

from domicile.devices.ban import Rule
from domicile.devices.model import Device
from domicile.estate.model import DeviceSettings

LANGUAGES = ("en", "nl")


@dataclass(frozen=True)
class Message:
    """A notice as it is sent."""

    subject: str
    text: str


@cache
def words(language: str) -> dict[str, Any]:
    """All sentences of a language. Raises KeyError."""
    text = resources.files("domicile.devices").joinpath("words.json").read_text("utf-8")
    every: dict[str, dict[str, Any]] = json.loads(text)
    return every[language]


def day(when: datetime, zone: ZoneInfo, language: str) -> str:
    """A date in words: `15 March 2023`, `15 maart 2023`."""
    from babel.dates import format_date

    return format_date(when.astimezone(zone).date(), "d MMMM y", locale=language)


def services(rule: Rule, language: str) -> str:
    """What a refused device loses, in words."""
    return ", ".join(sorted(rule.services)) or str(words(language)["all"])


def label(device: Device) -> str:
    """How a device is named to its owner: on one line, without control characters."""
    return _line(device.name) or _line(device.id)


def _line(name: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())


def app_name(rule: Rule, app: str) -> str:
    """An app as people know it, with the identifier that was found or is looked for."""
    identifier = app or rule.apps[0]
    if not rule.titles or identifier in rule.titles:
        return identifier
    return f"{rule.titles[0]} ({identifier})"


def notice(
    device: Device, rule: Rule, stage: str, reason: str, settings: DeviceSettings,
    language: str, page: str,
) -> Message:  # fmt: skip
    """The message of one stage to one owner of a device.

    `reason` is why the device is, or would be, refused; for `restored` it is not used.
    """
    said = words(language)
    zone = ZoneInfo(settings.timezone)
    fill = {
        "app": app_name(rule, device.hits.get(rule.key, "")),
        "device": label(device),
        "day": day(rule.deadline, zone, language),
        "services": services(rule, language),
        "title": rule.title.rstrip("."),
        "contact": settings.contact,
        "page": page,
    }
    fill["why"] = said["why"].get(reason, reason).format(**fill)
    lines = [said["greeting"]]
    if stage == "restored":
        lines.append(said["back"])
    elif stage == "refused":
        lines += [said["now"], said["remove"], said["choose"]]
    else:
        lines.append(said["what"][reason])
        lines += [said["then"], said["remove"], said["choose"]] if rule.otherwise == "block" else [
            said["nothing"]
        ]  # fmt: skip
    if settings.contact:
        lines.append(said["object"])
    if page:
        lines.append(said["page"])
    lines.append(said["closing"])
    subject = said["subject"][stage if rule.otherwise == "block" else "asked"]
    return Message(
        " ".join(subject.format(**fill).split()),
        "\n\n".join(line.format(**fill) for line in lines) + "\n",
    )


def refusal(
    reason: str, device: str, rule: Rule | None, app: str, settings: DeviceSettings, language: str
) -> str:
    """One line for a person whose login or request is refused: why, and what to do."""
    said = words(language)
    what = app_name(rule, app) if rule else app
    short: str = said["refusal"].get(reason, said["refusal"]["undecided"])
    text = short.format(app=what, device=device)
    return f"{text} {said['ask'].format(contact=settings.contact)}" if settings.contact else text
