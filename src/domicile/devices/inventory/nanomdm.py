"""Apple devices through NanoMDM: asked for the forbidden identifiers, and for nothing else.

    POST /v1/enrollments/query     the enrolled devices, page by page
    PUT  /v1/enqueue/{ids}         the command `InstalledApplicationList` with `Identifiers`
    the webhook `mdm.Connect`      what each device answers, whenever it does (see `hook`)

A run collects the answers that have come since and asks those devices whose answer is a day old.
In User Enrollment a device lists managed apps only, so it is not asked: it cannot be observed.
NanoMDM knows no owners, so a CSV file of the institution may say whose each device is.
(NanoMDM's operations guide and http/api; Apple, "Installed Application List Command".)
"""

from __future__ import annotations

import base64
import plistlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlencode
from uuid import uuid4

import msgspec

from domicile.devices.ban import Ban
from domicile.devices.inventory.answers import Answer, Answers, looked_for
from domicile.devices.inventory.base import Page, ownership
from domicile.devices.inventory.files import CsvInventory
from domicile.devices.inventory.http import Service, secret
from domicile.devices.model import Device, Scope
from domicile.devices.record import DeviceRecord
from domicile.errors import FleetError
from domicile.estate.model import Fleet

PLATFORMS = ("ios", "macos")
"""Whose identifiers are asked for."""

PAGE = 500
AT_ONCE = 50
"""Devices in one command; their ids are in its address."""

ASK_EVERY = timedelta(hours=20)
"""How old an answer may be before the device is asked again: a daily run asks daily."""

DEVICE, USER_ENROLLMENT = "Device", "User Enrollment (Device)"
"""The enrolments that stand for devices; the others are users on them (mdm/type.go)."""

ENQUEUED = frozenset({200, 207, 500})
"""All, some, or none of it was done; each with a document that says which (api/api.go)."""


class _Hardware(msgspec.Struct):
    serial_number: str | None = None


class _Enrolment(msgspec.Struct):
    id: str
    type: str
    enabled: bool = False
    device: _Hardware | None = None


class _Enrolments(msgspec.Struct):
    enrollments: list[_Enrolment]
    next_cursor: str | None = None


class _Outcome(msgspec.Struct):
    command_error: str | None = None


class _Enqueued(msgspec.Struct):
    status: dict[str, _Outcome] = msgspec.field(default_factory=dict)
    command_error: str | None = None


_ENROLMENTS = msgspec.json.Decoder(_Enrolments)
_ENQUEUED = msgspec.json.Decoder(_Enqueued)


class NanomdmInventory:
    """One NanoMDM server, and what its devices have answered."""

    def __init__(
        self, fleet: Fleet, ban: Ban, state: Path, now: datetime, *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self.fleet, self.ban, self.state, self.now = fleet, ban, state, now
        self.service = Service(fleet, lambda _: _basic(fleet), sleep=sleep)
        self.identifiers = ban.identifiers(*PLATFORMS)
        self._looked = looked_for(self.identifiers)

    def pages(self, cursor: str) -> Iterator[Page]:
        """Pages of enrolments, each with what is known, and asked anew. See `Inventory`."""
        resumed, visited = bool(cursor), {cursor}
        registered = self._register()
        answers = Answers(self.state)
        looks = self._looks()
        try:
            while True:
                page = self.service.read(
                    self._url(cursor), _ENROLMENTS, resumed=resumed, method="POST", body=b"{}"
                )
                resumed, cursor = False, page.next_cursor or ""
                if cursor and cursor in visited:
                    raise FleetError(
                        self.fleet.name,
                        "a page leads back to an earlier one; the inventory has no end",
                        hint="Nothing was changed. Run again; if it stays, tell the service.",
                    )
                visited.add(cursor)
                enrolled = [
                    each for each in page.enrollments
                    if each.enabled and each.type in (DEVICE, USER_ENROLLMENT)
                ]  # fmt: skip
                known = answers.of(self.fleet.name, [each.id for each in enrolled])
                self._ask(answers, enrolled, known, looks)
                yield Page(
                    [self._device(each, known.get(each.id), registered) for each in enrolled],
                    (), cursor,
                )  # fmt: skip
                if not cursor:
                    return
        finally:
            answers.close()
            self.service.close()

    def _url(self, cursor: str) -> str:
        query = {"limit": str(PAGE)} | ({"cursor": cursor} if cursor else {})
        return f"{self.fleet.url}/v1/enrollments/query?{urlencode(query)}"

    # Asking.

    def _ask(
        self, answers: Answers, enrolled: Sequence[_Enrolment], known: Mapping[str, Answer],
        looks: Mapping[str, datetime],
    ) -> None:  # fmt: skip
        """Ask the devices whose answer is not there, is old, or is to another question."""
        if not self.identifiers:
            return
        due = [
            each.id for each in enrolled
            if each.type == DEVICE and self._is_due(known.get(each.id), looks.get(each.id))
        ]  # fmt: skip
        waiting = answers.waiting(self.fleet.name, due, self._looked, self.now)
        due = [each for each in due if each not in waiting]
        for start in range(0, len(due), AT_ONCE):
            self._enqueue(answers, due[start : start + AT_ONCE])

    def _is_due(self, known: Answer | None, look: datetime | None) -> bool:
        return (
            known is None
            or known.looked != self._looked
            or known.at <= self.now - ASK_EVERY
            or (look is not None and known.at < look)
        )

    def _enqueue(self, answers: Answers, ids: Sequence[str]) -> None:
        where = f"{self.fleet.url}/v1/enqueue/{','.join(quote(each, safe='') for each in ids)}"
        # An answer cut short makes us ask twice, and the same command is not taken twice.
        for _ in range(2):
            uuid = str(uuid4())
            answers.ask(uuid, self.fleet.name, ids, self.identifiers, self.now)
            body = command(uuid, self.identifiers)
            done = self.service.read(where, _ENQUEUED, method="PUT", body=body, means=ENQUEUED)
            if not done.command_error:
                break
        else:
            raise FleetError(
                self.fleet.name,
                "NanoMDM did not take the command",
                hint="Its own log says why. What was known of the devices stays.",
            )
        # What could not be pushed waits all the same, until the device next connects.
        failed = {id_ for id_, outcome in done.status.items() if outcome.command_error}
        answers.sent(uuid, [each for each in ids if each not in failed])

    def _looks(self) -> dict[str, datetime]:
        """When owners asked for another look at a device of this fleet."""
        record = DeviceRecord(self.state)
        try:
            return {id_: at for (fleet, id_), at in record.looks().items()
                    if fleet == self.fleet.name}  # fmt: skip
        finally:
            record.close()

    # What is known.

    def _register(self) -> dict[str, Device]:
        """What the institution's own file says, by id and by every other name."""
        if not self.fleet.file:
            return {}
        found: dict[str, Device] = {}
        for page in CsvInventory(self.fleet, self.ban).pages(""):
            for device in page.devices:
                if device.scope or device.seen or device.hits:
                    raise FleetError(
                        self.fleet.name,
                        "its file says which apps devices have, or when they were seen",
                        hint="Of a NanoMDM fleet only the devices themselves say that.",
                    )
                for name in (device.id, *device.aliases):
                    found[name] = device
        return found

    def _device(
        self, enrolment: _Enrolment, answer: Answer | None, registered: Mapping[str, Device]
    ) -> Device:
        serial = (enrolment.device and enrolment.device.serial_number) or ""
        said = registered.get(enrolment.id) or registered.get(serial) or Device("", "")
        asked = answer is not None and answer.looked == self._looked and answer.whole
        personal = enrolment.type == USER_ENROLLMENT
        names = (serial, said.id, *said.aliases)
        return Device(
            fleet=self.fleet.name,
            id=enrolment.id,
            name=said.name or serial,
            aliases=tuple(dict.fromkeys(n for n in names if n and n != enrolment.id)),
            owners=said.owners,
            ownership=said.ownership or ("personal" if personal else ownership(
                "", self.fleet.ownership)),
            platform=said.platform,
            group=said.group,
            compliance=said.compliance,
            scope="managed" if personal else self._scope(answer),
            seen=answer.at if answer is not None and asked else None,
            hits=self.ban.match(said.platform, answer.found if answer else ()),
        )  # fmt: skip

    def _scope(self, answer: Answer | None) -> Scope:
        """A device that was not asked yet, or has not answered, is one that was not seen lately;
        one that could not say is one that cannot be seen."""
        if not self.ban.is_told_by(*PLATFORMS):
            return ""
        if answer is not None and answer.looked == self._looked and not answer.whole:
            return ""
        return "all"


def command(uuid: str, identifiers: Sequence[str]) -> bytes:
    """The property list that asks a device for these apps, and of each for its identifier only."""
    return plistlib.dumps({
        "CommandUUID": uuid,
        "Command": {
            "RequestType": "InstalledApplicationList",
            "Identifiers": list(identifiers),
            "ManagedAppsOnly": False,
            "Items": ["Identifier", "Installing"],
        },
    })  # fmt: skip


def _basic(fleet: Fleet) -> dict[str, str]:
    """NanoMDM's API key is the password of the user nanomdm (RFC 7617)."""
    pair = base64.b64encode(f"nanomdm:{secret(fleet)}".encode()).decode()
    return {"Authorization": f"Basic {pair}", "Content-Type": "application/json"}
