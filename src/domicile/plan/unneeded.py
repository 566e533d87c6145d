"""Stubs that nothing points at any more: there is no key left for their sake. Design.md section 4.

A copy that `joint: split` left is there for people, not for keys: it is needed while it stands with
a row that is really here and somebody's, itself or through another copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from domicile.plan.closure import Closure
from domicile.stores.base import Row
from domicile.survey.graph import Edge
from domicile.survey.stubs import Stubs
from domicile.survey.survey import Cell
from domicile.survey.work import Work


class Unneeded:
    """Finds them in one store, as it will be after the closures of a plan."""

    def __init__(
        self, cell: Cell, closures: Sequence[Closure] = (),
        relied: Mapping[str, Iterable[Row]] | None = None, name: str = "u",
    ) -> None:  # fmt: skip
        """`closures`: what leaves this store. `relied`: the keys, as texts, of stubs here that rows
        of other stores are about to point at or to take the place of."""
        self.cell = cell
        self.session = cell.session
        self.graph = cell.graph
        self.closures = closures
        self.relied = relied or {}
        self.forms = Stubs(cell.graph, cell.session.dialect)
        self.shapes = self.forms.shapes
        self.work = Work(cell.session, name)

    def find(self) -> dict[str, str]:
        """Table → the keys of its stubs that may go. Only those known to have been written."""
        if not self.cell.sure:
            return {}
        needed: dict[str, str] = {}
        fresh = {t: self._doubtful(t) for t in self.cell.stubs}
        for table in self.cell.sure:
            if table in self.relied:
                self._add(needed, fresh, table, self._named(table))
            for edge in self.graph.into(table):
                self._add(needed, fresh, table, self._pointed(edge))
            for edge in self.graph.edges[table] if table in self.cell.copies else ():
                if self.graph.passes(edge) and edge.parent in self.graph.owned:
                    self._add(needed, fresh, table, self._beside(edge))
        while fresh:
            sources, fresh = fresh, {}
            for child, rows in sources.items():
                for edge in self.graph.edges[child]:
                    if edge.parent in self.cell.sure:
                        self._add(needed, fresh, edge.parent, self._leads(edge, rows))
                for edge in self.graph.into(child):
                    if edge.child in self.cell.copies and child in self.cell.copies:
                        self._add(needed, fresh, edge.child, self._beside(edge, rows))
        found: dict[str, str] = {}
        for table, sure in self.cell.sure.items():
            if not self._telling(table):
                continue
            rest = self.work.create(self._minus(table, sure, needed.get(table)))
            if self.work.any(rest):
                found[table] = rest
        return found

    def _add(self, needed: dict[str, str], fresh: dict[str, str], table: str, select: str) -> None:
        """Know more of them as needed; what is new waits to be followed."""
        more = self.work.create(self._minus(table, f"({select})", needed.get(table)))
        if not self.work.any(more):
            return
        for sets in (needed, fresh):
            known = sets.get(table)
            both = f"SELECT * FROM {more} UNION SELECT * FROM {known}"
            sets[table] = self.work.create(both) if known else more

    def _minus(self, table: str, rows: str, known: str | None) -> str:
        keys = ", ".join(f"r.{k}" for k in self.shapes.labels(table))
        rest = f" WHERE NOT EXISTS (SELECT 1 FROM {known} n WHERE {self._match(table)})"
        return f"SELECT DISTINCT {keys} FROM {rows} r{rest if known else ''}"

    def _match(self, table: str, one: str = "n", other: str = "r") -> str:
        return " AND ".join(f"{one}.{k} = {other}.{k}" for k in self.shapes.labels(table))

    def _telling(self, table: str) -> bool:
        """Whether a stub differs from a row at all. Where it keeps every column, an application
        may have deleted the stub and written the same row anew: that must stay."""
        return bool(set(self.forms.values(table) or ()) - self.forms.kept(table))

    def _doubtful(self, table: str) -> str:
        """Stubs that are never taken away, as it is not known whether they are rows by now."""
        sure = self.cell.sure.get(table) if self._telling(table) else None
        rows = self._minus(table, self.cell.stubs[table], sure)
        return self.work.create(rows)

    def _named(self, table: str) -> str:
        dialect = self.session.dialect
        labels = self.shapes.labels(table)
        name = self.work.name()
        self.session.load(name, [(k, "text") for k in labels], self.relied[table])
        shape = self.graph.table(table)
        match = " AND ".join(
            f"x.{k} = {dialect.text(f's.{k}', shape.column(c).kind)}"
            for k, c in zip(labels, self.shapes.identity(table), strict=True)
        )
        keys = ", ".join(f"s.{k}" for k in labels)
        return (
            f"SELECT {keys} FROM {self.cell.sure[table]} s JOIN {dialect.temp(name)} x ON {match}"
        )

    def _rows(self, table: str, alias: str, columns: Sequence[str] = ()) -> str:
        """A condition: the row is no stub, and is here after the plan; or a stub that keeps the
        columns is left of it."""
        parts = []
        if table in self.cell.stubs:
            same = self.shapes.same(table, alias, "z")
            parts.append(f"NOT EXISTS (SELECT 1 FROM {self.cell.stubs[table]} z WHERE {same})")
        for closure in self.closures:
            if table not in closure.going:
                continue
            same = self.shapes.same(table, alias, "z")
            gone = f"NOT EXISTS (SELECT 1 FROM {closure.going[table]} z WHERE {same})"
            for sets, kept in (
                (closure.left, self.forms.kept(table)),
                (closure.split_here, self.forms.split(table)),
            ):
                if table in sets and columns and set(columns) <= kept:
                    gone += f" OR EXISTS (SELECT 1 FROM {sets[table]} z WHERE {same})"
            parts.append(f"({gone})")
        return " AND ".join(parts) or "1 = 1"

    def _pointed(self, edge: Edge) -> str:
        """Stubs that rows, not stubs, point at along an edge."""
        keys = ", ".join(f"s.{k}" for k in self.shapes.labels(edge.parent))
        return (
            f"SELECT {keys} FROM {self.session.dialect.table(edge.child)} t "
            f"{self.shapes.joined(edge, 't', 's', self.cell.sure[edge.parent])} "
            f"WHERE {self._rows(edge.child, 't', sorted(edge.reads))}"
        )

    def _leads(self, edge: Edge, rows: str) -> str:
        """Stubs that other stubs, which stay, point at."""
        keys = ", ".join(f"s.{k}" for k in self.shapes.labels(edge.parent))
        return (
            f"SELECT {keys} FROM {self.session.dialect.table(edge.child)} t "
            f"JOIN {rows} c ON {self.shapes.same(edge.child, 't', 'c')} "
            f"{self.shapes.joined(edge, 't', 's', self.cell.sure[edge.parent])}"
        )

    def _beside(self, edge: Edge, rows: str = "") -> str:
        """Copies that stand with a row that is really here, or with one of `rows`."""
        child, parent = edge.child, edge.parent
        keys = ", ".join(f"c.{k}" for k in self.shapes.labels(child))
        among = self._rows(parent, "p")
        if rows:
            copies = self.cell.copies[parent]
            same = self.shapes.same(parent, "p", "x")
            among = (
                f"EXISTS (SELECT 1 FROM {rows} x JOIN {copies} r ON "
                f"{self._match(parent, 'r', 'x')} WHERE {same})"
            )
        return (
            f"SELECT {keys} FROM {self.cell.copies[child]} c "
            f"JOIN {self.session.dialect.table(child)} t ON {self.shapes.same(child, 't', 'c')} "
            f"JOIN {self.session.dialect.table(parent)} p ON {self.shapes.refers(edge, 't', 'p')} "
            f"WHERE {among}"
        )
