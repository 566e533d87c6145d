"""One action carried out in a lake: file by file, both sides written, verified, then swapped.

For each file with rows that go: the rows that go and the rows that stay are written under
temporary names, made durable and read back; the journal notes the swap; the first gets its name
at home; then the second takes the source's place in one rename. A kill before that rename leaves
the source whole, and `settle` takes the file at home away again; a kill after it leaves the swap
done. So a row is always in at least one store, and in the end in exactly one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from domicile.apply.context import Run
from domicile.apply.lake_file import GOES, GONE, Split, Task, split, sync, write_empty
from domicile.errors import FidelityError, StoreRefused
from domicile.estate.model import Estate
from domicile.plan.actions import Action
from domicile.plan.planner import Outcome
from domicile.stores.duckdb_session import translated
from domicile.stores.parquet import root_of
from domicile.stores.parquet_files import ENDING, OURS, LakeFile, Mark, unfinished
from domicile.stores.parquet_reflect import differing, shapes
from domicile.stores.parquet_session import FILE_BITS, ParquetSession
from domicile.survey.lake_journal import LakeJournal, Swap

WORKERS = 2
"""Files split at the same time; each needs memory for its row groups."""

NOWHERE = "__HIVE_DEFAULT_PARTITION__"
"""Hive's name for the partition of rows without a value."""


@dataclass(frozen=True)
class _Work:
    """One file, its task, and how many of its rows go."""

    table: str
    file: LakeFile
    task: Task
    going: int


class LakeMove:
    """Carries out one action of one lake. `home` is None for an erasure."""

    def __init__(
        self, run: Run, outcome: Outcome, action: Action, source: ParquetSession,
        home: ParquetSession | None,
    ) -> None:  # fmt: skip
        self.run = run
        self.closure = outcome.closures[action]
        self.graph = outcome.cell.graph
        self.store = outcome.cell.name
        self.action = action
        self.source = source
        self.home = home
        self.journal = LakeJournal(run.state)
        self._number = 0
        self._live: dict[str, int] = {}  # table → files that it has
        self._done = dict.fromkeys(self.closure.going, 0)

    def carry_out(self) -> dict[str, int]:
        """Swap every file with rows that go; table → rows that went.

        Raises StoreError; what was done stays done.
        """
        for table in sorted(self.closure.going):
            self._fits(table)
            self._live[table] = len(self.source.files[table])
            pending: deque[tuple[_Work, Future[Split]]] = deque()
            with ThreadPoolExecutor(WORKERS, "lake") as pool:
                try:
                    for work in self._works(table):
                        pending.append((work, pool.submit(split, work.task)))
                        if len(pending) > WORKERS:
                            self._finish(*pending[0])
                            pending.popleft()
                    while pending:
                        self._finish(*pending[0])
                        pending.popleft()
                finally:
                    for work, future in pending:
                        if not future.cancel():
                            future.exception()  # wait: it may be writing what is discarded
                        _discard(work.task)
        return self._done

    def _fits(self, table: str) -> None:
        """The home's files of this table have the same schema. Raises FidelityError."""
        if self.home is None or table not in self.home.files:
            return
        mine, theirs = (shapes(s.footers.of(s.files[table][0])) for s in (self.source, self.home))
        said = differing(mine, theirs, nulls=False)
        if said:
            raise FidelityError(
                self.action.home,
                f"{self.graph.name(table)} has another schema than in {self.store}: {said}",
                hint="nothing was changed; bring the two to one schema and plan again",
            )  # fmt: skip
        if any("/" not in f.relative for f in self.home.files[table]):
            raise StoreRefused(
                self.action.home, f"{table} is one file, expected a folder of files to add to",
                hint=f"make a folder {table} and move the file into it",
            )  # fmt: skip

    # Which rows of which file.

    def _works(self, table: str) -> Iterator[_Work]:
        files = self.source.files[table]
        present = self._ids(table, self.closure.present[table]) if (
            table in self.closure.present
        ) else iter(())  # fmt: skip
        known = next(present, None)
        for number, rows in self._ids(table, self.closure.going[table]):
            file = files[number]
            fates = _fates(rows, self.source.footers.of(file).num_rows, GOES)
            while known is not None and known[0] < number:
                known = next(present, None)
            gone = 0
            if known is not None and known[0] == number:
                there = _fates(known[1], len(fates), GONE)
                gone = len(known[1])
                fates = pc.max_element_wise(fates, there)
            yield _Work(table, file, self._task(file, fates, len(rows) > gone), len(rows))

    def _task(self, file: LakeFile, fates: pa.Array, goes: bool) -> Task:
        temporary = f"{OURS}{self.run.number}-{file.path.name}"
        home = ""
        if self.home is not None and goes:
            folder = self._folder(file)
            _make(folder, self.home.root)
            home = str(folder / temporary)
        return Task(
            self.store, file.relative, str(file.path), file.mark,
            fates.buffers()[1].to_pybytes()[: len(fates)], home,
            str(file.path.with_name(temporary)),
        )  # fmt: skip

    def _folder(self, file: LakeFile) -> Path:
        """Where the rows of a file rest at home: the same folders, below the table's."""
        assert self.home is not None
        relative = Path(file.relative)
        if relative.parent == Path():
            return self.home.root / relative.name.removesuffix(ENDING)
        return self.home.root / relative.parent

    def _ids(self, table: str, rows: str) -> Iterator[tuple[int, pa.Array]]:
        """File number and row numbers in it, in the order of the files."""
        shapes_of = self.closure.shapes
        keyed = bool(shapes_of.identity(table))
        select = f"SELECT k1 AS id FROM {rows}"
        if keyed:
            d = self.source.dialect
            row = d.row_id(self.graph.table(table), "t")
            select = (
                f"SELECT DISTINCT {row} AS id FROM {d.table(table)} t "
                f"JOIN {rows} g ON {shapes_of.same(table, 't', 'g')}"
            )
        if keyed and self.closure.work.count(f"({select}) i") != self.closure.work.count(rows):
            raise StoreRefused(
                self.store, f"several rows of {self.graph.name(table)} have the same key",
                hint="nothing was changed; name columns in `key` that tell the rows apart",
            )  # fmt: skip
        with translated(self.store):
            reader = self.source.connection.sql(f"{select} ORDER BY id").to_arrow_reader(1_000_000)
        kept: list[pa.Array] = []
        number = -1
        for batch in reader:
            ids = batch.column(0)
            files = pc.shift_right(ids, FILE_BITS)
            while len(ids):
                first = files[0].as_py()
                same = pc.sum(pc.equal(files, first)).as_py()
                if first != number and kept:
                    yield number, pa.concat_arrays(kept)
                    kept = []
                number = first
                kept.append(pc.bit_wise_and(ids.slice(0, same), (1 << FILE_BITS) - 1))
                ids, files = ids.slice(same), files.slice(same)
        if kept:
            yield number, pa.concat_arrays(kept)

    # One file's end.

    def _finish(self, work: _Work, future: Future[Split]) -> None:
        done = future.result()
        if done.changed or not work.file.unchanged():
            self.run.postponed += work.going
            _discard(work.task)
            return
        self._number += 1
        swap = self._swap(work, done)
        self._note(swap)
        self.journal.end(swap)
        self._done[work.table] += work.going
        self.run.progress(f"{'moved' if self.home else 'erased'} {swap.name}", work.going)

    def _swap(self, work: _Work, done: Split) -> Swap:
        """Journal, name at home, source replaced."""
        file, task = work.file, work.task
        target, rest = file.path, Path(task.rest)
        stays = done.rest.mark if done.rest else None
        if stays is None and self._live[work.table] == 1:
            # The last file of a table keeps its schema, in no partition of anyone's.
            write_empty(self.store, file.relative, file.path, rest)
            target = _unpartitioned(file)
            stays = Mark.of(rest.stat()) if target == file.path else None
        if rest.exists():
            _same_owner(self.store, file, rest)
        final, adopted = self._final(file, task, done)
        swap = Swap(
            self.store, file.relative, self.action.home,
            str(final.relative_to(self.home.root)) if self.home and final and not adopted else "",
            str(self.graph.name(work.table)), _text(file.mark),
            _text(done.home.mark) if done.home and not adopted else "",
            _text(stays) if stays else "", work.going, done.home.size if done.home else 0,
            done.home.digest if done.home else "",
        )  # fmt: skip
        self.journal.note(swap)
        if final is not None:
            if adopted:
                Path(task.home).unlink()
            else:
                Path(task.home).rename(final)
            sync(final.parent)
        if rest.exists():
            _make(target.parent, self.source.root)
            rest.replace(target)
            sync(target.parent)
        if target != file.path or not stays:
            file.path.unlink()
            self._live[work.table] -= target == file.path
            sync(file.path.parent)
        file.path.with_name(f".{file.path.name}.crc").unlink(missing_ok=True)
        _prune(file.path.parent, self.source.root / Path(file.relative).parts[0])
        return swap

    def _final(self, file: LakeFile, task: Task, done: Split) -> tuple[Path | None, bool]:
        """The name at home, from the source's name and the rows, and whether it stands already.

        The same rows from the same file are the same work: a run that lost its journal finds it.
        """
        if done.home is None:
            return None, False
        said = hashlib.sha256("\0".join([self.store, file.relative, done.home.digest]).encode())
        stem = file.path.name.removesuffix(ENDING).encode()[:180].decode(errors="ignore")
        final = Path(task.home).with_name(f"{stem}-{said.hexdigest()[:16]}{ENDING}")
        return final, final.exists()

    def _note(self, swap: Swap) -> None:
        note_swap(self.run, swap, self._number)


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
            note_swap(run, swap, 0)
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


def note_swap(run: Run, swap: Swap, number: int) -> None:
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


def create_schema(source: ParquetSession, home: Path) -> None:
    """An empty file for each table at home, so that its schema is there. Safe to repeat."""
    for files in source.files.values():
        file = files[0]
        folder = home / Path(file.relative).parts[0].removesuffix(ENDING)
        for name, _ in file.partition:
            folder /= f"{name}={NOWHERE}"
        _make(folder, home)
        temporary = folder / f"{OURS}schema"
        write_empty(source.name, file.relative, file.path, temporary)
        temporary.replace(folder / f"empty{ENDING}")
        sync(folder)


def _fates(rows: pa.Array, count: int, fate: int) -> pa.Array:
    """One byte for each row of a file: `fate` for those listed, else 0."""
    options = pc.InversePermutationOptions(max_index=count - 1, output_type=pa.int64())
    listed = pc.is_valid(pc.inverse_permutation(rows, options=options))
    return pc.if_else(listed, pa.scalar(fate, pa.uint8()), pa.scalar(0, pa.uint8()))


def _unpartitioned(file: LakeFile) -> Path:
    """Where an empty file of this table may stand without naming anyone's partition."""
    if not file.partition:
        return file.path
    folder = file.path.parents[len(Path(file.relative).parts) - 2]
    for name, _ in file.partition:
        folder /= f"{name}={NOWHERE}"
    return folder / f"empty{ENDING}"


def _make(folder: Path, root: Path) -> None:
    """A folder below `root`, durable with those above it."""
    if folder.is_dir():
        return
    _make(folder.parent, root)
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


def _discard(task: Task) -> None:
    for path in (task.home, task.rest):
        if path:
            Path(path).unlink(missing_ok=True)


def _text(mark: Mark) -> str:
    return " ".join(str(n) for n in astuple(mark))


def _mark(path: Path) -> str:
    """A file's mark as text; "" when it is not there."""
    try:
        return _text(Mark.of(path.lstat()))
    except FileNotFoundError:
        return ""
