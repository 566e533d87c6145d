"""Microsoft Graph, as it is documented to answer and to fail.

No tenant was reached: the server is ours, its answers those of the documentation and of recorded
excerpts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domicile.devices.inventory.base import CursorEnded
from domicile.devices.inventory.graph import GraphInventory
from domicile.devices.model import Device
from domicile.errors import FleetError, Stopped
from domicile.estate.model import Fleet
from tests.devices.graph_server import Answer, GraphServer, served
from tests.devices.made import make_ban

APPS = [
    {"id": "a1", "displayName": "Bank of Ana", "platform": "ios", "publisher": "Bank"},
    {"id": "a2", "displayName": "TikTok", "platform": "ios", "version": "28.1"},
    {"id": "a/3", "displayName": "TikTok", "platform": "androidOSS", "version": "28.2"},
    {"id": "a4", "displayName": "Chess", "platform": "windows"},
    {"id": "a5", "displayName": "BytedancePte.Ltd.TikTok", "platform": "windows"},
]


def device(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"d{number}", "deviceName": f"phone {number}",
        "userPrincipalName": f"User{number}@example.org", "managedDeviceOwnerType": "company",
        "operatingSystem": "iOS", "complianceState": "compliant",
        "lastSyncDateTime": "2023-03-14T08:00:00.1234567Z", "azureADDeviceId": f"aad-{number}",
        "deviceEnrollmentType": "appleBulkWithUser", "phoneNumber": "+31612345678",
        "imei": "350000000000000", **fields,
    }  # fmt: skip


@pytest.fixture
def graph() -> Iterator[GraphServer]:
    server = GraphServer()
    server.devices = [
        device(1),
        device(2, managedDeviceOwnerType="personal"),
        device(3, operatingSystem="Android"),
        device(4, operatingSystem="Windows", userPrincipalName="", azureADDeviceId="0000"),
        device(5, operatingSystem="BeOS", complianceState="inGracePeriod"),
    ]
    server.apps = APPS
    server.on = {"a1": ["d1"], "a2": ["d1", "d2", "late"], "a/3": [], "a5": ["d4"]}
    with served(server):
        yield server


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPH", "token-1")
    monkeypatch.setenv("SECRET", "hunter2")


class Read:
    """One reading of the tenant: devices with hits joined, waits, and the cursors."""

    def __init__(self, graph: GraphServer, directory: Path, cursor: str = "", **fleet: str) -> None:
        self.waits: list[float] = []
        self.cursors: list[str] = []
        self.devices: dict[str, Device] = {}
        self.hits: dict[str, str] = {}
        made = Fleet("intune", "graph", url=f"{graph.url}/v1.0", **{"secret": "GRAPH", **fleet})
        self.inventory = GraphInventory(made, make_ban(directory), sleep=self.waits.append)
        for page in self.inventory.pages(cursor):
            self.devices |= {each.id: each for each in page.devices}
            self.hits |= {id_: app for id_, _, app in page.hits}
            self.cursors.append(page.cursor)


def test_devices_and_hits_are_joined_by_id(graph: GraphServer, tmp_path: Path) -> None:
    read = Read(graph, tmp_path)
    assert read.hits == {
        "d1": "TikTok", "d2": "TikTok", "late": "TikTok",
        "d4": "BytedancePte.Ltd.TikTok_6yccndn6064se",
    }  # fmt: skip
    assert list(read.devices) == ["d1", "d2", "d3", "d4", "d5"]
    one = read.devices["d1"]
    assert (one.owners, one.ownership, one.platform, one.scope) == (
        ("user1@example.org",), "corporate", "ios", "all"
    )  # fmt: skip
    assert one.aliases == ("aad-1",)
    assert one.seen == datetime(2023, 3, 14, 8, 0, 0, 123456, tzinfo=UTC)
    assert read.cursors[-1] == ""
    assert "" not in read.cursors[:-1]


def test_only_what_is_seen_whole_is_called_whole(graph: GraphServer, tmp_path: Path) -> None:
    graph.devices.append(device(6, deviceEnrollmentType="appleUserEnrollment"))
    graph.devices.append(device(7, managedDeviceOwnerType="unknown"))
    devices = Read(graph, tmp_path).devices
    assert {id_: each.scope for id_, each in devices.items()} == {
        "d1": "all", "d2": "managed", "d3": "managed", "d4": "all", "d5": "managed",
        "d6": "managed", "d7": "managed",
    }  # fmt: skip
    assert (devices["d4"].owners, devices["d5"].platform) == ((), "")
    assert devices["d5"].compliance == "grace"
    assert Read(graph, tmp_path, scope="all").devices["d3"].scope == "all"


def test_nothing_is_asked_of_other_apps_and_no_other_field(
    graph: GraphServer, tmp_path: Path
) -> None:
    read = Read(graph, tmp_path)
    assert not [path for path in graph.asked if "detectedApps/a1" in path or "a4/" in path]
    kept = repr((read.devices, read.hits, read.cursors))
    for private in ("Bank of Ana", "Chess", "+3161", "3500000"):
        assert private not in kept
    assert all("phoneNumber" not in path and "$select=" in path for path in graph.asked)


def test_client_credentials_buy_tokens_and_new_ones(graph: GraphServer, tmp_path: Path) -> None:
    graph.tokens = set()
    credentials = {"tenant": "example.org", "client": "c", "secret": "SECRET", "login": graph.url}

    def expire(path: str, number: int) -> Answer | None:
        if number == 3:
            graph.tokens = set()  # in the middle
        return None

    graph.fault = expire
    assert len(Read(graph, tmp_path, **credentials).devices) == 5
    assert sum(path.endswith("/example.org/oauth2/v2.0/token") for path in graph.asked) == 2


@pytest.mark.parametrize(
    ("fleet", "said"),
    [
        ({"secret": "NOT_SET"}, "NOT_SET is not set"),
        ({"secret": "SECRET"}, "did not accept the token"),
        ({"secret": "GRAPH", "client": "c", "tenant": "t"}, "no token was given"),
    ],
)
def test_credentials_that_do_not_do(
    graph: GraphServer, tmp_path: Path, fleet: dict[str, str], said: str
) -> None:
    with pytest.raises(FleetError, match=said) as caught:
        Read(graph, tmp_path, login=graph.url, **fleet)
    assert "hunter2" not in str(caught.value)
    assert "token-1" not in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "waits"),
    [({"Retry-After": "7"}, [7.0, 7.0]), ({}, [1.0, 2.0]), ({"Retry-After": "soon"}, [1.0, 2.0]),
     ({"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, [0.0, 0.0]),
     ({"Retry-After": "99999"}, [120.0, 120.0])],
)  # fmt: skip
def test_throttling_is_waited_for(
    graph: GraphServer, tmp_path: Path, headers: dict[str, str], waits: list[float]
) -> None:
    graph.fault = lambda path, number: (429, headers, b"{}") if number in (2, 3) else None
    read = Read(graph, tmp_path)
    assert read.waits == waits
    assert len(read.devices) == 5


@pytest.mark.parametrize(
    "broken",
    [
        (200, {}, b'{"value": [{"id": "d1", "deviceNa'),
        (200, {"Content-Length": "9999"}, b'{"value": []}'),
        (503, {}, b""),
    ],
)
def test_half_an_answer_is_asked_for_again(
    graph: GraphServer, tmp_path: Path, broken: Answer
) -> None:
    graph.fault = lambda path, number: broken if number == 1 else None
    read = Read(graph, tmp_path)
    assert (len(read.devices), len(read.hits), len(read.waits)) == (5, 4, 1)


def test_a_service_that_stays_away_stops_the_run_where_it_is(
    graph: GraphServer, tmp_path: Path
) -> None:
    graph.fault = lambda path, number: (503, {}, b"") if number >= 2 else None
    with pytest.raises(Stopped, match="answered 503, 8 times"):
        Read(graph, tmp_path)


def test_a_run_goes_on_from_any_cursor(graph: GraphServer, tmp_path: Path) -> None:
    whole = Read(graph, tmp_path)
    for done, cursor in enumerate(whole.cursors[:-1], start=1):
        first = whole.cursors[:done]
        rest = Read(graph, tmp_path, cursor)
        assert first + rest.cursors == whole.cursors
        assert rest.hits.keys() <= whole.hits.keys()
        if done < 3:  # the pages of devices
            assert rest.hits == whole.hits


def test_a_cursor_that_the_service_forgot(graph: GraphServer, tmp_path: Path) -> None:
    cursor = Read(graph, tmp_path).cursors[0]
    graph.fault = lambda path, number: (410, {}, b"{}") if "skiptoken" in path else None
    with pytest.raises(CursorEnded):
        Read(graph, tmp_path, cursor)
    with pytest.raises(FleetError, match="answered 410"):
        Read(graph, tmp_path)


def test_a_page_that_repeats_ends(graph: GraphServer, tmp_path: Path) -> None:
    def again(path: str, number: int) -> Answer | None:
        if "managedDevices" in path and "skiptoken" in path:
            document = {"value": [device(9)], "@odata.nextLink": graph.url + path}
            return 200, {}, json.dumps(document).encode()
        return None

    graph.fault = again
    with pytest.raises(FleetError, match="back to an earlier one"):
        Read(graph, tmp_path)


def test_the_token_goes_nowhere_else(graph: GraphServer, tmp_path: Path) -> None:
    away = json.dumps({"value": [], "@odata.nextLink": "https://elsewhere.invalid/v1.0/x"}).encode()
    graph.fault = lambda path, number: (200, {}, away)
    with pytest.raises(FleetError, match=r"leads to elsewhere\.invalid"):
        Read(graph, tmp_path)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (403, b"{}", "lacks a permission"),
        (404, b"{}", "answered 404"),
        (302, b"", "answered 302"),
        (200, b'{"error": {"code": "x"}}', "missing required field `value`"),
        (200, b'{"value": [{"id": 7, "deviceName": "Ana"}]}', "Expected `str`, got `int`"),
    ],
)
def test_refusals_and_strange_answers_are_one_error(
    graph: GraphServer, tmp_path: Path, status: int, body: bytes, said: str
) -> None:
    graph.fault = lambda path, number: (status, {}, body)
    with pytest.raises(FleetError, match=said) as caught:
        Read(graph, tmp_path)
    assert "Ana" not in str(caught.value)


def test_nobody_there(graph: GraphServer, tmp_path: Path) -> None:
    made = Fleet("intune", "graph", url="http://127.0.0.1:9/v1.0", secret="GRAPH")
    waits: list[float] = []
    with pytest.raises(FleetError, match=r"127\.0\.0\.1 does not answer"):
        list(GraphInventory(made, make_ban(tmp_path), sleep=waits.append).pages(""))
    assert waits == [1.0]


def test_the_recorded_excerpt_is_read(graph: GraphServer, tmp_path: Path, shared: Path) -> None:
    folder = shared / "fleets" / "intune"
    text = (folder / "managedDevices_mock_excerpt.json").read_text(encoding="utf-8")
    graph.devices = json.loads(text)["value"]
    graph.apps = json.loads((folder / "detectedApps_docs_example.json").read_text())["value"]
    graph.on = {}
    read = Read(graph, tmp_path)
    assert len(read.devices) == 6
    assert read.hits == {}
    assert read.devices["dev-007"].compliance == ""
