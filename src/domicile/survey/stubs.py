"""What a stub holds: its key, what others refer to, and values that say nothing. Design.md, 4.

A copy that `joint: split` leaves on the other side is a stub that keeps more: the references along
which the row is about people, so that it stands among the rows of those who are there, under the
stub of its author; and the columns that the estate names in `keep`.
"""

from __future__ import annotations

from collections.abc import Collection

from domicile.stores.base import Dialect
from domicile.stores.schema import Column, Kind
from domicile.survey.graph import Graph
from domicile.survey.ownership import Shapes

_EMPTY: dict[Kind, str] = {
    "int": "0", "float": "0", "numeric": "0", "date": "'1970-01-01'", "time": "'00:00:00'",
    "timestamp": "'1970-01-01 00:00:00'", "timestamptz": "'1970-01-01 00:00:00+00'",
    "interval": "'PT0S'", "bytes": "''", "json": "'{}'", "inet": "'0.0.0.0'", "array": "'{}'",
    "range": "'empty'", "tsvector": "''",
}  # fmt: skip
"""Values of a column that may not be null: the type's zero, the same for everyone."""


MAIL = "@stub.invalid"
"""Behind what stands for an e-mail address, for checks that look for one; nothing is ever delivered
to `.invalid` (RFC 2606, section 2)."""


class Stubs:
    """The stub of each table's rows, as SQL over alias `t` of the real row."""

    def __init__(self, graph: Graph, dialect: Dialect) -> None:
        self.graph = graph
        self.dialect = dialect
        self.shapes = Shapes(graph, dialect)

    def kept(self, table: str) -> set[str]:
        """Columns that a stub keeps: the key, what foreign keys refer to, and its own keys that
        may not be null."""
        shape = self.graph.table(table)
        kept = set(self.shapes.identity(table)) | set(shape.identity)
        for edge in self.graph.into(table):
            if edge.binding:
                kept.update(edge.parent_columns)
        for edge in self.graph.edges[table]:
            if edge.binding and not any(shape.column(c).nullable for c in edge.reads):
                kept.update(edge.reads)
        return kept

    def split(self, table: str) -> set[str]:
        """Columns that a pseudonymised copy keeps: what a stub does, the columns of `keep`, and
        the references along which people are reached, the author's among them."""
        declared = self.graph.declared(table)
        kept = self.kept(table) | set(declared.keep)
        for edge in self.graph.edges[table]:
            somebodys = edge.subject or edge.parent in self.graph.owned
            if somebodys and not edge.json and self.graph.passes(edge):
                kept.update(edge.reads)
        return kept

    def values(self, table: str, kept: Collection[str] | None = None) -> dict[str, str] | None:
        """An expression for each column that is written; None when some column has no value that
        says nothing, so that the row must be held.

        `kept`: the columns that are as in the real row; left out, those that a stub keeps.
        """
        shape = self.graph.table(table)
        if not self.shapes.identity(table):
            return None
        kept = self.kept(table) if kept is None else kept
        unique = {c for k in shape.keys for c in k.columns}
        values: dict[str, str] = {}
        for column in shape.columns:
            if column.generated:
                continue
            if column.name in kept:
                values[column.name] = f"t.{self.dialect.quote(column.name)}"
                continue
            value = "NULL" if column.nullable else self._value(table, column, column.name in unique)
            if value is None:
                return None
            # SQLite's CAST would make a number of a date.
            typed = column.type and self.dialect.name != "sqlite"
            values[column.name] = f"CAST({value} AS {column.type})" if typed else value
        return values

    def fingerprint(self, table: str, kept: Collection[str]) -> str:
        """A digest over the kept columns of alias `t`, the same in every engine."""
        return self.dialect.digest([
            self.dialect.text(f"t.{self.dialect.quote(c.name)}", c.kind)
            for c in sorted(self.graph.table(table).columns, key=lambda c: c.name)
            if c.name in kept and not c.generated
        ])  # fmt: skip

    def standing(self, table: str, keys: str, kept: Collection[str] | None = None) -> str:
        """Of `keys` (k1 … kn), those whose row is indeed a stub: every value is a stub's.

        `kept`: of copies that keep these columns; then `keys` has their `digest` too, and what was
        kept is compared with it.
        """
        values = self.values(table, kept) or {}
        distinct = "IS NOT" if self.dialect.name == "sqlite" else "IS DISTINCT FROM"
        shape = self.graph.table(table)
        differs = " OR ".join(
            f"{self.dialect.text(f't.{self.dialect.quote(c)}', shape.column(c).kind)} {distinct} "
            f"{self.dialect.text(v, shape.column(c).kind)}"
            for c, v in values.items()
        )
        if kept is not None:
            differs = f"{differs} OR {self.fingerprint(table, kept)} <> x.digest"
        listed = ", ".join(f"x.{k}" for k in self.shapes.labels(table))
        return (
            f"SELECT {listed} FROM {keys} x JOIN {self.dialect.table(table)} t "
            f"ON {self.shapes.same(table, 't', 'x')} WHERE NOT ({differs})"
        )

    def _value(self, table: str, column: Column, unique: bool) -> str | None:
        dialect = self.dialect
        shape = self.graph.table(table)
        identity = self.shapes.identity(table)
        derived = dialect.digest(
            [dialect.text(f"t.{dialect.quote(c)}", shape.column(c).kind) for c in identity]
        )
        if column.kind == "text":
            # Derived from the key even where no plain key asks for it: a unique index may stand
            # on an expression or on some of the rows, which reflection does not look into.
            room = (column.length or 50) - len(MAIL)
            if "mail" in column.name.lower() and room > 8:
                return f"substr('stub-' || {derived}, 1, {min(room, 37)}) || '{MAIL}'"
            long = min(column.length or 37, 37)
            return (
                f"substr('stub-' || {derived}, 1, {long})"
                if long > 8
                else f"substr({derived}, 1, {long})"
            )
        if column.kind == "uuid":
            return derived
        if column.kind == "bool":
            return "false" if dialect.name != "sqlite" else "0"
        if column.kind == "enum":
            return dialect.literal(column.labels[0])
        if unique:
            single = shape.column(identity[0]) if len(identity) == 1 else None
            if single and single.kind == column.kind == "int":
                return f"t.{dialect.quote(identity[0])}"
            return None
        return _EMPTY.get(column.kind)
