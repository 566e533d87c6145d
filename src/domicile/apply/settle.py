"""What an earlier run left half-way is settled before anything new is done.

Rows are copied home first and deleted at the source later, so a run that was cut off leaves rows at
both ends. The journal tells which transaction at home wrote them, and which one at the source was
about to delete them; the stores tell what became of those. Then:

- a deletion that was committed: the rows at home are the people's, for good;
- one that was not: they are copies. What is still to go is found equal and stays; what the
  application deleted in the meantime, or what is to stay after all, is taken back at home.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count as counting

from domicile.apply.context import Run
from domicile.apply.ends import End
from domicile.apply.keys import listed, parents_first
from domicile.errors import StoreError, StoreUnreachable
from domicile.plan.closure import Closure
from domicile.plan.home import row_digest
from domicile.survey.graph import Graph
from domicile.survey.ownership import Shapes
from domicile.survey.state import Keys, State
from domicile.survey.stubs import Stubs
from domicile.survey.survey import Cell
from domicile.survey.work import Work

_COUNT = counting()
"""What is settled one after the other in one session has tables of its own there."""


def unsettled(state: State) -> bool:
    """Whether an earlier run left something to be settled before the survey."""
    return bool(
        state.pairs() or state.deletions() or state.all_copied() or state.unsaid()
        or state.ending_stubs()
    )  # fmt: skip


def settle_moves(run: Run, cells: Mapping[str, Cell], ends: Mapping[str, End]) -> None:
    """Settle batches and pairs whose end was not noted; before anything is surveyed.

    Raises StoreUnreachable when a store no longer knows what became of its transaction.
    """
    state = run.state
    # First of all: what is taken back below changes what a store of SQLite can tell.
    for store, mark, entries in state.unsaid():
        if store in ends:
            if ends[store].committed(mark):
                run.say(entries)
            state.said(store, mark)
    for store, mark in state.ending_stubs():
        if store in ends and (ended := ends[store].committed(mark)) is not None:
            state.end_stubs(store, mark, committed=ended)
    for batch in state.deletions():
        if batch.source not in ends or batch.home not in ends:
            continue
        committed = ends[batch.source].committed(batch.source_mark)
        if committed is None:
            # Rows at home are then never taken back, and compared as any others.
            state.forget_copied(batch.home, batch.mark)
            continue
        if committed:
            state.forget_copied(batch.home, batch.mark)
        state.end_deletion(batch.home, batch.mark, committed=committed)
    for home, mark, source in state.all_copied():
        if not source:
            state.forget_copied(home, mark)  # cut off before its transaction was to be committed
        elif home in ends and source in ends:
            _take_back_copied(state, cells[source].graph, cells[home], ends[home], mark)
    _settle_pairs(state, cells, ends)


def _take_back_copied(state: State, source: Graph, cell: Cell, end: End, mark: str) -> None:
    """Rows at a home that cannot tell who wrote them, and that the source did not delete."""
    shapes = Shapes(cell.graph, end.session.dialect)
    dialect = end.session.dialect
    work = Work(end.session, f"taken{next(_COUNT)}_")
    found: dict[str, list[Keys]] = {}
    same: dict[str, str] = {}
    for table, rows in state.copied(cell.name, mark).items():
        shape = end.session.schema.tables.get(table)
        if shape is None or table not in source.schema.tables:
            continue
        # As they were noted: the home may have its columns in another order, or more of them.
        columns = [c.name for c in source.table(table).columns if not c.generated]
        if not set(columns) <= set(shape.names):
            continue
        digest = row_digest(end.session, table, "t", columns)
        texts = [
            dialect.text(f"t.{dialect.quote(c)}", shape.column(c).kind)
            for c in shapes.identity(table)
        ]
        labels = [*shapes.labels(table), "digest"]
        name = work.name()
        end.session.load(name, [(k, "text") for k in labels], ((*k, d) for k, d in rows))
        same[table] = (
            f"({', '.join([*texts, digest])}) IN "
            f"(SELECT {', '.join(f'x.{k}' for k in labels)} FROM {dialect.temp(name)} x)"
        )
        found[table] = [keys for keys, _ in rows]
    if found:
        take_back(state, cell.name, cell.graph, end, found, same.__getitem__)
    state.forget_copied(cell.name, mark)


def _settle_pairs(state: State, cells: Mapping[str, Cell], ends: Mapping[str, End]) -> None:
    """Rows without a key, committed at home, whose deletion was cut off: take them back."""
    for source, home, tables, mark, source_mark in state.pairs():
        if source not in ends or home not in ends:
            continue
        deleted = ends[source].committed(source_mark)
        if deleted is None:
            deleted = _deleted(cells[source], ends[source], ends[home], tables, mark)
        if deleted is None or not (deleted or ends[home].stands(mark)):
            raise StoreUnreachable(
                source if deleted is None else home,
                "it no longer knows whether a deletion of ours was committed" if deleted is None
                else "its rows were numbered anew since a run of ours was cut off",
                hint=f"compare {', '.join(tables)} at {source} and {home} by hand",
            )  # fmt: skip
        if not deleted:
            end = ends[home]
            with _transaction(end):
                for table in tables:
                    end.session.execute(
                        f"DELETE FROM {end.session.dialect.table(table)} AS t "
                        f"WHERE {end.of_pair('t', table, mark)}"
                    )
        state.end_pair(home, mark)


def _deleted(cell: Cell, source: End, home: End, tables: list[str], mark: str) -> bool | None:
    """Whether rows without a key are gone at the source, by looking: they went in one transaction,
    all or none. None when some are there and some are not."""
    work = Work(source.session, f"gone{next(_COUNT)}_")
    there = found = 0
    for table in tables:
        shape = home.session.schema.tables[table]
        columns = [
            c.name for c in cell.graph.table(table).columns
            if not c.generated and c.name in shape.names
        ]  # fmt: skip
        digests = home.session.stream(
            f"SELECT DISTINCT {row_digest(home.session, table, 't', columns)} "
            f"FROM {home.session.dialect.table(table)} t WHERE {home.of_pair('t', table, mark)}"
        )
        name = work.name()
        there += source.session.load(name, [("d", "text")], (r for b in digests for r in b))
        mine = row_digest(source.session, table, "t", columns)
        found += work.count(
            f"{source.session.dialect.temp(name)} x",
            f"x.d IN (SELECT {mine} FROM {source.session.dialect.table(table)} t)",
        )
    return None if 0 < found < there else not found


def take_back_strays(
    run: Run, cell: Cell, home: Cell, source_end: End, end: End, closure: Closure | None
) -> int:
    """Take back copies at home of rows that are not to go any more; how many they were.

    Of what the survey has just found to go (`closure`), everything has its copy; any other row
    that is marked as a copy was deleted by the application, or stays after all.
    """
    marks = run.state.copies(cell.name, home.name)
    if not marks:
        return 0
    found: dict[str, list[Keys]] = {}
    shapes = Shapes(home.graph, end.session.dialect)
    with _transaction(end):
        for table in home.schema.tables:
            if not (shapes.identity(table) and _touchable(end, table)):
                continue
            strays = _strays(cell, home, source_end, end, table, end.ours("t", marks), closure)
            if strays:
                found[table] = strays
    if not found:
        return 0
    return take_back(run.state, home.name, home.graph, end, found, lambda _: end.ours("t", marks))


def _touchable(end: End, table: str) -> bool:
    """Whether the journal can tell copies of this table from rows that were moved."""
    columns = end.session.schema.tables[table].columns
    return any(not (c.generated or c.identity) for c in columns)


def _strays(
    cell: Cell, home: Cell, source: End, end: End, table: str, ours: str, closure: Closure | None
) -> list[Keys]:
    there, here = end.session.dialect, source.session.dialect
    shapes = Shapes(home.graph, there)
    shape = home.schema.tables[table]
    texts = ", ".join(
        there.text(f"t.{there.quote(c)}", shape.column(c).kind) for c in shapes.identity(table)
    )
    rows = end.session.stream(f"SELECT {texts} FROM {there.table(table)} t WHERE {ours}")
    going = closure.going.get(table) if closure else None
    if going is None:
        return [row for batch in rows for row in batch]
    work = Work(source.session, "stray")
    labels = shapes.labels(table)
    name = f"stray_{table}"[:60]
    source.session.load(name, [(k, "text") for k in labels], (r for b in rows for r in b))
    mine = cell.graph.table(table)
    match = " AND ".join(
        f"x.{k} = {here.text(f'g.{k}', mine.column(c).kind)}"
        for k, c in zip(labels, Shapes(cell.graph, here).identity(table), strict=True)
    )
    listed_keys = ", ".join(f"x.{k}" for k in labels)
    found = source.session.query(
        f"SELECT {listed_keys} FROM {here.temp(name)} x "
        f"WHERE NOT EXISTS (SELECT 1 FROM {going} g WHERE {match})"
    )
    work.drop(here.temp(name))
    return found


def take_back(
    state: State, store: str, graph: Graph, end: End, found: Mapping[str, list[Keys]],
    ours: Callable[[str], str],
) -> int:  # fmt: skip
    """Delete copies at home, by their keys, while they are still as we wrote them: `ours(table)`,
    a condition over alias `t`.

    A row that others point at there becomes a stub, so that their keys hold; where none can
    stand, it stays. How many rows went or became stubs.
    """
    forms = Stubs(graph, end.session.dialect)
    shapes = forms.shapes
    dialect = end.session.dialect
    count = 0
    noted: list[tuple[str, list[Keys]]] = []
    with _transaction(end):
        for table, keys in _children_first(graph, found):
            identity = shapes.identity(table)
            shape = end.session.schema.tables[table]
            name = dialect.table(table)
            texts = ", ".join(
                dialect.text(f"t.{dialect.quote(c)}", shape.column(c).kind) for c in identity
            )
            itself = " AND ".join(
                f"{c} = {t}"
                for c, t in zip(shapes.keys(table, "c"), shapes.keys(table, "t"), strict=True)
            )
            with listed(end, table, identity, keys) as these:
                mine = f"{these} AND {ours(table)}"
                if end.concurrent:
                    end.lock(f"SELECT 1 FROM {name} t WHERE {mine}", "t")
                pointed = " OR ".join(
                    f"EXISTS (SELECT 1 FROM {dialect.table(e.child)} c "
                    f"WHERE {shapes.refers(e, 'c', 't')}"
                    + (f" AND NOT ({itself})" if e.child == table else "")
                    + ")"
                    for e in graph.into(table)
                    if e.binding
                )
                free = f"NOT ({pointed})" if pointed else "1 = 1"
                # Again while rows of this table went that pointed at others of it.
                delete = f"DELETE FROM {name} AS t WHERE {mine} AND {free}"
                while gone := end.session.execute(delete):
                    count += gone
                values = forms.values(table)
                rest = end.session.query(f"SELECT {texts} FROM {name} t WHERE {mine}")
                if not rest or values is None:
                    continue
                with state.transaction():
                    state.note_stubs(store, table, ((k, [], "") for k in rest))
                kept = forms.kept(table)
                sets = ", ".join(
                    f"{dialect.quote(c)} = {v}" for c, v in values.items() if c not in kept
                )
                if sets:
                    end.session.execute(f"UPDATE {name} AS t SET {sets} WHERE {mine}")
                noted.append((table, rest))
                count += len(rest)
    with state.transaction():
        for table, keys in noted:
            state.sure_stubs(store, table, keys)
    return count


def _children_first(
    graph: Graph, found: Mapping[str, list[Keys]]
) -> Iterator[tuple[str, list[Keys]]]:
    for table in reversed(parents_first(graph)):
        if table in found:
            yield table, found[table]


@contextmanager
def _transaction(end: End) -> Iterator[None]:
    end.begin()
    try:
        yield
        end.commit()
    except BaseException:
        with suppress(StoreError):
            end.rollback()
        raise
