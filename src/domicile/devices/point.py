"""The decision point: one ASGI application that every mail and web server asks.

    POST /dovecot     Dovecot's auth policy            GET /forward    nginx, Caddy, Traefik
    GET, POST /owner/LINK     the page of one owner

Who asks for a decision must send the key (`X-API-Key`). What cannot be decided is refused, unless
every clause concerned says `when_down: open`; then each pass is in the log before it is answered.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from domicile.devices import dovecot, forward
from domicile.devices.ban import Ban
from domicile.devices.table import Decision, Request, Table, without
from domicile.devices.tally import Tally
from domicile.devices.words import LANGUAGES, label, refusal
from domicile.errors import DomicileError
from domicile.estate.model import DeviceSettings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY = 64 * 1024
"""Bytes of a request: decisions are asked for in a few hundred."""

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"
HTML = b"text/html; charset=utf-8"


class Point:
    """Decides by the table that it is given; without one, nothing can be decided."""

    def __init__(
        self, ban: Ban, settings: DeviceSettings, key: str, tally: Tally,
        clock: Callable[[], datetime], estate_file: Path,
    ) -> None:  # fmt: skip
        self.estate_file = estate_file
        self.ban, self.settings, self.tally, self.clock = ban, settings, tally, clock
        self.table: Table | None = None
        self._key = key.encode()

    def decide(self, request: Request, point: str) -> Decision:
        """Decide and count. Raises nothing: what fails is refused."""
        now = self.clock()
        if self.table is None:
            decision = without(self.ban, request.service, "undecided", now)
        else:
            decision = self.table.decide(request, now)
        try:
            self.tally.add(point, request.service, decision)
        except DomicileError:  # an opened pass that cannot be recorded is no pass
            return Decision(False, "undecided", decision.rule)
        return decision

    def said(self, decision: Decision, account: str, languages: str = "") -> str:
        """What the person is told of a refusal, in their language: the owner's, else the one
        that their browser asks for, else the estate's."""
        language = self.settings.language
        wanted = languages[:2].casefold()
        if account and self.table is not None:
            language = self.table.people.logs_in_as(account).language
        elif wanted in LANGUAGES:
            language = wanted
        name = label(decision.device) if decision.device else ""
        return refusal(decision.reason, name, decision.rule, decision.app, self.settings, language)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        path = scope["path"]
        if path == "/health":
            known = 0 if self.table is None else len(self.table)
            body = msgspec.json.encode({"ready": self.table is not None, "devices": known})
            await reply(send, 200 if self.table is not None else 503, body, JSON)
        elif path.startswith("/owner/"):
            await self._owner(scope, receive, send)
        elif not hmac.compare_digest(headers.get(b"x-api-key", b""), self._key):
            await reply(send, 401, b"the key is missing or wrong\n", TEXT)
        elif path == "/dovecot":
            await self._dovecot(receive, send)
        elif path == "/forward":
            await self._forward(headers, send)
        else:
            await reply(send, 404, b"nothing is decided here\n", TEXT)

    async def _owner(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The owner's page, which needs its link and no key."""
        from domicile.devices import owner

        token, query = scope["path"].removeprefix("/owner/"), _fields(scope["query_string"])
        safe = (
            (b"content-security-policy", owner.policy().encode()),
            (b"referrer-policy", b"no-referrer"),  # the address is the key
            (b"x-content-type-options", b"nosniff"),
        )
        refused = 0
        try:
            if scope["method"] == "POST":
                form = _fields(await body_of(receive))
                refused = await asyncio.to_thread(
                    owner.say, self.estate_file, token, form, self.clock()
                )
                if refused == 303:
                    await reply(send, 303, b"", TEXT, (b"location", b"?"), *safe)
                    return
            status, text = await asyncio.to_thread(
                owner.page, self.estate_file, token, query.get("lang", ""), self.clock()
            )
        except TooLongError:
            await reply(send, 413, b"too long\n", TEXT)
        except DomicileError:
            await reply(send, 503, b"try again later\n", TEXT)
        else:
            await reply(send, refused or status, text.encode(), HTML, *safe)

    async def _dovecot(self, receive: Receive, send: Send) -> None:
        try:
            request = dovecot.parse(await body_of(receive))
        except (msgspec.DecodeError, TooLongError):
            await reply(send, 400, dovecot.answer(False), JSON)
            return
        decision = self.decide(request, "dovecot")
        said = "" if decision.allowed else self.said(decision, request.account)
        await reply(send, 200, dovecot.answer(decision.allowed, said), JSON)

    async def _forward(self, headers: dict[bytes, bytes], send: Send) -> None:
        request = forward.parse(headers)
        decision = self.decide(request, "forward_auth")
        if decision.allowed:
            await reply(send, 204, b"", TEXT)
            return
        languages = headers.get(b"accept-language", b"").decode("latin-1")
        said = self.said(decision, request.account, languages)
        # A header holds no line ends; nginx passes its bytes on as they are.
        await reply(send, 403, f"{said}\n".encode(), TEXT, (b"x-said", said.encode()))


class TooLongError(Exception):
    """A request is longer than any that is asked here."""


def _fields(text: bytes) -> dict[str, str]:
    """The fields of a query or a form; of several by one name the last."""
    try:
        return dict(parse_qsl(text.decode(), max_num_fields=20))
    except ValueError:
        return {}


async def body_of(receive: Receive, most: int = MAX_BODY) -> bytes:
    """The body of a request. Raises TooLongError."""
    body = b""
    while True:
        part = await receive()
        body += bytes(part.get("body", b""))
        if len(body) > most:
            raise TooLongError
        if not part.get("more_body"):
            return body


async def reply(
    send: Send, status: int, body: bytes, kind: bytes, *headers: tuple[bytes, bytes]
) -> None:
    """Answer a request."""
    await send({
        "type": "http.response.start", "status": status,
        "headers": [(b"content-type", kind), (b"content-length", str(len(body)).encode()),
                    (b"cache-control", b"no-store"), *headers],
    })  # fmt: skip
    await send({"type": "http.response.body", "body": body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
