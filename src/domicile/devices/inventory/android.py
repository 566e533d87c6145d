"""Android Management API: an enterprise's devices, a hundred at a time.

`GET v1/enterprises/{id}/devices` says which apps a device has only where its policy has
`applicationReportsEnabled`; of a device with a work profile it lists that profile, never the
personal side. `fields` asks for what is needed and nothing else: of an app its package name, its
label and whether it is still installed. (Discovery document of the API, revision 20261104.)

The secret is an access token, or the JSON key of a service account that buys them (RFC 7523).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from urllib.parse import quote, urlencode

import msgspec

from domicile.devices.ban import Ban
from domicile.devices.inventory import tokens
from domicile.devices.inventory.base import Page, moment, owners, ownership
from domicile.devices.inventory.http import Service, secret
from domicile.devices.model import Device, Ownership, Scope
from domicile.errors import FleetError
from domicile.estate.model import Fleet

PAGE = 100
"""The most that the service gives at once."""

SCOPE = "https://www.googleapis.com/auth/androidmanagement"

FIELDS = (
    "nextPageToken,devices(name,ownership,managementMode,lastStatusReportTime,policyCompliant,"
    "policyName,userName,user/accountIdentifier,enrollmentTokenData,"
    "hardwareInfo(serialNumber,model),applicationReports(packageName,displayName,state))"
)
"""What is asked for (Google APIs, "Partial response"): the rest does not leave the service."""

REMOVED = "REMOVED"
"""The state of an app that was there and is not any more."""

ASSERTION_SECONDS = 3600
"""The longest that Google takes an assertion for."""


class _Report(msgspec.Struct, rename="camel", gc=False):
    package_name: str | None = None
    display_name: str | None = None
    state: str | None = None


class _Hardware(msgspec.Struct, rename="camel", gc=False):
    serial_number: str | None = None
    model: str | None = None


class _User(msgspec.Struct, rename="camel", gc=False):
    account_identifier: str | None = None


class _Device(msgspec.Struct, rename="camel"):
    name: str
    ownership: str | None = None
    management_mode: str | None = None
    last_status_report_time: str | None = None
    policy_compliant: bool | None = None
    policy_name: str | None = None
    user_name: str | None = None
    user: _User | None = None
    enrollment_token_data: str | None = None
    hardware_info: _Hardware | None = None
    application_reports: list[_Report] | None = None


class _Devices(msgspec.Struct, rename="camel"):
    devices: list[_Device] | None = None
    next_page_token: str | None = None


class _Key(msgspec.Struct):
    client_email: str
    private_key: str
    token_uri: str
    private_key_id: str = ""


_DECODER = msgspec.json.Decoder(_Devices)


class AndroidInventory:
    """One enterprise."""

    def __init__(
        self, fleet: Fleet, ban: Ban, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.fleet, self.ban = fleet, ban
        self.service = Service(fleet, _authoriser(fleet), sleep=sleep)

    def pages(self, cursor: str) -> Iterator[Page]:
        """Pages until one without a token for the next; the cursor is that. See `Inventory`."""
        resumed, visited = bool(cursor), {cursor}
        try:
            while True:
                page = self.service.read(self._url(cursor), _DECODER, resumed=resumed)
                resumed, cursor = False, page.next_page_token or ""
                if cursor and cursor in visited:
                    raise FleetError(
                        self.fleet.name,
                        "a page leads back to an earlier one; the inventory has no end",
                        hint="Nothing was changed. Run again; if it stays, tell the service.",
                    )
                visited.add(cursor)
                yield Page([self._device(each) for each in page.devices or ()], (), cursor)
                if not cursor:
                    return
        finally:
            self.service.close()

    def _url(self, cursor: str) -> str:
        query = {"pageSize": str(PAGE), "fields": FIELDS, "prettyPrint": "false"}
        if cursor:
            query["pageToken"] = cursor
        enterprise = quote(self.fleet.tenant.removeprefix("enterprises/"), safe="")
        return f"{self.fleet.url}/v1/enterprises/{enterprise}/devices?{urlencode(query)}"

    def _device(self, device: _Device) -> Device:
        hardware = device.hardware_info or _Hardware()
        reports = [each for each in device.application_reports or () if each.state != REMOVED]
        id_ = _last(device.name)
        if not id_:
            raise FleetError(self.fleet.name, "a device has no name")
        return Device(
            fleet=self.fleet.name,
            id=id_,
            name=hardware.model or "",
            aliases=(hardware.serial_number,) if hardware.serial_number else (),
            owners=_owners(device),
            ownership=self._ownership(device),
            platform="android",
            group=_last(device.policy_name or ""),
            # The service leaves out what is false, so silence is no word for compliance.
            compliance="compliant" if device.policy_compliant
            else "" if device.policy_compliant is None else "noncompliant",
            scope=self._scope(device),
            seen=moment(device.last_status_report_time),
            hits=self.ban.match(
                "android",
                [each.package_name for each in reports if each.package_name],
                [each.display_name for each in reports if each.display_name],
            ),
        )  # fmt: skip

    def _ownership(self, device: _Device) -> Ownership:
        said = "company" if device.ownership == "COMPANY_OWNED" else device.ownership
        return ownership(said, self.fleet.ownership)

    def _scope(self, device: _Device) -> Scope:
        """All apps are reported of a company's fully managed devices, once reports are on."""
        if device.application_reports is None:
            return ""
        whole = device.ownership == "COMPANY_OWNED" and device.management_mode == "DEVICE_OWNER"
        return "all" if whole else "managed"


def _owners(device: _Device) -> tuple[str, ...]:
    """Who has a device: the address that its enrolment was given, else the institution's own name
    for its user, else the service's."""
    given = (device.enrollment_token_data or "").strip()
    if "@" in given and given.isprintable() and not any(c in given for c in ' {}"'):
        return owners(given)
    return owners((device.user and device.user.account_identifier) or _last(device.user_name or ""))


def _last(name: str) -> str:
    """The last part of a resource's name: `enterprises/e/devices/d` → `d`."""
    return name.rpartition("/")[2].strip()


def _authoriser(fleet: Fleet) -> tokens.Authorise:
    """Bearer headers: the secret itself, or tokens bought with a service account's key."""
    if not secret(fleet).startswith("{"):
        return tokens.given(fleet)
    return tokens.bought(lambda: _buy(fleet))


def _buy(fleet: Fleet) -> tuple[str, float]:
    """A token for an assertion signed with the account's key (RFC 7523, section 2.1)."""
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import RSAKey

    hint = f"{fleet.secret} must hold the JSON key of a service account that may read devices."
    now = int(time.time())
    try:
        key = msgspec.json.decode(secret(fleet), type=_Key)
        assertion = jwt.encode(
            {"alg": "RS256", "typ": "JWT", "kid": key.private_key_id},
            {"iss": key.client_email, "scope": SCOPE, "aud": key.token_uri, "iat": now,
             "exp": now + ASSERTION_SECONDS},
            RSAKey.import_key(key.private_key),
        )  # fmt: skip
    except (msgspec.DecodeError, JoseError, ValueError):
        raise FleetError(
            fleet.name, "the service account's key cannot be read", hint=hint
        ) from None
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
    return tokens.buy(fleet, key.token_uri, form, hint)
