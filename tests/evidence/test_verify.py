"""A log that was tampered with is found out, offline, with the public key alone."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domicile.errors import EvidenceError
from domicile.evidence.canonical import encode
from domicile.evidence.keys import SigningKey
from domicile.evidence.note import Checkpoint, sign_note
from domicile.evidence.reader import LogReader
from domicile.evidence.tiles import Frontier, pack_bundle, unpack_bundle
from domicile.evidence.verify import MAX_FINDINGS, Finding, fsck, verify_directory
from tests.evidence.making import KEY, ORIGIN, entry, make_log


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 600 entries in two appends."""
    directory = tmp_path_factory.mktemp("good")
    make_log(directory, 520)
    make_log(directory, 600)
    return directory


@pytest.fixture
def copy(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "log"))


def fails(directory: Path) -> list[Finding]:
    found = [f for f in fsck(directory, KEY.verifier) if f.fails]
    if found:
        with pytest.raises(EvidenceError, match="does not verify"):
            verify_directory(directory, KEY.verifier)
    return found


def test_a_good_log(good: Path) -> None:
    verified = verify_directory(good, str(KEY.verifier), origin=ORIGIN)
    assert (verified.origin, verified.size, verified.leftovers) == (ORIGIN, 600, 0)
    assert verified.kinds == {"batch": 600}
    assert verified.first == verified.last == "2026-01-23T10:00:00Z"
    assert verified.root == LogReader(good, KEY.verifier).head.root
    assert verified.key == f"{ORIGIN}+{KEY.verifier.id.hex()}"


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_changed_byte_of_any_file_is_found(
    good: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = Path(shutil.copytree(good, tmp_path_factory.mktemp("t") / "log"))
    paths = sorted(p for p in directory.rglob("*") if p.is_file() and p.name != ".lock")
    path = data.draw(st.sampled_from(paths))
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(content))
    assert fails(directory)


def test_any_lost_file_that_the_head_needs_is_found(good: Path, tmp_path: Path) -> None:
    lost = 0
    for path in sorted(p for p in good.rglob("*") if p.is_file() and p.name != ".lock"):
        relative = path.relative_to(good)
        directory = Path(shutil.copytree(good, tmp_path / str(lost)))
        (directory / relative).unlink()
        found = fails(directory)
        earlier = str(relative).endswith(".p/8")  # of the head of 520, which 600 does not need
        assert bool(found) != earlier, relative
        assert all(f.path == str(relative) for f in found), found
        lost += 1
    assert lost == 1 + 2 * (2 + 2) + 1


def test_a_rewritten_entry_whose_tiles_agree_is_found_by_the_root(copy: Path) -> None:
    rewrite(copy, 3)
    (found,) = fails(copy)
    assert (found.problem, found.path) == ("head", "checkpoint")


def test_a_rewritten_history_signed_by_another_key_is_found(copy: Path) -> None:
    frontier = rewrite(copy, 3)
    other = SigningKey.generate(ORIGIN)
    head = Checkpoint(ORIGIN, 600, frontier.root())
    (copy / "checkpoint").write_text(sign_note(head.text, other))
    (found,) = fails(copy)
    assert found.problem == "head"
    assert "signed by" in found.said


def test_a_rewritten_history_signed_by_the_log_is_found_by_an_old_checkpoint(
    good: Path, copy: Path
) -> None:
    """What the log alone cannot show, whoever kept an earlier checkpoint can."""
    frontier = rewrite(copy, 3)
    head = Checkpoint(ORIGIN, 600, frontier.root())
    (copy / "checkpoint").write_text(sign_note(head.text, KEY))
    assert [f for f in fails(copy) if "000.p" not in f.path and "002.p" not in f.path] == []
    kept = LogReader(good, KEY.verifier).root(520)
    assert LogReader(copy, KEY.verifier).consistency(520).old_root != kept


def test_an_entry_of_no_known_kind_is_found(tmp_path: Path) -> None:
    directory = tmp_path
    log = make_log(directory)
    log.append([entry(0)])
    content = encode({"kind": "note", "text": "Jan Jansen"})
    frontier = Frontier()
    from domicile.evidence.merkle import leaf_hash

    frontier.add([leaf_hash(content)])
    (directory / "tile/entries/000.p/1").write_bytes(pack_bundle([content]))
    (directory / "tile/0/000.p/1").write_bytes(leaf_hash(content))
    head = Checkpoint(ORIGIN, 1, frontier.root())
    (directory / "checkpoint").write_text(sign_note(head.text, KEY))
    (found,) = fails(directory)
    assert (found.problem, "Jansen" in found.said) == ("entry", False)


def test_strangers_and_leftovers_are_told_apart(copy: Path) -> None:
    (copy / "tile/0/099").write_bytes(b"\0" * 8192)
    (copy / "tile/0/002.p/200").write_bytes(b"\0" * 32 * 200)
    found = fsck(copy, KEY.verifier)
    assert {(f.problem, f.path) for f in found} == {
        ("leftover", "tile/0/099"), ("leftover", "tile/0/002.p/200"),
    }  # fmt: skip
    assert verify_directory(copy, KEY.verifier).leftovers == 2
    (copy / "tile/0/notes.txt").write_text("x")
    (found_stranger,) = fails(copy)
    assert found_stranger.problem == "stranger"


def test_readers_refuse_altered_entries_and_tiles(copy: Path) -> None:
    bundle = copy / "tile/entries/000"
    items = unpack_bundle(bundle.read_bytes())
    items[7] = encode(entry(999))
    bundle.write_bytes(pack_bundle(items))
    reader = LogReader(copy, KEY.verifier)
    with pytest.raises(EvidenceError, match="entry 7 is not the one"):
        reader.entry(0)
    with pytest.raises(EvidenceError, match="entry 7 is not the one"):
        list(reader.entries())
    assert reader.entry(300) == entry(300)
    tile = copy / "tile/0/001"
    tile.write_bytes(b"\1" + tile.read_bytes()[1:])
    with pytest.raises(EvidenceError, match="do not lead"):
        LogReader(copy, KEY.verifier).inclusion(300)
    with pytest.raises(EvidenceError, match="contradict each other"):
        LogReader(copy, KEY.verifier).consistency(300)


def test_a_missing_directory_or_head(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="not a directory"):
        fsck(tmp_path / "absent", KEY.verifier)
    (found,) = fails(tmp_path)
    assert (found.problem, found.said) == ("head", "is missing")
    (tmp_path / "checkpoint").write_text("junk")
    (found,) = fails(tmp_path)
    assert found.problem == "head"


def test_a_head_that_claims_more_than_there_is(copy: Path) -> None:
    head = Checkpoint(ORIGIN, 10**17, bytes(32))
    (copy / "checkpoint").write_text(sign_note(head.text, KEY))
    assert len(fails(copy)) == MAX_FINDINGS


def test_a_directory_in_the_place_of_a_file(copy: Path) -> None:
    (copy / "tile/0/000").unlink()
    (copy / "tile/0/000").mkdir()
    assert fails(copy)
    with pytest.raises(EvidenceError, match="Is a directory"):
        LogReader(copy, KEY.verifier).entry(0)


def test_a_head_of_another_origin(good: Path) -> None:
    with pytest.raises(EvidenceError, match="expected elsewhere"):
        verify_directory(good, KEY.verifier, origin="elsewhere")


def rewrite(directory: Path, index: int) -> Frontier:
    """Replace an entry, and every tile above it, as somebody with the files could."""
    from domicile.evidence.merkle import leaf_hash
    from domicile.evidence.tiles import Tile

    everything: list[bytes] = []
    for number, width in ((0, 256), (1, 256), (2, 88)):
        path = directory / Tile(0, number, width, entries=True).path
        items = unpack_bundle(path.read_bytes())
        if number == index // 256:
            items[index % 256] = encode(entry(123_456))
            path.write_bytes(pack_bundle(items))
        everything += items
    frontier = Frontier()
    filled = frontier.add([leaf_hash(e) for e in everything])
    for tile, content in [*filled, *frontier.partial()]:
        (directory / tile.path).write_bytes(content)
    assert base64.b64encode(frontier.root())
    return frontier
