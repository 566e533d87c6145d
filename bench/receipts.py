"""How fast receipts are: `python -m bench receipts`, from the root of the repository.

`DOMICILE_BENCH_PEOPLE=80000000` builds the tree of 80 million people; without it three sizes
show how it grows, the last of 80 million.
"""

from __future__ import annotations

import json
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench.bars import QUICK, Bar
from domicile.evidence import place
from domicile.evidence.keys import VerifierKey
from domicile.evidence.kinds import make
from domicile.evidence.people_tree import Group, PeopleTree, build, frame
from domicile.evidence.receipt import key_for, receipts, statement_digest, tree_directory, verify
from verifier import domicile_verify as verifier

SIZES = (100_000, 400_000) if QUICK else (1_000_000, 4_000_000, 80_000_000)
"""People, when nothing is said."""

BARS = (
    Bar(3, f"tree of {SIZES[-1]:,} people", f"tree built and stored, s, {SIZES[-1]:,} people",
        most=300, unit="s"),
    Bar(3, "memory of its largest process", f"largest process, MB, {SIZES[-1]:,} people",
        most=4096, unit="MB"),
    Bar(3, "a receipt cut", f"a receipt cut, ms (median), {SIZES[-1]:,} people", most=10,
        unit="ms"),
    Bar(3, "a receipt verified", f"a receipt verified, ms (median), {SIZES[-1]:,} people", most=2,
        unit="ms"),
)  # fmt: skip

PLAN = "sha256:" + "ab" * 32
MOVED = {"act": "moved", "plan": PLAN, "from": "singapore", "to": "texas"}
ROUNDS = 100


def run() -> dict[str, float]:
    """Build, cut, verify; the figures by name."""
    asked = os.environ.get("DOMICILE_BENCH_PEOPLE")
    figures: dict[str, float] = {}
    for size in (int(asked),) if asked else SIZES:
        with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as folder:
            figures |= {f"{name}, {size:,} people": v for name, v in _one(size, Path(folder))}
    return figures


def _one(size: int, folder: Path) -> Iterator[tuple[str, float]]:
    state = folder / ".domicile"
    log = place.open_log(state, "bench")
    statement, salts = statement_digest(MOVED), key_for(state, PLAN)
    before, start = _cpu(), time.perf_counter()
    groups = [Group(statement, frame(b"customer"), _keys(size))]
    description = {"plan": PLAN, "generation": 0, "statements": [MOVED]}
    _, root = build(tree_directory(state, PLAN), groups, salts, description)
    yield "tree built and stored, s", time.perf_counter() - start
    yield "of which processor time of all processes, s", _cpu() - before
    yield "people/s of processor time", size / (_cpu() - before)
    yield "largest process, MB", _peak()
    acts = [{"act": "moved", "subject": "customer", "people": size}]
    name = f"sha256:{root.hex()}"
    made = make("receipts", "bench", plan=PLAN, people_root=name, people=size, acts=acts)
    log.append([made])
    keys = [str(n * (size // ROUNDS)) for n in range(ROUNDS)]
    reader = place.read_log(state)
    times, cut = [], []
    for key in keys:
        start = time.perf_counter()
        cut += list(receipts(state, reader, "customer", key))
        times.append(time.perf_counter() - start)
    assert len(cut) == ROUNDS
    yield "a receipt cut, ms (median)", sorted(times)[ROUNDS // 2] * 1000
    yield "a receipt, bytes", float(len(json.dumps(cut[0])))
    vkey = VerifierKey.load(place.verifier_path(state))
    yield "a receipt verified, ms (median)", _median(lambda r: verify(r, vkey), cut)
    trust = verifier.Log("", verifier.Key.read(str(vkey)))
    by_auditor = _median(lambda r: verifier.audit_receipt(r, trust), cut)
    yield "by the verifier, ms (median)", by_auditor
    assert PeopleTree(tree_directory(state, PLAN)).find(sha256(b"").digest()) is None


def _keys(size: int, step: int = 1 << 18) -> Iterator[pa.Array]:
    for at in range(0, size, step):
        yield pa.array(np.arange(at, min(at + step, size))).cast(pa.string())


def _median(check: Any, cut: list[Any]) -> float:
    times = []
    for receipt in cut:
        start = time.perf_counter()
        check(receipt)
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2] * 1000


def _cpu() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def _peak() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return max(usage.ru_maxrss for usage in both) / 1024
