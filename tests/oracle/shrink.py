"""The smallest world in which a disagreement is still there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from domicile.estate.model import Estate, TableName, TableRole
from domicile.stores.schema import Schema, Table
from tests.oracle.generate import dangling
from tests.oracle.model import Rows, World, column_edge, find, hop_edge

Fails = Callable[[World], bool]


def shrink(world: World, fails: Fails) -> World:
    """Take away whatever can be taken away while `fails` stays true of what is left."""
    smaller = True
    while smaller:
        smaller = False
        for candidate in _candidates(world):
            if sound(candidate) and fails(candidate):
                world, smaller = candidate, True
                break
    return world


def sound(world: World) -> bool:
    """Whether keys are whole in both cells and the estate names only what is there."""
    if dangling(world, world.source) or dangling(world, world.home):
        return False
    try:
        for name, role in world.estate.tables.items():
            world.table(name.table)
            here = name.table
            for hop in role.author.hops if role.author else ():
                here = hop_edge(world, here, hop.name).parent
            for column in role.of:
                column_edge(world, column)
        for subject in world.estate.subjects:
            world.table(subject.register.table)
            here = subject.register.table
            for hop in subject.residence.hops if subject.residence else ():
                here = hop.name if hop.backward else hop_edge(world, here, hop.name).parent
            if subject.residence:
                world.table(here).column(subject.residence.column)
    except KeyError:
        return False
    return True


def _candidates(world: World) -> Iterator[World]:
    if any(world.home.values()):
        yield replace(world, home={t: [] for t in world.home})
    for name in world.schema.tables:
        yield _without_table(world, name)
    for name in world.schema.tables:
        if world.source[name]:
            yield replace(world, source=_without_rows(world, world.source, name, None))
    for name in world.schema.tables:
        for position in range(len(world.source[name])):
            yield replace(world, source=_without_rows(world, world.source, name, position))
        for position in range(len(world.home.get(name, []))):
            yield replace(world, home=_without_rows(world, world.home, name, position))
    for table_name in world.estate.tables:
        others = {t: r for t, r in world.estate.tables.items() if t != table_name}
        yield replace(world, estate=replace(world.estate, tables=others))
    yield from _without_columns(world)
    for edge in world.edges:
        for position, row in enumerate(world.source[edge.child]):
            described = world.table(edge.child)
            if all(described.column(c).nullable and row[c] is not None for c in edge.columns):
                rows = {t: list(rs) for t, rs in world.source.items()}
                rows[edge.child][position] = {**row, **dict.fromkeys(edge.columns)}
                yield replace(world, source=rows)


def _without_rows(world: World, rows: Rows, table: str, position: int | None) -> Rows:
    """One row (or all) of a table away; what refers to it is set to null, or goes too."""
    left = {t: list(rs) for t, rs in rows.items()}
    left[table] = [] if position is None else left[table][:position] + left[table][position + 1 :]
    changed = True
    while changed:
        changed = False
        for edge in world.edges:
            described = world.table(edge.child)
            loose = all(described.column(c).nullable for c in edge.columns)
            for row in list(left[edge.child]):
                if any(row[c] is None for c in edge.columns) or find(left, edge, row) is not None:
                    continue
                changed = True
                left[edge.child].remove(row)
                if loose:
                    left[edge.child].append({**row, **dict.fromkeys(edge.columns)})
    return left


def _without_table(world: World, name: str) -> World:
    """The same world without a table and the keys to it (their columns become plain ones)."""
    tables = {
        t: replace(
            table,
            foreign_keys=tuple(f for f in table.foreign_keys if f.parent != name),
        )
        for t, table in world.schema.tables.items()
        if t != name
    }
    gone = TableName(world.holds, name)
    estate: Estate = replace(
        world.estate,
        subjects=tuple(s for s in world.estate.subjects if s.register != gone),
        links=tuple(
            link
            for link in world.estate.links
            if link.source.table != gone
            and (link.target is None or link.target.table != gone)
            and (not link.subject or world.estate.subject(link.subject).register != gone)
        ),
        tables={t: _without_of(r, gone) for t, r in world.estate.tables.items() if t != gone},
    )
    return replace(
        world,
        schema=Schema(tables),
        estate=estate,
        source={t: rs for t, rs in world.source.items() if t != name},
        home={t: rs for t, rs in world.home.items() if t != name},
    )


def _without_of(role: TableRole, gone: TableName) -> TableRole:
    return replace(role, of=tuple(c for c in role.of if c.table != gone))


def _without_columns(world: World) -> Iterator[World]:
    """Without a column that no key has, or without one foreign key and its columns."""
    for name, table in world.schema.tables.items():
        for foreign in table.foreign_keys:
            others = tuple(f for f in table.foreign_keys if f is not foreign)
            yield _with_table(world, replace(table, foreign_keys=others))
        used = {c for e in world.edges_from(name) for c in e.reads} | set(table.identity)
        used |= {c for e in world.edges_to(name) for c in e.parent_columns}
        for link in world.estate.links:
            used |= {link.source.column} if link.source.table.table == name else set()
        for column in table.columns:
            if column.name in used or len(table.columns) == 1:
                continue
            yield _with_table(
                world,
                replace(
                    table,
                    columns=tuple(c for c in table.columns if c is not column),
                    keys=tuple(k for k in table.keys if column.name not in k.columns),
                ),
            )


def _with_table(world: World, table: Table) -> World:
    """The same world with another description of a table; its rows lose what it lacks."""

    def cut(rows: Rows) -> Rows:
        return {
            t: [{c: r[c] for c in table.names} for r in rs] if t == table.name else rs
            for t, rs in rows.items()
        }

    return replace(
        world,
        schema=Schema({**world.schema.tables, table.name: table}),
        source=cut(world.source),
        home=cut(world.home),
    )


def told(world: World) -> str:
    """A world in a few lines, for a report."""
    lines = []
    for name, table in world.schema.tables.items():
        role = world.estate.tables.get(TableName(world.holds, name))
        subject = world.register_of(name)
        said = [f"register of {subject.name}, residence {subject.residence}"] if subject else []
        if role is not None:
            of = ", ".join(map(str, role.of))
            said.append(f"{role.role or role.joint} {role.author or of}".strip())
        lines.append(f"table {name!r} {'; '.join(said)}")
        lines += [
            f"    {c.name!r} {c.type}{'' if c.nullable else ' not null'}" for c in table.columns
        ]
        lines += [f"    key {'primary ' if k.primary else ''}{k.columns}" for k in table.keys]
        lines += [
            f"    {'link' if e.linked else 'foreign key'} {e.columns} {e.where or ''}"
            f" -> {e.parent!r} {e.parent_columns}"
            for e in world.edges_from(name)
        ]
        lines += [f"    source {row}" for row in world.source.get(name, [])]
        lines += [f"    home   {row}" for row in world.home.get(name, [])]
    lines.append(f"unknown residence: {world.unknown_residence}")
    return "\n".join(lines)
