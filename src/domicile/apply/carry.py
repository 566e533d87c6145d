"""Rows from one store to another, with a digest on the way and one of what is read back.

Same kind to same kind through the native bulk path; otherwise as canonical texts, with the types
of the home reading them, so that what comes back can be held against what left.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from domicile.apply.ends import End
from domicile.errors import FidelityError, StoreRefused
from domicile.stores.base import Row
from domicile.stores.postgres import PostgresSession
from domicile.stores.postgres_loop import Pending, run
from domicile.stores.schema import Table

MOST_ASKED = 500
"""Questions in one SELECT; SQLite takes 2,000 columns."""


COLUMNS = "/* columns */"
"""Stands for the select list in a query that is read in several ways; the first one counts."""


def of(select: str, columns: str) -> str:
    """The query with its select list."""
    return select.replace(COLUMNS, columns, 1)


Later = tuple[Table, str, list[str]]
"""A table, a query of its rows, and the columns that are compared."""


@dataclass(frozen=True)
class Carried:
    """What went over: rows, bytes on the way, and the digest of those bytes."""

    rows: int
    size: int
    digest: str  # sha256:…


class Carrier:
    """Carries rows of one source to one home, both inside transactions of the caller.

    A `select` is a template in which `COLUMNS` stands for the select list over alias `t`.
    """

    def __init__(self, source: End, home: End) -> None:
        self.source = source
        self.home = home
        self.native = isinstance(source.session, PostgresSession) and isinstance(
            home.session, PostgresSession
        )
        names = (source.session.dialect.name, home.session.dialect.name)
        self._same_kind = names[0] == names[1]
        self._to_postgres = names[1] == "postgres"

    def carry(self, table: Table, select: str, columns: list[str]) -> Carried:
        """Carry the rows of `select` into `columns` of `table` at home.

        Raises StoreRefused; FidelityError for a value that the home would not give back.
        """
        if self.native:
            sent = of(select, self.listed(self.source, table, columns))
            return run(self._raw(table, sent, columns))
        if self._to_postgres:
            self._check_values(table, select, columns)
            sent = of(select, self.listed(self.source, table, columns))
        else:
            q = self.source.session.dialect.quote
            sent = of(select, ", ".join(f"t.{q(c)}" for c in columns))
        rows = (row for batch in self.source.session.stream(sent) for row in batch)
        taken = self.home.fill(table.name, columns, rows)
        read = self.read(self.source, table, select, columns)
        if taken != read.rows:
            raise FidelityError(
                named(self.home), f"table {table.name} took {taken} of {read.rows} rows",
                hint="is there a rule or trigger that swallows rows?",
            )  # fmt: skip
        return read

    def _check_values(self, table: Table, select: str, columns: list[str]) -> None:
        """SQLite's columns hold anything; refuse by name what PostgreSQL's column is not for.

        Raises FidelityError: bytes where the home has no bytes, other values where it has bytes,
        and the character NUL, which PostgreSQL keeps in no text.
        """
        if self.source.session.dialect.name != "sqlite":
            return
        q = self.source.session.dialect.quote
        asked: list[tuple[str, str, str]] = []
        for c in columns:
            kind, value = table.column(c).kind, f"t.{q(c)}"
            if kind == "bytes":
                asked.append((c, "a value that is not bytes", f"typeof({value}) <> 'blob'"))
            elif kind != "uuid":
                asked.append((c, "bytes", f"typeof({value}) = 'blob'"))
            nul = f"typeof({value}) = 'text' AND instr({value}, char(0)) > 0"
            asked.append((c, "a text with the character NUL", nul))
        for start in range(0, len(asked), MOST_ASKED):
            part = asked[start : start + MOST_ASKED]
            sums = ", ".join(
                f"coalesce(sum({said} AND t.{q(c)} IS NOT NULL), 0)" for c, _, said in part
            )
            found = self.source.session.query(of(select, sums))[0]
            for (column, what, _), count in zip(part, found, strict=True):
                if count:
                    raise FidelityError(
                        named(self.home),
                        f"table {table.name}, column {column}: {count} rows hold {what}, expected "
                        f"what its type there ({table.column(column).type}) keeps",
                        hint="nothing was copied of this table; give the column another type at "
                        "home, or mend the values at the source",
                    )

    def differing(self, table: Table, sent: str, back: str, columns: list[str]) -> list[str]:
        """The columns whose values read differently at home than they did at the source."""
        return [
            c
            for c in columns
            if self.read(self.source, table, sent, [c]).digest
            != self.read(self.home, table, back, [c]).digest
        ]

    def read(
        self, end: End, table: Table, select: str, columns: list[str], *, order: bool = True
    ) -> Carried:
        """Read rows for their digest alone; in an order of their own when `order` is false."""
        query = of(select, self.listed(end, table, columns))
        if order or not self.native:
            query += self._sorted(end, table)
        if self.native:
            return run(self._raw_read(end, table, query))
        digest = hashlib.sha256()
        count = size = 0
        for batch in end.session.stream(query):
            for row in batch:
                line = _line(row)
                digest.update(line)
                size += len(line)
            count += len(batch)
        return Carried(count, size, "sha256:" + digest.hexdigest())

    def read_later(self, end: End, queries: list[Later]) -> Pending[list[Carried]]:
        """Begin to read rows for their digests, one query after the other, while other stores are
        at work; only where both ends are `native`."""

        async def read() -> list[Carried]:
            return [
                await self._raw_read(end, table, of(select, self.listed(end, table, columns)))
                for table, select, columns in queries
            ]

        return Pending(read())

    def listed(self, end: End, table: Table, columns: list[str]) -> str:
        """What is compared of a row: raw values where the kinds are the same, else canonical
        texts by the home's types, so that equal values are equal texts."""
        dialect = end.session.dialect
        if self.native:
            return ", ".join(f"t.{dialect.quote(c)}" for c in columns)
        if self._same_kind:
            return ", ".join(f"quote(t.{dialect.quote(c)})" for c in columns)
        return ", ".join(
            dialect.text(f"t.{dialect.quote(c)}", table.column(c).kind) for c in columns
        )

    def _sorted(self, end: End, table: Table) -> str:
        """An order that two stores agree on, whatever their collations."""
        dialect = end.session.dialect
        names = table.identity
        if not names or any(table.column(c).nullable for c in names):
            # No key, or one that SQLite lets NULL into: the whole row.
            names = tuple(c.name for c in table.columns if not c.generated)
        binary = ' COLLATE "C"' if dialect.name == "postgres" else ""
        texts = (dialect.text(f"t.{dialect.quote(c)}", table.column(c).kind) for c in names)
        return " ORDER BY " + ", ".join(f"{t}{binary}" for t in texts)

    def _binary(self, table: Table) -> bool:
        assert isinstance(self.source.session, PostgresSession)
        assert isinstance(self.home.session, PostgresSession)
        return not any(
            table.name in s.store.reflected().text_copy
            for s in (self.source.session, self.home.session)
        )

    async def _raw(self, table: Table, select: str, columns: list[str]) -> Carried:
        """COPY to COPY on one loop: what the source sends is hashed and handed on as it comes."""
        source, home = self.source.session, self.home.session
        assert isinstance(source, PostgresSession)
        assert isinstance(home, PostgresSession)
        binary = self._binary(table)
        digest = hashlib.sha256()
        size = 0
        chunks: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=16)

        async def take(chunk: bytes) -> None:
            nonlocal size
            digest.update(chunk)
            size += len(chunk)
            await chunks.put(chunk)

        async def give() -> AsyncIterator[bytes]:
            while (chunk := await chunks.get()) is not None:
                yield chunk

        async def send() -> int:
            count = await source.copy_out_async(select, take, binary)
            await chunks.put(None)
            return count

        sending = asyncio.ensure_future(send())
        taking = asyncio.ensure_future(home.copy_in_async(table.name, columns, give(), binary))
        both = (sending, taking)
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            # Also when we are cancelled: a COPY left alone would keep its connection busy.
            for task in both:
                task.cancel()
            ended = await asyncio.gather(*both, return_exceptions=True)
        for result in sorted(ended, key=lambda r: isinstance(r, asyncio.CancelledError)):
            if isinstance(result, BaseException):
                raise result
        if sending.result() != taking.result():
            raise StoreRefused(
                home.store.name, f"table {table.name} took {taking.result()} rows of "
                f"{sending.result()}", hint="is there a rule or trigger that swallows rows?",
            )  # fmt: skip
        return Carried(sending.result(), size, "sha256:" + digest.hexdigest())

    async def _raw_read(self, end: End, table: Table, select: str) -> Carried:
        assert isinstance(end.session, PostgresSession)
        digest = hashlib.sha256()
        size = 0

        async def take(chunk: bytes) -> None:
            nonlocal size
            digest.update(chunk)
            size += len(chunk)

        count = await end.session.copy_out_async(select, take, self._binary(table))
        return Carried(count, size, "sha256:" + digest.hexdigest())


def named(end: End) -> str:
    """The store's name in the estate."""
    return end.session.name


def _line(row: Row) -> bytes:
    """A row of texts so that no two rows give the same bytes: each length-prefixed, NULL apart."""
    parts = [
        b"-" if value is None else b"%d:%s" % (len(text := str(value).encode()), text)
        for value in row
    ]
    return b",".join(parts) + b"\n"
