"""Rows compared between two stores by key and digest, without carrying the rows themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from domicile.stores.base import Row, Session
from domicile.survey.graph import Graph
from domicile.survey.ownership import Shapes
from domicile.survey.work import Work


class Home:
    """One home store, seen from the session of a source store that holds the same schema."""

    def __init__(
        self, name: str, source: Session, home: Session, graph: Graph, stubs: dict[str, str],
        ours: Callable[[str], str] = lambda _table: "1 = 0",
    ) -> None:  # fmt: skip
        """`stubs`: table → temporary table at home with the keys of stubs that Domicile left.
        `ours(table)`: a condition over `t` for home rows that an unfinished run wrote and nobody
        since.
        """
        self.ours = ours
        self.name = name
        self.source = source
        self.home = home
        self.graph = graph
        self.stubs = stubs
        self.here = Shapes(graph, source.dialect)
        self.there = Shapes(graph, home.dialect)
        self._work = Work(source, f"h_{name}_")
        self._there = Work(home, f"h_{name}_")
        self._empty: dict[str, bool] = {}

    def empty(self, table: str) -> bool:
        """Whether the home has no row in `table`, or no such table yet."""
        if table not in self._empty:
            rows = (
                self.home.query(f"SELECT 1 FROM {self.home.dialect.table(table)} LIMIT 1")
                if table in self.home.schema.tables else []
            )  # fmt: skip
            self._empty[table] = not rows
        return self._empty[table]

    def compare(self, table: str, rows: str) -> str | None:
        """Which of `rows` (k1 … kn) the home has: a table (k1 … kn, state) in the source session.

        State is `same`, `differs`, `stub` or `ours`. None when the home has none of them.
        """
        if self.empty(table) or not self.here.identity(table):
            return None
        count = self._work.count(rows)
        if not count:
            return None
        keys = self.here.labels(table)
        columns = [(k, "text") for k in keys] + [("digest", "text"), ("state", "text")]
        name = self._work.name()
        # Asked here: a lake takes rows in a thread of its own, where the state is not at hand.
        ours = self.ours(table)
        # Carry the smaller side: our keys there, or all of its keys here.
        there = self._there.count(self.home.dialect.table(table))
        if count <= there:
            lookup = self._there.name()
            self.home.load(lookup, [(k, "text") for k in keys], self._keys(table, rows))
            found = self._digests(table, self.home.dialect.temp(lookup), ours)
        else:
            found = self._digests(table, "", ours)
        if not self.source.load(name, columns, found):
            return None
        loaded = self.source.dialect.temp(name)
        dialect = self.source.dialect
        shape = self.graph.table(table)
        match = " AND ".join(
            f"l.{k} = {dialect.text(f'r.{k}', shape.column(c).kind)}"
            for k, c in zip(keys, self.here.identity(table), strict=True)
        )
        digest = self._digest_here(table, "t")
        return self._work.create(
            f"SELECT {', '.join('r.' + k for k in keys)}, CASE WHEN l.state = 'stub' THEN 'stub' "
            f"WHEN l.digest = {digest} THEN 'same' WHEN l.state = 'ours' THEN 'ours' "
            f"ELSE 'differs' END AS state "
            f"FROM {rows} r JOIN {loaded} l ON {match} "
            f"JOIN {dialect.table(table)} t ON {self.here.same(table, 't', 'r')}"
        )

    def _keys(self, table: str, rows: str) -> Iterator[Row]:
        shape = self.graph.table(table)
        texts = ", ".join(
            self.source.dialect.text(f"r.{k}", shape.column(c).kind)
            for k, c in zip(self.here.labels(table), self.here.identity(table), strict=True)
        )
        for batch in self.source.stream(f"SELECT {texts} FROM {rows} r"):
            yield from batch

    def _digests(self, table: str, lookup: str, ours: str) -> Iterator[Row]:
        """Key texts, digest and whether it is a stub, of the home's rows."""
        shape = self.home.schema.tables[table]
        identity = self.there.identity(table)
        texts = [
            self.home.dialect.text(f"t.{self.home.dialect.quote(c)}", shape.column(c).kind)
            for c in identity
        ]
        stub = f"CASE WHEN {ours} THEN 'ours' ELSE 'row' END"
        if table in self.stubs:
            same = self.there.same(table, "t", "s")
            stub = (
                f"CASE WHEN EXISTS (SELECT 1 FROM {self.stubs[table]} s WHERE {same}) "
                f"THEN 'stub' WHEN {ours} THEN 'ours' ELSE 'row' END"
            )
        join = ""
        if lookup:
            on = " AND ".join(f"x.k{i + 1} = {e}" for i, e in enumerate(texts))
            join = f"JOIN {lookup} x ON {on}"
        digest = row_digest(self.home, table, "t", self._columns(table))
        for batch in self.home.stream(
            f"SELECT {', '.join(texts)}, {digest}, {stub} "
            f"FROM {self.home.dialect.table(table)} t {join}"
        ):
            yield from batch

    def _digest_here(self, table: str, alias: str) -> str:
        return row_digest(self.source, table, alias, self._columns(table))

    def _columns(self, table: str) -> list[str]:
        return [c.name for c in self.graph.table(table).columns if not c.generated]


def row_digest(session: Session, table: str, alias: str, columns: list[str]) -> str:
    """The digest of a row over `columns`, the same expression's value in every engine."""
    dialect = session.dialect
    shape = session.schema.tables[table]
    return dialect.digest(
        [dialect.text(f"{alias}.{dialect.quote(c)}", shape.column(c).kind) for c in columns]
    )
