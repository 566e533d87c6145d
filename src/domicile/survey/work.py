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
        self.session.execute(f"CREATE TEMP TABLE {self.session.dialect.quote(name)} AS {select}")
        self.session.analyse(name)
        return self.session.dialect.temp(name)

    def name(self) -> str:
        """A fresh bare name, for `Session.load`."""
        self._count += 1
        return f"{self._prefix}{self._count}"

    def count(self, relation: str, where: str = "") -> int:
        """Rows of a relation."""
        condition = f" WHERE {where}" if where else ""
        return int(self.session.query(f"SELECT count(*) FROM {relation}{condition}")[0][0])

    def drop(self, relation: str) -> None:
        """Give the space back before the session ends."""
        self.session.execute(f"DROP TABLE {relation}")
