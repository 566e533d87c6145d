"""The same schema at home: made from the source's with pg_dump, and compared before a move.

Only PostgreSQL's own pg_dump knows how to write a schema down; what it writes is run at home in
one transaction, which is committed only when the two schemas, reflected, do not differ.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import asyncpg

from domicile.errors import StoreRefused
from domicile.stores import postgres_reflect
from domicile.stores.postgres import PostgresStore, reason, refused
from domicile.stores.postgres_dump import dump_schema, fitting, quoted
from domicile.stores.postgres_loop import run
from domicile.stores.schema import Column, ForeignKey, Schema, Table

T = TypeVar("T")

_ROLES = """
WITH mine AS (
  SELECT c.relowner AS owner, c.relacl AS acl FROM pg_class c WHERE c.relnamespace = $1
  UNION ALL SELECT proowner, proacl FROM pg_proc WHERE pronamespace = $1
  UNION ALL SELECT typowner, typacl FROM pg_type WHERE typnamespace = $1
  UNION ALL SELECT nspowner, nspacl FROM pg_namespace WHERE oid = $1
  UNION ALL SELECT NULL, a.attacl FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
             WHERE c.relnamespace = $1
  UNION ALL SELECT defaclrole, defaclacl FROM pg_default_acl WHERE defaclnamespace = $1)
SELECT DISTINCT pg_get_userbyid(owner)::text, true FROM mine WHERE owner IS NOT NULL
UNION SELECT DISTINCT pg_get_userbyid(x.grantee)::text, false
  FROM mine, LATERAL aclexplode(mine.acl) x WHERE x.grantee <> 0"""

_EXTENSIONS = """
WITH mine AS (
  SELECT 'pg_class'::regclass::oid, oid FROM pg_class WHERE relnamespace = $1
  UNION ALL SELECT 'pg_proc'::regclass, oid FROM pg_proc WHERE pronamespace = $1
  UNION ALL SELECT 'pg_type'::regclass, oid FROM pg_type WHERE typnamespace = $1
  UNION ALL SELECT 'pg_constraint'::regclass, oid FROM pg_constraint WHERE connamespace = $1
  UNION ALL SELECT 'pg_attrdef'::regclass, f.oid FROM pg_attrdef f
              JOIN pg_class c ON c.oid = f.adrelid WHERE c.relnamespace = $1
  UNION ALL SELECT 'pg_rewrite'::regclass, r.oid FROM pg_rewrite r
              JOIN pg_class c ON c.oid = r.ev_class WHERE c.relnamespace = $1)
SELECT e.extname::text, n.nspname::text,
       e.extnamespace = $1 OR EXISTS (
         SELECT FROM pg_depend m JOIN pg_depend d
             ON d.refclassid = m.classid AND d.refobjid = m.objid
          WHERE m.refclassid = 'pg_extension'::regclass AND m.refobjid = e.oid AND m.deptype = 'e'
            AND (d.classid, d.objid) IN (SELECT * FROM mine))
  FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
 WHERE e.extname <> 'plpgsql' ORDER BY e.oid"""

_ELSEWHERE = """
WITH mine AS (
  SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = $1),
others AS (
  SELECT r.ev_class AS rel, 1 AS view, 0 AS key FROM pg_depend d
    JOIN pg_rewrite r ON r.oid = d.objid JOIN mine ON mine.oid = d.refobjid
   WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
  UNION SELECT k.conrelid, 0, k.oid::int FROM pg_constraint k JOIN mine ON mine.oid = k.confrelid
   WHERE k.contype = 'f')
SELECT n.nspname::text, sum(o.view), count(*) FILTER (WHERE o.key <> 0)
  FROM others o JOIN pg_class c ON c.oid = o.rel JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname <> $1 GROUP BY 1 ORDER BY 1"""

_TABLES_THERE = """
SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                    AND d.objid = c.oid AND d.deptype = 'e') ORDER BY 1"""


def create_schema(source: PostgresStore, home: PostgresStore) -> tuple[str, ...]:
    """Make the empty schema of `home` the same as that of `source`; no row is read or written.

    Tables with partitions, keys, checks, indexes, triggers, rules and policies; types, functions,
    views, materialised views (empty until refreshed), sequences (from their start) and comments.
    Owners and privileges only where all roles that they name exist at home, and ours may act for
    the owners. Extensions first. All in one transaction at home: a failure leaves nothing.

    Returns what is not the same at home, in words: roles, extensions that nothing depends on,
    views and keys of other schemas.
    Raises StoreRefused when the home has tables already, when the schemas have different names,
    when there is no pg_dump of the source's version, or when a server refuses; StoreUnreachable.
    """
    if source.schema != home.schema:
        raise StoreRefused(
            home.name,
            f"cannot make schema {home.schema!r} from schema {source.schema!r} of store "
            f"{source.name}: functions and views name their schema in texts of their own",
            hint=f"create the tables in {home.schema!r} with the application's own migrations, "
            "or give both stores the same `schema:`",
        )
    with _connected(source) as there, _connected(home) as here:
        version = there.get_server_version().major
        roles, extensions, definers = _needs(source, there)
        _expect_empty(home, here)
        notes: list[str] = []
        left_out = _left_out(home, here, roles, notes)
        if "--no-owner" in left_out and definers:
            notes.append(
                f"{definers} functions run with their owner's rights, which at home are those of "
                "the user of this connection: give them the right owner before they are used"
            )
        known = {r[0] for r in _run(home, here.fetch("SELECT name FROM pg_settings"))}
        notes += _elsewhere(source, there)
        script = fitting(dump_schema(source, version, left_out), known)
        _run(home, here.execute("BEGIN"))
        _create_extensions(home, here, extensions, notes)
        _run(home, here.execute(script))
        _run(home, here.execute("RESET search_path"))
        _same_or_refuse(source, home, here)
        _run(home, here.execute("COMMIT"))
    home.forget()
    return tuple(notes)


def differences(source: Schema, home: Schema) -> list[str]:
    """What forbids a move of rows between two reflected schemas, in words; empty when it can go.

    Extra tables at home, extra columns that fill themselves, and the order of columns do no harm.
    """
    found: list[str] = []
    for name, table in sorted(source.tables.items()):
        other = home.tables.get(name)
        if other is None:
            found.append(f"table {name} is missing at home")
            continue
        found += [f"table {name}: {text}" for text in _table_differences(table, other)]
    return found


def _table_differences(source: Table, home: Table) -> list[str]:
    found: list[str] = []
    there, here = set(source.names), set(home.names)
    for column in source.columns:
        if column.name in here:
            found += _column_differences(column, home.column(column.name))
        else:
            found.append(f"column {column.name} is missing at home")
    found += [
        f"column {c.name} is at home only, may not be null and has no default"
        for c in home.columns
        if c.name not in there and not (c.nullable or c.generated or c.identity or c.default)
    ]
    for one, other, where in ((source, home, "missing at home"), (home, source, "at home only")):
        keys = {frozenset(k.columns) for k in other.keys}
        found += [
            f"unique key ({', '.join(k.columns)}) is {where}"
            for k in one.keys
            if frozenset(k.columns) not in keys
        ]
        foreign = {_reference(k): k for k in other.foreign_keys if k.enforced}
        for key in one.foreign_keys:
            same = foreign.get(_reference(key))
            if key.enforced and same is None:
                found.append(f"foreign key {_shown(key)} is {where}")
            elif same is not None and one is source and same.on_delete != key.on_delete:
                found.append(
                    f"foreign key {_shown(key)} is on delete {key.on_delete}, "
                    f"at home on delete {same.on_delete}"
                )
    known = {_bare(c.expression) for c in source.checks}
    found += [
        f"check {c.name} is at home only" for c in home.checks if _bare(c.expression) not in known
    ]
    return found


def _column_differences(source: Column, home: Column) -> list[str]:
    found: list[str] = []
    if source.type != home.type:
        found.append(f"column {source.name} is {source.type}, at home {home.type}")
    if missing := [label for label in source.labels if label not in home.labels]:
        found.append(f"column {source.name}: labels missing at home: {', '.join(missing)}")
    if source.nullable and not home.nullable:
        found.append(f"column {source.name} may be null, at home it may not")
    if source.generated != home.generated:
        which = ("generated", "plain") if source.generated else ("plain", "generated")
        found.append(f"column {source.name} is {which[0]}, at home {which[1]}")
    return found


def _reference(key: ForeignKey) -> tuple[frozenset[tuple[str, str]], str]:
    return frozenset(zip(key.columns, key.parent_columns, strict=True)), key.parent


def _shown(key: ForeignKey) -> str:
    return f"({', '.join(key.columns)}) to {key.parent} ({', '.join(key.parent_columns)})"


def _bare(expression: str) -> str:
    """Servers of different ages put different parentheses and spaces around the same check."""
    return re.sub(r"[\s()]+", "", expression)


def _needs(
    source: PostgresStore, there: asyncpg.Connection[Any]
) -> tuple[list[tuple[str, bool]], list[tuple[str, str, bool]], int]:
    """Roles that the schema names (owner or not); extensions (name, schema, needed); how many
    functions are SECURITY DEFINER."""
    oid = _run(source, there.fetchval("SELECT oid FROM pg_namespace WHERE nspname = $1",
                                      source.schema))  # fmt: skip
    if oid is None:
        raise StoreRefused(
            source.name, f"there is no schema {source.schema!r}",
            hint="say which one holds the application with `schema:` in estate.yaml",
        )  # fmt: skip
    roles = [(r[0], r[1]) for r in _run(source, there.fetch(_ROLES, oid))]
    found = _run(source, there.fetch(_EXTENSIONS, oid))
    definers = _run(
        source,
        there.fetchval("SELECT count(*) FROM pg_proc WHERE prosecdef AND pronamespace = $1", oid),
    )
    return roles, [(r[0], r[1], r[2]) for r in found], definers


def _elsewhere(source: PostgresStore, there: asyncpg.Connection[Any]) -> list[str]:
    """What of other schemas reads or refers to this one, which is not carried."""
    return [
        f"schema {name} has {views} views and {keys} foreign keys to these tables, "
        "which are not made"
        for name, views, keys in _run(source, there.fetch(_ELSEWHERE, source.schema))
    ]


def _expect_empty(home: PostgresStore, here: asyncpg.Connection[Any]) -> None:
    names = [r[0] for r in _run(home, here.fetch(_TABLES_THERE, home.schema))]
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise StoreRefused(
            home.name,
            f"schema {home.schema!r} is not empty: it has {', '.join(names[:3])}{more}",
            hint="nothing was changed; a schema is only made where there is none yet",
        )


def _left_out(
    home: PostgresStore, here: asyncpg.Connection[Any], roles: Sequence[tuple[str, bool]],
    notes: list[str],
) -> list[str]:  # fmt: skip
    """pg_dump's options that leave out owners or privileges which the home cannot have."""
    rows = _run(
        home,
        here.fetch(
            "SELECT rolname::text, pg_has_role(oid, 'MEMBER') FROM pg_roles "
            "WHERE rolname = ANY($1::text[])",
            [name for name, _ in roles],
        ),
    )
    can = {row[0]: row[1] for row in rows}
    owners = sorted({name for name, owns in roles if owns and not can.get(name)})
    absent = sorted({name for name, _ in roles if name not in can})
    options: list[str] = []
    if owners:
        options.append("--no-owner")
        notes.append(f"owners were not kept: at home we cannot act for {', '.join(owners)}")
    if absent:
        options.append("--no-privileges")
        notes.append(f"privileges were not kept: at home there is no role {', '.join(absent)}")
    return options


def _create_extensions(
    home: PostgresStore, here: asyncpg.Connection[Any],
    extensions: Sequence[tuple[str, str, bool]], notes: list[str],
) -> None:  # fmt: skip
    """The schema itself and the source's extensions, in the transaction that is open."""
    schemas = {r[0] for r in _run(home, here.fetch("SELECT nspname::text FROM pg_namespace"))}
    if home.schema not in schemas:
        _run(home, here.execute(f"CREATE SCHEMA {quoted(home.schema)}"))
        schemas.add(home.schema)
    present = {r[0] for r in _run(home, here.fetch("SELECT extname::text FROM pg_extension"))}
    for name, schema, needed in extensions:
        if name in present:
            continue
        _run(home, here.execute("SAVEPOINT extension"))
        try:
            if schema not in schemas:
                run(here.execute(f"CREATE SCHEMA {quoted(schema)}"))
            run(here.execute(f"CREATE EXTENSION {quoted(name)} SCHEMA {quoted(schema)}"))
            schemas.add(schema)
        except asyncpg.PostgresError as error:
            if needed:
                raise StoreRefused(
                    home.name, f"extension {name} of the source cannot be made at home: "
                    f"{reason(error)}",
                    hint="install it at home, or have an administrator create it; then run again",
                ) from error  # fmt: skip
            notes.append(f"extension {name} could not be made at home; no object depends on it")
            _run(home, here.execute("ROLLBACK TO SAVEPOINT extension"))


def _same_or_refuse(
    source: PostgresStore, home: PostgresStore, here: asyncpg.Connection[Any]
) -> None:
    def query(sql: str, schema: str) -> list[Any]:
        return _run(home, here.fetch(sql, schema))

    source.forget()
    made = postgres_reflect.reflect(query, home.schema).schema
    if found := differences(source.reflect(), made):
        raise StoreRefused(
            home.name, f"the schema came out different and was taken back: {found[0]}"
            + (f", and {len(found) - 1} more" if len(found) > 1 else ""),
            hint="did the source's schema change meanwhile? then run again",
        )  # fmt: skip


@contextmanager
def _connected(store: PostgresStore) -> Iterator[asyncpg.Connection[Any]]:
    """A connection without a session: a session would reflect a schema that may not exist yet."""
    connection = store.connect()
    try:
        yield connection
    finally:
        store._close(connection)


def _run(store: PostgresStore, work: Awaitable[T]) -> T:
    try:
        return run(work)
    except (asyncpg.PostgresError, OSError, asyncpg.InterfaceError) as error:
        raise refused(store.name, error) from error
