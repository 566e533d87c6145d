"""Strangers, lying witnesses and planted files: each is an answer or one clear error."""

from __future__ import annotations

import http.client
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from domicile.errors import EvidenceError, Stopped
from domicile.evidence import cosign as asking
from domicile.evidence import witness_http
from domicile.evidence.canonical import decode
from domicile.evidence.cosign import cosign
from domicile.evidence.files import Files
from domicile.evidence.keys import SigningKey
from domicile.evidence.log import Log
from domicile.evidence.note import cosignatures, sign_note
from domicile.evidence.reader import LogReader
from domicile.evidence.verify import fsck
from domicile.evidence.witness import MAX_REQUEST
from tests.evidence.making import KEY, entries, entry, make_log
from tests.evidence.test_witness import NOON, W1, cosigned_by, request, served, watching

Answers = Callable[[str], tuple[int, bytes]]


def ask(address: str, body: bytes, **headers: str) -> tuple[int, str | None, str]:
    """Status, content type and body of one request, with the headers as they are given."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=20)
    try:
        connection.request("POST", "/add-checkpoint", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type"), answer.read().decode()
    finally:
        connection.close()


def test_what_is_no_request_is_answered_and_leaves_the_witness_up(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", 5)
    good = request(log, 0)
    with served(watching(tmp_path / "w")) as [(_, _, address)]:
        for bad in (
            b"old " + b"9" * 5000 + b"\n\n" + good.partition(b"\n\n")[2],  # no number of ours
            b"old 00\n\n" + good.partition(b"\n\n")[2],
            b"old -1\n\n" + good.partition(b"\n\n")[2],
            "old ٣\n\n".encode() + good.partition(b"\n\n")[2],
            b"old 1\n" + b"AAAA" * 11 + b"\n" * 2 + good.partition(b"\n\n")[2],
            b"old 3\n" + (b"A" * 43 + b"=\n") * 64 + b"\n" + good.partition(b"\n\n")[2],
            good.replace(b"\n", b"\r\n"),
            good[:-1],  # no newline at the end
            b"\0" * 4000,
        ):
            assert ask(address, bad)[0] == 400, bad[:40]
        for length in ("9" * 5000, "-1", "1e3", "", str(MAX_REQUEST + 1)):
            assert ask(address, b"", **{"Content-Length": length})[0] == 400, length[:20]
        assert ask(address, b"x" * 10)[0] == 400
        status, _, said = ask(address, good)
        assert (status, said.startswith("— custodian.example/w1 ")) == (200, True)
        assert ask(address, good)[:2] == (409, "text/x.tlog.size")


def test_it_keeps_connections_open(tmp_path: Path) -> None:
    """Clients should use keep-alive, and witnesses support it (tlog-witness)."""
    log = make_log(tmp_path / "log", 5)
    with served(watching(tmp_path / "w")) as [(_, _, address)]:
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=20)
        for expected in (200, 409, 409):
            connection.request("POST", "/add-checkpoint", request(log, 0))
            answer = connection.getresponse()
            assert answer.status == expected
            answer.read()
        connection.close()


def test_signatures_of_others_are_ignored(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", 5)
    others = [SigningKey(f"other.example/{n}", bytes([n]) * 32) for n in range(1, 60)]
    lines = "".join(sign_note(log.head.text, key).splitlines(keepends=True)[-1] for key in others)
    answer = watching(tmp_path / "w").add_checkpoint(request(log, 0, log.checkpoint() + lines))
    assert answer.status == 200
    alone = request(log, 0, f"{log.head.text}\n{lines}")
    assert watching(tmp_path / "w2").add_checkpoint(alone).status == 403


def test_more_connections_than_are_served_are_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(witness_http, "CONNECTIONS", 3)
    monkeypatch.setattr(witness_http, "LIFETIME", 1)
    log = make_log(tmp_path / "log", 5)
    with served(watching(tmp_path / "w")) as [(_, _, address)]:
        host, port = address.removeprefix("http://").split(":")
        slow = [socket.create_connection((host, int(port)), timeout=20) for _ in range(3)]
        for each in slow:
            each.sendall(b"POST /add-checkpoint HTTP/1.1\r\n")  # and then nothing more
        until = time.monotonic() + 30
        while time.monotonic() < until:  # the three hold every place until they are cut
            with suppress(OSError, http.client.HTTPException):
                assert ask(address, request(log, 0))[0] == 200
                break
            time.sleep(0.05)
        else:
            pytest.fail("the witness did not come back")
        assert all(each.recv(100) == b"" for each in slow)  # cut
        for each in slow:
            each.close()


def test_a_damaged_state_is_no_answer(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", 5)
    with served(watching(tmp_path / "w")) as [(_, _, address)]:
        assert ask(address, request(log, 0))[0] == 200
        (head,) = (tmp_path / "w").glob("*.head")
        head.write_bytes(b"damaged")
        assert ask(address, request(log, 5))[0] == 500


def test_an_older_head_sent_again_by_anybody_crowds_out_no_proof(tmp_path: Path) -> None:
    log, witness = make_log(tmp_path / "log", 5), watching(tmp_path / "w")
    older = log.checkpoint()
    witness.add_checkpoint(request(log, 0))
    log.append(entries(5, 9))
    witness.add_checkpoint(request(log, 5))
    for old in range(5):
        witness.add_checkpoint(f"old {old}\n\n{older}".encode())
    assert len(list((tmp_path / "w" / "refused").iterdir())) == 1  # one head, once


@contextmanager
def liar(answers: Answers) -> Iterator[str]:
    """A witness that answers what it likes."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, said = answers(body)
            self.send_response(status)
            if status == 302:
                self.send_header("Location", said.decode())
                said = b""
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def line_at(log: Log, time: int) -> bytes:
    """W1's cosignature of the log's head at any time."""
    import base64

    signature = W1.verifier.id + W1.cosign(log.head.text, time)
    return f"— {W1.name} {base64.b64encode(signature).decode()}\n".encode()


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        ((409, b"9" * 90), "fork"),  # no size at all
        ((409, b"9999999999999999999"), "wrong"),  # no size that a log has
        ((409, b"7"), "rollback"),
        ((409, b"-3"), "fork"),
        ((409, "٣".encode()), "fork"),
        ((409, b"0"), "fork"),  # it says no to what it asked for
        ((200, b""), "wrong"),
        ((200, b"\xff\xfe" * 100), "wrong"),
        ((200, "— custodian.example/w1 AAAAAAAAAAAA\n".encode() * 200), "wrong"),
        ((200, b"x" * 1_000_000), "wrong"),
        ((302, b"http://127.0.0.1:1/"), "wrong"),
        ((403, b""), "not_trusted"),
        ((404, b""), "unknown_log"),
        ((422, b""), "fork"),
        ((500, b""), "wrong"),
    ],
)
def test_a_witness_that_lies_is_refused_and_that_is_recorded(
    tmp_path: Path, answer: tuple[int, bytes], refused: str
) -> None:
    log = make_log(tmp_path / "log", 5)
    with liar(lambda _: answer) as address:
        (asked,) = cosign(log, "test", [("w", W1.verifier, address)])
    assert asked.refused == refused
    assert LogReader(tmp_path / "log", KEY.verifier).entry(5)["answer"] == refused
    assert "W" not in log.checkpoint().rpartition("\n\n")[2].split()[1]
    assert fsck(tmp_path / "log", KEY.verifier) == []


def test_a_cosignature_of_another_head_or_of_no_time_is_none(tmp_path: Path) -> None:
    log, other = make_log(tmp_path / "log", 5), make_log(tmp_path / "other", 6)
    for said in (
        cosigned_by(other, W1).splitlines(keepends=True)[-1].encode(),
        line_at(log, 2**63),
        line_at(log, 253_402_300_800),
    ):
        with liar(lambda _, said=said: (200, said)) as address:  # type: ignore[misc]
            (asked,) = cosign(log, "test", [("w", W1.verifier, address)])
        assert asked.refused == "wrong"
    assert list(log.cosigned()) == []
    good = line_at(log, NOON)
    with liar(lambda _: (200, b"\xe2\x80\x94 other.example AAAAAAAAAAAA\n" + good)) as address:
        (asked,) = cosign(log, "test", [("w", W1.verifier, address)])
    assert (asked.refused, asked.time) == ("", NOON)  # what others signed is ignored


def test_a_witness_that_never_ends_its_answer_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "TIMEOUT", 0.5)
    log, stop = make_log(tmp_path / "log", 5), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            with suppress(OSError):
                while not stop.wait(0.1):  # each byte begins a socket's timeout anew
                    self.wfile.write(b"H")
                    self.wfile.flush()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        (asked,) = cosign(log, "test", [("w", W1.verifier, address)])
        assert asked.refused == "unreachable"
    finally:
        stop.set()
        server.shutdown()
        server.server_close()
        thread.join()


def test_planted_links_are_neither_read_nor_written_through(tmp_path: Path) -> None:
    """A copy that came back from a mirror may hold anything."""
    log = make_log(tmp_path / "log", 5)
    secret = tmp_path / "secret"
    secret.write_text("mine")
    for below in ("tile/entries/000.p", "tile/0/000.p"):
        log.append([entry(log.size)])  # what stands beyond its head is swept away by the first
        planted = tmp_path / "log" / below / str(log.size + 1)
        planted.symlink_to(secret)
        with pytest.raises(Stopped, match="cannot write the log"):
            log.append([entry(log.size)])
        assert secret.read_text() == "mine"
        assert any(f.path.startswith(below) for f in fsck(tmp_path / "log", KEY.verifier))
    checkpoint = tmp_path / "log" / "checkpoint"
    content = checkpoint.read_bytes()
    checkpoint.unlink()
    (tmp_path / "elsewhere").write_bytes(content)
    checkpoint.symlink_to(tmp_path / "elsewhere")
    with pytest.raises((EvidenceError, Stopped)):
        log.append([entry(7)])
    assert (tmp_path / "elsewhere").read_bytes() == content
    with pytest.raises(EvidenceError, match="cannot be read"):
        LogReader(tmp_path / "log", KEY.verifier)
    checkpoint.unlink()
    checkpoint.write_bytes(content)
    assert make_log(tmp_path / "log").append([entry(7)]) == range(7, 8)
    assert fsck(tmp_path / "log", KEY.verifier) == []


def test_a_linked_folder_and_a_pipe(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "log" / "tile").mkdir(parents=True)
    (tmp_path / "log" / "tile" / "entries").symlink_to(outside)
    with pytest.raises((EvidenceError, Stopped)):
        make_log(tmp_path / "log", 3)
    assert list(outside.iterdir()) == []
    log = make_log(tmp_path / "other", 3)
    os.mkfifo(tmp_path / "other" / "pipe")
    with pytest.raises(OSError, match="it is no file"):
        Files(tmp_path / "other").read("pipe")  # and does not wait for somebody to write
    (tmp_path / "other" / "tile/entries/000.p/3").unlink()
    os.mkfifo(tmp_path / "other" / "tile/entries/000.p/3")
    assert any(f.fails for f in fsck(tmp_path / "other", KEY.verifier))
    with pytest.raises(EvidenceError):
        log.entry(0)


@pytest.mark.parametrize(
    "content",
    [b'{"a":1,"a":1}', b'{"a":1,"a":2}', b'{"b":1,"a":1}', b'{"a": 1}', b'{"a":1.0}',
     b'{"a":NaN}', b'{"a":-Infinity}', b'{"a":9007199254740993}', b'{"a":1e400}',
     b'{"a":' + b"9" * 5000 + b"}", b"[" * 100_000, b'{"a":"\\ud800"}', b'{"a":"\xff"}', b"[]",
     b'"x"', b"", b"\xef\xbb\xbf{}", b'{"a":"\\u0041"}'],
)  # fmt: skip
def test_bytes_that_are_no_entry(content: bytes) -> None:
    with pytest.raises(EvidenceError):
        decode(content)


def test_a_note_with_many_signatures(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", 3)
    line = log.checkpoint().splitlines(keepends=True)[-1]
    most = log.checkpoint() + line * 1000
    (tmp_path / "log" / "checkpoint").write_text(most)
    assert LogReader(tmp_path / "log", KEY.verifier).size == 3
    (tmp_path / "log" / "checkpoint").write_text(log.checkpoint() + line * 10_000)
    with pytest.raises(EvidenceError, match="expected at most"):
        LogReader(tmp_path / "log", KEY.verifier)
    assert cosignatures(most.encode(), [W1.verifier]) == {}
