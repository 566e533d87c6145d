"""Stubs that nothing points at any more are taken away, at the end of an apply.

One transaction a store. Which stubs they are is asked again once their rows are locked: none goes
that a new row points at, or that an application wrote to, by then.
"""

from __future__ import annotations

from contextlib import suppress

from domicile.apply.context import Run
from domicile.apply.ends import End
from domicile.apply.keys import listed, parents_first
from domicile.errors import StoreBusy, StoreError
from domicile.plan.unneeded import Unneeded
from domicile.survey.state import Keys
from domicile.survey.survey import Cell, Survey

Found = dict[str, list[Keys]]


def remove_unneeded(run: Run, survey: Survey, ends: dict[str, End]) -> None:
    """Remove them in every store where Domicile left stubs. Raises StoreError.

    Where an application holds what is needed for it, they wait for the next plan.
    """
    for cell in survey.cells.values():
        if any(t in cell.schema.tables for t in run.state.stubbed(cell.name)):
            with suppress(StoreBusy):
                _remove(run, survey, cell, ends[cell.name])


def _remove(run: Run, survey: Survey, cell: Cell, end: End) -> None:
    mark = end.begin()
    try:
        end.give_way()
        found = _unneeded(survey, cell, "u1_")
        _forget(run, cell)
        if end.concurrent and found:
            for table in parents_first(cell.graph):
                if table in found:
                    with listed(end, table, _identity(cell, table), found[table]) as these:
                        name = cell.session.dialect.table(table)
                        end.lock(f"SELECT 1 FROM {name} t WHERE {these}", "t")
            still = _unneeded(survey, cell, "u2_")
            found = {t: sorted(set(keys) & set(still.get(t, []))) for t, keys in found.items()}
        found = {t: keys for t, keys in found.items() if keys}
        if not found:
            end.rollback()
            return
        _delete(run, cell, end, found)
        # Before the commit: should we be killed right after it, the next run asks what became of
        # it. What is in doubt is never taken away again.
        with run.state.transaction():
            for table, keys in found.items():
                run.state.doubt_stubs(cell.name, table, keys, mark)
            run.state.note_unsaid(cell.name, mark, run.entries)
        end.seal()
        end.commit()
    except BaseException:
        run.entries = []
        # A lost connection has no transaction left to give up.
        with suppress(StoreError):
            end.rollback()
        raise
    run.state.end_stubs(cell.name, mark, committed=True)
    run.flush_for(cell.name, mark)


def _forget(run: Run, cell: Cell) -> None:
    """An application deleted these stubs: what it writes under their keys later is its own."""
    for table in run.state.stubbed(cell.name):
        if table not in cell.schema.tables:
            continue
        there = set(_texts(cell, table, cell.written[table])) if table in cell.written else set()
        gone = set(run.state.stubs(cell.name, table, sure=True)) - there
        if gone:
            with run.state.transaction():
                run.state.remove_stubs(cell.name, table, gone)


def _unneeded(survey: Survey, cell: Cell, name: str) -> Found:
    survey.load_stubs(cell)
    return {t: _texts(cell, t, rows) for t, rows in Unneeded(cell, name=name).find().items()}


def _texts(cell: Cell, table: str, rows: str) -> list[Keys]:
    shape = cell.schema.tables[table]
    texts = ", ".join(
        cell.session.dialect.text(f"r.k{i + 1}", shape.column(c).kind)
        for i, c in enumerate(_identity(cell, table))
    )
    return cell.session.query(f"SELECT {texts} FROM {rows} r")


def _delete(run: Run, cell: Cell, end: End, found: Found) -> None:
    for table in reversed(parents_first(cell.graph)):
        if table not in found:
            continue
        with listed(end, table, _identity(cell, table), found[table]) as these:
            count = cell.session.execute(
                f"DELETE FROM {cell.session.dialect.table(table)} AS t WHERE {these}"
            )
        shown = str(cell.graph.name(table))
        run.note(
            "batch", plan=run.digest, run=run.number, operation="remove_stub", table=shown,
            step=run.step("remove_stub", shown, cell.name), rows=count, store=cell.name,
        )  # fmt: skip
        run.progress(f"removed stubs of {shown}", count)


def _identity(cell: Cell, table: str) -> tuple[str, ...]:
    subject = cell.graph.registers.get(table)
    return subject.key if subject else cell.graph.table(table).identity
