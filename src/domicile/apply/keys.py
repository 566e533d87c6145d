"""Rows of a store by their keys, and tables in an order in which keys hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count

import networkx as nx

from domicile.apply.ends import End
from domicile.survey.graph import Graph
from domicile.survey.state import Keys
from domicile.survey.stored import stored
from domicile.survey.work import Work

_COUNT = count()


@contextmanager
def listed(end: End, table: str, identity: Sequence[str], keys: Sequence[Keys]) -> Iterator[str]:
    """A condition over alias `t` for rows of a store by their key texts, while it is open."""
    dialect = end.session.dialect
    shape = end.session.schema.tables[table]
    name = f"listed_{table}"[:60]
    end.session.load(name, [(f"k{i + 1}", "text") for i in range(len(identity))], keys)
    typed = stored(
        end.session, Work(end.session, f"f{next(_COUNT)}_"), shape, identity, dialect.temp(name)
    )
    columns = ", ".join(f"t.{dialect.quote(c)}" for c in identity)
    yield f"({columns}) IN ({typed})"
    end.session.execute(f"DROP TABLE {dialect.temp(name)}")


def parents_first(graph: Graph) -> list[str]:
    """All tables, each after those it refers to; those of one cycle by name."""
    refers: nx.DiGraph[str] = nx.DiGraph()
    refers.add_nodes_from(sorted(graph.schema.tables))
    for child, edges in graph.edges.items():
        for edge in edges:
            if edge.binding and edge.parent != child:
                refers.add_edge(edge.parent, child)
    groups = list(nx.strongly_connected_components(refers))
    condensed = nx.condensation(refers, groups)
    order = nx.lexicographical_topological_sort(condensed, key=lambda n: min(groups[n]))
    return [t for n in order for t in sorted(groups[n])]
