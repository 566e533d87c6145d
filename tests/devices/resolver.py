"""Debian's unbound on a free port of loopback, and questions to it."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

from domicile.demo.postgres import free_port
from tests.devices.daemons import Daemon, program

UNBOUND = """\
server:
    directory: "{dir}"
    chroot: ""
    username: ""
    pidfile: "{dir}/unbound.pid"
    logfile: "{dir}/unbound.log"
    use-syslog: no
    interface: 127.0.0.1
    port: {dns}
    do-daemonize: no
    auto-trust-anchor-file: ""
    do-not-query-localhost: yes
    local-data: "other.example. A 192.0.2.7"
    local-data: "nottiktok.com. A 192.0.2.8"
remote-control:
    control-enable: no
{rendered}
"""
"""unbound without root and without a way out: it knows two names, and what the ban says."""


def unbound(where: Path, rendered: str) -> Daemon:
    """Start it; the zones that `rendered` names lie in `where`."""
    daemon = Daemon(where, {"dns": free_port()})
    config = where / "unbound.conf"
    config.write_text(UNBOUND.format(dir=where, rendered=rendered, **daemon.ports))
    daemon.start(program("unbound"), "-d", "-c", str(config))
    return daemon


def ask(port: int, name: str) -> tuple[str, list[str]]:
    """The answer's code and its IPv4 addresses (RFC 1035, section 4)."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    question = struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + b"\0\x01\0\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.sendto(question, ("127.0.0.1", port))
        answer = sock.recv(512)
    _, flags, _, count, _, _ = struct.unpack(">6H", answer[:12])
    at, found = len(question), []
    for _ in range(count):
        at += 2  # the name, a pointer to the question's
        kind, _, _, length = struct.unpack(">HHIH", answer[at : at + 10])
        at += 10
        if kind == 1:
            found.append(".".join(str(byte) for byte in answer[at : at + 4]))
        at += length
    return {0: "NOERROR", 2: "SERVFAIL", 3: "NXDOMAIN"}.get(flags & 15, str(flags & 15)), found
