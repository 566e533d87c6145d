"""A folder of files that belong to rows elsewhere: videos, photos.

The URL is a lake's; `objects` in the estate tells that its files belong to rows. A file is known
by its path below the folder, with `/` between the parts. Nothing that is named ever leads out of
the folder: paths come from listing it, each part is opened by itself (openat), and no symbolic
link is followed. How files are copied and taken away is in `stores/files_folder.py`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from domicile.errors import DeclarationError, StoreUnreachable
from domicile.estate import model
from domicile.stores.base import Capabilities
from domicile.stores.files_folder import OURS, Folder
from domicile.stores.parquet_files import Mark

CAPABILITIES = Capabilities(
    "files", write=True, transactions=False, foreign_keys=False,
    concurrent_writers=True, live_files=True,
)  # fmt: skip

DEPTH = 64
"""Folders below each other that are entered; each keeps one descriptor open."""


@dataclass(frozen=True)
class Found:
    """One file of a folder."""

    path: str
    mark: Mark


@dataclass
class Listing:
    """Every regular file below a folder, in no order; its counts are right once it was read.

    Each folder is entered by its own descriptor and without following a link, and no list of names
    is kept: memory is flat however many files there are.
    """

    store: str
    folder: Folder
    links: int = 0  # symbolic links: what they lead to is not in this store
    special: int = 0  # sockets, pipes, devices
    odd_names: int = 0  # names that are not UTF-8, which no row can hold
    deep: int = 0  # folders that are deeper than DEPTH
    linked: int = 0  # files that the file system knows by a second name as well
    unfinished: list[str] = field(default_factory=list)  # files of ours that a killed run left

    def __iter__(self) -> Iterator[Found]:
        """Raises StoreUnreachable when a folder cannot be read."""
        yield from self._walk(os.dup(self.folder.root), "", 0)

    def _walk(self, folder: int, prefix: str, depth: int) -> Iterator[Found]:
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    path = prefix + entry.name
                    if entry.is_dir(follow_symlinks=False):
                        yield from self._enter(folder, entry.name, path, depth)
                    elif entry.name.startswith(OURS):
                        self.unfinished.append(path)
                    else:
                        found = self._file(entry, path)
                        if found is not None:
                            yield found
        except OSError as error:
            raise StoreUnreachable(
                self.store, f"a folder in it cannot be read: {error.strerror}",
                hint="the user of this command must be let to read every folder in it",
            ) from error  # fmt: skip
        finally:
            os.close(folder)

    def _enter(self, folder: int, name: str, path: str, depth: int) -> Iterator[Found]:
        if depth == DEPTH:
            self.deep += 1
            return
        with suppress(FileNotFoundError, NotADirectoryError):  # gone, or another thing, by now
            inside = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            yield from self._walk(inside, f"{path}/", depth + 1)

    def _file(self, entry: os.DirEntry[str], path: str) -> Found | None:
        try:
            found = entry.stat(follow_symlinks=False)
        except FileNotFoundError:  # gone since the folder was read
            return None
        if not stat.S_ISREG(found.st_mode):
            if stat.S_ISLNK(found.st_mode):
                self.links += 1
            else:
                self.special += 1
            return None
        try:
            path.encode()
        except UnicodeEncodeError:
            self.odd_names += 1
            return None
        self.linked += found.st_nlink > 1
        return Found(path, Mark.of(found))


class FilesStore:
    """One folder. It holds no rows, so it is no `stores.base.Store`: nothing in it is SQL."""

    capabilities = CAPABILITIES

    def __init__(self, store: model.Store) -> None:
        """Raises DeclarationError when the declaration is not one of a folder."""
        self.name = store.name
        self.declared = store
        if store.schema:
            raise DeclarationError(
                f"store {store.name}: got schema {store.schema!r}, expected none: files have none",
                hint="leave out `schema`",
            )
        self.root = Path(store.url.partition(":")[2].removeprefix("//"))

    def open(self) -> Folder:
        """The folder, to be closed by the caller. Raises StoreUnreachable."""
        return Folder(self.name, self.root)

    def place(self) -> str:
        """Equal for two stores exactly when they are one folder. Raises StoreUnreachable."""
        with self.open() as folder:
            found = os.fstat(folder.root)
        return f"{found.st_dev}:{found.st_ino}"

    def listing(self, folder: Folder) -> Listing:
        """All files of the opened folder, as a stream."""
        return Listing(self.name, folder)

    def residues(self) -> list[tuple[str, str]]:
        """What the disk and others keep of files that were deleted."""
        return list(_KEPT)


_KEPT = (
    ("snapshots of the file system", "go with the file system's own; list and delete them there"),
    ("free blocks of the disk", "overwritten as the disk fills, or by trimming; encrypt it"),
    ("object versions, replicas and backups of the folder",
     "expire by their own retention; delete the versions there"),
    ("caches and delivery networks in front of the files", "purge them there"),
)  # fmt: skip


def open_files(store: model.Store) -> FilesStore:
    """A declared folder of files, opened lazily: nothing is read before it is used."""
    return FilesStore(store)
