"""Two engines that share no code write every value as the same text, and digest it alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domicile.estate import model
from domicile.stores import open_store
from domicile.stores.base import Session
from domicile.stores.memory import hold, release
from domicile.stores.schema import Kind

# SQLite has no minus zero: adding zero takes the sign away.
_VALUES: dict[Kind, tuple[str, str, st.SearchStrategy[Any]]] = {
    "int": ("INTEGER", "BIGINT", st.integers(-(2**63), 2**63 - 1)),
    "float": ("REAL", "DOUBLE", st.floats(allow_nan=False).map(lambda x: x + 0.0)),
    "text": ("TEXT", "VARCHAR", st.text(st.characters(codec="utf-8", exclude_characters="\0"))),
    "bool": ("BOOLEAN", "BOOLEAN", st.booleans()),
    "bytes": ("BLOB", "BLOB", st.binary()),
    "uuid": ("UUID", "UUID", st.uuids()),
    "numeric": ("NUMERIC", "DECIMAL(15,4)",
                st.decimals(-(10**10), 10**10, places=4, allow_nan=False)),
    "date": ("DATE", "DATE", st.dates(date(1, 1, 1), date(9999, 12, 31))),
    "time": ("TIME", "TIME", st.times()),
    "timestamp": ("TIMESTAMP", "TIMESTAMP", st.datetimes()),
    "timestamptz": ("TIMESTAMPTZ", "TIMESTAMPTZ", st.datetimes(timezones=st.just(UTC))),
}  # fmt: skip


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[tuple[Session, Session]]:
    path = tmp_path / "a.db"
    apsw.Connection(str(path)).execute("CREATE TABLE t (x)")
    hold("agree", [], {})
    one = open_store(model.Store("one", f"sqlite://{path}", "NL", "T", "app"))
    two = open_store(model.Store("two", "memory:agree", "NL", "T", "app"))
    with one.read() as first, two.read() as second:
        yield first, second
    release("agree")


@pytest.mark.parametrize("kind", list(_VALUES))
def test_texts_and_digests_agree(sessions: tuple[Session, Session], kind: Kind) -> None:
    sqlite_type, duckdb_type, values = _VALUES[kind]
    number = 0

    @settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)
    @given(st.lists(st.none() | values, min_size=1, max_size=20))
    def agree(found: list[Any]) -> None:
        nonlocal number
        number += 1
        answers = []
        for session, declared in zip(sessions, (sqlite_type, duckdb_type), strict=True):
            d = session.dialect
            columns = [("n", "INTEGER"), ("v", declared)]
            session.load(f"w{number}", columns, list(enumerate(found)))
            text = d.text("t.v", kind)
            sql = (
                f"SELECT {text}, {d.digest([text, text])} FROM {d.temp(f'w{number}')} t ORDER BY n"
            )
            answers.append(session.query(sql))
        assert answers[0] == answers[1]
        assert [row[0] is None for row in answers[0]] == [value is None for value in found]

    agree()
