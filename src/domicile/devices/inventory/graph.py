"""Microsoft Graph: what Intune knows of devices and of the apps found on them.

    managedDevices                       every device, with its owner and compliance
    detectedApps                         every app anywhere, by display name: no bundle identifiers
    detectedApps/{id}/managedDevices     for a forbidden app, the devices that have it

`detectedApps` has no documented filter, so its pages are all read, and of each app only the id,
the display name and the platform are decoded; the devices are asked for only of apps that a
mandate forbids. That sub-resource fills in nothing but `id` and `deviceName` (user null, times
0001-01-01), so what it says is joined to the list of devices. Needs the application permission
DeviceManagementManagedDevices.Read.All.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from urllib.parse import quote

import msgspec

from domicile.devices.ban import Ban
from domicile.devices.inventory import tokens
from domicile.devices.inventory.base import (
    Page,
    compliance,
    moment,
    owners,
    ownership,
    platform,
)  # fmt: skip
from domicile.devices.inventory.http import Service, secret
from domicile.devices.model import ClauseKey, Device, Scope
from domicile.errors import FleetError
from domicile.estate.model import Fleet

FIELDS = (
    "id", "deviceName", "userPrincipalName", "managedDeviceOwnerType", "operatingSystem",
    "complianceState", "lastSyncDateTime", "azureADDeviceId", "deviceEnrollmentType",
    "deviceCategoryDisplayName",
)  # fmt: skip

NOBODY = "00000000-0000-0000-0000-000000000000"
"""The azureADDeviceId of a device that is not registered there."""


class _Device(msgspec.Struct, rename="camel"):
    id: str
    device_name: str | None = None
    user_principal_name: str | None = None
    managed_device_owner_type: str | None = None
    operating_system: str | None = None
    compliance_state: str | None = None
    last_sync_date_time: str | None = None
    azure_ad_device_id: str | None = msgspec.field(name="azureADDeviceId", default=None)
    device_enrollment_type: str | None = None
    device_category_display_name: str | None = None


class _Devices(msgspec.Struct):
    value: list[_Device]
    next: str | None = msgspec.field(name="@odata.nextLink", default=None)


class _App(msgspec.Struct, rename="camel"):
    id: str
    display_name: str | None = None
    platform: str | None = None


class _Apps(msgspec.Struct):
    value: list[_App]
    next: str | None = msgspec.field(name="@odata.nextLink", default=None)


class _Stub(msgspec.Struct):
    id: str


class _Stubs(msgspec.Struct):
    value: list[_Stub]
    next: str | None = msgspec.field(name="@odata.nextLink", default=None)


class _Found(msgspec.Struct, array_like=True):
    """A forbidden app: its id, and the clauses that forbid it with their names for it."""

    id: str
    hits: list[tuple[str, str, str]]


class _Cursor(msgspec.Struct):
    stage: str  # devices, apps, on
    url: str
    found: list[_Found]


_DEVICES = msgspec.json.Decoder(_Devices)
_APPS = msgspec.json.Decoder(_Apps)
_STUBS = msgspec.json.Decoder(_Stubs)


class GraphInventory:
    """One tenant."""

    def __init__(
        self, fleet: Fleet, ban: Ban, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.fleet, self.ban = fleet, ban
        self.service = Service(fleet, _authoriser(fleet), sleep=sleep)
        self._base = f"{fleet.url}/deviceManagement"

    def pages(self, cursor: str) -> Iterator[Page]:
        """Devices, then the apps, then who has those that are forbidden; see `Inventory`."""
        at = (
            msgspec.json.decode(cursor, type=_Cursor)
            if cursor
            else _Cursor("devices", f"{self._base}/managedDevices?$select={','.join(FIELDS)}", [])
        )
        resumed, visited = bool(cursor), set[str]()
        try:
            while at.url:
                if at.url in visited:
                    raise FleetError(
                        self.fleet.name,
                        "a page leads back to an earlier one; the inventory has no end",
                        hint="Nothing was changed. Run again; if it stays, tell the service.",
                    )
                visited.add(at.url)
                devices, hits, at = self._page(at, resumed)
                resumed = False
                yield Page(devices, hits, msgspec.json.encode(at).decode() if at.url else "")
        finally:
            self.service.close()

    def _page(
        self, at: _Cursor, resumed: bool
    ) -> tuple[list[Device], list[tuple[str, ClauseKey, str]], _Cursor]:
        if at.stage == "devices":
            page = self.service.read(at.url, _DEVICES, resumed=resumed)
            apps = f"{self._base}/detectedApps?$select=id,displayName,platform"
            stage, url = ("devices", page.next) if page.next else ("apps", apps)
            return [self._device(each) for each in page.value], [], _Cursor(stage, url, [])
        if at.stage == "apps":
            listed = self.service.read(at.url, _APPS, resumed=resumed)
            found = at.found + [each for each in map(self._found, listed.value) if each.hits]
            if listed.next:
                return [], [], _Cursor("apps", listed.next, found)
            return [], [], self._of_app(found)
        stubs = self.service.read(at.url, _STUBS, resumed=resumed)
        hits = [
            (stub.id, ClauseKey(mandate, clause), app)
            for stub in stubs.value
            for mandate, clause, app in at.found[0].hits
        ]
        if stubs.next:
            return [], hits, _Cursor("on", stubs.next, at.found)
        return [], hits, self._of_app(at.found[1:])

    def _of_app(self, found: list[_Found]) -> _Cursor:
        """Where to ask which devices have the first of these apps."""
        if not found:
            return _Cursor("on", "", [])
        name = quote(found[0].id, safe="")
        return _Cursor(
            "on", f"{self._base}/detectedApps/{name}/managedDevices?$select=id,deviceName", found
        )

    def _found(self, app: _App) -> _Found:
        name = app.display_name or ""
        hits = self.ban.match(platform(app.platform), [name], [name])
        return _Found(app.id, [(key.mandate, key.clause, label) for key, label in hits.items()])

    def _device(self, device: _Device) -> Device:
        other = device.azure_ad_device_id
        return Device(
            fleet=self.fleet.name,
            id=device.id,
            name=device.device_name or "",
            aliases=(other,) if other and other != NOBODY else (),
            owners=owners(device.user_principal_name),
            ownership=ownership(device.managed_device_owner_type, self.fleet.ownership),
            platform=platform(device.operating_system),
            group=device.device_category_display_name or "",
            compliance=compliance(device.compliance_state),
            scope=self._scope(device),
            seen=moment(device.last_sync_date_time),
        )

    def _scope(self, device: _Device) -> Scope:
        """Intune lists every app of company-owned devices only. Of Android ones v1.0 does not say
        whether they have a personal side, so the fleet's `scope` must."""
        if (device.managed_device_owner_type or "").casefold() != "company":
            return "managed"
        if (device.device_enrollment_type or "").startswith("appleUserEnrollment"):
            return "managed"
        if platform(device.operating_system) in ("windows", "macos", "ios"):
            return "all"
        return "all" if self.fleet.scope == "all" else "managed"


def _authoriser(fleet: Fleet) -> tokens.Authorise:
    """Bearer headers: the secret itself, or tokens that it buys (RFC 6749, section 4.4)."""
    if not fleet.client:
        return tokens.given(fleet)
    url = f"{fleet.login}/{quote(fleet.tenant, safe='')}/oauth2/v2.0/token"
    hint = f"Check tenant and client, and whether {fleet.secret} has expired."

    def buy() -> tuple[str, float]:
        form = {
            "grant_type": "client_credentials",
            "client_id": fleet.client,
            "client_secret": secret(fleet),
            "scope": f"{fleet.url.partition('/v1.0')[0]}/.default",
        }
        return tokens.buy(fleet, url, form, hint)

    return tokens.bought(buy)
