"""What both cells must hold after a move, row by row."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tests.oracle.model import Edge, Reading, Row, RowId, Rows, Value, World, key_of
from tests.oracle.ownership import Ownership

Form = Literal["move", "copy", "stub", "split"]
Why = Literal["joint", "collision"]
Keys = dict[str, set[tuple[Value, ...]]]


@dataclass
class Outcome:
    """The expected end: full rows, the keys of stubs, and why rows were held."""

    ownership: Ownership
    moving: set[RowId] = field(default_factory=set)
    copied: set[RowId] = field(default_factory=set)  # needed at home in full, stays at the source
    held: dict[RowId, Why] = field(default_factory=dict)
    source: Rows = field(default_factory=dict)
    source_stubs: Keys = field(default_factory=dict)
    home: Rows = field(default_factory=dict)
    home_stubs: Keys = field(default_factory=dict)
    source_copies: Keys = field(default_factory=dict)  # what `joint: split` leaves on either side
    home_copies: Keys = field(default_factory=dict)

    def rows(self, table: str) -> int:
        """How many rows of a table move."""
        return sum(1 for r in self.moving if r[0] == table)

    def subjects(self, table: str) -> int:
        """How many people, of those who go, the moving rows of a table are about."""
        of_table = [self.ownership.about[r] for r in self.moving if r[0] == table]
        return len({p for ps in of_table for p in ps if self.ownership.labels[p] == "go"})

    def held_rows(self, table: str) -> int:
        """How many rows of a table are held, for whatever reason."""
        return sum(1 for r in self.held if r[0] == table)


def kept_columns(world: World, table: str) -> set[str]:
    """What a stub keeps: its key, the keys others refer to, and foreign keys that are not null."""
    described = world.table(table)
    kept = set(described.identity)
    for edge in world.edges_to(table):
        kept |= set(edge.parent_columns)
    for edge in world.edges_from(table):
        if not any(_nullable(world, table, c) for c in edge.reads):
            kept |= edge.reads
    return kept


def _nullable(world: World, table: str, column: str) -> bool:
    described = world.table(table)
    primary = any(k.primary and column in k.columns for k in described.keys)
    return described.column(column).nullable and not primary


def split_columns(world: World, table: str) -> set[str]:
    """What a copy of a split row keeps: a stub's columns, those of `keep`, and the keys by which
    it is about people, directly or through other rows or attachments."""
    kept = kept_columns(world, table) | set(world.role(table).keep)
    for edge in world.edges_from(table):
        if _leads_to_people(world, edge.parent, frozenset()):
            kept |= edge.reads
    return kept


def _leads_to_people(world: World, table: str, seen: frozenset[str]) -> bool:
    if world.is_reference(table) or table in seen:
        return False
    if world.register_of(table) is not None or world.is_attachment(table):
        return True
    parents = [e.parent for e in world.edges_from(table)]
    return any(_leads_to_people(world, p, seen | {table}) for p in parents)


def expected(world: World, reading: Reading | None = None) -> Outcome:
    """The outcome of carrying out the mandate on this world."""
    reading = reading or Reading()
    ownership = Ownership(world, reading)
    outcome = Outcome(ownership)
    going = {r for r, verdict in ownership.verdicts.items() if verdict == "go"}
    coming = {r for r in world.row_ids() if form(ownership, r) == "split"}
    stuck = _stuck(world, ownership, going | coming, reading)
    outcome.moving = going - stuck
    for row_id, verdict in ownership.verdicts.items():
        if verdict == "held":
            outcome.held[row_id] = "joint"
        elif row_id in going | coming and row_id in stuck:
            outcome.held[row_id] = "collision"
    _at_home(world, outcome, coming - stuck, reading)
    _at_source(world, outcome, reading)
    return outcome


def form(ownership: Ownership, row_id: RowId) -> Form:
    """How a row that a moving row needs comes to stand at home."""
    verdict = ownership.verdicts[row_id]
    if verdict == "go":
        return "move"
    if verdict == "stay" and ownership.split(row_id):
        return "split"  # its author stays, and it is about somebody who goes
    several = row_id in ownership.users and not ownership.own(row_id)
    if several and verdict == "stay" and ownership.reading.stayers_attachment == "copy":
        return "copy"
    return "copy" if verdict in ("nobody", "shared") else "stub"


def _key_edges(world: World, table: str, as_form: Form, links: bool) -> list[Edge]:
    """The keys of a row in its form for which there must be a parent in its cell."""
    edges = [e for e in world.edges_from(table) if links or not e.linked]
    if as_form in ("stub", "split"):
        kept = (kept_columns if as_form == "stub" else split_columns)(world, table)
        edges = [e for e in edges if e.reads <= kept]
    return edges


def _needs(
    world: World, ownership: Ownership, row_id: RowId, reading: Reading, *, links: bool
) -> list[RowId]:
    """The rows that must stand at home, in some form, when this row comes there in its form."""
    as_form = form(ownership, row_id)
    equal = world.row(row_id) in world.home.get(row_id[0], [])
    if equal and as_form != "move" and reading.equal_row_needs == "nothing":
        return []
    edges = _key_edges(world, row_id[0], as_form, links)
    parents = [world.parent(row_id, e) for e in edges]
    return [p for p in parents if p is not None]


def _closure(world: World, ownership: Ownership, rows: set[RowId], reading: Reading) -> set[RowId]:
    found: set[RowId] = set()
    waiting = list(rows)
    while waiting:
        here = waiting.pop()
        if here not in found:
            found.add(here)
            waiting.extend(_needs(world, ownership, here, reading, links=reading.links_hold_keys))
    return found


def _stuck(world: World, ownership: Ownership, going: set[RowId], reading: Reading) -> set[RowId]:
    """The rows that cannot come home: another row has their key, or what they need is stuck."""
    needed = _closure(world, ownership, going, reading)
    stuck = {r for r in needed if _taken(world, r, form(ownership, r), reading)}
    while True:
        more = {
            r
            for r in needed - stuck
            if any(p in stuck for p in _needs(world, ownership, r, reading, links=True))
        }
        if not more:
            return stuck
        stuck |= more


def _taken(world: World, row_id: RowId, as_form: Form, reading: Reading) -> bool:
    """Whether another row at home has a key of this one."""
    table, row = world.table(row_id[0]), world.row(row_id)
    if as_form == "stub" and reading.stub_key_taken == "accept":
        return False
    keys = [table.identity] if as_form in ("stub", "split") else [k.columns for k in table.keys]
    for other in world.home.get(row_id[0], []):
        for columns in keys:
            values = key_of(row, columns)
            if columns and None not in values and values == key_of(other, columns) and other != row:
                return True
    return False


def _at_home(world: World, outcome: Outcome, coming: set[RowId], reading: Reading) -> None:
    ownership = outcome.ownership
    outcome.home = {t: list(world.home.get(t, [])) for t in world.schema.tables}
    for row_id in sorted(_closure(world, ownership, outcome.moving | coming, reading)):
        table, row = row_id[0], world.row(row_id)
        identity = world.table(table).identity
        if form(ownership, row_id) == "copy":
            outcome.copied.add(row_id)
        if identity and any(
            key_of(other, identity) == key_of(row, identity) for other in world.home.get(table, [])
        ):
            continue  # it is there, equal (or, for a stub, whatever the reading accepts)
        as_form = form(ownership, row_id)
        # Where its own copy cannot be, the row is still somebody's who stays.
        if as_form in ("stub", "split"):
            copy = as_form == "split" and row_id in coming
            into = outcome.home_copies if copy else outcome.home_stubs
            into.setdefault(table, set()).add(key_of(row, identity))
        else:
            outcome.home[table].append(row)


def _at_source(world: World, outcome: Outcome, reading: Reading) -> None:
    outcome.source = {t: [] for t in world.schema.tables}
    stubs: set[RowId] = set()
    copies = {r for r in outcome.moving if outcome.ownership.split(r)}
    waiting: list[tuple[RowId, Form]] = [(r, "split") for r in copies]
    for row_id in world.row_ids():
        if row_id not in outcome.moving:
            outcome.source[row_id[0]].append(world.row(row_id))
            waiting.append((row_id, "move"))
    while waiting:
        row_id, as_form = waiting.pop()
        for edge in _key_edges(world, row_id[0], as_form, reading.links_hold_keys):
            parent = world.parent(row_id, edge)
            if parent is not None and parent in outcome.moving - stubs - copies:
                stubs.add(parent)
                waiting.append((parent, "stub"))
    for found, into in ((stubs, outcome.source_stubs), (copies, outcome.source_copies)):
        for table, position in found:
            row = world.source[table][position]
            into.setdefault(table, set()).add(key_of(row, world.table(table).identity))


def shown(row: Row) -> str:
    """A row in one line, for messages of tests."""
    return ", ".join(f"{k}={v!r}" for k, v in row.items())
