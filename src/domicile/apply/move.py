"""One action carried out: copy home in batches of people, read back, then delete at the source.

Two passes. The first copies batch after batch, each one transaction at home; a row goes with the
last person it concerns, so its parents are there before it. The second deletes batch after batch
in the opposite order, each one transaction at the source, and only what is as it was when the
survey saw it. Until then every row is at both ends; a kill anywhere leaves it in at least one.
What changed in between is left for the next round, with every row that it refers to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from domicile.apply.carry import COLUMNS, Carried, Carrier, of
from domicile.apply.context import Run
from domicile.apply.ends import End
from domicile.apply.keys import listed, parents_first
from domicile.apply.removal import Removal
from domicile.errors import FidelityError, StoreError, StoreRefused
from domicile.plan.actions import Action
from domicile.plan.closure import Closure
from domicile.plan.home import row_digest
from domicile.plan.planner import Outcome
from domicile.survey.ghosts import describe
from domicile.survey.state import Keys
from domicile.survey.stubs import Stubs

BATCH_ROWS = 3_000_000
"""Rows aimed at for a batch: large enough for the stores' own speed, small enough to redo."""

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
        self.upto: dict[int, int] = {}  # batch → the last person in it
        self.copied: dict[tuple[int, str], int] = {}  # batch, table → rows that went
        self.keyed = [t for t in self._order() if self.shapes.identity(t)]
        self.keyless = [t for t in self._order() if not self.shapes.identity(t)]

    def carry_out(self) -> dict[str, int]:
        """Copy, verify and delete; how many rows of each table left the source.

        Raises StoreError; what was done is in the journal.
        """
        ranges = self._ranges()
        removal = Removal(self.run, self.outcome, self.closure, self.source, self.seen)
        if self.home is not None:
            self._along(self.home)
            for number, (after, upto) in enumerate(ranges, 1):
                self.upto[number] = upto
                self._copy(self.home, number, after, upto)
        for number, (after, upto) in reversed(list(enumerate(ranges, 1))):
            removal.remove(number, after, upto, self.home, self)
        if self.home is not None and not self.run.postponed:
            self.run.state.finish_batches(self.outcome.cell.name, self.action.home)
        return removal.rows

    # Pass one.

    def _along(self, home: End) -> None:
        """Reference rows, shared attachments, and stubs for what stays with somebody else."""
        closure = self.closure
        if closure.copies:
            self._transaction(home, 0, [
                (t, (f"SELECT {COLUMNS} FROM {self._table(t)} t JOIN {rows} g "
                    f"ON {self.shapes.same(t, 't', 'g')}"), "copy")
                for t in self.keyed if (rows := closure.copies.get(t))
            ])  # fmt: skip
        if closure.stubs or closure.split_home:
            self._stub_home(home)

    def _stub_home(self, home: End) -> None:
        """Stubs of rows that stay with somebody else, and copies of those that are split."""
        forms = Stubs(self.graph, self.source.session.dialect)
        q = self.source.session.dialect.quote
        work: list[tuple[str, str, str]] = []
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
                work.append((table, f"SELECT {COLUMNS} FROM ({both}) t", op))
        self._transaction(home, 0, work)
        with self.run.state.transaction():
            for table, keys in noted:
                self.run.state.sure_stubs(self.action.home, table, keys)

    def _copy(self, home: End, number: int, after: int, upto: int) -> None:
        work: list[tuple[str, str, str]] = []
        replaced: list[tuple[str, str, str]] = []
        there: list[tuple[str, str]] = []
        marks = self.run.state.marks(self.outcome.cell.name, self.action.home)
        for table in self.keyed:
            going = self.closure.going.get(table)
            if not going:
                continue
            span = self.span(after, upto)
            absent = ""
            if table in self.closure.present:
                present = self.closure.present[table]
                match = self._match(table, "p", "g")
                absent = f" AND NOT EXISTS (SELECT 1 FROM {present} p WHERE {match})"
                if marks:
                    there.append((
                        table, f"SELECT p.* FROM {present} p JOIN {going} g ON {match} WHERE {span}"
                    ))  # fmt: skip
            work.append((
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
                    replaced.append((
                        table,
                        (f"SELECT o.* FROM {old[table]} o JOIN {going} g ON {match} "
                        f"JOIN {self._table(table)} t ON {self.shapes.same(table, 't', 'g')} "
                        f"WHERE {span}"),
                        still,
                    ))  # fmt: skip
        self._transaction(home, number, work, replaced, there)

    def _transaction(
        self, home: End, number: int, work: list[tuple[str, str, str]],
        replaced: Sequence[tuple[str, str, str]] = (), there: Sequence[tuple[str, str]] = (),
    ) -> None:  # fmt: skip
        """Carry several tables in one transaction at home, read back, and note it.

        `replaced`: (table, rows, condition) of what the home has and is to be taken away first.
        `there`: (table, rows) that an earlier run carried, which become this transaction's.
        """
        carrier = Carrier(self.source, home)
        seen = self.source.snapshot() if self.source.concurrent else self.seen
        mark = home.begin()
        for end in (self.source, home):
            end.in_order()
        self.marks[number] = mark
        try:
            completed = self._replace(home, replaced)
            for table, select, op in work:
                carried = self.carried(carrier, home, table, select, mark)
                if not carried.rows:
                    continue
                if op == "move":
                    self.copied[number, table] = carried.rows
                name = str(self.graph.name(table))
                self.run.note(
                    "batch", plan=self.run.digest, run=self.run.number, operation=op, table=name,
                    step=self.run.step(op, name, self.outcome.cell.name, self.action.home),
                    rows=carried.rows,
                    from_=self.outcome.cell.name, to=self.action.home, batch=number,
                    bytes=carried.size, digest=carried.digest, read_back=carried.digest,
                )  # fmt: skip
                self.run.progress(f"copied {name}", carried.rows)
            # After the reading back, which looks for what this transaction wrote.
            for table, rows in there:
                self.touch(home, table, self.keys_of(table, rows))
            # Before the commit: should we be killed right after it, the next run knows whose
            # rows these are.
            if not home.tells and number:
                self._note_copied(mark, work)
            with self.run.state.transaction():
                self.run.state.note_batch(
                    self.run.digest, self.run.number, self.outcome.cell.name, self.action.home,
                    number, mark, seen,
                )  # fmt: skip
                self.run.state.note_unsaid(self.action.home, mark, self.run.entries)
            home.seal()
            home.commit()
        except BaseException:
            self._undo(home)
            raise
        finally:
            if self.source.concurrent:
                with suppress(StoreError):
                    self.source.rollback()
        with self.run.state.transaction():
            for table, keys in completed:
                self.run.state.remove_stubs(self.action.home, table, keys)
        self.run.flush_for(self.action.home, mark)

    def _undo(self, home: End) -> None:
        self.run.entries = []
        # A lost connection has no transaction left to give up.
        with suppress(StoreError):
            home.rollback()

    def carried(self, carrier: Carrier, home: End, table: str, select: str, mark: str) -> Carried:
        """Carry one table and read it back; the two digests must be equal."""
        shape = home.session.schema.tables[table]
        # A column that only the home has fills itself; else the plan would have held these rows.
        given = set(self.graph.table(table).names)
        columns = [c.name for c in shape.columns if c.name in given and not c.generated]
        before = home.place(table)
        carried = carrier.carry(shape, select, columns)
        if not carried.rows:
            return carried
        there = f"SELECT {COLUMNS} FROM {home.session.dialect.table(table)} t WHERE "
        written = home.written("t", mark, before)
        if written is None:
            with self._keys_at_home(carrier, home, table, select) as same:
                back = carrier.read(home, shape, there + same, columns)
        else:
            back = carrier.read(home, shape, there + written, columns, order=False)
            if back.digest != carried.digest and carrier.native:
                # The home may have put rows elsewhere than one after the other.
                carried = carrier.read(self.source, shape, select, columns)
                written = home.written("t", mark, "")
                back = carrier.read(home, shape, f"{there}{written}", columns)
        if back.digest != carried.digest:
            if not carrier.native and written is not None:
                odd = carrier.differing(shape, select, there + written, columns)
                if odd:
                    raise FidelityError(
                        self.action.home,
                        f"table {table}: what was read back is not what was sent, in "
                        + ", ".join(f"{c} ({shape.column(c).type})" for c in odd),
                        hint="nothing was deleted; give the column a type at home that keeps "
                        "these values, or mend them at the source",
                    )
            raise StoreRefused(
                self.action.home,
                f"what was read back of {table} is not what was sent: {carried.rows} rows sent, "
                f"{back.rows} read",
                hint="nothing was deleted; a value reads differently there: compare the types",
            )
        return carried

    @contextmanager
    def _keys_at_home(self, carrier: Carrier, home: End, table: str, select: str) -> Iterator[str]:
        """A condition for the rows that were sent, for a home that cannot say what we wrote."""
        here, there = self.source.session.dialect, home.session.dialect
        shape = home.session.schema.tables[table]
        identity = self.shapes.identity(table)
        texts = ", ".join(here.text(f"t.{here.quote(c)}", shape.column(c).kind) for c in identity)
        name = self.closure.work.name()
        home.session.load(
            name, [(f"k{i + 1}", "text") for i in range(len(identity))],
            (row for batch in self.source.session.stream(of(select, texts)) for row in batch),
        )  # fmt: skip
        back = ", ".join(there.text(f"t.{there.quote(c)}", shape.column(c).kind) for c in identity)
        keys = ", ".join(f"x.k{i + 1}" for i in range(len(identity)))
        yield f"({back}) IN (SELECT {keys} FROM {there.temp(name)} x)"
        home.session.execute(f"DROP TABLE {there.temp(name)}")

    def _replace(
        self, home: End, replaced: Sequence[tuple[str, str, str]]
    ) -> list[tuple[str, list[Keys]]]:
        """Take away, inside the transaction, stubs and older copies that the real rows replace."""
        completed: list[tuple[str, list[Keys]]] = []
        for table, rows, still in replaced:
            keys = self.keys_of(table, rows)
            if not keys:
                continue
            # Unsure until the commit: whoever reads this state looks at the row itself.
            with self.run.state.transaction():
                self.run.state.doubt_stubs(self.action.home, table, keys)
            self.delete_home(home, table, keys, still)
            completed.append((table, keys))
        return completed

    def delete_home(self, home: End, table: str, keys: list[Keys], extra: str = "1 = 1") -> int:
        """Delete rows at home by their key texts; how many were there."""
        with listed(home, table, self.shapes.identity(table), keys) as these:
            return home.session.execute(
                f"DELETE FROM {home.session.dialect.table(table)} AS t WHERE {these} AND {extra}"
            )

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
            self._undo(home)
            raise

    def _note_copied(self, mark: str, work: list[tuple[str, str, str]]) -> None:
        """For a home that cannot tell what we wrote: keys and digests of the rows."""
        session = self.source.session
        with self.run.state.transaction():
            for table, select, _ in work:
                identity = self.shapes.identity(table)
                shape = self.graph.table(table)
                texts = [
                    session.dialect.text(f"t.{session.dialect.quote(c)}", shape.column(c).kind)
                    for c in identity
                ]
                columns = [c.name for c in shape.columns if not c.generated]
                digest = row_digest(session, table, "t", columns)
                rows = session.stream(of(select, ", ".join([*texts, digest])))
                self.run.state.note_copied(
                    self.action.home, mark, table, ((r[:-1], r[-1]) for b in rows for r in b)
                )

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

    def span(self, after: int, upto: int) -> str:
        """The rows of one batch, over alias `g`."""
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
        batches = -(-rows // BATCH_ROWS)  # of equal size: a small last one costs a reading too
        step = max(1, -(-people // batches))
        return [(after, min(after + step, people)) for after in range(0, people, step)]
