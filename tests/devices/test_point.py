"""The decision point, in this process: who is let through, who is not, and what is recorded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domicile.devices import enforce
from domicile.devices.dovecot import Sessions
from domicile.devices.enforce import Enforcer
from domicile.devices.model import ClauseKey, Device
from domicile.devices.settle import settle_now
from domicile.devices.words import label
from domicile.errors import Stopped, UsageError
from tests.devices.made import DEADLINE, ESTATE, MANDATE, TIKTOK, write_estate
from tests.devices.test_sync import Source, entries, phone, run

KEY = ClauseKey("ban", "remove")
DAY = timedelta(days=1)
AFTER = DEADLINE + DAY


class World:
    """An estate, its point, and a clock."""

    def __init__(self, directory: Path, *devices: Device, mandate: str = MANDATE,
                 estate: str = ESTATE, now: datetime = AFTER) -> None:  # fmt: skip
        self.file = write_estate(directory, estate, mandate)
        self.now = now
        run(self.file, Source(list(devices)), now)
        self.enforcer = Enforcer(self.file, "k" * 64, clock=lambda: self.now)
        self.look()

    def look(self) -> None:
        asyncio.run(self.enforcer.look())

    def ask(
        self,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        encoding: str = "utf-8",
    ) -> tuple[int, dict[bytes, bytes], bytes]:
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        given = {"x-api-key": "k" * 64, **(headers or {})}
        path, _, query = path.partition("?")
        scope = {
            "type": "http", "path": path, "method": "POST" if body else "GET",
            "query_string": query.encode(),
            "headers": [(k.lower().encode(), v.encode(encoding)) for k, v in given.items()],
        }  # fmt: skip
        asyncio.run(self.enforcer.point(scope, receive, send))
        start, rest = sent
        return start["status"], dict(start["headers"]), rest["body"]

    def dovecot(self, device: str, account: str = "") -> dict[str, Any]:
        asked = {"device": device, "account": account, "protocol": "imap"}
        status, _, body = self.ask("/dovecot", json.dumps(asked).encode())
        assert status == 200
        answer: dict[str, Any] = json.loads(body)
        return answer


def has(number: int, **fields: Any) -> Device:
    return phone(number, hits={KEY: TIKTOK}, **fields)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, has(1), phone(2), phone(3, owners=()), phone(4, scope="managed"))


@pytest.mark.parametrize(
    ("device", "account", "status", "said"),
    [
        ("d1", "user1@example.org", -1, f"TikTok ({TIKTOK}) is on phone 1. Remove it"),
        ("alias-1", "user1", -1, f"TikTok ({TIKTOK}) is on phone 1."),
        ("d2", "user2@example.org", 0, ""),
        ("alias-2", "USER2", 0, ""),
        ("d2", "user1@example.org", -1, "not registered in your name"),
        ("d1", "user2@example.org", -1, "not registered in your name"),
        ("d3", "anyone", 0, ""),  # nobody's: its verdict decides
        ("d4", "user4", -1, "Nobody can see whether"),
        ("d9", "user1", -1, "not enrolled"),
        ("", "user1", -1, "does not say which device"),
        ("phone 2", "user2", -1, "not enrolled"),  # a name is no id
    ],
)
def test_a_login_is_decided_by_its_device(
    world: World, device: str, account: str, status: int, said: str
) -> None:
    answer = world.dovecot(device, account)
    assert answer["status"] == status
    assert said in answer["msg"]
    assert bool(answer["msg"]) == (status != 0)
    if account == "user2@example.org":
        assert "phone 1" not in answer["msg"]


def test_before_the_deadline_all_are_let_through(tmp_path: Path) -> None:
    world = World(tmp_path, has(1), now=DEADLINE - timedelta(seconds=1))
    assert [world.dovecot(d)["status"] for d in ("d1", "d9", "")] == [0, 0, 0]
    world.now = DEADLINE
    assert [world.dovecot(d)["status"] for d in ("d1", "d9", "")] == [-1, -1, -1]
    world.now = DEADLINE - 5 * DAY  # a clock that is set back
    settle_now(world.file, DEADLINE)
    world.look()
    assert world.dovecot("d1")["status"] == -1


def test_an_inventory_that_grows_old_no_longer_speaks(world: World) -> None:
    world.now = AFTER + 5 * DAY
    assert world.dovecot("d2")["status"] == 0
    world.now = AFTER + 8 * DAY
    assert "not reported for too long" in world.dovecot("d2")["msg"]


def test_a_change_is_seen_at_the_next_look(world: World) -> None:
    run(world.file, Source([phone(1), has(2)]), AFTER)
    assert world.dovecot("d1")["status"] == -1
    world.look()
    assert [world.dovecot(d)["status"] for d in ("d1", "d2")] == [0, -1]
    assert "no longer in the inventory" in world.dovecot("d4")["msg"]


def test_only_the_services_that_a_clause_names_are_cut(tmp_path: Path) -> None:
    mandate = MANDATE.replace("      by:", "      services: [calls]\n      by:")
    world = World(tmp_path, has(1), mandate=mandate)
    assert world.dovecot("d1")["status"] == 0
    verified = {"X-Client-Verify": "SUCCESS", "X-Client-DN": "CN=d1,O=Example"}
    assert world.ask("/forward", headers={**verified, "X-Service": "calls"})[0] == 403
    assert world.ask("/forward", headers={**verified, "X-Service": "web"})[0] == 204


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Client-Verify": "SUCCESS", "X-Client-DN": "CN=d2,OU=phones"}, 204),
        ({"X-Client-Verify": "SUCCESS", "X-Client-DN": "O=Example,CN=d2"}, 204),
        ({"X-Client-Verify": "SUCCESS", "X-Client-DN": "CN=d1"}, 403),
        ({"X-Client-Verify": "FAILED:expired", "X-Client-DN": "CN=d2"}, 403),
        ({"X-Client-Verify": "NONE"}, 403),
        ({}, 403),
        ({"X-Client-Verify": "SUCCESS", "X-Client-DN": "XCN=d2"}, 403),
        ({"X-Client-Verify": "SUCCESS", "X-Client-DN": "O=a\\,CN=d2"}, 403),
        ({"X-Client-Verify": "SUCCESS", "X-Client-DN": "CN=d2,CN=d1"}, 403),
        ({"X-Client-Verify": "SUCCESS", "X-Client-DN": "emailAddress=a@b,CN=d2"}, 204),
    ],
)
def test_a_web_request_is_decided_by_its_certificate(
    world: World, headers: dict[str, str], status: int
) -> None:
    got, answered, body = world.ask("/forward", headers=headers)
    assert got == status
    assert (b"x-said" in answered) == (status == 403)
    assert bool(body) == (status == 403)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_names_are_more_than_ascii(tmp_path: Path, encoding: str) -> None:
    """As Caddy sends them, as they are; and as nginx does, in RFC 2253's escapes."""
    world = World(tmp_path, phone(2, id="zoë-2", owners=("zoë@example.org",)))
    for name in ("zoë-2", r"zo\C3\AB-2"):
        status, _, _ = world.ask("/forward", headers={
            "X-Client-Verify": "SUCCESS", "X-Client-DN": f"CN={name}", "X-Account": "Zoë",
        }, encoding=encoding)  # fmt: skip
        assert status == 204
    other = {"X-Client-Verify": "SUCCESS", "X-Client-DN": "CN=zoë-2", "X-Account": "ana"}
    assert world.ask("/forward", headers=other, encoding=encoding)[0] == 403
    assert world.dovecot("zoë-2", "ZOË")["status"] == 0


def test_refusals_are_in_the_language_that_is_known(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("user,language,account\nuser1@example.org,nl,ana\n")
    estate = ESTATE + "devices: {people: people.csv, contact: helpdesk}\n"
    world = World(tmp_path, has(1), phone(2, owners=("user1@example.org",)), estate=estate)
    assert world.dovecot("d1", "ana")["msg"].startswith(f"TikTok ({TIKTOK}) staat op phone 1.")
    assert world.dovecot("d1", "ana")["msg"].endswith("Vragen: helpdesk.")
    assert world.dovecot("d2", "ana")["status"] == 0
    nobody = world.ask("/forward", headers={"Accept-Language": "nl-NL,en;q=0.5"})
    assert b"welk apparaat" in nobody[2]


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/dovecot", b"{}", {"X-API-Key": "wrong"}, 401),
        ("/dovecot", b"{", {}, 400),
        ("/dovecot", b'{"device": 7}', {}, 400),
        ("/dovecot", b"x" * 70_000, {}, 400),
        ("/elsewhere", b"", {}, 404),
        ("/health", b"", {"X-API-Key": ""}, 200),
    ],
)
def test_what_is_no_question_is_not_answered(
    world: World, path: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    got, _, answer = world.ask(path, body, headers)
    assert got == status
    if path == "/dovecot" and status == 400:
        assert json.loads(answer)["status"] == -1


@pytest.mark.parametrize(("when", "status"), [("closed", -1), ("open", 0)])
def test_what_cannot_be_decided_is_as_the_mandate_says(
    tmp_path: Path, when: str, status: int
) -> None:
    mandate = MANDATE.replace("      by:", f"      when_down: {when}\n      by:")
    world = World(tmp_path, phone(2), mandate=mandate)
    world.enforcer.point.table = None
    before = len(entries(world.file, "device_decisions"))
    answer = world.dovecot("d2")
    assert answer["status"] == status
    assert world.ask("/health")[0] == 503
    written = entries(world.file, "device_decisions")[before:]
    if when == "open":  # in the log before it was answered
        (entry,) = written
        assert (entry["opened"], entry["count"], entry["reason"]) == (True, 1, "undecided")
    else:
        assert written == []
        assert "cannot be decided" in answer["msg"]


def test_decisions_are_counted_in_the_log_without_names(world: World) -> None:
    for device, account in (("d1", "user1"), ("d1", "user1"), ("d2", "user2"), ("d9", "")):
        world.dovecot(device, account)
    world.enforcer.tally.write()
    world.enforcer.tally.write()
    found = {(e["reason"], e["allowed"]): (e["count"], e["devices"])
             for e in entries(world.file, "device_decisions")}  # fmt: skip
    assert found == {
        ("present", False): (2, 1), ("absent", True): (1, 0), ("unknown_device", False): (1, 0)
    }  # fmt: skip
    assert "user1" not in json.dumps(entries(world.file, "device_decisions"))


def test_a_log_that_cannot_be_written_loses_no_count(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.dovecot("d1", "user1")
    with monkeypatch.context() as patch:
        patch.setattr("domicile.evidence.place.open_log", _fail)
        with pytest.raises(OSError, match="full"):
            world.enforcer.tally.write()
    world.enforcer.tally.write()
    (entry,) = entries(world.file, "device_decisions")
    assert (entry["count"], entry["devices"]) == (1, 1)


def _fail(*arguments: object) -> None:
    raise OSError("full")


def test_the_clock_alone_refuses_and_it_is_recorded(tmp_path: Path) -> None:
    world = World(tmp_path, has(1), phone(2), now=DEADLINE - DAY)
    assert settle_now(world.file, DEADLINE - DAY) == []
    (change,) = settle_now(world.file, DEADLINE)
    assert change.refused
    assert entries(world.file, "device_standing")[-1]["reason"] == "present"
    assert settle_now(world.file, DEADLINE) == []


def test_without_a_ban_that_blocks_there_is_nothing_to_enforce(tmp_path: Path) -> None:
    file = write_estate(tmp_path, mandate=MANDATE.replace("otherwise: block", "otherwise: notify"))
    with pytest.raises(UsageError, match="asks to block a device"):
        Enforcer(file, "k")


def test_closed_when_the_devices_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, said = World(tmp_path, phone(1)), list[str]()
    enforcer = world.enforcer
    enforcer.warn = said.append
    enforcer.close_when_blind()
    assert enforcer.point.table is not None
    run(world.file, Source([phone(1), phone(2)]), AFTER + DAY)
    for file in enforcer.state.glob("devices.sqlite*"):
        file.write_bytes(b"damaged" * 4096)
    for _ in range(2):
        assert not asyncio.run(enforcer._try("look", enforcer.look))
    assert len(said) == 1
    monkeypatch.setattr(enforce, "BLIND", -1.0)
    enforcer.close_when_blind()
    assert enforcer.point.table is None


class Ends(Sessions):
    """Ends sessions, or does not."""

    def __init__(self) -> None:
        self.works, self.asked = True, list[str]()

    async def end(self, accounts: Sequence[str]) -> set[str]:
        self.asked += accounts
        return set(accounts) if self.works else set()


def test_sessions_are_ended_at_the_start_and_tried_again(tmp_path: Path) -> None:
    world, ends = World(tmp_path, phone(1, hits={KEY: TIKTOK}), phone(2)), Ends()
    world.enforcer.sessions, ends.works = ends, False
    for _ in range(2):
        asyncio.run(world.enforcer.end_sessions())
    assert len(ends.asked) == 2
    ends.works = True
    for _ in range(2):
        asyncio.run(world.enforcer.end_sessions())
    assert len(ends.asked) == 3
    assert [e["outcome"] for e in entries(world.file, "device_sessions")] == ["failed", "done"]
    run(world.file, Source([phone(1, hits={KEY: TIKTOK}), phone(2, hits={KEY: TIKTOK})]), AFTER)
    asyncio.run(world.enforcer.end_sessions())
    assert len(ends.asked) == 3  # whoever came back at once would still be let in
    world.look()
    assert world.dovecot("d2")["status"] == -1
    asyncio.run(world.enforcer.end_sessions())
    assert len(ends.asked) == 4


def test_a_name_is_one_line() -> None:
    assert label(phone(1, name="Ana's\r\nX-Evil:\x00 1")) == "Ana's X-Evil: 1"
    assert label(phone(1, name="\n")) == "d1"


def test_it_ends_when_a_part_of_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world, ports = World(tmp_path, phone(1)), list[int]()

    async def ended() -> None:
        raise RuntimeError

    monkeypatch.setattr(world.enforcer, "_judging", ended)
    with pytest.raises(Stopped, match="start it again"):
        asyncio.run(world.enforcer.run("127.0.0.1", 0, lambda port, _: ports.append(port)))
