"""The same faults with two SQLite files, which tell less: who wrote a row, they cannot say."""

from __future__ import annotations

import os
import random
import sqlite3
from contextlib import closing

import pytest

from tests.faults.estate import SQLITE
from tests.faults.trials import FORMS, Place, SqliteBench

pytestmark = pytest.mark.faults

TRIALS = int(os.environ.get("DOMICILE_TRIALS", "40")) // 5
SEED = int(os.environ.get("DOMICILE_SEED", "20260123"))


def sql(url: str, statement: str) -> list[tuple[object, ...]]:
    """One statement in a transaction of its own."""
    with closing(sqlite3.connect(url.removeprefix(SQLITE))) as connection, connection:
        connection.execute("PRAGMA foreign_keys = ON")
        return connection.execute(statement).fetchall()


@pytest.mark.parametrize("number", range(TRIALS))
def test_a_durable_write_fails_or_is_the_last(files: SqliteBench, number: int) -> None:
    place = files.place()
    rng = random.Random(f"{SEED}-{number}")
    nth, form = rng.randint(1, len(files.points)), rng.choice(FORMS)
    code = place.apply({"nth": nth, "form": form})
    # 3: what failed came before anything was begun.
    assert code in ((-9,) if form.startswith("die") else (3, 5)), (nth, form, place.output())
    files.after(place, code, thorough=number % 4 == 0)
    files.drop(place)


@pytest.mark.parametrize("number", range(TRIALS // 2))
def test_killed_at_any_moment(files: SqliteBench, number: int) -> None:
    place = files.place()
    moment = random.Random(f"{SEED}-{number}").uniform(0.0, files.seconds)
    files.after(place, files.kill_at(place, moment), thorough=False)
    files.drop(place)


def killed_after_copying(files: SqliteBench) -> Place:
    """Everything is committed at home, rows without a key too, and nothing at the source."""
    place = files.place()
    nth = files.point("State.write UPDATE batch SET state = 'deleting'")
    assert place.apply({"nth": nth, "form": "die_after"}) == -9
    return place


def test_changed_after_a_kill(files: SqliteBench) -> None:
    """Rows that the application changed, added and deleted since: as they are at the source now."""
    place = killed_after_copying(files)
    ((person,),) = sql(
        place.home, "SELECT max(account_id) FROM account JOIN address USING (address_id) "
        "JOIN playlist USING (account_id) WHERE address.code = 'US'",
    )  # fmt: skip
    ((mood,),) = sql(place.home, "SELECT max(mood_id) FROM mood")
    sql(place.source, f"UPDATE account SET touched = 9 WHERE account_id = {person}")
    sql(place.source, f"DELETE FROM mood WHERE mood_id = {mood}")
    sql(place.source, f"UPDATE watch SET seconds = 1000 WHERE account_id = {person}")
    sql(place.source, f"INSERT INTO journal VALUES ({person}, 'later')")
    watched = sql(place.source, "SELECT count(*) FROM watch WHERE seconds = 1000")
    place.resume()
    assert sql(place.home, f"SELECT touched FROM account WHERE account_id = {person}") == [(9,)]
    assert sql(place.home, f"SELECT count(*) FROM mood WHERE mood_id = {mood}") == [(0,)]
    assert sql(place.source, f"SELECT count(*) FROM mood WHERE mood_id = {mood}") == [(0,)]
    assert sql(place.home, "SELECT count(*) FROM watch WHERE seconds = 1000") == watched
    assert sql(place.home, "SELECT count(*) FROM journal WHERE word = 'later'") == [(1,)]
    for table in ("watch", "journal"):
        both = sum(int(str(sql(u, f"SELECT count(*) FROM {table}")[0][0]))
                   for u in (place.source, place.home))  # fmt: skip
        assert both == len(files.before[0][table]) + (table == "journal")
    files.whole(place)
    files.drop(place)


def test_the_schema_is_as_before(files: SqliteBench) -> None:
    """Whatever marks our commit, it leaves nothing in the schema."""
    place = files.place()
    query = "SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2"
    before = [sql(u, query) for u in (place.source, place.home)]
    assert place.apply() == 0
    assert [sql(u, query) for u in (place.source, place.home)] == before
    files.drop(place)


@pytest.mark.parametrize("change", ["CREATE INDEX later ON mood (word)", "VACUUM"])
@pytest.mark.parametrize("deleted", [False, True], ids=["not deleted", "deleted"])
def test_a_source_that_no_longer_tells(files: SqliteBench, change: str, deleted: bool) -> None:
    """Cut off around the deletion's commit; then the application changes the schema, by whose
    version SQLite would have told whether it was committed. What is at home stays there."""
    place = files.place()
    nth = files.point("State.write UPDATE batch SET state = 'deleting'")
    commits = [n for n, p in enumerate(files.points, 1) if "SqliteEnd.commit" in p and n > nth]
    form = "die_after" if deleted else "die_before"
    assert place.apply({"nth": commits[0], "form": form}) == -9
    with closing(sqlite3.connect(place.source.removeprefix(SQLITE))) as connection:
        connection.execute(change)
    files.nothing_lost(place)
    place.resume((4, 5))
    files.as_undisturbed(place)  # nothing is there twice either
    files.drop(place)
