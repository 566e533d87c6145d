"""Debian's own Dovecot, nginx, Postfix and Caddy, with the decision point as its own process."""

from __future__ import annotations

import asyncio
import imaplib
import os
import smtplib
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from domicile.devices.dovecot import Sessions
from domicile.devices.model import ClauseKey
from domicile.devices.policy.render import render
from tests.devices.certificates import Authority
from tests.devices.daemons import Daemon, caddy, directory, dovecot, nginx, postfix
from tests.devices.enforcing import Running, enforcing
from tests.devices.made import DEADLINE, ESTATE, TIKTOK, write_estate
from tests.devices.test_sync import Source, entries, phone, run

KEY = ClauseKey("ban", "remove")
SOON = DEADLINE - timedelta(minutes=30)
PATIENCE = 20.0


class Institution:
    """Ana with two devices, Bea with one; Dovecot, nginx, and the decision point."""

    def __init__(self, tmp: Path, stack: ExitStack) -> None:
        self.tmp, self.stack = tmp, stack
        (tmp / "people.csv").write_text(
            "user,language,account\nana@example.org,nl,ana\nbea@example.org,en,bea\n"
        )
        self.file = write_estate(tmp, ESTATE + "devices: {people: people.csv, contact: '1234'}\n")
        self.inventory({"d17"})
        self.started = time.monotonic()
        self.mail: Daemon
        self.web: Daemon

    def inventory(self, with_app: set[str], ahead: timedelta = timedelta()) -> None:
        """What the management system reports: all of them, and who has the app."""
        now = SOON + ahead
        devices = [("d17", "ana"), ("d18", "ana"), ("d20", "bea")]
        run(self.file, Source([
            phone(0, id=id_, name=f"telefoon {id_}", aliases=(), owners=(f"{who}@example.org",),
                  seen=now, hits={KEY: TIKTOK} if id_ in with_app else {})
            for id_, who in devices
        ]), now)  # fmt: skip

    def serve(self, point: Running) -> None:
        mail, web = (self.stack.enter_context(directory(f"dom-{n}-")) for n in ("dc", "ng"))
        authority = Authority(web)
        authority.issue("server")
        self.contexts = {name: self._context(authority, name) for name in ("d17", "d18", "d20")}
        self.mail = dovecot(mail, render(self.file, "dovecot", point.url), {
            f"{who}+{id_}": (f"pw-{id_}", who, id_)
            for id_, who in (("d17", "ana"), ("d18", "ana"), ("d20", "bea"))
        } | {"bob": ("pw-bob", "bob", "")})  # fmt: skip
        self.stack.callback(self.mail.stop)
        self.web = nginx(web, render(self.file, "nginx", point.url))
        self.stack.callback(self.web.stop)

    def _context(self, authority: Authority, name: str) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(authority.directory / "ca.pem"))
        context.load_cert_chain(*authority.issue(name))
        return context

    def login(self, login: str, password: str) -> imaplib.IMAP4 | str:
        """An open session, or what the client was told."""
        client = imaplib.IMAP4("127.0.0.1", self.mail.ports["imap"], timeout=PATIENCE)
        try:
            client.login(login, password)
        except imaplib.IMAP4.error as error:
            client.shutdown()
            (told,) = error.args
            return told.decode() if isinstance(told, bytes) else str(told)
        self.stack.callback(client.shutdown)
        return client

    def page(self, device: str) -> httpx.Response:
        context = self.contexts[device] if device else self._anyone()
        with httpx.Client(verify=context, timeout=PATIENCE) as client:
            return client.get(
                f"https://127.0.0.1:{self.web.ports['https']}/",
                headers={"X-Client-DN": "CN=d18", "X-Client-Verify": "SUCCESS",
                         "Accept-Language": "nl"},
            )  # fmt: skip

    def _anyone(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.web.directory / "ca.pem"))


def is_open(session: imaplib.IMAP4 | str) -> bool:
    assert isinstance(session, imaplib.IMAP4), session
    try:
        return bool(session.noop()[0] == "OK")
    except (imaplib.IMAP4.abort, OSError):
        return False


def wait_until(holds: object, *arguments: object) -> None:
    """Wait for something that happens by itself."""
    assert callable(holds)
    deadline = time.monotonic() + PATIENCE
    while not holds(*arguments):
        assert time.monotonic() < deadline, "it does not come to pass"
        time.sleep(0.1)


@pytest.fixture
def institution(tmp_path: Path) -> Iterator[Institution]:
    with ExitStack() as stack:
        yield Institution(tmp_path, stack)


def test_mail_and_web_before_and_after_the_deadline(
    institution: Institution, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, stack = institution, institution.stack
    point = stack.enter_context(enforcing(here.file, SOON))
    here.serve(point)
    # Half an hour before the deadline everybody works.
    ana = here.login("ana+d17", "pw-d17")
    assert is_open(ana)
    assert here.page("d17").status_code == 200
    point.process.terminate()
    point.process.wait(PATIENCE)

    # The same decision point, as if the night had come; it ends what is open by itself.
    monkeypatch.setenv("DOVEADM", "kicks")
    port = point.url.rpartition(":")[2]
    stack.enter_context(
        enforcing(
            here.file, DEADLINE - timedelta(seconds=4), "--listen", f"127.0.0.1:{port}",
            "--doveadm", f"http://127.0.0.1:{here.mail.ports['http']}",
            "--doveadm-secret", "DOVEADM",
        )
    )  # fmt: skip
    wait_until(lambda: not is_open(ana))
    wait_until(lambda: entries(here.file, "device_sessions"))
    (ended,) = entries(here.file, "device_sessions")
    assert ended["outcome"] == "done"

    told = here.login("ana+d17", "pw-d17")
    assert told == (
        f"[ALERT] TikTok ({TIKTOK}) staat op telefoon d17. Verwijder de app en laat het apparaat"
        " zich melden; de toegang komt vanzelf terug. Vragen: 1234."
    )
    assert is_open(here.login("ana+d18", "pw-d18"))  # another device of the same person
    assert is_open(here.login("bea+d20", "pw-d20"))
    wrong = here.login("ana+d17", "wrong")
    assert "AUTHENTICATIONFAILED" in str(wrong)
    assert TIKTOK not in str(wrong)  # nobody who does not know the password is told
    assert "which device" in str(here.login("bob", "pw-bob"))

    refused = here.page("d17")
    assert (refused.status_code, "Verwijder de app" in refused.text) == (403, True)
    assert (here.page("d18").status_code, here.page("d18").text) == (200, "<h1>Web mail</h1>")
    assert here.page("").status_code == 403  # a header is no certificate

    # The app is removed, and seen to be gone: access comes back by itself.
    here.inventory(set(), ahead=timedelta(hours=1))
    wait_until(lambda: here.page("d17").status_code == 200)
    assert is_open(here.login("ana+d17", "pw-d17"))


def test_closed_when_the_decision_point_is_down(institution: Institution) -> None:
    here = institution
    point = here.stack.enter_context(enforcing(here.file, DEADLINE + timedelta(hours=1)))
    here.serve(point)
    assert is_open(here.login("ana+d18", "pw-d18"))
    assert here.page("d18").status_code == 200
    point.kill()
    assert not isinstance(here.login("ana+d18", "pw-d18"), imaplib.IMAP4)
    assert here.page("d18").status_code == 503


def send(port: int, authority: Authority, name: str) -> tuple[int, str]:
    """What Postfix answers to a recipient from a device with that certificate, or none."""
    context = ssl.create_default_context(cafile=str(authority.directory / "ca.pem"))
    if name:
        context.load_cert_chain(
            str(authority.directory / f"{name}.pem"), str(authority.directory / f"{name}.key")
        )
    with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE) as client:
        client.starttls(context=context)
        client.ehlo("d18")  # the client's own word
        client.mail("ana@example.org")
        code, said = client.rcpt("bea@example.org")
        return code, said.decode()


@pytest.mark.skipif(os.geteuid() != 0, reason="Postfix is started by root only")
def test_postfix_refuses_what_a_refused_device_sends(institution: Institution) -> None:
    here, stack = institution, institution.stack
    where = stack.enter_context(directory("dom-pf-", as_root=True))
    after = DEADLINE + timedelta(hours=1)
    point = stack.enter_context(enforcing(here.file, after, "--postfix", "127.0.0.1:0"))
    authority, other = Authority(where), Authority(stack.enter_context(directory("dom-ca-")))
    for name, days in (("server", 1), ("d17", 1), ("d18", 1), ("d20", -1)):
        authority.issue(name, days=days)
    other.issue("d18")
    server = postfix(where, render(here.file, "postfix", point.postfix))
    stack.callback(server.stop)

    code, said = send(server.ports["submission"], authority, "d17")
    assert code == 554
    assert "5.7.1" in said
    assert f"TikTok ({TIKTOK}) is on telefoon d17. Remove it" in said
    assert send(server.ports["submission"], authority, "d18")[0] == 250
    # Neither no certificate, nor an expired one, nor another authority's says which device it is.
    assert "does not say which device" in send(server.ports["submission"], authority, "")[1]
    assert "does not say which device" in send(server.ports["submission"], authority, "d20")[1]
    foreign = ssl.create_default_context(cafile=str(authority.directory / "ca.pem"))
    foreign.load_cert_chain(str(other.directory / "d18.pem"), str(other.directory / "d18.key"))
    with smtplib.SMTP("127.0.0.1", server.ports["submission"], timeout=PATIENCE) as client:
        client.starttls(context=foreign)
        client.ehlo()
        client.mail("ana@example.org")
        assert client.rcpt("bea@example.org")[0] == 554
    # The mail of others comes in elsewhere, and is not asked about.
    assert send(server.ports["smtp"], authority, "")[0] == 250

    point.kill()
    code, said = send(server.ports["submission"], authority, "d18")
    assert code == 451  # closed, and to be tried again
    assert "cannot be decided" in said


def test_caddy_lets_in_by_the_certificate_and_is_closed(institution: Institution) -> None:
    here, stack = institution, institution.stack
    where = stack.enter_context(directory("dom-ca-"))
    point = stack.enter_context(enforcing(here.file, DEADLINE + timedelta(hours=1)))
    authority, other = Authority(where), Authority(stack.enter_context(directory("dom-cb-")))
    for name, days in (("server", 1), ("d17", 1), ("d18", 1), ("d20", -1)):
        authority.issue(name, days=days)
    server = caddy(where, render(here.file, "caddy", point.url))
    stack.callback(server.stop)
    address = f"https://localhost:{server.ports['https']}/"
    spoofed = {"X-Client-DN": "CN=d18", "X-Client-Verify": "SUCCESS", "X-Account": "bea",
               "X-Service": "none", "Accept-Language": "nl"}  # fmt: skip

    def page(files: tuple[str, str] | None) -> httpx.Response:
        context = ssl.create_default_context(cafile=str(where / "ca.pem"))
        if files:
            context.load_cert_chain(*files)
        with httpx.Client(verify=context, timeout=PATIENCE) as client:
            return client.get(address, headers=spoofed)

    def issued(name: str) -> tuple[str, str]:
        return str(where / f"{name}.pem"), str(where / f"{name}.key")

    refused = page(issued("d17"))
    assert refused.status_code == 403
    assert refused.text.startswith(f"TikTok ({TIKTOK}) staat op telefoon d17. Verwijder de app")
    assert page(issued("d18")).text == "<h1>Web mail</h1>"
    nobody = page(None)  # a header is no certificate
    assert (nobody.status_code, "welk apparaat" in nobody.text) == (403, True)
    for odd in (issued("d20"), other.issue("d18")):  # expired, and another authority's
        with pytest.raises(httpx.TransportError):
            page(odd)
    point.kill()
    assert page(issued("d18")).status_code == 502


def test_sessions_are_ended_by_name_and_no_wildcard_ends_others(institution: Institution) -> None:
    here = institution
    point = here.stack.enter_context(enforcing(here.file, DEADLINE + timedelta(hours=1)))
    here.serve(point)
    ana, bea = here.login("ana+d18", "pw-d18"), here.login("bea+d20", "pw-d20")
    sessions = Sessions(f"http://127.0.0.1:{here.mail.ports['http']}", "kicks")

    async def end(*accounts: str) -> set[str]:
        sessions._client = None
        return await sessions.end(accounts)

    many = [f"nobody{n}" for n in range(250)]
    assert asyncio.run(end("*", "be?", *many)) == {"*", "be?", *many}
    assert is_open(ana)
    assert is_open(bea)
    assert asyncio.run(end("nobody", "ana", "Zoë\r\n")) == {"nobody", "ana", "Zoë\r\n"}
    wait_until(lambda: not is_open(ana))
    assert is_open(bea)
    here.mail.stop()
    assert asyncio.run(end("bea")) == set()
    wrong = Sessions(f"http://127.0.0.1:{here.web.ports['https']}", "kicks")
    assert asyncio.run(wrong.end(["bea"])) == set()


def test_nothing_is_left_when_the_decision_point_is_killed(institution: Institution) -> None:
    point = institution.stack.enter_context(enforcing(institution.file, SOON))
    wait_until(lambda: len(children(point.process.pid)) >= 1)
    left = children(point.process.pid)
    point.kill()
    wait_until(lambda: not any(runs(pid) for pid in left))


def runs(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def children(pid: int) -> list[int]:
    """The processes that a process started (proc(5), field 4)."""
    found = []
    for each in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = each.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid:
                found.append(int(each.parent.name))
    return found


def test_nginx_takes_no_certificate_that_ended_or_is_of_others(institution: Institution) -> None:
    here = institution
    where = here.stack.enter_context(directory("dom-ng-"))
    point = here.stack.enter_context(enforcing(here.file, DEADLINE + timedelta(hours=1)))
    authority = Authority(where)
    other = Authority(here.stack.enter_context(directory("dom-nb-")))
    authority.issue("server")
    server = nginx(where, render(here.file, "nginx", point.url))
    here.stack.callback(server.stop)
    for who, days, status in ((authority, 1, 200), (authority, -1, 400), (other, 1, 400)):
        context = ssl.create_default_context(cafile=str(where / "ca.pem"))
        context.load_cert_chain(*who.issue("d18", days=days))
        with httpx.Client(verify=context, timeout=PATIENCE) as client:
            answer = client.get(f"https://127.0.0.1:{server.ports['https']}/")
        assert answer.status_code == status  # 400 is nginx's own: it was never asked about
        assert ("Web mail" in answer.text) == (status == 200)
