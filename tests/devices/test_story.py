"""The whole story with a clock that is set: an app is forbidden from 15 March on, 40 people with 60
devices are told, and at the deadline mail, web mail and calls are cut off for who keeps it, by
Debian's own Dovecot, nginx, Postfix and unbound, until the app is gone."""

from __future__ import annotations

import csv
import imaplib
import json
import os
import re
import smtplib
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from domicile.cli.main import main
from domicile.demo.postgres import free_port
from domicile.devices.policy.render import render
from domicile.devices.signals.token import COMPLIANCE
from tests.devices.certificates import Authority
from tests.devices.daemons import Daemon, directory, dovecot, nginx, postfix
from tests.devices.enforcing import Running, enforcing
from tests.devices.made import DEADLINE, MANDATE, TIKTOK, write_estate
from tests.devices.mailbox import Mailbox, mailbox
from tests.devices.resolver import ask, unbound
from tests.devices.test_servers import PATIENCE, is_open, wait_until
from tests.devices.test_signals import Receiver, decoded_claims, receiving
from tests.devices.test_sync import entries

DAY = timedelta(days=1)
PEOPLE, DEVICES = 40, 60
HAVE = range(1, 13)  # devices with the app when the ban is announced
UNSEEN = range(13, 17)  # private phones, of which nobody sees the apps
ROOT = os.geteuid() == 0

ESTATE = """\
estate: institution
fleets:
  phones: {{source: csv, file: phones.csv}}
devices:
  people: people.csv
  contact: helpdesk
  page: http://127.0.0.1:{point}
  point: http://127.0.0.1:{point}
  mail: {{server: "smtp://127.0.0.1:{smtp}", from: it@example.org}}
  signals:
    send: [{{to: calls, url: "http://127.0.0.1:{calls}/events", audience: calls}}]
"""


@dataclass
class Institution:
    """People, devices, servers; and a clock."""

    folder: Path
    box: Mailbox
    calls: Receiver
    stack: ExitStack
    capsys: pytest.CaptureFixture[str]
    port: int = field(default_factory=free_port)
    policy_port: int = field(default_factory=free_port)
    with_app: set[int] = field(default_factory=lambda: set(HAVE))
    servers: dict[str, Daemon] = field(default_factory=dict)

    def declare(self) -> None:
        self.file = write_estate(
            self.folder,
            ESTATE.format(point=self.port, smtp=self.box.port, calls=self.calls.port),
            MANDATE.replace("effective: 2023-02-23", "effective: 2023-02-01").replace(
                "      by:", "      block_traffic: true\n      by:"
            ),
        )
        with (self.folder / "people.csv").open("w", newline="") as out:
            lines = csv.writer(out)
            lines.writerow(["user", "language", "account"])
            for n in range(1, PEOPLE + 1):
                lines.writerow([f"p{n}@example.org", "nl" if n % 2 else "en", f"p{n}"])

    def sync(self, now: datetime) -> dict[str, Any]:
        """The inventory of that moment is read: every device has just reported."""
        with (self.folder / "phones.csv").open("w", newline="") as out:
            lines = csv.writer(out)
            lines.writerow(["id", "name", "owner", "ownership", "platform", "scope", "seen", "app"])
            for n in range(1, DEVICES + 1):
                lines.writerow([
                    f"d{n}", f"phone {n}", f"p{owner(n)}@example.org",
                    "personal" if n in UNSEEN else "corporate", "android" if n % 2 else "ios",
                    "managed" if n in UNSEEN else "all", now.isoformat(),
                    TIKTOK if n in self.with_app else "com.example.notes",
                ])  # fmt: skip
        (fleet,) = self.run("sync", now)["fleets"]
        found: dict[str, Any] = fleet
        return found

    def notify(self, now: datetime) -> Counter[str]:
        """How many notices of each stage were sent."""
        document = self.run("notify", now)
        assert document["unreachable"] == []
        assert {line["outcome"] for line in document["sent"]} <= {"sent"}
        return Counter({line["stage"]: line["notices"] for line in document["sent"]})

    def run(self, command: str, now: datetime) -> dict[str, Any]:
        where = ["--estate", str(self.file), "--at", now.isoformat(), "--json"]
        assert main(["devices", command, *where]) == 0
        document: dict[str, Any] = json.loads(self.capsys.readouterr().out)
        return document

    def serve(self) -> None:
        """Dovecot, nginx and Postfix, each with the settings that Domicile renders."""
        url = f"http://127.0.0.1:{self.port}"
        mail, web = (self.stack.enter_context(directory(f"dom-{n}-")) for n in ("sm", "sw"))
        authority = Authority(web)
        for name in ("server", "d1", "d41"):
            authority.issue(name)
        self.certificates = web
        self.servers["mail"] = dovecot(mail, render(self.file, "dovecot", url), {
            f"p{owner(n)}+d{n}": (f"pw-{n}", f"p{owner(n)}", f"d{n}")
            for n in range(1, DEVICES + 1)
        })  # fmt: skip
        self.stack.callback(self.servers["mail"].stop)
        self.servers["web"] = nginx(web, render(self.file, "nginx", url))
        self.stack.callback(self.servers["web"].stop)
        if ROOT:  # others cannot start Postfix
            where = self.stack.enter_context(directory("dom-sp-", as_root=True))
            for file in web.glob("*.[pk]e[my]"):
                (where / file.name).write_bytes(file.read_bytes())
            asked = f"127.0.0.1:{self.policy_port}"
            self.servers["send"] = postfix(where, render(self.file, "postfix", asked))
            self.stack.callback(self.servers["send"].stop)

    def enforce(self, now: datetime) -> Running:
        return self.stack.enter_context(enforcing(
            self.file, now, "--listen", f"127.0.0.1:{self.port}",
            "--postfix", f"127.0.0.1:{self.policy_port}",
            "--doveadm", f"http://127.0.0.1:{self.servers['mail'].ports['http']}",
            "--doveadm-secret", "DOVEADM", environment={"DOVEADM": "kicks"},
        ))  # fmt: skip

    def resolve(self) -> Daemon:
        """unbound with the zone that Domicile renders of the ban."""
        where = self.stack.enter_context(directory("dom-su-"))
        (where / "ban.rpz").write_text(render(self.file, "rpz"))
        daemon = unbound(where, render(self.file, "unbound"))
        self.stack.callback(daemon.stop)
        return daemon

    # What a person with a device meets.

    def read_mail(self, device: int) -> imaplib.IMAP4 | str:
        """An open session, or what the client was told."""
        client = imaplib.IMAP4("127.0.0.1", self.servers["mail"].ports["imap"], timeout=PATIENCE)
        try:
            client.login(f"p{owner(device)}+d{device}", f"pw-{device}")
        except imaplib.IMAP4.error as error:
            client.shutdown()
            (told,) = error.args
            return told.decode() if isinstance(told, bytes) else str(told)
        self.stack.callback(client.shutdown)
        return client

    def web_mail(self, device: int) -> tuple[int, str]:
        with httpx.Client(verify=self._context(device), timeout=PATIENCE) as client:
            answer = client.get(
                f"https://127.0.0.1:{self.servers['web'].ports['https']}/",
                headers={"Accept-Language": "nl"},
            )
        return answer.status_code, answer.text

    def send_mail(self, device: int) -> int:
        """Postfix's answer to a recipient; where it cannot be started, what is not asked."""
        port = self.servers["send"].ports["submission"]
        with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE) as client:
            client.starttls(context=self._context(device))
            client.ehlo()
            client.mail("p1@example.org")
            return client.rcpt("p2@example.org")[0]

    def call(self, point: Running, device: int) -> bool:
        """Whether a call service that asks for itself is told to connect."""
        answer = point.client.post("/access/v1/evaluation", json={
            "subject": {"type": "user", "id": f"p{owner(device)}",
                        "properties": {"device_id": f"d{device}"}},
            "action": {"name": "access"}, "resource": {"type": "app", "id": "calls"},
        })  # fmt: skip
        return bool(answer.json()["decision"])

    def _context(self, device: int) -> ssl.SSLContext:
        where = self.certificates
        context = ssl.create_default_context(cafile=str(where / "ca.pem"))
        context.load_cert_chain(str(where / f"d{device}.pem"), str(where / f"d{device}.key"))
        return context

    def told_calls(self) -> dict[str, str]:
        """What the call service was last told of each device."""
        claims = [decoded_claims(token) for token in self.calls.tokens]
        return {each["sub_id"]["device"]["sub"]: each["events"][COMPLIANCE]["current_status"]
                for each in claims}  # fmt: skip


def owner(device: int) -> int:
    """Whose a device is: the first 20 people have two."""
    return device if device <= PEOPLE else device - PEOPLE


@pytest.fixture
def here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Institution]:
    with mailbox() as box, receiving() as calls, ExitStack() as stack:
        institution = Institution(tmp_path, box, calls, stack, capsys)
        institution.declare()
        yield institution


def test_an_app_is_banned_and_mail_is_at_stake(here: Institution) -> None:
    # In February everybody concerned is told, and reminded while the app stays.
    first = here.sync(DEADLINE - 40 * DAY)
    assert (first["devices"], first["present"], first["not_observable"]) == (60, 12, 4)
    assert here.notify(DEADLINE - 40 * DAY) == {"first": 16}
    assert here.notify(DEADLINE - 39 * DAY) == {}
    here.with_app -= {9, 10, 11, 12}
    here.sync(DEADLINE - 30 * DAY)
    assert here.notify(DEADLINE - 30 * DAY) == {"30": 12}
    here.with_app -= {7, 8}
    here.sync(DEADLINE - 7 * DAY)
    assert here.notify(DEADLINE - 7 * DAY) == {"7": 10}
    here.with_app -= {5, 6}
    here.sync(DEADLINE - DAY)
    assert here.notify(DEADLINE - DAY) == {"1": 8}
    dutch, english = (
        [m for m in here.box.messages if m["To"] == f"p{n}@example.org"] for n in (1, 2)
    )
    assert [len(dutch), len(english)] == [4, 4]
    assert dutch[3]["Subject"].strip().startswith("Morgen verliest phone 1 ")
    assert english[3]["Subject"].strip().startswith("Tomorrow phone 2 loses ")
    told = Counter(here.box.to)
    assert not {f"p{n}@example.org" for n in range(17, 41)} & set(told)  # who has nothing to fear

    # Half an hour before the deadline everything works; two owners give their word.
    here.serve()
    point = here.enforce(DEADLINE - timedelta(minutes=30))
    session = here.read_mail(1)
    assert is_open(session)
    assert here.web_mail(1)[0] == 200
    assert here.call(point, 1)
    for n in (13, 14):
        link = re.search(r"http://\S+/owner/\S+", last(here.box, n))
        assert link is not None
        form = {"fleet": "phones", "id": f"d{n}", "mandate": "ban", "clause": "remove",
                "word": "absent"}  # fmt: skip
        assert httpx.post(link[0], data=form, timeout=PATIENCE).status_code == 303
        other = {**form, "id": "d15"}  # nobody speaks for another's device
        assert httpx.post(link[0], data=other, timeout=PATIENCE).status_code == 403
    stop(point)

    # The deadline passes: what is open is ended by itself.
    point = here.enforce(DEADLINE - timedelta(seconds=2))
    wait_until(lambda: not is_open(session))
    refusal = here.read_mail(1)
    assert refusal == (
        f"[ALERT] TikTok ({TIKTOK}) staat op phone 1. Verwijder de app en laat het apparaat zich"
        " melden; de toegang komt vanzelf terug. Vragen: helpdesk."
    )
    assert f"TikTok ({TIKTOK}) is on phone 2. Remove it" in str(here.read_mail(2))
    assert "Nobody can see whether" in str(here.read_mail(16))
    for n in (41, 5, 13, 30):  # another device of the first; removed; attested; never had it
        assert is_open(here.read_mail(n)), n
    status, said = here.web_mail(1)
    assert (status, said.startswith(f"TikTok ({TIKTOK}) staat op phone 1.")) == (403, True)
    assert here.web_mail(41) == (200, "<h1>Web mail</h1>")
    assert [here.call(point, n) for n in (1, 41)] == [False, True]
    wait_until(lambda: len(here.told_calls()) == 6)
    refused = {f"d{n}" for n in (1, 2, 3, 4, 15, 16)}
    assert here.told_calls() == dict.fromkeys(refused, "not-compliant")
    if ROOT:
        assert [here.send_mail(n) for n in (1, 41)] == [554, 250]
    names = here.resolve()
    answers = [ask(names.ports["dns"], name)[0] for name in ("www.tiktok.com", "other.example")]
    assert answers == ["NXDOMAIN", "NOERROR"]
    assert here.notify(DEADLINE + timedelta(minutes=1)) == {"refused": 6}
    assert "Sinds 15 maart 2023 heeft phone 1 geen toegang" in last(here.box, 1)
    assert "Since 15 March 2023 phone 2 has no access" in last(here.box, 2)

    # The decision point is killed: all is closed, also for who has done nothing wrong.
    point.kill()
    assert not isinstance(here.read_mail(41), imaplib.IMAP4)
    assert here.web_mail(41)[0] == 503
    if ROOT:
        assert here.send_mail(41) == 451
    point = here.enforce(DEADLINE + timedelta(minutes=2))
    assert is_open(here.read_mail(41))
    assert here.web_mail(41)[0] == 200

    # The app is removed from the first phone, and seen to be gone: access comes back by itself.
    here.with_app -= {1}
    assert here.sync(DEADLINE + timedelta(minutes=3))["restored"] == 1
    wait_until(lambda: here.web_mail(1)[0] == 200)
    assert is_open(here.read_mail(1))
    assert here.call(point, 1)
    if ROOT:
        assert here.send_mail(1) == 250
    wait_until(lambda: here.told_calls()["d1"] == "compliant")
    assert "[ALERT]" in str(here.read_mail(2))
    assert here.notify(DEADLINE + timedelta(minutes=4)) == {"restored": 1}
    assert last(here.box, 1).count("toegang") > 0

    # The board's figures, and what the log holds of all this.
    report = here.run("report", DEADLINE + timedelta(minutes=5))
    (day,) = report["days"]
    assert (day["day"], day["refused"], day["restored"]) == ("2023-03-15", 6, 1)
    assert report["clauses"][0]["refused"] == 5
    stop(point)
    ended = entries(here.file, "device_sessions")
    assert {e["outcome"] for e in ended} == {"done"}
    points = {e["point"] for e in entries(here.file, "device_decisions")}
    assert points >= {"dovecot", "forward_auth", "authzen"} | ({"postfix"} if ROOT else set())
    everything = json.dumps([*entries_of(here.file)])
    for personal in ("p1@example.org", "phone 1", '"d41"', "com.example.notes"):
        assert personal not in everything


def entries_of(file: Path) -> Iterator[dict[str, Any]]:
    from domicile.evidence import place

    for _, entry in place.read_log(place.state_directory(file)).entries():
        yield entry


def last(box: Mailbox, person: int) -> str:
    """The last mail to a person."""
    mine = [m for m in box.messages if m["To"] == f"p{person}@example.org"]
    return str(mine[-1].get_content())


def stop(point: Running) -> None:
    point.process.terminate()
    assert point.process.wait(PATIENCE) == 0
