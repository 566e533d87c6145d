"""Stubs stand for rows that live in another cell: what refers to one is about whom they are about.

A stub has lost its own references, so the chain of keys ends at it. When it was left, the state
noted whom the real row was about; the chain goes on with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from domicile.stores.base import Row, Session
from domicile.survey.graph import Graph
from domicile.survey.ownership import Ownership, Shapes
from domicile.survey.people import People
from domicile.survey.stored import stored
from domicile.survey.work import Work

Person = tuple[str, Row]
"""A subject's name and the key's texts."""

_BETWEEN = "\x1f"
"""Between the parts of a composite key: the control character made for that, unit separator."""


@dataclass(frozen=True)
class Ghost:
    """One stub: its key texts, and the first and last person that the real row is about."""

    keys: Row
    first: Person | None = None
    last: Person | None = None


def describe(
    ownership: Ownership, people: Mapping[str, People], table: str, rows: str
) -> list[Ghost]:
    """`rows` (a relation with the key columns of `table`) with whom each is about."""
    session = ownership.session
    shapes = ownership.shapes
    shape = ownership.graph.table(table)
    keys = ", ".join(
        session.dialect.text(f"x.{k}", shape.column(c).kind)
        for k, c in zip(shapes.labels(table), shapes.identity(table), strict=True)
    )
    work = ownership.work.get(table)
    n = len(shapes.labels(table))
    if work is None:
        return [Ghost(r) for r in session.query(f"SELECT {keys} FROM {rows} x")]
    who = " UNION ALL ".join(
        f"SELECT {session.dialect.literal(name)} AS subject, "
        f"{_one(session, people[name].texts_of_key())} AS key, pmin AS number FROM {relation} p"
        for name, relation in ownership.people.items()
    )
    match = " AND ".join(f"w.{k} = x.{k}" for k in shapes.labels(table))
    found = session.query(
        f"SELECT {keys}, a.subject, a.key, b.subject, b.key FROM {rows} x "
        f"LEFT JOIN {work} w ON {match} LEFT JOIN ({who}) a ON a.number = w.pmin "
        f"LEFT JOIN ({who}) b ON b.number = w.pmax"
    )
    return [Ghost(r[:n], _person(r[n], r[n + 1]), _person(r[n + 2], r[n + 3])) for r in found]


def ghosts_of(
    session: Session, graph: Graph, people: Mapping[str, People], tables: Mapping[str, str],
    ghosts: Mapping[str, list[Ghost]], prefix: str = "",
) -> dict[str, str]:  # fmt: skip
    """Lines (`lines`) for the stubs of a store by table, for the ownership program.

    `tables`: subject → its people with the labels (lo) and numbers (pmin) of this program.
    """
    wanted = {p for listed in ghosts.values() for g in listed for p in (g.first, g.last) if p}
    if not wanted:
        return {}
    numbers: dict[Person, tuple[int, int]] = {}
    for name, table in tables.items():
        query = f"SELECT {people[name].key_texts()}, p.lo, p.pmin FROM {table} p"
        for batch in session.stream(query):
            for row in batch:
                if (person := (name, row[:-2])) in wanted:
                    numbers[person] = (int(row[-2]), int(row[-1]))
    work = Work(session, f"{prefix}gl")
    return {
        table: lines(session, graph, work, table, listed, numbers)
        for table, listed in ghosts.items()
        if listed
    }


def lines(
    session: Session, graph: Graph, work: Work, table: str, ghosts: list[Ghost],
    numbers: dict[Person, tuple[int, int]],
) -> str:  # fmt: skip
    """The ghosts of a table as a relation (k1 … kn, lo, hi, pmin, pmax).

    `numbers`: the label and number that each person has in this session.
    """
    shapes = Shapes(graph, session.dialect)
    labels = shapes.labels(table)
    name = work.name()

    def rows() -> Iterator[Row]:
        for ghost in ghosts:
            known = [numbers[p] for p in (ghost.first, ghost.last) if p in numbers]
            if known:
                found = [n for n, _ in known]
                people = [n for _, n in known]
                yield (*ghost.keys, min(found), max(found), min(people), max(people))

    columns = [(k, "text") for k in labels]
    columns += [(c, "bigint") for c in ("lo", "hi", "pmin", "pmax")]
    session.load(name, columns, rows())
    shape = graph.table(table)
    keys = stored(
        session, work, shape, shapes.identity(table), session.dialect.temp(name),
        ["lo", "hi", "pmin", "pmax"],
    )  # fmt: skip
    return work.create(
        f"SELECT {', '.join(labels)}, CAST(lo AS integer) AS lo, CAST(hi AS integer) AS hi, "
        f"pmin, pmax FROM ({keys}) s"
    )


def _one(session: Session, texts: list[str]) -> str:
    return f" || {session.dialect.literal(_BETWEEN)} || ".join(texts)


def _person(subject: str | None, key: str | None) -> Person | None:
    return None if subject is None or key is None else (subject, tuple(key.split(_BETWEEN)))
