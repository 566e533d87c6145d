"""Fleet, as it is documented and recorded to answer. No real server was reached."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from domicile.devices.inventory.fleet import PER_PAGE, FleetInventory
from domicile.devices.model import Device
from domicile.errors import FleetError
from domicile.estate.model import Fleet
from tests.devices.graph_server import Answer, GraphServer, served
from tests.devices.made import TIKTOK, make_ban

SEEN = "2023-03-14T08:00:00Z"


def host(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": number, "uuid": f"u{number}", "hardware_serial": f"s{number}",
        "display_name": f"mac {number}", "platform": "darwin", "software_updated_at": SEEN,
        "team_name": None, "mdm": {"enrollment_status": "On (automatic)"},
        "device_mapping": [{"email": f"User{number}@example.org", "source": "custom"}],
        "software": [{"id": 1, "name": "Chess.app", "source": "apps", "version": "3",
                      "bundle_identifier": "com.apple.chess", "vulnerabilities": None}],
        "public_ip": "192.0.2.7", **fields,
    }  # fmt: skip


class Server(GraphServer):
    """Hosts by page, with the same ways to fail."""

    hosts: list[dict[str, Any]]
    repeats = False

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> Answer:
        self.asked.append(path)
        if headers.get("Authorization") != "Bearer token-1":
            return 401, {}, b"{}"
        query = parse_qs(urlsplit(path).query)
        start = 0 if self.repeats else int(query["page"][0]) * int(query["per_page"][0])
        page = self.hosts[start : start + int(query["per_page"][0])]
        return 200, {}, json.dumps({"hosts": page}).encode()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("FLEET", "token-1")
    made = Server()
    made.hosts = []
    with served(made):
        yield made


def read(server: Server, directory: Path, cursor: str = "", **fleet: str) -> dict[str, Device]:
    declared = Fleet("macs", "fleet", url=server.url, secret="FLEET", **fleet)
    inventory = FleetInventory(declared, make_ban(directory), sleep=lambda seconds: None)
    return {device.id: device for page in inventory.pages(cursor) for device in page.devices}


def test_what_is_seen_of_a_host(server: Server, tmp_path: Path) -> None:
    software = [{"name": "TikTok.app", "bundle_identifier": "x"}]
    server.hosts = [
        host(1),
        host(2, software=software),
        host(3, platform="ios", software=[{"name": "y", "bundle_identifier": TIKTOK}],
             mdm={"enrollment_status": "On (personal)"}),
        host(4, software=None),
        host(5, platform="android", software=[{"name": "z", "application_id": TIKTOK}]),
        host(6, platform="windows", software=[], mdm=None, device_mapping=None, uuid=""),
    ]  # fmt: skip
    found = read(server, tmp_path)
    assert [bool(device.hits) for device in found.values()] == [
        False, True, True, False, True, False
    ]  # fmt: skip
    assert [device.scope for device in found.values()] == [
        "all", "all", "managed", "", "managed", "all"
    ]  # fmt: skip
    assert found["u3"].ownership == "personal"
    assert (found["u1"].owners, found["u1"].aliases) == (("user1@example.org",), ("s1",))
    assert found["6"].owners == ()
    assert "chess" not in repr(found)
    assert "192.0.2.7" not in repr(found)


@pytest.mark.parametrize("count", [0, 1, PER_PAGE - 1, PER_PAGE, PER_PAGE + 1, 2 * PER_PAGE])
def test_pages_end_with_a_short_one(server: Server, tmp_path: Path, count: int) -> None:
    server.hosts = [host(number) for number in range(count)]
    assert len(read(server, tmp_path)) == count
    assert len(server.asked) == count // PER_PAGE + 1
    assert len(read(server, tmp_path, "1")) == max(0, count - PER_PAGE)


def test_a_page_that_repeats_ends(server: Server, tmp_path: Path) -> None:
    server.hosts, server.repeats = [host(number) for number in range(PER_PAGE)], True
    with pytest.raises(FleetError, match="brings nothing new"):
        read(server, tmp_path)


def test_a_token_that_has_expired(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET", "old")
    with pytest.raises(FleetError, match="did not accept the token"):
        read(server, tmp_path)


def test_the_recorded_hosts_are_read(server: Server, tmp_path: Path, shared: Path) -> None:
    file = shared / "fleets" / "fleet" / "hosts_recorded.json"
    answers = json.loads(file.read_text(encoding="utf-8"))
    hosts = {each["id"]: each for answer in answers for each in answer["body"].get("hosts", ())}
    server.hosts = list(hosts.values())
    found = read(server, tmp_path)
    assert len(found) == len(hosts) > 0
    assert not any(device.hits for device in found.values())
    first = next(iter(hosts))
    hosts[first]["software"] = [{"name": "TikTok.app", "bundle_identifier": TIKTOK}]
    assert sum(bool(device.hits) for device in read(server, tmp_path).values()) == 1
