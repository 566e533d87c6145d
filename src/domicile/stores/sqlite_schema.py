"""An empty SQLite file gets the schema of another, statement by statement, all or nothing."""

from __future__ import annotations

from domicile.stores.sqlite import SqliteStore

_ORDER = "CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 WHEN 'view' THEN 2 ELSE 3 END, rowid"


def create_schema(source: SqliteStore, home: SqliteStore) -> None:
    """Make every table, index, view and trigger of `source` in `home`.

    Raises StoreRefused when the home has one of them already.
    """
    with source.read() as there:
        # A virtual table makes the tables that it keeps its rows in by itself.
        statements = there.query(
            "SELECT sql FROM main.sqlite_schema WHERE sql IS NOT NULL "
            "AND name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow') "
            f"AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY {_ORDER}"
        )
    with home.write() as here:
        here.begin()
        try:
            for (sql,) in statements:
                here.execute(str(sql))
            here.commit()
        except BaseException:
            here.rollback()
            raise
    home.forget()
