"""One round of the watch: look, compare, tell, and do what follows. Safe to kill at any line.

    1. deadlines of clauses that need no look: written down, followed, logged, told
    2. the map is made anew and compared with the last one (drift); a plan says what is broken
    3. in one transaction: the new map, the notices that became due, what is to follow
    4. what is to follow is done: at most once noted as done, and safe to be done again
    5. notices that no channel has taken yet are sent

A store that is down or slow delays nothing of the first step. When the look fails, deadlines that
need one go by what the last look found, and the round ends with the failure. Whatever a kill
leaves undone is in the ledger, and the next round does it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from domicile.errors import DomicileError, PlanRefused, Stopped, StoreError
from domicile.estate.load import load_estate
from domicile.estate.model import Estate
from domicile.evidence.kinds import make
from domicile.evidence.place import open_log, state_directory
from domicile.law.load import load_mandates
from domicile.law.model import Mandate
from domicile.law.standing import CLOSES, Closed, write_standing
from domicile.plan.make import make_plan
from domicile.survey.datamap import make_map
from domicile.survey.survey import Survey
from domicile.watch import words
from domicile.watch.approve import bound_to
from domicile.watch.consequences import CARRIES, carry_out
from domicile.watch.deadlines import PASSED, Duty, due_now, duties
from domicile.watch.drift import Change, drift
from domicile.watch.ledger import SUPERSEDED, Ledger, Look
from domicile.watch.notices import Channel, Notice
from domicile.watch.presence import Presence
from domicile.watch.words import Known

Doc = dict[str, Any]

LOOKED_FOR = ("store", "use")
"""The kinds of clauses of which a look tells whether they are met; of others nobody knows."""


@dataclass(frozen=True)
class Round:
    """What one round found and did."""

    day: date
    changes: tuple[Change, ...]
    duties: tuple[tuple[Duty, int | None], ...]  # with how many findings break it, if known
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
            estate = load_estate(path)
            mandates = load_mandates(estate, (), day)
            return _Watch(path, day, estate, mandates, channels, ledger, progress, at).round()
        finally:
            ledger.close()


@dataclass
class _Watch:
    """One round under way."""

    path: Path
    day: date
    estate: Estate
    mandates: tuple[Mandate, ...]
    channels: Sequence[Channel]
    ledger: Ledger
    progress: Callable[[str], None]
    at: Callable[[str], None]
    done: list[tuple[str, str]] = field(default_factory=list)
    sent: dict[str, Notice] = field(default_factory=dict)
    problems: list[DomicileError] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)  # of every clause that has a deadline
    refused: set[tuple[str, str]] = field(default_factory=set)  # in this round, by its channel

    def round(self) -> Round:
        """See `watch_once`."""
        every = duties(self.mandates, self.day)
        self.kinds = {duty.name: duty.kind for duty in every}
        with self.ledger.transaction():
            self.ledger.know([channel.name for channel in self.channels])
        self._drop(every)
        free = [duty for duty in every if duty.kind not in LOOKED_FOR]
        last = self.ledger.last_look()
        known = self._known(last, last.day if last else None)
        with self.ledger.transaction():
            self._say(0, self._tell(free, known))
        self.at("due")
        self._follow(lambda what: what not in CARRIES)
        self._finish()
        changes, broken = self._look(last)
        if broken is not None:
            last = self.ledger.last_look()
        # What the look brought closes in this round; nothing is carried out without a look.
        self._follow(lambda what: broken is not None or what not in CARRIES)
        known = self._known(last, last.day if last and broken is None else None)
        self._finish()
        if self.problems:
            raise _together(self.problems)
        listed = tuple((duty, known(duty).count) for duty in every)
        return Round(self.day, changes, listed, tuple(self.sent.values()), tuple(self.done))

    def _known(self, last: Look | None, since: date | None) -> Callable[[Duty], Known]:
        """How to tell of a clause what is known of it."""

        def known(duty: Duty) -> Known:
            if duty.kind not in LOOKED_FOR:
                return Known(last.broken.get(duty.name, 0) if last else 0)
            return Known(last.broken.get(duty.name, 0), since) if last else Known(None)

        return known

    def _tell(self, open_duties: Sequence[Duty], known: Callable[[Duty], Known]) -> int:
        """Write down what is due of these, inside a transaction; how many notices."""
        now = due_now(open_duties, self.day, self.ledger.told())
        for duty, stage in now:
            self.ledger.tell(duty.name, duty.due, stage, self.day)
            if stage == PASSED:
                self.ledger.begin(duty.name, duty.due, duty.otherwise)
            self.ledger.queue(words.deadline(self.estate.name, duty, stage, self.day, known(duty)))
        return len(now)

    def _say(self, drift: int, notices: int, **more: str) -> None:
        """What the log is to say of it, inside a transaction; nothing when there is nothing."""
        if drift or notices:
            day = self.day.isoformat()
            self.ledger.say(
                make("watch", self.estate.name, as_of=day, drift=drift, notices=notices, **more)
            )

    def _look(self, last: Look | None) -> tuple[tuple[Change, ...], Mapping[str, int] | None]:
        """Look at the stores, and write down what changed and what is due; what changed, and the
        open findings by clause: None when the look failed."""
        presence = Presence(state_directory(self.path))
        every = [d for d in duties(self.mandates, self.day) if d.kind in LOOKED_FOR]
        names: list[str] = []

        def take(survey: Survey) -> None:
            names.append(presence.take(survey, self.day))

        try:
            self.progress("looking at the stores")
            seen = make_map(self.path, self.day, self.progress, take)
            self.at("looked")
            plan = make_plan(self.path, (), self.day, self.progress)
            self.at("planned")
        except DomicileError as problem:
            self.problems.append(problem)
            known = self._known(last, last.day if last else None)
            with self.ledger.transaction():
                told = self._tell([d for d in every if known(d).count != 0], known)
                self.ledger.queue(words.unseen(self.estate.name, problem.message, last))
                self._say(0, told)
            self.at("unseen")
            return (), None
        broken = _broken(plan)
        before = self.ledger.last_map()
        changes = tuple(drift(before, seen)) if before else ()
        # What the watch itself moved or erased is no drift; for one look, people are not compared.
        if last and not self.ledger.acted():
            changes += presence.changes(last.people, names[0])
        with self.ledger.transaction():
            self.ledger.keep_map(seen, self.day)
            self.ledger.keep_look(names[0], broken, self.day)
            told = self._tell(
                [d for d in every if broken.get(d.name)], lambda d: Known(broken[d.name])
            )
            if changes:
                self.ledger.queue(words.changed(self.estate.name, seen, changes, self.day))
            self._say(len(changes), told + bool(changes), map_digest=seen["digest"])
        self.at("noted")
        presence.keep_only(names[0])
        return changes, broken

    def _drop(self, every: Sequence[Duty]) -> None:
        """Drop what is pending, or closed, and follows no more: its clause is gone, binds no
        longer, has another deadline, or says something else. Should it follow again, it begins
        anew."""
        follows = {(duty.name, duty.due, duty.otherwise) for duty in every if duty.due < self.day}
        with self.ledger.transaction():
            for name, due, what, outcome in self.ledger.consequences():
                over = outcome == "" or (what in CLOSES and outcome != SUPERSEDED)
                if over and (name, due, what) not in follows:
                    self.ledger.supersede(name, due)
                    self.ledger.queue(
                        words.superseded(
                            self.estate.name, name, due, what, self.day, done=outcome != ""
                        )
                    )
                    self.done.append((name, SUPERSEDED))
        self.at("dropped")

    def _follow(self, which: Callable[[str], bool]) -> None:
        """Do what is pending. An outcome that may still change stays pending and is told once."""
        for name, due, what in self.ledger.pending():
            if not which(what):
                continue
            if what in CARRIES:
                with self.ledger.transaction():
                    self.ledger.acting()
            try:
                outcome, final = carry_out(
                    self.path, name, what, self.day, self.ledger.approvals().get(name),
                    bound_to(self.estate, self.mandates, name), partial(self._use, name),
                    self.progress,
                )  # fmt: skip
            except (PlanRefused, Stopped, StoreError) as problem:
                outcome, final = f"not carried out: {problem.message}", False
            self.at("followed")
            with self.ledger.transaction():
                if final:
                    self.ledger.finish(name, due, outcome)
                    mandate, _, clause = name.partition("/")
                    self.ledger.say(
                        make("consequence", self.estate.name, mandate=mandate, clause=clause,
                             due=due.isoformat(), what=what)
                    )  # fmt: skip
                self.ledger.queue(words.outcome(self.estate.name, name, due, outcome))
            self.at("finished")
            self.done.append((name, outcome))
        self._write_standing()
        self.at("standing")

    def _use(self, name: str, rows: int) -> None:
        with self.ledger.transaction():
            self.ledger.use(name, rows)

    def _write_standing(self) -> None:
        """Everything that is closed, as the ledger has it: again in each round, so that a file
        that was lost comes back."""
        closed = [
            Closed(mandate, clause, self.kinds.get(name, ""), what, due.isoformat())
            for name, due, what, outcome in self.ledger.consequences()
            if what in CLOSES and outcome not in ("", SUPERSEDED)
            for mandate, _, clause in [name.partition("/")]
        ]
        try:
            write_standing(state_directory(self.path), closed)
        except OSError as error:
            raise Stopped(
                f"what is closed cannot be written: {error.strerror}",
                hint="make room in the state directory, and run the same command again",
            ) from error

    def _finish(self) -> None:
        """Append to the log what it does not have yet, and send what no channel has taken; a
        channel that fails does not stop the others. A kill in between may say a thing twice."""
        waiting = self.ledger.unsaid()
        if waiting:
            log = open_log(state_directory(self.path), self.estate.name)
            log.append([entry for _, entry in waiting])
            self.at("said")
            with self.ledger.transaction():
                self.ledger.said(waiting[-1][0])
            self.at("recorded")
        by_name = {channel.name: channel for channel in self.channels}
        for notice, name in self.ledger.unsent(list(by_name)):
            if (notice.identity, name) in self.refused:
                continue
            self.at("sending")
            try:
                by_name[name].send(notice)
            except Stopped as problem:
                self.problems.append(problem)
                self.refused.add((notice.identity, name))
                continue
            self.at("taken")
            self.ledger.mark_sent(notice.identity, name)
            self.at("marked")
            self.sent[notice.identity] = notice


def _broken(plan: Doc) -> dict[str, int]:
    """mandate/clause → findings."""
    counts: dict[str, int] = {}
    for finding in plan["findings"]:
        name = f"{finding['mandate']}/{finding['clause']}"
        counts[name] = counts.get(name, 0) + 1
    return counts


def _together(problems: Sequence[DomicileError]) -> DomicileError:
    """The first, with what else went wrong in its words."""
    first = problems[0]
    more = dict.fromkeys(each.message for each in problems[1:] if each.message != first.message)
    first.message = "; ".join([first.message, *more])
    return first


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    """Hold the watch's lock; the system lets go of it when the process ends.

    Raises Stopped when another watch holds it, or the lock cannot be made.
    """
    lock = state / "watch.lock"
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Stopped(
            f"{lock}: {error.strerror}", hint="mend that and run the same command again"
        ) from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Stopped("another watch of this estate is running") from None
        yield
    finally:
        os.close(fd)
