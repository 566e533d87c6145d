"""A server that answers as Microsoft Graph's deviceManagement does, as far as it is documented.

Pages with opaque `@odata.nextLink`s, stubs in `detectedApps/{id}/managedDevices`, tokens from
client credentials, and the ways in which such a service fails; see `Fault`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Answer = tuple[int, dict[str, str], bytes]

Fault = Callable[[str, int], Answer | None]
"""Given the path with its query and how many requests came before: an answer instead, or None."""

STUB = {
    "userId": "", "userPrincipalName": None, "lastSyncDateTime": "0001-01-01T00:00:00Z",
    "enrolledDateTime": "0001-01-01T00:00:00Z", "managedDeviceOwnerType": "unknown",
    "complianceState": "unknown", "operatingSystem": None,
}  # fmt: skip


class GraphServer:
    """What the tenant has, what was asked, and what goes wrong."""

    def __init__(self) -> None:
        self.devices: list[dict[str, Any]] = []
        self.apps: list[dict[str, Any]] = []
        self.on: dict[str, list[str]] = {}  # app id → device ids
        self.page = 2
        self.tokens = {"token-1"}
        self.secrets = {"hunter2"}
        self.fault: Fault = lambda path, number: None
        self.asked: list[str] = []
        self.url = ""

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> Answer:
        """The answer to one request."""
        self.asked.append(f"{method} {path}")
        given = self.fault(path, len(self.asked) - 1)
        if given is not None:
            return given
        parts = urlsplit(path)
        if parts.path.endswith("/oauth2/v2.0/token"):
            return self._token(parse_qs(body.decode()))
        if headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _json(401, {"error": {"code": "InvalidAuthenticationToken"}})
        query = parse_qs(parts.query)
        where = [unquote(each) for each in parts.path.split("/")[3:]]
        match where:
            case ["managedDevices"]:
                return self._page(path, query, self.devices)
            case ["detectedApps"]:
                return self._page(path, query, self.apps)
            case ["detectedApps", app, "managedDevices"] if app in self.on:
                stubs = [{**STUB, "id": id_, "deviceName": f"name of {id_}"}
                         for id_ in self.on[app]]  # fmt: skip
                return self._page(path, query, stubs)
        return _json(404, {"error": {"code": "ResourceNotFound"}})

    def _page(self, path: str, query: dict[str, list[str]], rows: list[dict[str, Any]]) -> Answer:
        start = int(query.get("$skiptoken", ["0"])[0].removeprefix("opaque"))
        wanted = query.get("$select", [""])[0].split(",")
        page = [{k: v for k, v in row.items() if k in wanted or wanted == [""]}
                for row in rows[start : start + self.page]]  # fmt: skip
        document: dict[str, Any] = {"@odata.context": "…", "@odata.count": len(rows), "value": page}
        if start + self.page < len(rows):
            base = path.partition("&$skiptoken")[0]
            document["@odata.nextLink"] = f"{self.url}{base}&$skiptoken=opaque{start + self.page}"
        return _json(200, document)

    def _token(self, form: dict[str, list[str]]) -> Answer:
        if form["client_secret"][0] not in self.secrets:
            return _json(401, {"error": "invalid_client"})
        token = f"token-{len(self.asked)}"
        self.tokens = {token}
        return _json(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": token})


def _json(status: int, document: dict[str, Any], **headers: str) -> Answer:
    return status, {"Content-Type": "application/json", **headers}, json.dumps(document).encode()


@contextmanager
def served(server: GraphServer) -> Iterator[GraphServer]:
    """Serve on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            status, headers, body = server.answer(
                self.command, self.path, self.headers, self.rfile.read(length)
            )
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = "Content-Length" in headers  # one that lies

        do_POST = do_PUT = do_GET  # noqa: N815 - the names that http.server asks for

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name
            return

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()
