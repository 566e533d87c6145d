"""How fast the log is: `python -m bench log`, from the root of the repository."""

from __future__ import annotations

import resource
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.bars import QUICK, Bar
from domicile.evidence.commitments import Commitments
from domicile.evidence.keys import SigningKey
from domicile.evidence.log import Log
from domicile.evidence.reader import LogReader
from domicile.evidence.verify import fsck

WRITERS = 64
"""Threads that append one entry at a time and share writes."""

DIGEST = "sha256:" + "ab" * 32
BATCHES = (
    ((1, 30), (100, 10), (10_000, 4)) if QUICK
    else ((1, 300), (10, 200), (100, 100), (1_000, 50), (10_000, 20))
)  # fmt: skip
"""(entries in a batch, batches)."""

BARS = (
    Bar(2, "durable entries in batches of 10,000", "durable entries/s in batches of 10,000",
        least=10_000, unit="/s"),
    Bar(3, "durable entries one by one, group commit",
        f"durable entries/s one by one, {WRITERS} threads", least=1_000, unit="/s"),
    Bar(3, "inclusion proof read from tiles", "a proof read from tiles by a new reader, ms",
        most=5, unit="ms"),
)  # fmt: skip


def entry(rows: int) -> dict[str, Any]:
    """What apply logs for one batch of rows."""
    return {
        "kind": "batch", "time": "2026-01-23T10:00:00.000Z", "estate": "video-store",
        "plan": DIGEST, "step": "move-1", "operation": "move", "table": "app.customer",
        "from": "singapore", "to": "texas", "rows": rows, "people": 3, "digest": DIGEST,
        "read_back": DIGEST,
    }  # fmt: skip


def run() -> dict[str, float]:
    """Append, prove, check; the figures by name."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(
        prefix=".bench-", dir=Path.cwd()
    ) as folder:  # a real disk, not a tmpfs
        key = SigningKey.generate("domicile/bench")
        log = Log.open(Path(folder) / "log", origin=key.name, key=key)
        for size, batches in BATCHES:
            entries = [entry(i) for i in range(size)]
            if size == BATCHES[-1][0]:
                figures["peak memory before the largest, MB"] = _peak()
            start = time.perf_counter()
            for _ in range(batches):
                log.append(entries)
            rate = size * batches / (time.perf_counter() - start)
            figures[f"durable entries/s in batches of {size:,}"] = rate
        figures["peak memory after the largest, MB"] = _peak()
        figures[f"durable entries/s one by one, {WRITERS} threads"] = _one_by_one(log)
        start = time.perf_counter()
        for index in range(0, log.size, log.size // 500):
            log.inclusion(index)
        figures["inclusion proofs/s"] = 500 / (time.perf_counter() - start)
        start = time.perf_counter()
        for index in range(0, log.size, log.size // 50):
            LogReader(Path(folder) / "log", key.verifier).inclusion(index)
        figures["a proof read from tiles by a new reader, ms"] = (time.perf_counter() - start) * 20
        start = time.perf_counter()
        assert fsck(Path(folder) / "log", key.verifier) == []
        figures["fsck, entries/s"] = log.size / (time.perf_counter() - start)
        figures["entries in the log"] = log.size
    start = time.perf_counter()
    Commitments(bytes(32)).people("customer", map(str, range(200_000)))
    figures["commitments/s"] = 200_000 / (time.perf_counter() - start)
    return figures


def _one_by_one(log: Log, each: int = 100) -> float:
    """Entries a second, when every thread appends one and waits until it is durable."""

    def append(number: int) -> None:
        for at in range(each):
            log.append([entry(number * each + at)])

    start = time.perf_counter()
    with ThreadPoolExecutor(WRITERS) as pool:
        for _ in pool.map(append, range(WRITERS)):
            pass
    return WRITERS * each / (time.perf_counter() - start)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
