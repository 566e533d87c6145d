"""PostgreSQL as one end of a move. See `apply.ends.End`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

from domicile.errors import FidelityError, StoreBusy, StoreRefused
from domicile.stores.base import Row
from domicile.stores.postgres import PostgresSession
from domicile.stores.postgres_marks import written_by

GIVE_WAY_MS = 700
"""Less than PostgreSQL's deadlock_timeout (1 s): we give up before anybody is made to."""

ALONE_SECONDS = 60.0
"""How long to wait for another apply, or what is left of a killed one, to leave a store."""

FAR_AHEAD = 1 << 28
"""Transactions of PostgreSQL; their numbers have 32 bits and compare by half the circle."""

ORDER_MEMORY_MB = 64
"""For the people of one batch, in a server that joins them with their rows."""

LOCK_CLASS = 0x444F4D49  # "DOMI": the first key of our advisory locks


class PostgresEnd:
    """PostgreSQL: row versions tell what has changed, and nobody waits for us in between."""

    concurrent = True
    tells = True

    def __init__(self, session: PostgresSession) -> None:
        self._session = session
        self._fills = 0
        self.spent = False

    @property
    def session(self) -> PostgresSession:
        return self._session

    def alone(self) -> None:
        # Should we be killed, the server notices within seconds, not at the end of a statement.
        self.session.query(
            "SELECT set_config(name, '2000', false) FROM pg_settings "
            "WHERE name = 'client_connection_check_interval'"
        )
        schema = self.session.dialect.literal(self.session.dialect.schema)
        deadline = time.monotonic() + ALONE_SECONDS
        # A session keeps the lock until its last transaction has ended, also when its client is
        # gone: so what a killed run still had under way is settled before anything is read.
        while not self.session.query(
            f"SELECT pg_try_advisory_lock({LOCK_CLASS}, hashtext({schema}))"
        )[0][0]:
            if time.monotonic() > deadline:
                raise StoreBusy(
                    self.session.store.name,
                    "another apply is at work in this store",
                    hint="wait for it to end, then run the same command again",
                )
            time.sleep(0.05)

    def snapshot(self) -> str:
        self.session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ WRITE")
        rows = self.session.query("SELECT pg_snapshot_xmin(pg_current_snapshot())::xid::text")
        return str(rows[0][0])

    def in_order(self) -> None:
        # Workers side by side, or a scan that joins another's, hand rows over in any order: the
        # indexes at home then grow at random places (measured: half the speed), and what is read
        # back there has another digest than what was sent.
        self.session.execute(
            "SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL synchronize_seqscans = off; "
            # So has a join whose people do not fit: it sets rows aside.
            f"SET LOCAL work_mem = '{ORDER_MEMORY_MB}MB'"
        )

    def begin(self) -> str:
        self.session.execute("BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE")
        try:
            # Triggers of the application and ON DELETE actions must reach no row; keys are
            # checked in sets instead. Needs superuser, or since PostgreSQL 15 the grant below.
            self.session.execute("SET LOCAL session_replication_role = replica")
        except StoreRefused as error:
            self.rollback()
            raise StoreRefused(
                self.session.store.name, "may not set session_replication_role",
                hint="GRANT SET ON PARAMETER session_replication_role TO the user of this store",
            ) from error  # fmt: skip
        return str(self.session.query("SELECT pg_current_xact_id()::xid::text")[0][0])

    def give_way(self) -> None:
        self.session.execute(f"SET LOCAL lock_timeout = '{GIVE_WAY_MS}ms'")

    def seal(self) -> None:
        """The server keeps what became of a transaction."""

    def commit(self) -> None:
        self.session.execute("COMMIT")

    def rollback(self) -> None:
        self.session.give_up()

    def unchanged(self, alias: str, seen: str) -> str:
        # Older than everything that was still running at the snapshot. A row that a transaction
        # of that time wrote may be called changed although it was seen: it is copied again.
        # A number far ahead of the latest is one of a row frozen long ago, from before the numbers
        # began anew; nobody gets that far ahead while one of our transactions is open.
        age = f"age({alias}.xmin)"
        return f"({age} > age('{int(seen)}'::xid) OR {age} < -{FAR_AHEAD})"

    def ours(self, alias: str, marks: Sequence[str]) -> str:
        return written_by(alias, marks)

    def touch(self, table: str, condition: str) -> int | None:
        dialect = self.session.dialect
        # An identity column may refuse to be assigned to, even its own value.
        columns = self.session.schema.tables[table].columns
        name = next((c.name for c in columns if not (c.generated or c.identity)), None)
        if name is None:
            return None
        q = dialect.quote(name)
        return self.session.execute(
            f"UPDATE {dialect.table(table)} AS t SET {q} = t.{q} WHERE {condition}"
        )

    def pair_mark(self, mark: str, places: Mapping[str, str]) -> str:
        return mark

    def of_pair(self, alias: str, table: str, mark: str) -> str:
        return self.ours(alias, [mark])

    def stands(self, mark: str) -> bool:
        return True

    def place(self, table: str) -> str:
        if self.session.schema.tables[table].partitions:
            return ""
        name = self.session.dialect.literal(self.session.dialect.target(table))
        size = self.session.query(f"SELECT pg_relation_size({name}::regclass)")[0][0]
        block = self.session.query("SELECT current_setting('block_size')::int")[0][0]
        # The last page may have room: rows go on there.
        return f"({max(0, int(size) // int(block) - 1)},0)"

    def written(self, alias: str, mark: str, place: str) -> str | None:
        start = f" AND {alias}.ctid >= '{place}'::tid" if place else ""
        return f"{alias}.xmin = '{int(mark)}'::xid{start}"

    def lock_table(self, table: str) -> None:
        self.session.execute(
            f"LOCK TABLE {self.session.dialect.table(table)} IN SHARE ROW EXCLUSIVE MODE"
        )

    def lock(self, select: str, alias: str, *, shared: bool = False) -> int:
        how = "SHARE" if shared else "UPDATE"
        return int(
            self.session.query(f"SELECT count(*) FROM ({select} FOR {how} OF {alias}) l")[0][0]
        )

    def committed(self, mark: str) -> bool | None:
        # Only the last two thousand million transactions can be asked about, by their full
        # number; ours are recent, so the number is in this epoch or the one before.
        rows = self.session.query(
            "SELECT pg_xact_status((CASE WHEN n > (full_now & 4294967295) "
            "THEN full_now - (full_now & 4294967295) - 4294967296 + n "
            "ELSE full_now - (full_now & 4294967295) + n END)::text::xid8) "
            f"FROM (SELECT {int(mark)}::bigint AS n, "
            "pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS full_now) f"
        )
        status = rows[0][0]
        return None if status is None else status == "committed"

    def fill(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> int:
        q = self.session.dialect.quote
        self._fills += 1
        name = f"fill_{self._fills}"
        self.session.load(name, [(c, "text") for c in columns], rows)
        shape = self.session.schema.tables[table]
        listed = ", ".join(q(c) for c in columns)
        typed = ", ".join(f"CAST({q(c)} AS {shape.column(c).type})" for c in columns)
        identity = any(shape.column(c).identity for c in columns)
        self._check_types(table, name, columns)
        count = self.session.execute(
            f"INSERT INTO {self.session.dialect.target(table)} ({listed}) "
            f"{'OVERRIDING SYSTEM VALUE ' if identity else ''}"
            f"SELECT {typed} FROM {self.session.dialect.temp(name)}"
        )
        self.session.execute(f"DROP TABLE {self.session.dialect.temp(name)}")
        return count

    def _check_types(self, table: str, name: str, columns: Sequence[str]) -> None:
        """Raise FidelityError for the first column whose type does not take the texts.

        Asked before anything is inserted: rows inserted behind a savepoint would bear its number,
        not the transaction's.
        """
        shape = self.session.schema.tables[table]
        q = self.session.dialect.quote
        temp = self.session.dialect.temp(name)
        casts = {c: f"count(CAST({q(c)} AS {shape.column(c).type}))" for c in columns}
        self.session.execute("SAVEPOINT fill")
        try:
            self.session.query(f"SELECT {', '.join(casts.values())} FROM {temp}")
        except StoreRefused:
            for column, cast in casts.items():
                self.session.execute("ROLLBACK TO SAVEPOINT fill")
                try:
                    self.session.query(f"SELECT {cast} FROM {temp}")
                except StoreRefused as error:
                    raise FidelityError(
                        self.session.store.name,
                        f"table {table}, column {column} of type {shape.column(column).type}: "
                        + error.message.partition(": ")[2],
                        hint="nothing was copied of this table; give the column another type at "
                        "home, or mend the values at the source",
                    ) from error
            raise
        self.session.execute("RELEASE SAVEPOINT fill")
