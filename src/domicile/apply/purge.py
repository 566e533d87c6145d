"""Purge: the bytes of what left, out of the live files of the source."""

from __future__ import annotations

from typing import Any

from domicile.apply.context import Run
from domicile.errors import StoreError
from domicile.estate.model import Estate
from domicile.estate.names import parse_table
from domicile.stores.base import Store
from domicile.stores.postgres import PostgresStore
from domicile.stores.postgres_purge import purge as purge_postgres
from domicile.stores.postgres_purge import refresh_views
from domicile.stores.registry import open_store
from domicile.stores.sqlite import SqliteStore

METHODS = {"postgresql": "vacuum_full", "sqlite": "vacuum", "parquet": "rewrite",
           "files": "delete_file"}  # fmt: skip
"""How the bytes of what left are taken out of each kind of store, in the log's words."""


def purge(run: Run, estate: Estate) -> list[dict[str, Any]]:
    """Purge every table that rows left and that a clause asks to purge.

    What could not be purged stays noted, is tried again by the next apply, and is named.
    """
    done: list[dict[str, Any]] = []
    for declared in estate.stores:
        tables = run.state.unpurged(declared.name)
        if not tables:
            continue
        store = open_store(declared)
        try:
            left = _purge(store, tables)
        finally:
            store.close()
        gone = [t for t in tables if t not in left]
        run.note(
            "purge", store=declared.name, plan=run.digest, run=run.number,
            method=METHODS[store.capabilities.kind],
            outcome="failed" if left else "done", tables=sorted(tables)[:200],
            reason="store_refused" if left else None,
        )  # fmt: skip
        run.flush()
        # Afterwards: a purge that the log could not be told of is done again, and told.
        with run.state.transaction():
            run.state.purged(declared.name, gone)
        done.append({
            "store": declared.name, "tables": gone,
            "problems": [{"table": t, "reason": r} for t, r in sorted(left.items())],
        })  # fmt: skip
    return done


def refresh(run: Run, estate: Estate) -> list[dict[str, Any]]:
    """Refresh what reads the plan's tables at both ends: a materialised view keeps what left, and
    one of a schema made anew cannot be read until it is filled. What could not be is named."""
    touched: dict[str, set[str]] = {}
    for step in run.plan["steps"]:
        if step["op"] in ("move", "erase", "copy", "stub", "split"):
            for name in (step["from"], step["to"]):
                if name:
                    touched.setdefault(name, set()).add(parse_table(step["table"]).table)
    problems: list[dict[str, Any]] = []
    for name, tables in sorted(touched.items()):
        store = open_store(estate.store(name))
        try:
            if isinstance(store, PostgresStore):
                done = refresh_views(store, sorted(tables), fill=True)
                problems += [{"store": name, "view": v, "reason": r} for v, r in done.problems]
        finally:
            store.close()
    return problems


def _purge(store: Store, tables: list[str]) -> dict[str, str]:
    """Purge; the tables that could not be, with the reason."""
    try:
        if isinstance(store, PostgresStore):
            purged = purge_postgres(store, tables)
            left = dict(purged.problems)
            # A fault of the whole store (statistics, snapshots) is every table's.
            whole = {k: v for k, v in left.items() if k not in tables}
            if whole:
                said = "; ".join(f"{k}: {v}" for k, v in whole.items())
                return {**dict.fromkeys(tables, said), **{t: left[t] for t in left if t in tables}}
            return left
        if isinstance(store, SqliteStore):
            store.purge(tables)
    except StoreError as error:
        return dict.fromkeys(tables, error.message)
    return {}
