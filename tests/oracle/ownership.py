"""Whose row is it: people, attachments, `about`, and the verdict of each row of the source."""

from __future__ import annotations

from typing import Literal

from tests.oracle.model import (
    Edge,
    Label,
    Person,
    Reading,
    Row,
    RowId,
    Rows,
    Value,
    World,
    column_edge,
    find,
    hop_edge,
    is_unique,
    key_of,
    walk,
)

Verdict = Literal["go", "stay", "held", "nobody", "shared"]
"""`held` is joint here (a collision holds later); `shared` is an attachment across the line."""

Tier = Literal[1, 2, 3, "attachment", "nobody"]
NOBODY: frozenset[Person] = frozenset()


def people(world: World) -> dict[Person, Label]:
    """Every person in a register of either cell, with a label. The source's row decides first."""
    found: dict[Person, Label] = {}
    for rows in (world.home, world.source):
        for subject in world.estate.subjects:
            table = subject.register.table
            for position, row in enumerate(rows.get(table, [])):
                text = residence(world, rows, (table, position))
                found[(subject.name, key_of(row, subject.key))] = label(world, text)
    return found


def residence(world: World, rows: Rows, register_row: RowId) -> Value:
    """What the declared path says about a person's country, as it is spelled there."""
    subject = world.register_of(register_row[0])
    if subject is None or subject.residence is None:
        return None
    end = walk(world, rows, register_row, subject.residence)
    return None if end is None else rows[end[0]][end[1]][subject.residence.column]


def label(world: World, spelled: Value) -> Label:
    """What the mandate says of a person whose residence is spelled like this."""
    code = world.countries.get(spelled) if isinstance(spelled, str) else None
    if code is None and world.unknown_residence == "report":
        return "unknown"
    if code is None or code in world.protected:
        return "go" if world.home_allowed else "stay"
    return "stay"


def person_of(world: World, table: str, row: Row) -> Person:
    """The person of a register's row."""
    subject = world.register_of(table)
    assert subject is not None
    return (subject.name, key_of(row, subject.key))


def person_by_key(world: World, row_id: RowId, edge: Edge) -> Person | None:
    """The person to whose register row a key leads, in this cell or, by a link, at home."""
    for rows in (world.source, world.home):
        found = find(rows, edge, world.row(row_id))
        if found is not None:
            return person_of(world, found[0], rows[found[0]][found[1]])
    return None


def reaches_register(world: World, table: str) -> bool:
    """Whether keys lead from a table to a register without passing an attachment (or reference)."""
    seen: set[str] = set()
    waiting = [table]
    while waiting:
        here = waiting.pop()
        if world.register_of(here) is not None:
            return True
        if here in seen or world.is_attachment(here) or world.is_reference(here):
            continue
        seen.add(here)
        waiting.extend(e.parent for e in world.edges_from(here))
    return False


def about0(world: World, row_id: RowId) -> frozenset[Person]:
    """The people that a row reaches through keys that pass no attachment."""
    found: set[Person] = set()
    seen: set[RowId] = set()
    waiting = [row_id]
    while waiting:
        here = waiting.pop()
        table = here[0]
        if here in seen or world.is_attachment(table) or world.is_reference(table):
            continue
        seen.add(here)
        if world.register_of(table) is not None:
            found.add(person_of(world, table, world.row(here)))
            continue
        for edge in world.edges_from(table):
            if world.register_of(edge.parent) is not None:
                person = person_by_key(world, here, edge)
                found |= {person} if person is not None else set()
                continue
            parent = world.parent(here, edge)
            waiting += [parent] if parent is not None else []
    return frozenset(found)


def tier(world: World, edge: Edge, reading: Reading) -> Tier | None:
    """How a reference to an attachment describes; None when it only passes the attachment on."""
    table = edge.child
    if world.is_attachment(table):
        return "attachment"
    declared = world.role(edge.parent).of
    if declared:
        return 1 if edge in [column_edge(world, c) for c in declared] else None
    if world.is_reference(table):
        return "nobody"
    unique = is_unique(world, edge)
    author = world.role(table).author
    if author is not None and not unique and hop_edge(world, table, author.hops[0].name) == edge:
        return None
    if world.register_of(table) is not None:
        return 1
    if not reaches_register(world, table):
        return None if reading.only_through_attachment == "passes" else "nobody"
    if unique:
        return 1
    direct = any(world.register_of(e.parent) is not None for e in world.edges_from(table))
    return 2 if direct else 3


class Ownership:
    """Every answer about the rows of one world's source, worked out once."""

    def __init__(self, world: World, reading: Reading | None = None) -> None:
        self.world = world
        self.reading = reading or Reading()
        self.labels = people(world)
        self.users: dict[RowId, frozenset[Person]] = {}
        self.used_by_nobody: dict[RowId, bool] = {}
        self._attachments()
        self.about: dict[RowId, frozenset[Person]] = {}
        for row_id in world.row_ids():
            self.about[row_id] = self._about(row_id)
        self.verdicts = {row_id: self._verdict(row_id) for row_id in world.row_ids()}

    def _attachments(self) -> None:
        world = self.world
        rows = [r for r in world.row_ids() if world.is_attachment(r[0])]
        for row_id in rows:
            by_tier: dict[Tier, set[RowId]] = {}
            for edge in world.edges_to(row_id[0]):
                kind = tier(world, edge, self.reading)
                if kind is not None:
                    by_tier.setdefault(kind, set()).update(world.children(row_id, edge))
            self.used_by_nobody[row_id] = bool(by_tier.get("nobody"))
            self.users[row_id] = NOBODY
            for number in (1, 2, 3):
                if by_tier.get(number):
                    users = [about0(world, r) for r in by_tier[number]]
                    self.users[row_id] = NOBODY.union(*users)
                    break
        for _ in rows:  # an attachment's attachment has its users too, as long as the chain is
            for row_id in rows:
                for edge in world.edges_to(row_id[0]):
                    if world.is_attachment(edge.child):
                        for child in world.children(row_id, edge):
                            self.users[row_id] |= self.users[child]
                            self.used_by_nobody[row_id] |= self.used_by_nobody[child]

    def split(self, row_id: RowId) -> bool:
        """Whether a row is declared `split`, and about people on both sides."""
        labels = {self.labels[p] == "go" for p in self.about[row_id]}
        return self.world.role(row_id[0]).joint == "split" and len(labels) == 2

    def own(self, row_id: RowId) -> bool:
        """Whether an attachment's row is one person's."""
        return len(self.users[row_id]) == 1 and not self.used_by_nobody[row_id]

    def _about(self, row_id: RowId) -> frozenset[Person]:
        world = self.world
        if world.is_reference(row_id[0]):
            return NOBODY
        if world.register_of(row_id[0]) is not None:
            return frozenset({person_of(world, row_id[0], world.row(row_id))})
        if world.is_attachment(row_id[0]):
            return self.users[row_id]
        found: set[Person] = set()
        seen: set[RowId] = set()
        waiting = [row_id]
        while waiting:
            here = waiting.pop()
            if here in seen:
                continue
            seen.add(here)
            for edge in world.edges_from(here[0]):
                if world.register_of(edge.parent) is not None:
                    person = person_by_key(world, here, edge)
                    found |= {person} if person is not None else set()
                    continue
                parent = world.parent(here, edge)
                if parent is None or world.is_reference(parent[0]):
                    continue
                if not world.is_attachment(parent[0]):
                    waiting.append(parent)
                elif self.own(parent):
                    found |= self.users[parent]
        return frozenset(found)

    def _verdict(self, row_id: RowId) -> Verdict:
        persons = self.about[row_id]
        if not persons:
            return "nobody"
        going = [p for p in persons if self.labels[p] == "go"]
        if not going:
            return "stay"
        if self.world.is_attachment(row_id[0]):
            everyone = len(going) == len(persons) and not self.used_by_nobody[row_id]
            return "go" if everyone else "shared"
        if len(going) == len(persons):
            return "go"
        return self._joint(row_id)

    def _joint(self, row_id: RowId) -> Verdict:
        role = self.world.role(row_id[0])
        if role.joint == "hold":
            return "held"
        assert role.author is not None
        if role.joint == "split" and not self.world.table(row_id[0]).identity:
            return "held"  # its copy on the other side could not be told from it
        end = walk(self.world, self.world.source, row_id, role.author)
        if end is None or len(self.about[end]) != 1:
            return "held"
        (person,) = self.about[end]
        return "go" if self.labels[person] == "go" else "stay"
