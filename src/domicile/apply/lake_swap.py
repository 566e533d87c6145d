"""One file of a lake swapped for what stays of it, and what a killed run left of such swaps."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

from domicile.apply.context import Run
from domicile.apply.lake_file import Split, Task, write_empty
from domicile.durable.files import sync
from domicile.errors import StoreRefused
from domicile.estate.model import Estate
from domicile.stores.parquet import root_of
from domicile.stores.parquet_files import ENDING, LakeFile, Mark, unfinished
from domicile.survey.lake_journal import LakeJournal, Swap

NOWHERE = "__HIVE_DEFAULT_PARTITION__"
"""Hive's name for the partition of rows without a value."""


@dataclass(frozen=True)
class Work:
    """One file, its task, and how many of its rows go."""

    table: str
    file: LakeFile
    task: Task
    going: int


@dataclass(frozen=True)
class Place:
    """A lake by its name in the estate and its folder."""

    name: str
    root: Path


@contextmanager
def on_disk(store: str) -> Iterator[None]:
    """What the file system says, as an error of ours: a folder that may not be written, a full
    disk, a file that others removed."""
    try:
        yield
    except OSError as error:
        raise StoreRefused(
            store, f"a file could not be written or removed: {error.strerror or 'no reason given'}",
            hint="nothing was lost; mend that and run the same command again",
        ) from error  # fmt: skip


def swap_file(
    run: Run, journal: LakeJournal, source: Place, home: Place | None, work: Work, done: Split,
    name: str, *, last: bool, number: int,
) -> bool:  # fmt: skip
    """Journal, name at home, source replaced, log; whether the table has one file less.

    `name`: the table as the estate names it. `last`: its other files are gone. Raises StoreRefused.
    """
    file, task = work.file, work.task
    target, rest = file.path, Path(task.rest)
    stays = done.rest.mark if done.rest else None
    if stays is None and last:
        # The last file of a table keeps its schema, in no partition of anyone's.
        write_empty(source.name, file.relative, file.path, rest)
        target = _unpartitioned(file)
        stays = Mark.of(rest.stat()) if target == file.path else None
    if rest.exists():
        _same_owner(source.name, file, rest)
    final, adopted = _final(source.name, file, task, done)
    swap = Swap(
        source.name, file.relative, home.name if home else "",
        str(final.relative_to(home.root)) if home and final and not adopted else "",
        name, _text(file.mark), _text(done.home.mark) if done.home and not adopted else "",
        _text(stays) if stays else "", work.going, done.home.size if done.home else 0,
        done.home.digest if done.home else "",
    )  # fmt: skip
    journal.note(swap)
    if final is not None:
        if adopted:
            Path(task.home).unlink()
        else:
            Path(task.home).rename(final)
        sync(final.parent)
    if rest.exists():
        make_folder(target.parent, source.root)
        rest.replace(target)
        sync(target.parent)
    fewer = target != file.path or not stays
    if fewer:
        file.path.unlink()
        sync(file.path.parent)
    file.path.with_name(f".{file.path.name}.crc").unlink(missing_ok=True)
    _prune(file.path.parent, source.root / Path(file.relative).parts[0])
    _note(run, swap, number)
    journal.end(swap)
    return fewer and target == file.path


def _final(store: str, file: LakeFile, task: Task, done: Split) -> tuple[Path | None, bool]:
    """The name at home, from the source's name and the rows, and whether it stands already.

    The same rows from the same file are the same work: a run that lost its journal finds it.
    """
    if done.home is None:
        return None, False
    said = hashlib.sha256("\0".join([store, file.relative, done.home.digest]).encode())
    stem = file.path.name.removesuffix(ENDING).encode()[:180].decode(errors="ignore")
    final = Path(task.home).with_name(f"{stem}-{said.hexdigest()[:16]}{ENDING}")
    return final, final.exists()


def settle(run: Run, estate: Estate) -> None:
    """What a killed run left in lakes: done swaps are noted, half-done ones are taken back.

    Raises StoreRefused when somebody else changed a file in between.
    """
    roots = {s.name: root_of(s) for s in estate.stores if s.kind == "file"}
    journal = LakeJournal(run.state)
    for swap in journal.unsettled():
        if swap.store not in roots or (swap.home and swap.home not in roots):
            raise StoreRefused(
                swap.store, f"a move of {swap.source} was cut off, and a store of it is gone",
                hint="declare both stores again, and run the command again",
            )  # fmt: skip
        source = _mark(roots[swap.store] / swap.source)
        placed = roots[swap.home] / swap.placed if swap.placed else None
        there = _mark(placed) if placed else ""
        if source == swap.rest_mark:
            _note(run, swap, 0)
        elif placed and there and (source != swap.seen or there != swap.placed_mark):
            raise StoreRefused(
                swap.store, f"{swap.source} was changed by others while its rows were being moved; "
                f"{swap.placed} in {swap.home} holds {swap.rows} of them",
                hint="see whether they still are at the source: delete that file if so, give it "
                "another name if not; then run the command again",
            )  # fmt: skip
        elif placed and there:
            placed.unlink()
            sync(placed.parent)
        journal.end(swap)
    for root in roots.values():
        for path in unfinished(root) if root.is_dir() else ():
            path.unlink()


def _note(run: Run, swap: Swap, number: int) -> None:
    """The swap in the log."""
    op = "move" if swap.home else "erase"
    run.note(
        "batch", plan=run.digest, run=run.number, operation=op, table=swap.name,
        step=run.step(op, swap.name, swap.store), rows=swap.rows, batch=number,
        from_=swap.store if swap.home else None, to=swap.home or None,
        store=None if swap.home else swap.store, bytes=swap.size if swap.home else None,
        digest=swap.digest or None, read_back=swap.digest or None,
    )  # fmt: skip
    run.flush()


def _unpartitioned(file: LakeFile) -> Path:
    """Where an empty file of this table may stand without naming anyone's partition."""
    if not file.partition:
        return file.path
    folder = file.path.parents[len(Path(file.relative).parts) - 2]
    for name, _ in file.partition:
        folder /= f"{name}={NOWHERE}"
    return folder / f"empty{ENDING}"


def make_folder(folder: Path, root: Path) -> None:
    """A folder below `root`, durable with those above it."""
    if folder.is_dir():
        return
    make_folder(folder.parent, root)
    folder.mkdir(exist_ok=True)
    sync(folder.parent)


def _prune(folder: Path, table: Path) -> None:
    """Remove partition folders that became empty: their names are values of rows that went."""
    while folder != table and table in folder.parents:
        try:
            folder.rmdir()
        except OSError:
            return  # something is in it
        folder = folder.parent
        sync(folder)


def _same_owner(store: str, file: LakeFile, rest: Path) -> None:
    """The application reads the new file as it read the old one."""
    shutil.copymode(file.path, rest)
    old, new = file.path.stat(), rest.stat()
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        try:
            os.chown(rest, old.st_uid, old.st_gid)
        except PermissionError as error:
            raise StoreRefused(
                store, f"{file.relative} belongs to another user or group",
                hint="run the command as the user whose files these are",
            ) from error  # fmt: skip


def _text(mark: Mark) -> str:
    return " ".join(str(n) for n in astuple(mark))


def _mark(path: Path) -> str:
    """A file's mark as text; "" when it is not there."""
    try:
        return _text(Mark.of(path.lstat()))
    except FileNotFoundError:
        return ""
