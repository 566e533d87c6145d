"""Schemas at home: made where missing, the same where there, sequences past what came."""

from __future__ import annotations

from collections.abc import Sequence

from domicile.apply.context import Run
from domicile.apply.ends import End
from domicile.apply.postgres_end import PostgresEnd
from domicile.errors import PlanRefused
from domicile.estate.model import Estate
from domicile.estate.names import parse_table
from domicile.plan.planner import Outcome
from domicile.stores.base import Store
from domicile.stores.postgres import PostgresStore
from domicile.stores.postgres_schema import create_schema
from domicile.stores.postgres_sequences import advance_sequences
from domicile.stores.registry import open_store
from domicile.stores.sqlite import SqliteStore
from domicile.stores.sqlite_schema import create_schema as create_sqlite_schema
from domicile.stores.sqlite_session import SqliteWriteSession
from domicile.survey.survey import Survey

BRINGS = ("move", "copy", "stub", "split")
"""The operations that bring rows to a store."""


def make_schemas(run: Run, survey: Survey, outcomes: Sequence[Outcome]) -> bool:
    """Create the schema of every home that has none; whether any was made.

    Raises StoreRefused; PlanRefused when the home is of another kind than the source.
    """
    made = False
    for outcome in outcomes:
        for action, closure in outcome.closures.items():
            if not action.home or closure.idle:
                continue
            home = survey.cells[action.home]
            if home.schema.tables:
                continue
            source = outcome.cell.store
            if isinstance(source, PostgresStore) and isinstance(home.store, PostgresStore):
                create_schema(source, home.store)
            elif isinstance(source, SqliteStore) and isinstance(home.store, SqliteStore):
                if isinstance(home.session, SqliteWriteSession):
                    home.session.rollback()  # its lock on the file; nothing was written yet
                create_sqlite_schema(source, home.store)
            elif source.capabilities.kind == home.store.capabilities.kind == "parquet":
                _make_lake(outcome, home.store)
            else:
                raise PlanRefused(
                    f"store {home.name} is empty, and its schema cannot be made from a store of "
                    "another kind",
                    hint="create the application's tables there, then plan again",
                )
            run.note(
                "schema_created", store=home.name, tables=sorted(outcome.cell.schema.tables)[:200],
                digest=outcome.cell.schema.digest, plan=run.digest, run=run.number,
            )  # fmt: skip
            run.flush()
            # Rows of a lake go home without the home's session: nothing is to be planned anew.
            made = made or home.store.capabilities.kind != "parquet"
    return made


def _make_lake(outcome: Outcome, home: Store) -> None:
    # Only here: what reads lakes takes long to load.
    from domicile.apply.lake import create_schema as create_lake_schema
    from domicile.apply.lake_swap import on_disk
    from domicile.stores.parquet import ParquetStore
    from domicile.stores.parquet_session import ParquetSession

    assert isinstance(outcome.cell.session, ParquetSession)
    assert isinstance(home, ParquetStore)
    with on_disk(home.name):
        create_lake_schema(outcome.cell.session, home.root)


def finish_tables(home: End, tables: Sequence[str]) -> None:
    """After rows came in with their own keys: the next key given there is a fresh one."""
    if isinstance(home, PostgresEnd):
        home.begin()
        advance_sequences(home.session, sorted(set(tables)))
        home.commit()


def finish_homes(run: Run, estate: Estate) -> None:
    """The same for every table of the plan, also those that an earlier, cut-off run brought; and
    at both ends the full-text indexes of SQLite that hold their words."""
    came: dict[str, set[str]] = {}
    touched: dict[str, set[str]] = {}
    for step in run.plan["steps"]:
        if step["op"] not in (*BRINGS, "erase"):
            continue
        table = parse_table(step["table"]).table
        for end in (step["from"], step["to"]):
            if end:
                touched.setdefault(end, set()).add(table)
        if step["to"] and step["to"] != step["from"] and step["op"] != "erase":
            came.setdefault(step["to"], set()).add(table)
    for name, names in sorted(touched.items()):
        store = open_store(estate.store(name))
        try:
            if isinstance(store, PostgresStore) and name in came:
                with store.write() as session:
                    finish_tables(PostgresEnd(session), sorted(came[name]))
            elif isinstance(store, SqliteStore):
                store.index_text(names)
        finally:
            store.close()
