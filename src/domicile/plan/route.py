"""How the rows of one table that go are found: by a list of their keys, or along their one way.

A list costs a second copy of every key, and each look at the rows a join with it. Where a row has
one way to its one person, nothing is listed: the way itself finds the rows, each time anew. Such a
way may lead elsewhere later; what it finds is the same as at the survey only while the rows on it
are as they were, and whoever deletes along it must ask for that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from domicile.survey.graph import Edge, Graph
from domicile.survey.ownership import Ownership


@dataclass(frozen=True)
class Join:
    """One relation of a route: `relation` as `alias`, and where it meets what was before it."""

    relation: str
    alias: str
    on: str


@dataclass(frozen=True)
class Route:
    """From a row, alias `t`, to what says where it goes, alias `g` (label, plo, phi)."""

    table: str  # as the store names it
    joins: tuple[Join, ...]
    listed: bool  # `g` names the very rows; else it names their people

    @property
    def source(self) -> str:
        """What stands behind FROM."""
        return f"{self.table} t{self.joined}"

    @property
    def joined(self) -> str:
        """What stands behind `t` there."""
        return "".join(f" JOIN {j.relation} {j.alias} ON {j.on}" for j in self.joins)

    @property
    def using(self) -> str:
        """What stands behind DELETE … USING; `meets` must then hold."""
        return ", ".join(f"{j.relation} {j.alias}" for j in self.joins)

    @property
    def meets(self) -> str:
        """The conditions of all joins."""
        return " AND ".join(j.on for j in self.joins)

    @property
    def passed(self) -> list[str]:
        """The aliases of the rows on the way that are the application's, `t` first."""
        return ["t", *(j.alias for j in self.joins[:-1])]


def along(ownership: Ownership, graph: Graph, table: str, people: Callable[[Edge], str]) -> Route:
    """The route of a table in `ownership.single`; `people` names the people behind its last edge,
    by their key (k1 … kn, label, plo, phi)."""
    shapes = ownership.shapes
    joins: list[Join] = []
    here, edge = "t", ownership.single[table]
    while edge.parent in ownership.single:
        alias = f"r{len(joins) + 1}"
        relation = shapes.dialect.table(edge.parent)
        joins.append(Join(relation, alias, shapes.refers(edge, here, alias)))
        here, edge = alias, ownership.single[edge.parent]
    joins.append(Join(people(edge), "g", shapes.matches(edge, here, "g")))
    return Route(shapes.dialect.table(table), tuple(joins), listed=False)
