"""Postfix's side: its policy delegation protocol (SMTPD_POLICY_README), and the settings it needs.

Postfix asks once for each recipient, after the client proved who it is: `name=value` lines, ended
by an empty one; it is answered with one `action=`. What a client proved is a certificate that
Postfix verified (`ccert_subject`, its CN), or a login (`sasl_username`); a login for one device is
`ACCOUNT+DEVICE`. The greeting (`helo_name`) and whatever else a client says of itself is not read.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import unicodedata
from collections.abc import Callable, Mapping
from hashlib import sha256

from domicile.devices.table import Decision, Request

MAX_LINE = 4096
"""Bytes of a line: Postfix's own limit (`line_length_limit`) is 2048."""

MAX_LINES = 200
"""Lines of a request: Postfix 3.7 sends about 30."""

SECONDS = 10.0
"""For the rest of a request after its first line."""

IDLE = 400.0
"""For the next request on a connection: Postfix closes it itself after 300 s
(`smtpd_policy_service_max_idle`)."""

MAX_TEXT = 400
"""Characters of a reason: a reply line of SMTP has 512 octets (RFC 5321, 4.5.3.1.5)."""

Answer = Callable[[Request], tuple[Decision, str]]
"""Decides, and says what the person is told of a refusal."""


class OddRequestError(Exception):
    """A request is not one that Postfix sends, or it lacks the key."""


def context_key(key: str) -> str:
    """What Postfix sends as `policy_context`: good for this question only, for `main.cf` can be
    read by everybody on its machine."""
    return sha256(f"postfix {key}".encode()).hexdigest()


def parse(attributes: Mapping[str, str]) -> list[Request]:
    """Whose devices speak: the certificate's, the login's, or both when they differ; each must be
    let through. One that names none when there is neither."""
    login = attributes.get("sasl_username", "")
    account, _, by_login = login.partition("+")
    by_certificate = _xtext(attributes.get("ccert_subject", ""))
    devices = dict.fromkeys(device for device in (by_certificate, by_login) if device)
    return [Request(device, account, "mail") for device in devices or ("",)]


def action(decision: Decision, said: str) -> str:
    """What Postfix is to do: nothing of its own, refuse (554), or refuse for now (450)."""
    if decision.allowed:
        return "DUNNO"
    what = "DEFER 4.3.0" if decision.reason == "undecided" else "REJECT 5.7.1"
    return f"{what} {_ascii(said)}"


async def serve(address: str, key: str, answer: Answer) -> asyncio.Server:
    """Answer at `HOST:PORT`, or at the path of a socket. Raises OSError."""
    wanted = context_key(key).encode()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while attributes := await _request(reader):
                if not hmac.compare_digest(attributes.get("policy_context", "").encode(), wanted):
                    raise OddRequestError
                decision, said = _worst(attributes, answer)
                writer.write(f"action={action(decision, said)}\n\n".encode())
                await writer.drain()
        except (OddRequestError, TimeoutError, ValueError, OSError):
            pass  # unanswered: Postfix refuses for now
        except asyncio.CancelledError:
            pass  # the decision point ends, and nobody waits for this task
        finally:
            writer.close()

    if "/" in address:
        return await asyncio.start_unix_server(talk, address, limit=MAX_LINE)
    host, _, port = address.rpartition(":")
    return await asyncio.start_server(talk, host.strip("[]"), int(port), limit=MAX_LINE)


def _worst(attributes: Mapping[str, str], answer: Answer) -> tuple[Decision, str]:
    answers = [answer(request) for request in parse(attributes)]
    return min(answers, key=lambda each: each[0].allowed)


async def _request(reader: asyncio.StreamReader) -> dict[str, str]:
    """The next request; empty at the end. Raises OddRequestError, TimeoutError, ValueError."""
    line = await asyncio.wait_for(reader.readline(), IDLE)
    found: dict[str, str] = {}
    if not line:
        return found
    async with asyncio.timeout(SECONDS):
        while line.rstrip(b"\r\n"):
            name, equals, value = line.decode("utf-8", "surrogateescape").rstrip("\r\n").partition(
                "="
            )  # fmt: skip
            if not line.endswith(b"\n") or not equals or len(found) >= MAX_LINES:
                raise OddRequestError
            found[name] = value
            line = await reader.readline()
    if found.get("request") != "smtpd_access_policy":
        raise OddRequestError
    return found


def _xtext(text: str) -> str:
    """From the encoding of RFC 3461, section 4, in which Postfix sends names of certificates.

    Empty for what is none: a name that cannot be read is nobody's.
    """
    try:
        plain = re.sub(rb"\+([0-9A-F]{2})", lambda m: bytes.fromhex(m[1].decode()), text.encode())
        return plain.decode()
    except UnicodeError:
        return ""


def _ascii(said: str) -> str:
    """A reason as SMTP can carry it (RFC 5321, 4.2: replies are in ASCII), on one line."""
    spread = unicodedata.normalize("NFKD", said)
    plain = "".join(
        c if " " <= c <= "~" else "?"
        for c in " ".join(spread.split())
        if not unicodedata.combining(c)
    )
    return plain[:MAX_TEXT]


def settings(address: str, key: str) -> str:
    """What goes into `main.cf`, and, as a comment, into `master.cf`; Postfix 3.1 or newer."""
    where = f"unix:{address}" if "/" in address else f"inet:{address}"
    return f"""\
# Access by device. Devices are known by a client certificate whose CN is the device's id, or by a
# login for each (ana+d17). Only for those who send: in master.cf, under submission (and smtps),
# never under smtp, where the mail of others comes in:
#   -o smtpd_tls_ask_ccert=yes
#   -o smtpd_sender_restrictions=device_access
smtpd_restriction_classes = device_access
# Refused for now when nothing can be decided.
device_access = check_policy_service {{ {where}, timeout=2s, try_limit=1,
    {{ default_action = 451 4.3.0 Access cannot be decided at the moment. Try again later. }},
    policy_context={context_key(key)} }}
"""
