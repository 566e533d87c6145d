"""What every kind of folder of files must do: a suite for pytest, as `conformance` is for rows.

A new kind brings a `FilesBench` and one class:

    class TestMine(FilesConformance):
        @pytest.fixture
        def bench(self, tmp_path): return MyBench(tmp_path)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from domicile.errors import StoreError, StoreRefused, StoreUnreachable
from domicile.stores.files import FilesStore
from domicile.stores.parquet_files import Mark

FILES: dict[str, bytes] = {
    "a": b"",
    "videos/1.mp4": b"film 1",
    "videos/deep/er/2.mp4": bytes(range(256)) * 9_000,
    'odd/it\'s "so"; é ☃ 𝄞 %2e.mp4': b"odd",
    "odd/ leading and trailing ": b"blank",
}
"""Paths and contents that every kind keeps as they are."""

OUTSIDE = ("", ".", "..", "/a", "a/", "a//b", "./a", "a/../b", "../a", "a/..")
"""Names that are no path below a folder."""


class FilesBench(Protocol):
    """What a kind of folder brings to the suite."""

    def make(self, files: Mapping[str, bytes]) -> FilesStore:
        """A new folder that holds exactly these."""
        ...

    def write(self, store: FilesStore, path: str, content: bytes) -> None:
        """Write a file as the application would."""
        ...

    def read(self, store: FilesStore) -> dict[str, bytes]:
        """Everything in the folder, unfinished files of ours included."""
        ...

    def unreachable(self) -> Sequence[FilesStore]:
        """Folders whose URL leads nowhere."""
        ...


class FilesConformance:
    """The suite. A subclass gives a fixture `bench`."""

    def test_capabilities_are_stated(self, bench: FilesBench) -> None:
        stated = bench.make({}).capabilities
        assert stated.write
        assert not stated.transactions
        assert not stated.foreign_keys

    def test_every_file_is_listed_by_its_path(self, bench: FilesBench) -> None:
        store = bench.make(FILES)
        found = marks(store)
        assert {path: mark.size for path, mark in found.items()} == {
            path: len(content) for path, content in FILES.items()
        }
        assert marks(store) == found
        assert marks(bench.make({})) == {}

    def test_a_mark_tells_that_a_file_was_written(self, bench: FilesBench) -> None:
        store = bench.make(FILES)
        before = marks(store)
        bench.write(store, "videos/1.mp4", b"another film")
        after = marks(store)
        assert {path for path in FILES if before[path] != after[path]} == {"videos/1.mp4"}

    def test_places_tell_folders_apart(self, bench: FilesBench) -> None:
        one, other = bench.make(FILES), bench.make(FILES)
        assert one.place() == one.place()
        assert one.place() != other.place()

    def test_what_leads_nowhere_is_one_clear_error(self, bench: FilesBench) -> None:
        for store in bench.unreachable():
            assert isinstance(_fails(store.open), StoreUnreachable)
            assert isinstance(_fails(store.place), StoreUnreachable)

    def test_files_are_carried_whole_and_told_by_their_digest(self, bench: FilesBench) -> None:
        source, home = bench.make(FILES), bench.make({})
        found = marks(source)
        with source.open() as here, home.open() as there:
            for path, content in FILES.items():
                copy = there.receive(here, path, found[path])
                assert copy is not None
                assert copy.digest == "sha256:" + hashlib.sha256(content).hexdigest()
                assert (copy.size, copy.changed) == (len(content), False)
                assert there.mark(path) is None  # until it is given its name
                assert there.settle(path, copy.mark)
                assert there.digest(path) == (copy.digest, there.mark(path))
        assert bench.read(home) == FILES
        assert bench.read(source) == FILES

    def test_nothing_of_others_is_overwritten(self, bench: FilesBench) -> None:
        source, home = bench.make({"1": b"ours"}), bench.make({"1": b"theirs"})
        with source.open() as here, home.open() as there:
            copy = there.receive(here, "1", marks(source)["1"])
            assert copy is not None
            assert not there.settle("1", copy.mark)
        assert bench.read(home) == {"1": b"theirs"}

    def test_our_own_older_copy_is_replaced(self, bench: FilesBench) -> None:
        source, home = bench.make({"1": b"newer"}), bench.make({"1": b"older"})
        older = marks(home)["1"]
        with source.open() as here, home.open() as there:
            copy = there.receive(here, "1", marks(source)["1"])
            assert copy is not None
            assert there.settle("1", copy.mark, older)
        assert bench.read(home) == {"1": b"newer"}

    def test_only_what_is_as_it_was_goes(self, bench: FilesBench) -> None:
        store = bench.make({"same": b"x", "written": b"x", "other": b"x"})
        before = marks(store)
        digest = "sha256:" + hashlib.sha256(b"x").hexdigest()
        bench.write(store, "written", b"longer")
        with store.open() as folder:
            assert folder.take("same", before["same"], digest)
            assert not folder.take("written", before["written"], digest)
            assert not folder.take("other", before["other"], digest.replace(digest[-1], "g"))
            assert folder.take("none", before["same"], digest)  # it is gone
        assert bench.read(store) == {"written": b"longer", "other": b"x"}

    def test_names_that_are_no_path_lead_nowhere(self, bench: FilesBench) -> None:
        store = bench.make({"a": b"x"})
        mark = marks(store)["a"]
        with store.open() as folder:
            for path in OUTSIDE:
                for attempt in (
                    lambda path=path: folder.mark(path),
                    lambda path=path: folder.digest(path),
                    lambda path=path: folder.take(path, mark, None),
                    lambda path=path: folder.receive(folder, path, mark),
                ):
                    assert isinstance(_fails(attempt), StoreRefused)
        assert bench.read(store) == {"a": b"x"}

    def test_what_it_keeps_is_named_with_what_removes_it(self, bench: FilesBench) -> None:
        said = bench.make({}).residues()
        assert said
        assert all(what and until for what, until in said)


def marks(store: FilesStore) -> dict[str, Mark]:
    """Path → mark of every file."""
    with store.open() as folder:
        return {found.path: found.mark for found in store.listing(folder)}


def _fails(attempt: Callable[[], object]) -> StoreError | None:
    try:
        attempt()
    except StoreError as error:
        return error
    return None
