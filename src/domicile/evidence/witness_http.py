"""The witness over HTTP: `POST /add-checkpoint`, and `GET /` for people who ask what this is.

Whoever asks is a stranger: what one connection may hold is bounded in bytes, in time, and in
number, and what is wrong with a request is an answer and no traceback.
"""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from domicile.errors import DomicileError
from domicile.evidence.witness import MAX_REQUEST, Answer, Witness

SECONDS = 20
"""How long one request may take to arrive."""

LIFETIME = 120
"""Seconds after which a connection is cut, whatever it does."""

CONNECTIONS = 64
"""How many are served at a time; more are closed at once."""


class Server(ThreadingHTTPServer):
    """A server with a bounded number of connections."""

    daemon_threads = True
    request_queue_size = CONNECTIONS

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve it in a thread, unless there are too many."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve it for so long at most."""
        timer = threading.Timer(LIFETIME, _cut, [request])
        timer.daemon = True
        timer.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            timer.cancel()
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a connection that broke off: that is the stranger's affair."""


def server(witness: Witness, host: str, port: int) -> Server:
    """A server that answers for the witness; port 0 takes a free one. Raises OSError."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        timeout = SECONDS
        protocol_version = "HTTP/1.1"
        server_version = "domicile-witness"
        sys_version = ""

        def do_POST(self) -> None:
            if self.path.rstrip("/") != "/add-checkpoint":
                self.close_connection = True  # its body is not read
                self._answer(Answer(HTTPStatus.NOT_FOUND, "POST to /add-checkpoint\n"))
                return
            length = self.headers.get("Content-Length", "")
            if not re.fullmatch("[0-9]{1,6}", length) or int(length) > MAX_REQUEST:
                self.close_connection = True
                self._answer(Answer(HTTPStatus.BAD_REQUEST, "too long, or of no length\n"))
                return
            request = self.rfile.read(int(length))
            try:
                with lock:
                    answer = witness.add_checkpoint(request)
            except (OSError, DomicileError):  # its own state cannot be read or written
                answer = Answer(HTTPStatus.INTERNAL_SERVER_ERROR, "this witness cannot answer\n")
            self._answer(answer)

        def do_GET(self) -> None:
            self._answer(Answer(HTTPStatus.OK, f"{witness.key.verifier}\n"))

        def _answer(self, answer: Answer) -> None:
            body = answer.body.encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's
            """Say nothing: addresses of those who ask are nobody's business."""

    return Server((host, port), Handler)


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
