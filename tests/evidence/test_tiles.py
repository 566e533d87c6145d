"""Paths, widths and bundles against the examples of c2sp.org/tlog-tiles, and the frontier."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domicile.evidence import tiles
from domicile.evidence.merkle import leaf_hash
from domicile.evidence.tiles import Frontier, Tile
from tests.evidence.test_merkle import leaf_hashes, mth


def test_the_specification_s_path() -> None:
    assert tiles.encode_index(1234067) == "x001/x234/067"
    assert Tile(0, 1234067, 256).path == "tile/0/x001/x234/067"
    assert Tile(2, 5, 7).path == "tile/2/005.p/7"
    assert Tile(0, 999, 256, entries=True).path == "tile/entries/999"
    assert Tile(0, 1000, 1, entries=True).path == "tile/entries/x001/000.p/1"


def test_the_specification_s_tree_of_70000() -> None:
    frontier = Frontier()
    filled = frontier.add([leaf_hash(b"")] * 70_000)
    assert sum(t.level == 0 for t, _ in filled) == 273
    assert sum(t.level == 1 for t, _ in filled) == 1
    assert [(t.level, t.width) for t, _ in frontier.partial()] == [(0, 112), (1, 17), (2, 1)]
    assert {(t.level, t.width) for t in tiles.edge(70_000) if not t.entries} == {
        (0, 112), (1, 17), (2, 1),
    }  # fmt: skip
    at_256 = Frontier()
    at_256.add([leaf_hash(b"")] * 256)
    assert [(t.level, t.width) for t, _ in at_256.partial()] == [(1, 1)]


@given(
    level=st.integers(0, 63), index=st.integers(0, 10**10), width=st.integers(1, 256),
    entries=st.booleans(),
)  # fmt: skip
def test_paths_are_read_back(level: int, index: int, width: int, entries: bool) -> None:
    tile = Tile(0 if entries else level, index, width, entries)
    assert tiles.parse_path(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    ["tile/64/000", "tile/00/000", "tile/0/0", "tile/0/001.p/0", "tile/0/001.p/256",
     "tile/0/001.p/07", "tile/0/x000/001", "tile/0/000.p", "tile/data/000", "checkpoint",
     "tile/0/000.p/1/2", "tile/0/000\n"],
)  # fmt: skip
def test_other_paths_are_no_tiles(path: str) -> None:
    assert tiles.parse_path(path) is None


@given(st.lists(st.binary(max_size=300), max_size=30))
def test_bundles_are_read_back(content: list[bytes]) -> None:
    bundle = tiles.pack_bundle(content)
    assert tiles.unpack_bundle(bundle) == content


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=5), st.data())
def test_a_cut_bundle_is_refused_or_shorter(content: list[bytes], data: st.DataObject) -> None:
    bundle = tiles.pack_bundle(content)
    cut = data.draw(st.integers(1, len(content[-1]) + 1))
    with pytest.raises(ValueError, match="cut off"):
        tiles.unpack_bundle(bundle[:-cut])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=6))
def test_the_frontier_s_root_is_the_tree_s(batches: list[int]) -> None:
    hashes = leaf_hashes(sum(batches))
    frontier, filled, at = Frontier(), [], 0
    for batch in batches:
        filled += frontier.add(hashes[at : at + batch])
        at += batch
        assert frontier.root() == mth(hashes[:at])
    for tile, content in [*filled, *frontier.partial()]:
        span = 256**tile.level
        for i, found in enumerate(tiles.unpack_hashes(content)):
            start = (tile.index * 256 + i) * span
            assert found == mth(hashes[start : start + span])
