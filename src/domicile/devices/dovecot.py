"""Dovecot's side: its auth policy protocol, ending sessions, and the settings it needs.

Dovecot asks after the password was right (`check_after_auth`) and never before, so that the
reason of a refusal is told to nobody who does not know the password. A refusal ends no session
that is open already; the doveadm HTTP API does (`kick`), with no name in a process's arguments.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import httpx
import msgspec

from domicile.devices.inventory.http import trust
from domicile.devices.table import Request

SERVICES = {"imap": "mail", "pop3": "mail", "submission": "mail", "lmtp": "mail", "sieve": "mail"}

BATCH = 100
"""Accounts in one request to doveadm."""

REFUSED, ALLOWED = -1, 0
"""Answers of the auth policy protocol (Dovecot 2.3, Authentication Policy Support)."""


class _Asked(msgspec.Struct):
    account: str = ""
    login: str = ""
    device: str = ""
    protocol: str = ""


_DECODER = msgspec.json.Decoder(_Asked)


def parse(body: bytes) -> Request:
    """A request from what Dovecot posts. Raises msgspec.DecodeError."""
    asked = _DECODER.decode(body)
    account = asked.account or asked.login
    return Request(asked.device, account, SERVICES.get(asked.protocol.lower(), "mail"))


def answer(allowed: bool, said: str = "") -> bytes:
    """What Dovecot is answered; it shows `said` to the client as an alert."""
    line = " ".join(said.split())
    return msgspec.json.encode({"status": ALLOWED if allowed else REFUSED, "msg": line})


def settings(url: str, key: str, nonce: str) -> str:
    """The settings for Dovecot 2.3, of which 2.4 changed the names.

    Dovecot itself tells the device by its password: `passdb` gives the field `device`.
    """
    return f"""\
# Access by device. In each user's passdb entry: user=ACCOUNT device=DEVICE, a login and a
# password for each device (ana+d17); auth_username_chars must have the + in it.
auth_policy_server_url = {url}/dovecot
auth_policy_server_api_header = X-API-Key: {key}
auth_policy_server_timeout_msecs = 2000
auth_policy_hash_nonce = {nonce}
# Closed when nothing can be decided.
auth_policy_reject_on_fail = yes
# After the password was right, and never before: the reason is for its owner only.
auth_policy_check_before_auth = no
auth_policy_check_after_auth = yes
auth_policy_report_after_auth = no
auth_policy_request_attributes = login=%{{requested_username}} account=%{{user}} \
device=%{{passdb:device}} remote=%{{rip}} protocol=%s session_id=%{{session}}
"""


class Sessions:
    """Ends open sessions through doveadm's HTTP API."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url.rstrip("/") + "/doveadm/v1"
        encoded = base64.b64encode(key.encode()).decode()
        self._headers = {"Authorization": f"X-Dovecot-API {encoded}"}
        self._client: httpx.AsyncClient | None = None

    async def end(self, accounts: Sequence[str]) -> set[str]:
        """End every session of these accounts; those of whom none is left.

        All devices of an account are cut off; those that may come back do so by themselves. A name
        with a wildcard would end those of others, and is nobody's (`auth_username_chars`).
        """
        plain = [name for name in accounts if not set(name) & set("*?")]
        ended = set(accounts) - set(plain)
        for start in range(0, len(plain), BATCH):
            part = plain[start : start + BATCH]
            done = await self._kick(part)
            ended |= {part[number] for number in done}
            if not done:  # it is not there, or takes nothing: the rest waits too
                break
        return ended

    async def _kick(self, accounts: Sequence[str]) -> set[int]:
        commands = [["kick", {"mask": [name]}, str(n)] for n, name in enumerate(accounts)]
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=5.0, verify=trust())
        try:
            reply = await self._client.post(self._url, json=commands, headers=self._headers)
            said = msgspec.json.decode(reply.content, type=list[tuple[str, Any, str]])
            return {
                int(tag)
                for kind, what, tag in said
                if int(tag) < len(accounts)
                # 68 (EX_NOHOST): there was no session to end.
                and (kind == "doveadmResponse" or what.get("exitCode") == 68)
            }
        except (httpx.HTTPError, ValueError, AttributeError, RecursionError):
            return set()
