"""Debian's Dovecot and nginx as unprivileged processes on free ports of loopback."""

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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from domicile.demo.postgres import free_port, own, server_account

SECONDS = 30


def program(name: str) -> str:
    """Where a program is. Raises AssertionError, so that a test without it fails and says why."""
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin")
    assert found, f"{name} is not installed: make deps does"
    return found


@dataclass
class Daemon:
    """A started server: its directory, ports by name, and its process."""

    directory: Path
    ports: dict[str, int] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self, *command: str) -> None:
        """Start in the foreground as the account that owns the directory, and wait for it."""
        account = server_account()
        self.process = subprocess.Popen(
            command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=(self.directory / "stderr.log").open("wb"),
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )  # fmt: skip
        deadline = time.monotonic() + SECONDS
        for port in self.ports.values():
            while not answers(port):
                assert self.process.poll() is None, self.said()
                assert time.monotonic() < deadline, f"port {port} stays shut\n{self.said()}"
                time.sleep(0.02)

    def stop(self) -> None:
        """End it, gently and then not."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def said(self) -> str:
        """What it wrote into its logs."""
        return "\n".join(
            file.read_text("utf-8", "replace")[-3000:]
            for file in sorted(self.directory.glob("*.log"))
        )


def answers(port: int) -> bool:
    """Whether something listens there."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


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


def dovecot(
    where: Path, rendered: str, users: dict[str, tuple[str, str, str]], doveadm: str = "kicks"
) -> Daemon:
    """Start Dovecot. `users`: login → (password, account, device)."""
    daemon = Daemon(where, {"imap": free_port(), "http": free_port()})
    account = server_account()
    user = account.pw_name if account else pwd.getpwuid(os.getuid()).pw_name
    group = grp.getgrgid(account.pw_gid if account else os.getgid()).gr_name
    (where / "users").write_text("".join(
        f"{login}:{{PLAIN}}{password}::::::user={name}"
        + (f" device={device}" if device else "") + "\n"
        for login, (password, name, device) in users.items()
    ))  # fmt: skip
    config = where / "dovecot.conf"
    config.write_text(
        DOVECOT.format(
            dir=where, user=user, group=group, rendered=rendered, doveadm=doveadm, **daemon.ports
        )
    )
    daemon.start(program("dovecot"), "-F", "-c", str(config))
    return daemon


NGINX = """\
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
worker_processes 1;
events {{}}
http {{
    access_log off;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    server {{
        listen 127.0.0.1:{https} ssl;
        ssl_certificate {dir}/server.pem;
        ssl_certificate_key {dir}/server.key;
        ssl_client_certificate {dir}/ca.pem;
        {rendered}
        location / {{
            root {dir}/pages;
        }}
    }}
}}
"""
"""nginx without root, over TLS, serving one page."""


def nginx(where: Path, rendered: str) -> Daemon:
    """Start nginx over TLS in a directory that holds its certificates, serving one page."""
    daemon = Daemon(where, {"https": free_port()})
    (where / "pages").mkdir()
    (where / "pages" / "index.html").write_text("<h1>Web mail</h1>")
    config = where / "nginx.conf"
    config.write_text(NGINX.format(dir=where, rendered=rendered, **daemon.ports))
    daemon.start(program("nginx"), "-p", str(where), "-c", str(config), "-e",
                 str(where / "error.log"))  # fmt: skip
    return daemon


@contextmanager
def directory(prefix: str) -> Iterator[Path]:
    """A directory of the servers' account, short enough for sockets; removed at the end."""
    path = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        own(path, server_account())
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
