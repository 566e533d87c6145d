"""Appending and reading: batches, sizes beyond tile boundaries, proofs, two writers."""

from __future__ import annotations

import multiprocessing
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domicile.errors import EvidenceError, Stopped
from domicile.evidence.canonical import decode, encode
from domicile.evidence.files import Files
from domicile.evidence.keys import SigningKey
from domicile.evidence.log import Log
from domicile.evidence.merkle import leaf_hash
from domicile.evidence.proof import Proof
from domicile.evidence.reader import LogReader
from domicile.evidence.verify import fsck, verify_directory
from tests.evidence.making import DIGEST, KEY, ORIGIN, entries, entry, make_log
from tests.evidence.test_merkle import mth


def test_an_empty_log(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log")
    assert log.size == 0
    assert log.append([]) == range(0)
    assert list(log.entries()) == []
    assert fsck(tmp_path / "log", KEY.verifier) == []
    assert log.checkpoint().startswith(
        f"{ORIGIN}\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    )


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=5), st.data())
def test_any_batches_make_the_same_tree(
    tmp_path_factory: pytest.TempPathFactory, batches: list[int], data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("log")
    log, at = make_log(directory), 0
    for batch in batches:
        if data.draw(st.booleans()):
            log = make_log(directory)
        assert log.append(entries(at, at + batch)) == range(at, at + batch)
        at += batch
    hashes = [leaf_hash(encode(e)) for e in entries(0, at)]
    assert log.head.root == mth(hashes)
    assert fsck(directory, KEY.verifier) == []
    assert list(LogReader(directory, KEY.verifier).entries()) == list(enumerate(entries(0, at)))
    index, old = data.draw(st.integers(0, at - 1)), data.draw(st.integers(0, at))
    log.inclusion(index).verify(KEY.verifier, entry=entry(index))
    log.consistency(old).verify()
    assert log.root(old) == mth(hashes[:old])


def test_every_size_across_a_tile_boundary(tmp_path: Path) -> None:
    """One entry at a time, up to 300: every head is proved consistent with the one before."""
    log, hashes = make_log(tmp_path), []
    for i in range(300):
        log.append([entry(i)])
        hashes.append(leaf_hash(encode(entry(i))))
        assert log.head.root == mth(hashes)
        log.consistency(i).verify()
        log.inclusion(i).verify(KEY.verifier)
    assert fsck(tmp_path, KEY.verifier) == []
    names = sorted(p.name for p in (tmp_path / "tile" / "0").iterdir())
    assert names == ["000", "001.p"]  # the partial tiles of the full one are gone
    served = sorted(int(p.name) for p in (tmp_path / "tile" / "entries" / "001.p").iterdir())
    assert served == list(range(1, 45))  # each head's own stay (tlog-tiles, partial tiles)


def test_beyond_level_one(tmp_path: Path) -> None:
    log = make_log(tmp_path, 65_000)
    log.append(entries(65_000, 66_000))
    assert (tmp_path / "tile" / "1" / "000").stat().st_size == 8192
    for index in (0, 255, 256, 65_535, 65_536, 65_999):
        log.inclusion(index).verify(KEY.verifier, entry=entry(index))
    for old in (1, 255, 65_535, 65_536, 65_537):
        log.consistency(old).verify()
        log.consistency(old, 65_600).verify()
    verified = verify_directory(tmp_path, KEY.verifier)
    assert (verified.size, verified.kinds) == (66_000, {"batch": 66_000})


def test_the_proof_as_json_and_text(tmp_path: Path) -> None:
    log = make_log(tmp_path, 9)
    proof = log.inclusion(3)
    assert Proof.from_json(proof.to_json()) == proof
    assert proof.to_text().startswith("c2sp.org/tlog-proof@v1\nindex 3\n")
    assert proof.to_text().endswith("\n\n" + log.checkpoint())
    with pytest.raises(EvidenceError, match="another entry"):
        proof.verify(KEY.verifier, entry=entry(4))
    document = proof.to_json()
    for changed in (
        {**document, "index": 4},
        {**document, "path": document["path"][:-1]},
        {**document, "entry_hash": document["path"][0]},
        {**document, "checkpoint": document["checkpoint"].replace("\n9\n", "\n8\n")},
    ):
        with pytest.raises(EvidenceError):
            Proof.from_json(changed).verify(KEY.verifier)
    for misshapen in ({}, {**document, "index": "3"}, {**document, "entry_hash": "AA=="}):
        with pytest.raises(EvidenceError, match="proof"):
            Proof.from_json(misshapen)


def test_an_entry_too_large_is_refused_and_nothing_written(tmp_path: Path) -> None:
    log = make_log(tmp_path, 3)
    large = {**entry(3), "commitments": ["c" * 64] * 900}
    assert log.append([large]) == range(3, 4)
    with pytest.raises(EvidenceError, match="length 901"):
        log.append([entry(4), {**entry(5), "commitments": ["c" * 64] * 901}])
    stores = [{"store": "s" * 190, "country": "NL", "tables": 1, "rows": 1}] * 400
    survey = {
        "kind": "survey", "time": "2026-01-23T10:00:00Z", "estate": "test",
        "estate_digest": DIGEST, "map_digest": DIGEST, "stores": stores,
    }  # fmt: skip
    with pytest.raises(EvidenceError, match="at most 65535"):
        log.append([survey])
    assert log.size == LogReader(tmp_path, KEY.verifier).size == 4


def test_entries_are_canonical() -> None:
    assert encode({"b": 1, "a": "é\n"}) == '{"a":"é\\n","b":1}'.encode()
    deep = b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}"
    twice = b'{"a":1,"a":1}'
    for content in (b'{"b":1, "a":2}', b"[]", b"{", b'{"b":1,"a":2}', deep, twice, b'{"a":1e999}'):
        with pytest.raises(EvidenceError):
            decode(content)
    for value in (float("nan"), 2**53, {1: 2}, "\ud800"):
        with pytest.raises(EvidenceError, match="canonical"):
            encode({"a": value})


def test_indices_beyond_the_head(tmp_path: Path) -> None:
    log = make_log(tmp_path, 2)
    for call in (log.entry, log.inclusion):
        for index in (2, -1):
            with pytest.raises(IndexError):
                call(index)
    with pytest.raises(IndexError):
        log.consistency(1, 3)
    assert list(log.entries(1, 99)) == [(1, entry(1))]
    assert list(log.entries(5)) == []


def test_another_key_or_origin_is_refused(tmp_path: Path) -> None:
    make_log(tmp_path, 2)
    with pytest.raises(EvidenceError, match="expected"):
        Log.open(tmp_path, origin=ORIGIN, key=SigningKey.generate(ORIGIN))
    with pytest.raises(EvidenceError, match="expected elsewhere"):
        Log.open(tmp_path, origin="elsewhere", key=KEY)
    with pytest.raises(EvidenceError, match="named as its origin"):
        Log.open(tmp_path / "new", origin="elsewhere", key=KEY)


def test_a_lost_head_is_not_a_new_log(tmp_path: Path) -> None:
    make_log(tmp_path, 2)
    (tmp_path / "checkpoint").unlink()
    with pytest.raises(EvidenceError, match="no checkpoint"):
        make_log(tmp_path)
    assert not (tmp_path / "checkpoint").exists()


def test_a_checkpoint_put_back_is_published_again(tmp_path: Path) -> None:
    log_directory, memory = tmp_path / "log", tmp_path / "keys"

    def opened() -> Log:
        return Log.open(log_directory, origin=ORIGIN, key=KEY, memory=memory)

    log = opened()
    log.append(entries(0, 3))
    old = (log_directory / "checkpoint").read_bytes()
    log.append(entries(3, 9))
    newest = (log_directory / "checkpoint").read_bytes()
    (log_directory / "checkpoint").write_bytes(old)
    opened()
    assert (log_directory / "checkpoint").read_bytes() == newest
    (log_directory / "tile/0/000.p/9").unlink()  # an older copy of the log, not of the head alone
    (log_directory / "checkpoint").write_bytes(old)
    with pytest.raises(EvidenceError, match="3 entries, but 9 were signed"):
        opened()


def test_a_second_history_is_refused(tmp_path: Path) -> None:
    one, memory = tmp_path / "one", tmp_path / "keys"
    Log.open(one, origin=ORIGIN, key=KEY, memory=memory).append(entries(0, 5))
    forged = make_log(tmp_path / "two")
    forged.append(entries(100, 110))
    with pytest.raises(EvidenceError, match="not those that were signed"):
        Log.open(tmp_path / "two", origin=ORIGIN, key=KEY, memory=memory)


def test_two_open_logs_take_turns(tmp_path: Path) -> None:
    one, two = make_log(tmp_path), make_log(tmp_path)
    assert one.append(entries(0, 3)) == range(3)
    assert two.append(entries(3, 300)) == range(3, 300)
    assert one.refresh()
    assert one.append(entries(300, 301)) == range(300, 301)
    assert two.append(entries(301, 302)) == range(301, 302)
    assert list(two.entries()) == list(enumerate(entries(0, 302)))
    assert fsck(tmp_path, KEY.verifier) == []


def _append_many(directory: Path, start: int) -> None:
    log = make_log(directory)
    for i in range(start, start + 60, 3):
        log.append(entries(i, i + 3))


def test_two_processes_and_threads(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_append_many, args=(tmp_path, s)) for s in (0, 1000)]
    threads = [threading.Thread(target=_append_many, args=(tmp_path, s)) for s in (2000, 3000)]
    for worker in workers:
        worker.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for worker in workers:
        worker.join()
    assert all(w.exitcode == 0 for w in workers)
    rows = [e["rows"] for _, e in LogReader(tmp_path, KEY.verifier).entries()]
    expected = [r for s in (0, 1000, 2000, 3000) for r in range(s, s + 60)]
    assert sorted(rows) == expected
    assert [r for r in rows if r < 1000] == list(range(60))  # each writer's own order is kept
    assert fsck(tmp_path, KEY.verifier) == []


def test_threads_that_share_a_log(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    ranges: list[range] = []

    def work(start: int) -> None:
        ranges.extend(log.append(entries(i, i + 5)) for i in range(start, start + 50, 5))

    threads = [threading.Thread(target=work, args=(s,)) for s in (0, 1000, 2000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(i for r in ranges for i in r) == list(range(150))
    assert fsck(tmp_path, KEY.verifier) == []


def test_a_held_lock_is_waited_for_and_then_named(tmp_path: Path) -> None:
    files = Files(tmp_path)
    with files.writer(), pytest.raises(Stopped, match="another process"), files.writer(wait=0.02):
        pytest.fail("two writers")  # pragma: no cover
    with files.writer(wait=0):
        pass  # free again; the lock file itself stays and means nothing
    assert (tmp_path / ".lock").exists()


def test_a_reader_keeps_its_view_while_others_append(tmp_path: Path) -> None:
    log = make_log(tmp_path, 200)
    reader = LogReader(tmp_path, KEY.verifier)
    log.append(entries(200, 600))  # the partial tiles that the reader's head names are gone
    assert reader.size == 200
    reader.inclusion(150).verify(KEY.verifier, entry=entry(150))
    assert len(list(reader.entries())) == 200
    assert reader.refresh()
    assert reader.size == 600
    assert not reader.refresh()


def test_threads_that_append_one_by_one_share_writes(tmp_path: Path) -> None:
    """Group commit: every entry is durable when its own call returns, and none is there twice."""
    swaps = 0

    class Counted(Files):
        def replace(self, path: str, content: bytes) -> None:
            nonlocal swaps
            swaps += path == "checkpoint"
            super().replace(path, content)

    log = make_log(tmp_path, files=Counted(tmp_path))
    barrier = threading.Barrier(16)
    got: list[tuple[int, int]] = []

    def append(number: int) -> None:
        barrier.wait()
        for at in range(10):
            (index,) = log.append([entry(number * 10 + at)])
            got.append((index, number * 10 + at))

    threads = [threading.Thread(target=append, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(index for index, _ in got) == list(range(160))
    assert swaps < 160
    there = LogReader(tmp_path, KEY.verifier)
    assert all(there.entry(index) == entry(rows) for index, rows in got)
    assert fsck(tmp_path, KEY.verifier) == []


def test_a_clock_that_goes_back_changes_no_order(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    for time in ("2026-01-23T10:00:00Z", "2026-01-23T09:00:00Z", "2026-01-23T10:30:00Z"):
        log.append([{**entry(1), "time": time}])
    assert [e["time"][11:13] for _, e in LogReader(tmp_path, KEY.verifier).entries()] == [
        "10", "09", "10",
    ]  # fmt: skip
    assert fsck(tmp_path, KEY.verifier) == []


def test_a_checkpoint_is_signed_by_appending_only(tmp_path: Path) -> None:
    log = make_log(tmp_path, 3)
    assert log.sign("domicile/review/v1\n{}\n").endswith("=\n")
    with pytest.raises(EvidenceError, match="by appending"):
        log.sign(f"{ORIGIN}\n9\n{'A' * 43}=\n")
