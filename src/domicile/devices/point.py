"""The decision point: one ASGI application that every mail and web server asks.

    POST /dovecot     Dovecot's auth policy            GET /forward    nginx, Caddy, Traefik
    POST /access/v1/evaluation, /access/v1/evaluations                 AuthZEN
    GET, POST /owner/LINK     the page of one owner
    POST /nanomdm/FLEET       what Apple devices answer

Who asks for a decision must send the key (`X-API-Key`, or as a bearer token). What cannot be
decided is refused, unless every clause concerned says `when_down: open`; then each pass is in the
log before it is answered.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from domicile.devices import authzen, dovecot, forward
from domicile.devices.ban import Ban
from domicile.devices.exchange import (
    HTML,
    JSON,
    NO_JSON,
    TEXT,
    Answer,
    Asked,
    Receive,
    Scope,
    Send,
    TooLongError,
    fields,
)
from domicile.devices.table import Decision, Request, Table, without
from domicile.devices.tally import Tally
from domicile.devices.words import LANGUAGES, label, refusal
from domicile.errors import DomicileError
from domicile.estate.model import DeviceSettings

if TYPE_CHECKING:
    from domicile.devices.hook import Hook


class Point:
    """Decides by the table that it is given; without one, nothing can be decided.

    `evidence` finds the entry of the log that shows what was decided, if there is one.
    """

    def __init__(
        self, ban: Ban, settings: DeviceSettings, key: str, tally: Tally,
        clock: Callable[[], datetime], estate_file: Path,
    ) -> None:  # fmt: skip
        self.estate_file = estate_file
        self.ban, self.settings, self.tally, self.clock = ban, settings, tally, clock
        self.table: Table | None = None
        self.url = settings.point  # where it is reached: of where it listens, when not declared
        self.evidence: Callable[[Decision], int | None] = lambda decision: None
        self._key = key.encode()
        self._hook: Hook | None = None
        self._keyed: dict[str, Answer] = {
            "/dovecot": self._dovecot,
            "/forward": self._forward,
            authzen.EVALUATION: self._evaluation,
            authzen.EVALUATIONS: self._evaluations,
        }
        self.open: dict[str, Answer] = {
            "/health": self._health,
            authzen.CONFIGURATION: self._configuration,
        }
        """What is answered without the key."""

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

    def answer(self, request: Request, point: str, languages: str = "") -> tuple[Decision, str]:
        """Decide, and what the person is told when they are refused, in their language: the
        owner's, else the one that their browser asks for, else the estate's."""
        decision = self.decide(request, point)
        if decision.allowed:
            return decision, ""
        language = self.settings.language
        wanted = languages[:2].casefold()
        if request.account and self.table is not None:
            language = self.table.people.logs_in_as(request.account).language
        elif wanted in LANGUAGES:
            language = wanted
        return decision, self.said(decision, language)

    def said(self, decision: Decision, language: str) -> str:
        """What a person is told of a refusal: one line."""
        name = label(decision.device) if decision.device else ""
        return refusal(decision.reason, name, decision.rule, decision.app, self.settings, language)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        asked = Asked.of(scope, receive, send)
        if asked.path.startswith("/owner/"):
            await self._owner(asked)
        elif asked.path.startswith("/nanomdm/"):
            await self._nanomdm(asked)
        elif asked.path in self.open:
            await self.open[asked.path](asked)
        elif not self._knows_key(asked.headers):
            await asked.reply(401, b"the key is missing or wrong\n")
        elif asked.path in self._keyed:
            await self._keyed[asked.path](asked)
        else:
            await asked.reply(404, b"nothing is decided here\n")

    def _knows_key(self, headers: Mapping[bytes, bytes]) -> bool:
        given = headers.get(b"x-api-key") or headers.get(b"authorization", b"").removeprefix(
            b"Bearer "
        )
        return hmac.compare_digest(given, self._key)

    async def _health(self, asked: Asked) -> None:
        ready = self.table is not None
        known = len(self.table) if self.table is not None else 0
        body = msgspec.json.encode({"ready": ready, "devices": known})
        await asked.reply(200 if ready else 503, body, JSON)

    async def _configuration(self, asked: Asked) -> None:
        await asked.reply(200, authzen.configuration(self.url), JSON)

    async def _owner(self, asked: Asked) -> None:
        """The owner's page, which needs its link and no key."""
        from domicile.devices import owner

        token, query = asked.path.removeprefix("/owner/"), fields(asked.query)
        safe = (
            (b"content-security-policy", owner.policy().encode()),
            (b"referrer-policy", b"no-referrer"),  # the address is the key
            (b"x-content-type-options", b"nosniff"),
        )
        refused = 0
        try:
            if asked.method == "POST":
                form = fields(await asked.body())
                refused = await asyncio.to_thread(
                    owner.say, self.estate_file, token, form, self.clock()
                )
                if refused == 303:
                    await asked.reply(303, b"", HTML, (b"location", b"?"), *safe)
                    return
            status, text = await asyncio.to_thread(
                owner.page, self.estate_file, token, query.get("lang", ""), self.clock()
            )
        except TooLongError:
            await asked.reply(413, b"too long\n")
        except DomicileError:
            await asked.reply(503, b"try again later\n")
        else:
            await asked.reply(refused or status, text.encode(), HTML, *safe)

    async def _nanomdm(self, asked: Asked) -> None:
        """NanoMDM's webhook, which is signed and needs no key."""
        from domicile.devices.hook import Hook  # needed by some estates only

        try:
            if self._hook is None:
                self._hook = await asyncio.to_thread(Hook, self.estate_file, self.clock)
            status = await self._hook.take(asked)
        except DomicileError:
            status = 503
        await asked.reply(status, b"")

    async def _dovecot(self, asked: Asked) -> None:
        try:
            request = dovecot.parse(await asked.body())
        except (*NO_JSON, TooLongError):
            await asked.reply(400, dovecot.answer(False), JSON)
            return
        decision, said = self.answer(request, "dovecot")
        await asked.reply(200, dovecot.answer(decision.allowed, said), JSON)

    async def _forward(self, asked: Asked) -> None:
        languages = asked.headers.get(b"accept-language", b"").decode("latin-1")
        decision, said = self.answer(forward.parse(asked.headers), "forward_auth", languages)
        if decision.allowed:
            await asked.reply(204, b"")
        else:  # a header holds no line ends; nginx passes its bytes on as they are
            await asked.reply(403, f"{said}\n".encode(), TEXT, (b"x-said", said.encode()))

    async def _evaluation(self, asked: Asked) -> None:
        await self._authzen(asked, authzen.evaluation)

    async def _evaluations(self, asked: Asked) -> None:
        await self._authzen(asked, authzen.evaluations)

    async def _authzen(
        self, asked: Asked, work: Callable[[bytes, authzen.Decide, authzen.Context], bytes]
    ) -> None:
        same = asked.headers.get(b"x-request-id")
        echo = ((b"x-request-id", same),) if same else ()
        if asked.method != "POST":
            await asked.reply(405, b'"Ask with POST"', JSON, (b"allow", b"POST"), *echo)
            return
        try:
            body = work(await asked.body(), lambda request: self.decide(request, "authzen"),
                        self._context)  # fmt: skip
        except NO_JSON as error:  # its message names keys, and no values
            await asked.reply(400, msgspec.json.encode(str(error)), JSON, *echo)
        except TooLongError:
            await asked.reply(413, b'"The request is too long"', JSON, *echo)
        else:
            await asked.reply(200, body, JSON, *echo)

    def _context(self, decision: Decision) -> dict[str, Any]:
        """What a service is told beside yes or no: why, in words for the person, and where that
        is in the log."""
        found: dict[str, Any] = {"reason": decision.reason}
        entry = self.evidence(decision)
        if decision.key is not None:
            found |= {"mandate": decision.key.mandate, "clause": decision.key.clause}
        if entry is not None:
            found["evidence_id"] = str(entry)
        if not decision.allowed:
            found["reason_user"] = {each: self.said(decision, each) for each in LANGUAGES}
        return found


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
