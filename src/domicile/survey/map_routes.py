"""How each table's rows lead to people, in the words of the estate's paths. Pure; for the map.

A route is written as paths are: `rental_id.customer_id → customer`, with `<customer` for a hop
backwards to the table that an attachment belongs to. Ownership itself follows every route
(`survey/ownership.py`); the map names the shortest one from each key of a table.
"""

from __future__ import annotations

from dataclasses import dataclass

from domicile.estate.model import quote_if_needed
from domicile.survey.graph import Edge, Graph


@dataclass(frozen=True, order=True)
class Route:
    """Hops from a table to a register."""

    hops: tuple[str, ...]
    subject: str

    def __str__(self) -> str:
        return f"{'.'.join(self.hops)} → {self.subject}" if self.hops else ""

    def after(self, hop: str) -> Route:
        """This route with a hop before it."""
        return Route((hop, *self.hops), self.subject)


def routes(graph: Graph) -> dict[str, list[Route]]:
    """The routes of every table whose rows can be about somebody, shortest first.

    A register has one route without hops; reference data and what is ignored have none.
    """
    best: dict[str, Route] = {
        table: Route((), subject.name) for table, subject in graph.registers.items()
    }
    while True:
        level = {
            table: found[0]
            for table in graph.schema.tables
            if table not in best and (found := _of(graph, table, best))
        }
        if not level:
            break
        best.update(level)
    return {
        table: [best[table]] if table in graph.registers else _of(graph, table, best)
        for table in best
    }


def _of(graph: Graph, table: str, best: dict[str, Route]) -> list[Route]:
    """The routes of one table over those that are known of others."""
    role = graph.roles[table]
    if role == "attachment":
        tiers = [[e for e in tier if e.child in best] for tier in graph.describing(table)]
        used = next((t for t in tiers if t), [])
        used += [e for e in graph.into(table) if graph.roles[e.child] == "attachment"]
        found = {
            best[e.child].after("<" + quote_if_needed(e.child))
            for e in used
            if e.child in best and e.child != table
        }
    elif role == "plain":
        found = {
            Route((_hop(e),), e.subject) if e.subject else best[e.parent].after(_hop(e))
            for e in graph.edges[table]
            if graph.passes(e) and (e.subject or (e.parent in best and e.parent != table))
        }
    else:
        found = set()
    return sorted(found, key=lambda r: (len(r.hops), r))


def _hop(edge: Edge) -> str:
    columns = "+".join(quote_if_needed(c) for c in edge.columns)
    said = ", ".join(f"{quote_if_needed(c)} {'|'.join(texts)}" for c, texts in edge.where)
    steps = "".join(f"->{quote_if_needed(step)}" for step in edge.json)
    return columns + steps + (f"[{said}]" if said else "")
