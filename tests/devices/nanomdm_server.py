"""A server that answers as NanoMDM does, with Apple devices behind it that connect when told to.

The API is that of NanoMDM's http/api and docs/openapi.yaml: enrolments by cursor, commands put into
queues, per-device errors and 207, Basic auth. `deliver` makes the devices take their commands and
gives the webhook's deliveries, signed as NanoMDM signs them.
"""

from __future__ import annotations

import base64
import hmac
import json
import plistlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.devices.graph_server import Answer, GraphServer

KEY, SECRET = "api-key", "webhook-secret"


@dataclass
class Phone:
    """One enrolment; `status` is what it answers with when it connects."""

    id: str
    apps: list[str] = field(default_factory=list)
    type: str = "Device"
    serial: str = ""
    enabled: bool = True
    status: str = "Acknowledged"
    queue: list[bytes] = field(default_factory=list)
    reported: list[str] = field(default_factory=list)  # all that ever left it

    @property
    def identity(self) -> dict[str, str]:
        """How the device names itself: a User Enrollment has no UDID."""
        return {("EnrollmentID" if self.type.startswith("User E") else "UDID"): self.id}

    def respond(self, command: dict[str, Any]) -> bytes:
        """The plist that it sends, as Apple's application.installed.list.yaml describes it."""
        body: dict[str, Any] = {
            "CommandUUID": command["CommandUUID"], "Status": self.status, **self.identity
        }  # fmt: skip
        asked = command["Command"]
        if self.status == "Acknowledged":
            assert asked["RequestType"] == "InstalledApplicationList"
            wanted = asked.get("Identifiers", self.apps)
            items = asked.get("Items", ["Identifier", "Name", "Installing"])
            whole = {"Name": "a name", "Installing": False, "Version": "1"}
            listed = [app for app in self.apps if app in wanted]
            body["InstalledApplicationList"] = [
                {"Identifier": app} | {key: whole[key] for key in items if key in whole}
                for app in listed
            ]
            self.reported += listed
        elif self.status in ("Error", "CommandFormatError"):
            body["ErrorChain"] = [{"ErrorCode": 12021, "ErrorDomain": "MCMDMErrorDomain",
                                   "LocalizedDescription": "Unknown command",
                                   "USEnglishDescription": "Unknown command"}]  # fmt: skip
        return plistlib.dumps(body)


class NanomdmServer(GraphServer):
    """Enrolments, their queues, and what goes wrong."""

    def __init__(self, *phones: Phone) -> None:
        super().__init__()
        self.phones = {phone.id: phone for phone in phones}
        self.commands: list[dict[str, Any]] = []
        self.refused: set[str] = set()  # ids whose queue takes nothing
        self.unpushed: set[str] = set()  # ids that no push reaches
        self.repeats = False
        self.now = "2023-03-16T06:00:00Z"

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> Answer:
        self.asked.append(f"{method} {path}")
        given = self.fault(path, len(self.asked) - 1)
        if given is not None:
            return given
        basic = base64.b64encode(f"nanomdm:{KEY}".encode()).decode()
        if headers.get("Authorization") != f"Basic {basic}":
            return 401, {"WWW-Authenticate": "Basic realm=nanomdm"}, b"Unauthorized"
        parts = urlsplit(path)
        if (method, parts.path) == ("POST", "/v1/enrollments/query"):
            return self._enrolments(parse_qs(parts.query))
        if method == "PUT" and parts.path.startswith("/v1/enqueue/"):
            ids = [unquote(each) for each in parts.path.removeprefix("/v1/enqueue/").split(",")]
            return self._enqueue(ids, body)
        return 404, {}, b"404 page not found\n"

    def _enrolments(self, query: dict[str, list[str]]) -> Answer:
        start = int(query.get("cursor", ["at-0"])[0].removeprefix("at-"))
        size = min(int(query.get("limit", ["100"])[0]), self.page)
        rows = list(self.phones.values())
        listed = [
            {"id": each.id, "type": each.type, "enabled": each.enabled, "token_update_tally": 1,
             "last_seen": "2023-03-14T08:00:00Z", "device": {"serial_number": each.serial}}
            for each in rows[start : start + size]
        ]  # fmt: skip
        document: dict[str, Any] = {"enrollments": listed}
        if start + size < len(rows):
            document["next_cursor"] = "at-2" if self.repeats else f"at-{start + size}"
        return 200, {}, json.dumps(document).encode()

    def _enqueue(self, ids: list[str], body: bytes) -> Answer:
        command = plistlib.loads(body)
        outcome: dict[str, Any] = {}
        for id_ in ids:
            if id_ in self.refused or id_ not in self.phones:
                outcome[id_] = {"command_error": f"no such enrolment {id_}"}
                continue
            self.phones[id_].queue.append(body)
            outcome[id_] = (
                {"push_error": "Unregistered"} if id_ in self.unpushed else {"push_result": "x"}
            )
        self.commands.append(command)
        failed = sum("push_result" not in each for each in outcome.values())
        status = 200 if not failed else 500 if failed == len(ids) else 207
        document = {"status": outcome, "command_uuid": command["CommandUUID"],
                    "request_type": command["Command"]["RequestType"]}  # fmt: skip
        return status, {}, json.dumps(document).encode()

    def deliver(self) -> Iterator[tuple[bytes, str]]:
        """Every device connects; each answer as a delivery with its signature."""
        for phone in self.phones.values():
            waiting, phone.queue = phone.queue, []
            for body in waiting:
                command = plistlib.loads(body)
                if phone.status == "NotNow":
                    phone.queue.append(body)
                yield signed(self.event(phone, command["CommandUUID"], phone.respond(command)))

    def event(self, phone: Phone, uuid: str, payload: bytes, **fields: Any) -> dict[str, Any]:
        """A webhook's event of a device's answer (service/webhook/event.go)."""
        name = {"UDID": "udid", "EnrollmentID": "enrollment_id"}
        return {
            "topic": "mdm.Connect", "event_id": "e1", "created_at": self.now,
            "acknowledge_event": {
                **{name[key]: value for key, value in phone.identity.items()},
                "ids": {"id": phone.id, "type": phone.type}, "command_uuid": uuid,
                "status": phone.status, "raw_payload": base64.b64encode(payload).decode(),
                **fields,
            },
        }  # fmt: skip


def signed(event: dict[str, Any] | bytes, secret: str = SECRET) -> tuple[bytes, str]:
    """A delivery's body and its `X-Hmac-Signature`."""
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    digest = hmac.new(secret.encode(), body, sha256).digest()
    return body, base64.b64encode(digest).decode()
