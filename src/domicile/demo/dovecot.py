"""Dovecot 2.3 of our own: without root, on free ports of loopback, in a directory of its own."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from domicile.demo.postgres import LOOPBACK, free_port, own, server_account
from domicile.errors import UsageError

SECONDS = 30.0

DOVEADM = "kicks"
"""The key of its doveadm API, which listens on loopback for as long as it runs."""

Users = Mapping[str, tuple[str, str, str]]
"""By login: the password, the account, and the device that the password is for."""

DOVECOT = """\
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/dovecot.log
auth_verbose = yes
auth_failure_delay = 0
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
mail_location = maildir:{dir}/mail/%n
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
first_valid_gid = 1
auth_username_chars = abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01234567890.-_@+
doveadm_api_key = {doveadm}
passdb {{
  driver = passwd-file
  args = username_format=%u {dir}/users
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={dir}/mail/%n
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service doveadm {{
  inet_listener http {{
    address = 127.0.0.1
    port = {http}
  }}
}}
{rendered}
"""
"""Dovecot 2.3 without root; `rendered` is what `domicile devices policy dovecot` gives."""


def write_dovecot(
    where: Path, rendered: str, users: Users, ports: Mapping[str, int], doveadm: str = DOVEADM
) -> Path:
    """Write its configuration and its users; the file to start it with. `ports`: imap, http."""
    account = server_account()
    user = account.pw_name if account else pwd.getpwuid(os.getuid()).pw_name
    group = grp.getgrgid(account.pw_gid if account else os.getgid()).gr_name
    (where / "users").write_text("".join(
        f"{login}:{{PLAIN}}{password}::::::user={name}"
        + (f" device={device}" if device else "") + "\n"
        for login, (password, name, device) in users.items()
    ))  # fmt: skip
    config = where / "dovecot.conf"
    config.write_text(DOVECOT.format(
        dir=where, user=user, group=group, rendered=rendered, doveadm=doveadm, **ports
    ))  # fmt: skip
    return config


class MailServer:
    """A running Dovecot that asks who may in."""

    def __init__(self) -> None:
        """Raises UsageError when Dovecot 2.3 is not installed."""
        found = shutil.which("dovecot", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
        version = (
            subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
            if found
            else ""
        )
        if found is None or not version.startswith("2.3."):
            raise UsageError(
                f"the demo needs Dovecot 2.3, got {version.split()[0] if version else 'none'}",
                hint="On Debian 12: apt-get install dovecot-imapd",
            )
        self._program = found
        self.ports = {"imap": free_port(), "http": free_port()}
        self._directory = Path(tempfile.mkdtemp(prefix="dom-dc-"))  # short enough for sockets
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, rendered: str, users: Users) -> None:
        """Start it with these settings, and wait until it answers. Raises UsageError."""
        account = server_account()
        own(self._directory, account)
        config = write_dovecot(self._directory, rendered, users, self.ports)
        self._process = subprocess.Popen(
            [self._program, "-F", "-c", str(config)], cwd=self._directory,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            user=account.pw_uid if account else None, group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )  # fmt: skip
        deadline = time.monotonic() + SECONDS
        while not all(_answers(port) for port in self.ports.values()):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise UsageError("Dovecot did not start", hint="Look at `doveconf -n`.")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it, and remove its directory."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1):
            return True
    except OSError:
        return False
