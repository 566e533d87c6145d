"""Tables as nodes, keys and links as edges: the structure that ownership is worked out on. Pure.

Design.md section 4. Nothing here reads a row; `survey/ownership.py` turns the graph into SQL.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import networkx as nx

from domicile.errors import DeclarationError
from domicile.estate.model import (
    ColumnName,
    Estate,
    Link,
    Path,
    Subject,
    TableName,
    TableRole,
)
from domicile.stores.schema import ForeignKey, Schema, Table

Role = Literal["register", "attachment", "reference", "ignore", "plain"]


@dataclass(frozen=True)
class Edge:
    """Rows of `child` refer to rows of `parent`: a foreign key, or a link the estate declares."""

    child: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    name: str = ""
    binding: bool = True  # it must go on leading somewhere: a key, or a link of plain columns
    declared: bool = False  # a link of the estate
    json: tuple[str, ...] = ()  # the key stands inside a JSON value
    subject: str = ""  # a link to a subject whose register is in another schema
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()  # only rows with these texts there refer

    @property
    def reads(self) -> frozenset[str]:
        """The child's columns that say what a row refers to."""
        return frozenset(self.columns) | {column for column, _ in self.where}


@dataclass
class Graph:
    """The tables of one schema (`holds`) with their roles and edges."""

    holds: str
    schema: Schema
    estate: Estate
    roles: dict[str, Role] = field(default_factory=dict)
    registers: dict[str, Subject] = field(default_factory=dict)  # table → subject
    edges: dict[str, list[Edge]] = field(default_factory=dict)  # child → edges
    owned: frozenset[str] = frozenset()  # tables whose rows can be about someone
    direct: frozenset[str] = frozenset()  # … without passing an attachment
    order: list[list[str]] = field(default_factory=list)  # owned tables, parents first, by cycle

    def table(self, name: str) -> Table:
        """The reflected table. Raises KeyError."""
        return self.schema.tables[name]

    def declared(self, table: str) -> TableRole:
        """What the estate says about the table."""
        return self.estate.tables.get(TableName(self.holds, table), TableRole())

    def name(self, table: str) -> TableName:
        """The table as the estate names it."""
        return TableName(self.holds, table)

    def into(self, parent: str) -> list[Edge]:
        """All edges that refer to `parent`."""
        return [e for edges in self.edges.values() for e in edges if e.parent == parent]

    def passes(self, edge: Edge) -> bool:
        """Whether persons flow along it: not out of reference data, not into what is ignored."""
        if self.roles.get(edge.child) in ("register", "attachment", "reference", "ignore"):
            return False
        return bool(edge.subject) or self.roles.get(edge.parent) not in ("reference", "ignore")

    def unique(self, edge: Edge) -> bool:
        """Whether at most one child row refers to each parent row."""
        fixed = {column for column, texts in edge.where if len(texts) == 1}
        keys = self.table(edge.child).keys
        return any(set(k.columns) <= {*edge.columns, *fixed} for k in keys)

    def describing(self, attachment: str) -> list[list[Edge]]:
        """The edges along which people use an attachment, in tiers: the first that refers decides.

        Unique references and those of the register itself come first, then those of tables that
        refer to a register directly, then the rest; the first hop of a declared author is a
        person acting, not a person described. `of:` in the estate overrules all this.
        """
        edges = [e for e in self.into(attachment) if not e.json]
        of = self.declared(attachment).of
        if of:
            wanted = {(c.table.table, c.column) for c in of}
            return [[e for e in edges if any((e.child, c) in wanted for c in e.columns)]]
        tiers: list[list[Edge]] = [[], [], []]
        for edge in edges:
            register = self.roles[edge.child] == "register"
            if not register and edge.child not in self.direct:
                continue
            author = self.declared(edge.child).author
            acts = author is not None and bool(author.hops) and author.hops[0].name in edge.columns
            if register or self.unique(edge):
                tiers[0].append(edge)
            elif not acts:
                near = any(
                    self.roles.get(e.parent) == "register" or e.subject
                    for e in self.edges[edge.child]
                )
                tiers[1 if near else 2].append(edge)
        return [t for t in tiers if t]

    def strangers(self, attachment: str) -> list[Edge]:
        """References from tables that are never about anyone: what they use is not one person's."""
        if self.declared(attachment).of:
            return []
        return [
            e
            for e in self.into(attachment)
            if e.child not in self.owned and self.roles[e.child] in ("plain", "reference")
        ]

    def attachments(self) -> list[str]:
        """Attachment tables, those that others describe first."""
        names = [t for t, r in self.roles.items() if r == "attachment"]
        below: nx.DiGraph[str] = nx.DiGraph()
        below.add_nodes_from(names)
        for name in names:
            for edge in self.edges[name]:
                if edge.parent in names and edge.parent != name:
                    below.add_edge(name, edge.parent)
        groups = list(nx.strongly_connected_components(below))
        condensed = nx.condensation(below, groups)
        return [t for n in nx.topological_sort(condensed) for t in sorted(groups[n])]


def build(estate: Estate, holds: str, schema: Schema) -> Graph:
    """The graph of one schema. Raises DeclarationError for names the schema does not have."""
    graph = Graph(holds, schema, estate)
    for subject in estate.subjects:
        if subject.register.holds == holds:
            table = _table(graph, subject.register, f"subjects.{subject.name}.register")
            for column in subject.key:
                _column(graph, table, column, f"subjects.{subject.name}.key")
            _unique_key(graph, table, subject)
            graph.registers[table.name] = subject
    for declared in estate.tables:
        if declared.holds == holds:
            _table(graph, declared, "tables")
    for named in estate.columns:
        if named.table.holds == holds:
            _column(graph, _table(graph, named.table, "columns"), named.column, "columns")
    for name in schema.tables:
        role = graph.declared(name).role
        graph.roles[name] = "register" if name in graph.registers else role or "plain"
        graph.edges[name] = [_edge(name, k) for k in schema.tables[name].foreign_keys]
    _add_links(graph)
    for declared, said in estate.tables.items():
        if declared.holds == holds and said.author is not None:
            resolve(graph, declared.table, said.author, f"tables.{declared}.author")
            for column in said.keep:
                _column(graph, graph.table(declared.table), column, f"tables.{declared}.keep")
    graph.direct = _reaching(graph, through_attachments=False)
    graph.owned = _reaching(graph, through_attachments=True)
    graph.order = _order(graph)
    return graph


def resolve(graph: Graph, table: str, path: Path, key: str) -> tuple[list[tuple[Edge, bool]], str]:
    """The edges that a path follows from `table` (True: backwards), and the table it ends at.

    Raises DeclarationError naming the hop that is not there, and what is.
    """
    steps: list[tuple[Edge, bool]] = []
    here = table
    for hop in path.hops:
        if hop.backward:
            found = [e for e in graph.into(here) if e.child == hop.name and graph.unique(e)]
            what = f"no unique reference from {hop.name} to {here}"
        else:
            keys = [e for e in graph.edges[here] if not (e.subject or e.json or e.where)]
            found = [e for e in keys if e.columns == (hop.name,) or e.name == hop.name]
            # A key of several columns is named by any of them that no other key has.
            found = found or [e for e in keys if hop.name in e.columns]
            what = f"{hop.name} of {here} is not a foreign key"
        if len(found) != 1:
            have = sorted({c for e in graph.edges[here] for c in e.columns})
            back = sorted({"<" + e.child for e in graph.into(here) if graph.unique(e)})
            raise DeclarationError(
                f"path {path}: {what if not found else 'several keys fit ' + hop.name}",
                file=graph.estate.file, key=key,
                hint=f"from {here} a path may go on by: {', '.join(have + back) or 'nothing'}",
            )  # fmt: skip
        steps.append((found[0], hop.backward))
        here = found[0].child if hop.backward else found[0].parent
    if path.column:
        _column(graph, graph.table(here), path.column, key)
    return steps, here


def _edge(child: str, key: ForeignKey) -> Edge:
    # A key that only some partitions declare still binds there, hence its name.
    return Edge(
        child, key.columns, key.parent, key.parent_columns, key.name,
        binding=key.enforced or bool(key.name),
    )  # fmt: skip


def _add_links(graph: Graph) -> None:
    for number, link in enumerate(graph.estate.links):
        if link.source.table.holds != graph.holds:
            continue
        where = f"links[{number}].from"
        child = _table(graph, link.source.table, where)
        for column in link.columns:
            _column(graph, child, column, where)
        for column, _ in link.where:
            _column(graph, child, column, f"links[{number}].where")
        parent, columns, subject = _linked(graph, link, number)
        edge = Edge(
            child.name, link.columns, parent, columns, declared=True,
            binding=not subject and not link.source.json,
            json=link.source.json, subject=subject, where=link.where,
        )  # fmt: skip
        same = [
            e for e in graph.edges[child.name]
            if (e.columns, e.parent, e.parent_columns, e.json, e.where)
            == (edge.columns, edge.parent, edge.parent_columns, edge.json, edge.where)
        ]  # fmt: skip
        if not same:
            graph.edges[child.name].append(edge)


def _linked(graph: Graph, link: Link, number: int) -> tuple[str, tuple[str, ...], str]:
    """What a link leads to: a table here and its columns, or the subject of another schema."""
    if not link.subject:
        assert link.target is not None
        target = _table(graph, link.target.table, f"links[{number}].to")
        columns = (link.target.column, *link.more_to)
        for column in columns:
            _column(graph, target, column, f"links[{number}].to")
        return target.name, columns, ""
    subject = graph.estate.subject(link.subject)
    local = subject.register.holds == graph.holds
    return subject.register.table if local else "", subject.key, "" if local else subject.name


def _reaching(graph: Graph, *, through_attachments: bool) -> frozenset[str]:
    starts = set(graph.registers)
    if through_attachments:
        starts |= {t for t, r in graph.roles.items() if r == "attachment"}
    found = set(starts)
    grew = True
    while grew:
        grew = False
        for child, edges in graph.edges.items():
            if child in found or graph.roles[child] != "plain":
                continue
            if any(graph.passes(e) and (e.subject or e.parent in found) for e in edges):
                found.add(child)
                grew = True
    return frozenset(found)


def _order(graph: Graph) -> list[list[str]]:
    below: nx.DiGraph[str] = nx.DiGraph()
    below.add_nodes_from(sorted(graph.owned))
    for child in graph.owned:
        for edge in graph.edges[child]:
            if graph.passes(edge) and edge.parent in graph.owned:
                below.add_edge(edge.parent, child)
    groups = list(nx.strongly_connected_components(below))
    condensed = nx.condensation(below, groups)
    order = nx.lexicographical_topological_sort(condensed, key=lambda n: min(groups[n]))
    return [sorted(groups[n]) for n in order]


def _table(graph: Graph, name: TableName, key: str) -> Table:
    table = graph.schema.tables.get(name.table)
    if table is None:
        import difflib

        near = difflib.get_close_matches(name.table, graph.schema.tables, 1, 0.5)
        no_view = "; a view is no table" if key.endswith(".register") else ""
        raise DeclarationError(
            f"no table {name} in the stores that hold {graph.holds}",
            file=graph.estate.file, key=key,
            hint=f"did you mean {graph.name(near[0])}?{no_view}" if near else
            f"the tables there: {', '.join(sorted(graph.schema.tables)) or 'none'}{no_view}",
        )  # fmt: skip
    return table


def _column(graph: Graph, table: Table, column: str, key: str) -> None:
    if column not in table.names:
        raise DeclarationError(
            f"no column {column} in {graph.name(table.name)}",
            file=graph.estate.file, key=key,
            hint=f"its columns: {', '.join(table.names)}",
        )  # fmt: skip


def _unique_key(graph: Graph, table: Table, subject: Subject) -> None:
    """The key of a subject tells its people apart, by a key that the register has.

    A lake declares no keys at all, so nothing can be asked of its schema.
    """
    if any(set(k.columns) <= set(subject.key) for k in table.keys):
        return
    if not any(t.keys for t in graph.schema.tables.values()):
        return
    have = "; ".join(", ".join(k.columns) for k in table.keys)
    raise DeclarationError(
        f"got {', '.join(subject.key)}, expected a key of {graph.name(table.name)}: two rows may "
        "have the same",
        file=graph.estate.file, key=f"subjects.{subject.name}.key",
        hint=f"its keys: {have}" if have else
        "that table has no key; give it a primary key, or name another register",
    )  # fmt: skip


def column_of(graph: Graph, table: str, column: str) -> ColumnName:
    """A column as the estate names it."""
    return ColumnName(graph.name(table), column)
