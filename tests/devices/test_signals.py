"""Security events: ours verify with another library, others' with ours; the rest is refused."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from domicile.devices.enforce import Enforcer
from domicile.devices.record import DeviceRecord
from domicile.devices.reported import not_compliant
from domicile.devices.settle import settle_now
from domicile.devices.signals.token import COMPLIANCE
from domicile.errors import DeclarationError, Stopped, UsageError
from domicile.estate.model import Signals, SignalSource
from tests.devices.made import ESTATE, MANDATE, TIKTOK, write_estate
from tests.devices.test_point import AFTER, World, has
from tests.devices.test_sync import Source, entries, phone, run

US, THEM = "https://access.example.org", "https://mdm.example.org/"
DAY = timedelta(days=1)
RELIES = MANDATE.replace("      by:", "      not_observable: compliance\n      by:")

KEY_OF_THEM = ec.generate_private_key(ec.SECP256R1())
ANOTHER = ec.generate_private_key(ec.SECP256R1())


def estate_with(port: int = 9, more: str = "") -> str:
    return ESTATE + (
        f"devices:\n  point: {US}\n  signals:\n{more}"
        f"    send: [{{to: calls, url: 'http://127.0.0.1:{port}/events', audience: 'https://sp'}}]\n"
        f"    take: [{{from: mdm, issuer: '{THEM}', keys: mdm.json}}]\n"
    )


def encoded(part: bytes) -> bytes:
    """As a part of a token."""
    return urlsafe_b64encode(part).rstrip(b"=")


DEEP = b'{"iss":' + b"[" * 20_000


def write_keys(directory: Path, *keys: Any) -> None:
    found = [
        {**json.loads(ECAlgorithm.to_jwk(key.public_key())), "kid": f"k{n}"}
        for n, key in enumerate(keys)
    ]
    (directory / "mdm.json").write_text(json.dumps({"keys": found}))


@pytest.fixture
def world(tmp_path: Path) -> World:
    write_keys(tmp_path, KEY_OF_THEM)
    complying = {"scope": "managed", "compliance": "compliant"}
    devices = (has(1), phone(2), phone(4, **complying), phone(5, **complying))
    return World(tmp_path, *devices, mandate=RELIES, estate=estate_with())


def claims(device: str = "d4", status: str = "not-compliant", **more: Any) -> dict[str, Any]:
    when = int(AFTER.timestamp())
    found = {
        "iss": THEM, "jti": f"{device} {status}", "iat": when, "aud": US,
        "sub_id": {"format": "complex", "device": {"format": "iss_sub", "iss": THEM,
                                                   "sub": device}},
        "events": {COMPLIANCE: {"current_status": status, "event_timestamp": when}},
        **more,
    }  # fmt: skip
    return {key: value for key, value in found.items() if value is not None}


def made(body: dict[str, Any], key: Any = KEY_OF_THEM, algorithm: str = "ES256",
         **header: Any) -> bytes:  # fmt: skip
    """A token as another library makes it."""
    headers = {"typ": "secevent+jwt", "kid": "k0", **header}
    return jwt.encode(body, key, algorithm, headers).encode()


def push(world: World, token: bytes, kind: str = "application/secevent+jwt") -> tuple[int, Any]:
    headers = {"Content-Type": kind, "X-API-Key": ""}
    status, _, body = world.ask("/events", token, headers)
    return status, json.loads(body)["err"] if status == 400 else body


def test_who_does_not_comply_elsewhere_is_refused_until_it_does(world: World) -> None:
    assert [world.dovecot(d)["status"] for d in ("d4", "d5")] == [0, 0]
    assert push(world, made(claims())) == (202, b"")
    world.look()
    assert "does not comply" in world.dovecot("d4")["msg"]
    assert world.dovecot("d5")["status"] == 0
    (change,) = settle_now(world.file, AFTER)
    assert (change.device.id, change.now.reason) == ("d4", "not_compliant")
    (entry,) = entries(world.file, "device_signals")
    assert (entry["direction"], entry["party"], entry["status"], len(entry["commitments"])) == (
        "taken", "mdm", "not-compliant", 1
    )  # fmt: skip
    later = int(AFTER.timestamp()) + 60
    back = {COMPLIANCE: {"current_status": "compliant", "event_timestamp": later}}
    assert push(world, made(claims(jti="j2", events=back)))[0] == 202
    world.look()
    assert world.dovecot("d4")["status"] == 0


def test_compliant_lets_nobody_in(world: World) -> None:
    assert push(world, made(claims("d1", "compliant")))[0] == 202
    world.look()
    assert world.dovecot("d1")["status"] == -1  # the app is there
    run(world.file, Source([phone(4, scope="managed", compliance="noncompliant")]), AFTER)
    assert push(world, made(claims("d4", "compliant")))[0] == 202
    world.look()
    assert world.dovecot("d4")["status"] == -1  # its management system says so


def test_an_older_event_that_comes_later_changes_nothing(world: World) -> None:
    assert push(world, made(claims()))[0] == 202
    before = int(AFTER.timestamp()) - 60
    old = {COMPLIANCE: {"current_status": "compliant", "event_timestamp": before}}
    assert push(world, made(claims(jti="old", events=old)))[0] == 202
    world.look()
    assert world.dovecot("d4")["status"] == -1


def test_a_device_that_comes_later_is_not_forgotten(world: World) -> None:
    assert push(world, made(claims("d7")))[0] == 202
    run(world.file, Source([phone(7, scope="managed", compliance="compliant")]), AFTER)
    world.look()
    assert "does not comply" in world.dovecot("d7")["msg"]


def test_a_source_speaks_of_its_fleets_only(world: World) -> None:
    assert push(world, made(claims()))[0] == 202
    record = DeviceRecord(world.enforcer.state)
    found = {
        fleets: not_compliant(record, Signals(sources=(SignalSource("mdm", THEM, "", fleets),)))
        for fleets in ((), ("phones", "tablets"), ("tablets",))
    }
    record.close()
    assert [len(each) for each in found.values()] == [1, 1, 0]
    assert not_compliant(record, Signals()) == not_compliant(record, None) == set()


NOW = int(AFTER.timestamp())
WEEK = 7 * 86400


@pytest.mark.parametrize(
    ("token", "err"),
    [
        (made(claims(), ANOTHER), "authentication_failed"),  # forged
        (made(claims(), ANOTHER, kid="k9"), "authentication_failed"),
        (made(claims(), kid="k9"), "authentication_failed"),
        (jwt.encode(claims(), "", "none", {"typ": "secevent+jwt"}).encode(), "invalid_key"),
        (made(claims(), "x" * 64, "HS256"), "invalid_key"),
        (made(claims(), typ="JWT"), "invalid_request"),
        (made(claims(), typ=None), "invalid_request"),
        (made(claims(), crit=["b64"], b64=True), "invalid_request"),
        (made(claims(aud="https://other.example.org")), "invalid_audience"),
        (made(claims(aud=[])), "invalid_audience"),
        (made(claims(aud=None)), "invalid_audience"),
        (made(claims(iss="https://nobody.example.org")), "invalid_issuer"),
        (made(claims(jti=None)), "invalid_request"),
        (made(claims(jti="")), "invalid_request"),
        (made(claims(exp=NOW - 1)), "invalid_request"),
        (made(claims(iat=NOW - WEEK)), "invalid_request"),
        (made(claims(iat=NOW + 3600)), "invalid_request"),
        (made(claims(iat=None)), "invalid_request"),
        (made(claims(events=None)), "invalid_request"),
        (made(claims(events={})), "invalid_request"),
        (made(claims(events={COMPLIANCE: None})), "invalid_request"),
        (made(claims(events={COMPLIANCE: {"current_status": "unknown"}})), "invalid_request"),
        (made(claims(sub_id=None)), "invalid_request"),
        (made(claims(sub_id={"format": "email", "email": "a@example.org"})), "invalid_request"),
        (made(claims(sub_id={"format": "opaque", "id": 7})), "invalid_request"),
        (b"", "invalid_request"),
        (b"a.b.c", "invalid_request"),
        (b"\xff.\xff.\xff", "invalid_request"),
        (
            b".".join((encoded(b'{"alg":"ES256","typ":"secevent+jwt"}'), encoded(DEEP), b"eA")),
            "invalid_request",
        ),
        (b".".join((encoded(DEEP), encoded(b"{}"), b"eA")), "invalid_request"),
        (made(claims())[:-4] + b"AAAA", "authentication_failed"),
        (made(claims()) + b"." + made(claims()), "invalid_request"),
    ],
)
def test_what_does_not_count_is_refused_and_changes_nothing(
    world: World, token: bytes, err: str
) -> None:
    assert push(world, token or b" ") == (400, err)
    world.look()
    assert world.dovecot("d4")["status"] == 0
    asyncio.run(world.enforcer.write())
    (entry,) = entries(world.file, "device_signals")
    assert (entry["outcome"], entry["error"], entry["count"]) == ("failed", err, 1)


def test_what_is_refused_does_not_fill_the_log(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def counts() -> list[int]:
        return [entry["count"] for entry in entries(world.file, "device_signals")]

    for _ in range(3):
        assert push(world, b"a.b.c")[0] == 400
        asyncio.run(world.enforcer.write())
    assert counts() == [1]
    taker = world.enforcer._taker
    assert taker is not None
    with monkeypatch.context() as patch:
        patch.setattr("domicile.devices.signals.taking.place.open_log", _full)
        with pytest.raises(Stopped):
            taker.write(last=True)
    taker.write(last=True)  # what could not be written is counted still
    assert counts() == [1, 2]


def _full(*_: object) -> None:
    raise Stopped("the disk is full")


def test_a_token_counts_once(world: World) -> None:
    token = made(claims())
    assert push(world, token)[0] == 202
    assert push(world, token) == (400, "invalid_request")
    assert push(world, made(claims(), ANOTHER)) == (400, "authentication_failed")
    assert push(world, made(claims("d5", jti="other")), "application/jwt")[0] == 400
    assert world.ask("/events", b"x" * 70_000, {"Content-Type": "application/secevent+jwt"})[0] in (
        400, 413
    )  # fmt: skip
    assert world.ask("/events")[0] == 405
    verification = "https://schemas.openid.net/secevent/ssf/event-type/verification"
    assert push(world, made(claims(jti="v", events={verification: {"state": "x"}})))[0] == 202


def test_keys_of_another_kind_and_keys_that_are_replaced(tmp_path: Path, world: World) -> None:
    big = rsa.generate_private_key(65537, 2048)
    file = tmp_path / "mdm.json"
    public = json.loads(RSAAlgorithm.to_jwk(big.public_key()))
    file.write_text(json.dumps({"keys": [{**public, "kid": "r1"}]}))
    asyncio.run(world.enforcer.write())  # looks at the file
    assert push(world, made(claims(), big, "RS256", kid="r1"))[0] == 202
    assert push(world, made(claims(jti="2")))[1] == "authentication_failed"
    assert push(world, made(claims(jti="3"), ANOTHER, kid="r1"))[1] == "authentication_failed"
    for wrong in ("", "{}", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "AAAA"}]}', "[1]"):
        file.write_text(wrong)
        with pytest.raises(DeclarationError):
            World(tmp_path, phone(2), estate=estate_with())


# What we send.


class Receiver:
    """A service that takes events, and answers as a test says."""

    def __init__(self) -> None:
        self.tokens: list[bytes] = []
        self.answers: list[tuple[int, bytes]] = []
        self.headers: dict[str, str] = {}
        self.port = 0
        self.drip = 0.0  # seconds between the bytes of an answer


@contextmanager
def receiving() -> Iterator[Receiver]:
    here = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            here.headers = dict(self.headers)
            status, answer = here.answers.pop(0) if here.answers else (202, b"")
            if status == 202:
                here.tokens.append(body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            with suppress(OSError):  # the other side has had enough
                for start in range(len(answer)) if here.drip else ():
                    self.wfile.write(answer[start : start + 1])
                    time.sleep(here.drip)
                self.wfile.write(answer if not here.drip else b"")

        def log_message(self, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    here.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield here
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiving() as here:
        yield here


def telling(tmp_path: Path, there: Receiver, *devices: Any, more: str = "") -> World:
    write_keys(tmp_path, KEY_OF_THEM)
    return World(tmp_path, *devices, estate=estate_with(there.port, more))


def send(world: World) -> None:
    asyncio.run(world.enforcer.send_events())
    sender = world.enforcer._sender
    assert sender is not None
    sender._client = None  # of a loop that has ended


def decoded_claims(token: bytes) -> dict[str, Any]:
    """What a token says, whoever signed it."""
    found: dict[str, Any] = jwt.decode(token.decode(), options={"verify_signature": False})
    return found


def decoded(world: World, token: bytes) -> dict[str, Any]:
    """What another library makes of a token, with the keys that we publish."""
    status, _, body = world.ask("/.well-known/jwks.json", headers={"X-API-Key": ""})
    assert status == 200
    header = jwt.get_unverified_header(token.decode())
    assert header["typ"] == "secevent+jwt"
    keys = jwt.PyJWKSet.from_json(body.decode())
    found: dict[str, Any] = jwt.decode(
        token.decode(), keys[header["kid"]].key, [header["alg"]], audience="https://sp", issuer=US
    )
    return found


def test_ours_verify_with_another_library(tmp_path: Path, there: Receiver) -> None:
    world = telling(tmp_path, there, has(1, name="Ana's phone"), phone(2))
    send(world)
    (token,) = there.tokens  # a new target is told of all that are refused
    found = decoded(world, token)
    event = found["events"][COMPLIANCE]
    assert (event["previous_status"], event["current_status"]) == ("compliant", "not-compliant")
    assert found["sub_id"]["device"] == {"format": "iss_sub", "iss": US, "sub": "d1"}
    assert found["iat"] == event["event_timestamp"]
    for secret in ("user1", "Ana", TIKTOK):  # no person, no app
        assert secret not in json.dumps(found)
    run(world.file, Source([phone(1, seen=AFTER), phone(2)]), AFTER)
    send(world)
    again = decoded(world, there.tokens[1])["events"][COMPLIANCE]
    assert (again["previous_status"], again["current_status"]) == ("not-compliant", "compliant")
    assert [(e["status"], e["outcome"]) for e in entries(world.file, "device_signals")] == [
        ("not-compliant", "done"), ("compliant", "done")
    ]  # fmt: skip


def test_ours_verify_with_ours(tmp_path: Path, there: Receiver) -> None:
    """Two institutions: what one sends, the other takes."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    sending = telling(first, there, has(4))
    send(sending)
    (second / "mdm.json").write_bytes(sending.ask("/.well-known/jwks.json")[2])
    relying = phone(4, scope="managed", compliance="compliant")
    for point, status in (("https://other", 400), ("https://sp", 202)):
        estate = estate_with().replace(f"point: {US}", f"point: {point}").replace(THEM, US)
        taking = World(second, relying, mandate=RELIES, estate=estate)
        assert push(taking, there.tokens[0])[0] == status
        taking.look()
        assert taking.dovecot("d4")["status"] == (0 if status == 400 else -1)


def test_what_is_not_taken_is_sent_again_and_nothing_is_lost(
    tmp_path: Path, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = telling(tmp_path, there, has(1), has(2), phone(3))
    clock = [1000.0]
    monkeypatch.setattr("domicile.devices.signals.sending.time.monotonic", lambda: clock[0])
    there.answers = [(503, b""), (202, b""), (401, b""), (400, b'{"err": "access_denied"}')]
    tried: list[str] = []
    world.enforcer.warn = tried.append
    send(world)
    assert there.tokens == []
    send(world)  # too soon
    assert len(there.answers) == 3
    clock[0] += 1.5
    send(world)
    assert len(there.tokens) == 1
    # Killed here: another process goes on with the same events.
    assert world.enforcer._sender is not None
    world.enforcer._sender.close()
    world.enforcer = Enforcer(world.file, "k" * 64, clock=lambda: AFTER)
    world.look()
    for _ in range(3):
        send(world)
        clock[0] += 600
    devices = [decoded(world, t)["sub_id"]["device"]["sub"] for t in there.tokens]
    assert sorted(devices) == ["d1", "d2"]
    assert any("503" in each for each in tried)


def test_one_that_is_refused_for_good_keeps_none_back(tmp_path: Path, there: Receiver) -> None:
    world = telling(tmp_path, there, has(1), has(2))
    there.answers = [(400, b'{"err": "invalid_audience", "description": "x"}')]
    send(world)
    assert len(there.tokens) == 1
    assert [(e["outcome"], e.get("error")) for e in entries(world.file, "device_signals")] == [
        ("failed", "invalid_audience"), ("done", None)
    ]  # fmt: skip


def test_an_answer_that_never_ends_holds_up_nothing(
    tmp_path: Path, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = telling(tmp_path, there, has(1))
    said: list[str] = []
    world.enforcer.warn = said.append
    monkeypatch.setattr("domicile.devices.signals.sending.SECONDS", 0.3)
    there.drip, there.answers = 0.02, [(400, b" " * 200)]
    send(world)
    assert "does not answer" in said[0]
    there.drip, there.answers = 0.0, [(400, b'{"err": "invalid_audience", "x": "' + b"x" * 200_000)]
    monkeypatch.setattr("domicile.devices.signals.sending.FIRST_WAIT", 0.0)
    sender = world.enforcer._sender
    assert sender is not None
    sender._again.clear()
    send(world)  # cut off, so it is no error that is known
    assert [e["error"] for e in entries(world.file, "device_signals")] == ["other"]


def test_a_nested_answer_is_an_error_like_others(tmp_path: Path, there: Receiver) -> None:
    world = telling(tmp_path, there, has(1))
    there.answers = [(400, b'{"x":' + b"[" * 30_000)]
    send(world)
    assert [e["error"] for e in entries(world.file, "device_signals")] == ["other"]


def test_of_two_points_one_sends(tmp_path: Path, there: Receiver) -> None:
    world = telling(tmp_path, there, has(1))
    second = Enforcer(world.file, "k" * 64, clock=lambda: AFTER)
    asyncio.run(second.look())
    send(world)
    asyncio.run(second.send_events())
    assert len(there.tokens) == 1


def pem(key: Any) -> str:
    return str(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()).decode())  # fmt: skip


@pytest.mark.parametrize("kind", ["EC", "RSA"])
def test_the_key_may_come_from_the_environment(
    tmp_path: Path, there: Receiver, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    key = ec.generate_private_key(ec.SECP256R1()) if kind == "EC" else (
        rsa.generate_private_key(65537, 2048)
    )  # fmt: skip
    monkeypatch.setenv("EVENTS_KEY", pem(key))
    world = telling(tmp_path, there, has(1), more="    key: EVENTS_KEY\n")
    send(world)
    assert decoded(world, there.tokens[0])["iss"] == US
    public = json.loads(world.ask("/.well-known/jwks.json")[2])["keys"][0]
    assert public["kty"] == kind
    assert not {"d", "p", "q"} & set(public)


@pytest.mark.filterwarnings("ignore:Key size")
def test_a_key_that_will_not_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_keys(tmp_path, KEY_OF_THEM)
    for wrong in ("", "x", pem(rsa.generate_private_key(65537, 1024)),  # noqa: S505
                  pem(ec.generate_private_key(ec.SECP384R1()))):  # fmt: skip
        monkeypatch.setenv("EVENTS_KEY", wrong)
        with pytest.raises(UsageError, match="EVENTS_KEY"):
            World(tmp_path, phone(1), estate=estate_with(more="    key: EVENTS_KEY\n"))


def test_events_need_a_name_for_who_sends_them(tmp_path: Path) -> None:
    for wrong in (
        estate_with().replace(f"  point: {US}\n", ""),
        estate_with().replace("http://127.0.0.1", "http://sp.example.org"),
        estate_with().replace("keys: mdm.json", "keys: mdm.json, fleets: [none]"),
    ):
        file = write_estate(tmp_path, wrong)
        with pytest.raises(DeclarationError, match=r"estate\.yaml:"):
            settle_now(file, datetime.now(UTC))
