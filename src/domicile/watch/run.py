"""One round of the watch: look, compare, tell, and do what follows. Safe to kill at any line.

    1. the map is made anew and compared with the last one (drift)
    2. a plan says which clauses are broken
    3. in one transaction: the new map, the notices that became due, what is to follow
    4. what is to follow is done: at most once noted as done, and safe to be done again
    5. notices that no channel has taken yet are sent

Whatever a kill leaves undone is in the ledger, and the next round does it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from domicile.errors import DomicileError, PlanRefused, Stopped
from domicile.estate.load import load_estate
from domicile.evidence.kinds import make
from domicile.evidence.place import open_log, state_directory
from domicile.law.load import load_mandates
from domicile.plan.make import make_plan
from domicile.survey.datamap import make_map
from domicile.watch.approve import bound_to
from domicile.watch.consequences import CARRIES, carry_out, standing, write_standing
from domicile.watch.deadlines import PASSED, Duty, due_now, duties
from domicile.watch.drift import Change, drift
from domicile.watch.ledger import SUPERSEDED, Ledger
from domicile.watch.notices import Channel, Notice, identity, shown

Doc = dict[str, Any]


@dataclass(frozen=True)
class Round:
    """What one round found and did."""

    day: date
    changes: tuple[Change, ...]
    duties: tuple[tuple[Duty, int], ...]  # with how many rows and findings break it
    told: tuple[Notice, ...]
    consequences: tuple[tuple[str, str], ...]  # mandate/clause, what came of it

    def as_json(self) -> Doc:
        """The round as JSON."""
        return {
            "version": 1,
            "as_of": self.day.isoformat(),
            "drift": [
                {"what": c.what, "where": c.where, "detail": c.detail} for c in self.changes
            ],
            "duties": [
                {"mandate": d.mandate, "clause": d.clause, "kind": d.kind,
                 "otherwise": d.otherwise, "due": d.due.isoformat(),
                 "days_left": (d.due - self.day).days, "findings": broken}
                for d, broken in self.duties
            ],
            "notices": [{"id": n.identity, "subject": n.subject} for n in self.told],
            "consequences": [{"clause": name, "outcome": what} for name, what in self.consequences],
        }  # fmt: skip


def watch_once(
    path: Path, day: date, channels: Sequence[Channel],
    progress: Callable[[str], None] = lambda _: None,
    at: Callable[[str], None] = lambda _: None,
) -> Round:  # fmt: skip
    """One round for the estate declared in `path`, as on `day`.

    `at` is called with a word at every line after which something is durable: tests end the
    process there. Raises DomicileError; Stopped when another watch runs or a notice was not taken.
    """
    state = state_directory(path)
    with _alone(state):
        ledger = Ledger(state)
        try:
            return _round(path, day, channels, ledger, progress, at)
        finally:
            ledger.close()


def _round(
    path: Path, day: date, channels: Sequence[Channel], ledger: Ledger,
    progress: Callable[[str], None], at: Callable[[str], None],
) -> Round:  # fmt: skip
    estate = load_estate(path)
    mandates = load_mandates(estate, (), day)
    progress("looking at the stores")
    seen = make_map(path, day, progress)
    at("looked")
    plan = make_plan(path, (), day, progress)
    at("planned")
    before = ledger.last_map()
    # What the watch itself moved or erased is no drift; for one look, people are not counted.
    changes = drift(before, seen, people=not ledger.acted()) if before else ()
    every = duties(mandates, day)
    dropped = _drop(every, day, ledger, estate.name)
    broken = _broken(plan)
    listed = tuple((duty, broken.get(duty.name, 0)) for duty in every)
    open_duties = [duty for duty, count in listed if count or duty.kind not in ("store", "use")]
    now = due_now(open_duties, day, ledger.told())
    notices = [_deadline_notice(estate.name, duty, stage, day, broken) for duty, stage in now]
    if changes:
        notices.append(_drift_notice(estate.name, seen, changes, day))
    with ledger.transaction():
        ledger.keep_map(seen, day)
        for duty, stage in now:
            ledger.tell(duty.name, duty.due, stage, day)
            if stage == PASSED:
                ledger.begin(duty.name, duty.due, duty.otherwise)
        for notice in notices:
            ledger.queue(notice)
        if changes or notices:
            ledger.say(
                make("watch", estate.name, as_of=day.isoformat(), drift=len(changes),
                     notices=len(notices), map_digest=seen["digest"])
            )  # fmt: skip
    at("noted")

    def bound(name: str) -> str:
        return bound_to(estate, mandates, name)

    done = dropped + list(_follow(path, day, bound, ledger, estate.name, progress, at))
    _record(path, ledger, estate.name, at)
    sent = _send(ledger, channels, at)
    return Round(day, tuple(changes), listed, tuple(sent), tuple(done))


def _broken(plan: Doc) -> dict[str, int]:
    """mandate/clause → findings."""
    counts: dict[str, int] = {}
    for finding in plan["findings"]:
        name = f"{finding['mandate']}/{finding['clause']}"
        counts[name] = counts.get(name, 0) + 1
    return counts


def _drop(every: Sequence[Duty], day: date, ledger: Ledger, estate: str) -> list[tuple[str, str]]:
    """Drop what is pending and follows no more: its clause is gone, binds no longer, has another
    deadline, or says something else. Should it follow again, it begins anew."""
    follows = {(duty.name, duty.due, duty.otherwise) for duty in every if duty.due < day}
    gone = [row for row in ledger.pending() if row not in follows]
    with ledger.transaction():
        for name, due, what in gone:
            ledger.supersede(name, due)
            ledger.queue(
                Notice(
                    identity(estate, name, due, f"{SUPERSEDED} {what} {day}"),
                    f"[{estate}] {name}: {SUPERSEDED}",
                    f"{what} was to follow the deadline {due} of {name}. On {day} the mandates do"
                    " not say so: nothing was done.\n",
                    {"estate": estate, "clause": name, "due": due.isoformat(),
                     "outcome": SUPERSEDED},
                )
            )  # fmt: skip
    return [(name, SUPERSEDED) for name, _, _ in gone]


def _follow(
    path: Path, day: date, bound: Callable[[str], str], ledger: Ledger, estate: str,
    progress: Callable[[str], None], at: Callable[[str], None],
) -> Iterator[tuple[str, str]]:  # fmt: skip
    """Do what is pending. An outcome that may still change stays pending and is told once."""
    for name, due, what in ledger.pending():
        if what in CARRIES:
            with ledger.transaction():
                ledger.acting()
        try:
            outcome, final = carry_out(
                path,
                name,
                what,
                day,
                ledger.approvals().get(name),
                bound(name),
                partial(_use, ledger, name),
                progress,
            )
        except (PlanRefused, Stopped) as problem:
            outcome, final = f"not carried out: {problem.message}", False
        at("followed")
        with ledger.transaction():
            if final:
                ledger.finish(name, due, outcome)
                mandate, _, clause = name.partition("/")
                ledger.say(
                    make("consequence", estate, mandate=mandate, clause=clause,
                         due=due.isoformat(), what=what)
                )  # fmt: skip
            ledger.queue(
                Notice(
                    identity(estate, name, due, outcome),
                    f"[{estate}] {name}: {outcome}",
                    f"The deadline of {name} was {due}. What followed: {outcome}.\n",
                    {"estate": estate, "clause": name, "due": due.isoformat(), "outcome": outcome},
                )
            )
        at("finished")
        write_standing(state_directory(path), standing(ledger.consequences()))
        at("standing")
        yield name, outcome


def _use(ledger: Ledger, name: str, rows: int) -> None:
    with ledger.transaction():
        ledger.use(name, rows)


def _record(path: Path, ledger: Ledger, estate: str, at: Callable[[str], None]) -> None:
    """Append to the log what it does not have yet. A kill in between may say a thing twice."""
    waiting = ledger.unsaid()
    if not waiting:
        return
    open_log(state_directory(path), estate).append([entry for _, entry in waiting])
    at("said")
    with ledger.transaction():
        ledger.said(waiting[-1][0])
    at("recorded")


def _send(ledger: Ledger, channels: Sequence[Channel], at: Callable[[str], None]) -> list[Notice]:
    """Send what no channel has taken yet; a channel that fails does not stop the others."""
    by_name = {channel.name: channel for channel in channels}
    failed: DomicileError | None = None
    sent: dict[str, Notice] = {}
    for notice, name in ledger.unsent(list(by_name)):
        at("sending")
        try:
            by_name[name].send(notice)
        except Stopped as problem:
            failed = problem
            continue
        at("taken")
        ledger.mark_sent(notice.identity, name)
        at("marked")
        sent[notice.identity] = notice
    if failed:
        raise failed
    return list(sent.values())


def _deadline_notice(
    estate: str, duty: Duty, stage: int, day: date, broken: Mapping[str, int]
) -> Notice:
    left = (duty.due - day).days
    count = broken.get(duty.name, 0)
    state = f"{count} findings are open" if count else "nothing says that it is met"
    if stage == PASSED:
        subject = f"[{estate}] {duty.name}: the deadline {duty.due} has passed"
        text = f"{duty.name} was due on {duty.due}; {state}. What follows: {duty.otherwise}.\n"
    else:
        subject = f"[{estate}] {duty.name}: due on {duty.due}, {left} days left"
        text = f"{duty.name} is due on {duty.due}; {state}. Otherwise: {duty.otherwise}.\n"
    facts = {
        "estate": estate, "clause": duty.name, "due": duty.due.isoformat(), "days_left": left,
        "stage": stage, "findings": count, "otherwise": duty.otherwise,
    }  # fmt: skip
    return Notice(identity(estate, duty.name, duty.due, str(stage)), subject, text, facts)


def _drift_notice(estate: str, seen: Doc, changes: Sequence[Change], day: date) -> Notice:
    return Notice(
        identity(estate, "drift", day, seen["digest"]),
        f"[{estate}] {len(changes)} changes since the last look",
        f"On {day}:\n{shown(changes)}",
        {"estate": estate, "drift": [str(change) for change in changes]},
    )


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    """Hold the watch's lock; the system lets go of it when the process ends. Raises Stopped."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(state / "watch.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Stopped("another watch of this estate is running") from None
        yield
    finally:
        os.close(fd)
