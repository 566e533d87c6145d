"""Debian's Dovecot, nginx, Caddy and unbound as unprivileged processes on free ports of loopback,
and its Postfix, which only root can start, in a directory of its own."""

from __future__ import annotations

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

from domicile.demo.dovecot import write_dovecot
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

    def start(self, *command: str, as_root: bool = False) -> None:
        """Start in the foreground as the account that owns the directory, and wait for it."""
        account = None if as_root else server_account()
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


def dovecot(
    where: Path, rendered: str, users: dict[str, tuple[str, str, str]], doveadm: str = "kicks"
) -> Daemon:
    """Start Dovecot. `users`: login → (password, account, device)."""
    daemon = Daemon(where, {"imap": free_port(), "http": free_port()})
    config = write_dovecot(where, rendered, users, daemon.ports, doveadm)
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


CADDY = """\
{{
    admin off
    auto_https off
    skip_install_trust
}}
https://localhost:{https} {{
    bind 127.0.0.1
    tls {dir}/server.pem {dir}/server.key {{
        client_auth {{
            mode verify_if_given
            trusted_ca_cert_file {dir}/ca.pem
        }}
    }}
    {rendered}
    root * {dir}/pages
    file_server
}}
"""
"""Caddy without root, over TLS, serving one page."""


def caddy(where: Path, rendered: str) -> Daemon:
    """Start Caddy over TLS in a directory that holds its certificates, serving one page."""
    daemon = Daemon(where, {"https": free_port()})
    (where / "pages").mkdir()
    (where / "pages" / "index.html").write_text("<h1>Web mail</h1>")
    config = where / "Caddyfile"
    config.write_text(CADDY.format(dir=where, rendered=rendered, **daemon.ports))
    daemon.start("env", f"HOME={where}", program("caddy"), "run", "--config", str(config),
                 "--adapter", "caddyfile")  # fmt: skip
    return daemon


POSTFIX = """\
compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {dir}/postfix.log
maillog_file_prefixes = {dir}
myhostname = mail.example.org
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
default_transport = discard:
smtputf8_enable = no
smtpd_tls_security_level = may
smtpd_tls_cert_file = {dir}/server.pem
smtpd_tls_key_file = {dir}/server.key
smtpd_tls_CAfile = {dir}/ca.pem
smtpd_relay_restrictions = permit_mynetworks, reject
{rendered}
"""

POSTFIX_SERVICES = """\
127.0.0.1:{submission} inet n - n - - smtpd
    -o smtpd_tls_ask_ccert=yes
    -o smtpd_sender_restrictions=device_access
127.0.0.1:{smtp} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
discard unix - - n - - discard
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
postlog unix-dgram n - n - 1 postlogd
"""


def postfix(where: Path, rendered: str) -> Daemon:
    """Start Postfix, which throws away what it takes, in a directory that holds its certificates.

    Postfix checks that what it runs as root belongs to root: the directory does.
    """
    daemon = Daemon(where, {"submission": free_port(), "smtp": free_port()})
    config = where / "config"
    for each in (config, where / "queue"):
        each.mkdir()
    data = where / "data"
    data.mkdir()
    shutil.chown(data, "postfix")
    where.chmod(0o755)
    (config / "main.cf").write_text(POSTFIX.format(dir=where, rendered=rendered))
    (config / "master.cf").write_text(POSTFIX_SERVICES.format(**daemon.ports))
    check = [program("postfix"), "-c", str(config), "check"]
    made = subprocess.run(check, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    daemon.start("/usr/lib/postfix/sbin/master", "-c", str(config), "-d", as_root=True)
    return daemon


@contextmanager
def directory(prefix: str, *, as_root: bool = False) -> Iterator[Path]:
    """A directory of the servers' account, short enough for sockets; removed at the end."""
    path = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        if not as_root:
            own(path, server_account())
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
