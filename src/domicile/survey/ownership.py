"""Whose row is it: the ownership program, run as SQL in temporary tables beside the data.

For each owned table a work table holds one line for each of its rows that is about somebody:

    k1 … kn     the row's identity (or its physical place, for a table without a key)
    lo, hi      the least and the greatest label of the people the row is about
    pmin, pmax  the least and the greatest number of a person; equal when it is one person

Labels and numbers come with the people (`survey/people.py`). Keeping two ends instead of sets of
people makes the union over many routes a MIN and a MAX, in any store and at any size: a row is
joint exactly when `lo` and `hi` differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from domicile.stores.base import Dialect, Session
from domicile.stores.schema import Column, Kind
from domicile.survey.graph import Edge, Graph
from domicile.survey.work import Work

if TYPE_CHECKING:
    from domicile.survey.lake_rows import Told

ENDS = ("lo", "hi", "pmin", "pmax")


class Shapes:
    """How rows of the graph's tables are named and matched in SQL."""

    def __init__(self, graph: Graph, dialect: Dialect) -> None:
        self.graph = graph
        self.dialect = dialect

    def identity(self, table: str) -> tuple[str, ...]:
        """The columns that tell rows apart; empty for a table without a key."""
        subject = self.graph.registers.get(table)
        return subject.key if subject else self.graph.table(table).identity

    def keys(self, table: str, alias: str) -> list[str]:
        """The identity of a row as expressions over `alias`."""
        names = self.identity(table)
        if not names:
            return [self.dialect.row_id(self.graph.table(table), alias)]
        return [f"{alias}.{self.dialect.quote(n)}" for n in names]

    def width(self, table: str) -> int:
        """How many key columns the work tables of `table` have."""
        return max(1, len(self.identity(table)))

    def labels(self, table: str) -> list[str]:
        """`k1 … kn`."""
        return [f"k{i + 1}" for i in range(self.width(table))]

    def named(self, table: str, alias: str) -> str:
        """The identity as a select list: `t."id" AS k1`."""
        pairs = zip(self.keys(table, alias), self.labels(table), strict=True)
        return ", ".join(f"{e} AS {k}" for e, k in pairs)

    def same(self, table: str, alias: str, work: str) -> str:
        """The row of `alias` is the one that a line of work table `work` names."""
        pairs = zip(self.keys(table, alias), self.labels(table), strict=True)
        return " AND ".join(f"{work}.{k} = {e}" for e, k in pairs)

    def value(self, edge: Edge, alias: str, column: str) -> str:
        """The referring value of an edge, taken out of JSON where it stands in one."""
        expression = f"{alias}.{self.dialect.quote(column)}"
        return self.dialect.json(expression, edge.json) if edge.json else expression

    def applies(self, edge: Edge, child: str) -> list[str]:
        """What must hold for a row of alias `child` to refer at all along an edge: its `where`."""
        found = []
        for column, texts in edge.where:
            value = f"{child}.{self.dialect.quote(column)}"
            listed = ", ".join(self.dialect.literal(text) for text in texts)
            found.append(f"{self.dialect.text(value, self._kind(edge, column))} IN ({listed})")
        return found

    def refers(self, edge: Edge, child: str, parent: str) -> str:
        """Rows of alias `child` refer to rows of the table itself, as alias `parent`."""
        equal = [
            self._equal(
                edge, child, column, f"{parent}.{self.dialect.quote(to)}",
                self.graph.table(edge.parent).column(to),
            )
            for column, to in zip(edge.columns, edge.parent_columns, strict=True)
        ]  # fmt: skip
        return " AND ".join(equal + self.applies(edge, child))

    def joined(self, edge: Edge, child: str, work: str, relation: str) -> str:
        """`JOIN relation work ON …`: from a child row to the work table of the parent."""
        if self.by_key(edge):
            return f"JOIN {relation} {work} ON {self.matches(edge, child, work)}"
        base = f"{child}_{work}"
        return (
            f"JOIN {self.dialect.table(edge.parent)} {base} ON {self.refers(edge, child, base)} "
            f"JOIN {relation} {work} ON {self.same(edge.parent, base, work)}"
        )

    def by_key(self, edge: Edge) -> bool:
        """Whether an edge refers to the very columns by which work tables name the parent."""
        return bool(edge.subject) or (
            bool(named := self.identity(edge.parent)) and set(named) == set(edge.parent_columns)
        )

    def matches(self, edge: Edge, child: str, work: str) -> str:
        """Along an edge that is `by_key`, a row `child` refers to the one that `work` names."""
        if edge.subject:  # the register is in another store: its keys came as text
            value = self.value(edge, child, edge.columns[0])
            kind: Kind = "text" if edge.json else self._kind(edge, edge.columns[0])
            same = f"{work}.k1 = {self.dialect.text(value, kind)}"
            return " AND ".join([same, *self.applies(edge, child)])
        to = {p: c for c, p in zip(edge.columns, edge.parent_columns, strict=True)}
        parent = self.graph.table(edge.parent)
        equal = [
            self._equal(edge, child, to[p], f"{work}.k{i + 1}", parent.column(p))
            for i, p in enumerate(self.identity(edge.parent))
        ]
        return " AND ".join(equal + self.applies(edge, child))

    def _kind(self, edge: Edge, column: str) -> Kind:
        return self.graph.table(edge.child).column(column).kind

    def _equal(self, edge: Edge, child: str, column: str, right: str, to: Column) -> str:
        left = self.value(edge, child, column)
        left_kind: Kind = "text" if edge.json else self._kind(edge, column)
        if left_kind == to.kind:
            # SQLite compares a reference by the collation of what it refers to
            # (sqlite.org/foreignkeys.html, section 3), of which a work table knows nothing.
            by = f" COLLATE {self.dialect.quote(to.collation)}" if to.collation else ""
            return f"{left} = {right}{by}"
        left, right = self.dialect.text(left, left_kind), self.dialect.text(right, to.kind)
        if "uuid" in (left_kind, to.kind):
            left, right = f"lower({left})", f"lower({right})"
        return f"{left} = {right}"


class Looks(Protocol):
    """How a referring value tells its person: SQL over the value, a whole number."""

    @property
    def labels(self) -> Sequence[tuple[int, str]]:
        """Each label, and the set of its people."""
        ...

    def tell(self, table: str, key: str, condition: str, column: str = "") -> Told:
        """Look up every row of a table at once. `column`: what the key is, where it is one."""
        ...

    def probe(self, relation: str, key: str) -> tuple[str, str]:
        """A join and a condition: the value is the key of a person in that set."""
        ...

    def number(self, key: str, label: int) -> str:
        """The number of a person of that label."""
        ...


class Ownership:
    """Runs the program in one session; afterwards `work[table]` names each work table."""

    def __init__(
        self, session: Session, graph: Graph, people: dict[str, str], prefix: str = "",
        stubs: Mapping[str, str] | None = None, ghosts: Mapping[str, str] | None = None,
        lookups: Mapping[str, Looks] | None = None, in_place: bool = False,
    ) -> None:  # fmt: skip
        """`people`: subject → its temporary table (k1 … kn, lo, hi, pmin, pmax).

        `stubs`: table → keys of rows that Domicile emptied; their own references say nothing.
        `ghosts`: table → lines for stubs, brought from the cell that has the real row.
        `lookups`: subject → how rows find its people without a join.
        `in_place`: work tables of rows with a single way to one person are views; see `single`.
        """
        self.in_place = in_place
        self.single: dict[str, Edge] = {}
        """With `in_place`, tables each row of which has one way to a person, over rows that have
        but one themselves → the first edge of that way."""
        self.lookups = lookups or {}
        self.told: dict[str, Told] = {}
        """Tables each row of which is about one person at most → what one scan told of them."""
        self.ghosts = ghosts or {}
        self.stubs = stubs or {}
        self.session = session
        self.graph = graph
        self.people = people
        self.shapes = Shapes(graph, session.dialect)
        self.work: dict[str, str] = {}
        self.users: dict[str, str] = {}
        self._direct: dict[str, str] = {}
        self._work = Work(session, f"{prefix}w")
        self._create = self._work.create

    def run(self) -> None:
        """Fill `work` for every owned table and `users` for every attachment."""
        for table, subject in self.graph.registers.items():
            self.work[table] = self._direct[table] = self.people[subject.name]
        attachments = self.graph.attachments()
        if attachments:
            needed = self._needed_for(attachments)
            for group in self.graph.order:
                if group[0] in needed:
                    self._fill(group, self._direct, through_attachments=False)
            for attachment in attachments:
                self._use(attachment)
            self._hand_on(attachments)
        past = self._past_attachments()
        for group in self.graph.order:
            if group[0] in self.work:
                continue
            if group[0] in self._direct and not past.intersection(group):
                self.work.update({t: self._direct[t] for t in group})
            else:
                self._fill(group, self.work, through_attachments=True)

    def lines(self, table: str, *, direct: bool = False) -> str | None:
        """The work table of `table`; `direct`: without what comes through attachments."""
        return (self._direct if direct else self.work).get(table)

    def along(self, edge: Edge, *, direct: bool = False) -> str:
        """A SELECT of lines for the child rows of one edge; "" when it leads to nobody."""
        return self._from(edge, self._direct if direct else self.work)

    def _needed_for(self, attachments: Iterable[str]) -> set[str]:
        needed = {
            e.child for a in attachments for tier in self.graph.describing(a) for e in tier
        } & self.graph.direct
        grew = True
        while grew:
            parents = {
                e.parent
                for t in needed
                for e in self.graph.edges[t]
                if self.graph.passes(e) and e.parent in self.graph.direct
            }
            grew = not parents <= needed
            needed |= parents
        # A cycle is filled as one.
        for group in self.graph.order:
            if needed.intersection(group):
                needed.update(group)
        return needed - set(self.graph.registers)

    def _past_attachments(self) -> set[str]:
        past = {t for t, r in self.graph.roles.items() if r == "attachment"}
        for group in self.graph.order:
            edges = [e for t in group for e in self.graph.edges[t] if self.graph.passes(e)]
            if any(e.parent in past for e in edges):
                past.update(group)
        return past

    # One table, or the tables of one cycle.

    def _fill(self, group: list[str], into: dict[str, str], *, through_attachments: bool) -> None:
        tables = [t for t in group if self.graph.roles[t] == "plain"]
        inside: dict[str, list[Edge]] = {}
        for table in tables:
            edges = [
                e for e in self.graph.edges[table]
                if self.graph.passes(e) and (e.subject or e.parent in self.graph.owned)
                and (through_attachments or self.graph.roles.get(e.parent) != "attachment")
            ]  # fmt: skip
            inside[table] = [e for e in edges if e.parent in tables]
            outside = [e for e in edges if e.parent not in tables]
            parts = [p for e in outside if (p := self._from(e, into))]
            if table in self.ghosts:
                parts.append(self._ghosts(table))
            if len(parts) == 1 and len(edges) == 1 and edges[0].subject in self.lookups:
                into[table] = self._work.view(parts[0])
                key, condition = self._referring(edges[0])
                self.told[table] = self.lookups[edges[0].subject].tell(
                    table, key, condition, "" if edges[0].json else edges[0].columns[0]
                )
                continue
            self.single.pop(table, None)
            if self._single(group, edges) and table not in self.ghosts:
                self.single[table] = edges[0]
                into[table] = self._work.view(parts[0])
            else:
                once = len(parts) == 1 and all(self._refers_to_one(e) for e in outside)
                into[table] = self._create(self._merged(table, parts, once=once))
        if any(inside.values()):
            self._close(tables, inside, into)

    def _single(self, group: list[str], edges: list[Edge]) -> bool:
        """Whether rows of a table can be left where they are: see `single`."""
        if not self.in_place or len(group) != 1 or len(edges) != 1:
            return False
        table, edge = group[0], edges[0]
        if table in self.stubs or not self.shapes.identity(table) or edge.parent == table:
            return False
        near = bool(edge.subject) or edge.parent in self.graph.registers
        return self.shapes.by_key(edge) and (near or edge.parent in self.single)

    def _from(self, edge: Edge, into: dict[str, str]) -> str:
        """Lines for the child rows of one edge, from the parent's lines."""
        condition = ""
        if edge.subject in self.lookups:
            return self._looked_up(edge, self.lookups[edge.subject])
        if edge.subject:
            relation = self.people[edge.subject]
        elif self.graph.roles[edge.parent] == "attachment":
            relation = self.users[edge.parent]
            condition = " AND p.pmin = p.pmax AND p.alone = 1"
        elif edge.parent in into:
            relation = into[edge.parent]
        else:
            return ""  # a parent that cannot be about anyone without an attachment
        return self._lines(edge, relation) + condition

    def _lines(self, edge: Edge, relation: str) -> str:
        child = edge.child
        return (
            f"SELECT {self.shapes.named(child, 't')}, {_ends('p')} "
            f"FROM {self.session.dialect.table(child)} t "
            f"{self.shapes.joined(edge, 't', 'p', relation)}"
            f" WHERE {self.alive(child, 't')}"
        )

    def _looked_up(self, edge: Edge, look: Looks) -> str:
        """Lines without a join: the person is found by the referring value itself."""
        key, condition = self._referring(edge)
        named = self.shapes.named(edge.child, "t")
        table = self.session.dialect.table(edge.child)
        parts = []
        # One SELECT a label: whoever asks for some labels only, looks for those only.
        for label, people in look.labels:
            join, found = look.probe(people, key)
            number = look.number(key, label)
            parts.append(
                f"SELECT {named}, {label} AS lo, {label} AS hi, {number} AS pmin, "
                f"{number} AS pmax FROM {table} t {join} WHERE {found} AND {condition}"
            )
        return " UNION ALL ".join(parts)

    def _referring(self, edge: Edge) -> tuple[str, str]:
        """The referring value as a whole number, and what else must hold."""
        key = self.shapes.value(edge, "t", edge.columns[0])
        kind = "text" if edge.json else self.graph.table(edge.child).column(edge.columns[0]).kind
        condition = " AND ".join([self.alive(edge.child, "t"), *self.shapes.applies(edge, "t")])
        if kind == "int":
            key = f"TRY_CAST({key} AS BIGINT)"
        else:
            text = self.session.dialect.text(key, kind)
            key = f"TRY_CAST({text} AS BIGINT)"
            # Only a number as it is written by itself is the text of a key.
            condition += f" AND CAST({key} AS VARCHAR) = {text}"
        return key, condition

    def _ghosts(self, table: str) -> str:
        listed = ", ".join((*self.shapes.labels(table), *ENDS))
        return f"SELECT {listed} FROM {self.ghosts[table]}"

    def alive(self, table: str, alias: str) -> str:
        """A condition: the row is no stub of ours."""
        if table not in self.stubs:
            return "1 = 1"
        same = self.shapes.same(table, alias, "s")
        return f"NOT EXISTS (SELECT 1 FROM {self.stubs[table]} s WHERE {same})"

    def _refers_to_one(self, edge: Edge) -> bool:
        """Whether a row refers to one row at most along an edge. Foreign keys do; a link of the
        estate may lead to columns that several rows share."""
        if not edge.declared or self.shapes.by_key(edge):
            return True
        parent = self.graph.table(edge.parent)
        return any(set(key.columns) <= set(edge.parent_columns) for key in parent.keys)

    def _merged(self, table: str, parts: Sequence[str], *, once: bool = False) -> str:
        """The lines of `parts`, one for each row; `once`: no row has two in them."""
        keys = self.shapes.labels(table)
        if not parts:
            return (
                f"SELECT {self.shapes.named(table, 't')}, 0 AS lo, 0 AS hi, "
                f"{ZERO} AS pmin, {ZERO} AS pmax "
                f"FROM {self.session.dialect.table(table)} t WHERE 1 = 0"
            )
        if once:
            return parts[0]
        listed = ", ".join(keys)
        return (
            f"SELECT {listed}, min(lo) AS lo, max(hi) AS hi, min(pmin) AS pmin, "
            f"max(pmax) AS pmax FROM ({' UNION ALL '.join(parts)}) u GROUP BY {listed}"
        )

    def _close(
        self, tables: list[str], inside: dict[str, list[Edge]], into: dict[str, str]
    ) -> None:
        """Carry lines along the references inside a cycle until nothing widens."""
        fresh = {t: into[t] for t in tables}
        while fresh:
            widened: dict[str, str] = {}
            for table in tables:
                parts = [
                    self._lines(e, fresh[e.parent]) for e in inside[table] if e.parent in fresh
                ]
                if parts:
                    wider = self._create(self._wider(table, parts, into[table]))
                    if self.session.query(f"SELECT count(*) FROM {wider}")[0][0]:
                        widened[table] = wider
            for table, wider in widened.items():
                keys = self.shapes.labels(table)
                match = " AND ".join(f"n.{k} = w.{k}" for k in keys)
                kept = ", ".join(f"w.{c}" for c in (*keys, *ENDS))
                into[table] = self._create(
                    f"SELECT {kept} FROM {into[table]} w WHERE NOT EXISTS "
                    f"(SELECT 1 FROM {wider} n WHERE {match}) "
                    f"UNION ALL SELECT {', '.join((*keys, *ENDS))} FROM {wider}"
                )
            fresh = widened

    def _wider(self, table: str, parts: Sequence[str], old: str) -> str:
        """The lines that are new, or reach further than the old ones."""
        keys = self.shapes.labels(table)
        listed = ", ".join(keys)
        match = " AND ".join(f"w.{k} = n.{k}" for k in keys)

        def end(name: str, least: bool) -> str:
            sign = "<" if least else ">"
            return f"CASE WHEN w.{name} {sign} n.{name} THEN w.{name} ELSE n.{name} END AS {name}"

        merged = (
            f"SELECT {listed}, min(lo) AS lo, max(hi) AS hi, min(pmin) AS pmin, max(pmax) AS pmax "
            f"FROM ({' UNION ALL '.join(parts)}) u GROUP BY {listed}"
        )
        return (
            f"SELECT {', '.join(f'n.{k}' for k in keys)}, {end('lo', True)}, {end('hi', False)}, "
            f"{end('pmin', True)}, {end('pmax', False)} FROM ({merged}) n "
            f"LEFT JOIN {old} w ON {match} "
            "WHERE w.lo IS NULL OR n.lo < w.lo OR n.hi > w.hi OR n.pmin < w.pmin OR n.pmax > w.pmax"
        )

    # Attachments.

    def _use(self, attachment: str) -> None:
        """The users of each row of an attachment, by the tiers of `Graph.describing`."""
        keys = self.shapes.labels(attachment)
        listed = ", ".join(keys)
        parts = [
            self._used(edge, self._direct.get(edge.child), rank)
            for rank, tier in enumerate(self.graph.describing(attachment))
            for edge in tier
        ]
        parts += [
            self._used(edge, self.users[edge.child], -1)
            for edge in self.graph.into(attachment)
            if edge.child in self.users and edge.child != attachment
        ]
        parts += [self._used(edge, None, -2) for edge in self.graph.strangers(attachment)]
        if attachment in self.ghosts:
            parts.append(f"SELECT g.*, -1 AS rank FROM ({self._ghosts(attachment)}) g")
        if not parts:
            empty = self._merged(attachment, [])
            self.users[attachment] = self._create(f"SELECT e.*, 1 AS alone FROM ({empty}) e")
            self.work[attachment] = self.users[attachment]
            return
        # rank -2: used by what is nobody's; -1: handed on by another attachment; 0…: the tiers.
        used = self._create(" UNION ALL ".join(parts))
        match = " AND ".join(f"d.{k} = u.{k}" for k in keys)
        self.users[attachment] = self._create(
            f"SELECT {', '.join(f'u.{k}' for k in keys)}, min(u.lo) AS lo, max(u.hi) AS hi, "
            "min(u.pmin) AS pmin, max(u.pmax) AS pmax, "
            "min(CASE WHEN u.rank = -2 THEN 0 ELSE 1 END) AS alone "
            f"FROM {used} u LEFT JOIN (SELECT {listed}, min(rank) AS rank FROM {used} "
            f"WHERE rank >= 0 GROUP BY {listed}) d ON {match} "
            "WHERE u.rank < 0 OR u.rank = d.rank "
            f"GROUP BY {', '.join(f'u.{k}' for k in keys)} HAVING min(u.lo) IS NOT NULL"
        )
        self.work[attachment] = self.users[attachment]

    def _hand_on(self, attachments: list[str]) -> None:
        """Users of an attachment use what it refers to, round a cycle or to its own table too."""
        inside = [e for a in attachments for e in self.graph.edges[a] if e.parent in self.users]
        fresh = dict(self.users)
        while fresh:
            widened: dict[str, str] = {}
            for attachment in attachments:
                parts = [
                    f"SELECT {self.shapes.named(attachment, 'a')}, {_ends('p')} "
                    f"FROM {self.session.dialect.table(e.child)} t "
                    f"JOIN {fresh[e.child]} p ON {self.shapes.same(e.child, 't', 'p')} "
                    f"JOIN {self.session.dialect.table(attachment)} a "
                    f"ON {self.shapes.refers(e, 't', 'a')} WHERE {self.alive(e.child, 't')}"
                    for e in inside
                    if e.parent == attachment and e.child in fresh
                ]
                if not parts:
                    continue
                wider = self._create(self._wider(attachment, parts, self.users[attachment]))
                if self.session.query(f"SELECT 1 FROM {wider} LIMIT 1"):
                    widened[attachment] = wider
            for attachment, wider in widened.items():
                keys = self.shapes.labels(attachment)
                match = " AND ".join(f"n.{k} = w.{k}" for k in keys)
                kept = ", ".join(f"w.{c}" for c in (*keys, *ENDS, "alone"))
                listed = ", ".join(f"n.{c}" for c in (*keys, *ENDS))
                self.users[attachment] = self.work[attachment] = self._create(
                    f"SELECT {kept} FROM {self.users[attachment]} w WHERE NOT EXISTS "
                    f"(SELECT 1 FROM {wider} n WHERE {match}) "
                    f"UNION ALL SELECT {listed}, coalesce(w.alone, 1) AS alone FROM {wider} n "
                    f"LEFT JOIN {self.users[attachment]} w ON {match}"
                )
            fresh = widened

    def _used(self, edge: Edge, relation: str | None, rank: int) -> str:
        """Which attachment rows an edge uses, with the people of the referring rows if any."""
        dialect = self.session.dialect
        alive = f"{self.alive(edge.child, 't')} AND {self.alive(edge.parent, 'a')}"
        ends = _ends("p")
        join = ""
        if relation is None:
            ends = f"{NO_LABEL} AS lo, {NO_LABEL} AS hi, {NO_NUMBER} AS pmin, {NO_NUMBER} AS pmax"
        else:
            join = f"LEFT JOIN {relation} p ON {self.shapes.same(edge.child, 't', 'p')}"
        return (
            f"SELECT {self.shapes.named(edge.parent, 'a')}, {ends}, {rank} AS rank "
            f"FROM {dialect.table(edge.child)} t "
            f"JOIN {dialect.table(edge.parent)} a ON {self.shapes.refers(edge, 't', 'a')} {join} "
            f"WHERE {alive}"
        )


ZERO = "CAST(0 AS bigint)"
NO_NUMBER = "CAST(NULL AS bigint)"
NO_LABEL = "CAST(NULL AS integer)"


def _ends(alias: str) -> str:
    return ", ".join(f"{alias}.{e}" for e in ENDS)
