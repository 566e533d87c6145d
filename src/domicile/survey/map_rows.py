"""Rows of one store by the residence of the people they are about, for the map.

The ownership program runs with residences as labels: 0 for unknown, else the place in the sorted
list of the countries that occur. A row whose two ends differ is about people of several
residences. Everything stays in temporary tables beside the data; counts come out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from domicile.law.condition import Under
from domicile.survey.ghosts import ghosts_of
from domicile.survey.ownership import Ownership
from domicile.survey.people import People
from domicile.survey.reach import MANY, Reach
from domicile.survey.survey import Cell
from domicile.survey.work import Work

ADULT = 18
"""Years at which one is no longer a child: Art. 1, Convention on the Rights of the Child."""

UNKNOWN, SEVERAL = 0, -1

LABEL = f"CASE WHEN w.lo = w.hi THEN w.lo ELSE {SEVERAL} END AS label"
"""The label of a line `w`, in SQL."""

Whose = Literal["known", "unknown", "several", "nobody"]


@dataclass(frozen=True)
class Share:
    """Rows of one table, or people of one register, with one residence."""

    whose: Whose
    residence: str | None  # ISO 3166-1 alpha-2; None for all but `known`
    people: int
    rows: int = 0
    minors: int = 0
    ageless: int = 0  # people whose age nothing tells


class Residences:
    """Counts one store, after `Survey.people`. Its temporary tables last as long as the session."""

    def __init__(self, cell: Cell, day: date) -> None:
        """Ages are as on `day`."""
        self.cell = cell
        self.day = day
        self.work = Work(cell.session, "m")
        found = {
            str(code)
            for people in cell.people.values()
            for (code,) in cell.session.query(
                f"SELECT DISTINCT residence FROM {people.raw} WHERE residence IS NOT NULL"
            )
        }
        self.codes = sorted(found)
        self.ownership: Ownership | None = None

    def own(self) -> None:
        """Work out whose each row is; `rows` needs it."""
        tables: dict[str, str] = {}
        start = 0
        for name, people in self.cell.people.items():
            tables[name] = self._numbered(people, start)
            start += self.work.count(people.raw)
        cell = self.cell
        self.ownership = Ownership(
            cell.session, cell.graph, tables, prefix="m", stubs=cell.stubs,
            ghosts=ghosts_of(cell.session, cell.graph, cell.people, tables, cell.ghosts),
        )  # fmt: skip
        self.ownership.run()

    def people(self, subject: str) -> list[Share]:
        """The people whose register row is in this store, by residence, the most first."""
        people = self.cell.people[subject]
        return self._shares(people, f"SELECT r.* FROM {people.raw} r WHERE r.present = 1")

    def elsewhere(self, subject: str) -> list[Share]:
        """The people whom rows here refer to while their register row is in another store."""
        people = self.cell.people[subject]
        if people.local:
            return self._shares(people, f"SELECT r.* FROM {people.raw} r WHERE r.present = 0")
        graph, dialect = self.cell.graph, self.cell.session.dialect
        keys = " UNION ".join(
            f"SELECT p.k1 FROM {dialect.table(edge.child)} t "
            f"{people.shapes.joined(edge, 't', 'p', people.raw)}"
            for edges in graph.edges.values()
            for edge in edges
            if edge.subject == subject and graph.passes(edge)
        )
        if not keys:  # the referring tables are declared as ignored
            return []
        return self._shares(people, f"SELECT r.* FROM {people.raw} r WHERE r.k1 IN ({keys})")

    def rows(self, totals: Mapping[str, int]) -> dict[str, list[Share]]:
        """The rows of each table by residence, the most first; `totals` are all its rows, and
        what remains of them is nobody's.

        """
        assert self.ownership is not None  # `own` comes first
        work = self.ownership.work
        owned = [t for t in totals if t in work]
        found: dict[str, list[Share]] = {t: [] for t in totals}
        people: dict[tuple[int, int], int] = {}
        rows: dict[tuple[int, int], int] = {}
        parts = [part for n, table in enumerate(owned) for part in self._counting(n, table)]
        for n, label, counted, distinct in self.work.all(parts):
            (people if counted is None else rows)[int(n), int(label)] = int(counted or distinct)
        reach = Reach(self.ownership, "mr")
        people.update(
            ((n, label), count)
            for n, table in enumerate(owned)
            for label, count in self._several(reach, table)
        )
        for (n, label), count in rows.items():
            found[owned[n]].append(self._share(label, people[n, label], count))
        for table, shares in found.items():
            left = totals[table] - sum(s.rows for s in shares)
            if left > 0:
                shares.append(Share("nobody", None, 0, left))
            shares.sort(key=lambda s: (-s.rows, s.whose, s.residence or ""))
        return found

    def _counting(self, number: int, table: str) -> list[str]:
        """Queries of (number, label, rows, NULL), and of (number, label, NULL, people)."""
        lines = self._lines(table)
        rows = f"SELECT {LABEL} {lines}"
        people = " UNION ".join(f"SELECT {LABEL}, w.{end} AS p {lines}" for end in ("pmin", "pmax"))
        nothing = "CAST(NULL AS bigint)"
        first = f"SELECT {number} AS n, label, count(*) AS counted, {nothing} AS people"
        second = f"SELECT {number} AS n, label, {nothing} AS counted, count(*) AS people"
        return [
            f"{first} FROM ({rows}) l GROUP BY label",
            f"{second} FROM ({people}) l GROUP BY label",
        ]

    def _several(self, reach: Reach, table: str) -> Iterator[tuple[int, int]]:
        """(label, people) where rows may be about more people than their two ends tell."""
        if reach.most(table) < MANY:
            return
        keys = ", ".join(f"w.{k}" for k in reach.shapes.labels(table))
        lines = self._lines(table)
        labels = self.work.session.query(
            f"SELECT DISTINCT label FROM (SELECT {LABEL}, w.pmin, w.pmax {lines}) l "
            "WHERE pmin < pmax"
        )
        for (label,) in labels:
            rows = f"(SELECT * FROM (SELECT {keys}, {LABEL} {lines}) l WHERE label = {label})"
            yield int(label), reach.count(table, rows)

    def _lines(self, table: str) -> str:
        """FROM and WHERE of the lines (alias `w`) of a table's rows that are here."""
        assert self.ownership is not None
        work = self.ownership.work[table]
        conditions = ["w.present = 1"] if table in self.cell.graph.registers else []
        if table in self.cell.stubs:  # a stub is about people, and is nobody's row
            match = " AND ".join(f"s.{k} = w.{k}" for k in self.ownership.shapes.labels(table))
            conditions.append(
                f"NOT EXISTS (SELECT 1 FROM {self.cell.stubs[table]} s WHERE {match})"
            )
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"FROM {work} w{where}"

    def _share(self, label: int, people: int, rows: int) -> Share:
        if label == SEVERAL:
            return Share("several", None, people, rows)
        if label == UNKNOWN:
            return Share("unknown", None, people, rows)
        return Share("known", self.codes[label - 1], people, rows)

    def _shares(self, people: People, chosen: str) -> list[Share]:
        minor = Under(ADULT, self.day).to_sql({"born": "c.born"}, people.session.dialect.name)
        rows = people.session.query(
            "SELECT residence, count(*), sum(CASE WHEN minor THEN 1 ELSE 0 END), "
            "sum(CASE WHEN minor IS NULL THEN 1 ELSE 0 END) FROM "
            f"(SELECT c.residence, {minor} AS minor FROM ({chosen}) c) m GROUP BY residence"
        )
        shares = [
            Share("known" if code else "unknown", code, int(n), 0, int(minors), int(ageless))
            for code, n, minors, ageless in rows
        ]
        return sorted(shares, key=lambda s: (-s.people, s.residence or ""))

    def _numbered(self, people: People, start: int) -> str:
        """The people with their residence as label and a number of their own, from `start` on."""
        literal = people.session.dialect.literal
        cases = " ".join(f"WHEN {literal(c)} THEN {n}" for n, c in enumerate(self.codes, 1))
        label = f"CASE r.residence {cases} ELSE {UNKNOWN} END" if cases else f"{UNKNOWN}"
        number = f"row_number() OVER (ORDER BY {', '.join(people.keys)}) + {start}"
        return self.work.create(
            "SELECT l.*, l.lo AS hi, l.pmin AS pmax FROM "
            f"(SELECT r.*, {label} AS lo, CAST({number} AS bigint) AS pmin FROM {people.raw} r) l"
        )
