"""Where a C2SP tlog-tiles log keeps its hashes and entries, and how it encodes them.

Pure: paths, widths and bytes (c2sp.org/tlog-tiles). `Frontier` is the right edge of the tree,
all that a writer needs to keep in memory: at most 255 hashes a level.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from struct import pack

from domicile.evidence.merkle import EMPTY_ROOT, HASH_SIZE, complete_root, node_hash

TILE_WIDTH = 256
"""Hashes in a full tile (tlog-tiles: tiles are 8 levels high)."""

TILE_HEIGHT = 8
"""Levels of the tree that one tile spans."""

MAX_ENTRY = 0xFFFF
"""Bytes in the largest entry: its length is a uint16 (tlog-tiles, log entries)."""


@dataclass(frozen=True, order=True)
class Tile:
    """One file of hashes, or of entries when `entries` is true (then `level` is 0)."""

    level: int
    index: int
    width: int  # 1 to 256
    entries: bool = False

    @property
    def path(self) -> str:
        """The path below the log's directory: `tile/0/x001/234.p/5`, `tile/entries/000`."""
        base = f"tile/{'entries' if self.entries else self.level}/{encode_index(self.index)}"
        return base if self.width == TILE_WIDTH else f"{base}.p/{self.width}"

    @property
    def full(self) -> Tile:
        """The same tile when it will be full."""
        return Tile(self.level, self.index, TILE_WIDTH, self.entries)


def encode_index(n: int) -> str:
    """A tile's index as path elements of three digits: 1234067 is `x001/x234/067`."""
    parts = [f"{n % 1000:03d}"]
    while n := n // 1000:
        parts.append(f"x{n % 1000:03d}")
    return "/".join(reversed(parts))


_PATH = re.compile(r"tile/(entries|\d|[1-5]\d|6[0-3])/((?:x\d{3}/)*\d{3})(?:\.p/([1-9]\d{0,2}))?")


def parse_path(path: str) -> Tile | None:
    """The tile that a path names, None when it is not exactly a tile's path."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    level, index, width = match.groups()
    tile = Tile(
        0 if level == "entries" else int(level),
        int(re.sub("[x/]", "", index)),
        int(width or TILE_WIDTH),
        entries=level == "entries",
    )
    return tile if tile.path == path else None


def width_at(size: int, level: int, index: int) -> int:
    """Hashes in tile `index` of `level` in a tree of `size`; 0 when it does not exist."""
    return max(0, min(TILE_WIDTH, (size >> TILE_HEIGHT * level) - index * TILE_WIDTH))


def levels(size: int) -> int:
    """How many levels of tiles a tree of `size` has."""
    n = 0
    while size >> TILE_HEIGHT * n:
        n += 1
    return n


def edge(size: int) -> Iterator[Tile]:
    """The partial tiles of a tree of `size`, and the partial bundle of entries."""
    for level in range(levels(size)):
        index, width = divmod(size >> TILE_HEIGHT * level, TILE_WIDTH)
        if width:
            yield Tile(level, index, width)
            if level == 0:
                yield Tile(0, index, width, entries=True)


def pack_bundle(entries: Iterable[bytes]) -> bytes:
    """Entries with their big-endian uint16 lengths. Raises struct.error above MAX_ENTRY."""
    return b"".join(pack(">H", len(e)) + e for e in entries)


def unpack_bundle(bundle: bytes) -> list[bytes]:
    """The entries of a bundle. Raises ValueError when a length runs past the end."""
    entries: list[bytes] = []
    at = 0
    while at < len(bundle):
        stop = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        if at + 2 > len(bundle) or stop > len(bundle):
            raise ValueError(f"entry {len(entries)} of the bundle is cut off")
        entries.append(bundle[at + 2 : stop])
        at = stop
    return entries


def unpack_hashes(tile: bytes) -> list[bytes]:
    """The hashes of a tile. Raises ValueError unless it is whole hashes."""
    if len(tile) % HASH_SIZE:
        raise ValueError(f"{len(tile)} bytes are not a whole number of hashes")
    return [tile[i : i + HASH_SIZE] for i in range(0, len(tile), HASH_SIZE)]


@dataclass
class Frontier:
    """The right edge of a tree: for each level of tiles the hashes of its partial tile."""

    size: int = 0
    rows: list[list[bytes]] = field(default_factory=list)

    def copy(self) -> Frontier:
        """An independent copy."""
        return Frontier(self.size, [list(row) for row in self.rows])

    def add(self, leaves: Sequence[bytes]) -> list[tuple[Tile, bytes]]:
        """Append leaf hashes; the tiles that became full, lower levels first."""
        filled: list[tuple[Tile, bytes]] = []
        self._add(0, self.size, leaves, filled)
        self.size += len(leaves)
        return filled

    def _add(
        self, level: int, count: int, hashes: Sequence[bytes], filled: list[tuple[Tile, bytes]]
    ) -> None:
        if len(self.rows) == level:
            self.rows.append([])
        row = self.rows[level]
        row.extend(hashes)
        if len(row) < TILE_WIDTH:
            return
        index, above = count // TILE_WIDTH, []
        while len(row) >= TILE_WIDTH:
            full, row = row[:TILE_WIDTH], row[TILE_WIDTH:]
            filled.append((Tile(level, index, TILE_WIDTH), b"".join(full)))
            above.append(complete_root(full))
            index += 1
        self.rows[level] = row
        self._add(level + 1, count // TILE_WIDTH, above, filled)

    def partial(self) -> Iterator[tuple[Tile, bytes]]:
        """The partial tiles of the right edge."""
        for level, row in enumerate(self.rows):
            if row:
                index = (self.size >> TILE_HEIGHT * level) // TILE_WIDTH
                yield Tile(level, index, len(row)), b"".join(row)

    def root(self) -> bytes:
        """The root of the tree, from the complete subtrees that the edge is made of."""
        peaks: list[bytes] = []
        for row in reversed(self.rows):
            at = 0
            for bit in range(TILE_HEIGHT - 1, -1, -1):
                if len(row) >> bit & 1:
                    peaks.append(complete_root(row[at : at + (1 << bit)]))
                    at += 1 << bit
        if not peaks:
            return EMPTY_ROOT
        top = peaks.pop()
        while peaks:
            top = node_hash(peaks.pop(), top)
        return top
