"""The web server of the decision point: uvicorn, which is stopped by us, and guarded.

uvicorn itself waits for the head of a request for ever and takes one of any length; and it ends
the process by the signal that stopped it, before what was decided last is in the log.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
"""For the head of a request, from its first byte or the connection's beginning on."""

MAX_HEAD = 32 * 1024
"""Bytes of it: nginx and Caddy pass on 8 to 16 KB of a client's headers."""


class Server(uvicorn.Server):
    """Ends when `should_exit` is set, and leaves signals to who started it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and SIGINT; on a second one without waiting for who is connected."""
        loop = asyncio.get_running_loop()
        taken = []
        for each in (signal.SIGTERM, signal.SIGINT):
            with suppress(RuntimeError, ValueError):  # not the main thread: a test stops us
                loop.add_signal_handler(each, self._asked_to_stop)
                taken.append(each)
        try:
            yield
        finally:
            for each in taken:
                loop.remove_signal_handler(each)

    def _asked_to_stop(self) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True


class Guarded(HttpToolsProtocol):
    """A connection on which the head of a request comes in time, or which is closed."""

    _timer: asyncio.TimerHandle | None = None
    _length = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody is there, and has to ask."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """They are gone."""
        self._came()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        if self._timer is None:
            self._wait()

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._came()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Part of a request."""
        if self._timer is not None:
            self._length += len(data)
        super().data_received(data)
        if self._timer is not None and self._length > MAX_HEAD:
            self.transport.abort()

    def _wait(self) -> None:
        self._length = 0
        self._timer = self.loop.call_later(HEAD_SECONDS, self._close)

    def _came(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close(self) -> None:
        self.transport.abort()


def server(application: Any, host: str, port: int) -> Server:
    """A server of that application, not started yet."""
    return Server(uvicorn.Config(
        application, host=host, port=port, log_level="error", access_log=False, lifespan="off",
        http=Guarded, ws="none", timeout_graceful_shutdown=2, server_header=False,
    ))  # fmt: skip
