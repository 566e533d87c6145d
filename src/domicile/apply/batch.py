"""One transaction at home: rows of several tables carried there, read back, noted, committed.

`carry` does it all at once. `send`, `read_back` and `finish` do it in steps, so that the source
can be at work while the home reads back; nothing is committed before what was read back is equal
to what was sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from domicile.apply.carry import COLUMNS, Carried, Carrier, of
from domicile.apply.ends import End
from domicile.apply.keys import listed
from domicile.errors import FidelityError, StoreError, StoreRefused
from domicile.plan.home import row_digest
from domicile.stores.postgres_loop import Pending
from domicile.stores.schema import Table
from domicile.survey.state import Keys

if TYPE_CHECKING:
    from domicile.apply.move import Move


@dataclass(frozen=True)
class Part:
    """Rows of one table that go over."""

    table: str
    select: str  # over alias `t`, with COLUMNS for its select list
    op: str  # of the plan's step: move, copy or stub


@dataclass(frozen=True)
class Replaced:
    """Rows at home that go before the real ones come: stubs, and older copies."""

    table: str
    rows: str  # their keys, in the source's session
    still: str  # what must hold of them at home, over alias `t`


@dataclass(frozen=True)
class Sent:
    """A part that is at home, in the open transaction, and where it was put."""

    part: Part
    shape: Table
    columns: list[str]
    place: str
    carried: Carried


class Batch:
    """Number 0 is what comes along with the rows of people: copies and stubs."""

    def __init__(self, move: Move, home: End, number: int) -> None:
        self.move = move
        self.run = move.run
        self.source = move.source
        self.home = home
        self.number = number
        self.parts: list[Part] = []
        self.replaced: list[Replaced] = []
        self.there: list[tuple[str, str]] = []
        """(table, keys in the source's session) of rows that an earlier run carried, which become
        this transaction's."""
        self.mark = ""
        self._seen = ""
        self._sent: list[Sent] = []
        self._completed: list[tuple[str, list[Keys]]] = []
        self._reading: Pending[list[Carried]] | None = None

    @property
    def native(self) -> bool:
        """Whether `read_back` can go on while the source does other work."""
        return Carrier(self.source, self.home).native

    def carry(self) -> None:
        """Send, read back, commit. Raises StoreError, FidelityError; then nothing was done."""
        carrier = self._begin()
        try:
            try:
                self._completed = self._replace()
                for part in self.parts:
                    sent = self.send_part(carrier, part)
                    self._sent.append(replace(sent, carried=self.check(carrier, sent)))
                self.finish()
            finally:
                self._end_reading()
        except BaseException:
            self.undo()
            raise

    def send(self) -> None:
        """Send everything, and begin to read back. Raises StoreError."""
        carrier = self._begin()
        try:
            try:
                self._completed = self._replace()
                self._sent = [self.send_part(carrier, part) for part in self.parts]
            finally:
                self._end_reading()
            self._reading = carrier.read_later(self.home, [
                (s.shape, f"{self._there(s)}{self._written(s)}", s.columns)
                for s in self._sent if s.carried.rows
            ])  # fmt: skip
        except BaseException:
            self.undo()
            raise

    def read_back(self) -> bool:
        """After `send`: whether what was read back is what was sent, in the same order."""
        sent = [s.carried.digest for s in self._sent if s.carried.rows]
        return self._reading is None or [c.digest for c in self._reading.result()] == sent

    def finish(self) -> None:
        """Note what was done, in the journal too, and commit."""
        move, home, state = self.move, self.home, self.run.state
        for sent in self._sent:
            part, carried = sent.part, sent.carried
            if not carried.rows:
                continue
            name = str(move.graph.name(part.table))
            self.run.note(
                "batch", plan=self.run.digest, run=self.run.number, operation=part.op, table=name,
                step=self.run.step(part.op, name, move.outcome.cell.name, move.action.home),
                rows=carried.rows,
                from_=move.outcome.cell.name, to=move.action.home, batch=self.number,
                bytes=carried.size, digest=carried.digest, read_back=carried.digest,
            )  # fmt: skip
            self.run.progress(f"copied {name}", carried.rows)
        # After the reading back, which looks for what this transaction wrote.
        for table, rows in self.there:
            move.touch(home, table, move.keys_of(table, rows))
        # Before the commit: should we be killed right after it, the next run knows whose
        # rows these are.
        if not home.tells and self.number:
            self._note_copied()
        with state.transaction():
            state.note_batch(
                self.run.digest, self.run.number, move.outcome.cell.name, move.action.home,
                self.number, self.mark, self._seen,
            )  # fmt: skip
            state.note_unsaid(move.action.home, self.mark, self.run.entries)
        home.seal()
        home.commit()
        with state.transaction():
            for table, keys in self._completed:
                state.remove_stubs(move.action.home, table, keys)
        self.run.flush_for(move.action.home, self.mark)

    def undo(self) -> None:
        """Give the transaction up."""
        self.run.entries = []
        if self._reading is not None:
            self._reading.cancel()
        # A lost connection has no transaction left to give up.
        with suppress(StoreError):
            self.home.rollback()

    # Sending.

    def _begin(self) -> Carrier:
        self._seen = self.source.snapshot() if self.source.concurrent else self.move.seen
        self.mark = self.home.begin()
        self.move.marks[self.number] = self.mark
        for end in (self.source, self.home):
            end.in_order()
        return Carrier(self.source, self.home)

    def _end_reading(self) -> None:
        if self.source.concurrent:
            with suppress(StoreError):
                self.source.rollback()

    def send_part(self, carrier: Carrier, part: Part) -> Sent:
        """Carry the rows of one table."""
        shape = self.home.session.schema.tables[part.table]
        # A column that only the home has fills itself; else the plan would have held these rows.
        given = set(self.move.graph.table(part.table).names)
        columns = [c.name for c in shape.columns if c.name in given and not c.generated]
        place = self.home.place(part.table)
        carried = carrier.carry(shape, part.select, columns)
        if part.op == "move":
            self.move.copied[self.number, part.table] = carried.rows
        return Sent(part, shape, columns, place, carried)

    def _replace(self) -> list[tuple[str, list[Keys]]]:
        """Take away, inside the transaction, stubs and older copies that the real rows replace."""
        completed: list[tuple[str, list[Keys]]] = []
        state = self.run.state
        for old in self.replaced:
            keys = self.move.keys_of(old.table, old.rows)
            if not keys:
                continue
            # Unsure until the commit: whoever reads this state looks at the row itself.
            with state.transaction():
                state.doubt_stubs(self.move.action.home, old.table, keys, self.mark)
            with listed(self.home, old.table, self.move.shapes.identity(old.table), keys) as these:
                self.home.session.execute(
                    f"DELETE FROM {self.home.session.dialect.table(old.table)} AS t "
                    f"WHERE {these} AND {old.still}"
                )
            completed.append((old.table, keys))
        return completed

    def _note_copied(self) -> None:
        """For a home that cannot tell what we wrote: keys and digests of the rows."""
        session = self.source.session
        with self.run.state.transaction():
            for part in self.parts:
                identity = self.move.shapes.identity(part.table)
                shape = self.move.graph.table(part.table)
                texts = [
                    session.dialect.text(f"t.{session.dialect.quote(c)}", shape.column(c).kind)
                    for c in identity
                ]
                columns = [c.name for c in shape.columns if not c.generated]
                digest = row_digest(session, part.table, "t", columns)
                rows = session.stream(of(part.select, ", ".join([*texts, digest])))
                self.run.state.note_copied(
                    self.move.action.home, self.mark, part.table,
                    ((r[:-1], r[-1]) for b in rows for r in b),
                )  # fmt: skip

    # Reading back.

    def _there(self, sent: Sent) -> str:
        table = self.home.session.dialect.table(sent.part.table)
        return f"SELECT {COLUMNS} FROM {table} t WHERE "

    def _written(self, sent: Sent) -> str | None:
        return self.home.written("t", self.mark, sent.place)

    def check(self, carrier: Carrier, sent: Sent) -> Carried:
        """Read one part back while the source's snapshot is open: what was sent and read alike.

        Raises FidelityError naming the columns that read differently, StoreRefused.
        """
        if not sent.carried.rows:
            return sent.carried
        home, there, written = self.home, self._there(sent), self._written(sent)
        shape, columns, select, went = sent.shape, sent.columns, sent.part.select, sent.carried
        table = sent.part.table
        if written is None:
            with self._keys_at_home(table, select) as same:
                back = carrier.read(home, shape, there + same, columns)
        else:
            back = carrier.read(home, shape, there + written, columns, order=False)
            if back.digest != went.digest and carrier.native:
                # The home may have put rows elsewhere than one after the other.
                went = carrier.read(self.source, shape, select, columns)
                written = home.written("t", self.mark, "")
                back = carrier.read(home, shape, f"{there}{written}", columns)
        if back.digest == went.digest:
            return went
        if not carrier.native and written is not None:
            odd = carrier.differing(shape, select, there + written, columns)
            if odd:
                raise FidelityError(
                    self.move.action.home,
                    f"table {table}: what was read back is not what was sent, in "
                    + ", ".join(f"{c} ({shape.column(c).type})" for c in odd),
                    hint="nothing was deleted; give the column a type at home that keeps "
                    "these values, or mend them at the source",
                )
        raise StoreRefused(
            self.move.action.home,
            f"what was read back of {table} is not what was sent: {went.rows} rows sent, "
            f"{back.rows} read",
            hint="nothing was deleted; a value reads differently there: compare the types",
        )

    @contextmanager
    def _keys_at_home(self, table: str, select: str) -> Iterator[str]:
        """A condition for the rows that were sent, for a home that cannot say what we wrote."""
        home = self.home
        here, there = self.source.session.dialect, home.session.dialect
        shape = home.session.schema.tables[table]
        identity = self.move.shapes.identity(table)
        texts = ", ".join(here.text(f"t.{here.quote(c)}", shape.column(c).kind) for c in identity)
        name = self.move.closure.work.name()
        home.session.load(
            name, [(f"k{i + 1}", "text") for i in range(len(identity))],
            (row for batch in self.source.session.stream(of(select, texts)) for row in batch),
        )  # fmt: skip
        back = ", ".join(there.text(f"t.{there.quote(c)}", shape.column(c).kind) for c in identity)
        keys = ", ".join(f"x.k{i + 1}" for i in range(len(identity)))
        yield f"({back}) IN (SELECT {keys} FROM {there.temp(name)} x)"
        home.session.execute(f"DROP TABLE {there.temp(name)}")
