"""The two ends of a world in PostgreSQL: two databases of one server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from domicile.stores.schema import Schema
from tests.oracle.model import Rows, World
from tests.oracle.write import AUDIT, listed, quoted

T = TypeVar("T")
TYPES = {"INTEGER": "bigint", "TEXT": "text", "REAL": "double precision", "BLOB": "bytea"}


class PostgresEnds:
    """Two databases, given by URL, whose schema `public` is made anew for each world."""

    def __init__(self, source: str, home: str, data: Path | None = None) -> None:
        self.source, self.home = source, home
        self.data = data  # the server's directory, where its files may be looked at

    def urls(self) -> tuple[str, str]:
        """As given."""
        return (self.source, self.home)

    def write(self, world: World, *, triggers: bool) -> None:
        """Both schemas, new; the rows are loaded as a replica loads them."""
        for url, rows in ((self.source, world.source), (self.home, world.home)):
            _with(url, partial(_write, world=world, rows=rows, triggers=triggers))

    def rows(self, world: World) -> tuple[Rows, Rows]:
        """The rows of both databases."""
        return (
            _with(self.source, lambda c: _read(c, world)),
            _with(self.home, lambda c: _read(c, world)),
        )

    def catalogue(self) -> list[object]:
        """Schemas, relations, columns, constraints and triggers with their state."""
        return [_with(url, _catalogue) for url in self.urls()]

    def broken(self) -> list[object]:
        """Every foreign key tried again, as a new constraint would be."""
        return [found for url in self.urls() for found in _with(url, _broken)]

    def audited(self) -> int:
        """The rows of the audit tables."""
        return sum(_with(url, _audited) for url in self.urls())

    def source_bytes(self) -> bytes:
        """The files of the source's database, without the server's log of writes."""
        if self.data is None:
            return b""
        oid = _with(self.source, _oid)
        files = sorted((self.data / "base" / str(oid)).iterdir())
        return b"".join(f.read_bytes() for f in files if f.is_file())


def _with(url: str, work: Callable[[Any], Awaitable[T]]) -> T:
    async def connected() -> T:
        connection = await asyncpg.connect(url)
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(connected())


def ddl(schema: Schema) -> str:
    """The statements that make an empty PostgreSQL schema of this shape; keys come last."""
    statements = []
    for table in schema.tables.values():
        parts = [
            f"{quoted(c.name)} {TYPES[c.type]}{'' if c.nullable else ' NOT NULL'}"
            for c in table.columns
        ]
        parts += [
            f"{'PRIMARY KEY' if key.primary else 'UNIQUE'} ({listed(key.columns)})"
            for key in table.keys
        ]
        statements.append(f"CREATE TABLE {quoted(table.name)} ({', '.join(parts)});")
    statements += [
        f"ALTER TABLE {quoted(table.name)} ADD FOREIGN KEY ({listed(foreign.columns)})"
        f" REFERENCES {quoted(foreign.parent)} ({listed(foreign.parent_columns)})"
        f" ON DELETE {foreign.on_delete.upper()};"
        for table in schema.tables.values()
        for foreign in table.foreign_keys
    ]
    return "\n".join(statements)


def trigger_ddl(schema: Schema) -> str:
    """A trigger on every change of every table, and the table that they write to."""
    statements = [
        (
            f"CREATE TABLE {quoted(AUDIT)} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
            " what text);"
        ),
        (
            "CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" INSERT INTO public.{quoted(AUDIT)} (what) VALUES (TG_OP); RETURN NULL; END $$;"
        ),
    ]
    statements += [
        f"CREATE TRIGGER tr{number} AFTER INSERT OR UPDATE OR DELETE ON {quoted(name)}"
        " FOR EACH ROW EXECUTE FUNCTION audit();"
        for number, name in enumerate(schema.tables)
    ]
    return "\n".join(statements)


async def _write(connection: Any, world: World, rows: Rows, triggers: bool) -> None:
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public;")
    await connection.execute(ddl(world.schema))
    await connection.execute("SET session_replication_role = replica")
    for name, table in world.schema.tables.items():
        places = ", ".join(f"${n + 1}" for n in range(len(table.names)))
        await connection.executemany(
            f"INSERT INTO {quoted(name)} ({listed(table.names)}) VALUES ({places})",
            [[row[c] for c in table.names] for row in rows.get(name, [])],
        )
    await connection.execute("SET session_replication_role = origin")
    if triggers:
        await connection.execute(trigger_ddl(world.schema))


async def _read(connection: Any, world: World) -> Rows:
    return {
        name: [
            dict(row)
            for row in await connection.fetch(f"SELECT {listed(table.names)} FROM {quoted(name)}")
        ]
        for name, table in world.schema.tables.items()
    }


CATALOGUE = (
    "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1",
    (
        "SELECT oid::regclass::text, relkind::text, relpersistence::text FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace ORDER BY 1, 2"
    ),
    (
        "SELECT attrelid::regclass::text, attname, atttypid::regtype::text, attnotnull, attnum"
        " FROM pg_attribute WHERE attnum > 0 AND attrelid IN (SELECT oid FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace) ORDER BY 1, 5"
    ),
    (
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated,"
        " condeferrable, condeferred FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2"
    ),
    (
        "SELECT tgrelid::regclass::text, tgname, tgenabled::text, pg_get_triggerdef(oid)"
        " FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2"
    ),
    (
        "SELECT tgrelid::regclass::text, tgenabled::text, count(*) FROM pg_trigger"
        " WHERE tgisinternal GROUP BY 1, 2 ORDER BY 1, 2"
    ),
)


async def _catalogue(connection: Any) -> list[list[tuple[Any, ...]]]:
    return [[tuple(row) for row in await connection.fetch(query)] for query in CATALOGUE]


async def _broken(connection: Any) -> list[object]:
    keys = await connection.fetch(
        "SELECT conrelid::regclass::text AS child, conname, pg_get_constraintdef(oid) AS definition"
        " FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace"
    )
    found: list[object] = []
    for key in keys:
        trial = connection.transaction()
        await trial.start()
        try:
            await connection.execute(
                f"ALTER TABLE {key['child']} ADD CONSTRAINT tried_again {key['definition']}"
            )
        except asyncpg.ForeignKeyViolationError:
            found.append((key["child"], key["conname"]))
        finally:
            await trial.rollback()
    return found


async def _audited(connection: Any) -> int:
    if await connection.fetchval("SELECT to_regclass($1)", quoted(AUDIT)) is None:
        return 0
    return int(await connection.fetchval(f"SELECT count(*) FROM {quoted(AUDIT)}"))


async def _oid(connection: Any) -> int:
    await connection.execute("CHECKPOINT")
    return int(
        await connection.fetchval("SELECT oid FROM pg_database WHERE datname = current_database()")
    )
