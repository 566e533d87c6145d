"""Pass two of a move: delete at the source what is as it was, leave stubs where others point.

Each batch is one transaction at the source. Rows that others may refer to are locked first, so
that no new row can come to point at them; a row that changed since the survey, or that a new row
points at, is kept for the next round with everything it refers to.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from domicile.apply.batch import Batch, Part
from domicile.apply.carry import COLUMNS, Carrier
from domicile.apply.ends import End
from domicile.apply.settle import take_back
from domicile.errors import StoreBusy, StoreError
from domicile.survey.graph import resolve
from domicile.survey.state import Keys
from domicile.survey.stored import stored
from domicile.survey.stubs import Stubs
from domicile.survey.work import Work

if TYPE_CHECKING:
    from domicile.apply.move import Move

ATTEMPTS = 5
"""How often a batch is tried while writers keep changing its rows, before it waits for a round."""

BUSY_ATTEMPTS = 5
"""How often it is tried while others hold what it needs."""

BUSY_PAUSE = (0.05, 0.5)
"""Seconds between those, at least and at most; at random, so that two do not keep step."""

Found = dict[str, list[Keys]]


class Removal:
    """Deletes what one action carried home, or erases it."""

    def __init__(self, move: Move, seen: str) -> None:
        """`seen`: the snapshot of the survey, for `End.unchanged`."""
        self.move = move
        self.run = move.run
        self.outcome = move.outcome
        self.closure = move.closure
        self.graph = move.graph
        self.shapes = move.shapes
        self.source = move.source
        self.home = move.home
        self.session = move.source.session
        self.seen = seen
        self.work = Work(self.session, f"d{move.closure.block}_")
        self.keep: dict[str, str] = {}
        self.skip: dict[str, str] = {}
        self.upto = 0  # greatest number of a person in the batches that are not gone yet
        self.deciding = self._decides()
        self.telling: dict[str, str] = {}
        """Of the open transaction, rows outside of the batch that tell whose its rows are."""
        self.done: set[int] = set()  # batches that are gone
        self.rows: dict[str, int] = {}  # how many rows of each table are gone
        self._rows: dict[str, int] = {}  # … in the open transaction
        self.disturbed = False  # somebody changed what the open transaction was to delete

    def remove(self, number: int) -> bool:
        """One batch; whether it went, all but what is kept. Raises StoreError."""
        span = self.move.span(number)
        self.upto = self.move.ranges[number - 1][1]
        busy = attempts = 0
        while attempts < ATTEMPTS and busy < BUSY_ATTEMPTS:
            try:
                if self._attempt(number, span):
                    self.done.add(number)
                    for table, rows in self._rows.items():
                        self.rows[table] = self.rows.get(table, 0) + rows
                    return True
                if self.disturbed and self.closure.routes:
                    return False  # the next round lists keys: by them, what changed is told apart
                attempts += 1
            except StoreBusy:
                busy += 1
                time.sleep(random.uniform(*BUSY_PAUSE))  # noqa: S311 - no secret
        return False

    def postpone(self, number: int) -> None:
        """Leave a batch and all before it, which hold the rows that it refers to, for the next
        round."""
        span = f"g.phi <= {self.move.ranges[number - 1][1]}"
        rows = sum(self._count(t, g, span) for t, g in self.closure.going.items())
        self.run.postponed += max(rows, 1)

    def _attempt(self, number: int, span: str) -> bool:
        """Try the batch; False when something had changed, which is then kept or skipped."""
        mark = self.source.begin()
        self._rows = {}
        self.disturbed = False
        written = ""
        try:
            if self.source.concurrent:
                self.source.give_way()
                self._lock(span, self.move.keyed)
                self.telling = self._lock_above(span) if self.home is None else {}
                pointed = self._newly_pointed(span)
                elsewhere = "" if pointed else self._elsewhere()
                above = {} if pointed or elsewhere else self._above()
                if pointed or elsewhere or above:
                    self.disturbed = True
                    self.source.rollback()
                    if not self.closure.routes:
                        self._keep(pointed or self._below(above) or self._whole(elsewhere))
                    return False
            stubs = self._noted(span)
            short = self._delete(number, span, self.move.keyed)
            keyless = [] if short else self._keyless(span)
            if self.home is not None:
                for table in keyless:
                    self.source.lock_table(table)
            short = short or self._missing(keyless, span)
            if short:
                self.disturbed = True
                self.run.entries = []
                self.source.rollback()
                if not self.closure.routes:
                    self._explain(short, span)
                return False
            if self.home is not None and keyless:
                written = self._carry_keyless(number, span, self.home, mark, keyless)
            self._delete(number, span, keyless)
            if not self.move.settle(wait=False):
                self.run.entries = []
                self.source.rollback()
                self.move.settle()
                return False
            self.source.seal()
            with self.run.state.transaction():
                if number in self.move.marks:
                    self.run.state.note_deletion(
                        self.move.action.home, self.move.marks[number], mark
                    )
                self.run.state.note_unsaid(self.outcome.cell.name, mark, self.run.entries)
            self.source.commit()
        except BaseException:
            self.run.entries = []
            # A lost connection has no transaction left to give up.
            with suppress(StoreError):
                self.source.rollback()
            raise
        with self.run.state.transaction():
            for table, keys in stubs.items():
                self.run.state.sure_stubs(self.outcome.cell.name, table, keys)
            if number in self.move.marks:
                self.run.state.end_deletion(
                    self.move.action.home, self.move.marks[number], committed=True
                )
                self.run.state.forget_copied(self.move.action.home, self.move.marks[number])
            if written:
                self.run.state.end_pair(self.move.action.home, written)
        self.run.flush_for(self.outcome.cell.name, mark)
        return True

    def _keyless(self, span: str) -> list[str]:
        """The tables without a key of which rows go in this batch."""
        tables = [t for t in self.move.keyless if t in self.closure.going]
        return [t for t in tables if self._count(t, self.closure.going[t], span)]

    def _missing(self, tables: list[str], span: str) -> list[str]:
        """Of `tables`, those where fewer rows than expected are as they were."""
        return [
            table
            for table in tables
            if self._count(table, going := self.closure.going[table], span)
            > self.session.query(
                f"SELECT count(*) FROM {self.session.dialect.table(table)} t "
                f"WHERE {self._identity(table)} IN ({self._chosen(table, going, span, '1 = 1')}) "
                f"AND {self.source.unchanged('t', self.seen)}"
            )[0][0]
        ]

    def _delete(self, number: int, span: str, tables: list[str]) -> list[str]:
        """Delete and blank; the tables where fewer rows than expected were as they were."""
        dialect = self.session.dialect
        forms = Stubs(self.graph, dialect)
        op = "move" if self.move.home is not None else "erase"
        short: list[str] = []
        for table in reversed(tables):
            going = self.closure.going.get(table)
            if not going:
                continue
            expected = self._expected(number, table, span)
            if not expected:
                continue
            name = dialect.table(table)
            identity = self._identity(table)
            unchanged = self.source.unchanged("t", self.seen)
            done = split = 0
            stays: list[str] = []
            for rows, kept in self._staying(table, forms):
                stays.append(f"NOT EXISTS ({self._in(table, rows)})")
                values = forms.values(table, kept)
                assert values is not None  # the closure held every row whose stub is refused
                sets = ", ".join(
                    f"{dialect.quote(c)} = {v}" for c, v in values.items() if c not in kept
                )
                chosen = self._chosen(table, going, span, f"EXISTS ({self._in(table, rows)})")
                where = f"{identity} IN ({chosen}) AND {unchanged}"
                if sets:
                    split = self.session.execute(f"UPDATE {name} AS t SET {sets} WHERE {where}")
                else:
                    split = self.work.count(f"{name} t", where)
                done += split
            if table in self.closure.routes:
                done += self._delete_along(table, span)
            else:
                only = " AND ".join(stays) or "1 = 1"
                chosen = self._chosen(table, going, span, only)
                done += self.session.execute(
                    f"DELETE FROM {name} AS t WHERE {identity} IN ({chosen}) AND {unchanged}"
                )
            if done != expected:  # one too many is somebody else's
                short.append(table)
                continue
            shown = str(self.graph.name(table))
            self.run.note(
                "batch", plan=self.run.digest, run=self.run.number, operation="erase",
                table=shown, step=self.run.step(op, shown, self.outcome.cell.name), rows=done,
                store=self.outcome.cell.name, batch=number,
            )  # fmt: skip
            if split and table in self.closure.split_here:  # the last of those that stay
                here = self.outcome.cell.name
                self.run.note(
                    "batch", plan=self.run.digest, run=self.run.number, operation="split",
                    table=shown, step=self.run.step("split", shown, here, here), rows=split,
                    store=here, batch=number,
                )  # fmt: skip
            self.run.progress(f"deleted {shown}", done)
            self._rows[table] = done
        return short

    def _staying(self, table: str, forms: Stubs) -> Iterator[tuple[str, set[str]]]:
        """Going rows of which something stays, and the columns that do: stubs, then copies."""
        if left := self.closure.left.get(table):
            yield left, forms.kept(table)
        if split := self.closure.split_here.get(table):
            yield split, forms.split(table)

    def _expected(self, number: int, table: str, span: str) -> int:
        """How many rows of a batch are to go from a table: all that are listed, or all that were
        carried. Of what is neither kept nor gone every row is at home, so none more can go."""
        if table in self.closure.routes:
            return self.move.copied.get((number, table), 0)
        return self._count(table, self.closure.going[table], span)

    def _delete_along(self, table: str, span: str) -> int:
        """Delete what the route finds. Every row on the way must be as it was, so that the way
        leads where it led when the row was carried: what goes now was carried then."""
        route = self.closure.route(table)
        same = " AND ".join(self.source.unchanged(a, self.seen) for a in route.passed)
        return self.session.execute(
            f"DELETE FROM {route.table} AS t USING {route.using} "
            f"WHERE {route.meets} AND {span} AND {same}"
        )

    def _carry_keyless(
        self, number: int, span: str, home: End, mark: str, tables: list[str]
    ) -> str:
        """Rows without a key cannot be found again at home, so they are carried and deleted under
        one lock; the journal keeps both transactions, so that a kill in between is told apart.

        The mark of the rows at home.
        """
        carrier = Carrier(self.source, home)
        batch = Batch(self.move, home, number)
        written = batch.mark = home.begin()
        home.in_order()
        try:
            places = {table: home.place(table) for table in tables}
            for table in tables:
                chosen = self._chosen(table, self.closure.going[table], span, "1 = 1")
                part = Part(
                    table,
                    f"SELECT {COLUMNS} FROM {self.session.dialect.table(table)} t "
                    f"WHERE {self._identity(table)} IN ({chosen}) "
                    f"AND {self.source.unchanged('t', self.seen)}",
                    "move",
                )
                carried = batch.check(carrier, batch.send_part(carrier, part))
                name = str(self.graph.name(table))
                self.run.note(
                    "batch", plan=self.run.digest, run=self.run.number, operation="move",
                    table=name, step=self.run.step("move", name, self.outcome.cell.name),
                    rows=carried.rows, from_=self.outcome.cell.name, to=self.move.action.home,
                    batch=number, bytes=carried.size, digest=carried.digest,
                    read_back=carried.digest,
                )  # fmt: skip
            written = home.pair_mark(written, places)
            self.run.state.note_pair(
                self.run.digest, self.run.number, self.outcome.cell.name, self.move.action.home,
                tables, written, mark,
            )  # fmt: skip
            home.commit()
        except BaseException:
            with suppress(StoreError):
                home.rollback()
            raise
        return written

    def _noted(self, span: str) -> Found:
        """Note the stubs that this batch leaves, before they are committed."""
        forms = Stubs(self.graph, self.session.dialect)
        found: Found = {}
        for sets, split in ((self.closure.left, False), (self.closure.split_here, True)):
            for table, rows in sets.items():
                where = f"EXISTS ({self._in(table, rows)})"
                chosen = self._chosen(table, self.closure.going[table], span, where)
                kept = forms.split(table) if split else None
                keys = self.move.note_stubs(self.outcome.cell.name, table, chosen, kept)
                if keys:
                    found.setdefault(table, []).extend(keys)
        return found

    # What changed.

    def _lock(self, span: str, order: list[str]) -> None:
        for table in order:
            going = self.closure.going.get(table)
            if going and any(e.binding for e in self.graph.into(table)):
                route = self.closure.route(table)
                free = self._free(table, span) if route.listed else span
                self.source.lock(f"SELECT 1 FROM {route.source} WHERE {free}", "t")

    def _lock_above(self, span: str) -> dict[str, str]:
        """The rows outside of the batch that tell whose its rows are, up every way, locked: who
        they belong to may not change until what hangs on them is gone. An erasure leaves nothing
        that could still go to another; a move has it at home.
        """
        found: dict[str, str] = {}
        if len(self.move.ranges) == 1 and not self.outcome.verdicts.held:
            return found  # whatever is above goes in this batch, and is locked
        waiting = [
            (t, f"(SELECT g.* FROM {g} g WHERE {self._free(t, span)})")
            for t, g in self.closure.going.items()
        ]
        while waiting:
            child, rows = waiting.pop()
            for edge in self.graph.edges[child]:
                if edge.subject or not self.graph.passes(edge):
                    continue
                parent = edge.parent
                known = [f"(SELECT g.* FROM {g} g WHERE {self._free(parent, span)})"
                         for g in [self.closure.going.get(parent)] if g]  # fmt: skip
                known += [found[parent]] if parent in found else []
                match = " AND ".join(f"x.{k} = a.{k}" for k in self.shapes.labels(parent))
                fresh = "".join(
                    f" AND NOT EXISTS (SELECT 1 FROM {k} x WHERE {match})" for k in known
                )
                above = self.work.create(
                    f"SELECT a.* FROM (SELECT DISTINCT {self.shapes.named(parent, 'p')} "
                    f"FROM {rows} c JOIN {self.session.dialect.table(child)} t "
                    f"ON {self.shapes.same(child, 't', 'c')} "
                    f"JOIN {self.session.dialect.table(parent)} p "
                    f"ON {self.shapes.refers(edge, 't', 'p')}) a WHERE 1 = 1{fresh}"
                )
                if self.work.any(above):
                    both = [above, found[parent]] if parent in found else [above]
                    found[parent] = self.work.create(
                        " UNION ".join(f"SELECT * FROM {rows}" for rows in both)
                    )
                    waiting.append((parent, above))
        for table in self.move.keyed:
            if table in found:
                self.source.lock(
                    f"SELECT 1 FROM {self.session.dialect.table(table)} t "
                    f"JOIN {found[table]} g ON {self.shapes.same(table, 't', 'g')}",
                    "t", shared=True,
                )  # fmt: skip
        return found

    def _newly_pointed(self, span: str) -> Found:
        """Rows of the batch that rows written since the survey refer to."""
        found: Found = {}
        for parent, going in self.closure.going.items():
            stays = [r[parent] for r in (self.closure.left, self.closure.split_here) if parent in r]
            for edge in self.graph.into(parent):
                if not edge.binding:
                    continue
                conditions = [
                    self._free(parent, span), f"NOT ({self.source.unchanged('t', self.seen)})",
                    *(f"NOT EXISTS ({self._in(parent, rows)})" for rows in stays),
                ]  # fmt: skip
                mine = self.closure.going.get(edge.child)
                # Of rows that a route finds it is not known which of the new ones were carried.
                if mine and edge.child not in self.closure.routes:
                    same = self.shapes.same(edge.child, "t", "m")
                    conditions.append(f"NOT EXISTS (SELECT 1 FROM {mine} m WHERE {same})")
                rows = self.session.query(
                    f"SELECT DISTINCT {self._texts(parent)} "
                    f"FROM {self.session.dialect.table(edge.child)} t "
                    f"{self.shapes.joined(edge, 't', 'g', going)} WHERE {' AND '.join(conditions)}"
                )
                if rows:
                    found.setdefault(parent, []).extend(rows)
        return found

    def _explain(self, short: list[str], span: str) -> None:
        """Tell rows that changed from rows that are gone; keep the first, forget the second."""
        changed: Found = {}
        for table in short:
            going = self.closure.going[table]
            name = self.session.dialect.table(table)
            same = self.shapes.same(table, "t", "g")
            free = self._free(table, span)
            rows = self.session.query(
                f"SELECT {self._texts(table)} FROM {going} g JOIN {name} t ON {same} "
                f"WHERE {free} AND NOT ({self.source.unchanged('t', self.seen)})"
            )
            if rows:
                changed[table] = rows
            gone = self.session.query(
                f"SELECT {self._texts(table)} FROM {going} g WHERE {free} "
                f"AND NOT EXISTS (SELECT 1 FROM {name} t WHERE {same})"
            )
            if gone:
                self._gone(table, gone)
        if changed:
            whole = self._users(changed)
            for table, rows in whole.items():
                changed[table] = list({*changed.get(table, []), *rows})
            self._keep(self._below(changed))

    def _above(self) -> Found:
        """Rows still to go that changed and by which others' persons are told. Of all batches:
        what hangs on them may be in a later one, which goes first."""
        found: Found = {}
        for table, going in self.closure.going.items():
            if table in self.closure.routes or not any(
                e.child in self.closure.going and self.graph.passes(e)
                for e in self.graph.into(table)
            ):
                continue
            rows = self.session.query(
                f"SELECT {self._texts(table)} FROM {going} g "
                f"JOIN {self.session.dialect.table(table)} t "
                f"ON {self.shapes.same(table, 't', 'g')} "
                f"WHERE {self._free(table, f'g.phi <= {self.upto}')} "
                f"AND NOT ({self.source.unchanged('t', self.seen)})"
            )
            if rows:
                found[table] = rows
        for table, above in self.telling.items():  # of which some do not go at all
            rows = self.session.query(
                f"SELECT {self._texts(table)} FROM {above} g "
                f"JOIN {self.session.dialect.table(table)} t "
                f"ON {self.shapes.same(table, 't', 'g')} "
                f"WHERE NOT ({self.source.unchanged('t', self.seen)})"
            )
            if rows:
                found[table] = [*{*found.get(table, []), *rows}]
        return found

    def _below(self, changed: Found) -> Found:
        """With every going row whose person is told by one that changed: it may be another's."""
        found: dict[str, set[Keys]] = {}
        waiting = {table: set(keys) for table, keys in changed.items()}
        while waiting:
            table, keys = waiting.popitem()
            known = found.setdefault(table, set())
            fresh = keys - known
            known |= fresh
            if not fresh or not self.shapes.identity(table):
                continue
            rows = self._remember({}, table, list(fresh))
            for edge in self.graph.into(table):
                going = self.closure.going.get(edge.child)
                if going and self.graph.passes(edge):
                    children = self.session.query(
                        f"SELECT {self._texts(edge.child)} FROM {going} g "
                        f"JOIN {self.session.dialect.table(edge.child)} t "
                        f"ON {self.shapes.same(edge.child, 't', 'g')} "
                        f"{self.shapes.joined(edge, 't', 'x', rows)} "
                        f"WHERE {self._free(edge.child, '1 = 1')}"
                    )
                    if children:
                        waiting.setdefault(edge.child, set()).update(children)
        return {table: list(keys) for table, keys in found.items() if keys}

    # Whose rows stay together.

    def _decides(self) -> dict[str, list[str]]:
        """The tables that say where somebody lives or when they were born → the subjects."""
        found: dict[str, list[str]] = {}
        for table, subject in self.graph.registers.items():
            tables = {table}
            for path in (subject.residence, subject.born):
                here = table
                for edge, backward in resolve(self.graph, table, path, "")[0] if path else ():
                    here = edge.child if backward else edge.parent
                    tables.add(here)
            for each in tables:
                found.setdefault(each, []).append(subject.name)
        return found

    def _users(self, changed: Found) -> Found:
        """All rows of the people whose register row, attachment, or row that says where they live
        has changed: who is moved to another country meanwhile is not to be torn in two."""
        parts: list[str] = []
        for table, keys in changed.items():
            attachment = self.graph.roles[table] == "attachment"
            work = self.outcome.ownership.work.get(table)
            if work is None or not (table in self.deciding or attachment):
                continue
            rows = self._remember({}, table, keys)
            match = " AND ".join(f"w.{k} = x.{k}" for k in self.shapes.labels(table))
            parts += [
                f"SELECT w.{end} AS n FROM {work} w JOIN {rows} x ON {match}"
                for end in ("pmin", "pmax")
            ]
            for edge in self.graph.into(table) if attachment else ():
                if edge.child in self.closure.going:
                    parts.append(
                        f"SELECT g.phi AS n FROM {self.closure.going[edge.child]} g "
                        f"JOIN {self.session.dialect.table(edge.child)} t "
                        f"ON {self.shapes.same(edge.child, 't', 'g')} "
                        f"{self.shapes.joined(edge, 't', 'x', rows)}"
                    )
        return self._whole(" UNION ".join(parts)) if parts else {}

    def _elsewhere(self) -> str:
        """A SELECT of the numbers of people of whom a row that does not go says by now that they
        live elsewhere: a city that came to another country, an address that several share.

        "" when nobody's rows are to be kept for that.
        """
        parts: list[str] = []
        for table, subjects in self.deciding.items():
            name = self.session.dialect.table(table)
            if table in self.graph.registers or not self.work.any(
                f"{name} t", f"NOT ({self.source.unchanged('t', self.seen)})"
            ):
                continue
            for subject in subjects:
                people = self.outcome.cell.people[subject]
                parts.append(people.changed(self.outcome.ownership.people[subject]))
        numbers = " UNION ".join(dict.fromkeys(parts))
        found = numbers and any(
            self.work.any(f"{going} g", self._about(table, f"({numbers})"))
            for table, going in self.closure.going.items()
        )
        return numbers if found else ""

    def _about(self, table: str, people: str) -> str:
        """The rows of alias `g`, still here and not kept yet, that are about people of a relation
        of numbers."""
        among = " OR ".join(
            f"g.{e} IN (SELECT n FROM {people} u WHERE n > 0)" for e in ("plo", "phi")
        )
        return f"{self._free(table, f'g.phi <= {self.upto}')} AND ({among})"

    def _whole(self, people: str) -> Found:
        """The rows, still here and not kept yet, that are about people of a SELECT of numbers."""
        numbers = self.work.create(f"SELECT DISTINCT n FROM ({people}) u WHERE n > 0")
        found: Found = {}
        if not self.work.any(numbers):
            return found
        for table in list(self.closure.going):
            rows = self.session.query(
                f"SELECT {self._texts(table)} FROM {self.closure.going[table]} g "
                f"WHERE {self._about(table, numbers)}"
            )
            if rows:
                found[table] = rows
        return found

    def _gone(self, table: str, gone: list[Keys]) -> None:
        """The application deleted these since: so does the copy at home go."""
        if self.home is not None and self.shapes.identity(table):
            self.move.settle()
            marks = self.run.state.marks(self.outcome.cell.name, self.move.action.home)
            ours = self.home.ours("t", marks)
            take_back(
                self.run.state, self.move.action.home, self.graph, self.home,
                {table: gone}, lambda _: ours,
            )  # fmt: skip
        self._remember(self.skip, table, gone)

    def _keep(self, found: Found) -> None:
        """Keep rows for the next round, and every going row that they refer to."""
        waiting = dict(found)
        kept: Found = {}
        while waiting:
            table, keys = waiting.popitem()
            kept[table] = [*kept.get(table, []), *keys]
            self.run.postponed += len(keys)
            rows = self._remember(self.keep, table, keys)
            if not self.shapes.identity(table):
                continue
            for edge in self.graph.edges[table]:
                going = self.closure.going.get(edge.parent)
                if not going or not edge.binding:
                    continue
                known = ""
                if edge.parent in self.keep:
                    known = f" AND NOT EXISTS ({self._in(edge.parent, self.keep[edge.parent])})"
                parents = self.session.query(
                    f"SELECT DISTINCT {self._texts(edge.parent)} FROM {rows} x "
                    f"JOIN {self.session.dialect.table(table)} t "
                    f"ON {self.shapes.same(table, 't', 'x')} "
                    f"{self.shapes.joined(edge, 't', 'g', going)} WHERE 1 = 1{known}"
                )
                if parents:
                    waiting[edge.parent] = [*waiting.get(edge.parent, []), *parents]
        if self.home is not None and self.home.tells:
            self.move.settle()
            self.move.keep(self.home, kept)

    def _remember(self, into: dict[str, str], table: str, keys: list[Keys]) -> str:
        """Add key texts to a set; the relation of these keys alone, in the store's own types."""
        name = self.work.name()
        labels = self.shapes.labels(table)
        self.session.load(name, [(k, "text") for k in labels], keys)
        identity = self.shapes.identity(table)
        shape = self.graph.table(table)
        texts = self.session.dialect.temp(name)
        rows = self.work.create(
            stored(self.session, self.work, shape, identity, texts)
            if identity else f"SELECT x.{labels[0]} FROM {texts} x"
        )  # fmt: skip
        if table in into:
            listed = ", ".join(labels)
            both = f"SELECT {listed} FROM {into[table]} UNION SELECT {listed} FROM {rows}"
            into[table] = self.work.create(both)
        else:
            into[table] = rows
        return rows

    # Small SELECTs.

    def _free(self, table: str, span: str) -> str:
        """Rows of the batch that are neither kept nor gone, over alias `g`."""
        out = [span]
        out += [
            f"NOT EXISTS ({self._in(table, known[table])})"
            for known in (self.keep, self.skip)
            if table in known
        ]
        return " AND ".join(out)

    def _in(self, table: str, rows: str) -> str:
        match = " AND ".join(f"n.{k} = g.{k}" for k in self.shapes.labels(table))
        return f"SELECT 1 FROM {rows} n WHERE {match}"

    def _count(self, table: str, going: str, span: str) -> int:
        return self.work.count(f"{going} g", self._free(table, span))

    def _chosen(self, table: str, going: str, span: str, where: str) -> str:
        keys = ", ".join(f"g.{k}" for k in self.shapes.labels(table))
        return f"SELECT {keys} FROM {going} g WHERE {self._free(table, span)} AND {where}"

    def _identity(self, table: str) -> str:
        return f"({', '.join(self.shapes.keys(table, 't'))})"

    def _texts(self, table: str) -> str:
        identity = self.shapes.identity(table)
        if not identity:
            return "g.k1"
        shape = self.graph.table(table)
        return ", ".join(
            self.session.dialect.text(f"g.k{i + 1}", shape.column(c).kind)
            for i, c in enumerate(identity)
        )
