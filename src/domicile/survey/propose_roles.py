"""Attachments: rows that describe a person and that the person's rows refer to.

Never by a name alone: a track's composer is described by a row too, and is not the customer. What
is proposed is referred to from near the person, holds what describes one person, and is not
shared by many.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from domicile.estate.model import TableRole
from domicile.survey.graph import Edge, Graph
from domicile.survey.propose_estate import estate, graph_of
from domicile.survey.propose_model import (
    ProposedLink,
    ProposedSubject,
    ProposedTable,
    Reason,
)
from domicile.survey.propose_places import describes, shared
from domicile.survey.propose_read import Application


def attachments(
    application: Application,
    subjects: Sequence[ProposedSubject],
    links: Sequence[ProposedLink],
    others: Iterable[str],
) -> list[ProposedTable]:
    """Attachments of one application, and those that were considered and not proposed.

    `others`: tables of other people (employees), which are nobody's description.
    """
    found: dict[str, ProposedTable] = {}
    people = set(others)
    grew = True
    while grew:
        grew = False
        declared = estate(application.stores, subjects, links, found.values())
        graph = graph_of(application, declared)
        for table in sorted(graph.roles):
            if graph.roles[table] != "plain" or table in graph.direct or table in people:
                continue
            proposed = _judge(application, graph, table)
            if proposed and proposed != found.get(table):
                grew = grew or proposed.active
                found[table] = proposed
    return list(found.values())


def near(graph: Graph, table: str) -> bool:
    """Whether a row of the table is close to one person: the register, or next to it."""
    if graph.roles[table] in ("register", "attachment"):
        return True
    return table in graph.direct and any(
        e.subject or graph.roles[e.parent] == "register" for e in graph.edges[table]
    )


def _judge(application: Application, graph: Graph, table: str) -> ProposedTable | None:
    seen = application.seen[table]
    held = describes(seen)
    users = [e for e in graph.into(table) if not e.json and graph.roles[e.child] != "ignore"]
    ours = [e for e in users if e.child in graph.direct or graph.roles[e.child] == "attachment"]
    if not held or not ours or seen.about.place:
        return None
    close = [e for e in ours if near(graph, e.child)]
    own = [e for e in close if not shared(application, graph, e)]
    what = ", ".join(sorted(c.removeprefix("user.") for c in held))
    if own:
        only_name = held == {"user.name"} and not seen.about.people
        because = f"{_said(own)} refers to it, hardly ever twice to one row, and it holds {what}"
        if not only_name:
            guessed = not any(graph.unique(e) or graph.roles[e.child] == "register" for e in own)
            return _table(application, table, because, guessed=guessed)
        why = f"{because}; but that name need not be the person's"
    elif close:
        why = f"{_said(close)} refers to it and it holds {what}; but many people share its rows"
    else:
        why = f"{_said(ours)} refers to it and it holds {what}; but that is far from the person"
    return _table(application, table, why, guessed=True, active=False)


def _table(
    application: Application, table: str, because: str, *, guessed: bool, active: bool = True
) -> ProposedTable:
    return ProposedTable(
        application.name(table), TableRole(role="attachment"), Reason(because, guessed), active
    )


def _said(edges: Sequence[Edge]) -> str:
    return ", ".join(sorted({f"{e.child}.{e.columns[0]}" for e in edges}))
