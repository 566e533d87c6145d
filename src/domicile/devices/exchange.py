"""One request over HTTP and its answer, as ASGI gives and takes them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import msgspec

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY = 64 * 1024
"""Bytes of a request: decisions are asked for in a few hundred."""

BODY_SECONDS = 10.0
"""For the whole body of a request."""

NO_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for what is no JSON, or none of the kind that is asked for."""

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"
HTML = b"text/html; charset=utf-8"


class TooLongError(Exception):
    """A request is longer than any that is asked here, or takes longer to come."""


@dataclass(frozen=True)
class Asked:
    """A request, and where its answer goes."""

    path: str
    query: bytes
    method: str
    headers: Mapping[bytes, bytes]
    receive: Receive
    send: Send

    @classmethod
    def of(cls, scope: Scope, receive: Receive, send: Send) -> Asked:
        """From what an ASGI server gives."""
        return cls(
            scope["path"], scope["query_string"], scope["method"], dict(scope["headers"]), receive,
            send,
        )  # fmt: skip

    async def body(self, most: int = MAX_BODY) -> bytes:
        """Its body. Raises TooLongError."""
        return await body_of(self.receive, most)

    async def reply(
        self, status: int, body: bytes, kind: bytes = TEXT, *headers: tuple[bytes, bytes]
    ) -> None:
        """Answer it. After an error the connection ends: a body may still be coming."""
        ends = ((b"connection", b"close"),) if status >= 400 and status != 403 else ()
        await self.send({
            "type": "http.response.start", "status": status,
            "headers": [(b"content-type", kind), (b"content-length", str(len(body)).encode()),
                        (b"cache-control", b"no-store"), *ends, *headers],
        })  # fmt: skip
        await self.send({"type": "http.response.body", "body": body})


Answer = Callable[[Asked], Awaitable[None]]


def fields(text: bytes) -> dict[str, str]:
    """The fields of a query or a form; of several by one name the last."""
    try:
        return dict(parse_qsl(text.decode(), max_num_fields=20))
    except ValueError:
        return {}


async def body_of(receive: Receive, most: int = MAX_BODY) -> bytes:
    """The body of a request. Raises TooLongError."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                part = await receive()
                body += part.get("body", b"")
                if len(body) > most or part["type"] == "http.disconnect":
                    raise TooLongError
                if not part.get("more_body"):
                    return bytes(body)
    except TimeoutError:
        raise TooLongError from None
