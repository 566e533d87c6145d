"""People of a lake as bitmaps: the same rows, people and labels as by joins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domicile.evidence.people_tree import PeopleTree, frame, leaf_of
from domicile.evidence.receipt import key_for, statement_digest
from domicile.stores import parquet_codes
from domicile.survey import lake_register
from domicile.survey.lake_people import LakePeople
from domicile.survey.people import People
from tests.apply.lakes import World

COUNTRIES = st.sampled_from(["US", "usa", "NL", "SG", "nowhere", "", None])
KEYS = st.integers(-3, 40)
LINKS = ("events.watch.user_id", "events.said.who")


def figures(world: World) -> dict[str, Any]:
    plan = world.plan()
    return {
        "steps": [(s["op"], s["table"], s["subjects"], s["rows"]) for s in plan["steps"]],
        "held": [h for h in plan["held"] if h["store"] == "lake"],
        "people": [(p["store"], p["people"]) for p in plan["people"]],
        "unknown": plan["unknown"],
    }


@settings(
    max_examples=10, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(
    people=st.dictionaries(KEYS, COUNTRIES, min_size=1, max_size=12),
    rows=st.lists(st.one_of(st.none(), KEYS), min_size=1, max_size=30),
    texts=st.lists(
        st.one_of(st.none(), KEYS.map(str), st.sampled_from(["", "007", "+1", "1.0", " 1", "x"])),
        min_size=1, max_size=20,
    ),
)  # fmt: skip
def test_bitmaps_and_joins_agree(
    tmp_path_factory: pytest.TempPathFactory, people: dict[int, Any], rows: list[int | None],
    texts: list[str | None],
) -> None:  # fmt: skip
    world = World(tmp_path_factory.mktemp("w"))
    world.declare(people, links=LINKS)
    world.put("watch/a.parquet", {"user_id": pa.array(rows, pa.int32())})
    world.put("said/a.parquet", {"who": pa.array(texts, pa.string())})
    with_bits = figures(world)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LakePeople, "_bitmaps", lambda *_: {})
        by_joins = figures(world)
    assert with_bits == by_joins
    americans = {k for k, c in people.items() if c in ("US", "usa")}
    expected = sum(r in americans for r in rows)
    assert sum(n for op, t, _, n in with_bits["steps"] if (op, t) == ("move", "events.watch")) == (
        expected
    )


def test_countries_are_judged_once_a_text_where_a_register_holds_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = ["US", "usa", "United States", "NL", "nowhere", "", None]
    world = World(tmp_path / "w")
    world.declare({})
    people = {"id": list(range(-5, 500)), "country": [written[n % 7] for n in range(-5, 500)]}
    world.put("customer/a.parquet", people, where="people", row_group_size=100)
    text = world.estate.read_text()
    world.estate.write_text(
        text.replace(f"sqlite://{world.root}/app.db", f"file://{world.root}/people")
    )
    world.put("watch/a.parquet", {"user_id": pa.array([n % 600 for n in range(900)], pa.uint16())})
    world.put("watch/b.parquet", {"user_id": pa.array([7, None, 8], pa.uint16())})
    through_sql = figures(world)
    found: list[Any] = []
    true_read = lake_register.read
    monkeypatch.setattr(parquet_codes, "FEW", 1000.0)

    def spied(*asked: Any) -> Any:
        found.append(true_read(*asked))
        return found[-1]

    monkeypatch.setattr(lake_register, "read", spied)
    assert figures(world) == through_sql
    assert [(int((told > 0).sum()), set(texts)) for told, texts in found] == [(505, set(written))]
    monkeypatch.setattr(lake_register, "TEXTS", 3)  # more texts than there is room for
    assert figures(world) == through_sql
    assert found[-1] is None


def test_registers_in_lakes_and_in_databases_agree(tmp_path: Path) -> None:
    people = {k: ("US", "NL")[k % 3 > 0] for k in range(5, 90)}
    plans: list[tuple[Any, ...]] = []
    for register in ("app", "people"):
        world = World(tmp_path / register)
        world.declare(people)
        world.put("watch/a.parquet", {"user_id": [n % 100 for n in range(500)]})
        if register == "people":
            world.put(
                "customer/a.parquet",
                {"id": list(people), "country": list(people.values())}, where="people",
            )  # fmt: skip
            text = world.estate.read_text()
            url = f"sqlite://{world.root}/app.db"
            world.estate.write_text(text.replace(url, f"file://{world.root}/people"))
        found = figures(world)
        plans.append((found["steps"], found["people"][-1][1]))
        world.apply()
        plans[-1] += (world.rows("home"), world.rows("lake"))
    assert plans[0] == plans[1]


@pytest.mark.parametrize("keys", [[1, 1, 2], [1, 2_000_000_000, 5], [2**62, -(2**62), 3]])
def test_keys_that_bitmaps_cannot_hold_go_the_common_way(tmp_path: Path, keys: list[int]) -> None:
    world = World(tmp_path)
    world.declare({1: "NL"})
    world.put("customer/a.parquet", {"id": keys, "country": ["US", "US", "NL"]}, where="people")
    world.put("watch/a.parquet", {"user_id": [*keys, 99, None]})
    text = world.estate.read_text()
    world.estate.write_text(
        text.replace(f"sqlite://{world.root}/app.db", f"file://{world.root}/people")
    )
    world.apply()
    american = {k for k, c in zip(keys, ["US", "US", "NL"], strict=True) if c == "US"}
    expected = [k for k in keys if k in american]
    assert world.rows("home") == sorted(repr({"user_id": k}) for k in expected)


@pytest.mark.parametrize("told_by", ["bits", "joins"])
def test_receipts_are_of_those_whom_the_relation_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told_by: str
) -> None:
    world = World(tmp_path)
    world.declare({k: ("US", "NL")[k % 3 > 0] for k in range(-50, 400)})
    world.put("watch/a.parquet", {"user_id": [n % 500 for n in range(700)]})
    if told_by == "joins":
        monkeypatch.setattr(LakePeople, "_bitmaps", lambda *_: {})
    keys_in, asked = LakePeople.keys_in, list[list[str]]()

    def both(self: LakePeople, *of: Any) -> Iterator[pa.RecordBatch]:
        assert (self.lookup is not None) == (told_by == "bits")
        for batches in (list(keys_in(self, *of)), list(People.keys_in(self, *of))):
            asked.append([str(k) for batch in batches for k in batch.column(0)])
        return keys_in(self, *of)

    monkeypatch.setattr(LakePeople, "keys_in", both)
    world.apply()
    americans = sorted(str(k) for k, country in world.people.items() if country == "US")
    assert [sorted(keys) for keys in asked] == [americans, americans]
    (found,) = world.root.glob(".domicile/receipts/*/tree.json")
    tree, description = PeopleTree(found.parent), json.loads(found.read_text())
    salts = key_for(world.root / ".domicile", description["plan"], description["generation"])
    (said,) = description["statements"]
    for key in range(-50, 400):
        who = frame(b"customer"), str(key).encode()
        leaf = leaf_of(salts, statement_digest(said), *who)[1]
        assert (tree.find(leaf) is not None) == (world.people[key] == "US")
    assert tree.size == len(americans)
