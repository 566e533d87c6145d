"""A witness cosigns what extends the last head, refuses the rest, and its time dates entries."""

from __future__ import annotations

import base64
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import pytest

from domicile.errors import EvidenceError
from domicile.evidence.cosign import cosign
from domicile.evidence.keys import COSIGNATURE, SigningKey, VerifierKey
from domicile.evidence.log import Log
from domicile.evidence.note import Checkpoint, cosignatures, sign_note
from domicile.evidence.reader import LogReader
from domicile.evidence.verify import fsck
from domicile.evidence.witness import Witness
from domicile.evidence.witness_http import server
from tests.evidence.making import KEY, ORIGIN, entries, entry, make_log
from verifier import domicile_verify as verifier

W1 = SigningKey("custodian.example/w1", bytes([1]) * 32, COSIGNATURE)
W2 = SigningKey("regulator.example/w1", bytes([2]) * 32, COSIGNATURE)
NOON = 1_769_162_400  # 2026-01-23T10:00:00Z, the time of the tests' entries


class Clock:
    now = float(NOON)

    def __call__(self) -> float:
        return self.now


def request(log: LogReader, old: int, note: str = "") -> bytes:
    path = log.consistency(old).path if old else ()
    lines = "".join(base64.b64encode(p).decode() + "\n" for p in path)
    return f"old {old}\n{lines}\n{note or log.checkpoint()}".encode()


def watching(directory: Path, key: SigningKey = W1, clock: Clock | None = None) -> Witness:
    return Witness(key, directory, [KEY.verifier], clock or Clock())


def cosigned_by(log: Log, key: SigningKey) -> str:
    """The log's own head with this witness's cosignature."""
    text = log.head.text
    line = base64.b64encode(key.verifier.id + key.cosign(text, NOON)).decode()
    return f"{sign_note(text, KEY)}— {key.name} {line}\n"


def test_what_extends_the_last_head_is_cosigned(tmp_path: Path) -> None:
    log, witness = make_log(tmp_path / "log", 5), watching(tmp_path / "w")
    answer = witness.add_checkpoint(request(log, 0))
    assert answer.status == HTTPStatus.OK
    note = (log.checkpoint() + answer.body).encode()
    assert cosignatures(note, [W1.verifier]) == {W1.verifier: NOON}
    log.append(entries(5, 300))
    assert witness.add_checkpoint(request(log, 5)).status == HTTPStatus.OK
    again = watching(tmp_path / "w")  # restarted
    assert again.add_checkpoint(request(log, 300)).status == HTTPStatus.OK


def test_refusals_are_those_of_the_specification(tmp_path: Path) -> None:
    log, witness = make_log(tmp_path / "log", 5), watching(tmp_path / "w")
    older = log.checkpoint()
    assert witness.add_checkpoint(request(log, 0)).status == HTTPStatus.OK
    log.append(entries(5, 9))
    stale = witness.add_checkpoint(request(log, 3))
    assert (stale.status, stale.body, stale.type) == (409, "5\n", "text/x.tlog.size")
    assert witness.add_checkpoint(request(log, 5)).status == HTTPStatus.OK
    rolled_back = witness.add_checkpoint(f"old 5\n\n{older}".encode())
    assert (rolled_back.status, rolled_back.body) == (409, "9\n")
    fork = make_log(tmp_path / "fork")
    fork.append(entries(50, 59))
    assert witness.add_checkpoint(request(fork, 9)).status == HTTPStatus.CONFLICT  # other root
    fork.append(entries(60, 64))
    assert witness.add_checkpoint(request(fork, 9)).status == HTTPStatus.UNPROCESSABLE_ENTITY
    other = SigningKey("domicile/other", bytes(32))
    unknown = sign_note(Checkpoint("domicile/other", 1, bytes(32)).text, other)
    assert witness.add_checkpoint(f"old 0\n\n{unknown}".encode()).status == HTTPStatus.NOT_FOUND
    thief = sign_note(log.head.text, SigningKey(ORIGIN, bytes([9]) * 32))
    assert witness.add_checkpoint(request(log, 9, thief)).status == HTTPStatus.FORBIDDEN
    for bad in (b"", b"old 01\n\nx", b"old 9\n", b"new 9\n\nx", b"old 9\nAAAA\n\nx", b"\xff" * 50):
        assert witness.add_checkpoint(bad).status == HTTPStatus.BAD_REQUEST
    assert witness.add_checkpoint(request(log, 0).replace(b"old 0", b"old 12")).status == 400
    kept = sorted(p.name.split("-")[1] for p in (tmp_path / "w" / "refused").iterdir())
    assert kept == ["fork", "older", "unproved"]


def test_a_clock_that_went_back_signs_nothing(tmp_path: Path) -> None:
    log, clock = make_log(tmp_path / "log", 5), Clock()
    witness = watching(tmp_path / "w", clock=clock)
    assert witness.add_checkpoint(request(log, 0)).status == HTTPStatus.OK
    clock.now -= 3600
    log.append(entries(5, 6))
    assert witness.add_checkpoint(request(log, 5)).status == HTTPStatus.SERVICE_UNAVAILABLE
    clock.now += 7200
    assert witness.add_checkpoint(request(log, 5)).status == HTTPStatus.OK


def test_two_requests_at_once_leave_one_history(tmp_path: Path) -> None:
    """One head each from the same start: the state is swapped, so that only one comes first."""
    log = make_log(tmp_path / "log", 5)
    requests = []
    for more in (7, 9):
        copy = Path(shutil.copytree(tmp_path / "log", tmp_path / str(more)))
        fork = make_log(copy)
        fork.append(entries(100 * more, 100 * more + more))
        requests.append(request(fork, 5))
    for attempt in range(5):
        state = tmp_path / f"w{attempt}"
        watching(state).add_checkpoint(request(log, 0))
        with ThreadPoolExecutor(2) as pool:
            answers = pool.map(lambda r, s=state: watching(s).add_checkpoint(r).status, requests)
        assert sorted(answers) == [HTTPStatus.OK, HTTPStatus.CONFLICT]


@contextmanager
def served(*witnesses: Witness) -> Iterator[list[tuple[str, VerifierKey, str]]]:
    servers = [server(w, "127.0.0.1", 0) for w in witnesses]
    threads = [threading.Thread(target=s.serve_forever) for s in servers]
    for thread in threads:
        thread.start()
    try:
        yield [
            (w.key.name, w.key.verifier, f"http://127.0.0.1:{s.server_port}")
            for w, s in zip(witnesses, servers, strict=True)
        ]
    finally:
        for each in servers:
            each.shutdown()
            each.server_close()
        for thread in threads:
            thread.join()


def audited(directory: Path, need: int = 0) -> list[str]:
    keys = [verifier.Key.read(str(w.verifier)) for w in (W1, W2)]
    first = verifier.Key.read(str(KEY.verifier))
    return verifier.audit_log([], verifier.Log(str(directory), first, keys, need))


def test_the_head_is_published_with_cosignatures(tmp_path: Path) -> None:
    log = Log.open(tmp_path / "log", origin=ORIGIN, key=KEY, memory=tmp_path / "keys")
    with served(watching(tmp_path / "a"), watching(tmp_path / "b", W2)) as witnesses:
        for size in (3, 200):
            log.append(entries(log.size, size))
            assert [a.refused for a in cosign(log, "test", witnesses)] == ["", ""]
        dead = [("gone", W2.verifier, "http://127.0.0.1:1")]
        assert [a.refused for a in cosign(log, "test", dead)] == ["unreachable"]
    assert LogReader(tmp_path / "log", KEY.verifier).entry(200)["answer"] == "unreachable"
    assert [c.split(b"\n")[1] for c in log.cosigned()] == [b"3", b"200"]
    said = audited(tmp_path / "log")
    assert "1 of them are dated by the operator's word alone" in said
    with pytest.raises(verifier.Wrong, match="0 trusted witnesses have cosigned, 2 are needed"):
        audited(tmp_path / "log", 2)  # the head of 201 has none yet
    assert fsck(tmp_path / "log", KEY.verifier) == []
    log.append([entry(7)])
    again = Log.open(tmp_path / "log", origin=ORIGIN, key=KEY, memory=tmp_path / "keys")
    assert again.size == 202


def test_a_rolled_back_or_forked_log_is_refused_and_that_is_recorded(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", 5)
    shutil.copytree(tmp_path / "log", tmp_path / "older")
    with served(watching(tmp_path / "a")) as witnesses:
        log.append(entries(5, 9))
        assert not cosign(log, "test", witnesses)[0].refused
        older = make_log(tmp_path / "older")
        (answer,) = cosign(older, "test", witnesses)
        assert (answer.refused, answer.known_size) == ("rollback", 9)
        assert older.entry(5)["answer"] == "rollback"
        older.append(entries(50, 60))
        assert cosign(older, "test", witnesses)[0].refused == "fork"
        stranger = SigningKey("domicile/else", bytes(32))
        other = Log.open(tmp_path / "other", origin=stranger.name, key=stranger)
        assert cosign(other, "test", witnesses)[0].refused == "unknown_log"
        wrong_key = [(n, W2.verifier, u) for n, _, u in witnesses]
        assert cosign(log, "test", wrong_key)[0].refused == "wrong"


def test_dates_that_do_not_fit_a_cosignature_are_told(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", 2)
    clock = Clock()
    clock.now = NOON + 86_400
    with served(watching(tmp_path / "a", clock=clock)) as witnesses:
        cosign(log, "test", witnesses)
        log.append([entry(3)])  # says that it is a day older than a head that does not hold it
        assert "1 claim to be older than a head without them" in audited(tmp_path / "log")
        log.append([{**entry(4), "time": "2026-02-01T00:00:00Z"}])
        cosign(log, "test", witnesses)
    with pytest.raises(verifier.Wrong, match="claim a time after the head of 4 was cosigned"):
        audited(tmp_path / "log")


def test_keys_are_for_one_use(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="cosigns checkpoints and nothing else"):
        W1.sign(b"x")
    with pytest.raises(EvidenceError, match="no witness's key"):
        KEY.cosign("x", 1)
    W1.save(tmp_path / "key")
    assert SigningKey.load(tmp_path / "key").verifier == W1.verifier
    assert VerifierKey.parse(str(W1.verifier)) == W1.verifier
