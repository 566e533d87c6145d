"""What odd clients do to the decision point: they are cut off, and nobody else waits for them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from domicile.devices import exchange, listen
from tests.devices.test_point import World, has
from tests.devices.test_sync import entries, phone

ASKED = json.dumps({"device": "d1", "protocol": "imap"}).encode()


def head(length: int, more: str = "") -> bytes:
    return (
        f"POST /dovecot HTTP/1.1\r\nHost: x\r\nX-API-Key: {'k' * 64}\r\n{more}"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


async def talk(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """Everything that is answered until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def serve(world: World, work: Callable[[int], Awaitable[None]]) -> None:
    """Run the decision point on a free port while `work` is done."""

    async def both() -> None:
        server = listen.server(world.enforcer.point, "127.0.0.1", 0)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            await work(server.servers[0].sockets[0].getsockname()[1])
        finally:
            server.should_exit = True
            await serving

    asyncio.run(both())


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(listen, "HEAD_SECONDS", 0.5)
    monkeypatch.setattr(exchange, "BODY_SECONDS", 0.5)
    return World(tmp_path, has(1), phone(2))


def test_slow_clients_are_cut_off_and_keep_nobody_waiting(world: World) -> None:
    async def work(port: int) -> None:
        slow = [asyncio.create_task(talk(port, b"POST /dovecot HTTP/1.1\r\nX-A: ")) for _ in
                range(50)]  # fmt: skip
        silent = asyncio.create_task(talk(port))
        body = asyncio.create_task(talk(port, head(len(ASKED)) + ASKED[:5]))
        good = await talk(port, head(len(ASKED), "Connection: close\r\n") + ASKED)
        assert b'"status":-1' in good
        assert set(await asyncio.gather(*slow)) == {b""}
        assert await silent == b""
        answer = await body
        assert b"400 Bad Request" in answer
        assert b'"status":-1' in answer  # what did not come whole lets nobody in

    serve(world, work)


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (b"POST /dovecot HTTP/1.1\r\n" + b"X-A: " + b"a" * 50_000 + b"\r\n\r\n", b"40"),
        (b"POST /dovecot HTTP/1.1\r\n" + b"X-A: a\r\n" * 20_000, b""),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", b"HTTP/1.1 400"),
        (b"GET /forward HTTP/9.9\r\n\r\n", b"HTTP/1.1 400"),
        (head(10**12) + b"x" * 100_000, b"HTTP/1.1 400"),
        (b"POST /dovecot HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
         b"HTTP/1.1 400"),
        (head(5, "Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n", b"HTTP/1.1 400"),
        (b"POST /dovecot HTTP/1.1\r\nHost: x\r\nX-API-Key: wrong\r\nContent-Length: 900000\r\n\r\n",
         b"HTTP/1.1 401"),
    ],
)  # fmt: skip
def test_what_is_no_request_lets_nobody_in(world: World, request_: bytes, answer: bytes) -> None:
    async def work(port: int) -> None:
        got = await talk(port, request_)
        assert answer in got[:20]
        assert b"HTTP/1.1 2" not in got
        assert b'"status":0' not in got

    serve(world, work)
    assert world.enforcer.tally.allowed == 0


def test_what_was_decided_last_is_in_the_log_when_it_is_stopped(tmp_path: Path) -> None:
    world, seen = World(tmp_path, has(1)), list[int]()

    async def work() -> None:
        def ready(port: int, _: str) -> None:
            seen.append(port)

        running = asyncio.create_task(world.enforcer.run("127.0.0.1", 0, ready))
        while not seen:
            await asyncio.sleep(0.01)
        await talk(seen[0], head(len(ASKED), "Connection: close\r\n") + ASKED)
        os.kill(os.getpid(), signal.SIGTERM)
        await running

    asyncio.run(work())
    assert [e["count"] for e in entries(world.file, "device_decisions")] == [1]
