"""How many people rows are about, exactly: work tables keep two ends, which tell two of them.

From rows that are about several, the keys are followed up again, table by table, in sets of rows:
each row is visited once, whoever it leads to, so the work is bounded by the rows and not by rows
times people. Rows that are about one person need no walk; tables whose rows can be about two at
most (two keys to people, say) need none either. Where a walk passes a stub, it goes on with the two
people that the state noted for the real row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from domicile.survey.graph import Edge
from domicile.survey.ownership import Ownership
from domicile.survey.work import Work

MANY = 3
"""A row may be about so many people or more: its ends do not tell how many."""

Place = tuple[str, bool]
"""A table, and whether the way goes on without attachments."""

Condition = Callable[[str], str]
"""From the name of a label's column to a condition on it."""


class Reach:
    """Counts over one finished run of the ownership program."""

    def __init__(self, ownership: Ownership, prefix: str) -> None:
        """`prefix`: for the names of temporary tables; one for each Reach of a session."""
        self.ownership = ownership
        self.graph = ownership.graph
        self.shapes = ownership.shapes
        self.work = Work(ownership.session, prefix)
        self._numbers = ""
        self._most: dict[str, int] = {}
        for group in self.graph.order:  # parents first
            for table in group:
                # Round a cycle, any number of people.
                self._most[table] = MANY if len(group) > 1 else min(MANY, self._bound(table))

    def most(self, table: str) -> int:
        """How many people a row of the table can be about: 0, 1, 2 or MANY."""
        return self._most.get(table, 0)

    def _bound(self, table: str) -> int:
        role = self.graph.roles[table]
        if role != "plain":
            return {"register": 1, "attachment": MANY}.get(role, 0)
        most = 2 if table in self.ownership.ghosts else 0
        for edge in self._up(table):
            if edge.parent == table:
                return MANY
            near = edge.subject or self.graph.roles[edge.parent] == "attachment"
            most += 1 if near else self._most[edge.parent]
        return most

    def count(self, table: str, rows: str, wanted: Condition = lambda _lo: "1 = 1") -> int:
        """The people whom `rows` (k1 … kn of `table`) are about, of those whose label is wanted."""
        self._numbers = self.work.create("SELECT CAST(0 AS bigint) AS n WHERE 1 = 0")
        seen: dict[Place, str] = {}
        start = f"SELECT {self._keys(table, 'r')} FROM {rows} r"
        waiting: dict[Place, list[str]] = {(table, False): [start]}
        while waiting:
            place, selects = waiting.popitem()
            fresh = self._fresh(place, selects, seen)
            if fresh:
                for above, select in self._step(place, fresh, wanted):
                    waiting.setdefault(above, []).append(select)
        count = self.work.count(f"(SELECT DISTINCT n FROM {self._numbers} p)")
        for relation in (*seen.values(), self._numbers):
            self.work.drop(relation)
        return count

    def _fresh(self, place: Place, selects: list[str], seen: dict[Place, str]) -> str:
        """Of the rows selected, those not seen at that place before; "" when there are none."""
        keys = self._keys(place[0], "r")
        known = seen.get(place)
        unseen = ""
        if known:
            match = " AND ".join(f"s.{k} = r.{k}" for k in self.shapes.labels(place[0]))
            unseen = f" WHERE NOT EXISTS (SELECT 1 FROM {known} s WHERE {match})"
        fresh = self.work.create(
            f"SELECT DISTINCT {keys} FROM ({' UNION ALL '.join(selects)}) r{unseen}"
        )
        if not self.work.any(fresh):
            self.work.drop(fresh)
            return ""
        if not known:
            seen[place] = fresh
            return fresh
        self.work.session.execute(f"INSERT INTO {known} SELECT {keys} FROM {fresh} r")
        return fresh

    def _step(self, place: Place, rows: str, wanted: Condition) -> Iterator[tuple[Place, str]]:
        """Note the people of rows that are about one; of others, the rows that they refer to."""
        table, direct = place
        lines = self.ownership.lines(table, direct=direct)
        if lines is None:
            return
        match = " AND ".join(f"w.{k} = r.{k}" for k in self.shapes.labels(table))
        found = f"FROM {rows} r JOIN {lines} w ON {match}"
        self._note(f"SELECT w.pmin {found} WHERE w.pmin = w.pmax AND {wanted('w.lo')}")
        several = self.work.create(f"SELECT {self._keys(table, 'r')} {found} WHERE w.pmin < w.pmax")
        if not self.work.any(several):
            return
        if table in self.ownership.ghosts:
            self._ghosts(table, several, wanted)
        if self.graph.roles[table] == "attachment":
            yield from self._users(table, several)
            return
        for edge in self._up(table):
            role = "" if edge.subject else self.graph.roles[edge.parent]
            if role == "plain":
                yield (edge.parent, direct), self._parents(edge, several)
            elif not (direct and role == "attachment"):
                # At the other end is one person: the line of the row along this edge tells who.
                along = self.ownership.along(edge, direct=direct)
                match = " AND ".join(f"w.{k} = r.{k}" for k in self.shapes.labels(table))
                self._note(
                    f"SELECT w.pmin FROM {several} r JOIN ({along}) w ON {match} "
                    f"WHERE {wanted('w.lo')}"
                )

    def _users(self, attachment: str, rows: str) -> Iterator[tuple[Place, str]]:
        """Rows whose people use rows of an attachment: by its tiers, or on behalf of another."""
        dialect = self.work.session.dialect
        tiers = self.graph.describing(attachment)
        keys = self.shapes.labels(attachment)
        match = self.shapes.same(attachment, "a", "r")

        def referring(edge: Edge) -> str:
            alive = self.ownership.alive(edge.child, "t")
            alive += f" AND {self.ownership.alive(attachment, 'a')}"
            return (
                f"FROM {rows} r JOIN {dialect.table(attachment)} a ON {match} "
                f"JOIN {dialect.table(edge.child)} t ON {self.shapes.refers(edge, 't', 'a')} "
                f"WHERE {alive}"
            )

        ranked = [
            f"SELECT {self._keys(attachment, 'r')}, {rank} AS rank {referring(edge)}"
            for rank, tier in enumerate(tiers)
            for edge in tier
        ]
        if ranked:
            listed, lines = ", ".join(keys), " UNION ALL ".join(ranked)
            decided = self.work.create(
                f"SELECT {listed}, min(rank) AS rank FROM ({lines}) u GROUP BY {listed}"
            )
            same = " AND ".join(f"d.{k} = r.{k}" for k in keys)
            for rank, tier in enumerate(tiers):
                by_this = f"EXISTS (SELECT 1 FROM {decided} d WHERE {same} AND d.rank = {rank})"
                for edge in tier:
                    named = self.shapes.named(edge.child, "t")
                    yield (edge.child, True), f"SELECT {named} {referring(edge)} AND {by_this}"
        for edge in self.graph.into(attachment):
            if self.graph.roles[edge.child] == "attachment":
                yield (
                    (edge.child, False),
                    (f"SELECT {self.shapes.named(edge.child, 't')} {referring(edge)}"),
                )

    def _ghosts(self, table: str, rows: str, wanted: Condition) -> None:
        """The two people that the state noted for each stub among `rows`."""
        match = " AND ".join(f"g.{k} = r.{k}" for k in self.shapes.labels(table))
        noted = f"FROM {self.ownership.ghosts[table]} g JOIN {rows} r ON {match}"
        for people in self.ownership.people.values():
            self._note(
                f"SELECT p.pmin FROM {people} p WHERE {wanted('p.lo')} AND p.pmin IN "
                f"(SELECT g.pmin {noted} UNION SELECT g.pmax {noted})"
            )

    def _parents(self, edge: Edge, rows: str) -> str:
        dialect = self.work.session.dialect
        return (
            f"SELECT {self.shapes.named(edge.parent, 'p')} FROM {rows} r "
            f"JOIN {dialect.table(edge.child)} t ON {self.shapes.same(edge.child, 't', 'r')} "
            f"JOIN {dialect.table(edge.parent)} p ON {self.shapes.refers(edge, 't', 'p')} "
            f"WHERE {self.ownership.alive(edge.child, 't')}"
        )

    def _up(self, table: str) -> list[Edge]:
        """The edges along which rows of a plain table are about people."""
        return [
            e for e in self.graph.edges[table]
            if self.graph.passes(e) and (e.subject or e.parent in self.graph.owned)
        ]  # fmt: skip

    def _note(self, select: str) -> None:
        self.work.session.execute(f"INSERT INTO {self._numbers} {select}")

    def _keys(self, table: str, alias: str) -> str:
        return ", ".join(f"{alias}.{k}" for k in self.shapes.labels(table))
