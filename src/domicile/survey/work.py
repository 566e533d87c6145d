"""Temporary tables of ours, made by SELECTs, with names that cannot clash."""

from __future__ import annotations

from domicile.stores.base import Session


class Work:
    """Hands out temporary tables in one session."""

    def __init__(self, session: Session, prefix: str) -> None:
        self.session = session
        self._prefix = prefix
        self._count = 0

    def create(self, select: str) -> str:
        """A new temporary table filled by `select`; its qualified name."""
        name = self.name()
        dialect = self.session.dialect
        self.session.execute(f"CREATE TEMP TABLE {dialect.quote(name)} AS {select}")
        if dialect.name == "sqlite":
            self._index(name)
        self.session.analyse(name)
        return dialect.temp(name)

    def view(self, select: str) -> str:
        """A temporary view: nothing is kept, and what is asked of it is worked out each time."""
        name = self.name()
        self.session.execute(
            f"CREATE TEMPORARY VIEW {self.session.dialect.quote(name)} AS {select}"
        )
        return self.session.dialect.temp(name)

    def _index(self, name: str) -> None:
        """SQLite joins by nested loops: without an index every lookup reads the whole table."""
        rows = self.session.query(
            f"SELECT name FROM pragma_table_info({self.session.dialect.literal(name)}, 'temp') "
            "WHERE name GLOB 'k[0-9]*' ORDER BY cid"
        )
        if rows:
            keys = ", ".join(str(r[0]) for r in rows)
            self.session.execute(f"CREATE INDEX temp.i_{name} ON {name} ({keys})")

    def name(self) -> str:
        """A fresh bare name, for `Session.load`."""
        self._count += 1
        return f"{self._prefix}{self._count}"

    def count(self, relation: str, where: str = "") -> int:
        """Rows of a relation."""
        condition = f" WHERE {where}" if where else ""
        alias = " c" if relation.endswith(")") else ""
        return int(self.session.query(f"SELECT count(*) FROM {relation}{alias}{condition}")[0][0])

    def any(self, relation: str, where: str = "1 = 1") -> bool:
        """Whether a relation has a row, without counting them all."""
        alias = " c" if relation.endswith(")") else ""
        return bool(self.session.query(f"SELECT 1 FROM {relation}{alias} WHERE {where} LIMIT 1"))

    def drop(self, relation: str) -> None:
        """Give the space back before the session ends."""
        self.session.execute(f"DROP TABLE {relation}")
