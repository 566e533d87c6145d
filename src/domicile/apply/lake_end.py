"""A lake as one end of a move. Its files are swapped by `apply/lake.py`, never through SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from domicile.errors import StoreRefused
from domicile.stores.base import Row
from domicile.stores.parquet_session import ParquetSession


class LakeEnd:
    """No transactions: the session reads a frozen list of files, and each file tells by its mark
    whether it changed. See `apply.ends.End`."""

    concurrent = False
    tells = False

    def __init__(self, session: ParquetSession) -> None:
        self.session = session
        self.spent = False

    def alone(self) -> None:
        """Each swap of a file is checked by itself."""

    def give_way(self) -> None:
        """Nothing is locked."""

    def seal(self) -> None:
        """The journal of files tells what was done."""

    def touch(self, table: str, condition: str) -> int | None:
        return None

    def pair_mark(self, mark: str, places: Mapping[str, str]) -> str:
        return mark

    def of_pair(self, alias: str, table: str, mark: str) -> str:
        return "1 = 0"

    def snapshot(self) -> str:
        return "0"

    def in_order(self) -> None:
        """Files are read one by one."""

    def begin(self) -> str:
        return "0"

    def commit(self) -> None:
        """Nothing is open."""

    def rollback(self) -> None:
        """Nothing is open."""

    def unchanged(self, alias: str, seen: str) -> str:
        return "1 = 1"

    def ours(self, alias: str, marks: Sequence[str]) -> str:
        return "1 = 0"

    def stands(self, mark: str) -> bool:
        return True

    def place(self, table: str) -> str:
        return ""

    def written(self, alias: str, mark: str, place: str) -> str | None:
        return None

    def lock_table(self, table: str) -> None:
        """Files that others add are not in the session's list."""

    def lock(self, select: str, alias: str, *, shared: bool = False) -> int:
        return 0

    def committed(self, mark: str) -> bool | None:
        return None

    def fill(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> int:
        raise StoreRefused(
            self.session.name, f"rows cannot be written into {table} one by one: it is a lake",
            hint="a lake is home for rows of lakes only",
        )  # fmt: skip
