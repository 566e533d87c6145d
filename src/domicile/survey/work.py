"""Temporary tables of ours, made by SELECTs, with names that cannot clash."""

from __future__ import annotations

from collections.abc import Sequence

from domicile.stores.base import Row, Session

TOGETHER = 50
"""Queries sent to a server as one statement: a round trip costs more than a small query."""


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
        create = f"CREATE TEMP TABLE {dialect.quote(name)} AS {select}"
        if dialect.name == "postgres":  # both in one round trip: a wide schema has many of these
            self.session.execute(f"{create}; ANALYZE {dialect.temp(name)}")
            return dialect.temp(name)
        self.session.execute(create)
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

    def counts(self, relations: Sequence[str]) -> list[int]:
        """Rows of each relation, in few statements."""
        parts = [
            f"SELECT {n} AS n, count(*) AS counted FROM {relation}{' c' * relation.endswith(')')}"
            for n, relation in enumerate(relations)
        ]
        found = {int(n): int(count) for n, count in self.all(parts)}
        return [found[n] for n in range(len(relations))]

    def all(self, queries: Sequence[str]) -> list[Row]:
        """The rows of queries with the same columns, in few statements; for small results."""
        # Within this process nothing is saved, and one after the other needs less memory.
        step = TOGETHER if self.session.dialect.name == "postgres" else 1
        found: list[Row] = []
        for start in range(0, len(queries), step):
            found += self.session.query(" UNION ALL ".join(queries[start : start + step]))
        return found

    def any(self, relation: str, where: str = "1 = 1") -> bool:
        """Whether a relation has a row, without counting them all."""
        alias = " c" if relation.endswith(")") else ""
        return bool(self.session.query(f"SELECT 1 FROM {relation}{alias} WHERE {where} LIMIT 1"))

    def drop(self, relation: str) -> None:
        """Give the space back before the session ends."""
        self.session.execute(f"DROP TABLE {relation}")
