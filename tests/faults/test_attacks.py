"""Faults that somebody thought of, one test each."""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from typing import Any

import asyncpg
import pytest

from domicile.apply.postgres_end import PostgresEnd
from tests.faults.estate import read
from tests.faults.trials import Bench, Place, Zygote

pytestmark = pytest.mark.faults

PAIR = "State.write INSERT INTO pair"
"""The point before which rows without a key are not home yet, nor anything deleted."""


def sql(url: str, *statements: str) -> None:
    """Run statements, each in a transaction of its own."""

    async def work() -> None:
        connection = await asyncpg.connect(url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(work())


def value(url: str, query: str) -> Any:
    """The one value of a query."""

    async def work() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(work())


def someone_half_way(place: Place) -> int:
    """An account that is at both ends after a run was killed between copying and deleting."""
    here = {r[0] for r in read(place.source)["account"]}
    there = {r[0] for r in read(place.home)["account"]}
    both = sorted(str(r) for r in here & there)
    assert both, "the kill came too early or too late for this test"
    return int(both[0].strip("(").split(",")[0])


def killed_after_copying(bench: Bench) -> Place:
    """A place where all rows with keys were copied home, and nothing was deleted yet."""
    place = bench.place()
    assert place.apply({"nth": bench.point(PAIR), "form": "die_before"}) == -9
    return place


def test_deleted_by_the_application_after_a_kill(bench: Bench) -> None:
    """Its copy at home is not the row: it goes, it does not come back."""
    place = killed_after_copying(bench)
    mood = int(value(place.home, "SELECT max(mood_id) FROM mood"))
    sql(place.source, f"DELETE FROM mood WHERE mood_id = {mood}")
    place.resume()
    for url in (place.source, place.home):
        assert value(url, f"SELECT count(*) FROM mood WHERE mood_id = {mood}") == 0
    bench.whole(place)
    bench.drop(place)


def test_changed_by_the_application_after_a_kill(bench: Bench) -> None:
    """The newer values come home."""
    place = killed_after_copying(bench)
    person = someone_half_way(place)
    sql(place.source, f"UPDATE account SET touched = 77 WHERE account_id = {person}")
    place.resume()
    assert value(place.home, f"SELECT touched FROM account WHERE account_id = {person}") == 77
    bench.whole(place)
    bench.drop(place)


def test_changed_at_home_after_a_kill(bench: Bench) -> None:
    """Only one end changed: the home's values stay, and the rows that differ are held."""
    place = killed_after_copying(bench)
    person = someone_half_way(place)
    sql(place.home, f"UPDATE account SET touched = 78 WHERE account_id = {person}")
    place.resume()
    assert value(place.home, f"SELECT touched FROM account WHERE account_id = {person}") == 78
    bench.drop(place)


def test_moved_away_after_a_kill(bench: Bench) -> None:
    """Who no longer lives in the US after the kill stays abroad, whole; nothing of them at home."""
    place = killed_after_copying(bench)
    person = value(
        place.home,
        "SELECT a.account_id FROM account a JOIN address USING (address_id) WHERE code = 'US' "
        "AND NOT EXISTS (SELECT 1 FROM account b WHERE b.address_id = a.address_id "
        "AND b.account_id <> a.account_id) AND EXISTS (SELECT 1 FROM playlist p "
        "WHERE p.account_id = a.account_id) ORDER BY 1 LIMIT 1",
    )
    sql(
        place.source,
        f"UPDATE address SET code = 'NL' WHERE address_id = "
        f"(SELECT address_id FROM account WHERE account_id = {person})",
    )
    place.resume()
    assert value(place.source, f"SELECT count(*) FROM playlist WHERE account_id = {person}") == 1
    assert value(place.home, f"SELECT count(*) FROM playlist WHERE account_id = {person}") == 0
    bench.whole(place)
    bench.drop(place)


def test_a_new_plan_after_a_kill(bench: Bench) -> None:
    """Whoever plans anew instead of resuming gets the same, rows without a key included."""
    for nth in range(bench.point(PAIR), bench.point(PAIR) + 4):
        place = bench.place()
        assert place.apply({"nth": nth, "form": "die_after"}) == -9
        assert place.run("plan", "-o", str(place.plan), "--as-of", "2026-11-20") == 0
        place.resume()
        bench.as_undisturbed(place)
        bench.drop(place)


TORN = """
SELECT count(*) FROM account a LEFT JOIN address h USING (address_id)
WHERE a.email NOT LIKE 'stub-%' AND (h.street IS NULL OR h.street LIKE 'stub-%')
"""
"""Accounts whose address went before them."""


def test_killed_between_the_batches_of_one_address(bench: Bench) -> None:
    """Who lives where somebody of another batch lives has the address until they go themselves."""
    deletions = [n for n, p in enumerate(bench.points, 1) if "state = 'deleting'" in p]
    assert len(deletions) > 1
    for nth in deletions[:2]:
        place = bench.place()
        commit = next(n for n in range(nth, len(bench.points) + 1)
                      if bench.points[n - 1].startswith("PostgresEnd.commit"))  # fmt: skip
        assert place.apply({"nth": commit, "form": "die_after"}) == -9
        assert value(place.source, TORN) == 0
        place.resume()
        bench.as_undisturbed(place)
        bench.drop(place)


def test_two_at_once(bench: Bench) -> None:
    """The second one says so and does nothing; the first one is not disturbed."""
    place = bench.place()
    other = Zygote()
    try:
        second = Place(place.directory, place.source, place.home, other, place.batch)
        assert second.run("check") == 0  # everything is imported
        held = place.start_held(bench.point("PostgresEnd.commit"))
        assert second.apply() == 5
        held.unlink()
        assert "another apply" in place.output()
        assert place.wait() == 0
    finally:
        other.close()
    bench.as_undisturbed(place)
    bench.drop(place)


def test_rows_older_than_the_numbers_of_transactions(bench: Bench) -> None:
    """What was written two thousand million transactions ago and frozen is unchanged; what was
    written since the survey is not, however near the numbers are to their turn."""
    place = bench.place()
    latest = int(value(place.source, "SELECT pg_current_xact_id()::xid::text"))
    seen = latest - 5
    end = PostgresEnd.__new__(PostgresEnd)

    def unchanged(xid: int) -> bool:
        row = f"(SELECT '{xid % 2**32}'::xid AS xmin) t"
        return bool(value(place.source, f"SELECT {end.unchanged('t', str(seen))} FROM {row}"))

    assert all(unchanged(xid) for xid in (2, seen - 1, seen - 400, latest + 2**30, latest - 2**31))
    assert not any(unchanged(xid) for xid in (seen, seen + 1, latest, latest + 1, latest + 10_000))
    bench.drop(place)


def test_two_estates_at_once(bench: Bench) -> None:
    """Two state directories know nothing of each other: the stores keep the second one waiting."""
    place = bench.place()
    second = Place(place.directory / "other", place.source, place.home, Zygote(), place.batch)
    shutil.copytree(bench.template, second.directory)
    try:
        assert second.run("check") == 0  # everything is imported
        held = place.start_held(bench.point("PostgresEnd.commit"))
        second.start("apply", str(second.plan), "--yes")
        time.sleep(1)  # it waits for the first one; were it to go on at once, it would find more
        held.unlink()
        assert second.wait() == 4, second.output()
        assert place.wait() == 0
    finally:
        second.zygote.close()
    bench.as_undisturbed(place)
    bench.drop(place)


def test_a_schema_changed_after_a_kill(bench: Bench) -> None:
    """Not resumed over: refused, and a new plan settles and finishes."""
    place = killed_after_copying(bench)
    for url in (place.source, place.home):
        sql(url, "ALTER TABLE mood ADD COLUMN colour text")
    assert place.apply() == 4
    assert place.run("plan", "-o", str(place.plan)) == 0
    place.resume()
    bench.whole(place)
    bench.drop(place)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_asked_to_stop(bench: Bench, number: signal.Signals) -> None:
    """Exit code 5, nothing left running in the stores, and a second run finishes."""
    for part in (0.1, 0.4):
        place = bench.place()
        # From its first commit on it is listening; before, it is stopped as any program is.
        place.start_held(bench.point("PostgresEnd.commit")).unlink()
        bench.sleep(bench.seconds * part)
        place.kill(place.zygote.child, number)
        code = place.wait()
        assert code in (0, 5), place.output()
        bench.after(place, code, thorough=False)
        bench.drop(place)


def test_a_session_is_ended_by_the_server(bench: Bench) -> None:
    """pg_terminate_backend while apply works: exit code 5, then resumed."""
    place = bench.place()
    place.start("apply", str(place.plan), "--yes")
    bench.sleep(bench.seconds * 0.6)
    for url in (place.source, place.home):
        sql(
            url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = 'domicile'",
        )
    code = place.wait()
    assert code in (0, 3, 5), place.output()  # 3: it had not begun to change anything
    bench.after(place, code, thorough=True)
    bench.drop(place)


def test_the_home_becomes_read_only(bench: Bench) -> None:
    """A home that refuses to write stops apply; nothing is deleted before it takes rows again."""
    place = bench.place()
    sql(
        place.home,
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'disk full' USING ERRCODE = '53100'; END $$",
        "CREATE TRIGGER no BEFORE INSERT ON track FOR EACH ROW EXECUTE FUNCTION no()",
        "ALTER TABLE track ENABLE ALWAYS TRIGGER no",
    )
    assert place.apply() in (4, 5)
    bench.nothing_lost(place)
    assert read(place.source) == bench.before[0]
    sql(place.home, "DROP TRIGGER no ON track", "DROP FUNCTION no()")
    if place.apply() != 0:
        place.resume()
    bench.as_undisturbed(place)
    bench.drop(place)


def test_a_lock_that_is_not_given(bench: Bench) -> None:
    """A transaction of the application holds a row all the time: it is never made to give way,
    its person stays for later, and the rest is not lost."""
    place = bench.place()
    moved = set(bench.before[0]["account"]) & set(bench.outcome[1]["account"])
    person = min(str(r[0]) for r in moved).strip("(").split(",")[0]
    mine = f"account_id = {person}"

    async def holding() -> int:
        connection = await asyncpg.connect(place.source)
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(f"UPDATE account SET touched = 5 WHERE {mine}")
        code = await asyncio.to_thread(place.apply)
        await transaction.commit()
        await connection.close()
        return code

    code = asyncio.run(holding())
    assert code == 5, place.output()
    bench.nothing_lost(place, f"({person},p")
    place.resume()
    assert value(place.home, f"SELECT touched FROM account WHERE {mine}") == 5
    bench.whole(place)
    bench.drop(place)


@pytest.mark.parametrize("between", [False, True], ids=["after_copying", "between_batches"])
@pytest.mark.parametrize("how", ["address", "account"])
def test_somebody_moves_away_while_rows_are_deleted(bench: Bench, between: bool, how: str) -> None:
    """Whoever lives elsewhere by then stays abroad, whole: no row of theirs was deleted there on
    the word of a survey from before, and what was copied home is taken back."""
    place = bench.place()
    unsaid = [n for n, p in enumerate(bench.points, 1) if p == f"State.write {UNSAID}"]
    pair = bench.point(PAIR)
    held = place.start_held(min(n for n in unsaid if n > pair) if between
                            else max(n for n in unsaid if n < pair))  # fmt: skip
    both = ", ".join(
        str(r[0]).strip("(").split(",")[0]
        for r in set(read(place.source)["account"]) & set(read(place.home)["account"])
    )
    person, address = row(
        place.source,
        "SELECT a.account_id, address_id FROM account a JOIN address USING (address_id) "
        f"WHERE code = 'US' AND account_id IN ({both}) AND EXISTS (SELECT 1 FROM video v "
        "WHERE v.account_id = a.account_id) ORDER BY 1 LIMIT 1",
    )
    other = value(place.source, "SELECT address_id FROM address WHERE code = 'NL' LIMIT 1")
    sql(
        place.source,
        f"UPDATE address SET code = 'NL' WHERE address_id = {address}" if how == "address"
        else f"UPDATE account SET address_id = {other} WHERE account_id = {person}",
    )  # fmt: skip
    before = {t: own_rows(place.source, t, person) for t in ("account", *OWN)}
    held.unlink()
    code = place.wait()
    assert code in (0, 5), place.output()
    if code:
        place.resume()
    for table, rows in before.items():
        assert own_rows(place.source, table, person) == rows, table
    for table in ("playlist", "journal"):
        assert own_rows(place.home, table, person) == []
    assert own_rows(place.home, "account", person) in ([], own_stub(place.home, person))
    bench.whole(place)
    bench.drop(place)


UNSAID = "DELETE FROM unsaid WHERE store = ? AND mark = ?"
"""What follows a committed batch: at the end of pass one, and of each batch of pass two."""

OWN = ("playlist", "video", "watch", "journal")
"""Tables whose rows are one account's, whoever else there is."""


def row(url: str, query: str) -> Any:
    """The one row of a query."""

    async def work() -> Any:
        connection = await asyncpg.connect(url)
        try:
            (found,) = await connection.fetch(query)
            return tuple(found)
        finally:
            await connection.close()

    return asyncio.run(work())


def own_rows(url: str, table: str, person: int) -> list[str]:
    """An account's rows of one table."""
    text = f"SELECT array_agg(t::text ORDER BY t::text) FROM {table} t WHERE account_id = {person}"
    return list(value(url, text) or [])


def own_stub(url: str, person: int) -> list[str]:
    """An account's row where it is a stub."""
    text = f"SELECT t::text FROM account t WHERE account_id = {person} AND email LIKE 'stub-%'"
    found = value(url, text)
    return [found] if found else []
