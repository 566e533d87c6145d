"""Rows compared between two stores by key and digest, without carrying the rows themselves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

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

    def taken(self, table: str, rows: str, kept: Collection[str] | None = None) -> str | None:
        """Those of `rows` (k1 … kn) of which the home has, in another row, the values of a unique
        key: a table of their keys in the source session, or None when there are none.

        `kept`: of rows that come as stubs, the columns that keep their values.
        """
        identity = self.here.identity(table)
        if self.empty(table) or not identity or not self._work.any(rows):
            return None
        found: list[str] = []
        for key in self.home.schema.tables[table].keys:
            known = self.graph.table(table).names if kept is None else kept
            # With the identity in it, it tells apart nothing that the identity does not.
            if set(identity) <= set(key.columns) or not set(key.columns) <= set(known):
                continue
            mine = self._unique(self.source, self.here, table, key.columns, rows)
            theirs = self._unique(self.home, self.there, table, key.columns, "")
            labels = [c for c, _ in mine[1]]
            if self._work.count(rows) <= self._there.count(self.home.dialect.table(table)):
                name = self._there.name()
                self.home.load(name, [(c, "text") for c in labels], self._of(self.source, mine))
                sent = self.home.dialect.temp(name)
                clash = self._clash(f"({theirs[0]})", sent, labels)
                back = self._work.name()
                keys = [c for c in labels if c.startswith("k")]
                listed = ", ".join(f"x.{k}" for k in keys)
                held = self.home.stream(f"SELECT DISTINCT {listed} {clash}")
                self.source.load(
                    back, [(k, "text") for k in keys], (row for batch in held for row in batch)
                )
                known = f"SELECT * FROM {self.source.dialect.temp(back)}"
            else:
                name = self._work.name()
                self.source.load(name, [(c, "text") for c in labels], self._of(self.home, theirs))
                clash = self._clash(self.source.dialect.temp(name), f"({mine[0]})", labels)
                listed = ", ".join(f"x.{c}" for c in labels if c.startswith("k"))
                known = f"SELECT DISTINCT {listed} {clash}"
            found.append(known)
        if not found:
            return None
        match = " AND ".join(
            f"f.{k} = {e}" for k, e in self._key_texts(self.source, self.here, table, "r.")
        )
        listed = ", ".join(f"r.{k}" for k in self.here.labels(table))
        made = self._work.create(
            f"SELECT DISTINCT {listed} FROM {rows} r JOIN ({' UNION '.join(found)}) f ON {match}"
        )
        return made if self._work.any(made) else None

    def _unique(
        self, session: Session, shapes: Shapes, table: str, columns: Sequence[str], rows: str
    ) -> tuple[str, list[tuple[str, str]]]:
        """A SELECT of k1 … kn and u1 … um as texts, of `rows` or of all, that have all of u."""
        dialect = session.dialect
        shape = session.schema.tables[table]
        parts = [
            (k, dialect.text(e, shape.column(c).kind))
            for k, e, c in zip(
                shapes.labels(table), shapes.keys(table, "t"), shapes.identity(table), strict=True
            )
        ]
        parts += [
            (f"u{i + 1}", dialect.text(f"t.{dialect.quote(c)}", shape.column(c).kind))
            for i, c in enumerate(columns)
        ]
        listed = ", ".join(f"{e} AS {name}" for name, e in parts)
        given = " AND ".join(f"t.{dialect.quote(c)} IS NOT NULL" for c in columns)
        join = f"JOIN {rows} r ON {shapes.same(table, 't', 'r')}" if rows else ""
        return f"SELECT {listed} FROM {dialect.table(table)} t {join} WHERE {given}", parts

    def _of(self, session: Session, unique: tuple[str, list[tuple[str, str]]]) -> Iterator[Row]:
        for batch in session.stream(unique[0]):
            yield from batch

    def _clash(self, theirs: str, mine: str, labels: Sequence[str]) -> str:
        """FROM … WHERE: lines of `mine` (x) that have the unique values of another of `theirs`."""
        equal = " AND ".join(f"y.{c} = x.{c}" for c in labels if c.startswith("u"))
        same = " AND ".join(f"y.{c} = x.{c}" for c in labels if c.startswith("k"))
        return f"FROM {mine} x JOIN {theirs} y ON {equal} WHERE NOT ({same})"

    def _key_texts(
        self, session: Session, shapes: Shapes, table: str, alias: str
    ) -> list[tuple[str, str]]:
        shape = session.schema.tables[table]
        return [
            (k, session.dialect.text(f"{alias}{k}", shape.column(c).kind))
            for k, c in zip(shapes.labels(table), shapes.identity(table), strict=True)
        ]

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
