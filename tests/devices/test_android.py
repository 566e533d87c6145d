"""Android Management API, by its discovery document. No real enterprise was reached."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domicile.devices.inventory.android import AndroidInventory
from domicile.devices.inventory.base import CursorEnded
from domicile.devices.model import ClauseKey, Device
from domicile.errors import FleetError, Stopped
from domicile.estate.model import Fleet
from tests.devices import discovery
from tests.devices.android_server import ENTERPRISE, AndroidServer, select
from tests.devices.graph_server import Answer, served
from tests.devices.made import TIKTOK, make_ban

KEY = ClauseKey("ban", "remove")
SEEN = "2023-03-14T08:00:00.123456789Z"
CHESS = {"packageName": "com.chess", "displayName": "Chess", "state": "INSTALLED",
         "versionName": "1"}  # fmt: skip
BANNED = {"packageName": TIKTOK, "displayName": "TikTok", "state": "INSTALLED"}


def device(number: int, *reports: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A company's fully managed device, unless `fields` say otherwise; None leaves one out."""
    made = {
        "name": f"enterprises/{ENTERPRISE}/devices/d{number}", "ownership": "COMPANY_OWNED",
        "managementMode": "DEVICE_OWNER", "state": "ACTIVE", "policyCompliant": True,
        "policyName": f"enterprises/{ENTERPRISE}/policies/field", "lastStatusReportTime": SEEN,
        "userName": f"enterprises/{ENTERPRISE}/users/u{number}",
        "user": {"accountIdentifier": f"User{number}"},
        "hardwareInfo": {"serialNumber": f"s{number}", "model": "Pixel 6", "brand": "google"},
        "networkInfo": {"imei": "350000000000000", "wifiMacAddress": "00:53:00:00:00:01"},
        "applicationReports": [CHESS, *reports], **fields,
    }  # fmt: skip
    return {key: value for key, value in made.items() if value is not None}


@pytest.fixture
def android(monkeypatch: pytest.MonkeyPatch) -> Iterator[AndroidServer]:
    monkeypatch.setenv("ANDROID", "token-1")
    server = AndroidServer()
    server.page = 2
    with served(server):
        yield server


class Read:
    """One reading of the enterprise: devices, waits, cursors."""

    def __init__(self, server: AndroidServer, directory: Path, cursor: str = "", **fleet: str):
        self.waits: list[float] = []
        self.cursors: list[str] = []
        self.devices: dict[str, Device] = {}
        made = Fleet("phones", "android", url=server.url, secret="ANDROID",
                     **{"tenant": ENTERPRISE, **fleet})  # fmt: skip
        inventory = AndroidInventory(made, make_ban(directory), sleep=self.waits.append)
        for page in inventory.pages(cursor):
            self.devices |= {each.id: each for each in page.devices}
            self.cursors.append(page.cursor)


def test_what_is_seen_of_devices(android: AndroidServer, tmp_path: Path) -> None:
    android.devices = [
        device(1, BANNED),
        device(2, {**BANNED, "state": "REMOVED"}),
        device(3, BANNED, managementMode="PROFILE_OWNER"),
        device(4, managementMode="PROFILE_OWNER", ownership="PERSONALLY_OWNED"),
        device(5, ownership="PERSONALLY_OWNED"),
        device(6, applicationReports=None),
        device(7, managementMode=None, ownership=None, policyCompliant=None),
        device(8, {"displayName": "no package name"}, {"packageName": TIKTOK}),
        device(9, {"packageName": "com.other", "displayName": "tiktok", "state": "INSTALLED"}),
    ]
    found = Read(android, tmp_path).devices
    assert {id_: each.scope for id_, each in found.items()} == {
        "d1": "all", "d2": "all", "d3": "managed", "d4": "managed", "d5": "managed", "d6": "",
        "d7": "managed", "d8": "all", "d9": "all",
    }  # fmt: skip
    hits = {id_: each.hits[KEY] for id_, each in found.items() if each.hits}
    assert hits == {"d1": TIKTOK, "d3": TIKTOK, "d8": TIKTOK, "d9": "TikTok"}
    one = found["d1"]
    assert (one.owners, one.aliases, one.name) == (("user1",), ("s1",), "Pixel 6")
    assert (one.ownership, one.platform, one.group) == ("corporate", "android", "field")
    assert one.seen == datetime(2023, 3, 14, 8, 0, 0, 123456, tzinfo=UTC)
    assert (one.compliance, found["d7"].compliance) == ("compliant", "")
    assert (found["d4"].ownership, found["d7"].ownership) == ("personal", "")


def test_nothing_else_is_asked_for_or_kept(android: AndroidServer, tmp_path: Path) -> None:
    android.devices = [device(1, BANNED)]
    read = Read(android, tmp_path)
    (asked,) = android.asked
    for private in ("imei", "networkInfo", "versionName", "softwareInfo"):
        assert private not in asked
    for private in ("chess", "Chess", "3500000", "00:53"):
        assert private not in repr(read.devices)


@pytest.mark.parametrize(
    ("fields", "owner"),
    [
        ({}, ("user1",)),
        ({"enrollmentTokenData": "Ana@example.org"}, ("ana@example.org",)),
        ({"enrollmentTokenData": '{"mail": "ana@example.org"}'}, ("user1",)),
        ({"enrollmentTokenData": "ana@example.org bob@example.org"}, ("user1",)),
        ({"user": None}, ("u1",)),
        ({"user": {}, "userName": None}, ()),
    ],
)
def test_whose_a_device_is(
    android: AndroidServer, tmp_path: Path, fields: dict[str, Any], owner: tuple[str, ...]
) -> None:
    android.devices = [device(1, **fields)]
    assert Read(android, tmp_path).devices["d1"].owners == owner


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5])
def test_every_page_is_read_once(android: AndroidServer, tmp_path: Path, count: int) -> None:
    android.devices = [device(number) for number in range(count)]
    read = Read(android, tmp_path)
    assert len(read.devices) == count
    assert len(android.asked) == max(1, -(-count // 2))
    assert read.cursors[-1] == ""
    for done, cursor in enumerate(read.cursors[:-1], start=1):
        assert Read(android, tmp_path, cursor).cursors == read.cursors[done:]


def test_a_page_token_that_has_ended(android: AndroidServer, tmp_path: Path) -> None:
    android.devices = [device(number) for number in range(5)]
    android.forgotten = {"page-2"}
    with pytest.raises(CursorEnded):
        Read(android, tmp_path, "page-2")
    with pytest.raises(FleetError, match="answered 400"):
        Read(android, tmp_path)


def test_a_page_that_repeats_ends(android: AndroidServer, tmp_path: Path) -> None:
    android.devices = [device(number) for number in range(3)]
    again = json.dumps({"devices": [], "nextPageToken": "page-2"}).encode()
    android.fault = lambda path, number: (200, {}, again) if number else None
    with pytest.raises(FleetError, match="back to an earlier one"):
        Read(android, tmp_path)


@pytest.mark.parametrize(
    ("broken", "wait"),
    [
        ((429, {"Retry-After": "7"}, b"{}"), 7.0),
        ((429, {}, b"{}"), 1.0),
        ((503, {}, b""), 1.0),
        ((200, {}, b'{"devices": [{"name": "enter'), 1.0),
        ((200, {"Content-Length": "9999"}, b"{}"), 1.0),
    ],
)
def test_throttling_and_half_answers_are_asked_again(
    android: AndroidServer, tmp_path: Path, broken: Answer, wait: float
) -> None:
    android.devices = [device(number, BANNED) for number in range(3)]
    android.fault = lambda path, number: broken if number == 1 else None
    read = Read(android, tmp_path)
    assert (len(read.devices), read.waits) == (3, [wait])
    android.fault = lambda path, number: broken
    with pytest.raises(Stopped):
        Read(android, tmp_path)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"devices": [{"ownership": "COMPANY_OWNED"}]}', "missing required field `name`"),
        (b'{"devices": [{"name": ""}]}', "a device has no name"),
        (b'{"devices": [{"name": 7, "userName": "Ana"}]}', "Expected `str`, got `int`"),
        (b'{"devices": {"name": "Ana"}}', "Expected `array | null`"),
        (b'[{"name": "Ana"}]', "Expected `object`"),
        (b'{"devices": [{"name": "d", "applicationReports": "Ana"}]}', "Expected `array | null`"),
    ],
)
def test_strange_answers_are_one_error(
    android: AndroidServer, tmp_path: Path, body: bytes, said: str
) -> None:
    android.fault = lambda path, number: (200, {}, body)
    with pytest.raises(FleetError) as caught:
        Read(android, tmp_path)
    assert said in str(caught.value)
    assert "Ana" not in str(caught.value)


def test_odd_values_are_not_taken_for_good(android: AndroidServer, tmp_path: Path) -> None:
    body = {"devices": [
        {"name": "enterprises/e/devices/d1", "ownership": "SOMEONES", "managementMode": "NEW_MODE",
         "applicationReports": None, "lastStatusReportTime": "9" * 40, "user": None,
         "hardwareInfo": {"model": "<b>\u202eevil\n"}, "extra": {"deep": [1e308, 10**40]}},
        {"name": "d2", "ownership": "COMPANY_OWNED", "managementMode": "DEVICE_OWNER",
         "applicationReports": [{"packageName": None}, {}, {"state": "MAYBE",
                                "packageName": TIKTOK.upper()}]},
    ], "nextPageToken": None}  # fmt: skip
    android.fault = lambda path, number: (200, {}, json.dumps(body).encode())
    found = Read(android, tmp_path).devices
    assert (found["d1"].scope, found["d1"].ownership, found["d1"].seen) == ("", "", None)
    assert found["d2"].hits == {KEY: TIKTOK}


def test_a_token_that_does_not_do(
    android: AndroidServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANDROID", "hunter2")
    with pytest.raises(FleetError, match="did not accept the token") as caught:
        Read(android, tmp_path)
    assert "hunter2" not in str(caught.value)
    monkeypatch.delenv("ANDROID")
    with pytest.raises(FleetError, match="ANDROID is not set"):
        Read(android, tmp_path)


def account(server: AndroidServer, **fields: str) -> str:
    """The JSON key of a service account, as Google gives it."""
    return json.dumps({
        "type": "service_account", "project_id": "p", "private_key_id": "k1",
        "private_key": server.key.as_pem(private=True).decode(), "client_id": "1",
        "client_email": "reader@p.iam.gserviceaccount.com", "token_uri": f"{server.url}/token",
        **fields,
    })  # fmt: skip


def test_a_service_account_buys_tokens_and_new_ones(
    android: AndroidServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANDROID", account(android))
    android.devices, android.tokens = [device(number) for number in range(5)], set()

    def expire(path: str, number: int) -> Answer | None:
        if number == 2:
            android.tokens = set()  # in the middle
        return None

    android.fault = expire
    assert len(Read(android, tmp_path).devices) == 5
    assert sum(path == "POST /token" for path in android.asked) == 2


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"private_key": "hunter2"}, "service account's key cannot be read"),
        ({"token_uri": "http://127.0.0.1:9/token"}, "no token was given"),
        ({"token_uri": "hunter2"}, "no token was given"),
    ],
)
def test_a_key_that_does_not_do(
    android: AndroidServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    fields: dict[str, str], said: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("ANDROID", account(android, **fields))
    with pytest.raises(FleetError, match=said) as caught:
        Read(android, tmp_path)
    assert "hunter2" not in str(caught.value)
    monkeypatch.setenv("ANDROID", '{"private_key": "hunter2"}')
    with pytest.raises(FleetError, match="service account's key cannot be read"):
        Read(android, tmp_path)


def test_a_token_of_another_account_is_refused(
    android: AndroidServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANDROID", account(AndroidServer(), token_uri=f"{android.url}/token"))
    with pytest.raises(FleetError, match="no token was given"):
        Read(android, tmp_path)


def test_the_request_is_one_that_the_document_knows() -> None:
    lists = discovery.document()["resources"]["enterprises"]["resources"]["devices"]["methods"][
        "list"
    ]
    assert lists["path"] == "v1/{+parent}/devices"
    assert {"pageSize", "pageToken"} <= lists["parameters"].keys()
    assert "fields" in discovery.document()["parameters"]
    assert select({"a": 1, "b": [{"c": 2, "d": 3}], "e": {"f": 4, "g": 5}}, "b(c),e/g") == {
        "b": [{"c": 2}], "e": {"g": 5}
    }  # fmt: skip


def test_the_recorded_device_is_read(android: AndroidServer, tmp_path: Path, shared: Path) -> None:
    file = shared / "fleets" / "android" / "device_applicationReports.json"
    recorded = json.loads(file.read_text("utf-8"))
    for report in recorded["applicationReports"]:
        # The document of today knows other words for where an app came from.
        report.pop("applicationSource", None)
    android.devices = [recorded]
    (found,) = Read(android, tmp_path).devices.values()
    assert (found.id, found.scope, found.hits) == ("3a1b2c4d5e6f", "managed", {})
    assert "acme" not in repr(found)
    recorded["applicationReports"].append(BANNED)
    assert Read(android, tmp_path).devices["3a1b2c4d5e6f"].hits == {KEY: TIKTOK}
