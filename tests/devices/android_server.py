"""A server that answers as the Android Management API does, by its discovery document.

Pages with opaque tokens, `fields` that leave out what was not asked for, values that are false or
empty left out, errors in Google's form, and a token endpoint for service accounts. Every answer is
held against the document's schema before it is given.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.devices import discovery
from tests.devices.graph_server import Answer, GraphServer

ENTERPRISE = "LC01example"
SCOPE = "https://www.googleapis.com/auth/androidmanagement"


class AndroidServer(GraphServer):
    """One enterprise; `fault` and `asked` as those of Graph."""

    def __init__(self) -> None:
        super().__init__()
        self.key = RSAKey.generate_key(2048, private=True)
        self.forgotten: set[str] = set()  # page tokens that have ended

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> Answer:
        self.asked.append(f"{method} {path}")
        given = self.fault(path, len(self.asked) - 1)
        if given is not None:
            return given
        parts, query = urlsplit(path), parse_qs(urlsplit(path).query)
        if parts.path == "/token":
            return self._grant(parse_qs(body.decode()))
        if headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _error(401, "UNAUTHENTICATED")
        if parts.path != f"/v1/enterprises/{ENTERPRISE}/devices":
            return _error(404, "NOT_FOUND")
        token = query.get("pageToken", [""])[0]
        if token in self.forgotten or not re.fullmatch(r"(page-\d+)?", token):
            return _error(400, "INVALID_ARGUMENT")
        start = int(token.removeprefix("page-") or 0)
        size = min(int(query.get("pageSize", ["10"])[0]), 100, self.page)
        document: dict[str, Any] = {"devices": self.devices[start : start + size]}
        if start + size < len(self.devices):
            document["nextPageToken"] = f"page-{start + size}"
        wrong = discovery.faults("ListDevicesResponse", document)
        assert not wrong, wrong
        if "fields" in query:
            document = select(document, query["fields"][0])
        return 200, {"Content-Type": "application/json"}, json.dumps(_spare(document)).encode()

    def _grant(self, form: dict[str, list[str]]) -> Answer:
        """RFC 7523: a token for an assertion that the account's key signed."""
        assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
        try:
            claims = jwt.decode(form["assertion"][0], self.key, algorithms=["RS256"]).claims
        except ValueError:
            return 400, {}, json.dumps({"error": "invalid_grant"}).encode()
        assert (claims["aud"], claims["scope"]) == (f"{self.url}/token", SCOPE)
        assert claims["exp"] - claims["iat"] <= 3600
        token = f"token-{len(self.asked)}"
        self.tokens = {token}
        answer = {"access_token": token, "expires_in": 3599, "token_type": "Bearer"}
        return 200, {}, json.dumps(answer).encode()


def select(value: Any, fields: str) -> Any:
    """What a `fields` parameter leaves of a document (Google APIs, "Partial response")."""
    wanted: dict[str, str] = {}
    for part in re.findall(r"[^,()/]+(?:/[^,()]+|\((?:[^()]|\([^()]*\))*\))?", fields):
        name, rest = re.fullmatch(r"([^,()/]+)(.*)", part).groups()  # type: ignore[union-attr]
        wanted[name] = rest.removeprefix("/") if rest.startswith("/") else rest[1:-1]
    if isinstance(value, list):
        return [select(each, fields) for each in value]
    return {
        name: select(value[name], inner) if inner else value[name]
        for name, inner in wanted.items()
        if name in value
    }


def _spare(value: Any) -> Any:
    """A document as proto3 writes it: what is false, zero or empty is left out."""
    if isinstance(value, dict):
        return {key: _spare(each) for key, each in value.items() if each not in (False, 0, "", [])}
    return [_spare(each) for each in value] if isinstance(value, list) else value


def _error(status: int, word: str) -> Answer:
    document = {"error": {"code": status, "message": "a message", "status": word}}
    return status, {}, json.dumps(document).encode()
