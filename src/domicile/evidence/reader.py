"""Reading a log: entries and proofs under one verified checkpoint, from files alone."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from domicile.errors import EvidenceError
from domicile.evidence import merkle
from domicile.evidence.bulk import CHECKPOINT, Bulk
from domicile.evidence.canonical import decode
from domicile.evidence.files import Files
from domicile.evidence.keys import VerifierKey
from domicile.evidence.merkle import HASH_SIZE, leaf_hash
from domicile.evidence.note import Checkpoint, is_signed_by, parse_note
from domicile.evidence.proof import Consistency, Proof
from domicile.evidence.rotation import follow, is_rotation
from domicile.evidence.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    Tile,
    parse_path,
    unpack_bundle,
    unpack_hashes,
    width_at,
)

COSIGNED = "cosigned"
"""Heads with cosignatures, each a file named by its size, and `sizes`, the list of them."""

CACHED_TILES = 64
"""Tiles kept decoded: one path through a tree of 2**64 entries needs eight."""


class LogReader:
    """A log as of the checkpoint that was read last; `refresh` reads the current one.

    Files are only ever added below a head, so a reader needs no lock and keeps its view while
    others append. Entries are checked against their tile, proofs against the signed root. One
    reader is for one thread.
    """

    def __init__(
        self, place: Path | Bulk, verifier: VerifierKey, *, origin: str | None = None
    ) -> None:  # fmt: skip
        """Read and verify the head, in a directory or elsewhere. `origin` is checked when given.

        `verifier` may be an earlier key of the log: later ones are followed from it.

        Raises EvidenceError: no checkpoint, or it does not verify.
        """
        self._files: Bulk = Files(place) if isinstance(place, Path) else place
        self.place = self._files.place
        self.verifier = verifier
        self.origin = origin
        self._cache: OrderedDict[Tile, list[bytes]] = OrderedDict()
        self.rotations: list[dict[str, Any]] = []  # entries that led from the key given to this
        self._note = b""
        self._head = Checkpoint(origin or "", 0, merkle.EMPTY_ROOT)
        self.refresh()

    def refresh(self) -> bool:
        """Read the head again; whether it changed.

        Raises EvidenceError when it is missing, does not verify, or shrank.
        """
        note = self._newest()
        if note is None:
            raise EvidenceError(
                f"{self.place}: no checkpoint, so nothing says how long the log is",
                hint="restore the file `checkpoint` from a mirror or a backup",
            )
        if note == self._note:
            return False
        if not is_signed_by(note, self.verifier):
            self._follow(note)
        head = Checkpoint.verify(note, [self.verifier], origin=self.origin)
        if head.size < self._head.size:
            raise EvidenceError(
                f"{self.place}: the log shrank from {self._head.size} to {head.size} entries",
                hint="an old checkpoint was put back: restore the newest one",
            )
        self._note, self._head = note, head
        return True

    def _newest(self) -> bytes | None:
        """The newest head that there is."""
        return read_file(self._files, CHECKPOINT)

    def _follow(self, note: bytes) -> None:
        """Follow the log's keys from ours, as far as its entries lead. Raises EvidenceError.

        The head is not verified yet, and need not be: each key vouches for the next.
        """
        size = Checkpoint.parse(parse_note(note).text).size
        for number in range(-(-size // TILE_WIDTH)):
            tile = Tile(0, number, width_at(size, 0, number), entries=True)
            try:
                contents = load_tile(self._files, tile)
            except EvidenceError:
                return  # the head will not verify either, and says so
            for content in filter(is_rotation, contents):
                entry = decode(content)
                if entry["old_key"] == str(self.verifier):
                    self.verifier = follow(self.verifier, entry)
                    self.rotations.append(entry)

    @property
    def size(self) -> int:
        """Entries under the head."""
        return self._head.size

    @property
    def head(self) -> Checkpoint:
        """The verified head."""
        return self._head

    def checkpoint(self) -> str:
        """The head as a signed note (c2sp.org/tlog-checkpoint)."""
        return self._note.decode()

    def entry(self, index: int) -> dict[str, Any]:
        """The entry at `index`. Raises IndexError beyond the head, EvidenceError when altered."""
        self._check(index)
        return decode(self._bundle(index // TILE_WIDTH)[index % TILE_WIDTH])

    def entries(
        self, start: int = 0, stop: int | None = None
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """(index, entry) from `start` up to `stop` or the head, one bundle in memory at a time.

        Raises EvidenceError when an entry is not the one that was hashed.
        """
        stop = self.size if stop is None else min(stop, self.size)
        index = max(start, 0)
        while index < stop:
            number, offset = divmod(index, TILE_WIDTH)
            for content in self._bundle(number)[offset : stop - number * TILE_WIDTH]:
                yield index, decode(content)
                index += 1

    def cosigned(self) -> Iterator[bytes]:
        """The heads that witnesses cosigned, each a signed note, smallest first.

        The log's signature on each is checked, and that the log begins with what it covers; whose
        cosignatures count is the caller's to say. Raises EvidenceError.
        """
        sizes = sorted(int(n) for n in self._files.names(COSIGNED) if n.isdecimal())
        for size in sizes:
            note = read_file(self._files, f"{COSIGNED}/{size}") or b""
            head = Checkpoint.parse(parse_note(note).text)
            if head.size != size or size > self.size or self.root(size) != head.root:
                raise EvidenceError(
                    f"{self.place}: the cosigned head of {size} is of another history",
                    hint="somebody rewrote the log: keep it, and compare with a mirror",
                )
            yield note

    def root(self, size: int | None = None) -> bytes:
        """The root of the first `size` entries, from the tiles. Raises IndexError."""
        size = self.size if size is None else size
        if not 0 <= size <= self.size:
            raise IndexError(f"size {size} is beyond the log's {self.size}")
        return merkle.root(self._subtree, size)

    def inclusion(self, index: int) -> Proof:
        """The proof that entry `index` is under the head; verified before it is returned.

        Raises IndexError beyond the head, EvidenceError when the tiles do not lead to the root.
        """
        self._check(index)
        path = merkle.inclusion_path(self._subtree, index, self.size)
        proof = Proof(index, self._subtree(0, index), tuple(path), self.checkpoint())
        leaf, root = proof.entry_hash, self._head.root
        if merkle.inclusion_root(leaf, index, self.size, path) != root:
            raise self._contradiction("do not lead to the signed root")
        return proof

    def consistency(self, old: int, new: int | None = None) -> Consistency:
        """The proof that the first `new` entries (the head's) begin with the first `old`.

        Raises IndexError beyond the head, EvidenceError when the tiles contradict each other.
        """
        new = self.size if new is None else new
        if not 0 <= old <= new <= self.size:
            raise IndexError(f"no proof from {old} to {new} in a log of {self.size}")
        path = merkle.consistency_path(self._subtree, old, new)
        proof = Consistency(old, new, self.root(old), self.root(new), tuple(path))
        if new == self.size and proof.new_root != self._head.root:
            raise self._contradiction("do not lead to the signed root")
        if not merkle.is_consistent(old, new, proof.old_root, proof.new_root, proof.path):
            raise self._contradiction("contradict each other")
        return proof

    def _contradiction(self, said: str) -> EvidenceError:
        return EvidenceError(
            f"{self.place}: the tiles {said}",
            hint="run: domicile log fsck; then restore what it names from a mirror",
        )

    def _check(self, index: int) -> None:
        if not 0 <= index < self.size:
            raise IndexError(f"entry {index} is not among the log's {self.size}")

    def _subtree(self, level: int, index: int) -> bytes:
        """A complete subtree's hash, computed from the one tile that it lies in."""
        tile_level, height = divmod(level, TILE_HEIGHT)
        number, offset = divmod(index << height, TILE_WIDTH)
        hashes = self._hashes(tile_level, number)
        return merkle.complete_root(hashes[offset : offset + (1 << height)])

    def _hashes(self, level: int, number: int) -> list[bytes]:
        tile = Tile(level, number, width_at(self.size, level, number))
        return self._cached(tile)

    def _bundle(self, number: int) -> list[bytes]:
        tile = Tile(0, number, width_at(self.size, 0, number), entries=True)
        if tile not in self._cache:
            hashes = self._hashes(0, number)
            for offset, content in enumerate(self._cached(tile)):
                if leaf_hash(content) != hashes[offset]:
                    self._cache.pop(tile)
                    raise EvidenceError(
                        f"{self.place}: entry {number * TILE_WIDTH + offset} is not the one "
                        "that was logged",
                        hint="run: domicile log fsck",
                    )
        return self._cached(tile)

    def _cached(self, tile: Tile) -> list[bytes]:
        found = self._cache.get(tile)
        if found is None:
            found = self._cache[tile] = load_tile(self._files, tile)
            if len(self._cache) > CACHED_TILES:
                self._cache.popitem(last=False)
        else:
            self._cache.move_to_end(tile)
        return found


def walk(files: Bulk) -> Iterator[tuple[str, Tile | None]]:
    """Every file of the tree, and the tile that its path names, None for a stranger.

    Raises OSError.
    """
    for path in files.tree("tile"):
        yield path, parse_path(path)


def load_tile(files: Bulk, tile: Tile) -> list[bytes]:
    """A tile's hashes or a bundle's entries, exactly `tile.width` of them.

    A partial tile that is gone is read from the full one (tlog-tiles, partial tiles). Raises
    EvidenceError when the file is missing, cut off or too long.
    """
    content = read_file(files, tile.path)
    if content is None and tile.width < TILE_WIDTH:
        full = read_file(files, tile.full.path)
        if full is not None:
            return _unpack(tile.full, full)[: tile.width]
    if content is None:
        raise EvidenceError(f"{tile.path} is missing", hint="restore it from a mirror")
    return _unpack(tile, content)


def read_file(files: Bulk, path: str) -> bytes | None:
    """A file's bytes, None when there is no such file. Raises EvidenceError."""
    try:
        return files.read(path)
    except OSError as e:
        raise EvidenceError(
            f"{files.place}/{path} cannot be read: {e.strerror}",
            hint="correct its permissions, or restore it from a mirror",
        ) from e


def _unpack(tile: Tile, content: bytes) -> list[bytes]:
    try:
        items = unpack_bundle(content) if tile.entries else unpack_hashes(content)
    except ValueError as e:
        raise EvidenceError(f"{tile.path}: {e}", hint="restore it from a mirror") from e
    if len(items) != tile.width:
        what = "entries" if tile.entries else f"hashes of {HASH_SIZE} bytes"
        raise EvidenceError(
            f"{tile.path} holds {len(items)} {what}, expected {tile.width}",
            hint="restore it from a mirror",
        )
    return items
