"""Servers that hang, fail, send elsewhere or never end: bounded, tried again, nothing doubled."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from domicile.devices import send
from domicile.errors import Stopped
from domicile.estate.load import load_estate
from domicile.watch.notices import channels
from domicile.watch.run import watch_once
from tests.devices.mailbox import mailbox
from tests.watch.world import DEADLINE, make_world

DAY = DEADLINE - timedelta(days=5)  # a notice for each of two clauses


def look(estate: Path) -> int:
    """How many notices were taken by every channel. Raises Stopped."""
    return len(watch_once(estate, DAY, channels(load_estate(estate))).told)


class Silent:
    """A port at which everything is accepted and nothing answered."""

    def __init__(self) -> None:
        self.connections: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            self.connections.append(connection)
            if self._ending:
                return

    _ending = False

    def close(self) -> None:
        """End it, and what was connected."""
        self._ending = True
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._listening.close()
        for connection in self.connections:
            connection.close()


class Hook:
    """A webhook that answers what a test says; what was delivered, and which answer it got."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers: list[str] = []  # instead of 200, one for each coming delivery
        self.got: list[tuple[str, str, str]] = []  # path, identity, answer


@contextmanager
def webhook() -> Iterator[Hook]:
    """A running one on a free port of loopback."""
    ending = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert json.loads(body)["estate"] == "shop"
            answer = hook.answers.pop(0) if hook.answers else "200"
            hook.got.append((self.path, self.headers["X-Domicile-Delivery"], answer))
            if answer == "late":
                ending.wait(60)
                return
            self.send_response(200 if answer == "endless" else int(answer))
            if answer in ("302", "307"):
                self.send_header("Location", f"http://127.0.0.1:{hook.port}/elsewhere")
            self.end_headers()
            while answer == "endless" and not ending.wait(0.02):
                try:
                    self.wfile.write(b"more\n")
                except OSError:
                    return

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook = Hook(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hook
    finally:
        ending.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send, "SECONDS", 0.3)
    monkeypatch.setenv("HOOK", "a secret")


@pytest.mark.usefixtures("soon")
def test_a_mail_server_that_hangs_is_waited_for_once_a_round(tmp_path: Path) -> None:
    """Not once for each of two notices and two addresses; later each is told once."""
    with closing(Silent()) as silent:
        estate = make_world(tmp_path, silent.port)
        text = estate.read_text("utf-8").replace("[privacy@", "[board@shop.example, privacy@")
        estate.write_text(text, "utf-8")
        for rounds in (1, 2):
            with pytest.raises(Stopped, match=r"mail server 127\.0\.0\.1 takes nothing"):
                look(estate)
            assert len(silent.connections) == rounds
    with mailbox() as box:
        estate.write_text(text.replace(f":{silent.port}", f":{box.port}"), "utf-8")
        assert look(estate) == 2
        assert look(estate) == 0
        assert sorted(box.to) == ["board@shop.example"] * 2 + ["privacy@shop.example"] * 2


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    ("answer", "tries"), [("500", 2), ("429", 2), ("302", 2), ("307", 2), ("404", 2), ("late", 1)]
)
def test_a_webhook_that_does_not_take_it_is_tried_again(
    tmp_path: Path, answer: str, tries: int
) -> None:
    """Each notice comes under its own identity until it was taken, and not again after that. A
    redirect is not followed. The mail goes out meanwhile, once."""
    with mailbox() as box, webhook() as hook:
        estate = make_world(tmp_path, box.port)
        more = f"webhook: {{url: 'http://127.0.0.1:{hook.port}/here', secret: HOOK}}, mail:"
        estate.write_text(estate.read_text("utf-8").replace("mail:", more), "utf-8")
        hook.answers += [answer] * tries
        with pytest.raises(Stopped, match="webhook"):
            look(estate)
        assert len(box.messages) == 2
        assert [what for _, _, what in hook.got] == [answer] * tries
        assert look(estate) == 2
        assert look(estate) == 0
        assert len(box.messages) == 2
    taken = [identity for _, identity, what in hook.got if what == "200"]
    assert len(taken) == len(set(taken)) == 2
    assert {identity for _, identity, _ in hook.got} == set(taken)
    assert {path for path, _, _ in hook.got} == {"/here"}


@pytest.mark.usefixtures("soon")
def test_an_answer_without_end_is_not_read(tmp_path: Path) -> None:
    with mailbox() as box, webhook() as hook:
        estate = make_world(tmp_path, box.port)
        more = f"webhook: {{url: 'http://127.0.0.1:{hook.port}/here', secret: HOOK}}, mail:"
        estate.write_text(estate.read_text("utf-8").replace("mail:", more), "utf-8")
        hook.answers += ["endless", "endless"]
        assert look(estate) == 2
        assert look(estate) == 0
        assert len(hook.got) == 2
