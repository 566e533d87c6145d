"""One action carried out: copy home in batches of people, read back, then delete at the source.

Two passes. The first copies batch after batch, each one transaction at home; a row goes with the
last person it concerns, so its parents are there before it. The second deletes batch after batch
in the opposite order, each one transaction at the source, and only what is as it was when the
survey saw it. Until then every row is at both ends; a kill anywhere leaves it in at least one.
What changed in between is left for the next round, with every row that it refers to.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress

from domicile.apply.batch import Batch, Part, Replaced
from domicile.apply.carry import COLUMNS
from domicile.apply.context import Run
from domicile.apply.ends import End
from domicile.apply.keys import listed, parents_first
from domicile.apply.removal import Removal
from domicile.errors import StoreError
from domicile.plan.actions import Action
from domicile.plan.closure import Closure
from domicile.plan.planner import Outcome
from domicile.survey.ghosts import describe
from domicile.survey.state import Keys
from domicile.survey.stubs import Stubs

BATCH_ROWS = 6_000_000
"""Rows aimed at for a batch: few readings of a table whose people's rows lie scattered, and not too
many to redo."""

SMALLER = 4
"""How many times smaller batches are in each further round: where writers are at work, the fewer
rows a batch has, the likelier nothing of it changes while it is deleted."""

KEPT = -1
"""The number of a batch that carries nothing: copies of rows that stay for another round."""


class Move:
    """Carries out one action of one store. `home` is None for an erasure."""

    def __init__(
        self, run: Run, outcome: Outcome, action: Action, source: End, home: End | None, seen: str
    ) -> None:
        self.run = run
        self.outcome = outcome
        self.action = action
        self.closure: Closure = outcome.closures[action]
        self.graph = outcome.cell.graph
        self.shapes = self.closure.shapes
        self.source = source
        self.home = home
        self.seen = seen
        self.marks: dict[int, str] = {}  # batch → its transaction at home
        self.ranges: list[tuple[int, int]] = []  # people of each batch, from 1 on: after, up to
        self.copied: dict[tuple[int, str], int] = {}  # batch, table → rows that went
        self._last: Batch | None = None  # sent, not yet committed
        self._again: int | None = None  # given up, to be carried again
        self.keyed = [t for t in self._order() if self.shapes.identity(t)]
        self.keyless = [t for t in self._order() if not self.shapes.identity(t)]

    def carry_out(self) -> dict[str, int]:
        """Copy, verify and delete; how many rows of each table left the source.

        Raises StoreError; what was done is in the journal.
        """
        self.ranges = self._ranges()
        removal = Removal(self, self.seen)
        try:
            if self.home is not None:
                self._along(self.home)
                self._copy(self.home)
            for number in range(len(self.ranges), 0, -1):
                if not removal.remove(number):
                    removal.postpone(number)
                    break
            self.settle()
        except BaseException:
            if self._last is not None:
                self._last.undo()
            raise
        if self.home is not None and not self.run.postponed:
            self.run.state.finish_batches(self.outcome.cell.name, self.action.home)
        return removal.rows

    # Pass one.

    def _copy(self, home: End) -> None:
        keyless = any(t in self.closure.going for t in self.keyless)
        for number in range(1, len(self.ranges) + 1):
            batch = self._batch(home, number)
            # Of what has no key more is to be carried while the source deletes.
            if number == len(self.ranges) and batch.native and not keyless:
                batch.send()
                self._last = batch
            else:
                batch.carry()

    def _along(self, home: End) -> None:
        """Reference rows, shared attachments, and stubs for what stays with somebody else."""
        closure = self.closure
        if closure.copies:
            batch = Batch(self, home, 0)
            batch.parts = [
                Part(t, (f"SELECT {COLUMNS} FROM {self._table(t)} t JOIN {rows} g "
                    f"ON {self.shapes.same(t, 't', 'g')}"), "copy")
                for t in self.keyed if (rows := closure.copies.get(t))
            ]  # fmt: skip
            batch.carry()
        if closure.stubs or closure.split_home:
            self._stub_home(home)

    def _stub_home(self, home: End) -> None:
        """Stubs of rows that stay with somebody else, and copies of those that are split."""
        forms = Stubs(self.graph, self.source.session.dialect)
        q = self.source.session.dialect.quote
        batch = Batch(self, home, 0)
        noted: list[tuple[str, list[Keys]]] = []
        for table in self.keyed:
            made: list[str] = []
            for rows, kept in (
                (self.closure.stubs.get(table), None),
                (self.closure.split_home.get(table), forms.split(table)),
            ):
                if not rows:
                    continue
                values = forms.values(table, kept)
                assert values is not None  # the closure held every row whose stub is refused
                columns = ", ".join(f"{v} AS {q(c)}" for c, v in values.items())
                made.append(
                    f"SELECT {columns} FROM {self._table(table)} t "
                    f"JOIN {rows} g ON {self.shapes.same(table, 't', 'g')}"
                )
                noted.append((table, self.note_stubs(self.action.home, table, rows, kept)))
            if made:
                # One stream a table: what was written to a table is read back as a whole.
                op = "split" if table in self.closure.split_home else "stub"
                both = " UNION ALL ".join(made)
                batch.parts.append(Part(table, f"SELECT {COLUMNS} FROM ({both}) t", op))
        batch.carry()
        with self.run.state.transaction():
            for table, keys in noted:
                self.run.state.sure_stubs(self.action.home, table, keys)

    def _batch(self, home: End, number: int) -> Batch:
        """What one batch of people carries."""
        batch = Batch(self, home, number)
        span = self.span(number)
        marks = self.run.state.marks(self.outcome.cell.name, self.action.home)
        for table in self.keyed:
            going = self.closure.going.get(table)
            if not going:
                continue
            absent = ""
            if table in self.closure.present:
                present = self.closure.present[table]
                match = self._match(table, "p", "g")
                absent = f" AND NOT EXISTS (SELECT 1 FROM {present} p WHERE {match})"
                if marks:
                    rows = f"SELECT p.* FROM {present} p JOIN {going} g ON {match} WHERE {span}"
                    batch.there.append((table, rows))
            batch.parts.append(Part(
                table,
                f"SELECT {COLUMNS} FROM {self.closure.route(table).source} WHERE {span}{absent}",
                "move",
            ))  # fmt: skip
            # An older copy goes only while it is still as we wrote it.
            for old, still in (
                (self.closure.completes, "1 = 1"), (self.closure.again, home.ours("t", marks)),
            ):  # fmt: skip
                if table in old:
                    match = self._match(table, "o", "g")
                    # A row that the application has just deleted brings nothing to put in its
                    # place, and others may point at the old one: the next round takes that back.
                    batch.replaced.append(Replaced(
                        table,
                        (f"SELECT o.* FROM {old[table]} o JOIN {going} g ON {match} "
                        f"JOIN {self._table(table)} t ON {self.shapes.same(table, 't', 'g')} "
                        f"WHERE {span}"),
                        still,
                    ))  # fmt: skip
        return batch

    def settle(self, *, wait: bool = True) -> bool:
        """See to it that the home has committed the last batch, which it reads back while the
        source deletes already; nothing of it may be committed there before.

        False when what was read back came in another order: then it has to be carried again,
        which is done here unless the caller, with `wait=False`, has a transaction open at the
        source. Raises StoreError.
        """
        batch, self._last = self._last, None
        if batch is not None:
            entries, self.run.entries = self.run.entries, []
            try:
                alike = batch.read_back()
                if alike:
                    batch.finish()
                else:
                    batch.undo()
            except BaseException:
                batch.undo()
                raise
            finally:
                self.run.entries = entries
            self._again = None if alike else batch.number
        if self._again is None:
            return True
        if wait:
            assert self.home is not None  # it was sent there
            self._batch(self.home, self._again).carry()
            self._again = None
        return self._again is None

    def touch(self, home: End, table: str, keys: list[Keys]) -> None:
        """Rows at home that we carried earlier become the open transaction's."""
        marks = self.run.state.marks(self.outcome.cell.name, self.action.home)
        if not keys or not marks:
            return
        with listed(home, table, self.shapes.identity(table), keys) as these:
            home.touch(table, f"{these} AND {home.ours('t', marks)}")

    def keep(self, home: End, kept: Mapping[str, list[Keys]]) -> None:
        """Copies at home of rows that the source keeps for now: a batch of their own, so that the
        journal tells them from rows that were moved."""
        mark = home.begin()
        try:
            for table, keys in kept.items():
                if self.shapes.identity(table):
                    self.touch(home, table, keys)
            self.run.state.note_batch(
                self.run.digest, self.run.number, self.outcome.cell.name, self.action.home,
                KEPT, mark, self.seen,
            )  # fmt: skip
            home.commit()
        except BaseException:
            with suppress(StoreError):
                home.rollback()
            raise

    def note_stubs(
        self, store: str, table: str, rows: str, kept: Collection[str] | None = None
    ) -> list[Keys]:
        """Note stubs that are about to be written in a store, or copies that keep the columns
        `kept`; their keys."""
        relation = f"({rows})" if rows.startswith("SELECT") else rows
        ghosts = describe(self.outcome.ownership, self.outcome.cell.people, table, relation)
        digests: dict[Keys, str] = {}
        if kept is not None:
            session = self.source.session
            forms = Stubs(self.graph, session.dialect)
            found = session.query(
                f"SELECT {self._key_texts(table)}, {forms.fingerprint(table, kept)} "
                f"FROM {relation} g JOIN {self._table(table)} t "
                f"ON {self.shapes.same(table, 't', 'g')}"
            )
            digests = {row[:-1]: str(row[-1]) for row in found}
        with self.run.state.transaction():
            self.run.state.note_stubs(
                store, table,
                (
                    (g.keys, [p for p in (g.first, g.last) if p is not None],
                     digests.get(g.keys, ""))
                    for g in ghosts
                ),
                tuple(kept or ()),
            )  # fmt: skip
        return [g.keys for g in ghosts]

    # Small things.

    def keys_of(self, table: str, rows: str) -> list[Keys]:
        """The key texts of rows of the source, named by a relation with their key columns."""
        relation = f"({rows})" if rows.startswith("SELECT") else rows
        return self.source.session.query(f"SELECT {self._key_texts(table)} FROM {relation} g")

    def _key_texts(self, table: str) -> str:
        """The key of alias `g`, which has key columns, as texts."""
        dialect = self.source.session.dialect
        shape = self.graph.table(table)
        return ", ".join(
            dialect.text(f"g.k{i + 1}", shape.column(c).kind)
            for i, c in enumerate(self.shapes.identity(table))
        )

    def span(self, number: int) -> str:
        """The rows of one batch, over alias `g`."""
        after, upto = self.ranges[number - 1]
        return f"g.phi > {after} AND g.phi <= {upto}"

    def _match(self, table: str, one: str, other: str) -> str:
        return " AND ".join(f"{one}.{k} = {other}.{k}" for k in self.shapes.labels(table))

    def _table(self, table: str) -> str:
        return self.source.session.dialect.table(table)

    def _order(self) -> list[str]:
        return parents_first(self.graph)

    def _ranges(self) -> list[tuple[int, int]]:
        """Batches as ranges of people's numbers, by rows."""
        if not self.closure.going:
            return []
        rows = max(1, sum(self.closure.rough(table) for table in self.closure.going))
        people = self.closure.people()
        if not self.source.concurrent:
            return [(-1, people)]
        most = max(1, BATCH_ROWS // SMALLER**self.run.rounds)
        batches = -(-rows // most)  # of equal size: a small last one costs a reading too
        step = max(1, -(-people // batches))
        return [(after, min(after + step, people)) for after in range(0, people, step)]
