"""A folder of files: what is listed, what leads out of it, and files that come and go."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domicile.errors import DeclarationError, StoreRefused, StoreUnreachable
from domicile.estate import model
from domicile.stores.files import DEPTH, FilesStore, Listing
from domicile.stores.files_folder import INCOMING, LEAVING, Folder
from domicile.stores.parquet_files import Mark


def store(root: Path, schema: str = "") -> FilesStore:
    return FilesStore(
        model.Store("media", f"file://{root}", "SG", "Tester", "media", schema, files=True)
    )


def put(root: Path, path: str, content: bytes = b"film") -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def listed(root: Path) -> tuple[dict[str, Mark], Listing]:
    opened = store(root)
    with opened.open() as folder:
        listing = opened.listing(folder)
        return {f.path: f.mark for f in listing}, listing


def mark(file: Path) -> Mark:
    return Mark.of(file.lstat())


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("abroad", "home"):
        (tmp_path / name).mkdir()
    return tmp_path / "abroad", tmp_path / "home"


# What is listed.


def test_every_file_below_the_folder_is_listed_with_its_mark(tmp_path: Path) -> None:
    paths = ["a.mp4", "videos/1.mp4", "videos/deep/er/2.mp4", "odd 'na\";me\n.mp4", "ünï/日本.mp4"]
    for path in paths:
        put(tmp_path, path, path.encode())
    found, listing = listed(tmp_path)
    assert found == {path: mark(tmp_path / path) for path in paths}
    assert (listing.links, listing.special, listing.odd_names, listing.deep) == (0, 0, 0, 0)


def test_links_and_odd_things_are_counted_and_never_entered(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    put(outside, "secret.mp4")
    put(root, "1.mp4")
    (root / "folder").symlink_to(outside)
    (root / "file.mp4").symlink_to(outside / "secret.mp4")
    (root / "nowhere.mp4").symlink_to(outside / "none")
    os.mkfifo(root / "pipe")
    os.link(root / "1.mp4", root / "2.mp4")
    put(root, os.fsdecode(b"\xff.mp4"))
    put(root, f"{INCOMING}0123")
    found, listing = listed(root)
    assert set(found) == {"1.mp4", "2.mp4"}
    assert (listing.links, listing.special, listing.odd_names, listing.linked) == (3, 1, 1, 2)
    assert listing.unfinished == [f"{INCOMING}0123"]


def test_folders_are_entered_to_a_depth_and_deeper_ones_named(tmp_path: Path) -> None:
    put(tmp_path, "/".join(["d"] * DEPTH) + "/in.mp4")
    put(tmp_path, "/".join(["e"] * (DEPTH + 1)) + "/out.mp4")
    found, listing = listed(tmp_path)
    assert [p.rsplit("/", 1)[1] for p in found] == ["in.mp4"]
    assert listing.deep == 1


def test_a_folder_that_is_missing_or_no_folder_is_one_clear_error(tmp_path: Path) -> None:
    put(tmp_path, "file")
    for path in ("none", "file"):
        with pytest.raises(StoreUnreachable, match="store media: the folder cannot be opened"):
            store(tmp_path / path).place()
    with pytest.raises(DeclarationError, match="expected none"):
        store(tmp_path, schema="public")


def test_two_names_of_one_folder_are_one_place(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    place = store(tmp_path / "real").place()
    assert store(tmp_path / "link").place() == place
    assert store(tmp_path / "other").place() != place


def test_what_it_keeps_by_its_nature_is_named(tmp_path: Path) -> None:
    said = " ".join(what for what, _ in store(tmp_path).residues())
    for word in ("snapshots", "free blocks", "object versions"):
        assert word in said


# Files that come.


def carry(abroad: Path, home: Path, path: str, over: Mark | None = None) -> bool:
    with Folder("abroad", abroad) as source, Folder("home", home) as target:
        copy = target.receive(source, path, mark(abroad / path))
        assert copy is not None
        assert not copy.changed
        return target.settle(path, copy.mark, over)


def test_a_file_comes_whole_with_its_times_and_mode(two: tuple[Path, Path]) -> None:
    abroad, home = two
    content = os.urandom(3_000_001)
    file = put(abroad, "videos/7/film.mp4", content)
    file.chmod(0o640)
    file.parent.chmod(0o750)
    os.utime(file, ns=(1_600_000_000_123_456_789, 1_500_000_000_987_654_321))
    with Folder("abroad", abroad) as source, Folder("home", home) as target:
        copy = target.receive(source, "videos/7/film.mp4", mark(file))
        assert copy is not None
        assert copy.digest == "sha256:" + hashlib.sha256(content).hexdigest()
        assert copy.size == len(content)
        assert not (home / "videos/7/film.mp4").exists()
        assert target.settle("videos/7/film.mp4", copy.mark)
    there = home / "videos/7/film.mp4"
    assert there.read_bytes() == content
    assert there.stat().st_mtime_ns == file.stat().st_mtime_ns
    assert there.stat().st_mode == file.stat().st_mode
    assert there.parent.stat().st_mode == file.parent.stat().st_mode
    assert file.read_bytes() == content
    assert mark(there) == copy.mark


def test_what_stands_at_home_is_never_overwritten(two: tuple[Path, Path]) -> None:
    abroad, home = two
    put(abroad, "1.mp4", b"abroad")
    put(home, "1.mp4", b"at home")
    assert not carry(abroad, home, "1.mp4")
    assert (home / "1.mp4").read_bytes() == b"at home"
    assert [p.name for p in home.iterdir()] == ["1.mp4"]


def test_our_own_older_copy_is_replaced_while_nobody_wrote_to_it(two: tuple[Path, Path]) -> None:
    abroad, home = two
    put(abroad, "1.mp4", b"first")
    assert carry(abroad, home, "1.mp4")
    ours = mark(home / "1.mp4")
    put(abroad, "1.mp4", b"second")
    assert carry(abroad, home, "1.mp4", over=ours)
    assert (home / "1.mp4").read_bytes() == b"second"
    put(home, "1.mp4", b"the application")
    assert not carry(abroad, home, "1.mp4", over=ours)
    assert (home / "1.mp4").read_bytes() == b"the application"


def test_a_source_that_changed_is_told(two: tuple[Path, Path]) -> None:
    abroad, home = two
    file = put(abroad, "1.mp4", b"first")
    seen = mark(file)
    put(abroad, "1.mp4", b"second, longer")
    with Folder("abroad", abroad) as source, Folder("home", home) as target:
        copy = target.receive(source, "1.mp4", seen)
        assert copy is not None
        assert copy.changed
        assert target.receive(source, "2.mp4", seen) is None
        target.discard(target.incoming("1.mp4"))
    assert list(home.iterdir()) == []


# Files that go.


def take(root: Path, path: str, seen: Mark, digest: str | None = None) -> bool:
    with Folder("abroad", root) as folder:
        return folder.take(path, seen, digest)


def test_an_unchanged_file_goes_and_its_empty_folders_with_it(two: tuple[Path, Path]) -> None:
    abroad, _ = two
    file = put(abroad, "videos/7/film.mp4")
    put(abroad, "videos/8/film.mp4")
    digest = "sha256:" + hashlib.sha256(b"film").hexdigest()
    assert take(abroad, "videos/7/film.mp4", mark(file), digest)
    with Folder("abroad", abroad) as folder:
        folder.prune("videos/7/film.mp4", above=1)
        folder.prune("videos/8/film.mp4", above=1)
    assert sorted(str(p.relative_to(abroad)) for p in abroad.rglob("*")) == [
        "videos", "videos/8", "videos/8/film.mp4"
    ]  # fmt: skip


def test_a_changed_file_keeps_its_name(two: tuple[Path, Path]) -> None:
    abroad, _ = two
    file = put(abroad, "1.mp4", b"first")
    seen = mark(file)
    with file.open("r+b") as opened:  # the same size and time, other bytes
        opened.write(b"FIRST")
    os.utime(file, ns=(seen.changed, seen.changed))
    assert mark(file) == seen
    assert not take(abroad, "1.mp4", seen, "sha256:" + hashlib.sha256(b"first").hexdigest())
    file.write_bytes(b"longer than before")
    assert not take(abroad, "1.mp4", seen)
    assert [p.name for p in abroad.iterdir()] == ["1.mp4"]


def test_a_file_that_somebody_has_open_for_writing_keeps_its_name(tmp_path: Path) -> None:
    file = put(tmp_path, "1.mp4")
    with file.open("ab"):
        assert not take(tmp_path, "1.mp4", mark(file))
    with file.open("rb"):  # reading hurts nobody
        assert take(tmp_path, "1.mp4", mark(file))
    assert list(tmp_path.iterdir()) == []


def test_what_a_kill_left_without_a_name_goes_or_gets_it_back(tmp_path: Path) -> None:
    for number, (go, rewritten) in enumerate([(True, False), (False, False), (True, True)]):
        file = put(tmp_path, f"{number}.mp4")
        seen = mark(file)
        with Folder("abroad", tmp_path) as folder:
            file.rename(tmp_path / folder.leaving(file.name))
            if rewritten:  # whoever had it open wrote on
                put(tmp_path, folder.leaving(file.name), b"written later")
            folder.finish_taking(file.name, seen, None, go=go)
            folder.finish_taking(file.name, seen, None, go=go)
        assert file.exists() == (not go or rewritten)
    assert not list(tmp_path.glob(f"{LEAVING}*"))


def test_a_name_that_was_taken_meanwhile_loses_nothing(tmp_path: Path) -> None:
    file = put(tmp_path, "1.mp4", b"old")
    with Folder("abroad", tmp_path) as folder:
        seen = mark(file)
        file.rename(tmp_path / folder.leaving("1.mp4"))
        put(tmp_path, "1.mp4", b"new")
        folder.finish_taking("1.mp4", seen, None, go=False)
    assert sorted(p.read_bytes() for p in tmp_path.iterdir()) == [b"new", b"old"]


# Ways out of the folder.


@pytest.mark.parametrize(
    "path",
    ["../out.mp4", "a/../../out.mp4", "/etc/hostname", "a//b", "./a", "a/.", "", "..", "a/.."],
)
def test_a_path_that_leads_out_is_refused(two: tuple[Path, Path], path: str) -> None:
    abroad, home = two
    put(abroad.parent, "out.mp4", b"outside")
    (abroad / "a").mkdir()
    with Folder("abroad", abroad) as source, Folder("home", home) as target:
        for attempt in (
            lambda: source.mark(path),
            lambda: source.digest(path),
            lambda: source.take(path, mark(abroad.parent / "out.mp4"), None),
            lambda: target.receive(source, path, mark(abroad.parent / "out.mp4")),
        ):
            with pytest.raises(StoreRefused, match="not one of a file in the folder"):
                attempt()
    assert (abroad.parent / "out.mp4").read_bytes() == b"outside"
    assert list(home.iterdir()) == []


def test_a_folder_exchanged_for_a_link_leads_nowhere(two: tuple[Path, Path]) -> None:
    abroad, home = two
    outside = put(abroad.parent / "outside", "1.mp4", b"outside")
    put(abroad, "videos/1.mp4", b"film")
    seen = mark(outside)
    (abroad / "videos/1.mp4").unlink()
    (abroad / "videos").rmdir()
    (abroad / "videos").symlink_to(outside.parent)
    (home / "videos").symlink_to(outside.parent)
    put(abroad, "2.mp4")
    with Folder("abroad", abroad) as source, Folder("home", home) as target:
        assert source.mark("videos/1.mp4") is None
        assert source.take("videos/1.mp4", seen, None)  # there is none of that name
        assert target.receive(source, "videos/1.mp4", seen) is None
        (abroad / "videos").unlink()
        put(abroad, "videos/1.mp4")
        with pytest.raises(StoreRefused, match="Not a directory"):
            target.receive(source, "videos/1.mp4", seen)
        (abroad / "2.mp4").unlink()
        (abroad / "2.mp4").symlink_to(outside)
        assert source.mark("2.mp4") is None
        assert target.receive(source, "2.mp4", seen) is None
    assert outside.read_bytes() == b"outside"


def test_errors_do_not_repeat_names(two: tuple[Path, Path]) -> None:
    abroad, _ = two
    with Folder("abroad", abroad) as source, pytest.raises(StoreRefused) as refused:
        source.mark("amy@example.org" + "x" * 300)
    assert "amy" not in str(refused.value)


@settings(max_examples=40, deadline=None)
@given(
    names=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=12)
        .filter(lambda name: name not in (".", "..") and not name.startswith(".domicile-tmp-")),
        min_size=1, max_size=4,
    ),
    content=st.binary(max_size=200),
)  # fmt: skip
def test_any_name_goes_home_and_nowhere_else(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], content: bytes
) -> None:
    root = tmp_path_factory.mktemp("any")
    abroad, home = root / "abroad", root / "home"
    home.mkdir()
    path = "/".join(names)
    put(abroad, path, content)
    found, _ = listed(abroad)
    assert list(found) == [path]
    assert carry(abroad, home, path)
    assert take(abroad, path, found[path])
    assert set(listed(home)[0]) == {path}
    assert listed(abroad)[0] == {}
    assert (home / path).read_bytes() == content
