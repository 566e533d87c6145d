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
SELECT reply.comment_id, said.comment_id FROM comment reply
JOIN comment said ON said.comment_id = reply.reply_to
JOIN account a ON a.account_id = reply.account_id JOIN address USING (address_id)
JOIN account b ON b.account_id = said.account_id
JOIN address home ON home.address_id = b.address_id
WHERE address.code = 'US' AND home.code = 'US' AND said.reply_to IS {} NULL
AND 0 = (SELECT count(*) FROM comment c WHERE c.reply_to = reply.comment_id)
AND 1 = (SELECT count(*) FROM comment c WHERE c.reply_to = said.comment_id)
ORDER BY 1 LIMIT 1
"""


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
    """A comment changes after it was copied, so it waits while the reply to it moves; in the next
    round the application deletes it. At home the reply still points at it, so a stub stands."""
    place = bench.place()
    reply, said = sql(place.source, PAIR.format(null))[0]
    for name, value in place.env.items():
        monkeypatch.setenv(name, value)
    done: list[str] = []
    carry_out, remove = Move.carry_out, Removal.remove

    def once(what: str, statement: str) -> None:
        if what not in done:
            done.append(what)
            sql(place.source, f"{statement} WHERE comment_id = {said}")

    def carrying(self: Move) -> dict[str, int]:
        if done and not late:
            once("deleted", "DELETE FROM comment")
        done.append("round")
        return carry_out(self)

    def removing(self: Removal, *args: Any) -> Any:
        once("changed", "UPDATE comment SET body = 'changed'")
        if done.count("round") == 2:
            once("deleted", "DELETE FROM comment")
        return remove(self, *args)

    monkeypatch.setattr(Move, "carry_out", carrying)
    monkeypatch.setattr(Removal, "remove", removing)
    plan = json.loads(place.plan.read_text())
    apply_plan(plan, place.directory / "estate.yaml", cap=None, approved=lambda: True)
    assert [d for d in done if d != "round"] == ["changed", "deleted"]
    assert sql(place.source, f"SELECT 1 FROM comment WHERE comment_id IN ({reply}, {said})") == []
    assert sql(place.home, f"SELECT reply_to FROM comment WHERE comment_id = {reply}") == [(said,)]
    assert not broken_keys(place.home)
    assert not broken_keys(place.source)
    bench.drop(place)
