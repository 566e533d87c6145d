"""Fleet: hosts with their software, page by page.

`GET /api/v1/fleet/hosts` gives pages and does not say which is the last: a short one is. Of a
device that its owner enrolled (`On (personal)`) Fleet lists the institution's apps only. Needs an
API-only user's token with the role observer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import msgspec

from domicile.devices.ban import Ban
from domicile.devices.inventory.base import Page, moment, owners, ownership, platform
from domicile.devices.inventory.http import Service, secret
from domicile.devices.model import Device, Scope
from domicile.errors import FleetError
from domicile.estate.model import Fleet

HOSTS = "/api/v1/fleet/hosts"
PER_PAGE = 100

PERSONAL = "On (personal)"
"""The enrolment status of a device that is its owner's."""


class _Software(msgspec.Struct):
    name: str = ""
    bundle_identifier: str = ""
    application_id: str = ""


class _Mapped(msgspec.Struct):
    email: str = ""


class _Mdm(msgspec.Struct):
    enrollment_status: str | None = None


class _Host(msgspec.Struct):
    id: int
    uuid: str = ""
    hardware_serial: str = ""
    display_name: str = ""
    platform: str = ""
    team_name: str | None = None
    software_updated_at: str | None = None
    software: list[_Software] | None = None
    device_mapping: list[_Mapped] | None = None
    mdm: _Mdm | None = None


class _Hosts(msgspec.Struct):
    hosts: list[_Host]


_DECODER = msgspec.json.Decoder(_Hosts)


class FleetInventory:
    """One Fleet server."""

    def __init__(
        self, fleet: Fleet, ban: Ban, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.fleet, self.ban = fleet, ban
        self.service = Service(
            fleet, lambda _: {"Authorization": f"Bearer {secret(fleet)}"}, sleep=sleep
        )

    def pages(self, cursor: str) -> Iterator[Page]:
        """Pages until a short one; the cursor is the number of the next. See `Inventory`."""
        number, seen = int(cursor or 0), set[int]()
        try:
            while True:
                hosts = self.service.read(self._url(number), _DECODER).hosts
                ids = {host.id for host in hosts}
                if hosts and ids <= seen:
                    raise FleetError(
                        self.fleet.name,
                        "a page brings nothing new; the inventory has no end",
                        hint="Nothing was changed. Run again; if it stays, tell the service.",
                    )
                seen |= ids
                number += 1
                last = len(hosts) < PER_PAGE
                yield Page([self._device(host) for host in hosts], (), "" if last else str(number))
                if last:
                    return
        finally:
            self.service.close()

    def _url(self, number: int) -> str:
        return (
            f"{self.fleet.url}{HOSTS}?page={number}&per_page={PER_PAGE}&order_key=id"
            "&populate_software=true&device_mapping=true"
        )

    def _device(self, host: _Host) -> Device:
        status = host.mdm.enrollment_status if host.mdm else None
        personal = status == PERSONAL
        on = platform(host.platform)
        software = host.software or []
        names = [each.name.removesuffix(".app") for each in software]
        identifiers = [i for each in software for i in (each.bundle_identifier,
                       each.application_id, each.name) if i]  # fmt: skip
        scope: Scope = "" if host.software is None else "managed" if personal else "all"
        return Device(
            fleet=self.fleet.name,
            id=host.uuid or str(host.id),
            name=host.display_name,
            aliases=(host.hardware_serial,) if host.hardware_serial else (),
            owners=owners(*(each.email for each in host.device_mapping or ())),
            ownership="personal" if personal else ownership("", self.fleet.ownership),
            platform=on,
            group=host.team_name or "",
            # Android and ChromeOS hosts list what the institution manages, unless said otherwise.
            scope="managed"
            if scope == "all" and on in ("android", "chromeos") and self.fleet.scope != "all"
            else scope,
            seen=moment(host.software_updated_at),
            hits=self.ban.match(on, identifiers, names),
        )
