"""SQLite as one end of a move. See `apply.ends.End`."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence

from domicile.stores.base import Row
from domicile.stores.sqlite_load import insert
from domicile.stores.sqlite_session import SqliteWriteSession, translated

_VERSION = ""
"""No table's name: where a mark of rows without a key has the version of the schema."""


class SqliteEnd:
    """SQLite: the file is ours from the snapshot to the deletion, so nothing changes in between."""

    concurrent = False
    tells = False

    def __init__(self, session: SqliteWriteSession) -> None:
        self._session = session
        self.spent = False

    @property
    def session(self) -> SqliteWriteSession:
        return self._session

    def alone(self) -> None:
        """Whoever has begun to write is alone."""

    def snapshot(self) -> str:
        self.session.begin()
        return "0"

    def in_order(self) -> None:
        """One reader reads one row after the other."""

    def begin(self) -> str:
        if not self.session.connection.in_transaction:
            self.session.begin()
        return f"{self._version()}-{secrets.token_hex(8)}"

    def give_way(self) -> None:
        """The file is ours already."""

    def seal(self) -> None:
        # Two changes of the schema that leave none: its version tells that we committed.
        self.session.execute("CREATE VIEW main.domicile_seal AS SELECT 1")
        self.session.execute("DROP VIEW main.domicile_seal")

    def _version(self) -> int:
        return int(self.session.query("PRAGMA main.schema_version")[0][0])

    def commit(self) -> None:
        self.session.commit()
        self.spent = True

    def rollback(self) -> None:
        self.session.rollback()

    def unchanged(self, alias: str, seen: str) -> str:
        return "1 = 1"

    def ours(self, alias: str, marks: Sequence[str]) -> str:
        return "1 = 0"

    def touch(self, table: str, condition: str) -> int | None:
        return None

    def pair_mark(self, mark: str, places: Mapping[str, str]) -> str:
        spans = {
            table: [int(place), int(self.place(table))] for table, place in places.items()
        }  # fmt: skip
        return json.dumps({**spans, _VERSION: self._version()})

    def stands(self, mark: str) -> bool:
        # VACUUM numbers rows anew, and is a change of the schema as far as its version tells.
        return bool(json.loads(mark).get(_VERSION, self._version()) == self._version())

    def of_pair(self, alias: str, table: str, mark: str) -> str:
        after, upto = json.loads(mark)[table]
        return f"{alias}.rowid > {int(after)} AND {alias}.rowid <= {int(upto)}"

    def place(self, table: str) -> str:
        shape = self.session.schema.tables[table]
        # A key that is the rowid, or stands for it, says itself where a row comes. One that lets
        # NULL pass does not, and rows without a key may come into its table.
        if shape.identity and not any(shape.column(c).nullable for c in shape.identity):
            return ""
        rows = self.session.query(f"SELECT max(rowid) FROM {self.session.dialect.table(table)}")
        return str(rows[0][0] or 0)

    def written(self, alias: str, mark: str, place: str) -> str | None:
        # Rows without a key come one after the other, each with the next rowid.
        return f"{alias}.rowid > {int(place)}" if place else None

    def lock_table(self, table: str) -> None:
        return None

    def lock(self, select: str, alias: str, *, shared: bool = False) -> int:
        return int(self.session.query(f"SELECT count(*) FROM ({select}) l")[0][0])

    def committed(self, mark: str) -> bool | None:
        # By `seal`. Another change of the schema since leaves the question open.
        passed = self._version() - int(mark.partition("-")[0])
        return {0: False, 2: True}.get(passed)

    def fill(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> int:
        shape = self.session.schema.tables[table]
        q = self.session.dialect.quote
        listed = ", ".join(q(c) for c in columns)
        before = self.session.connection.total_changes()
        with translated(self.session.name):
            insert(
                self.session.connection, self.session.name,
                f"{self.session.dialect.table(table)} ({listed})",
                [(c, shape.column(c).type) for c in columns], rows,
            )  # fmt: skip
        return self.session.connection.total_changes() - before
