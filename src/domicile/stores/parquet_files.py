"""A lake's folder as tables of files: which are read, which are none of ours, which are refused.

    lake/events/part-0.parquet                table events
    lake/events/country=NL/part-1.parquet     table events, in a Hive partition
    lake/film.parquet                         table film, of one file

Names that begin with `.` or `_` are marks of other programs (`_SUCCESS`, `.part-0.parquet.crc`)
and are passed over. A folder that a table format keeps (Delta, Iceberg, Hudi) is refused by name:
its old versions and its statistics would keep what leaves the live files.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from domicile.errors import StoreRefused, StoreUnreachable

ENDING = ".parquet"

OURS = ".domicile-tmp-"
"""How our unfinished files begin; no reader of lakes looks at names with a leading dot."""

_FORMATS = {"_delta_log": "Delta Lake", ".hoodie": "Apache Hudi", "metadata": "Apache Iceberg"}
"""Folder inside a table → the table format that keeps it."""


@dataclass(frozen=True, order=True)
class Mark:
    """What tells whether a file is still the one that was looked at."""

    size: int
    changed: int  # nanoseconds, as the file system says
    inode: int

    @classmethod
    def of(cls, found: os.stat_result) -> Mark:
        """The mark of a file."""
        return cls(found.st_size, found.st_mtime_ns, found.st_ino)


@dataclass(frozen=True, order=True)
class LakeFile:
    """One Parquet file of a table. `relative` starts at the lake's folder."""

    relative: str
    path: Path
    mark: Mark
    links: int = 1  # names that the file system knows it by

    def unchanged(self) -> bool:
        """Whether the file is still there and is the same; false when in doubt."""
        try:
            return Mark.of(self.path.lstat()) == self.mark
        except OSError:
            return False

    @property
    def partition(self) -> tuple[tuple[str, str | None], ...]:
        """The Hive partition columns that its folders name, with their values."""
        found: list[tuple[str, str | None]] = []
        for part in Path(self.relative).parts[1:-1]:
            name, equals, value = part.partition("=")
            if equals and name:
                empty = value == "__HIVE_DEFAULT_PARTITION__"
                found.append((unquote(name), None if empty else unquote(value)))
        return tuple(found)


def tables_of(store: str, root: Path) -> dict[str, tuple[LakeFile, ...]]:
    """Table → its files, sorted by name; a folder without files is no table yet.

    Raises StoreUnreachable when the folder is not there, StoreRefused naming what cannot be read.
    """
    tables: dict[str, tuple[LakeFile, ...]] = {}
    for entry in _listed(store, root, root):
        if entry.name[:1] in "._":
            if entry.name in _FORMATS:
                raise _format(store, entry.name, root.name)
            continue
        if entry.is_dir(follow_symlinks=False):
            name, files = entry.name, tuple(sorted(_walk(store, root, Path(entry.path))))
        else:
            name, files = entry.name.removesuffix(ENDING), (_file(store, root, entry),)
        if name in tables and files:
            raise StoreRefused(
                store, f"got both a folder {name} and a file {name}{ENDING}, expected one of them",
                hint="a table is a folder of Parquet files, or one file: move one of the two",
            )  # fmt: skip
        if files:
            tables[name] = files
    return dict(sorted(tables.items()))


def unfinished(root: Path) -> list[Path]:
    """Files of ours that a killed run left."""
    return sorted(p for p in root.rglob(OURS + "*") if p.is_file() and not p.is_symlink())


def _walk(store: str, root: Path, folder: Path) -> Iterator[LakeFile]:
    for entry in _listed(store, root, folder):
        if entry.is_dir(follow_symlinks=False):
            inside = Path(entry.path)
            if entry.name in _FORMATS and (
                entry.name[0] in "._" or any(inside.glob("*.metadata.json"))
            ):
                raise _format(store, entry.name, str(folder.relative_to(root)))
            if entry.name[:1] not in "._":
                yield from _walk(store, root, inside)
        elif entry.name == "_metadata":
            raise StoreRefused(
                store, f"{folder.relative_to(root)} holds _metadata, the statistics of all files",
                hint="delete that file, which readers do without, and run the command again",
            )  # fmt: skip
        elif entry.name[:1] not in "._":
            yield _file(store, root, entry)


def _file(store: str, root: Path, entry: os.DirEntry[str]) -> LakeFile:
    path = Path(entry.path)
    relative = str(path.relative_to(root))
    found = entry.stat(follow_symlinks=False)
    if stat.S_ISLNK(found.st_mode):
        raise StoreRefused(
            store, f"got a symbolic link {relative}, expected a file or folder of its own",
            hint="what a link leads to would stay when the link is replaced: declare that place",
        )  # fmt: skip
    if not entry.name.endswith(ENDING) or not stat.S_ISREG(found.st_mode):
        raise StoreRefused(
            store, f"got {relative}, expected names that end in {ENDING}",
            hint="move it out of the lake, or begin its name with a dot or underscore",
        )  # fmt: skip
    return LakeFile(relative, path, Mark.of(found), found.st_nlink)


def _listed(store: str, root: Path, folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda e: e.name)
    except OSError as error:
        at = folder.relative_to(root) if folder != root else folder
        raise StoreUnreachable(
            store, f"the folder {at} cannot be read: {error.strerror}",
            hint="a lake's url is the folder in which each table is a folder: file:///path",
        ) from error  # fmt: skip


def _format(store: str, folder: str, table: str) -> StoreRefused:
    return StoreRefused(
        store, f"{table} holds {folder}: a table of {_FORMATS[folder]}, which is not supported yet",
        hint="deleting there is not erasing: old versions and statistics keep the values. "
        "Export it to plain Parquet, or leave it out of the estate",
    )  # fmt: skip
