"""Random estates: schemas with everything that makes ownership hard, and rows in two cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Literal, Protocol, TypeVar

from hypothesis import strategies as st

from domicile.estate.model import (
    ColumnName,
    Estate,
    Hop,
    Link,
    Path,
    Store,
    Subject,
    TableName,
    TableRole,
)
from domicile.stores.schema import Column, ForeignKey, Key, Kind, OnDelete, Schema, Table
from tests.oracle.model import Edge, Row, RowId, Rows, Value, World, find

T = TypeVar("T")
US = ["US", "USA", "United States", " us ", "usa"]
NL = ["NL", "Netherlands", "nld", "nl"]
COUNTRIES = {**dict.fromkeys(US, "US"), **dict.fromkeys(NL, "NL")}
NOWHERE = ["", "Atlantis", "??"]  # spelled, and no country: unknown
TABLES = [
    "thing", "User Account", "order", 'say "hi"', "accountVideo", "a.b", "it's", "Größe", "select",
    "group", "100%", "t-t", "semi;colon", "customer", "1st", "null", "table",
]  # fmt: skip
KEY_SHAPES = ["int", "text", "pair"]
EDGE_NAMES = ["ref", "userId", "to ", "from.", "select"]
AUTHOR_HOPS_MOST = 3
KEY_NAMES = ["id", "ID", "the key", 'k"q', "primary"]
VALUES: dict[Kind, list[Value]] = {
    "int": [0, -1, 2**62, None],
    "float": [0.5, -1e300, 0.1, None],
    "text": ["", 'it\'s "q"', "日本", "a\nb\tc\\N", "\\N", ",", None],
    "bytes": [b"\x00\xff'", b"", None],
}
TYPES: dict[Kind, str] = {"int": "INTEGER", "text": "TEXT", "float": "REAL", "bytes": "BLOB"}
TYPES_OF_LINKS = ("Post", "Photo", "Nothing we know")
ON_DELETE: list[OnDelete] = ["no action", "restrict", "cascade", "set null"]
ROWS = [3, 4, 5, 6, 4, 5, 2, 6, 1, 0]  # how many rows a table has; shrinks to the first
PEOPLE = [3, 4, 5, 2, 6, 8, 4, 5, 3, 2, 1, 0]
PEOPLE_MOST = 8
KEPT = 0.3  # how likely a column is named in `keep`
HOME_SHIFT = 1000  # keys of rows that only home has
HOLDS = "app"
STORES = (  # their URLs are filled in when they are written
    Store("abroad", "", "SG", "Video Store Ltd", HOLDS),
    Store("texas", "", "US", "Oracle", HOLDS),
)

TableKind = Literal["ref", "nobody", "attachment", "register", "dependent"]
MANY: list[TableKind] = ["register", "dependent", "register", "attachment", "dependent"]
TARGETS: dict[TableKind, list[TableKind]] = {
    "ref": ["ref"],
    "nobody": ["ref", "nobody"],
    "attachment": ["ref", "attachment"],
    "register": ["ref", "attachment", "register", "dependent"],
    "dependent": [*MANY, *MANY, "ref", "nobody"],
}


@dataclass
class Draft:
    """A table being made."""

    name: str
    kind: TableKind
    identity: list[str] = field(default_factory=list)
    columns: dict[str, Column] = field(default_factory=dict)
    unique: list[list[str]] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    on_delete: list[OnDelete] = field(default_factory=list)  # beside `edges`
    country: str = ""  # the column that spells a country
    counter: str = ""  # the number within the owner, when the owner is part of the key

    def add(self, name: str, kind: Kind, nullable: bool) -> str:
        """A new column; its name is made free of clashes."""
        taken = {c.lower() for c in self.columns}
        free = name
        while free.lower() in taken:
            free += "_"
        self.columns[free] = Column(free, TYPES[kind], kind, nullable)
        return free

    def table(self) -> Table:
        """The table as a store would reflect it."""
        keys = [Key(tuple(self.identity), primary=True)] if self.identity else []
        keys += [Key(tuple(u)) for u in self.unique if u != self.identity]
        foreign = [
            ForeignKey(e.columns, e.parent, e.parent_columns, on_delete=action)
            for e, action in zip(self.edges, self.on_delete, strict=True)
            if not e.linked
        ]
        return Table(self.name, tuple(self.columns.values()), tuple(keys), tuple(foreign))


class Dice(Protocol):
    """Where choices come from."""

    def number(self, least: int, most: int) -> int:
        """A number; the least is the plainest."""
        ...


class DrawnDice:
    """Hypothesis's choices: few but odd, and they shrink."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw

    def number(self, least: int, most: int) -> int:
        """A number; shrinks to the least."""
        return int(self.draw(st.integers(least, most)))


class SeededDice:
    """Evenly spread choices from a seed: the richer worlds, for many runs (and `shrink`)."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def number(self, least: int, most: int) -> int:
        """A number, each as likely as the others."""
        return self.random.randint(least, most)


class Maker:
    """Makes one world, table by table and row by row."""

    def __init__(self, dice: Dice) -> None:
        self.dice = dice
        self.drafts: list[Draft] = []
        self.names = list(TABLES)
        self.subjects: list[Subject] = []
        self.rows: Rows = {}

    def chance(self, one_in: int) -> bool:
        """True once in so many times; shrinks to False."""
        return self.dice.number(0, one_in - 1) == one_in - 1

    def number(self, least: int, most: int) -> int:
        """A number; shrinks to the least."""
        return self.dice.number(least, most)

    def pick(self, options: Sequence[T]) -> T:
        """One of them; shrinks to the first."""
        return options[self.dice.number(0, len(options) - 1)]

    def name(self) -> str:
        """A name that no other table has."""
        return self.names.pop(self.number(0, len(self.names) - 1))

    def some(self, options: Sequence[T], most: int) -> list[T]:
        """Up to so many of them."""
        return [self.pick(options) for _ in range(self.number(0, most))]

    def of_kind(self, *kinds: TableKind) -> list[Draft]:
        """The tables of those kinds so far."""
        return [d for d in self.drafts if d.kind in kinds]

    # Tables

    def tables(self) -> None:
        """All tables with their keys, then the foreign keys between them."""
        wanted: list[tuple[TableKind, int]] = [
            ("ref", self.pick([1, 0, 2])),
            ("nobody", self.number(0, 1)),
            ("attachment", self.pick([1, 0, 2])),
            ("register", 2 if self.chance(4) else 1),
            ("dependent", self.pick([3, 2, 4, 5, 1])),
        ]
        for kind, count in wanted:
            for _ in range(count):
                self._begin(kind)
        for draft in self.drafts:
            self._keys_out(draft)
            if not draft.identity:
                self._late_identity(draft)
            self._data(draft)

    def _begin(self, kind: TableKind) -> None:
        draft = Draft(self.name(), kind)
        shape = self.pick(["int", "text", "pair", "late"] if kind == "dependent" else KEY_SHAPES)
        if shape in ("int", "text"):
            name = draft.add(self.pick(KEY_NAMES), "int" if shape == "int" else "text", False)
            draft.identity = [name]
        elif shape == "pair":
            draft.identity = [draft.add("shop", "int", False), draft.add("n o", "int", False)]
        if shape != "late" and self.chance(5):
            draft.unique.append([draft.add("code", "text", False)])
        self.drafts.append(draft)

    def _late_identity(self, draft: Draft) -> None:
        """A key that contains a foreign key, or none at all."""
        here = self.drafts.index(draft)
        earlier = [d.name for d in self.drafts[:here]]
        owners = [e for e in draft.edges if e.parent in earlier and not self._nullable(draft, e)]
        if not owners:
            return  # a table without a key: nothing refers to it
        draft.identity = list(owners[0].columns)
        if list(owners[0].columns) not in draft.unique:
            draft.counter = draft.add("no", "int", False)
            draft.identity.append(draft.counter)

    @staticmethod
    def _nullable(draft: Draft, edge: Edge) -> bool:
        return any(draft.columns[c].nullable for c in edge.columns)

    def _keys_out(self, draft: Draft) -> None:
        for number in range(self.pick([2, 1, 3] if draft.kind == "dependent" else [0, 1, 2])):
            kind = self.pick(TARGETS[draft.kind])
            targets = [d for d in self.of_kind(kind) if d.identity]
            if targets:
                self.refer(draft, self.pick(targets), f"{self.pick(EDGE_NAMES)}{number}")

    def refer(
        self, draft: Draft, target: Draft, name: str, *, plain: bool = False, unique: bool = False
    ) -> Edge:
        """A new key from a table to another; `plain` is an enforced one that may not be null."""
        parent_columns = list(target.identity)
        if target.unique and target.unique[0][0].startswith("code") and self.chance(3):
            parent_columns = target.unique[0]
        earlier = self.drafts.index(target) < self.drafts.index(draft)
        nullable = not plain and (not earlier or self.chance(2))
        columns = tuple(
            draft.add(
                name if len(parent_columns) == 1 else f"{name} {i}",
                target.columns[c].kind,
                nullable,
            )
            for i, c in enumerate(parent_columns)
        )
        linked = not plain and self.chance(8)
        edge = Edge(draft.name, columns, target.name, tuple(parent_columns), linked)
        if linked and self.chance(2):
            edge = self._polymorphic(draft, edge)
        draft.edges.append(edge)
        actions = ON_DELETE if nullable else ON_DELETE[:3]
        draft.on_delete.append(self.pick(actions))
        if unique or (not plain and self.chance(5)):
            draft.unique.append(list(columns))
        return edge

    def _polymorphic(self, draft: Draft, edge: Edge) -> Edge:
        """The link for some rows only, and now and then another of the same columns for others."""
        column = draft.add("type", "text", self.chance(3))
        alike = [
            d for d in self.drafts
            if d.identity and d is not draft and d.name != edge.parent
            and [d.columns[c].kind for c in d.identity]
            == [draft.columns[c].kind for c in edge.columns]
        ]  # fmt: skip
        if alike and self.chance(2):
            other = self.pick(alike)
            draft.edges.append(
                Edge(
                    draft.name, edge.columns, other.name, tuple(other.identity), True,
                    ((column, (TYPES_OF_LINKS[1],)),),
                )
            )  # fmt: skip
            draft.on_delete.append(ON_DELETE[0])
        return replace(edge, where=((column, TYPES_OF_LINKS[:1]),))

    def _data(self, draft: Draft) -> None:
        draft.add("note", "text", self.chance(2))
        if self.chance(5):
            draft.unique.append(["note"])
        if self.chance(3):
            draft.add("val ue", self.pick(list(VALUES)), True)

    # People

    def people(self) -> None:
        """The subjects, each with a way to its residence."""
        for number, draft in enumerate(self.of_kind("register")):
            self.subjects.append(
                Subject(
                    ["customer", "member"][number],
                    TableName(HOLDS, draft.name),
                    tuple(draft.identity),
                    self._residence(draft),
                )
            )

    def _residence(self, register: Draft) -> Path | None:
        refs = [d for d in self.of_kind("ref") if d.identity]
        attachments = [d for d in self.of_kind("attachment") if d.identity]
        ways = ["column"] * 4 + ["backward"] * 2 + ["none"]
        ways += ["hop"] * (3 * bool(refs)) + ["attachment"] * (2 * bool(refs and attachments))
        way = self.pick(ways)
        if way == "none":
            return None
        if way == "column":
            column = register.add("country", "text", True)
            register.country = column
            return Path((), column)
        if way == "backward":
            draft = Draft(self.name(), "dependent")
            self.drafts.append(draft)
            draft.identity = [draft.add("id", "int", False)]
            self.refer(draft, register, "of", plain=True, unique=True)
            draft.country = draft.add("country", "text", True)
            self._data(draft)
            return Path((Hop(draft.name, backward=True),), draft.country)
        ref = self.pick(refs)
        ref.country = ref.country or ref.add("country", "text", True)
        if way == "hop":
            edge = self.refer(register, ref, "lives", plain=True)
            return Path((Hop(edge.columns[0]),), ref.country)
        attachment = self.pick(attachments)
        first = self.refer(register, attachment, "address", plain=True)
        second = self.refer(attachment, ref, "city", plain=True)
        return Path((Hop(first.columns[0]), Hop(second.columns[0])), ref.country)

    # What the estate says about tables

    def roles(self) -> dict[TableName, TableRole]:
        """Roles: attachments are declared, authors now and then."""
        found: dict[TableName, TableRole] = {}
        for draft in self.drafts:
            name = TableName(HOLDS, draft.name)
            if draft.kind == "attachment":
                found[name] = TableRole("attachment", of=self._of(draft))
            elif draft.kind == "ref" and self.chance(2):
                found[name] = TableRole("reference")
            elif draft.kind == "dependent":
                path = self._author(draft) if self.chance(2) else None
                if path is not None:
                    found[name] = TableRole(joint="author", author=path)
                elif self.chance(12):
                    found[name] = TableRole("reference")
        return found

    def _of(self, attachment: Draft) -> tuple[ColumnName, ...]:
        """Declared references, where no other reading could differ."""
        into = [(d, e) for d in self.drafts for e in d.edges if e.parent == attachment.name]
        plain = [(d, e) for d, e in into if len(e.columns) == 1]
        if not plain or len(plain) < len(into) or not self.chance(4):
            return ()
        if any(d.kind not in ("register", "dependent") for d, _ in into):
            return ()
        chosen = [(d, e) for d, e in plain if self.chance(2)] or plain[:1]
        return tuple(ColumnName(TableName(HOLDS, d.name), e.columns[0]) for d, e in chosen)

    def _author(self, draft: Draft) -> Path | None:
        by_name = {d.name: d for d in self.drafts}
        hops: list[Hop] = []
        here = draft
        while here.edges and len(hops) < AUTHOR_HOPS_MOST:
            edge = self.pick(here.edges)
            if edge.where:  # no hop of a path: it is for some rows only
                break
            hops.append(Hop(edge.columns[0]))
            here = by_name[edge.parent]
            if here.kind == "register" or self.chance(2):
                break
        return Path(tuple(hops)) if hops and here.kind not in ("ref", "nobody") else None

    # Rows

    def fill(self) -> None:
        """Rows of the source: keys to earlier tables first, then those that make cycles."""
        order = [d.name for d in self.drafts]
        for draft in self.drafts:
            self.rows[draft.name] = []
            rows = self.pick(PEOPLE if draft.kind == "register" else ROWS)
            if draft.country and draft.kind == "dependent":  # most people have a residence
                rows = PEOPLE_MOST
            for position in range(rows):
                row = self._row(draft, position, order)
                if row is not None and self._is_free(draft, row):
                    self.rows[draft.name].append(row)
        for draft in self.drafts:
            for edge in draft.edges:
                if order.index(edge.parent) >= order.index(draft.name):
                    for row in self.rows[draft.name]:
                        self._point(draft, edge, row)

    def _row(self, draft: Draft, position: int, order: list[str]) -> Row | None:
        row: Row = dict.fromkeys(draft.columns)
        for edge in draft.edges:
            if order.index(edge.parent) < order.index(draft.name):
                parents = self.rows[edge.parent]
                nullable = self._nullable(draft, edge)
                if any(row[c] is not None for c, _ in edge.where):
                    continue  # the row is of another type already
                if not parents and not nullable:
                    return None
                if parents and not (nullable and self.chance(4)):
                    _copy_key(edge, row, self.pick(parents))
        for column in draft.columns.values():
            if any(column.name == c for e in draft.edges for c, _ in e.where):
                given: list[Value] = [row[column.name]] if row[column.name] is not None else []
                row[column.name] = self.pick(given or list(TYPES_OF_LINKS))
            elif row[column.name] is None and not self._is_edge(draft, column.name):
                row[column.name] = self._value(draft, column, position)
        return row

    @staticmethod
    def _is_edge(draft: Draft, column: str) -> bool:
        return any(column in e.columns for e in draft.edges)

    def _value(self, draft: Draft, column: Column, position: int) -> Value:
        if column.name == draft.country:
            spelled: list[list[Value]] = [list(US), list(NL), [*NOWHERE, None]]
            return self.pick(self.pick([spelled[i] for i in (0, 1, 0, 1, 0, 1, 2)]))
        if column.name in draft.identity or column.name.startswith("code"):
            if column.kind == "text":
                return f"{column.name[0]}{position}"
            return position % 2 if column.name == "shop" else position + 1
        if column.name.startswith("note"):
            if column.nullable and self.chance(4):
                return None
            return f"mark-{self.drafts.index(draft)}-{position}-ed"
        return self.pick(VALUES[column.kind])

    def _is_free(self, draft: Draft, row: Row) -> bool:
        """Whether no earlier row has one of its unique keys."""
        for columns in [draft.identity, *draft.unique]:
            values = [row[c] for c in columns]
            if columns and None not in values:
                for other in self.rows[draft.name]:
                    if other is not row and [other[c] for c in columns] == values:
                        return False
        return True

    def _point(self, draft: Draft, edge: Edge, row: Row) -> None:
        parents = self.rows[edge.parent]
        if any(row[c] not in texts for c, texts in edge.where):
            return
        if parents and self.chance(2):
            _copy_key(edge, row, self.pick(parents))
            if not self._is_free(draft, row):
                row.update(dict.fromkeys(edge.columns))

    # Home

    def home(self, world: World) -> Rows:
        """What home has already: nothing, equal rows, changed rows, and rows of its own."""
        found: Rows = {d.name: [] for d in self.drafts}
        if not self.chance(2):
            return found
        with_key = [r for r in world.row_ids() if world.table(r[0]).identity]
        if not with_key:
            return found
        equal = _closed(world, set(self.some(with_key, 3)))
        for table, position in sorted(equal):
            row = dict(world.source[table][position])
            if self.chance(5):
                row["note"] = f"other-{table}-{position}"
            found[table].append(row)
        own = _closed(world, set(self.some(with_key, 2)))
        for table, position in sorted(own):
            found[table].append(_shifted(world, table, world.source[table][position]))
        return found


def _copy_key(edge: Edge, row: Row, parent: Row) -> None:
    for column, parent_column in zip(edge.columns, edge.parent_columns, strict=True):
        row[column] = parent[parent_column]
    for column, texts in edge.where:
        row[column] = texts[0]


def _closed(world: World, rows: set[RowId]) -> set[RowId]:
    """Those rows and all that their keys need."""
    found: set[RowId] = set()
    waiting = list(rows)
    while waiting:
        here = waiting.pop()
        if here not in found:
            found.add(here)
            parents = [world.parent(here, e) for e in world.edges_from(here[0])]
            waiting += [p for p in parents if p is not None]
    return found


def _shifted(world: World, table: str, row: Row) -> Row:
    """The same row under keys that the source does not use."""
    described = world.table(table)
    keys = {c for k in described.keys for c in k.columns}
    keys |= {c for e in world.edges_from(table) for c in e.columns}
    keys |= {c for e in world.edges_to(table) for c in e.parent_columns}
    new = dict(row)
    for column in keys | {"note"}:
        value = row[column]
        if isinstance(value, str):
            new[column] = f"home-{value}"
        elif isinstance(value, int):
            new[column] = value + HOME_SHIFT
    return new


@st.composite
def worlds(draw: Any) -> World:
    """A random world: schema, estate, and rows in both cells whose keys are whole."""
    return make_world(DrawnDice(draw))


def random_world(seed: int) -> World:
    """The world of that seed, the same each time."""
    return make_world(SeededDice(seed))


@st.composite
def split_worlds(draw: Any) -> World:
    """A random world in which what follows an author is split."""
    return split(draw(worlds()), draw(st.integers(0, 99)))


def split(world: World, seed: int) -> World:
    """The world with `joint: split` for `joint: author`, and for tables nothing is said of that
    refer to a register; any columns are kept."""
    random = Random(seed)
    tables = dict(world.estate.tables)
    for name in world.schema.tables:
        role = world.role(name)
        if not role.role and role.author is None and world.register_of(name) is None:
            hops = [
                e.columns[0] for e in world.edges_from(name)
                if world.register_of(e.parent) and not e.where
            ]  # fmt: skip
            clear = [h for h in hops if sum(h in e.columns for e in world.edges_from(name)) == 1]
            if clear:
                role = replace(role, joint="author", author=Path((Hop(random.choice(clear)),)))
        if role.joint == "author":
            keep = tuple(c for c in world.table(name).names if random.random() < KEPT)
            tables[TableName(HOLDS, name)] = replace(role, joint="split", keep=keep)
    return replace(world, estate=replace(world.estate, tables=tables))


def make_world(dice: Dice) -> World:
    """A world from these choices."""
    maker = Maker(dice)
    maker.tables()
    maker.people()
    roles = maker.roles()
    maker.fill()
    schema = Schema({d.name: d.table() for d in maker.drafts})
    links = tuple(
        _link(edge, maker.subjects) for d in maker.drafts for edge in d.edges if edge.linked
    )
    estate = Estate(
        name="random",
        file="estate.yaml",
        digest="",
        stores=STORES,
        subjects=tuple(maker.subjects),
        links=links,
        tables=roles,
    )
    unknown: Literal["report", "protect"] = maker.pick(["report", "report", "protect"])
    world = World(schema, estate, maker.rows, {}, COUNTRIES, unknown_residence=unknown)
    return replace(world, home=maker.home(world))


def _link(edge: Edge, subjects: list[Subject]) -> Link:
    source = ColumnName(TableName(HOLDS, edge.child), edge.columns[0])
    more = edge.columns[1:]
    for subject in subjects:
        if subject.register.table == edge.parent and subject.key == edge.parent_columns:
            return Link(source, subject=subject.name, more=more, where=edge.where)
    target = ColumnName(TableName(HOLDS, edge.parent), edge.parent_columns[0])
    return Link(source, target=target, more=more, more_to=edge.parent_columns[1:], where=edge.where)


def dangling(world: World, rows: Rows) -> list[tuple[RowId, Edge]]:
    """Keys of these rows, enforced by the store, that lead nowhere."""
    return [
        ((edge.child, position), edge)
        for edge in world.edges
        if not edge.linked
        for position, row in enumerate(rows.get(edge.child, []))
        if all(row[c] is not None for c in edge.columns) and find(rows, edge, row) is None
    ]
