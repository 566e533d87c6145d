"""`domicile devices demo`: a ban carried out on this machine, with the real commands."""

from __future__ import annotations

import imaplib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from domicile.cli.output import Output, output_options
from domicile.errors import Stopped

if TYPE_CHECKING:
    from domicile.demo.dovecot import MailServer

SECONDS = 60.0


@click.command(short_help="Carry out a ban on this machine, end to end.")
@click.option(
    "--dir", "directory", type=click.Path(path_type=Path, file_okay=False),
    default=Path("domicile-devices"), show_default=True, metavar="DIR",
    help="The folder for what it makes.",
)  # fmt: skip
@output_options
def demo(directory: Path, out: Output) -> int:
    """Make up an institution with 40 people and 60 devices, forbid an app from 15 March 2023 on,
    and let a Dovecot of our own, which must be installed, ask who may read mail around that moment.

    The folder stays, to look around; the servers are stopped at the end.
    """
    from domicile.demo import fleet
    from domicile.demo.dovecot import MailServer

    mail = MailServer()
    estate = fleet.declare(directory)
    play = _Play(directory, estate, mail, out)
    try:
        play.run()
    finally:
        mail.stop()
    out.emit({"directory": str(directory), "mail": play.seen}, lambda: _close(directory, out))
    return 0


def _close(directory: Path, out: Output) -> None:
    at = "--at 2023-03-15T00:05:00Z"
    out.say("\nLook around:\n")
    out.say(f"    cd {directory}")
    out.say(f"    domicile devices explain d2 {at}")
    out.say(f"    domicile devices report -o report.html {at}")
    out.say("    domicile log show")


class _Play:
    """The story: what is run, and what a person with a device meets."""

    def __init__(self, directory: Path, estate: Path, mail: MailServer, out: Output) -> None:
        from domicile.demo import fleet
        from domicile.demo.postgres import free_port

        self._fleet, self._directory, self._estate = fleet, directory, estate
        self._mail, self._out = mail, out
        self._port = free_port()
        self.seen: list[dict[str, Any]] = []

    def run(self) -> None:
        """Announce, wait for the deadline, break, remove."""
        from domicile.devices.policy.render import render

        fleet, out = self._fleet, self._out
        out.say(f"{fleet.PEOPLE} people with {fleet.DEVICES} devices. From 15 March 2023 on a"
                " device with the app loses mail.")  # fmt: skip
        self._sync(fleet.WITH_APP, fleet.ANNOUNCED)
        self._command("notify", "--dry-run", at=fleet.ANNOUNCED)
        eve = fleet.DEADLINE - timedelta(hours=1)
        self._sync(range(1, 5), eve)
        self._mail.start(
            render(self._estate, "dovecot", f"http://127.0.0.1:{self._port}"),
            {f"{fleet.owner(n)}+d{n}": (f"pw-{n}", fleet.owner(n), f"d{n}")
             for n in range(1, fleet.DEVICES + 1)},
        )  # fmt: skip
        with self._enforcing(eve):
            out.say("\nBefore the deadline")
            session = self._login(1)
            self._login(41)
        with self._enforcing(fleet.DEADLINE - timedelta(seconds=1)) as point:
            out.say("\nAt the deadline")
            began = time.monotonic()
            while session is not None and _is_open(session):
                if time.monotonic() - began > SECONDS:
                    raise Stopped("an open session was not ended", hint="Report this.")
                time.sleep(0.05)
            self._told(1, "ended", "the session that was open has ended")
            for device in (1, 2, 41):
                self._login(device)
            point.kill()
            point.wait()
            out.say("\nWith the decision point killed")
            self._login(41)
        out.say("\nThe app is removed from ana's phone, which reports")
        later = fleet.DEADLINE + timedelta(minutes=5)
        with self._enforcing(fleet.DEADLINE + timedelta(minutes=1)):
            self._sync(range(2, 5), later)
            began = time.monotonic()
            while self._try(1)[0] is None and time.monotonic() - began < SECONDS:
                time.sleep(0.1)
            out.say()
            self._login(1)
            self._login(2)

    def _sync(self, with_app: Any, now: datetime) -> None:
        self._fleet.report(self._directory, set(with_app), now)
        self._command("sync", at=now)

    def _command(self, *arguments: str, at: datetime) -> None:
        """Run one command as a person would, and show its output. Raises Stopped."""
        from domicile.demo.story import run_command

        line = ("devices", *arguments, "--at", at.strftime("%Y-%m-%dT%H:%M:%SZ"))
        self._out.say(f"\n$ domicile {' '.join(line)}")
        for said in run_command(self._directory, *line):
            if isinstance(said, str):
                self._out.say(said)
            elif said:
                raise Stopped(f"`domicile {' '.join(line)}` ended with {said}")

    @contextmanager
    def _enforcing(self, now: datetime) -> Iterator[subprocess.Popen[str]]:
        """The decision point with its clock at that time, until the end of the block."""
        from domicile.demo.dovecot import DOVEADM

        log = (self._directory / "enforce.log").open("a", encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, "-m", "domicile", "devices", "enforce", "--estate", str(self._estate),
             "--listen", f"127.0.0.1:{self._port}", "--at", now.isoformat(), "--json",
             "--doveadm", f"http://127.0.0.1:{self._mail.ports['http']}",
             "--doveadm-secret", "DOVEADM"],
            stdout=subprocess.PIPE, stderr=log, text=True,
            env={**os.environ, "DOVEADM": DOVEADM},
        )  # fmt: skip
        log.close()
        try:
            assert process.stdout is not None
            if not process.stdout.readline():
                raise Stopped(
                    "the decision point did not start",
                    hint=f"Its message is in {self._directory / 'enforce.log'}.",
                )
            json.loads("{" + "".join(iter(process.stdout.readline, "}\n")) + "}")  # it is ready
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(SECONDS)
            if process.stdout is not None:
                process.stdout.close()

    def _login(self, device: int) -> imaplib.IMAP4 | None:
        session, said = self._try(device)
        self._told(device, "refused" if session is None else "let in", said)
        return session

    def _try(self, device: int) -> tuple[imaplib.IMAP4 | None, str]:
        """An open session, or None and what the client was told."""
        client = imaplib.IMAP4("127.0.0.1", self._mail.ports["imap"], timeout=SECONDS)
        try:
            client.login(f"{self._fleet.owner(device)}+d{device}", f"pw-{device}")
        except imaplib.IMAP4.error as error:
            client.shutdown()
            (told,) = error.args
            return None, told.decode() if isinstance(told, bytes) else str(told)
        return client, ""

    def _told(self, device: int, what: str, said: str) -> None:
        name = self._fleet.label(device)
        self.seen.append({"device": f"d{device}", "what": what, "said": said})
        self._out.say(f"  {name:<12} {what:<8} {said}".rstrip())


def _is_open(session: imaplib.IMAP4) -> bool:
    try:
        return bool(session.noop()[0] == "OK")
    except (imaplib.IMAP4.abort, OSError):
        return False
