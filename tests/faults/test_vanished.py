"""What the application deletes between the survey of a round and the batch that carries it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import asyncpg
import pytest

from domicile.apply.move import Move
from domicile.apply.removal import Removal
from domicile.apply.run import apply_plan
from tests.faults.estate import broken_keys
from tests.faults.trials import Bench

PAIR = """
SELECT guest.account_id, host.account_id FROM account guest
JOIN account host ON host.account_id = guest.invited_by
JOIN address a ON a.address_id = guest.address_id
JOIN address b ON b.address_id = host.address_id
WHERE a.code = 'US' AND b.code = 'US' AND host.invited_by IS {} NULL
ORDER BY 1 LIMIT 1
"""
"""Two who go, of whom one refers to the other; what is theirs does not hang together."""


def sql(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Run one statement; its rows."""

    async def work() -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(url)
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    return asyncio.run(work())


@pytest.mark.parametrize("null", ["", "NOT"], ids=["pointing nowhere", "pointing on"])
@pytest.mark.parametrize("late", [False, True], ids=["before its copy", "before its deletion"])
def test_a_row_that_others_at_home_point_at(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, null: str, late: bool
) -> None:
    """An account changes in two rounds after it was copied. The first leaves all to the second;
    in that it waits, while who was invited by it moves; in the third the application deletes it.
    At home the guest still refers to it, so a stub stands."""
    place = bench.place()
    guest, host = sql(place.source, PAIR.format(null))[0]
    for name, value in place.env.items():
        monkeypatch.setenv(name, value)
    done: list[str] = []
    carry_out, remove = Move.carry_out, Removal.remove

    def once(what: str, *statements: str) -> None:
        if what not in done:
            done.append(what)
            for statement in statements:
                sql(place.source, statement)

    def delete() -> None:
        once(
            "deleted", f"DELETE FROM message WHERE {host} IN (from_id, to_id)",
            f"DELETE FROM account WHERE account_id = {host}",
        )  # fmt: skip

    def carrying(self: Move) -> dict[str, int]:
        done.append("round")
        if done.count("round") == 3 and not late:
            delete()
        return carry_out(self)

    def removing(self: Removal, *args: Any) -> Any:
        rounds = done.count("round")
        if rounds < 3:
            touch = f"UPDATE account SET touched = {rounds} WHERE account_id = {host}"
            once(f"changed {rounds}", touch)
        else:
            delete()
        return remove(self, *args)

    monkeypatch.setattr(Move, "carry_out", carrying)
    monkeypatch.setattr(Removal, "remove", removing)
    plan = json.loads(place.plan.read_text())
    apply_plan(plan, place.directory / "estate.yaml", cap=None, approved=lambda: True)
    assert [d for d in done if d != "round"] == ["changed 1", "changed 2", "deleted"]
    both = f"account_id IN ({guest}, {host}) AND email NOT LIKE 'stub-%'"
    assert sql(place.source, f"SELECT 1 FROM account WHERE {both}") == []
    invited = f"SELECT invited_by FROM account WHERE account_id = {guest}"
    assert sql(place.home, invited) == [(host,)]
    assert not broken_keys(place.home)
    assert not broken_keys(place.source)
    bench.drop(place)
