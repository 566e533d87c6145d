"""Owners are told in their language, of their own devices, once a stage, and nobody else."""

from __future__ import annotations

import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from domicile.devices import outbox
from domicile.devices.model import ClauseKey, Device
from domicile.devices.notify import notify
from domicile.errors import Stopped, UsageError
from domicile.evidence import place
from tests.devices.made import DEADLINE, ESTATE, MANDATE, TIKTOK, write_estate
from tests.devices.mailbox import Mailbox, mailbox
from tests.devices.test_sync import Source, entries, phone, run

KEY = ClauseKey("ban", "remove")
DAY = timedelta(days=1)
EARLY = DEADLINE - 40 * DAY
EFFECTIVE = MANDATE.replace("effective: 2023-02-23", "effective: 2023-01-01")


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mailbox() as running:
        yield running


def estate_of(directory: Path, box: Mailbox, mandate: str = EFFECTIVE, more: str = "") -> Path:
    (directory / "people.csv").write_text(
        "user,mail,language,account\nuser1@example.org,ana@example.org,nl,ana\n"
        "nobody,,,\nbea,bea@example.org,en,bea\n",
        encoding="utf-8",
    )
    settings = (
        "devices:\n  people: people.csv\n  contact: helpdesk@example.org\n"
        "  page: https://devices.example.org\n"
        f"  mail: {{server: 'smtp://127.0.0.1:{box.port}', from: it@example.org}}\n"
    )
    return write_estate(directory, ESTATE + settings + more, mandate)


def has(number: int, **fields: Any) -> Device:
    return phone(number, hits={KEY: TIKTOK}, **fields)


def stages(document: dict[str, Any]) -> list[str]:
    return sorted(line["stage"] for line in document["due"])


def test_an_owner_is_told_what_when_and_what_then(tmp_path: Path, box: Mailbox) -> None:
    file = estate_of(tmp_path, box)
    run(file, Source([has(1), has(2), phone(3, seen=EARLY)]), EARLY)
    document = notify(file, now=EARLY)
    assert document["sent"] == [
        {"stage": "first", "channel": "mail", "outcome": "sent", "notices": 2}
    ]
    assert box.to == ["ana@example.org", "user2@example.org"]
    dutch, english = box.messages
    assert dutch["Subject"] == f"TikTok ({TIKTOK}) moet vóór 15 maart 2023 van phone 1 af"
    assert (dutch["Content-Language"], dutch["Auto-Submitted"]) == ("nl", "auto-generated")
    text = english.get_content()
    for said in ("phone 2", TIKTOK, "15 March 2023", "no access to mail and the other services",
                 "give up work on this device", "To object, or to ask: helpdesk@example.org",
                 "https://devices.example.org/owner/"):  # fmt: skip
        assert said in text
    for other in ("phone 1", "ana@", "user1", "phone 3"):
        assert other not in text
    assert "{" not in text + dutch.get_content()


def test_reminders_then_the_end_then_access(tmp_path: Path, box: Mailbox) -> None:
    file = estate_of(tmp_path, box)
    source = Source([has(1)])
    run(file, source, EARLY)
    told = []
    for day in range(-40, 6):
        now = DEADLINE + day * DAY
        if day == 3:
            source.list = [[phone(1, seen=now)]]
        run(file, source, now)
        told += [(day, stage) for stage in stages(notify(file, now=now))]
    assert told == [(-40, "first"), (-30, "30"), (-7, "7"), (-1, "1"), (0, "refused"),
                    (3, "restored")]  # fmt: skip
    assert len(box.messages) == 6
    assert len({message["Message-ID"] for message in box.messages}) == 6
    source.list = [[has(1, seen=DEADLINE + 7 * DAY)]]
    run(file, source, DEADLINE + 7 * DAY)
    assert stages(notify(file, now=DEADLINE + 7 * DAY)) == ["refused"]


def test_late_reminders_are_not_sent_together(tmp_path: Path, box: Mailbox) -> None:
    file = estate_of(tmp_path, box)
    run(file, Source([has(1)]), EARLY)
    notify(file, now=EARLY)
    assert stages(notify(file, now=DEADLINE - 5 * DAY)) == ["7"]
    assert stages(notify(file, now=DEADLINE - 4 * DAY)) == []


@pytest.mark.parametrize(
    ("device", "mandate", "expected"),
    [
        (phone(1, seen=EARLY), EFFECTIVE, []),
        (phone(1, scope="managed"), EFFECTIVE, ["first"]),
        (has(1, ownership="contractor"), EFFECTIVE, []),
        (has(1), EFFECTIVE.replace("otherwise: block", "otherwise: notify"), ["first"]),
        (has(1), EFFECTIVE.replace("otherwise: block", "otherwise: report"), []),
        (has(1), MANDATE, []),  # not in effect yet
        (has(1, owners=()), EFFECTIVE, []),
        (has(1, owners=("a@example.org", "b@example.org")), EFFECTIVE, ["first", "first"]),
    ],
)
def test_who_has_to_act_is_told(
    tmp_path: Path, box: Mailbox, device: Device, mandate: str, expected: list[str]
) -> None:
    file = estate_of(tmp_path, box, mandate)
    run(file, Source([device]), EARLY)
    document = notify(file, now=EARLY, dry_run=True)
    assert stages(document) == expected
    assert box.messages == []
    assert bool(document["unreachable"]) == (not device.owners)


def test_a_kill_between_sending_and_marking_sends_the_same_again(
    tmp_path: Path, box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = estate_of(tmp_path, box)
    run(file, Source([has(1)]), EARLY)
    with monkeypatch.context() as patch:
        patch.setattr(outbox, "mark", lambda record, done: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            notify(file, now=EARLY)
    again = notify(file, now=EARLY + DAY)
    assert (again["due"], again["sent"][0]["notices"]) == ([], 1)
    first, second = box.messages
    assert first["Message-ID"] == second["Message-ID"]
    assert notify(file, now=EARLY + DAY)["sent"] == []


def test_a_server_that_is_down_loses_nothing(tmp_path: Path, box: Mailbox) -> None:
    file = estate_of(tmp_path, box)
    run(file, Source([has(1), has(2), has(3)]), EARLY)
    box.answers = ["250 OK", "451 4.3.0 later"]
    with pytest.raises(Stopped, match=r"mail server 127\.0\.0\.1 takes nothing"):
        notify(file, now=EARLY)
    assert len(box.messages) == 1
    notify(file, now=EARLY)
    assert sorted(box.to) == ["ana@example.org", "user2@example.org", "user3@example.org"]
    outcomes = [entry["outcome"] for entry in entries(file, "device_notice")]
    assert outcomes == ["done"] * 3


def test_one_address_that_is_refused_does_not_stop_the_others(tmp_path: Path, box: Mailbox) -> None:
    file = estate_of(tmp_path, box)
    box.unknown = {"ana@example.org"}
    run(file, Source([has(1), has(2), has(3, owners=("nobody",))]), EARLY)
    document = notify(file, now=EARLY)
    assert {line["outcome"]: line["notices"] for line in document["sent"]} == {
        "sent": 1, "failed": 1
    }  # fmt: skip
    assert document["unreachable"] == [{"fleet": "phones", "id": "d3"}]


def test_nobody_is_named_in_the_log(tmp_path: Path, box: Mailbox) -> None:
    file = estate_of(tmp_path, box)
    run(file, Source([has(1)]), EARLY)
    notify(file, now=EARLY)
    (entry,) = entries(file, "device_notice")
    state = place.state_directory(file)
    person = place.open_commitments(state).person("owner", "user1@example.org")
    assert (entry["person"], entry["stage"], entry["language"]) == (person, "first", "nl")
    assert "ana" not in json.dumps(entry).replace("mandate", "")


def test_a_webhook_is_signed(tmp_path: Path, box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[tuple[dict[str, str], bytes]] = []
    status = [500, 200, 200]

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((dict(self.headers.items()), body))
            self.send_response(status.pop(0))
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name
            return

    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
    try:
        monkeypatch.setenv("HOOK", "hunter2")
        url = f"http://127.0.0.1:{server.server_port}/x"
        file = estate_of(tmp_path, box, more=f"  webhook: {{url: '{url}', secret: HOOK}}\n")
        assert "page: https://devices.example.org" in file.read_text()
        run(file, Source([has(1)]), EARLY)
        with pytest.raises(Stopped, match="the webhook"):
            notify(file, now=EARLY)
        notify(file, now=EARLY)
        # A mail that waits is told of, also when the webhook after it takes all.
        run(file, Source([has(1), has(2)]), EARLY)
        box.answers = ["451 4.3.0 later"]
        with pytest.raises(Stopped, match="the mail server"):
            notify(file, now=EARLY)
    finally:
        server.shutdown()
        server.server_close()
    assert len(box.messages) == 1  # mail went the first time
    (first, _), (headers, body), _ = got
    assert headers["X-Domicile-Delivery"] == first["X-Domicile-Delivery"]
    signature = hmac.new(b"hunter2", body, "sha256").hexdigest()
    assert headers["X-Domicile-Signature"] == f"sha256={signature}"
    document = json.loads(body)
    assert b"/owner/" not in body  # the link is its owner's alone
    assert (document["owner"], document["device"]["id"], document["stage"]) == (
        "user1@example.org", "d1", "first"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("people", "said"),
    [
        ("name\nx\n", "got 'name' in its heading"),
        ("user,mail\na,x\na,y\n", "line 3: no user, or one twice"),
        ("user,mail\na,x,y,z\n", "line 2"),
        (None, "cannot be read"),
    ],
)
def test_people_that_cannot_be_read(
    tmp_path: Path, box: Mailbox, people: str | None, said: str
) -> None:
    file = estate_of(tmp_path, box)
    run(file, Source([has(1)]), EARLY)
    if people is None:
        (tmp_path / "people.csv").unlink()
    else:
        (tmp_path / "people.csv").write_text(people, encoding="utf-8")
    with pytest.raises(UsageError, match=said):
        notify(file, now=EARLY)


def test_no_password_goes_over_an_open_line(
    tmp_path: Path, box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from domicile.devices.send import LOOPBACK, MailChannel
    from domicile.devices.words import Message
    from domicile.estate.model import Mail

    assert "127.0.0.1" in LOOPBACK
    monkeypatch.setattr("domicile.devices.send.LOOPBACK", ())
    monkeypatch.setenv("SMTP", "hunter2")
    channel = MailChannel(Mail(f"smtp://127.0.0.1:{box.port}", "it@example.org", "it", "SMTP"))
    with pytest.raises(UsageError, match="offers no TLS"):
        channel.send(Message("s", "t"), to="a@example.org", language="en", identity="x", facts={},
                     now=EARLY)  # fmt: skip
    with pytest.raises(UsageError, match="MISSING is not set"):
        MailChannel(replace(channel.mail, secret="MISSING"))


def test_without_a_way_to_tell(tmp_path: Path) -> None:
    file = write_estate(tmp_path)
    run(file, Source([has(1)]), datetime.fromisoformat("2023-03-01T00:00:00Z"))
    with pytest.raises(UsageError, match="no way to tell owners"):
        notify(file)
