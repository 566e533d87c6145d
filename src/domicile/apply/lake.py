"""One action carried out in a lake: file by file, both sides written, verified, then swapped.

For each file with rows that go: the rows that go and the rows that stay are written under
temporary names, made durable and read back; the journal notes the swap; the first gets its name
at home; then the second takes the source's place in one rename. A kill before that rename leaves
the source whole, and `settle` takes the file at home away again; a kill after it leaves the swap
done. So a row is always in at least one store, and in the end in exactly one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from domicile.apply.context import Run
from domicile.apply.lake_fates import GOES, STAYS, Fates, fates_of
from domicile.apply.lake_file import WORKERS, Split, Task, split, write_empty
from domicile.apply.lake_swap import NOWHERE, Place, Work, make_folder, on_disk, swap_file
from domicile.durable.files import sync
from domicile.errors import FidelityError, StoreRefused
from domicile.plan.actions import Action
from domicile.plan.planner import Outcome
from domicile.stores.parquet_files import ENDING, OURS, LakeFile
from domicile.stores.parquet_reflect import differing, shapes
from domicile.stores.parquet_session import ParquetSession
from domicile.survey.lake_journal import LakeJournal

UNDER_WAY = WORKERS + 2
"""Files that are being split: those that are worked on, and those that the disk makes durable."""


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
        with on_disk(self.store):
            self._carry_out()
        return self._done

    def _carry_out(self) -> None:
        for table in sorted(self.closure.going):
            self._fits(table)
            self._live[table] = len(self.source.files[table])
            pending: deque[tuple[Work, Future[Split]]] = deque()
            with ThreadPoolExecutor(UNDER_WAY, "lake") as pool:
                try:
                    for work in self._works(table):
                        pending.append((work, pool.submit(split, work.task)))
                        if len(pending) > UNDER_WAY:
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

    # One file.

    def _works(self, table: str) -> Iterator[Work]:
        for number, fates in fates_of(self.source, self.closure, table):
            file = self.source.files[table][number]
            going = int(np.count_nonzero(fates != STAYS))
            yield Work(table, file, self._task(file, fates), going)

    def _task(self, file: LakeFile, fates: Fates) -> Task:
        temporary = f"{OURS}{self.run.number}-{file.path.name}"
        home = ""
        if self.home is not None and (fates == GOES).any():
            folder = self._folder(file)
            make_folder(folder, self.home.root)
            home = str(folder / temporary)
        return Task(
            self.store, file.relative, str(file.path), file.mark, fates.tobytes(), home,
            str(file.path.with_name(temporary)),
        )  # fmt: skip

    def _folder(self, file: LakeFile) -> Path:
        """Where the rows of a file rest at home: the same folders, below the table's."""
        assert self.home is not None
        relative = Path(file.relative)
        if relative.parent == Path():
            return self.home.root / relative.name.removesuffix(ENDING)
        return self.home.root / relative.parent

    def _finish(self, work: Work, future: Future[Split]) -> None:
        done = future.result()
        if done.changed or not work.file.unchanged():
            self.run.postponed += work.going
            _discard(work.task)
            return
        self._number += 1
        name = str(self.graph.name(work.table))
        home = Place(self.action.home, self.home.root) if self.home else None
        self._live[work.table] -= swap_file(
            self.run, self.journal, Place(self.store, self.source.root), home, work, done, name,
            last=self._live[work.table] == 1, number=self._number,
        )  # fmt: skip
        self._done[work.table] += work.going
        self.run.progress(f"{'moved' if self.home else 'erased'} {name}", work.going)


def create_schema(source: ParquetSession, home: Path) -> None:
    """An empty file for each table at home, so that its schema is there. Safe to repeat."""
    for files in source.files.values():
        file = files[0]
        folder = home / Path(file.relative).parts[0].removesuffix(ENDING)
        for name, _ in file.partition:
            folder /= f"{name}={NOWHERE}"
        make_folder(folder, home)
        temporary = folder / f"{OURS}schema"
        write_empty(source.name, file.relative, file.path, temporary)
        temporary.replace(folder / f"empty{ENDING}")
        sync(folder)


def _discard(task: Task) -> None:
    for path in (task.home, task.rest):
        if path:
            Path(path).unlink(missing_ok=True)
