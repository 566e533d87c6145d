"""Inventories in CSV and JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domicile.devices.inventory.registry import open_inventory
from domicile.devices.model import Device
from domicile.errors import FleetError
from domicile.estate.model import Fleet
from tests.devices.made import DEADLINE, TIKTOK, make_ban

SEEN = "2023-03-14T08:00:00Z"


def read(directory: Path, text: str | bytes, source: str = "csv", **fleet: str) -> list[Device]:
    file = directory / f"devices.{source}"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    inventory = open_inventory(
        Fleet("f", source, file=str(file), **fleet), make_ban(directory), directory, DEADLINE
    )
    return [device for page in inventory.pages("") for device in page.devices]


def phone(**fields: Any) -> dict[str, Any]:
    return {"id": "d1", "owner": "Ana@example.org", "ownership": "company", "platform": "Android",
            "scope": "all", "seen": SEEN, "apps": ["com.bank", TIKTOK], **fields}  # fmt: skip


def test_a_csv_has_a_line_for_each_app_of_a_device(tmp_path: Path) -> None:
    ana, bea = sorted(
        read(
            tmp_path,
            "id,owner,ownership,platform,scope,seen,app,alias\n"
            f"d1,Ana@example.org,company,Android,all,{SEEN},com.bank,x1\n"
            f"d1,Ana@example.org,company,Android,all,{SEEN},{TIKTOK},x1\n"
            f"d2,bea;cees,byod,iPadOS,managed,{SEEN},,\n",
        ),
        key=lambda device: device.id,
    )
    assert ana.hits == {next(iter(ana.hits)): TIKTOK}
    assert ana.owners == ("ana@example.org",)
    assert (ana.ownership, ana.platform) == ("corporate", "android")
    assert (ana.seen, ana.scope, ana.aliases) == (
        datetime(2023, 3, 14, 8, tzinfo=UTC), "all", ("x1",)
    )  # fmt: skip
    assert (bea.owners, bea.ownership, bea.platform) == (("bea", "cees"), "personal", "ios")
    assert (bea.hits, bea.scope) == ({}, "managed")


def test_lines_that_disagree_are_taken_for_the_worse(tmp_path: Path) -> None:
    (device,) = read(
        tmp_path,
        "id,owner,ownership,platform,scope,seen,app\n"
        f"d1,ana,corporate,ios,all,{SEEN},com.bank\n"
        "d1,bea,personal,android,managed,2023-03-01,com.bank\n",
    )
    assert device.owners == ("ana", "bea")
    assert (device.ownership, device.platform, device.scope) == ("", "", "")
    assert device.seen == datetime(2023, 3, 1, tzinfo=UTC)


def test_a_csv_without_apps_lists_none(tmp_path: Path) -> None:
    (device,) = read(tmp_path, f"id,scope,seen\nd1,all,{SEEN}\n")
    assert device.scope == ""


@pytest.mark.parametrize("lines", [True, False])
def test_json_is_an_array_or_a_device_a_line(tmp_path: Path, lines: bool) -> None:
    records = [
        phone(),
        phone(id="d2", apps=[{"id": "x", "title": "TikTok", "size": 3}], owner=["ana", "bea"]),
        phone(id="d3", apps=[{"id": "x", "sdks": ["com.bytedance.sdk.openadsdk.x"]}]),
        phone(id="d4", apps=None),
        phone(id="d5", apps=[], owner=None, seen="0001-01-01T00:00:00Z", platform="Palm"),
    ]
    text = "\n".join(map(json.dumps, records)) if lines else json.dumps(records, indent=1)
    found = {device.id: device for device in read(tmp_path, text, "json")}
    assert [bool(found[f"d{n}"].hits) for n in range(1, 6)] == [True, True, True, False, False]
    assert found["d2"].owners == ("ana", "bea")
    assert found["d4"].scope == ""  # its apps are not known, whatever it says
    assert (found["d5"].scope, found["d5"].seen, found["d5"].platform) == ("all", None, "")
    assert found["d5"].owners == ()


def test_what_a_fleet_says_fills_in_what_the_inventory_leaves_out(tmp_path: Path) -> None:
    record = phone()
    del record["ownership"], record["scope"]
    (device,) = read(tmp_path, json.dumps([record]), "json", ownership="contractor", scope="all")
    assert (device.ownership, device.scope) == ("contractor", "all")
    (device,) = read(tmp_path, f"id,app\nd1,{TIKTOK}\n", ownership="personal", scope="managed")
    assert (device.ownership, device.scope) == ("personal", "managed")


def test_a_name_in_any_case_or_script_is_found(tmp_path: Path) -> None:
    (device,) = read(tmp_path, f"id,platform,app\nd1,ios, {TIKTOK.upper()} \n")
    assert device.hits
    (device,) = read(tmp_path, "id,app\nd1,ﬁrst\nd1,TİKTOK\n")
    assert not device.hits


@pytest.mark.parametrize(
    ("source", "text", "said"),
    [
        ("csv", "name\nx\n", "no column id"),
        ("csv", "id,imei\nd1,1\n", "got the column 'imei'"),
        ("csv", "id,app\n,x\n", "a line without an id"),
        ("csv", "id,app\nd1,x,y\nd2,x\n", "no CSV at line 2"),
        ("csv", "id,app\nd1,x\nd2\n", "no CSV at line 3"),
        ("csv", 'id,app\nd1,"x\nd2,y\n', "no CSV"),
        ("csv", "id,id\nd1,d2\n", "one twice"),
        ("csv", "", "no column id"),
        ("csv", b"id,app\nd1,\xff\xfe\n", "no CSV"),
        ("json", "[" + json.dumps(phone()) + ",{", "not JSON"),
        ("json", json.dumps([phone()])[:-20], "not JSON"),
        ("json", json.dumps([phone(apps={"x": 1})]), "device 1 of devices.json: Expected `array"),
        ("json", json.dumps([phone(), phone(id=7)]), "device 2 of devices.json: Expected `str`"),
        ("json", json.dumps([phone(id=" ")]), "device 1 has an empty id"),
        ("json", json.dumps([phone(), phone()]), "device 2 has the id of an earlier one"),
        ("json", "<plist/>", "not JSON"),
    ],
)
def test_what_is_no_inventory_is_one_error(
    tmp_path: Path, source: str, text: str | bytes, said: str
) -> None:
    with pytest.raises(FleetError, match=said) as caught:
        read(tmp_path, text, source)
    assert "ana" not in str(caught.value).casefold()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    fleet = Fleet("f", "json", file=str(tmp_path / "none.json"))
    with pytest.raises(FleetError, match=r"no file none\.json"):
        list(open_inventory(fleet, make_ban(tmp_path), tmp_path, DEADLINE).pages(""))
