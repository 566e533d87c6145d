"""Checking a whole log offline, from its files and its public key: `fsck`, `verify_directory`.

Everything is read again: every entry is hashed and held against its tile, every tile against
the tiles below it, the root against the checkpoint, the checkpoint against the key. Nothing is
repaired. Memory stays flat: one bundle and the right edge of the tree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from domicile.errors import EvidenceError
from domicile.evidence import kinds
from domicile.evidence.bulk import CHECKPOINT, STAGED, Bulk
from domicile.evidence.canonical import decode
from domicile.evidence.files import Files
from domicile.evidence.keys import VerifierKey
from domicile.evidence.merkle import leaf_hash
from domicile.evidence.note import Checkpoint
from domicile.evidence.reader import LogReader, load_tile, walk
from domicile.evidence.rotation import follow
from domicile.evidence.tiles import TILE_WIDTH, Frontier, Tile, width_at

Problem = Literal["head", "tile", "entry", "stranger", "leftover"]
"""head: the checkpoint does not verify, or its root is not the entries'. tile: a file is missing,
damaged or contradicts what is below it. entry: not what was hashed, or not of a known kind.
stranger: a file that is no part of a log. leftover: a file of an interrupted append."""

SHOWN = 3
"""Findings named in the error of `verify_directory`."""


MAX_FINDINGS = 1000
"""After so many, more would not help."""


@dataclass(frozen=True)
class Finding:
    """Something about a log that is not as it should be."""

    problem: Problem
    path: str  # below the log's directory
    said: str

    @property
    def fails(self) -> bool:
        """Whether the log does not verify because of it; a leftover is harmless."""
        return self.problem != "leftover"

    def __str__(self) -> str:
        return f"{self.path}: {self.said}"


@dataclass(frozen=True)
class Verified:
    """What a log that verifies holds: all of it is under the signed root."""

    origin: str
    size: int
    root: bytes
    key: str  # name and id of the key that signed
    kinds: dict[str, int]  # entries of each kind
    first: str  # time of the first entry, empty when there is none
    last: str
    leftovers: int


def fsck(
    directory: Path | Bulk, verifier: VerifierKey, *, origin: str | None = None
) -> list[Finding]:
    """Read everything again; what is wrong, none when the log verifies. Repairs nothing.

    Stops at `MAX_FINDINGS`: a head may claim any number of entries.

    Raises EvidenceError only when the place cannot be read at all.
    """
    return list(islice(_Check(directory, verifier, origin).run(), MAX_FINDINGS))


def verify_directory(
    directory: Path | Bulk, vkey: VerifierKey | str | Path, *, origin: str | None = None
) -> Verified:
    """Verify a log offline with its public key (an object, its text, or a file of it).

    Raises EvidenceError naming the first findings when it does not verify.
    """
    key = vkey if isinstance(vkey, VerifierKey) else VerifierKey.load(vkey)
    check = _Check(directory, key, origin)
    leftovers, failed = 0, []
    for finding in islice(check.run(), MAX_FINDINGS):
        if finding.fails:
            failed.append(finding)
        else:
            leftovers += 1
    if failed:
        named = "; ".join(map(str, failed[:SHOWN]))
        more = f"; and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
        raise EvidenceError(
            f"{check.files.place}: the log does not verify: {named}{more}",
            hint="compare with a mirror or a witness; `domicile log fsck` lists every finding",
        )
    head = check.head
    return Verified(
        head.origin, head.size, head.root, f"{key.name}+{key.id.hex()}",
        dict(check.kinds), check.first, check.last, leftovers,
    )  # fmt: skip


class _Check:
    """One pass over a log."""

    def __init__(self, place: Path | Bulk, verifier: VerifierKey, origin: str | None) -> None:
        self.files: Bulk = Files(place) if isinstance(place, Path) else place
        if isinstance(place, Path) and not place.is_dir():
            raise EvidenceError(f"{place} is not a directory", hint="name the log's directory")
        self.verifier = verifier
        self.origin = origin
        self.head = Checkpoint("", 0, b"")
        self.kinds: Counter[str] = Counter()
        self.first = self.last = ""
        self.signer = self._key = verifier  # of the head; of the entry at hand
        self._frontier = Frontier()
        self._broken = False  # a stretch of leaf hashes is not known: no root to compare

    def run(self) -> Iterator[Finding]:
        """All findings, in the order of the log."""
        try:
            content = self.files.read(CHECKPOINT)
            if content is None:
                yield Finding("head", CHECKPOINT, "is missing")
                return
            try:
                log = LogReader(self.files, self.verifier, origin=self.origin)
                self.head, self.signer = log.head, log.verifier
            except EvidenceError as e:
                yield Finding("head", CHECKPOINT, e.message)
                return  # a size that nobody signed says nothing about the files
            for number in range(-(-self.head.size // TILE_WIDTH)):
                yield from self._bundle(number)
            if self._key != self.signer:
                said = f"is signed by {self.signer.id.hex()}, which was replaced before"
                yield Finding("head", CHECKPOINT, said)
            if not self._broken:
                yield from self._edge()
            yield from self._others()
        except OSError as e:
            raise EvidenceError(f"{self.files.place}: {e.strerror}") from e

    def _bundle(self, number: int) -> Iterator[Finding]:
        width = width_at(self.head.size, 0, number)
        tile, bundle = Tile(0, number, width), Tile(0, number, width, entries=True)
        found, entries = [], []
        try:
            hashes = load_tile(self.files, tile)
        except EvidenceError as e:
            hashes = []
            found.append(Finding("tile", tile.path, e.message))
        try:
            entries = load_tile(self.files, bundle)
        except EvidenceError as e:
            found.append(Finding("tile", bundle.path, e.message))
        yield from found
        for offset, content in enumerate(entries):
            index = number * TILE_WIDTH + offset
            if hashes and leaf_hash(content) != hashes[offset]:
                yield Finding("entry", bundle.path, f"entry {index} is not the one in the tile")
            yield from self._entry(index, bundle.path, content)
        leaves = hashes or [leaf_hash(e) for e in entries]
        self._broken = self._broken or not leaves
        if not self._broken:
            for full, content in self._frontier.add(leaves):
                if full.level:
                    yield from self._compare(full, content)

    def _entry(self, index: int, path: str, content: bytes) -> Iterator[Finding]:
        try:
            entry = decode(content)
            kinds.check(entry)
            if entry["kind"] == "key_rotated":
                self._key = follow(self._key, entry, index)
        except EvidenceError as e:
            yield Finding("entry", path, f"entry {index}: {e.message}")
            return
        self.kinds[entry["kind"]] += 1
        self.first = self.first or entry["time"]
        self.last = entry["time"]

    def _compare(self, tile: Tile, content: bytes) -> Iterator[Finding]:
        try:
            if b"".join(load_tile(self.files, tile)) != content:
                yield Finding("tile", tile.path, "is not the hashes of the tiles below it")
        except EvidenceError as e:
            yield Finding("tile", tile.path, e.message)

    def _edge(self) -> Iterator[Finding]:
        for tile, content in self._frontier.partial():
            if tile.level:
                yield from self._compare(tile, content)
        if self._frontier.root() != self.head.root:
            yield Finding("head", CHECKPOINT, "the root is not that of the entries")

    def _others(self) -> Iterator[Finding]:
        """Files that the head does not need: earlier partial tiles, left-overs, strangers."""
        for path, tile in walk(self.files):
            if tile is None:
                yield Finding("stranger", path, "is no file of a log")
                continue
            width = width_at(self.head.size, tile.level, tile.index)
            if tile.width > width:
                yield Finding("leftover", path, "is beyond the head: an append was interrupted")
            elif tile.width < width:
                now = Tile(tile.level, tile.index, width, tile.entries)
                try:
                    items = load_tile(self.files, now)
                except EvidenceError:
                    continue  # named already
                try:
                    same = load_tile(self.files, tile) == items[: tile.width]
                except EvidenceError:
                    same = False
                if not same:
                    yield Finding("tile", path, f"is not the beginning of {now.path}")
        for name in self.files.names(STAGED):
            yield Finding("leftover", f"{STAGED}/{name}", "is staged: an append was interrupted")
