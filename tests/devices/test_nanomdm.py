"""Apple devices through NanoMDM: the server and the devices are ours, faithful to the wire."""

from __future__ import annotations

import base64
import json
import plistlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from domicile.devices.ban import compile_ban
from domicile.devices.inventory.answers import ASK_AGAIN, Answers
from domicile.devices.inventory.nanomdm import AT_ONCE, NanomdmInventory
from domicile.devices.model import ClauseKey, Device
from domicile.devices.sync import sync
from domicile.errors import FleetError, Stopped
from domicile.estate.load import load_estate
from domicile.evidence import place
from domicile.law.load import load_mandates
from tests.devices.graph_server import Answer, served
from tests.devices.made import DEADLINE, MANDATE, TIKTOK, write_estate
from tests.devices.nanomdm_server import KEY, SECRET, NanomdmServer, Phone, signed
from tests.devices.test_point import World

CLAUSE = ClauseKey("ban", "remove")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = DEADLINE + DAY
ESTATE = """\
estate: commission
fleets:
  phones: {source: nanomdm, url: "%s", secret: NANO, webhook_secret: HOOK%s}
"""


class Apple:
    """An estate, its NanoMDM with phones, and the decision point that hears the answers."""

    def __init__(self, directory: Path, server: NanomdmServer, mandate: str = MANDATE,
                 more: str = "") -> None:  # fmt: skip
        self.server = server
        estate = ESTATE % (server.url, more)
        self.file = write_estate(directory, estate, mandate)
        self.world: World | None = None
        self.state = place.state_directory(self.file)
        self.waits: list[float] = []
        self.mandate, self.estate, self.directory = mandate, estate, directory

    def inventory(self, now: datetime = NOW) -> NanomdmInventory:
        estate = load_estate(self.file)
        ban = compile_ban(load_mandates(estate), estate)
        (fleet,) = estate.fleets
        return NanomdmInventory(fleet, ban, self.state, now, sleep=self.waits.append)

    def read(self, now: datetime = NOW, cursor: str = "") -> dict[str, Device]:
        pages = list(self.inventory(now).pages(cursor))
        self.cursors = [page.cursor for page in pages]
        return {device.id: device for page in pages for device in page.devices}

    def post(self, body: bytes, signature: str, fleet: str = "phones") -> int:
        if self.world is None:
            self.world = World.__new__(World)
            self.world.enforcer = enforcer(self.file)
        headers = {"X-Hmac-Signature": signature, "X-API-Key": ""}
        return self.world.ask(f"/nanomdm/{fleet}", body, headers)[0]

    def connect(self) -> list[int]:
        """All phones connect, and all their answers are delivered."""
        return [self.post(*delivery) for delivery in self.server.deliver()]


def enforcer(file: Path) -> Any:
    from domicile.devices.enforce import Enforcer

    return Enforcer(file, "k" * 64, clock=lambda: NOW + HOUR)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[NanomdmServer]:
    monkeypatch.setenv("NANO", KEY)
    monkeypatch.setenv("HOOK", SECRET)
    made = NanomdmServer()
    with served(made):
        yield made


def phones(server: NanomdmServer, *made: Phone) -> None:
    server.phones = {phone.id: phone for phone in made}


def seen(found: dict[str, Device]) -> dict[str, tuple[str, bool, bool]]:
    """Of each device its scope, whether it was seen, and whether it has the app."""
    return {id_: (d.scope, d.seen is not None, bool(d.hits)) for id_, d in found.items()}


def test_devices_are_asked_and_their_answers_collected(
    server: NanomdmServer, tmp_path: Path
) -> None:
    phones(
        server, Phone("a", ["com.bank", TIKTOK]), Phone("b", ["com.chess"]),
        Phone("c", [TIKTOK], status="Error"), Phone("d", status="NotNow"),
        Phone("e", [TIKTOK], type="User Enrollment (Device)"),
        Phone("a:u", type="User"), Phone("gone", enabled=False),
    )  # fmt: skip
    apple = Apple(tmp_path, server)
    nothing = ("all", False, False)
    assert seen(apple.read()) == {
        "a": nothing, "b": nothing, "c": nothing, "d": nothing, "e": ("managed", False, False)
    }  # fmt: skip
    assert apple.connect() == [200] * 4
    found = apple.read(NOW + HOUR)
    assert seen(found) == {
        "a": ("all", True, True), "b": ("all", True, False), "c": ("", False, False),
        "d": nothing, "e": ("managed", False, False),
    }  # fmt: skip
    assert found["a"].hits == {CLAUSE: TIKTOK}
    assert (found["e"].ownership, found["a"].ownership) == ("personal", "")


def test_only_forbidden_identifiers_leave_a_device(server: NanomdmServer, tmp_path: Path) -> None:
    phone = Phone("a", ["com.bank", TIKTOK, "com.dating"])
    phones(server, phone, Phone("e", [TIKTOK], type="User Enrollment (Device)"))
    apple = Apple(tmp_path, server)
    apple.read()
    apple.connect()
    assert phone.reported == [TIKTOK]
    assert (server.phones["e"].queue, server.phones["e"].reported) == ([], [])
    (command,) = server.commands
    assert command["Command"]["Identifiers"] == [TIKTOK]


def test_the_command_is_as_apple_describes_it(
    server: NanomdmServer, tmp_path: Path, shared: Path
) -> None:
    phones(server, Phone("a"))
    Apple(tmp_path, server).read()
    file = shared / "fleets" / "apple" / "application.installed.list.yaml"
    described = yaml.safe_load(file.read_text("utf-8"))
    keys = {each["key"]: each for each in described["payloadkeys"]}
    body = dict(server.commands[0]["Command"])
    assert body.pop("RequestType") == described["payload"]["requesttype"]
    types = {"<array>": list, "<boolean>": bool}
    assert all(isinstance(value, types[keys[key]["type"]]) for key, value in body.items())
    assert set(body["Items"]) <= set(keys["Items"]["subkeys"][0]["rangelist"])


def test_each_is_asked_once_a_day_and_again_when_it_stays_silent(
    server: NanomdmServer, tmp_path: Path
) -> None:
    phones(server, *(Phone(f"p{n}") for n in range(AT_ONCE + 1)))
    server.page = 1000
    apple = Apple(tmp_path, server)
    apple.read()
    assert [len(c.queue) for c in server.phones.values()] == [1] * (AT_ONCE + 1)
    assert len(server.commands) == 2
    apple.read(NOW + DAY)
    assert len(server.commands) == 2  # they wait in the queue
    apple.read(NOW + ASK_AGAIN + HOUR)
    assert len(server.commands) == 4
    apple.connect()
    apple.read(NOW + 2 * HOUR)
    assert len(server.commands) == 4
    found = apple.read(NOW + ASK_AGAIN + DAY)
    assert len(server.commands) == 6
    assert all(device.seen is not None for device in found.values())


def test_who_a_device_belongs_to_is_in_a_file_of_the_institution(
    server: NanomdmServer, tmp_path: Path
) -> None:
    phones(server, Phone("a", serial="SERIAL1"), Phone("b", serial="SERIAL2"), Phone("c"))
    (tmp_path / "apple.csv").write_text(
        "id,name,owner,ownership,platform,group,alias\n"
        "SERIAL1,Ana's phone,Ana@example.org,corporate,iOS,field,asset-7\n"
        "asset-8,,ana@example.org; bob@example.org,corporate,macOS,,SERIAL2\n",
        encoding="utf-8",
    )
    found = Apple(tmp_path, server, more=", file: apple.csv, ownership: contractor").read()
    one = found["a"]
    assert (one.owners, one.name, one.group) == (("ana@example.org",), "Ana's phone", "field")
    assert (one.aliases, one.platform) == (("SERIAL1", "asset-7"), "ios")
    assert found["b"].owners == ("ana@example.org", "bob@example.org")
    assert found["b"].aliases == ("SERIAL2", "asset-8")
    assert (found["c"].owners, found["c"].ownership) == ((), "contractor")
    (tmp_path / "apple.csv").write_text(f"id,app\nSERIAL2,{TIKTOK}\n")
    with pytest.raises(FleetError, match="its file says which apps"):
        Apple(tmp_path, server, more=", file: apple.csv").read()


def test_an_app_that_was_seen_stays_until_it_is_seen_to_be_gone(
    server: NanomdmServer, tmp_path: Path
) -> None:
    phone = Phone("a", [TIKTOK])
    phones(server, phone)
    apple = Apple(tmp_path, server)
    apple.read()
    apple.connect()
    phone.status, phone.apps = "Error", []
    apple.read(NOW + DAY)
    apple.connect()
    assert seen(apple.read(NOW + DAY)) == {"a": ("", False, True)}
    phone.status, server.now = "Acknowledged", "2023-03-16T06:30:00Z"
    apple.read(NOW + 3 * DAY)
    apple.connect()
    assert seen(apple.read(NOW + 3 * DAY)) == {"a": ("all", True, False)}


def test_an_answer_counts_for_what_was_asked(server: NanomdmServer, tmp_path: Path) -> None:
    phone = Phone("a", ["com.other"])
    phones(server, phone)
    apple = Apple(tmp_path, server)
    apple.read()
    apple.connect()
    more = MANDATE.replace("ios: com.zhiliaoapp.musically", f"ios: [{TIKTOK}, com.other]")
    apple = Apple(tmp_path, server, more)
    assert seen(apple.read(NOW + HOUR)) == {"a": ("all", False, False)}
    apple.connect()
    assert seen(apple.read(NOW + HOUR)) == {"a": ("all", True, True)}


def test_a_ban_without_identifiers_sees_nothing(server: NanomdmServer, tmp_path: Path) -> None:
    phones(server, Phone("a", [TIKTOK]))
    apple = Apple(tmp_path, server, MANDATE.replace("        ios: com.zhiliaoapp.musically\n", ""))
    assert seen(apple.read()) == {"a": ("", False, False)}
    assert server.commands == []


def test_owners_who_ask_for_another_look_get_one(server: NanomdmServer, tmp_path: Path) -> None:
    phones(server, Phone("a", [TIKTOK]))
    apple = Apple(tmp_path, server)
    sync(apple.file, now=NOW)
    apple.connect()
    assert sync(apple.file, now=NOW + HOUR)["fleets"][0]["present"] == 1
    from domicile.devices.record import DeviceRecord

    record = DeviceRecord(apple.state)
    with record.transaction():
        record.ask_look(("phones", "a"), NOW + 2 * HOUR)
    record.close()
    server.phones["a"].apps = []
    assert sync(apple.file, now=NOW + 3 * HOUR)["fleets"][0]["present"] == 1
    server.now = "2023-03-16T09:00:00Z"
    assert apple.connect() == [200]
    assert sync(apple.file, now=NOW + 4 * HOUR)["fleets"][0]["restored"] == 1


def test_silent_devices_are_stale_and_managed_ones_not_observable(
    server: NanomdmServer, tmp_path: Path
) -> None:
    phones(server, Phone("a"), Phone("b", type="User Enrollment (Device)"), Phone("c"))
    apple = Apple(tmp_path, server)
    sync(apple.file, now=NOW)
    server.phones["a"].status = "NotNow"
    server.phones["c"].status = "Error"
    apple.connect()
    (fleet,) = sync(apple.file, now=NOW + HOUR)["fleets"]
    assert (fleet["stale"], fleet["not_observable"], fleet["absent"]) == (1, 2, 0)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5])
def test_pages_and_going_on_from_any(server: NanomdmServer, tmp_path: Path, count: int) -> None:
    phones(server, *(Phone(f"p{n}") for n in range(count)))
    apple = Apple(tmp_path, server)
    assert len(apple.read()) == count
    whole = apple.cursors
    for done, cursor in enumerate(whole[:-1], start=1):
        apple.read(cursor=cursor)
        assert apple.cursors == whole[done:]
    assert [len(phone.queue) for phone in server.phones.values()] == [1] * count


def test_a_page_that_repeats_ends(server: NanomdmServer, tmp_path: Path) -> None:
    phones(server, *(Phone(f"p{n}") for n in range(5)))
    server.repeats = True
    with pytest.raises(FleetError, match="back to an earlier one"):
        Apple(tmp_path, server).read()


@pytest.mark.parametrize(
    "broken",
    [(429, {"Retry-After": "3"}, b""), (429, {}, b""), (503, {}, b""),
     (200, {}, b'{"enrollments": [{"id":'), (200, {"Content-Length": "9999"}, b"{}")],
)  # fmt: skip
@pytest.mark.parametrize("at", ["/v1/enrollments", "/v1/enqueue"])
def test_what_passes_is_waited_for(
    server: NanomdmServer, tmp_path: Path, broken: Answer, at: str
) -> None:
    phones(server, *(Phone(f"p{n}") for n in range(3)))
    failed: list[str] = []

    def once(path: str, number: int) -> Answer | None:
        if path.startswith(at) and not failed:
            failed.append(path)
            return broken
        return None

    server.fault = once
    apple = Apple(tmp_path, server)
    assert len(apple.read()) == 3
    assert len(apple.waits) == 1
    server.fault = lambda path, number: broken
    with pytest.raises(Stopped):
        apple.read(NOW + 30 * DAY)


def test_a_run_that_stops_while_asking_asks_the_rest(server: NanomdmServer, tmp_path: Path) -> None:
    phones(server, *(Phone(f"p{n}", [TIKTOK]) for n in range(AT_ONCE + 5)))
    server.page = 1000
    apple = Apple(tmp_path, server)
    server.fault = lambda path, n: (503, {}, b"") if f"p{AT_ONCE}" in path else None
    with pytest.raises(Stopped):
        apple.read()
    server.fault = lambda path, number: None
    apple.read()
    assert [len(phone.queue) for phone in server.phones.values()] == [1] * (AT_ONCE + 5)
    apple.connect()
    assert all(device.hits for device in apple.read(NOW + HOUR).values())


def test_some_queues_take_nothing(server: NanomdmServer, tmp_path: Path) -> None:
    phones(server, Phone("a"), Phone("b"), Phone("c"))
    server.page, server.refused, server.unpushed = 10, {"b"}, {"c"}
    apple = Apple(tmp_path, server)
    assert len(apple.read()) == 3
    server.refused = set()
    apple.read(NOW + HOUR)
    assert [len(phone.queue) for phone in server.phones.values()] == [1, 1, 1]


def test_a_command_that_nobody_takes_is_an_error(server: NanomdmServer, tmp_path: Path) -> None:
    phones(server, Phone("a"))
    refused = json.dumps({"command_error": "disk full of secrets"}).encode()
    server.fault = lambda path, n: (500, {}, refused) if "enqueue" in path else None
    with pytest.raises(FleetError, match="did not take the command") as caught:
        Apple(tmp_path, server).read()
    assert "secrets" not in str(caught.value)
    again = [1]
    server.fault = lambda path, n: (
        (500, {}, refused) if "enqueue" in path and again and again.pop() else None
    )
    Apple(tmp_path, server).read()  # the second command is another
    assert len(server.phones["a"].queue) == 1


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b"", "did not accept the token"),
        (404, b"404 page not found", "answered 404"),
        (200, b"{}", "missing required field `enrollments`"),
        (200, b'{"enrollments": [{"id": 7, "type": "Ana"}]}', "Expected `str`, got `int`"),
        (200, b'{"enrollments": null}', "Expected `array`, got `null`"),
    ],
)
def test_refusals_and_strange_answers_are_one_error(
    server: NanomdmServer, tmp_path: Path, status: int, body: bytes, said: str
) -> None:
    server.fault = lambda path, number: (status, {}, body)
    with pytest.raises(FleetError, match=said) as caught:
        Apple(tmp_path, server).read()
    assert "Ana" not in str(caught.value)
    assert KEY not in str(caught.value)


# The webhook.


@pytest.fixture
def asked(server: NanomdmServer, tmp_path: Path) -> Apple:
    """A phone with the app that has been asked, and whose answer has not come."""
    phones(server, Phone("a", [TIKTOK]), Phone("b"))
    apple = Apple(tmp_path, server)
    apple.read()
    return apple


def answers(apple: Apple) -> int:
    kept = Answers(apple.state)
    try:
        (count,) = kept.connection.execute("SELECT count(*) FROM answer").fetchone()
        return int(count)
    finally:
        kept.close()


def absent(apple: Apple, **fields: Any) -> dict[str, Any]:
    """A well-formed answer of phone a that it does not have the app."""
    phone = apple.server.phones["a"]
    uuid = apple.server.commands[0]["CommandUUID"]
    payload = {"CommandUUID": uuid, "Status": "Acknowledged", "UDID": "a",
               "InstalledApplicationList": []}  # fmt: skip
    return apple.server.event(phone, uuid, plistlib.dumps(payload), **fields)


def test_a_forged_delivery_changes_nothing(asked: Apple) -> None:
    body, good = signed(absent(asked))
    for signature in ("", "x", good[:-4], good[::-1], signed(body, "guessed")[1],
                      base64.b64encode(b"").decode(), good + "AAAA"):  # fmt: skip
        assert asked.post(body, signature) == 401
    assert asked.post(body + b" ", good) == 401
    assert asked.post(body, good, "other") == 404
    assert answers(asked) == 0
    assert asked.post(body, good) == 200
    assert answers(asked) == 1


def test_nothing_is_taken_without_a_secret(asked: Apple, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", "")
    assert asked.post(*signed(absent(asked), "")) == 503
    assert answers(asked) == 0


def test_a_delivery_that_comes_again_says_nothing(asked: Apple) -> None:
    (first, *_) = list(asked.server.deliver())
    assert asked.post(*first) == 200
    assert asked.post(*first) == 200
    assert asked.post(*signed(absent(asked))) == 200  # the same command, answered already
    assert answers(asked) == 1
    assert asked.read(NOW + HOUR)["a"].hits


def test_answers_of_others_are_not_looked_into(asked: Apple) -> None:
    phone = asked.server.phones["a"]
    apps = [{"Identifier": "com.dating"}]
    theirs = payload(CommandUUID="theirs", InstalledApplicationList=apps)
    for event in (
        asked.server.event(phone, "theirs", theirs),
        asked.server.event(phone, "", b"<plist/>"),
        {**absent(asked), "topic": "mdm.TokenUpdate"},
        {"topic": "mdm.CheckOut", "created_at": "", "checkin_event": {"udid": "a"}},
        asked.server.event(Phone("z"), asked.server.commands[0]["CommandUUID"], b""),
        absent(asked, status="Idle"),
    ):
        assert asked.post(*signed(event)) == 200
    assert answers(asked) == 0
    found = b"".join(file.read_bytes() for file in asked.state.rglob("*") if file.is_file())
    assert b"dating" not in found


def payload(**fields: Any) -> bytes:
    """A plist of phone a with other fields; its command's id is put in by the test."""
    whole = {"CommandUUID": "UUID", "Status": "Acknowledged", "UDID": "a",
             "InstalledApplicationList": [], **fields}  # fmt: skip
    return plistlib.dumps({key: value for key, value in whole.items() if value is not None})


@pytest.mark.parametrize(
    "body",
    [
        b"", b"not a plist", b"<plist/>", b"<plist><dict><key>a</key></dict></plist>",
        b'<?xml version="1.0"?><plist><array/></plist>', b"<plist>" + b"<array>" * 5000,
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]><plist><dict><key>&a;</key><true/></dict></plist>',
        plistlib.dumps({"InstalledApplicationList": []}, fmt=plistlib.FMT_BINARY),
        b"<plist><integer>zz</integer></plist>", b"<plist><date>never</date></plist>",
        payload(CommandUUID="another"), payload(UDID="b"), payload(UDID=None),
        payload(InstalledApplicationList=None), payload(InstalledApplicationList={"a": 1}),
        payload(InstalledApplicationList=["com.chess"]), payload(InstalledApplicationList="x"),
    ],
)  # fmt: skip
def test_what_no_device_answers_leaves_what_was_known(asked: Apple, body: bytes) -> None:
    uuid = asked.server.commands[0]["CommandUUID"]
    raw = base64.b64encode(body.replace(b"UUID</string>", uuid.encode() + b"</string>")).decode()
    assert asked.post(*signed(absent(asked, raw_payload=raw))) == 400
    assert answers(asked) == 0
    assert asked.read(NOW + HOUR)["a"].seen is None
    assert asked.connect() == [200, 200]  # the device's own answer still counts
    assert asked.read(NOW + HOUR)["a"].hits


@pytest.mark.parametrize(
    "event",
    [b"", b"{", b"[]", b'{"topic": 7}', b'{"topic": "mdm.Connect", "acknowledge_event": []}',
     b'{"topic": "mdm.Connect", "acknowledge_event": {"status": "Acknowledged"}}', b"\xff\xfe",
     b'{"topic": "mdm.Connect", "acknowledge_event": {"status": "X", "raw_payload": null}}'],
)  # fmt: skip
def test_an_event_that_is_none_is_refused(asked: Apple, event: bytes) -> None:
    assert asked.post(*signed(event or b" ")) == 400
    assert answers(asked) == 0


def test_odd_apps_in_an_answer(asked: Apple) -> None:
    uuid = asked.server.commands[0]["CommandUUID"]
    apps: list[dict[str, Any]] = [
        {}, {"Identifier": 2**62}, {"Identifier": True}, {"Name": "no identifier"},
        {"Identifier": "com.dating"}, {"Identifier": TIKTOK.upper()}, {"Identifier": TIKTOK},
        {"Identifier": "\u202e<script>"},
    ]  # fmt: skip
    body = payload(CommandUUID=uuid, InstalledApplicationList=apps)
    event = absent(asked, raw_payload=base64.b64encode(body).decode())
    assert asked.post(*signed(event)) == 200
    assert asked.read(NOW + HOUR)["a"].hits == {CLAUSE: TIKTOK}
    found = b"".join(file.read_bytes() for file in asked.state.rglob("*") if file.is_file())
    assert b"dating" not in found
    assert b"script" not in found


def test_an_unknown_status_is_no_answer(asked: Apple) -> None:
    assert asked.post(*signed(absent(asked, status="Maybe"))) == 400
    assert answers(asked) == 0


@pytest.mark.parametrize(
    ("created", "fresh"),
    [
        ("2023-03-16T00:30:00Z", True),
        ("2999-01-01T00:00:00Z", True),  # ahead of us: taken for now
        ("2023-01-01T00:00:00Z", False),  # behind: as old as it says
        ("0001-01-01T00:00:00Z", False),
        ("soon", False),
        ("", False),
    ],
)
def test_a_clock_that_is_wrong_makes_nothing_fresh(asked: Apple, created: str, fresh: bool) -> None:
    event = {**absent(asked), "created_at": created}
    assert asked.post(*signed(event)) == 200
    (fleet,) = sync(asked.file, now=NOW + 2 * HOUR)["fleets"]
    assert (fleet["absent"], fleet["stale"]) == ((1, 1) if fresh else (0, 2))


def test_a_late_answer_takes_no_finding_away(server: NanomdmServer, tmp_path: Path) -> None:
    phone = Phone("a", [TIKTOK])
    phones(server, phone)
    apple = Apple(tmp_path, server)
    apple.read()
    apple.connect()
    phone.apps = []
    server.now = "2023-03-15T06:00:00Z"  # before the first
    apple.read(NOW + DAY)
    apple.connect()
    assert apple.read(NOW + DAY)["a"].hits
    server.now = "2023-03-16T07:00:00Z"
    apple.read(NOW + 2 * DAY)
    apple.connect()
    assert not apple.read(NOW + 2 * DAY)["a"].hits


def test_older_versions_of_nanomdm_tell_no_ids(server: NanomdmServer, tmp_path: Path) -> None:
    phones(server, Phone("a", [TIKTOK]))
    apple = Apple(tmp_path, server)
    apple.read()
    ((body, _),) = list(server.deliver())
    event = json.loads(body)
    del event["acknowledge_event"]["ids"]
    assert apple.post(*signed(event)) == 200
    assert apple.read(NOW + HOUR)["a"].hits


def test_a_file_that_cannot_be_written_asks_to_come_again(
    asked: Apple, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> bool:
        raise Stopped("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(Answers, "answered", full)
        assert asked.post(*signed(absent(asked))) == 503
    assert asked.post(*signed(absent(asked))) == 200
    assert answers(asked) == 1


def test_the_file_is_for_its_owner_only(asked: Apple) -> None:
    assert (asked.state / "apple.sqlite").stat().st_mode & 0o777 == 0o600


def test_an_answer_does_not_make_the_point_read_all_devices_again(asked: Apple) -> None:
    from domicile.devices.record import DeviceRecord

    record = DeviceRecord(asked.state)
    before = record.version()
    assert asked.connect() == [200, 200]
    assert record.version() == before
    record.close()


def test_a_declaration_without_a_webhook_secret(tmp_path: Path) -> None:
    from domicile.errors import DeclarationError

    file = write_estate(tmp_path, ESTATE.replace(", webhook_secret: HOOK", "") % ("http://h", ""))
    with pytest.raises(DeclarationError, match="webhook_secret is missing"):
        load_estate(file)
