"""A plan made after apply was killed: what apply would carry on with is a step, not a collision."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.test_sqlite import sql as sqlite_sql
from tests.faults.test_vanished import sql as postgres_sql
from tests.faults.trials import Bench, Place, SqliteBench

pytestmark = pytest.mark.faults

PERSON = """
SELECT max(account_id) FROM account JOIN address USING (address_id)
JOIN playlist USING (account_id) WHERE address.code = 'US'
"""


def planned(place: Place) -> dict[str, Any]:
    """A plan of now, beside the one that was begun."""
    again = place.directory / "again.json"
    assert place.run("plan", "-o", str(again)) == 0, place.output()
    document: dict[str, Any] = json.loads(again.read_text())
    return document


def moves(plan: dict[str, Any]) -> Counter[str]:
    """Rows to move, by table."""
    found: Counter[str] = Counter()
    for step in plan["steps"]:
        if step["op"] == "move":
            found[step["table"]] += step["rows"]
    return found


def check(bench: Bench, sql: Callable[[str, str], list[tuple[Any, ...]]]) -> None:
    place = bench.place()
    nth = bench.point("State.write UPDATE batch SET state = 'deleting'")
    assert place.apply({"nth": nth, "form": "die_after"}) == -9
    ((person,),) = sql(place.home, PERSON)  # copied, and still at the source
    sql(place.source, f"UPDATE account SET touched = 9 WHERE account_id = {person}")
    first, again = json.loads(place.plan.read_text()), planned(place)
    assert [h for h in again["held"] if h["code"] == "collision"] == []
    assert again["held"] == first["held"]
    assert moves(again) == moves(first)
    # What the application wrote at home under that key since is somebody else's.
    sql(place.home, f"UPDATE account SET touched = 10 WHERE account_id = {person}")
    assert [h for h in planned(place)["held"] if h["code"] == "collision"] != []
    bench.drop(place)


def test_in_postgres(bench: Bench) -> None:
    check(bench, postgres_sql)


def test_in_sqlite(files: SqliteBench) -> None:
    check(files, sqlite_sql)
