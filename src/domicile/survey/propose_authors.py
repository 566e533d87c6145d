"""Whose act a row about several people is: the author to propose for it, with its reason.

A like on somebody's video is about both; it is the act of whoever its own reference to a person
names. Names tell the two ends apart: `reporterAccountId` acts, `flaggedAccountId` is acted upon.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from domicile.estate.model import Hop, Path, TableRole
from domicile.survey import classify_names as names
from domicile.survey.graph import Edge, Graph
from domicile.survey.propose_estate import Joint
from domicile.survey.propose_model import ProposedTable, Reason
from domicile.survey.propose_places import forward
from domicile.survey.propose_read import Application
from domicile.survey.propose_words import ACTED_UPON, ACTS, PLAIN

_SURE: Final = 2.0
"""By so many points the best reference must lead to be proposed without a doubt."""

_MOSTLY: Final = 0.9
"""Share of the rows about several people for which an author should lead to one of them."""

_MARGIN: Final = 0.75
"""By less, none is proposed: the best is written as a comment."""


@dataclass(frozen=True)
class _Way:
    """One reference of a table that leads to people."""

    edge: Edge
    hop: Hop
    rest: tuple[Hop, ...]
    score: float
    what: str

    @property
    def hops(self) -> tuple[Hop, ...]:
        """The whole way."""
        return (self.hop, *self.rest)


def authors(application: Application, graph: Graph, joint: Joint | None) -> list[ProposedTable]:
    """A proposal for each table whose rows can be about several people.

    `joint`: None when they could not be counted; then the shape of the schema decides.
    """
    work = _Authors(application, graph, joint)
    return [
        proposed
        for group in graph.order
        for table in group
        if graph.roles[table] == "plain"
        for proposed in work.of(table)
    ]


class _Authors:
    def __init__(self, application: Application, graph: Graph, joint: Joint | None) -> None:
        self.application = application
        self.graph = graph
        self.joint = joint
        self.paths: dict[str, tuple[Hop, ...]] = {}  # table → hops to its one person or author
        self.several: set[str] = set()

    def of(self, table: str) -> list[ProposedTable]:
        """The proposal for one table, if its rows can be about several people. Parents first."""
        count = self.joint.rows(table) if self.joint else None
        edges = [e for e in self.graph.edges[table] if self._leads(e)]
        people = sum(2 if e.parent in self.several else 1 for e in edges)
        ways = sorted(
            (w for e in edges if e.parent != table and (w := self._way(table, e))),
            key=lambda w: (-w.score, w.hop.name),
        )
        if not ways or (count == (0, 0) and self.application.seen[table].rows):
            return []  # it has rows, and none of them is about anyone
        best = ways[0]
        self.paths[table] = best.hops
        if people < 2:
            return []
        lead = best.score - ways[1].score if len(ways) > 1 else _SURE
        if count is None or count[0] or not count[1]:
            self.several.add(table)  # else what refers to it is about its one person too
        nobody, doubt = "", False
        if self.joint and count and count[0]:
            best, nobody, doubt = self._most(table, ways, count[0])
            self.paths[table] = best.hops
        because = _because(best, ways, edges, lead, count) + nobody
        active = (lead >= _MARGIN or best is not ways[0]) and table in self.several
        role = TableRole(joint="author", author=Path(self.paths[table]))
        reason = Reason(because, lead < _SURE or doubt)
        return [ProposedTable(self.application.name(table), role, reason, active)]

    def _most(self, table: str, ways: list[_Way], joint: int) -> tuple[_Way, str, bool]:
        """The best way, or another if the best mostly leads to nobody; what to say; a doubt."""
        assert self.joint is not None
        counted = [(way, self.joint.authored(table, way.hops)) for way in ways[:4]]
        best, led = counted[0]
        better, most = max(counted, key=lambda c: c[1])
        lost = f"for {joint - led:,} of these"
        if led < 0.5 * joint and most >= _MOSTLY * joint:
            return better, f"; {best.what} too, but to nobody in the register {lost}", True
        if led < joint:
            return (
                best,
                f"; to nobody in the register {lost}, which are held",
                led < _MOSTLY * joint,
            )
        return best, "", False

    def _leads(self, edge: Edge) -> bool:
        """Whether another person may stand at its end: what describes one's own row does not."""
        if edge.subject or edge.json or not self.graph.passes(edge):
            return False
        role = self.graph.roles[edge.parent]
        if role == "attachment":
            tiers = self.graph.describing(edge.parent)
            return not (tiers and edge in tiers[0])
        return role == "register" or edge.parent in self.paths or edge.parent == edge.child

    def _way(self, table: str, edge: Edge) -> _Way | None:
        hop = forward(self.graph, table, edge)
        if hop is None:
            return None
        words = {word for name in (hop.name, *edge.columns) for word in names.words(name)}
        score = 2.5 * bool(words & ACTS) + 0.5 * bool(words & PLAIN) - 3 * bool(words & ACTED_UPON)
        role = self.graph.roles[edge.parent]
        if role in ("register", "attachment") or self._is_person(edge.parent):
            what = f"{hop.name} refers to a person"
            score += 6 if role == "register" else 5
            return _Way(edge, hop, self._rest(edge.parent), score, what)
        if edge.parent not in self.paths:
            return None
        mine, theirs = "".join(names.words(table)), "".join(names.words(edge.parent))
        part = len(theirs) / max(1, len(mine)) if theirs in mine else 0.0
        score += 2 * part + 0.8 * (bool(part) and mine.endswith(theirs))
        what = f"{hop.name} refers to a row of {edge.parent}, whose person is followed"
        return _Way(edge, hop, self._rest(edge.parent), score, what)

    def _is_person(self, table: str) -> bool:
        """An account or a profile: next to the register, and named or keyed as one person."""
        if table in self.several:
            return False
        return any(
            self.graph.roles.get(e.parent) == "register"
            and (self.graph.unique(e) or names.names_people(table))
            for e in self.graph.edges[table]
        )

    def _rest(self, parent: str) -> tuple[Hop, ...]:
        """From the parent on to a person; nothing when it is one."""
        if self.graph.roles[parent] in ("register", "attachment") or self._is_person(parent):
            return ()
        return self.paths[parent]


def _because(
    best: _Way, ways: list[_Way], edges: list[Edge], lead: float, count: tuple[int, int] | None
) -> str:
    if lead < _MARGIN and best is ways[0]:
        because = f"{best.what}, but {ways[1].what} as well"
    else:
        others = list(dict.fromkeys("+".join(e.columns) for e in edges if e != best.edge))
        because = f"{best.what}; the context is {', '.join(others)}" if others else best.what
    if count is None:
        return f"{because}; not counted how many rows are about several people"
    if count[0]:
        return f"{because}; {count[0]:,} of {count[1]:,} rows are about several people"
    if count[1]:
        return f"{because}; each of its {count[1]:,} rows is about one person, so none needs it"
    return f"{because}; it has no rows yet"
