"""`apply`: carry out a plan, exactly it, resumable at any point."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from getpass import getuser
from pathlib import Path
from typing import Any

from domicile.apply.alone import alone, stopping
from domicile.apply.approved import check_approved
from domicile.apply.context import Run
from domicile.apply.ends import End, end_of
from domicile.apply.move import Move
from domicile.apply.objects import ObjectMove, settle_files
from domicile.apply.purge import purge, refresh
from domicile.apply.receipts import (
    forget_keys,
    keep_keys,
    note_receipts,
    prepare_receipts,
    unprepared,
)
from domicile.apply.refuse import Cap, check_before, check_drift, check_schemas
from domicile.apply.schema import finish_homes, finish_tables, make_schemas
from domicile.apply.settle import settle_moves, take_back_strays, unsettled
from domicile.apply.stubs import remove_unneeded
from domicile.counted import counted
from domicile.errors import PlanRefused, Stopped, StoreUnreachable, UsageError
from domicile.estate.model import Estate
from domicile.evidence.place import open_commitments, open_log, state_directory
from domicile.law.model import Mandate
from domicile.plan.declared import declarations
from domicile.plan.document import Document
from domicile.plan.estimate import told
from domicile.plan.planner import Outcome, Planner
from domicile.stores.base import CanView, CanWrite, Session, Store
from domicile.survey.lake_journal import LakeJournal
from domicile.survey.lake_kept import Kept
from domicile.survey.state import State
from domicile.survey.survey import Survey

ROUNDS = 4
"""How often rows that changed under way are planned and carried anew before apply stops."""


class Ends:
    """Opens every store for writing, reading it first in one snapshot each."""

    def __init__(self) -> None:
        self.ends: dict[str, End] = {}
        self.seen: dict[str, str] = {}

    @contextmanager
    def open(self, store: Store) -> Iterator[Session]:
        """The `opener` of a Survey."""
        if not isinstance(store, CanWrite):
            raise UsageError(f"store {store.name}: rows of a {store.capabilities.kind} stay there")
        with store.write() as session:
            end = end_of(session)
            end.alone()
            self.ends[store.name] = end
            self.seen[store.name] = end.snapshot()
            yield session

    def release(self) -> None:
        """End the snapshots of stores in which others may write; temporary tables stay."""
        for end in self.ends.values():
            if end.concurrent:
                end.commit()


def apply_plan(
    plan: Document, estate_file: Path, *, cap: Cap | None, approved: Callable[[], bool],
    progress: Callable[[str, int], None] = lambda _what, _rows: None,
) -> dict[str, Any]:  # fmt: skip
    """Carry out `plan`. Raises PlanRefused, StoreError, Stopped; run again to resume.

    `approved` is asked once everything else would let the plan through.
    """
    clock = _Clock(approved)
    day = date.fromisoformat(plan["as_of"])
    estate, mandates, _ = declarations(estate_file, (), day)
    directory = state_directory(estate_file)
    state = State(directory)
    try:
        log = open_log(directory, estate.name)
        # Who said yes, as a commitment: the account that runs this process.
        who = open_commitments(directory, use="principal").person("account", getuser())
        run = Run(plan, state, log, secrets.token_hex(8), progress, principal=who)
        with alone(directory), stopping():
            try:
                check_before(plan, estate, mandates, state)
                check_approved(plan, estate, mandates, log, state)
                resumed = state.run_state(run.digest) == "started"
                done = _apply(run, estate, mandates, day, cap, clock.approved)
                return {**done, **clock.told(run, resumed)}
            except PlanRefused as error:
                run.entries = []
                run.note("refusal", reason=error.code, plan=plan["digest"])
                run.flush()
                raise
            except StoreUnreachable as error:
                if not run.started:
                    raise
                # Half-way: whatever the journal knows is taken up again.
                raise Stopped(error.message, hint=error.hint) from error
            finally:
                if not state.run_state(run.digest):
                    forget_keys(run)  # nothing was begun
    finally:
        state.close()


class _Clock:
    """How long a run took, without the time in which somebody thought about it."""

    def __init__(self, approved: Callable[[], bool]) -> None:
        self._began = time.monotonic()
        self._approved = approved

    def approved(self) -> bool:
        """Ask, and let the clock stand still meanwhile."""
        asked = time.monotonic()
        try:
            return self._approved()
        finally:
            self._began += time.monotonic() - asked

    def told(self, run: Run, resumed: bool) -> dict[str, Any]:
        """Seconds that it took and that the plan said. The journal keeps those of a whole run, so
        that the next estimate is better."""
        took = time.monotonic() - self._began
        said, model = told(run.plan)
        if model and not resumed:
            run.state.note_pace(run.digest, took, model)
        return {
            "seconds": round(took, 1), "estimated_seconds": said, "resumed": resumed,
        }  # fmt: skip


def _apply(
    run: Run, estate: Estate, mandates: tuple[Mandate, ...], day: date, cap: Cap | None,
    approved: Callable[[], bool],
) -> dict[str, Any]:  # fmt: skip
    resumed = run.state.run_state(run.digest) == "started"
    moved: dict[str, int] = {}
    first, rounds, held, surveys = True, 0, 0, 0
    # Nothing has gone yet, so whom the survey finds is whom the plan acts on.
    listing = not resumed or unprepared(run)
    carried = ObjectMove(run)
    kept = Kept(run.state.path.parent, estate.digest)
    while True:
        run.postponed, run.again = 0, False
        lakes = any(store.kind == "file" for store in estate.stores)
        if lakes or LakeJournal(run.state).unsettled():
            from domicile.apply.lake_swap import settle  # what moves lakes takes long to load

            settle(run, estate)
        settle_files(run, estate)
        _settle(run, estate)
        ends = Ends()
        with Survey(estate, run.state, ends.open, kept) as survey:
            # A round after one that was disturbed lists keys.
            planner = Planner(survey, mandates, day, in_place=not rounds, busy=carried.busy())
            fresh = planner.run()
            surveys += 1
            if first and resumed:
                check_schemas(run.plan, survey, resumed=True)
            elif first:
                check_drift(run.plan, survey, fresh, planner.files)
            if first and cap is not None:
                cap.check(survey, fresh, planner.files)
            if listing:
                prepare_receipts(run, fresh)
                surveys = 1
            ends.release()
            if first:
                if not resumed and not approved():
                    raise PlanRefused(
                        "the plan was not approved",
                        hint="approve it with --yes, or answer y", code="not_approved",
                    )  # fmt: skip
                _start(run, resumed)
                first = False
                if make_schemas(run, survey, fresh):
                    continue
            if listing:
                keep_keys(run)
                listing = False
            if _take_back(run, survey, fresh, ends):
                continue
            held = sum(
                outcome.verdicts.work.count(h)
                for outcome in fresh
                for h in outcome.verdicts.held.values()
            )
            held += sum(files.held() for files in planner.files)
            # Before the rows: where a row is at home, its file is there too.
            for files in planner.files:
                carried.carry_out(files)
            # A file that is being written is not at home: others' rows go without its row.
            for outcome in () if carried.found_busy else fresh:
                _carry_out(run, outcome, ends, moved)
            if not (run.postponed or run.again or carried.found_busy):
                remove_unneeded(run, survey, ends.ends)
        rounds += 1
        run.rounds = rounds
        if not run.postponed and not run.again:
            break
        if run.postponed and rounds >= ROUNDS:
            raise Stopped(
                f"{counted(run.postponed, 'row')} changed while being moved, or may have: what "
                "changed is where it was, and nothing was lost",
                hint="run the same command again, best at a quieter time; a transaction that stays "
                "open on that server, in any database, puts newer rows in doubt",
            )
    finish_homes(run, estate)
    views = refresh(run, estate)
    began = time.monotonic()
    purged = purge(run, estate)
    unpurged = [p for store in purged for p in store["problems"]]
    if unpurged:
        named = "; ".join(f"{p['table']}: {p['reason']}" for p in unpurged[:3])
        raise Stopped(
            "every row is where it should be, but bytes of "
            f"{counted(len(unpurged), 'table')} could not be purged: {named}",
            hint="mend that and run the same command again: it goes on with the purge",
        )
    run.note(
        "apply_finished", plan=run.digest, run=run.number, outcome="done",
        rows=sum(moved.values()), held=held,
    )  # fmt: skip
    note_receipts(run, estate, disturbed=resumed or surveys > 1)
    run.flush()
    forget_keys(run)
    kept.clear()
    # Last: a plan that the state calls finished is refused, and the log could not be mended.
    run.state.set_run(run.digest, "finished")
    return {
        "version": 1, "plan": run.digest, "run": run.number, "finished": True,
        "moved": [{"table": t, "rows": n} for t, n in sorted(moved.items())],
        "files": carried.document(), "held": held, "purged": purged,
        "purge_seconds": round(time.monotonic() - began, 3),
        "receipts_seconds": round(run.receipts_seconds, 3), "views": views,
    }  # fmt: skip


def _start(run: Run, resumed: bool) -> None:
    run.state.set_run(run.digest, "started")
    run.started = True
    if not resumed:
        run.note("approval", plan=run.digest, principal=run.principal, decision="approved")
    run.note(
        "apply_started", plan=run.digest, run=run.number, steps=len(run.plan["steps"]),
        resumed=resumed,
    )  # fmt: skip
    run.flush()


def _carry_out(run: Run, outcome: Outcome, ends: Ends, moved: dict[str, int]) -> None:
    name = outcome.cell.name
    source = ends.ends[name]
    for action, closure in outcome.closures.items():
        if closure.idle:
            continue
        if source.spent:
            run.again = True
            break
        home = ends.ends[action.home] if action.home else None
        if any(outcome.labels.purges(n) for n in outcome.labels.clauses
               if outcome.labels.action(n) == action):  # fmt: skip
            with run.state.transaction():
                run.state.note_purge(name, closure.going)
        if isinstance(outcome.cell.session, CanView):
            from domicile.apply.lake import LakeMove
            from domicile.stores.parquet_session import ParquetSession

            assert isinstance(outcome.cell.session, ParquetSession)  # no other session has views
            there = home.session if home else None
            assert there is None or isinstance(there, ParquetSession)  # plan sends files to files
            rows_of = LakeMove(run, outcome, action, outcome.cell.session, there).carry_out()
        else:
            rows_of = Move(run, outcome, action, source, home, ends.seen[name]).carry_out()
        if home is not None:
            brought = (closure.going, closure.copies, closure.stubs, closure.split_home)
            finish_tables(home, [t for sets in brought for t in sets])
        for table, rows in rows_of.items():
            shown = str(outcome.cell.graph.name(table))
            moved[shown] = moved.get(shown, 0) + rows
            op = "move" if action.home else "erase"
            run.note(
                "step", plan=run.digest, run=run.number, step=run.step(op, shown, name),
                operation=op, outcome="done", table=shown, from_=name, to=action.home or None,
                rows=rows,
            )  # fmt: skip
        run.flush()
    if not source.concurrent:
        source.rollback()
        source.spent = True


def _settle(run: Run, estate: Estate) -> None:
    """Settle what an earlier run or round left open, in transactions of its own."""
    if not unsettled(run.state):
        return
    ends = Ends()
    with Survey(estate, None, ends.open) as survey:
        ends.release()
        settle_moves(run, survey.cells, ends.ends)


def _take_back(run: Run, survey: Survey, fresh: list[Outcome], ends: Ends) -> int:
    """Take back copies of what is not to go any more, from every home that can tell them."""
    count = 0
    for outcome in fresh:
        closures = {a.home: c for a, c in outcome.closures.items() if a.home}
        for home in survey.of(outcome.cell.declared.holds):
            end = ends.ends[home.name]
            if home is not outcome.cell and end.tells:
                count += take_back_strays(
                    run, outcome.cell, home, ends.ends[outcome.cell.name], end,
                    closures.get(home.name),
                )  # fmt: skip
    return count
