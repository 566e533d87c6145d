"""The owner's page: the state of their own devices, and what they may say about them.

Reached by a link that only the owner was sent. What an owner says is in the log before it counts:
that an app is not there (where the mandate takes their word), that another look is wanted, that
work on a device is given up, or taken up again.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from domicile.devices.model import Device, Standing
from domicile.devices.people import People
from domicile.devices.settle import device_key
from domicile.devices.view import Known, known
from domicile.devices.visits import visitor
from domicile.devices.words import LANGUAGES, app_name, day, label, services, words
from domicile.evidence import kinds, place

if TYPE_CHECKING:
    from jinja2 import Template

WORDS = ("absent", "look", "give_up", "take_up")


def page(estate_file: Path, token: str, wanted: str, now: datetime) -> tuple[int, str]:
    """The page of whoever holds this link: a status of HTTP and the page.

    `wanted` is a language that was asked for, else the owner's is used.
    """
    with known(estate_file, now) as at:
        owner = visitor(at.record, token, at.now)
        people = People(at.estate.devices)
        language = wanted if wanted in LANGUAGES else people.of(owner).language
        if not owner:
            return 404, _render(language, [], at, words(language)["owner"]["gone"])
        looks, given_up = at.record.looks(), at.record.given_up()
        devices = [
            {
                "fleet": device.fleet, "id": device.id, "name": label(device),
                "seen": day(device.seen, ZoneInfo(at.estate.devices.timezone), language)
                if device.seen else "",
                "look": (device.fleet, device.id) in looks,
                "given_up": (device.fleet, device.id) in given_up,
                "allowed": all(s.allowed for s in at.judge.standings(device, at.now)),
                "clauses": [_clause(at, device, said, language)
                            for said in at.judge.standings(device, at.now)
                            if said.verdict is not None],
            }
            for device in at.record.owned(owner)
        ]  # fmt: skip
        return 200, _render(language, devices, at)


def say(estate_file: Path, token: str, form: Mapping[str, str], now: datetime) -> int:
    """What the holder of this link says of one of their devices; a status of HTTP.

    303: done. 404: the link has ended. 403: the device is not theirs, or it cannot be said of it.
    """
    with known(estate_file, now) as at:
        owner = visitor(at.record, token, at.now)
        if not owner:
            return 404
        wanted = (form.get("fleet", ""), form.get("id", ""))
        device = next((d for d in at.record.owned(owner) if (d.fleet, d.id) == wanted), None)
        word = form.get("word", "")
        if device is None or word not in WORDS:
            return 403
        said: Standing | None = None
        until: datetime | None = None
        if word == "absent":
            said = _open_to_a_word(at, device, form)
            if said is None:
                return 403
            rule = at.ban.rule(said.key)
            assert rule is not None
            until = at.now + timedelta(days=rule.attest_days)
        state = place.state_directory(estate_file)
        entry = kinds.make(
            "device_word", at.estate.name, fleet=device.fleet, word=word,
            device=place.open_commitments(state, use="device").person("device", device_key(device)),
            person=place.open_commitments(state).person("owner", owner),
            mandate=said.key.mandate if said else None, clause=said.key.clause if said else None,
            until=until.isoformat(timespec="seconds").replace("+00:00", "Z") if until else None,
        )  # fmt: skip
        place.open_log(state, at.estate.name).append([entry])
        where = (device.fleet, device.id)
        with at.record.transaction():
            if said is not None and until is not None:
                at.record.attest(where, said.key, at.now, until)
            elif word == "look":
                at.record.ask_look(where, at.now)
            else:
                at.record.give_up(where, at.now, again=word == "take_up")
        return 303


def _open_to_a_word(at: Known, device: Device, form: Mapping[str, str]) -> Standing | None:
    """The standing under the clause that is meant, when it takes the owner's word."""
    wanted = (form.get("mandate", ""), form.get("clause", ""))
    for said in at.judge.standings(device, at.now):
        if (said.key.mandate, said.key.clause) == wanted and _takes_word(at, said):
            return said
    return None


def _takes_word(at: Known, said: Standing) -> bool:
    rule = at.ban.rule(said.key)
    return rule is not None and (
        (said.verdict == "not_observable" and rule.not_observable == "attest")
        or (said.verdict == "stale" and rule.stale == "attest")
    )


def _clause(at: Known, device: Device, said: Standing, language: str) -> dict[str, Any]:
    rule = at.ban.rule(said.key)
    assert rule is not None and said.verdict is not None  # noqa: PT018 - one condition
    text = words(language)["owner"]
    fill = {
        "app": app_name(rule, said.app), "services": services(rule, language),
        "day": day(rule.deadline, at.judge.zone, language),
    }  # fmt: skip
    why = text.get(said.reason, "") if said.reason != said.verdict else ""
    wanted = said.verdict == "present" and rule.otherwise == "block"
    remove = words(language)["remove"] if wanted else ""
    return {
        "title": rule.title, "mandate": said.key.mandate, "clause": said.key.clause,
        "known": " ".join(part for part in (
            text[said.verdict].format(**fill), why.format(**fill), remove) if part),
        "deadline": text["before"].format(**fill) if rule.otherwise == "block" else "",
        "attest": text["attest"].format(**fill) if _takes_word(at, said) else "",
    }  # fmt: skip


def _render(language: str, devices: list[dict[str, Any]], at: Known, instead: str = "") -> str:
    said = dict(words(language)["owner"])
    if instead:
        said |= {"intro": instead, "none": ""}
    return _template().render(
        language=language, said=said, devices=devices, style=_style(),
        contact=at.estate.devices.contact,
    )  # fmt: skip


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    text = resources.files("domicile.devices").joinpath("owner.html").read_text("utf-8")
    return Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True).from_string(
        text
    )


@cache
def _style() -> Any:
    from markupsafe import Markup

    text = resources.files("domicile.devices").joinpath("owner.css").read_text("utf-8")
    return Markup(text)  # noqa: S704 - our own file


@cache
def policy() -> str:
    """The Content-Security-Policy of the page: its own style, forms to itself, nothing else."""
    digest = b64encode(sha256(str(_style()).encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self';"
        " frame-ancestors 'none'; base-uri 'none'"
    )
