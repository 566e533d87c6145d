"""What a plan told about lakes is used by the apply that follows, and only while files are same."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from domicile.evidence.place import state_directory
from domicile.survey import lake_people, lake_rows
from tests.apply.lakes import World


class Read(Exception):
    """The files were read again."""


def refuse(*_: Any) -> Any:
    raise Read


@pytest.fixture
def world(tmp_path: Path) -> World:
    """People and what they watched, both in lakes."""
    world = World(tmp_path)
    countries = {k: ("US", "NL", "SG")[k % 3] for k in range(1, 40)}
    world.declare(countries)
    columns = {"id": list(countries), "country": list(countries.values())}
    world.put("customer/a.parquet", columns, where="people")
    for number in range(3):
        keys = [(k * 7 + number) % 50 for k in range(101)]
        world.put(f"watch/{number}.parquet", {"user_id": keys, "n": list(range(101))})
    text = world.estate.read_text()
    world.estate.write_text(
        text.replace(f"sqlite://{world.root}/app.db", f"file://{world.root}/people")
    )
    return world


def kept(world: World) -> list[Path]:
    return sorted((state_directory(world.estate) / "lakes").glob("*"))


def expected(rows: list[str], people: dict[int, str]) -> list[str]:
    return [r for r in rows if people.get(int(r.split(":")[1].split(",")[0])) == "US"]


def test_apply_reads_neither_people_nor_rows_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = world.rows("lake")
    plan = world.plan()
    assert len(kept(world)) == 2
    assert {p.stat().st_mode & 0o777 for p in kept(world)} == {0o600}
    with monkeypatch.context() as patch:
        patch.setattr(lake_rows, "tell", refuse)
        patch.setattr(lake_rows, "tell_column", refuse)
        patch.setattr(lake_people, "_read", refuse)
        world.apply(plan)
        with pytest.raises(Read):
            world.verify()
    assert world.rows("home") == expected(before, world.people)
    assert sorted(world.rows("home") + world.rows("lake")) == before
    assert kept(world) == []


@pytest.mark.parametrize("what", ["watch/1.parquet", "customer/a.parquet"])
def test_a_file_that_is_another_is_read_again(
    world: World, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The same size, the same time and the same place on the disk: the entry's time tells."""
    plan = world.plan()
    path = world.root / ("people" if what.startswith("customer") else "lake") / what
    seen = path.stat()
    path.write_bytes(path.read_bytes())
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    again = path.stat()
    assert (again.st_size, again.st_mtime_ns, again.st_ino) == (
        seen.st_size, seen.st_mtime_ns, seen.st_ino,
    )  # fmt: skip
    module, name = (
        (lake_people, "_read") if what.startswith("customer") else (lake_rows, "tell_column")
    )  # fmt: skip
    monkeypatch.setattr(module, name, refuse)
    with pytest.raises(Read):
        world.apply(plan)


def test_rows_that_came_after_the_plan_go_too(world: World) -> None:
    plan = world.plan()
    world.put("watch/9.parquet", {"user_id": [3, 4, 3], "n": [1, 2, 3]})
    before = world.rows("lake")
    world.apply(plan)
    assert world.rows("home") == expected(before, world.people)


@pytest.mark.parametrize("spoil", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"no"])
def test_what_cannot_be_read_is_worked_out_again(world: World, spoil: Any) -> None:
    before = world.rows("lake")
    plan = world.plan()
    for path in kept(world):
        path.write_bytes(spoil(path.read_bytes()))
    world.apply(plan)
    assert world.rows("home") == expected(before, world.people)


def test_repeated_keys_of_a_register_are_said(world: World) -> None:
    path = world.root / "people" / "customer" / "a.parquet"
    more = pa.table({"id": [3, 4, 3], "country": ["NL", "NL", "US"]})
    pq.write_table(pa.concat_tables([pq.read_table(path), more]), path)
    plan = world.plan()
    said = [u["reason"] for u in plan["unknown"] if u["table"] == "app.customer"]
    assert any(reason.startswith("3 rows have the key of another row") for reason in said)
    before = world.rows("lake")
    world.apply(plan)
    people = {k: c for k, c in world.people.items() if k != 3}  # US by one row, NL by another
    assert world.rows("home") == expected(before, people)
