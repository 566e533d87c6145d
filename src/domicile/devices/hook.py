"""NanoMDM's webhook: what Apple devices answer, as it comes.

Each delivery is signed (`X-Hmac-Signature`, the HMAC-SHA-256 of the body in base64). An answer
counts once, and only from a device to a command that it was asked; all else that NanoMDM tells is
dropped without being looked into. An answer that cannot be read leaves what was known.
"""

from __future__ import annotations

import asyncio
import binascii
import hmac
import os
import plistlib
from base64 import b64decode
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

import msgspec

from domicile.devices.exchange import NO_JSON, Asked, TooLongError
from domicile.devices.inventory.answers import Answer, Answers, looked_for
from domicile.devices.inventory.base import moment
from domicile.errors import DomicileError
from domicile.estate.load import load_estate
from domicile.evidence import place

MAX_BODY = 8 * 1024 * 1024
"""Bytes of a delivery: NanoMDM also tells of others' commands, whose answers may be long."""

SOURCE = "nanomdm"

FAILED = ("Error", "CommandFormatError")
"""Statuses with which a device says that it cannot answer (Apple, "Handling command responses")."""

_NO_PLIST = (ExpatError, ValueError, TypeError, LookupError, AttributeError, OverflowError,
             RecursionError)  # fmt: skip
"""What plistlib raises for what is none."""


class _Ids(msgspec.Struct):
    id: str
    type: str = ""


class _Acknowledged(msgspec.Struct):
    status: str
    raw_payload: str
    command_uuid: str | None = None
    udid: str | None = None
    enrollment_id: str | None = None
    ids: _Ids | None = None

    @property
    def device(self) -> str:
        """The enrolment's id; older versions tell only what it is made of."""
        return (self.ids.id if self.ids else self.udid or self.enrollment_id) or ""

    @property
    def by_user(self) -> bool:
        """Whether it is a User Enrollment, in which a device lists managed apps only."""
        if self.ids:
            return self.ids.type.startswith("User")
        return not self.udid


class _Event(msgspec.Struct):
    topic: str
    created_at: str = ""
    acknowledge_event: _Acknowledged | None = None


_DECODER = msgspec.json.Decoder(_Event)


class UnreadableError(Exception):
    """An answer is not what a device answers."""


class Hook:
    """Takes deliveries for the NanoMDM fleets of an estate, one after the other."""

    def __init__(self, estate_file: Path, clock: Callable[[], datetime]) -> None:
        """Raises DeclarationError."""
        self._state = place.state_directory(estate_file)
        self._secrets = {
            fleet.name: fleet.webhook_secret
            for fleet in load_estate(estate_file).fleets
            if fleet.source == SOURCE
        }
        self._clock = clock
        self._answers: Answers | None = None
        self._worker = ThreadPoolExecutor(1)  # whose connection to the file it is

    async def take(self, asked: Asked) -> int:
        """Take what was posted to `/nanomdm/FLEET`: the status to answer with."""
        fleet = asked.path.rpartition("/")[2]
        signature = asked.headers.get(b"x-hmac-signature", b"")
        try:
            body = await asked.body(MAX_BODY)
        except TooLongError:
            return 413
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, self._receive, fleet, body, signature)

    def _receive(self, fleet: str, body: bytes, signature: bytes) -> int:
        """Take one delivery: the status to answer with.

        200: taken, or not ours. 400: none that we know. 401: not signed by NanoMDM. 404: no such
        fleet. 503: it could not be kept; nothing is lost, the device is asked again.
        """
        variable = self._secrets.get(fleet)
        if variable is None:
            return 404
        key = os.environ.get(variable, "")
        if not key:
            return 503
        if not _is_signed(key.encode(), body, signature):
            return 401
        try:
            event = _DECODER.decode(body)
            if event.topic != "mdm.Connect" or event.acknowledge_event is None:
                return 200
            self._take(fleet, event, event.acknowledge_event)
        except (*NO_JSON, UnreadableError):
            return 400
        except DomicileError:
            self._answers = None  # a new connection next time
            return 503
        return 200

    def _take(self, fleet: str, event: _Event, said: _Acknowledged) -> None:
        uuid, id_ = said.command_uuid or "", said.device
        if said.status in ("Idle", "NotNow") or not uuid or not id_:
            return  # a device that cannot answer now is asked again by NanoMDM
        if self._answers is None:
            self._answers = Answers(self._state)
        asked = self._answers.asked(fleet, uuid, id_)
        if asked is None:
            return  # another's command, or one that was answered
        found: tuple[str, ...] = ()
        whole = False
        if said.status == "Acknowledged":
            found = _found(_plist(said.raw_payload), asked, uuid, id_)
            whole = not said.by_user
        elif said.status not in FAILED:
            raise UnreadableError
        at = _when(event.created_at, self._clock())
        self._answers.answered(fleet, uuid, id_, Answer(looked_for(asked), at, whole, found))


def _is_signed(key: bytes, body: bytes, signature: bytes) -> bool:
    try:
        given = b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(given, hmac.new(key, body, sha256).digest())


def _plist(payload: str) -> dict[str, Any]:
    """The property list that a device sent. Raises UnreadableError."""
    try:
        found = plistlib.loads(b64decode(payload, validate=True), fmt=plistlib.FMT_XML)
    except _NO_PLIST:
        raise UnreadableError from None
    if not isinstance(found, dict):
        raise UnreadableError
    return found


def _found(said: dict[str, Any], asked: Sequence[str], uuid: str, id_: str) -> tuple[str, ...]:
    """Which of the apps that were asked for a device has; its others are dropped here.

    Raises UnreadableError for an answer to another question, or of another device.
    """
    apps = said.get("InstalledApplicationList")
    if (
        not isinstance(apps, list)
        or said.get("CommandUUID") != uuid
        or id_ not in (said.get("UDID"), said.get("EnrollmentID"))
    ):
        raise UnreadableError
    named = {each.casefold(): each for each in asked}
    found: dict[str, None] = {}
    for app in apps:
        if not isinstance(app, dict):
            raise UnreadableError
        name = named.get(str(app.get("Identifier")).casefold())
        if name is not None:
            found[name] = None
    return tuple(found)


def _when(text: str, now: datetime) -> datetime:
    """When the answer came, by NanoMDM's clock; never later than now by ours.

    A time that cannot be read is the oldest, so that nothing is taken for fresh by it.
    """
    return min(moment(text) or datetime(2000, 1, 1, tzinfo=UTC), now)
