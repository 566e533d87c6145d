"""A proposal as an Estate and as graphs, so that it is judged by the code that will use it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from domicile.errors import StoreRefused
from domicile.estate import model
from domicile.stores.base import Session
from domicile.survey.graph import Graph, build, resolve
from domicile.survey.ownership import Ownership
from domicile.survey.people import STAYS, People
from domicile.survey.propose_model import ProposedLink, ProposedSubject, ProposedTable
from domicile.survey.propose_read import Application, Reading

COUNTED: int = 5_000_000
"""Above so many rows in a store, joint rows are judged by the schema's shape alone: `init` is asked
for on the first day, and a full ownership pass is the survey's business."""


def estate(
    stores: Sequence[model.Store], subjects: Iterable[ProposedSubject] = (),
    links: Iterable[ProposedLink] = (), tables: Iterable[ProposedTable] = (),
) -> model.Estate:  # fmt: skip
    """What is active of a proposal, as the loader would give it."""
    named = [s for s in subjects if s.active]
    return model.Estate(
        name="proposed", file="", digest="", stores=tuple(stores),
        subjects=tuple(
            model.Subject(
                s.name, s.register, s.key, s.residence.path if s.residence else None,
                s.born.path if s.born else None,
            )
            for s in named
        ),
        links=tuple(made for k in links if k.active and (made := _link(k, named))),
        tables={t.table: t.role for t in tables if t.active},
    )  # fmt: skip


def subject_of(link: ProposedLink, subjects: Iterable[ProposedSubject]) -> str:
    """The active subject whose key the link's values are; "" when there is none."""
    for subject in subjects:
        key = (link.target.column, *link.more_to)
        same = (subject.register, subject.key) == (link.target.table, key)
        if same and subject.active:
            return subject.name
    return ""


def _link(link: ProposedLink, subjects: Sequence[ProposedSubject]) -> model.Link | None:
    """Across applications only a subject can be referred to."""
    where = tuple((column, (text,)) for column, text in link.where)
    if name := subject_of(link, subjects):
        return model.Link(link.source, subject=name, more=link.more, where=where)
    if link.source.table.holds == link.target.table.holds:
        return model.Link(
            link.source, target=link.target, more=link.more, more_to=link.more_to, where=where
        )
    return None


def graph_of(application: Application, proposed: model.Estate) -> Graph:
    """The graph of one application under a proposal. Raises DeclarationError."""
    return build(proposed, application.holds, application.schema)


class Joint:
    """How many rows are about several people, counted by the ownership program in each cell."""

    def __init__(self, runs: Sequence[tuple[Session, Graph, Ownership]]) -> None:
        self._runs = runs

    def rows(self, table: str) -> tuple[int, int]:
        """Rows about two people or more, and rows about anyone."""
        joint = rows = 0
        for session, _, ownership in self._runs:
            if table in ownership.work:
                counted = session.query(
                    "SELECT coalesce(sum(CASE WHEN pmin < pmax THEN 1 ELSE 0 END), 0), count(*) "
                    f"FROM {ownership.work[table]}"
                )[0]
                joint, rows = joint + int(counted[0]), rows + int(counted[1])
        return joint, rows

    def authored(self, table: str, hops: Sequence[model.Hop]) -> int:
        """Of the rows about several people, those for which these hops end at one person."""
        return sum(
            _authored(session, graph, ownership, table, model.Path(tuple(hops)))
            for session, graph, ownership in self._runs
            if table in ownership.work
        )


def joint_rows(reading: Reading, application: Application, proposed: model.Estate) -> Joint | None:
    """The counts of one application under a proposal.

    None when a store is too large to be counted now, when a link across stores needs the other, or
    when a store refuses it.
    """
    if sum(seen.rows for seen in application.seen.values()) > COUNTED:
        return None
    runs = []
    for number, session in enumerate(reading.sessions(application)):
        graph = build(proposed, application.holds, session.schema)
        if any(e.subject for edges in graph.edges.values() for e in edges):
            return None
        try:
            runs.append((session, graph, _own(session, graph, f"i{number}")))
        except StoreRefused:  # a table that may not be read, types that cannot be compared
            reading.forget()
            return None
    return Joint(runs)


def _authored(
    session: Session, graph: Graph, ownership: Ownership, table: str, path: model.Path
) -> int:
    steps, end = resolve(graph, table, path, f"tables.{table}.author")
    shapes, dialect = ownership.shapes, session.dialect
    if end not in ownership.work:
        return 0
    here, joins = "t", ""
    for number, (edge, _) in enumerate(steps):
        there = f"h{number}"
        on = shapes.refers(edge, here, there)
        joins += f" JOIN {dialect.table(edge.parent)} {there} ON {on}"
        here = there
    joins += f" JOIN {ownership.work[end]} p ON {shapes.same(end, here, 'p')}"
    joins += f" JOIN {ownership.work[table]} w ON {shapes.same(table, 't', 'w')}"
    where = "p.pmin = p.pmax AND w.pmin < w.pmax"
    return int(
        session.query(f"SELECT count(*) FROM {dialect.table(table)} t{joins} WHERE {where}")[0][0]
    )


def _own(session: Session, graph: Graph, prefix: str) -> Ownership:
    tables: dict[str, str] = {}
    start = 0
    for subject in graph.registers.values():
        people = People(session, graph, subject, prefix=prefix)
        people.survey()
        seen = people.judge(())
        tables[subject.name] = people.number(lambda _p, _u: STAYS, seen, start)
        start += sum(seen.values())
    ownership = Ownership(session, graph, tables, prefix)
    ownership.run()
    return ownership
