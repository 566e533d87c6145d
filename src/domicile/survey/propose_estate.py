"""A proposal as an Estate and as graphs, so that it is judged by the code that will use it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from domicile.errors import StoreError
from domicile.estate import model
from domicile.stores.base import Session
from domicile.survey.graph import Graph, build
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
        same = (subject.register, subject.key) == (link.target.table, (link.target.column,))
        if same and subject.active:
            return subject.name
    return ""


def _link(link: ProposedLink, subjects: Sequence[ProposedSubject]) -> model.Link | None:
    """Across applications only a subject can be referred to."""
    if name := subject_of(link, subjects):
        return model.Link(link.source, subject=name)
    if link.source.table.holds == link.target.table.holds:
        return model.Link(link.source, target=link.target)
    return None


def graph_of(application: Application, proposed: model.Estate) -> Graph:
    """The graph of one application under a proposal. Raises DeclarationError."""
    return build(proposed, application.holds, application.schema)


def joint_rows(
    reading: Reading, application: Application, proposed: model.Estate
) -> dict[str, tuple[int, int]] | None:
    """Owned table → (rows about two people or more, rows about anyone), over the cells.

    None when a store is too large to be counted now, or when a link across stores needs the other.
    """
    if sum(seen.rows for seen in application.seen.values()) > COUNTED:
        return None
    counts: dict[str, tuple[int, int]] = {}
    for number, session in enumerate(reading.sessions(application)):
        graph = build(proposed, application.holds, session.schema)
        if any(e.subject for edges in graph.edges.values() for e in edges):
            return None
        try:
            ownership = _own(session, graph, f"i{number}")
            for table, work in ownership.work.items():
                if graph.roles[table] != "plain":
                    continue
                joint, rows = session.query(
                    f"SELECT coalesce(sum(CASE WHEN pmin < pmax THEN 1 ELSE 0 END), 0), count(*) "
                    f"FROM {work}"
                )[0]
                before = counts.get(table, (0, 0))
                counts[table] = (before[0] + int(joint), before[1] + int(rows))
        except StoreError:  # a type that the ownership program cannot compare: judged by shape
            return None
    return counts


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
