"""Deleting is not erasing: rewrite what held the rows, so that no file holds their bytes.

A deleted or updated row stays in the heap, its indexes and TOAST until the table is rewritten; its
values stay in materialised views until they are refreshed, and in pg_statistic (most common values,
histogram bounds) until that is cleared and rewritten too. Old files go at the next checkpoint.
The write-ahead log is the one place that keeps them, until its segments are recycled.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from domicile.counted import counted
from domicile.errors import StoreRefused, StoreUnreachable
from domicile.stores.postgres import PostgresDialect, PostgresStore, reason, refused
from domicile.stores.postgres_loop import run

HOW = "VACUUM (FULL) and ANALYZE"
LOCK_SECONDS = 30.0

STATISTICS = "statistics"
"""In problems: values may be left in pg_statistic or pg_statistic_ext_data."""
SNAPSHOTS = "snapshots"
"""In problems: something else may still see the deleted rows, so they are kept."""
CHECKPOINT = "checkpoint"
"""In problems: the old files are emptied but their last blocks go with the next checkpoint."""

ORPHANS = "orphans"
"""In problems: files of the database that the catalogue does not know."""

POLL_SECONDS = 0.2

_CATALOGS = ("pg_statistic", "pg_statistic_ext_data")
_LARGE_OBJECTS = "pg_largeobject"

_PARTS = """
SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text
  FROM pg_class t JOIN pg_namespace tn ON tn.oid = t.relnamespace,
       LATERAL (SELECT t.oid AS relid, 0 AS level UNION
                SELECT p.relid, p.level FROM pg_partition_tree(t.oid) p) tree
  JOIN pg_class c ON c.oid = tree.relid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE tn.nspname = $1 AND t.relname = $2 AND c.relkind IN ('r', 'p')
 ORDER BY tree.level DESC, c.relname"""

_VIEWS = """
WITH RECURSIVE roots AS (
  SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = $1 AND c.relname = ANY($2::text[])),
whole AS (
  SELECT oid FROM roots UNION SELECT p.relid FROM roots r, LATERAL pg_partition_tree(r.oid) p
  UNION SELECT a.relid FROM roots r, LATERAL pg_partition_ancestors(r.oid) a),
reads AS (
  SELECT DISTINCT w.ev_class AS view, d.refobjid AS what FROM pg_rewrite w
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
     AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> w.ev_class),
above AS (
  SELECT r.view, 1 AS level FROM reads r JOIN whole w ON w.oid = r.what
  UNION SELECT r.view, a.level + 1 FROM above a JOIN reads r ON r.what = a.view)
SELECT c.oid, n.nspname::text, c.relname::text FROM above a JOIN pg_class c ON c.oid = a.view
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'm' AND (c.relispopulated OR $3)
 GROUP BY 1, 2, 3 ORDER BY max(a.level), 2, 3"""

_HOLDERS = """
SELECT 'session of another', count(*), max(extract(epoch FROM now() - xact_start))::bigint
  FROM pg_stat_activity
 WHERE pid <> pg_backend_pid()
   AND ((datname = current_database() OR datname IS NULL)
        AND age(backend_xmin) > age($1::text::xid) OR age(backend_xid) > age($1::text::xid))
UNION ALL
SELECT 'prepared transaction', count(*), max(extract(epoch FROM now() - prepared))::bigint
  FROM pg_prepared_xacts
 WHERE age(transaction) > age($1::text::xid)
UNION ALL
SELECT 'replication slot', count(*), NULL FROM pg_replication_slots
 WHERE age(xmin) > age($1::text::xid) OR age(catalog_xmin) > age($1::text::xid)"""
"""A snapshot counts in its own database; a transaction that writes holds back, in any database, the
snapshot in which VACUUM FULL itself runs."""

_USES_LARGE_OBJECTS = """
SELECT count(*) FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
 WHERE a.attrelid = ANY($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
   AND (t.oid = 'oid'::regtype OR t.typname = 'lo' OR t.typbasetype = 'oid'::regtype)"""

_CLEAR = """
WITH those AS (
  SELECT unnest($1::oid[]) AS oid
  UNION SELECT indexrelid FROM pg_index WHERE indrelid = ANY($1::oid[])),
plain AS (DELETE FROM pg_statistic WHERE starelid IN (SELECT oid FROM those))
DELETE FROM pg_statistic_ext_data WHERE stxoid IN (
  SELECT oid FROM pg_statistic_ext WHERE stxrelid IN (SELECT oid FROM those))"""
"""A superuser may; ANALYZE alone leaves the old statistics of a table that is empty now."""

_CLEAR_18 = """
SELECT count(pg_clear_attribute_stats(s.schemaname, s.tablename, s.attname, s.inherited))
  FROM pg_stats s JOIN pg_class c ON c.relname = s.tablename
  JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = s.schemaname
 WHERE c.oid = ANY($1::oid[])
    OR c.oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = ANY($1::oid[]))"""

_STALE = """
WITH those AS (
  SELECT oid, oid AS rel FROM pg_class WHERE oid = ANY($1::oid[])
  UNION SELECT indrelid, indexrelid FROM pg_index WHERE indrelid = ANY($1::oid[]))
SELECT count(DISTINCT those.oid) FROM those JOIN pg_class t ON t.oid = those.oid
  JOIN pg_class c ON c.oid = those.rel JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = s.attname
 WHERE t.reltuples <= 0 OR a.attstattarget = 0"""
"""Statistics that ANALYZE does not touch: of empty tables, of columns with STATISTICS 0."""

_ORPHANS = """
SELECT count(*) FROM pg_database d, LATERAL pg_ls_dir('base/' || d.oid) f,
       LATERAL pg_stat_file('base/' || d.oid || '/' || f, true) s
 WHERE d.datname = current_database() AND f ~ '^[0-9]+([._]|$)' AND s.size > 0
   AND s.modification < now() - interval '1 minute'
   AND substring(f FROM '^[0-9]+')::oid NOT IN (
         SELECT pg_relation_filenode(oid) FROM pg_class
          WHERE pg_relation_filenode(oid) IS NOT NULL)"""


@dataclass(frozen=True)
class Purged:
    """What a purge did. Clean when `problems` is empty; then only the log may hold the values."""

    tables: tuple[str, ...]  # rewritten whole, with all partitions
    views: tuple[str, ...]  # materialised views that were refreshed
    how: str
    problems: tuple[tuple[str, str], ...]  # (table, view or one of the words above, reason)
    seconds: float


def purge(
    store: PostgresStore, tables: Sequence[str], lock_seconds: float = LOCK_SECONDS
) -> Purged:
    """Rewrite what held deleted or blanked rows of these tables. Run it after the commit.

    Refreshes the materialised views that read them, rewrites each table with its partitions,
    indexes and TOAST, makes statistics anew from what is left, rewrites the statistics' own tables,
    and checkpoints. Uses a connection of its own, outside any transaction. Idempotent.

    Nothing waits for a lock longer than `lock_seconds`; what could not be locked is a problem, and
    another run does it. While it waits, and while it rewrites, others wait for that table. Whoever
    may still see the deleted rows is given `lock_seconds` too, then named: counts and ages only.

    Raises StoreUnreachable when the server is not there or goes away; StoreRefused when it does
    not answer about its catalogue.
    """
    with _opened(store, lock_seconds) as work:
        held = work.wait(SNAPSHOTS)
        work.patient = not held
        work.refresh(tables)
        for table in dict.fromkeys(tables):
            work.rewrite(table)
        work.analyse()
        if not held:
            work.wait(STATISTICS)
        work.rewrite_catalogs(tables)
        work.checkpoint()
        return work.done()


def refresh_views(
    store: PostgresStore, tables: Sequence[str], lock_seconds: float = LOCK_SECONDS,
    *, fill: bool = False,
) -> Purged:  # fmt: skip
    """Only refresh the materialised views that read these tables, as a home needs after a move.

    `fill` those too that have never been filled: after `create_schema` none is, and PostgreSQL
    refuses to read them. Raises StoreUnreachable when the server is not there or goes away.
    """
    with _opened(store, lock_seconds) as work:
        work.refresh(tables, fill=fill)
        return work.done()


@contextmanager
def _opened(store: PostgresStore, lock_seconds: float) -> Iterator[_Purge]:
    connection = store.connect()
    try:
        work = _Purge(store, connection, lock_seconds)
        work.query(f"SET lock_timeout = {max(int(lock_seconds * 1000), 1)}")
        yield work
    finally:
        store._close(connection)


class _Purge:
    """One purge: a connection, and what was done and met so far."""

    def __init__(
        self, store: PostgresStore, connection: asyncpg.Connection[Any], lock_seconds: float
    ) -> None:
        self.store = store
        self.connection = connection
        self.dialect = PostgresDialect(store.schema)
        self.lock_seconds = lock_seconds
        self.began = time.monotonic()
        self.patient = True  # whether a table that had to keep rows is rewritten again
        self.tables: list[str] = []
        self.views: list[str] = []
        self.problems: list[tuple[str, str]] = []
        self.touched: list[tuple[int, str, str]] = []  # (oid, name as reported, SQL name)

    def done(self) -> Purged:
        """What came of it."""
        return Purged(
            tuple(self.tables), tuple(self.views), HOW, tuple(self.problems),
            time.monotonic() - self.began,
        )  # fmt: skip

    def query(self, sql: str, *values: object) -> list[Any]:
        """Rows of a query of ours. Raises StoreRefused, StoreUnreachable."""
        try:
            return run(self.connection.fetch(sql, *values))
        except (asyncpg.PostgresError, OSError, asyncpg.InterfaceError) as error:
            raise refused(self.store.name, error) from error

    def met(self, what: str, why: str) -> None:
        """Note a problem."""
        self.problems.append((what, why))

    def attempt(self, what: str, sql: str) -> bool:
        """Run a statement; when the server refuses, that is a problem of `what`."""
        try:
            run(self.connection.execute(sql))
        except asyncpg.LockNotAvailableError:
            self.met(what, f"others used it for longer than {self.lock_seconds:g} s: run again")
        except (asyncpg.PostgresError, OSError, asyncpg.InterfaceError) as error:
            said = refused(self.store.name, error)
            if isinstance(said, StoreUnreachable):
                raise said from error
            self.met(what, reason(error))
        else:
            return True
        return False

    def wait(self, what: str) -> bool:
        """Wait until nobody can see what was deleted before now; whether somebody still can."""
        mark = self.query("SELECT pg_current_xact_id()::xid::text")[0][0]
        deadline = time.monotonic() + self.lock_seconds
        while True:
            found = [r for r in self.query(_HOLDERS, mark) if r[1]]
            if not found or time.monotonic() >= deadline:
                break
            time.sleep(POLL_SECONDS)
        for kind, count, age in found:
            old = "" if age is None else f", since {age} s"
            self.met(
                what,
                f"{kind} ({count}{old}) may still see deleted rows, so they stay in the files: "
                "end it, then run again",
            )
        return bool(found)

    def refresh(self, tables: Sequence[str], *, fill: bool = False) -> None:
        """Refresh populated materialised views, or all to `fill`, those that others read first."""
        q = self.dialect.quote
        for oid, schema, name in self.query(_VIEWS, self.store.schema, list(tables), fill):
            written = f"{q(schema)}.{q(name)}"
            shown = name if schema == self.store.schema else f"{schema}.{name}"
            if self.attempt(shown, f"REFRESH MATERIALIZED VIEW {written}"):
                self.views.append(shown)
                self.touched.append((oid, shown, written))

    def rewrite(self, table: str) -> None:
        """Rewrite one table, partition by partition."""
        q = self.dialect.quote
        parts = self.query(_PARTS, self.store.schema, table)
        if not parts:
            self.met(table, "it is not there any more")
            return
        whole = True
        for oid, schema, name, kind in parts:
            written = f"{q(schema)}.{q(name)}"
            if kind == "r":
                whole &= self.rewritten(table, oid, written)
            self.touched.append((oid, table, written))
        if whole:
            self.tables.append(table)

    def rewritten(self, what: str, oid: int, written: str) -> bool:
        """VACUUM FULL one relation. Without the right PostgreSQL only warns, so its file tells."""
        before = self.query("SELECT pg_relation_filenode($1::oid::regclass)", oid)
        deadline = time.monotonic() + (self.lock_seconds if self.patient else 0)
        while True:
            with self._listening() as kept:
                if not self.attempt(what, f"VACUUM (FULL, VERBOSE) {written}"):
                    return False
            if not sum(kept) or time.monotonic() >= deadline:
                break
            time.sleep(POLL_SECONDS)
        if sum(kept):
            self.patient = False
            self.met(what, f"{sum(kept)} deleted rows may still be seen by somebody: run again")
            return False
        if self.query("SELECT pg_relation_filenode($1::oid::regclass)", oid) == before:
            self.met(what, "we may not VACUUM it: its owner or a superuser may")
            return False
        return True

    @contextmanager
    def _listening(self) -> Iterator[list[int]]:
        """How many dead rows a VACUUM says that it had to keep.

        A transaction anywhere in the cluster, in another database too, can hold the horizon of the
        VACUUM itself back, and comes and goes between our looking and its start: only VACUUM knows.
        The number is the first of the message's detail, in every language of the server.
        """
        kept: list[int] = []

        def hear(_: object, message: Any) -> None:
            found = re.search(r"\d+", message.detail or "")
            if found:
                kept.append(int(found[0]))

        self.connection.add_log_listener(hear)
        try:
            yield kept
            run(asyncio.sleep(0))  # listeners are called by the loop
        finally:
            self.connection.remove_log_listener(hear)

    def analyse(self) -> None:
        """Statistics from the rows that are left; those that ANALYZE would leave are cleared."""
        superuser = self.query("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")[0][0]
        newest = self.connection.get_server_version().major >= 18
        clear = _CLEAR if superuser else _CLEAR_18 if newest else ""
        for oid, what, written in self.touched:
            try:
                run(self._analyse(oid, written, clear))
            except asyncpg.LockNotAvailableError:
                self.met(what, "its statistics could not be locked: run again")
            except (asyncpg.PostgresError, OSError, asyncpg.InterfaceError) as error:
                said = refused(self.store.name, error)
                if isinstance(said, StoreUnreachable):
                    raise said from error
                self.met(what, reason(error))
        stale = self.query(_STALE, [oid for oid, _, _ in self.touched])[0][0]
        if stale:
            self.met(
                STATISTICS,
                f"{counted(stale, 'table')}, empty or with columns of STATISTICS 0, where ANALYZE "
                "leaves old values in pg_statistic: only a superuser can clear them",
            )

    async def _analyse(self, oid: int, written: str, clear: str) -> None:
        async with self.connection.transaction():
            if clear:
                await self.connection.fetch(clear, [oid])
            await self.connection.execute(f"ANALYZE {written}")

    def rewrite_catalogs(self, tables: Sequence[str]) -> None:
        """Rewrite the tables in which the server keeps statistics, and large objects if used."""
        catalogs = list(_CATALOGS)
        if self.query(_USES_LARGE_OBJECTS, [oid for oid, _, _ in self.touched])[0][0]:
            catalogs.append(_LARGE_OBJECTS)
        for name in catalogs:
            oid = self.query("SELECT to_regclass($1)::oid", f"pg_catalog.{name}")[0][0]
            what = STATISTICS if name in _CATALOGS else name
            self.rewritten(what, oid, f"pg_catalog.{name}")

    def checkpoint(self) -> None:
        """Let the old files go, and look for files that belong to no table."""
        if not self.attempt(CHECKPOINT, "CHECKPOINT"):
            return
        try:
            orphans = self.query(_ORPHANS)[0][0]
        except StoreRefused:
            return  # only a superuser may list files; `verify` looks at them itself where it can
        if orphans:
            self.met(
                ORPHANS,
                f"{counted(orphans, 'file')} of the database with no table, as a crash leaves "
                "behind; old rows may be in there: dump and restore, or have an administrator look",
            )
