"""Files carried home: copied before their rows go, deleted at the source after their rows went.

    copied    under a temporary name, durable, read back, named; noted before it gets its name
    (rows)    copied home, and deleted at the source, by `apply/move.py`
    removed   in the next round, which finds the rows at home: only what is as it was when it was
              copied, by size, time and digest

So at no moment is a row at home without its file, and a file is always in a folder under its name,
but for the instant in which it goes while its copy stands at home. A file that is rewritten
meanwhile is postponed, and copied anew. What is to be erased is noted before its rows go, because
nothing names it afterwards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from domicile.apply.context import Run
from domicile.errors import StoreRefused
from domicile.estate.model import Estate
from domicile.plan.objects import DOUBT, GO, ORPHAN, OURS, SAME, STAY, FilePlan
from domicile.stores.files_folder import INCOMING, Folder
from domicile.stores.parquet_files import Mark
from domicile.survey.objects import fixed_depth
from domicile.survey.objects_index import Listed
from domicile.survey.objects_journal import Entry, ObjectsJournal, Stage

T = TypeVar("T")

BATCH_FILES, BATCH_BYTES = 256, 256 << 20
"""A batch is noted and logged as one; this many files, or bytes, are redone at most."""

WORKERS = 8
"""Files at work at the same time: most of it is waiting for the disk. Each needs a megabyte."""

NEVER = Mark(-1, -1, -1)
"""The mark of no file: what was copied is not what stands at the source."""


class ObjectMove:
    """Carries out what is planned for files, round by round."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.journal = ObjectsJournal(run.state)
        self.done: dict[tuple[str, str, str], list[int]] = {}  # store, home, table → files, bytes
        self._number = 0
        self.found_busy: set[tuple[str, str]] = set()
        """Files (store, path) that could not be copied this round, and whose rows would go."""

    def busy(self) -> set[tuple[str, str]]:
        """What the round that begins is to leave alone: it was found busy by the one before."""
        found, self.found_busy = self.found_busy, set()
        self.run.postponed += len(found)
        return found

    def carry_out(self, plan: FilePlan) -> None:
        """Copy what goes, remove what nothing waits for. Sets `run.again` where rows go first.

        Raises StoreError; what was done is in the journal.
        """
        for listing, folder in zip(plan.objects.listings, plan.objects.folders, strict=True):
            for path in listing.unfinished:
                if path.rpartition("/")[2].startswith(INCOMING):
                    folder.discard(path)
        for number in plan.labels:
            self._renew_erasures(plan, number)
            self._take_back(plan, number)
            for rule, home in plan.index.all(
                "SELECT DISTINCT rule, home FROM file WHERE store = ? AND fate = ? ORDER BY 1, 2",
                (number, GO),
            ):
                part = _Part(self, plan, number, rule, home)
                before = self.done.get(part.key, [0, 0])[0]
                part.carry_out()
                removed = self.done.get(part.key, [0, 0])[0] - before
                if removed:
                    part.said("step", removed, outcome="done")
                    self.run.flush()
        if plan.index.all("SELECT 1 FROM file WHERE fate = ? AND waits LIMIT 1", (GO,)):
            self.run.again = True

    def document(self) -> list[dict[str, Any]]:
        """What was removed at the sources, after it was carried home or to be erased."""
        return [
            {"store": s, "to": h or None, "table": t, "files": n, "bytes": b}
            for (s, h, t), (n, b) in sorted(self.done.items())
        ]

    def batch(self) -> int:
        """The number of the next batch."""
        self._number += 1
        return self._number

    def _renew_erasures(self, plan: FilePlan, number: int) -> None:
        """Forget what was to be erased and is named by a row, or is another file by now: it is
        decided anew."""
        store = plan.objects.stores[number].name
        stale = []
        for entry in self.journal.at("erase", store):
            named = plan.index.all(
                "SELECT 1 FROM file f JOIN hit h ON h.n = f.n WHERE f.store = ? AND f.path = ?",
                (number, entry.path),
            )
            file = plan.index.find(number, entry.path)
            if named or file is None or file.mark != entry.seen:
                stale.append(entry.path)
        if stale:
            self.journal.forget(store, stale)

    def _take_back(self, plan: FilePlan, number: int) -> None:
        """Copies at home of files that are not to go any more, while they are as we wrote them."""
        store = plan.objects.stores[number].name
        for entry in self.journal.at("copied", store):
            mine = plan.index.all(
                "SELECT fate FROM file WHERE store = ? AND path = ?", (number, entry.path)
            )
            home = plan.objects.number(entry.home)
            theirs = plan.index.all(
                "SELECT fate FROM file WHERE store = ? AND path = ?", (home, entry.path)
            )
            stays = bool(mine) and mine[0][0] in (STAY, DOUBT)
            # The application deleted it with its row.
            gone = not mine and bool(theirs) and theirs[0][0] == ORPHAN
            if (stays or gone) and entry.placed is not None:
                plan.objects.folders[home].take(entry.path, entry.placed, entry.digest)
            if stays or not mine:
                self.journal.forget(store, [entry.path])


class _Part:
    """The going files of one folder and one rule, with one home; `home` is "" for an erasure."""

    def __init__(
        self, move: ObjectMove, plan: FilePlan, number: int, rule: int | None, home: str
    ) -> None:
        self.move = move
        self.run = move.run
        self.journal = move.journal
        self.plan = plan
        self.number = number
        self.rule = rule
        self.store = plan.objects.stores[number].name
        self.home = home
        self.table = plan.objects.holds if rule is None else str(plan.objects.rules[rule].table)
        self.above = 0 if rule is None else fixed_depth(plan.objects.rules[rule])
        self.source = plan.objects.folders[number]
        self.target = plan.objects.folders[plan.objects.number(home)] if home else None

    @property
    def key(self) -> tuple[str, str, str]:
        """What is counted together."""
        return (self.store, self.home, self.table)

    def carry_out(self) -> None:
        for batch in self._batches("stands <> ?", SAME):
            if self.target is not None:
                self._copy(self.target, batch)
        for batch in self._batches("stands = ?", SAME):
            if self.target is not None:
                self._adopt(self.target, batch)
        if self.target is None:
            for batch in self._batches("waits = ?", 1):
                self.journal.note([self._entry(f, "erase", None, "") for f in batch])
        for batch in self._batches("waits = ?", 0):
            self._remove(batch)

    def _batches(self, where: str, value: str | int) -> Iterator[list[Listed]]:
        batch: list[Listed] = []
        size = 0
        for file in self.plan.index.files(
            f"store = ? AND fate = ? AND home = ? AND rule IS ? AND {where}",
            (self.number, GO, self.home, self.rule, value),
        ):
            batch.append(file)
            size += file.mark.size
            if len(batch) == BATCH_FILES or size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    # Home.

    def _copy(self, target: Folder, batch: Sequence[Listed]) -> None:
        """Copy, note, name, say, note: a kill anywhere is told by what was noted last."""
        replaced = {e.path: e for f in batch if (e := self._ours(f)) is not None}
        received = _each(lambda f: target.receive(self.source, f.path, f.mark), batch)
        entries = []
        for file, copy in zip(batch, received, strict=True):
            if copy is None or copy.changed:
                self._postpone(target, file)
                continue
            older = replaced.get(file.path)
            entries.append(
                replace(
                    self._entry(file, "naming", copy.mark, copy.digest),
                    before=older.placed if older else None,
                )
            )
        self.journal.note(entries)
        settled = _each(lambda e: target.settle(e.path, e.placed, e.before), entries)
        for entry, stands in zip(entries, settled, strict=True):
            if not stands:  # somebody else's file is there by now: the next round compares the two
                self._busy(entry.path)
                self.journal.forget(self.store, [entry.path])
        self._copied([e for e, stands in zip(entries, settled, strict=True) if stands])

    def _ours(self, file: Listed) -> Entry | None:
        stands = self.plan.index.all("SELECT stands FROM file WHERE n = ?", (file.number,))[0][0]
        return self.journal.find(self.store, file.path) if stands == OURS else None

    def _postpone(self, target: Folder, file: Listed) -> None:
        """It changed under way, or is gone: the next round looks again."""
        self._busy(file.path)
        target.discard(target.incoming(file.path))

    def _busy(self, path: str) -> None:
        waits = "SELECT waits FROM file WHERE store = ? AND path = ?"
        if self.plan.index.all(waits, (self.number, path))[0][0]:
            self.move.found_busy.add((self.store, path))
        self.run.postponed += 1

    def _adopt(self, target: Folder, batch: Sequence[Listed]) -> None:
        """What stands at home already, with the same bytes, counts as copied; it is not ours to
        take back unless we placed it."""
        known = {f.path: self.journal.find(self.store, f.path) for f in batch}
        entries = []
        for file in batch:
            entry = known[file.path]
            if entry is not None and entry.stage == "copied" and entry.seen == file.mark:
                continue
            mine, theirs = self.source.digest(file.path), target.digest(file.path)
            if mine and theirs and mine[0] == theirs[0] and mine[1] == file.mark:
                ours = theirs[1] if entry and entry.placed == theirs[1] else None
                entries.append(self._entry(file, "naming", ours, mine[0]))
            else:
                self._busy(file.path)
        self.journal.note(entries)
        self._copied(entries)

    def _copied(self, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        size = sum(e.size for e in entries)
        digest = digest_of(entries)
        self.said("batch", len(entries), batch=self.move.batch(), bytes=size, digest=digest,
                  read_back=digest)  # fmt: skip
        self.run.flush()
        # Afterwards: what the log could not be told of is told again.
        self.journal.note([replace(e.at("copied"), before=None) for e in entries])
        self.run.progress(f"copied files of {self.table}", len(entries))

    # Away.

    def _remove(self, batch: Sequence[Listed]) -> None:
        """Delete at the source what is as it was, and whose copy stands at home."""
        entries = []
        for file in batch:
            entry = self._entry(file, "removing", None, "")
            if self.target is not None:
                known = self.journal.find(self.store, file.path)
                if (
                    known is None
                    or known.stage != "copied"
                    or known.seen != file.mark
                    or self.target.mark(file.path) is None
                ):
                    continue  # it was postponed above
                entry = known.at("removing")
            entries.append(entry)
        self.journal.note(entries)
        gone = _each(lambda e: self.source.take(e.path, e.seen, e.digest or None), entries)
        removed = [e for e, went in zip(entries, gone, strict=True) if went]
        kept = [e for e, went in zip(entries, gone, strict=True) if not went]
        self.run.postponed += len(kept)
        self.journal.note([e.at("copied" if self.home else "erase") for e in kept])
        if removed:
            for entry in removed:
                self.source.prune(entry.path, self.above)
            self._removed(removed)

    def _removed(self, entries: Sequence[Entry]) -> None:
        size = sum(e.size for e in entries)
        self.run.note(
            "batch", plan=self.run.digest, run=self.run.number, operation="erase",
            table=self.table, step=self._step(), rows=len(entries), store=self.store,
            batch=self.move.batch(), bytes=size,
        )  # fmt: skip
        self.run.flush()
        if self.home:
            self.journal.note([e.at("moved") for e in entries])
        else:
            self.journal.forget(self.store, [e.path for e in entries])
        totals = self.move.done.setdefault(self.key, [0, 0])
        totals[0] += len(entries)
        totals[1] += size
        self.run.progress(f"deleted files of {self.table}", len(entries))

    # Words.

    def _step(self) -> str:
        op = "move_files" if self.home else "erase_files"
        return self.run.step(op, self.table, self.store)

    def said(self, kind: str, files: int, **more: Any) -> None:
        """An entry of the log about so many files."""
        self.run.note(
            kind, plan=self.run.digest, run=self.run.number, step=self._step(),
            operation="move" if self.home else "erase", table=self.table, from_=self.store,
            to=self.home or None, rows=files, **more,
        )  # fmt: skip

    def _entry(self, file: Listed, stage: Stage, placed: Mark | None, digest: str) -> Entry:
        return Entry(
            self.store, file.path, self.home, stage, self.table, file.mark, placed,
            file.mark.size, digest,
        )  # fmt: skip


def settle_files(run: Run, estate: Estate) -> None:
    """What a killed run left between two notes of the journal: finished, or taken back.

    Raises StoreRefused when a folder of it is no longer declared; StoreUnreachable.
    """
    journal = ObjectsJournal(run.state)
    left = [*journal.at("naming"), *journal.at("removing")]  # a batch of each at most
    if not left:
        return
    roots = {
        s.name: Path(s.url.partition(":")[2].removeprefix("//")) for s in estate.stores if s.files
    }
    for entry in left:
        if entry.store not in roots or (entry.home and entry.home not in roots):
            raise StoreRefused(
                entry.store, "a move of its files was cut off, and a folder of it is gone",
                hint="declare both folders again, and run the command again",
            )  # fmt: skip
        with Folder(entry.store, roots[entry.store]) as source:
            if not entry.home:
                _settle_removal(run, journal, entry, source, there=True)
                continue
            with Folder(entry.home, roots[entry.home]) as home:
                if entry.stage == "naming":
                    _settle_naming(run, journal, entry, home)
                else:
                    there = home.mark(entry.path) is not None
                    _settle_removal(run, journal, entry, source, there=there)


def _settle_naming(run: Run, journal: ObjectsJournal, entry: Entry, home: Folder) -> None:
    stands = home.mark(entry.path)
    if entry.placed is None:  # it stood there before, with the same bytes
        there = stands is not None
    else:
        there = stands == entry.placed or home.settle(entry.path, entry.placed, entry.before)
    if there:
        _say(run, entry, "move", digest=digest_of([entry]), read_back=digest_of([entry]),
             from_=entry.store, to=entry.home)  # fmt: skip
        journal.note([replace(entry.at("copied"), before=None)])
    elif entry.before is not None and stands == entry.before:
        # The older copy still stands, and is no copy of what is at the source now.
        journal.note([replace(entry.at("copied"), seen=NEVER, placed=stands, before=None)])
    else:
        journal.forget(entry.store, [entry.path])


def _settle_removal(
    run: Run, journal: ObjectsJournal, entry: Entry, source: Folder, *, there: bool
) -> None:
    source.finish_taking(entry.path, entry.seen, entry.digest or None, go=there)
    if source.mark(entry.path) is not None or not there:
        journal.note([entry.at("copied" if entry.home else "erase")])
        return
    _say(run, entry, "erase", store=entry.store)
    if entry.home:
        journal.note([entry.at("moved")])
    else:
        journal.forget(entry.store, [entry.path])


def _say(run: Run, entry: Entry, operation: str, **more: Any) -> None:
    op = "move_files" if entry.home else "erase_files"
    run.note(
        "batch", plan=run.digest, run=run.number, operation=operation, table=entry.name,
        step=run.step(op, entry.name, entry.store), rows=1, batch=0, bytes=entry.size, **more,
    )  # fmt: skip
    run.flush()


def digest_of(entries: Sequence[Entry]) -> str:
    """sha256 over the digests of a batch's files, in the order of the digests, a line each."""
    lines = "".join(f"{digest}\n" for digest in sorted(e.digest for e in entries))
    return "sha256:" + hashlib.sha256(lines.encode()).hexdigest()


def _each(function: Callable[[Any], T], items: Sequence[Any]) -> list[T]:
    """Call for each, some at the same time; the first error is raised when all have ended."""
    with ThreadPoolExecutor(WORKERS, "files") as pool:
        return list(pool.map(function, items))
