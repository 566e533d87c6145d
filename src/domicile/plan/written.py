"""Rows at a home that an unfinished run of apply wrote: copies of ours, and nobody else's rows.

A run that was cut off leaves copies at home of rows that the source still has. When the source's
row has changed since, the two differ; that is no collision, because apply carries the row anew. So
plan, apply and verify ask here first, of the journal in the estate's state.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from domicile.plan.home import row_digest
from domicile.stores.postgres_marks import written_by
from domicile.survey.ownership import Shapes
from domicile.survey.state import Keys, State
from domicile.survey.survey import Cell
from domicile.survey.work import Work


class Written:
    """What came from one source to one home and may still be at both."""

    def __init__(self, state: State | None, source: str, home: Cell) -> None:
        """`state`: None when nothing is kept between runs; then no row is ours."""
        self.state = state
        self.source = source
        self.home = home
        self._work = Work(home.session, f"o_{source}_")

    def condition(self, table: str) -> str:
        """Over alias `t`: the row is as an unfinished run wrote it, and nobody since."""
        if self.home.session.dialect.name == "postgres":
            return written_by("t", self._marks)
        rows = self._copied.get(table)
        return self._listed(table, rows) if rows else "1 = 0"

    @cached_property
    def _marks(self) -> Sequence[str]:
        return self.state.marks(self.source, self.home.name) if self.state else ()

    @cached_property
    def _copied(self) -> dict[str, list[tuple[Keys, str]]]:
        """Keys and digests, of a store that cannot tell who wrote a row: the journal has them."""
        found: dict[str, list[tuple[Keys, str]]] = {}
        for mark in self._marks:
            assert self.state is not None  # there are no marks without it
            for table, rows in self.state.copied(self.home.name, mark).items():
                found.setdefault(table, []).extend(rows)
        return found

    def _listed(self, table: str, rows: Sequence[tuple[Keys, str]]) -> str:
        session = self.home.session
        shapes = Shapes(self.home.graph, session.dialect)
        shape = session.schema.tables[table]
        labels = shapes.labels(table)
        name = self._work.name()
        session.load(
            name, [(k, "text") for k in [*labels, "digest"]], ((*k, digest) for k, digest in rows)
        )
        # Once more, as a work table: those have an index where joins need one.
        listed = self._work.create(f"SELECT * FROM {session.dialect.temp(name)}")
        texts = [
            session.dialect.text(f"t.{session.dialect.quote(c)}", shape.column(c).kind)
            for c in shapes.identity(table)
        ]
        columns = [c.name for c in shape.columns if not c.generated]
        wanted = [*texts, row_digest(session, table, "t", columns)]
        match = " AND ".join(
            f"o.{k} = {e}" for k, e in zip([*labels, "digest"], wanted, strict=True)
        )
        return f"EXISTS (SELECT 1 FROM {listed} o WHERE {match})"
