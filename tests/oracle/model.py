"""What the oracle reads: rows in plain Python, a schema, and the declared estate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from domicile.estate.model import ColumnName, Estate, Path, Subject, TableName, TableRole
from domicile.stores.schema import Schema, Table

Value = int | float | str | bytes | None
Row = dict[str, Value]
Rows = dict[str, list[Row]]
RowId = tuple[str, int]  # a table and the position of a row in its list
Person = tuple[str, tuple[Value, ...]]  # the name of a subject and the values of its key
Label = Literal["go", "stay", "unknown"]


@dataclass(frozen=True)
class Reading:
    """Where the design can be read in more than one way. The defaults are the oracle's own."""

    # A table that reaches people only through the attachment it refers to: PeerTube's follow
    # refers to actors, Pagila's store to an address, and nothing in the keys tells them apart.
    # "passes": its rows are about the attachment's person (actor <- follow, section 4).
    # "shares": its rows are nobody's, so they make the attachment shared.
    only_through_attachment: Literal["passes", "shares"] = "passes"
    # A moving row needs a stub at home, and home has another row under that key. "collision":
    # one key is one row in all cells (fine print), so the moving row would point at a stranger.
    stub_key_taken: Literal["collision", "accept"] = "collision"
    # A needed row is at home already, equal, but a row that it needs is another one there: an equal
    # address in a city that has another name at home. "parents": what is moved would mean another
    # thing there, so it is held. "nothing": the equal row is taken as it is.
    equal_row_needs: Literal["parents", "nothing"] = "parents"
    # A moving row needs, through a stub, the attachment of several people who all stay. "stub": it
    # is theirs, and not shared across the line. "copy": shared attachments are copied.
    stayers_attachment: Literal["stub", "copy"] = "stub"
    # A declared link is a key like others: what it leads to is copied, or leaves a stub. Without,
    # links only say whose a row is, and hold a row when what it links to is held.
    links_hold_keys: bool = True


@dataclass(frozen=True)
class Edge:
    """A key from the rows of `child` to the rows of `parent`: a foreign key or a declared link."""

    child: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    linked: bool = False
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()  # only rows with these texts refer

    @property
    def reads(self) -> set[str]:
        """All columns that say whether and where it leads."""
        return {*self.columns, *(column for column, _ in self.where)}


@dataclass(frozen=True)
class World:
    """One application's schema in two cells: `source`, where people may not rest, and `home`."""

    schema: Schema
    estate: Estate
    source: Rows
    home: Rows
    countries: Mapping[str, str] = field(default_factory=dict)  # a spelling -> ISO 3166-1 alpha-2
    protected: frozenset[str] = frozenset({"US"})
    unknown_residence: Literal["report", "protect"] = "report"
    home_allowed: bool = True  # a cell exists in which the mandate lets the protected rest
    holds: str = "app"

    def table(self, name: str) -> Table:
        """The table of that name. Raises KeyError."""
        return self.schema.tables[name]

    def role(self, table: str) -> TableRole:
        """What the estate says about a table; an empty role when it says nothing."""
        return self.estate.tables.get(TableName(self.holds, table), TableRole())

    def register_of(self, table: str) -> Subject | None:
        """The subject whose register this table is."""
        for subject in self.estate.subjects:
            if subject.register == TableName(self.holds, table):
                return subject
        return None

    def is_attachment(self, table: str) -> bool:
        """Whether the estate declares the table an attachment."""
        return self.role(table).role == "attachment"

    def is_reference(self, table: str) -> bool:
        """Whether the estate declares the table reference data."""
        return self.role(table).role == "reference"

    @cached_property
    def edges(self) -> list[Edge]:
        """All keys between tables of this schema: foreign keys, then declared links."""
        found = [
            Edge(name, key.columns, key.parent, key.parent_columns)
            for name, table in self.schema.tables.items()
            for key in table.foreign_keys
        ]
        for link in self.estate.links:
            child = link.source.table.table
            columns: tuple[str, ...] = (link.source.column, *link.more)
            parent_columns: tuple[str, ...]
            if link.target is not None:
                parent, parent_columns = (
                    link.target.table.table,
                    (link.target.column, *link.more_to),
                )
            else:
                subject = self.estate.subject(link.subject)
                parent, parent_columns = subject.register.table, subject.key
            found.append(Edge(child, columns, parent, parent_columns, True, link.where))
        return found

    def edges_from(self, table: str) -> list[Edge]:
        """The keys that rows of this table have."""
        return [e for e in self.edges if e.child == table]

    def edges_to(self, table: str) -> list[Edge]:
        """The keys that lead to rows of this table."""
        return [e for e in self.edges if e.parent == table]

    def row(self, row_id: RowId) -> Row:
        """The source's row."""
        table, position = row_id
        return self.source[table][position]

    def row_ids(self, table: str | None = None) -> Iterator[RowId]:
        """The source's rows, of one table or of all."""
        for name in [table] if table is not None else list(self.schema.tables):
            for position in range(len(self.source.get(name, []))):
                yield (name, position)

    def parent(self, row_id: RowId, edge: Edge) -> RowId | None:
        """The source's row that a key of this row leads to; None when a column is null."""
        return find(self.source, edge, self.row(row_id))

    def children(self, row_id: RowId, edge: Edge) -> list[RowId]:
        """The source's rows whose key leads to this row."""
        return [c for c in self.row_ids(edge.child) if self.parent(c, edge) == row_id]


def find(rows: Rows, edge: Edge, row: Row) -> RowId | None:
    """The row among `rows` that this row's key leads to, or None."""
    wanted = [row[c] for c in edge.columns]
    if any(value is None for value in wanted):
        return None
    if any(row[column] not in texts for column, texts in edge.where):
        return None
    for position, candidate in enumerate(rows.get(edge.parent, [])):
        if [candidate[c] for c in edge.parent_columns] == wanted:
            return (edge.parent, position)
    return None


def key_of(row: Row, columns: tuple[str, ...]) -> tuple[Value, ...]:
    """The values of those columns."""
    return tuple(row[c] for c in columns)


def hop_edge(world: World, table: str, name: str) -> Edge:
    """The key that a hop of a path names by a column. Raises KeyError when there is none."""
    with_column = [e for e in world.edges_from(table) if name in e.columns]
    for edge in sorted(with_column, key=lambda e: len(e.columns)):
        return edge
    raise KeyError(f"{table}.{name} is no foreign key or link")


def walk(world: World, rows: Rows, start: RowId, path: Path) -> RowId | None:
    """The row to which a path's hops lead from a row; None where a hop is null."""
    here: RowId | None = start
    for hop in path.hops:
        if here is None:
            return None
        table, position = here
        if hop.backward:
            here = _backward(world, rows, here, hop.name)
        else:
            here = find(rows, hop_edge(world, table, hop.name), rows[table][position])
    return here


def _backward(world: World, rows: Rows, here: RowId, name: str) -> RowId | None:
    """The one row of table `name` that refers to this row by a unique key."""
    for edge in world.edges_to(here[0]):
        if edge.child == name and is_unique(world, edge):
            for position, row in enumerate(rows.get(name, [])):
                if find(rows, edge, row) == here:
                    return (name, position)
    return None


def is_unique(world: World, edge: Edge) -> bool:
    """Whether a unique key covers exactly the columns of this key."""
    return any(set(k.columns) == set(edge.columns) for k in world.table(edge.child).keys)


def column_edge(world: World, column: ColumnName) -> Edge:
    """The key of which a column is part. Raises KeyError."""
    return hop_edge(world, column.table.table, column.column)
