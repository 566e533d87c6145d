"""The tree of all people that a plan acts on: built and stored in bulk, read by leaf.

A leaf is a person with what is done about them, under a salt of their own (`receipt.py`). Leaves
are sorted by their hash, so that the order says nothing, and that a leaf is found in the tree
itself, without an index of people. Kept are the hashes of the complete subtrees of 256**L leaves,
one flat file a level (`0` are the leaves): a path needs at most one block of 256 hashes of each.

Built by processes in three passes, each over independent pieces, memory flat: hash chunks of people
and sort each; merge the pieces of one range of hashes; hash upwards. Figures: docs/performance.md.
"""

from __future__ import annotations

import json
import mmap
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from domicile.durable.files import sync
from domicile.errors import EvidenceError
from domicile.evidence import merkle
from domicile.evidence.merkle import HASH_SIZE, complete_root
from domicile.workers import workers

DESCRIPTION = "tree.json"
"""What the tree is of; written last, so that a tree without it is none."""

CHUNK = 1 << 18
"""People hashed by one task."""

RANGES = 64
"""Pieces of the space of hashes that are merged each on its own."""

FEW = 1 << 14
"""Below so many people no process is worth starting."""

BLOCK = 256
"""Subtrees below one of the next level that is kept, as in the log's tiles."""


@dataclass(frozen=True)
class Group:
    """People about whom the same is done: the statement's digest, the frame of their subject, and
    their keys as UTF-8 in arrays of any size."""

    statement: bytes
    subject: bytes
    keys: Iterable[pa.Array]


def leaf_of(tree_key: bytes, statement: bytes, subject: bytes, key: bytes) -> tuple[bytes, bytes]:
    """A person's salt (256 bits) and leaf hash.

    The salt is SHA-256 over the tree's key and the framed person: no framed text is the beginning
    of another, and of such inputs the keyed cascade is a pseudorandom function (Bellare, Canetti,
    Krawczyk, FOCS 1996), at a quarter of the cost of HMAC.
    """
    who = subject + len(key).to_bytes(8, "big") + key
    salt = sha256(tree_key + who).digest()
    return salt, sha256(b"\0" + salt + statement + who).digest()


def frame(text: bytes) -> bytes:
    """A text with its length before it (eight bytes, big-endian)."""
    return len(text).to_bytes(8, "big") + text


def build(
    directory: Path, groups: Sequence[Group], tree_key: bytes, description: dict[str, Any],
    *, processes: int | None = None,
) -> tuple[int, bytes]:  # fmt: skip
    """Build and store the tree, in the place of one that is there; how many people, and its root.

    Durable on return. Raises OSError; a directory without `tree.json` is left then.
    """
    shutil.rmtree(directory, ignore_errors=True)
    parts = directory / "parts"
    parts.mkdir(mode=0o700, parents=True)
    with _Pool(processes) as run:
        counts = np.zeros(RANGES, dtype=np.int64)
        tasks = (
            (parts / str(number), tree_key, statement, subject, chunk)
            for number, (statement, subject, chunk) in enumerate(_chunks(groups))
        )
        pieces = []
        for path, found in run(_hash_chunk, tasks):
            counts += found
            pieces.append((path, np.concatenate(([0], np.cumsum(found)))))
        size = int(counts.sum())
        starts = np.concatenate(([0], np.cumsum(counts)))
        with (directory / "0").open("wb") as file:
            file.truncate(size * HASH_SIZE)
        ranges = (
            (directory / "0", int(starts[r]), [(p, int(o[r]), int(o[r + 1])) for p, o in pieces])
            for r in range(RANGES)
        )
        for _ in run(_merge_range, ranges):
            pass
        shutil.rmtree(parts)
        _raise_levels(directory, size, run)
    root = merkle.root(_Levels(directory, size).subtree, size)
    document = {**description, "people": size, "root": f"sha256:{root.hex()}"}
    for level in directory.iterdir():
        with level.open("rb+") as file:
            os.fsync(file.fileno())
    with (directory / DESCRIPTION).open("x", encoding="utf-8") as text:
        json.dump(document, text, indent=2)
        text.flush()
        os.fsync(text.fileno())
    sync(directory)
    return size, root


class PeopleTree:
    """A stored tree, to cut receipts from. Raises EvidenceError when it is damaged or not whole."""

    def __init__(self, directory: Path) -> None:
        try:
            self.description = json.loads((directory / DESCRIPTION).read_text("utf-8"))
        except (OSError, ValueError) as e:
            raise EvidenceError(
                f"{directory} holds no whole tree of people", hint="restore it from a backup"
            ) from e
        self.size = int(self.description["people"])
        self._levels = _Levels(directory, self.size)

    def find(self, leaf: bytes) -> int | None:
        """Where a leaf is, None when it is not in the tree."""
        low, high = 0, self.size
        while low < high:
            middle = (low + high) // 2
            if self._levels.hash(0, middle) < leaf:
                low = middle + 1
            else:
                high = middle
        return low if low < self.size and self._levels.hash(0, low) == leaf else None

    def path(self, index: int) -> list[bytes]:
        """The siblings from a leaf to the root. Raises EvidenceError when files are damaged."""
        path = merkle.inclusion_path(self._levels.subtree, index, self.size)
        leaf = self._levels.hash(0, index)
        root = merkle.inclusion_root(leaf, index, self.size, path)
        if root is None or f"sha256:{root.hex()}" != self.description["root"]:
            raise EvidenceError(
                "the stored tree of people does not lead to its root",
                hint="its files are damaged: restore them from a backup",
            )
        return path


class _Levels:
    """The flat files, mapped."""

    def __init__(self, directory: Path, size: int) -> None:
        self._maps: list[mmap.mmap] = []
        while size:
            try:
                with (directory / str(len(self._maps))).open("rb") as file:
                    there = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except (OSError, ValueError) as e:
                raise EvidenceError(f"{directory}: level {len(self._maps)} is missing") from e
            if len(there) != size * HASH_SIZE:
                raise EvidenceError(f"{directory}: level {len(self._maps)} is cut off")
            self._maps.append(there)
            size //= BLOCK

    def hash(self, level: int, index: int) -> bytes:
        """One hash."""
        return self._maps[level][index * HASH_SIZE : (index + 1) * HASH_SIZE]

    def subtree(self, level: int, index: int) -> bytes:
        """As `merkle.Subtree`."""
        kept, height = divmod(level, 8)
        first = index << height
        return complete_root([self.hash(kept, i) for i in range(first, first + (1 << height))])


class _Pool:
    """Runs tasks in processes, few at a time; in this process until there are enough of them."""

    def __init__(self, processes: int | None) -> None:
        self._number = processes or len(os.sched_getaffinity(0))
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> Any:
        return self._run

    def __exit__(self, *_: object) -> None:
        if self._executor is not None:
            self._executor.shutdown()

    def _run(self, function: Any, tasks: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        """The results, in the order of the tasks' ends."""
        rest = iter(tasks)
        first = next(rest, None)
        if first is None:
            return
        second = next(rest, None)
        if second is None or (self._executor is None and len(first[-1]) < FEW):
            for task in (first, *(() if second is None else (second,)), *rest):
                yield function(*task)
            return
        if self._executor is None:
            self._executor = workers(self._number)
        running: set[Future[Any]] = {self._executor.submit(function, *t) for t in (first, second)}
        for task in rest:
            if len(running) > 2 * self._number:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (each.result() for each in done)
            running.add(self._executor.submit(function, *task))
        yield from (each.result() for each in wait(running).done)


def _chunks(groups: Sequence[Group]) -> Iterator[tuple[bytes, bytes, pa.Array]]:
    """The people of each group in arrays of CHUNK, each with buffers of its own: a part of an
    array would go to another process with all that it was cut from."""
    for group in groups:
        waiting: list[pa.Array] = []
        count = 0
        for array in group.keys:
            while len(array):
                part = array.slice(0, CHUNK - count)
                array = array.slice(len(part))
                waiting.append(part)
                count += len(part)
                if count == CHUNK:
                    yield group.statement, group.subject, _whole(waiting)
                    waiting, count = [], 0
        if count:
            yield group.statement, group.subject, _whole(waiting)


def _whole(parts: list[pa.Array]) -> pa.Array:
    # Of one array alone no copy is made.
    return pa.concat_arrays([*parts, parts[0].slice(0, 0)])


def _hash_chunk(
    path: Path, tree_key: bytes, statement: bytes, subject: bytes, keys: pa.Array
) -> tuple[Path, Any]:
    """Hash one chunk and write its leaves sorted; how many fall in each range."""
    start = b"\0"
    leaves = bytearray()
    for key in keys.cast(pa.large_binary()).to_pylist():
        who = subject + len(key).to_bytes(8, "big") + key
        salt = sha256(tree_key + who).digest()
        leaves += sha256(start + salt + statement + who).digest()
    rows = _sorted(np.frombuffer(leaves, dtype=np.uint8).reshape(-1, HASH_SIZE))
    rows.tofile(path)
    found = np.bincount(rows[:, 0] // (256 // RANGES), minlength=RANGES)
    return path, found


def _sorted(rows: Any) -> Any:
    """Hashes in lexicographic order: four big-endian words, the first decides nearly always."""
    words = rows.view(">u8")
    order = np.argsort(words[:, 0], kind="stable")
    first = words[order, 0]
    if len(first) > 1 and (first[1:] == first[:-1]).any():
        order = np.lexsort((words[:, 3], words[:, 2], words[:, 1], words[:, 0]))
    return rows[order]


def _merge_range(target: Path, start: int, pieces: list[tuple[Path, int, int]]) -> None:
    """Sort the leaves of one range, from every chunk, into their place."""
    found = [
        np.fromfile(p, dtype=np.uint8, count=(b - a) * HASH_SIZE, offset=a * HASH_SIZE)
        for p, a, b in pieces
        if b > a
    ]
    if found:
        rows = _sorted(np.concatenate(found).reshape(-1, HASH_SIZE))
        with target.open("rb+") as file:
            file.seek(start * HASH_SIZE)
            file.write(rows.tobytes())


def _raise_levels(directory: Path, size: int, run: Any) -> None:
    """Write the hashes of complete subtrees, level by level."""
    level = 0
    while size // BLOCK:
        size //= BLOCK
        source, target = directory / str(level), directory / str(level + 1)
        with target.open("wb") as file:
            file.truncate(size * HASH_SIZE)
        step = CHUNK // BLOCK
        tasks = ((source, target, range(a, min(a + step, size))) for a in range(0, size, step))
        for _ in run(_hash_up, tasks):
            pass
        level += 1


def _hash_up(source: Path, target: Path, blocks: range) -> None:
    """The roots of some blocks of 256 hashes."""
    with source.open("rb") as file:
        file.seek(blocks.start * BLOCK * HASH_SIZE)
        hashes = file.read(len(blocks) * BLOCK * HASH_SIZE)
    row = [hashes[i : i + HASH_SIZE] for i in range(0, len(hashes), HASH_SIZE)]
    for _ in range(8):
        pairs = iter(row)
        row = [sha256(b"\1" + a + b).digest() for a, b in zip(pairs, pairs, strict=True)]
    with target.open("rb+") as file:
        file.seek(blocks.start * HASH_SIZE)
        file.write(b"".join(row))
