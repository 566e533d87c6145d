"""The witness over HTTP: `POST /add-checkpoint`, and `GET /` for people who ask what this is."""

from __future__ import annotations

import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from domicile.evidence.witness import MAX_REQUEST, Answer, Witness

SECONDS = 20
"""How long one request may take to arrive."""


def server(witness: Witness, host: str, port: int) -> ThreadingHTTPServer:
    """A server that answers for the witness; port 0 takes a free one. Raises OSError."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        timeout = SECONDS
        protocol_version = "HTTP/1.1"
        server_version = "domicile-witness"
        sys_version = ""

        def do_POST(self) -> None:
            if self.path.rstrip("/") != "/add-checkpoint":
                self._answer(Answer(HTTPStatus.NOT_FOUND, "POST to /add-checkpoint\n"))
                return
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > MAX_REQUEST:
                self.close_connection = True
                self._answer(Answer(HTTPStatus.BAD_REQUEST, "too long, or of no length\n"))
                return
            request = self.rfile.read(int(length))
            try:
                with lock:
                    answer = witness.add_checkpoint(request)
            except OSError:
                answer = Answer(HTTPStatus.INTERNAL_SERVER_ERROR, "cannot write the state\n")
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

    return ThreadingHTTPServer((host, port), Handler)
