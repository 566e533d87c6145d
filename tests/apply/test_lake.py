"""Rows of a lake moved and erased: nothing lost, doubled, changed or left, whatever interrupts."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from domicile.apply import lake_file
from domicile.errors import FidelityError, PlanRefused, StoreRefused
from domicile.evidence.place import read_log, state_directory
from domicile.stores import parquet_codes
from domicile.survey.lake_journal import LakeJournal
from domicile.survey.state import State
from tests.apply.lakes import World
from tests.conftest import ROOT

COUNTRIES = ("US", "NL", "XX-unknown", "SG")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return made(tmp_path / "w")


def made(root: Path, files: int = 4, rows: int = 300) -> World:
    world = World(root)
    world.declare({i: COUNTRIES[i % 4] for i in range(1, 60)})
    for number in range(files):
        keys = [(i * 7 + number) % 80 or None for i in range(rows)]
        whats = [f"w{number}-{i}" for i in range(rows)]
        world.put(
            f"watch/part-{number}.parquet",
            {"user_id": pa.array(keys, pa.int64()), "what": whats},
            row_group_size=64, compression="zstd",
        )  # fmt: skip
    world.put("film/f.parquet", {"title": ["x", "y"]})
    return world


def american(world: World, row: str) -> bool:
    key = json.loads(row.replace("'", '"').replace("None", "null"))["user_id"]
    return world.people.get(key or 0) == "US"


def moved(world: World, before: list[str]) -> None:
    """What must be true after any completed move."""
    assert world.rows("home") == [r for r in before if american(world, r)]
    assert world.rows("lake") == [r for r in before if not american(world, r)]
    assert world.temporary() == []
    with_state(world, lambda s: LakeJournal(s).unsettled() == [])


def with_state(world: World, check: Callable[[State], bool]) -> None:
    state = State(state_directory(world.estate))
    try:
        assert check(state)
    finally:
        state.close()


def test_rows_go_home_with_their_people(world: World) -> None:
    before, film = world.rows("lake"), world.rows("lake", "film")
    untouched = (world.root / "lake" / "film" / "f.parquet").stat()
    plan = world.plan()
    done = world.apply(plan)
    moved(world, before)
    rows = len([r for r in before if american(world, r)])
    assert done["moved"] == [{"table": "events.watch", "rows": rows}]
    steps = {(s["op"], s["table"]): s["rows"] for s in plan["steps"]}
    assert steps["move", "events.watch"] == rows
    assert world.rows("lake", "film") == film
    assert (world.root / "lake" / "film" / "f.parquet").stat() == untouched
    assert not any(c["name"].startswith("rest lake ") for c in world.verify()["checks"])
    assert not [s for s in world.plan()["steps"] if s["from"] == "lake"]
    with pytest.raises(PlanRefused):
        world.apply(plan)


def test_order_row_groups_and_codec_stay(world: World) -> None:
    world.apply()
    for where in ("lake", "home"):
        for name in world.files(where):
            footer = pq.read_metadata(world.root / where / name)
            if not name.startswith("watch/part") or not footer.num_row_groups:
                continue
            sizes = [footer.row_group(g).num_rows for g in range(footer.num_row_groups)]
            assert set(sizes[:-1]) <= {64}
            assert footer.row_group(0).column(0).compression == "ZSTD"
            whats = [int(w.split("-")[1]) for w in world.files(where)[name]["what"].to_pylist()]
            assert whats == sorted(whats)


def test_every_codec_and_wide_values_come_through(tmp_path: Path) -> None:
    """One file for each; values of a few bytes and of tens of thousands, with and without pages
    that an index leads to."""
    world = World(tmp_path / "w")
    world.declare({1: "US", 2: "NL"})
    codecs = ("none", "snappy", "gzip", "brotli", "lz4", "zstd")
    for number, codec in enumerate(codecs):
        rows = 400 if number % 2 else 3_000
        wide = 20_000 if number % 2 else 5
        columns = {
            "user_id": pa.array([(1, 2, None)[n % 3] for n in range(rows)], pa.uint32()),
            "what": [f"{n}" * (wide // len(f"{n}")) for n in range(rows)],
            "kind": [("a", None, "b")[n % 3] for n in range(rows)],
        }
        world.put(f"watch/{codec}.parquet", columns, compression=codec, write_page_index=number > 2)
    before = world.rows("lake")
    world.apply()
    assert sorted(world.rows("lake") + world.rows("home")) == before
    assert len(world.rows("home")) == 3 * 134 + 3 * 1_000
    for where in ("lake", "home"):
        for codec in codecs:
            (path,) = (world.root / where / "watch").glob(f"{codec}*.parquet")
            column = pq.read_metadata(path).row_group(0).column(1)
            assert column.compression.lower() in (codec, "uncompressed", "lz4_raw")
            assert column.has_offset_index is (codecs.index(codec) > 2)


def test_the_log_has_every_file_and_no_person(world: World) -> None:
    before = world.rows("lake")
    world.apply()
    entries = [entry for _, entry in read_log(state_directory(world.estate)).entries()]
    batches = [e for e in entries if e["kind"] == "batch"]
    assert len(batches) == 4
    assert sum(e["rows"] for e in batches) == len([r for r in before if american(world, r)])
    assert all(e["digest"] == e["read_back"] for e in batches)
    assert [e["method"] for e in entries if e["kind"] == "purge"] == ["rewrite"]
    assert "w0-" not in json.dumps(entries)


def test_no_byte_of_a_moved_row_is_left(tmp_path: Path) -> None:
    world = World(tmp_path / "w")
    world.declare({1: "US", 2: "NL"})
    for number, compression in enumerate(("none", "snappy")):
        columns = {
            "user_id": [1, 2] * 50,
            "mail": [f"maria{number}@us.example", "bo@nl.example"] * 50,
        }
        table = pa.table(columns).replace_schema_metadata({"max": f"maria{number}@us.example"})
        path = world.put(f"watch/{number}.parquet", columns)
        pq.write_table(table, path, compression=compression, write_page_index=True)
    world.apply()
    for path in (world.root / "lake").rglob("*"):
        if path.is_file():
            assert b"maria" not in path.read_bytes()
            footer = pq.read_metadata(path)
            assert footer.row_group(0).column(1).has_offset_index
            assert footer.row_group(0).column(0).statistics.min == 2
    assert len(world.rows("home")) == 100


@pytest.mark.parametrize("kind", ["text", "dictionary"])
def test_no_dictionary_holds_what_left(tmp_path: Path, kind: str) -> None:
    world = World(tmp_path / "w")
    world.declare({1: "US", 2: "NL"})
    mails = pa.array(["maria@us.example", "bo@nl.example", None, "bo@nl.example"] * 2_000)
    column = mails.dictionary_encode() if kind == "dictionary" else mails
    keys = [1, 2, 2, 1] * 2_000
    path = world.put(
        "watch/a.parquet", {"user_id": keys, "mail": column}, row_group_size=3_000,
        compression="none",
    )  # fmt: skip
    assert parquet_codes.coded(pq.read_metadata(path), pq.read_schema(path)) == (
        ["mail"] if kind == "text" else []
    )
    before, schema = world.rows("lake"), pq.read_schema(path)
    world.apply()
    assert sorted(world.rows("lake") + world.rows("home")) == before
    assert b"maria" not in path.read_bytes()
    assert pq.read_schema(path).equals(schema)
    for place in (world.root / "lake", world.root / "home"):
        for name in place.rglob("a*.parquet"):
            groups = pq.read_metadata(name)
            for number in range(groups.num_row_groups):
                group = groups.row_group(number).column(1)
                assert group.total_uncompressed_size < group.num_values  # still codes
                assert group.statistics.max <= "maria@us.example"


def test_erasure_needs_no_home(world: World) -> None:
    before = world.rows("lake")
    (world.root / "home.yaml").write_text(
        (world.root / "home.yaml").read_text().replace("otherwise: move", "otherwise: erase")
    )
    world.apply()
    assert world.rows("lake") == [r for r in before if not american(world, r)]
    assert world.rows("home") == []


def test_emptied_files_go_and_the_schema_stays(tmp_path: Path) -> None:
    world = World(tmp_path / "w")
    world.declare({1: "US"})
    for day in ("user=1", "user=2"):
        world.put(f"watch/{day}/a.parquet", {"user_id": [1, 1], "what": ["a", "b"]})
    (world.root / "lake/watch/user=1/.a.parquet.crc").write_bytes(b"old")
    digest = world.plan()["schemas"]["lake"]
    world.apply()
    assert world.rows("lake") == []
    assert sorted(world.files("lake")) == [
        "watch/user=__HIVE_DEFAULT_PARTITION__/empty.parquet"
    ]  # fmt: skip
    assert [p.name for p in (world.root / "lake/watch").iterdir()] == [
        "user=__HIVE_DEFAULT_PARTITION__"
    ]
    assert len(world.rows("home")) == 4
    assert {n.split("/")[1] for n in world.files("home")} == {
        "user=1", "user=2", "user=__HIVE_DEFAULT_PARTITION__",
    }  # fmt: skip
    assert world.plan()["schemas"]["lake"] == digest


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[{"a": 1, "b": ["x"]}], None, []] * 20),
        pa.array([{"a": None, "b": {"c": 1.5}}, None, {"a": "y", "b": None}] * 20),
        pa.array([[("k", 1)], [], None] * 20, pa.map_(pa.string(), pa.int64())),
        pa.array([Decimal("1.0000000001"), None, Decimal(-5)] * 20, pa.decimal128(38, 10)),
        pa.array([1, None, -1] * 20, pa.timestamp("ns")),
        pa.array([1, None, 2**40] * 20, pa.timestamp("us", "Europe/Amsterdam")),
        pa.array(["a", None, "☃"] * 20).dictionary_encode(),
        pa.array([float("nan"), -0.0, None] * 20),
        pa.array([b"\0", None, b""] * 20),
        pa.array([True, None, False] * 20),
        pa.array([1, None, 255] * 20, pa.uint8()),
        pa.nulls(60),
    ],
    ids=lambda c: str(c.type)[:30],
)
def test_every_type_arrives_as_it_was(tmp_path: Path, column: pa.Array) -> None:
    world = World(tmp_path / "w")
    world.declare({1: "US", 2: "NL"})
    schema = pa.schema([
        pa.field("user_id", pa.int32(), metadata={"doc": "who"}), pa.field("v", column.type),
    ])  # fmt: skip
    table = pa.Table.from_arrays([pa.array([1, 2, 1] * 20, pa.int32()), column], schema=schema)
    path = world.put("watch/a.parquet", {"user_id": [1]})
    pq.write_table(table, path, row_group_size=7)
    written = pq.read_table(path)
    world.apply()
    for where, who in (("lake", 2), ("home", 1)):
        parts = [t for t in world.files(where).values() if t.num_rows]
        assert len(parts) == 1
        assert parts[0].schema.equals(written.schema)
        expected = written.filter(pa.compute.equal(written["user_id"], who))
        assert repr(plain(parts[0])) == repr(plain(expected))


def plain(table: pa.Table) -> list[Any]:
    kind = table.schema.field("v").type
    if pa.types.is_timestamp(kind):
        table = table.set_column(1, "v", table["v"].cast(pa.int64()))
    return list(table.to_pylist())


def test_odd_files_of_a_table(tmp_path: Path) -> None:
    world = World(tmp_path / "w")
    world.declare({1: "US", 2: "NL"})
    schema = pa.schema([("user_id", pa.int64()), ("what", pa.string())])
    world.put("watch/none.parquet", {n: pa.array([], schema.field(n).type) for n in schema.names})
    gaps = world.root / "lake" / "watch" / 'gaps it\'s "so" ☃.parquet'
    with pq.ParquetWriter(gaps, schema) as writer:
        for keys in ([], [1, 2], [], [2, 1, None], []):
            rows = {"user_id": keys, "what": [f"{k}" for k in keys]}
            writer.write_table(pa.table(rows, schema=schema))
    world.put("watch/big.parquet", {"user_id": [1, 2] * 80_000, "what": ["x" * 50] * 160_000})
    before = world.rows("lake")
    world.apply()
    assert sorted(world.rows("lake") + world.rows("home")) == before
    assert len(world.rows("home")) == 80_002
    assert world.temporary() == []


def test_links_by_text_and_inside_json(tmp_path: Path) -> None:
    world = World(tmp_path / "w")
    world.declare({1: "US", 2: "NL"}, links=("events.watch.who", "events.click.body->user->id"))
    world.put("watch/a.parquet", {"who": ["1", "2", "3", None]})
    world.put(
        "click/a.parquet", {"body": ['{"user": {"id": 1}}', '{"user": {"id": 2}}', "no", None]}
    )
    world.apply()
    assert world.rows("home") == ["{'who': '1'}"]
    assert len(world.rows("home", "click")) == 1
    assert len(world.rows("lake", "click")) == 3


def test_rows_of_two_people_are_held(tmp_path: Path) -> None:
    world = World(tmp_path / "w")
    world.declare({1: "US", 2: "NL", 3: "US"}, links=("events.follow.a", "events.follow.b"))
    world.put("follow/a.parquet", {"a": [1, 1, 2, 1], "b": [3, 2, 1, None]})
    plan = world.plan()
    held = [h for h in plan["held"] if h["store"] == "lake"]
    assert [h["rows"] for h in held] == [2]
    world.apply(plan)
    assert world.rows("home", "follow") == ["{'a': 1, 'b': 3}", "{'a': 1, 'b': None}"]


def test_a_register_in_the_lake_itself(tmp_path: Path) -> None:
    world = World(tmp_path / "w")
    world.declare({1: "NL"})
    text = world.estate.read_text()
    world.estate.write_text(
        text.replace("register: app.customer", "register: events.person").replace(
            "key: id", "key: id"
        )
    )
    world.put("person/a.parquet", {"id": [1, 2, 3], "country": ["US", "NL", "US"]})
    world.put("watch/a.parquet", {"user_id": [3, 2, 1, 3], "what": ["a", "b", "c", "d"]})
    world.put("person/old.parquet", {"id": [1], "country": ["US"]}, where="home")
    world.put("watch/old.parquet", {"user_id": [1], "what": ["z"]}, where="home")
    world.apply()
    assert world.rows("lake", "person") == ["{'id': 2, 'country': 'NL'}"]
    # Person 1 was at home already, with the same values: once is enough.
    assert len(world.rows("home", "person")) == 2
    assert len(world.rows("home")) == 4


def test_a_key_that_is_not_one_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path / "w")
    world.declare({1: "NL"})
    text = world.estate.read_text()
    world.estate.write_text(text.replace("register: app.customer", "register: events.person"))
    world.put("person/a.parquet", {"id": [1, 1], "country": ["US", "NL"]})
    world.put("watch/a.parquet", {"user_id": [1], "what": ["a"]})
    before = world.files("lake")
    with pytest.raises(StoreRefused, match="same key"):
        world.apply()
    assert world.files("lake") == before


def test_what_would_change_is_refused(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    world = World(tmp_path / "w")
    world.declare({1: "US", 2: "NL"})
    path = world.put("watch/a.parquet", {"user_id": [1]})
    sql = "SELECT i AS user_id, INTERVAL 1 DAY AS span FROM range(3) t(i)"
    duckdb.sql(f"COPY ({sql}) TO '{path}'")
    before = path.read_bytes()
    with pytest.raises(FidelityError, match="column span"):
        world.apply()
    assert path.read_bytes() == before
    assert world.temporary() == []
    assert world.rows("home") == []


def test_files_of_duckdb_go_through(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    world = World(tmp_path / "w")
    world.declare({1: "US", 2: "NL"})
    path = world.put("watch/a.parquet", {"user_id": [1]})
    sql = (
        "SELECT CAST(i % 3 AS INTEGER) AS user_id, i AS n, CAST(i AS DECIMAL(10,2)) AS d, "
        "uuid() AS u, now() AS t, [i] AS l, {'a': i} AS s, CAST(i AS UTINYINT) AS b "
        "FROM range(200) t(i)"
    )
    duckdb.sql(f"COPY ({sql}) TO '{path}'")
    before = world.rows("lake")
    world.apply()
    assert sorted(world.rows("lake") + world.rows("home")) == before
    assert len(world.rows("home")) == 67


def test_home_of_another_schema_is_refused(world: World) -> None:
    world.put("watch/x.parquet", {"user_id": ["1"], "what": ["a"]}, where="home")
    before = world.rows("lake")
    plan = world.plan()
    assert any("user_id" in h["reason"] for h in plan["held"] if h["store"] == "lake")
    world.apply(plan)
    assert world.rows("lake") == before


def test_a_file_that_changes_meanwhile_is_left_for_the_next_round(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    import domicile.apply.lake as module

    path = world.root / "lake" / "watch" / "part-2.parquet"
    calls: list[str] = []
    true_split = lake_file.split

    def splitting(task: Any) -> Any:
        calls.append(task.relative)
        done = true_split(task)
        if task.relative == "watch/part-2.parquet" and calls.count(task.relative) == 1:
            rows = pq.ParquetFile(path).read()
            spare = path.with_name(".new")
            pq.write_table(pa.concat_tables([rows, rows.slice(0, 5)]), spare)
            spare.replace(path)
        return done

    before = world.rows("lake")
    more = [repr(r) for r in pq.ParquetFile(path).read().slice(0, 5).to_pylist()]
    monkeypatch.setattr(module, "split", splitting)
    world.apply()
    assert calls.count("watch/part-2.parquet") == 2
    moved(world, sorted(before + more))


def test_a_damaged_file_stops_and_the_rest_resumes(world: World) -> None:
    plan = world.plan()
    path = world.root / "lake" / "watch" / "part-1.parquet"
    whole = path.read_bytes()
    before = world.rows("lake")
    spoilt = bytearray(whole)
    spoilt[4:80] = b"\xff" * 76
    path.write_bytes(bytes(spoilt))
    with pytest.raises(StoreRefused) as caught:
        world.apply(plan)
    assert "w1-" not in str(caught.value)
    path.write_bytes(whole)
    world.apply(plan)
    moved(world, before)


def test_no_room_is_one_clear_error(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    import domicile.apply.lake_file as module

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = world.rows("lake")
    with monkeypatch.context() as patch:
        patch.setattr(module._Side, "table", full)
        with pytest.raises(StoreRefused, match="No space left"):
            world.apply()
    assert world.rows("lake") == before
    assert world.temporary() == []
    world.apply()
    moved(world, before)


@pytest.mark.parametrize("name", ["lake_file.sync", "lake_file._read_back", "lake.make_folder"])
def test_a_disk_that_fails_is_one_clear_error(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def failing(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    before = world.rows("lake")
    with monkeypatch.context() as patch:
        patch.setattr(f"domicile.apply.{name}", failing)
        with pytest.raises(StoreRefused, match="Input/output error"):
            world.apply()
    world.apply()
    moved(world, before)


def test_a_file_that_is_deleted_meanwhile(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the application, while what goes of it is read back: its rows are nowhere afterwards."""
    read_back, deleted = lake_file._read_back, list[str]()

    def deleting(task: lake_file.Task, *rest: Any) -> lake_file.Part:
        if not deleted:
            deleted.append(task.relative)
            Path(task.source).unlink()
        return read_back(task, *rest)

    before = world.rows("lake")
    monkeypatch.setattr(lake_file, "_read_back", deleting)
    world.apply()
    assert len(deleted) == 1
    now = world.rows("lake") + world.rows("home")
    assert len(now) < len(before)
    assert set(now) < set(before)
    assert not any(american(world, row) for row in world.rows("lake"))
    assert world.temporary() == []


# Kills.

DRIVER = """
import os, signal, sys
sys.path[:0] = [{src!r}, {root!r}]
from tests.apply.lakes import World
import domicile.apply.run, json
from pathlib import Path
at, count = int(sys.argv[2]), 0
world = World(Path(sys.argv[1]))
plan = json.loads((world.root / "plan.json").read_text())
def hook(event, args):
    global count
    if event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "open",
                 "sqlite3.connect") and str(world.root) in str(args[0]):
        count += 1
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
print("started", flush=True)
world.apply(plan)
print(count)
"""


def drive(world: World, at: int) -> subprocess.Popen[str]:
    code = DRIVER.format(src=str(ROOT / "src"), root=str(ROOT))
    return subprocess.Popen(
        [sys.executable, "-c", code, str(world.root), str(at)], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": ""},
    )  # fmt: skip


@pytest.mark.faults
def test_killed_anywhere_and_resumed_the_result_is_the_same(tmp_path: Path) -> None:
    whole = made(tmp_path / "whole")
    before = whole.rows("lake")
    (whole.root / "plan.json").write_text(json.dumps(whole.plan()))
    process = drive(whole, 0)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    moved(whole, before)
    total = int(out.split()[-1])
    assert total > 40
    dice = random.Random(7)
    points = sorted(dice.sample(range(10, total + 1), 14))
    for number in range(20):
        world = made(tmp_path / f"k{number}")
        plan = world.plan()
        (world.root / "plan.json").write_text(json.dumps(plan))
        kills = 1 + number % 2  # every other one is killed again while it resumes
        for again in range(kills):
            timed = number >= len(points)
            process = drive(world, 0 if timed else max(2, points[number] - 20 * again))
            if timed:
                assert process.stdout is not None
                process.stdout.readline()
                time.sleep(dice.uniform(0.02, 0.7))
                process.send_signal(signal.SIGKILL)
            process.communicate(timeout=120)
            present = world.rows("lake") + world.rows("home")
            assert set(before) <= set(present), "a row is in no store"
        try:
            world.apply(plan)
        except PlanRefused:
            # It was killed after the last step.
            with_state(world, lambda s: s.run_state(plan["digest"]) == "finished")  # noqa: B023
        moved(world, before)
        home = {n: t.num_rows for n, t in world.files("home").items()}
        assert home == {n: t.num_rows for n, t in whole.files("home").items()} or (
            sum(home.values()) == len(world.rows("home")) + len(world.rows("home", "film"))
        )
        shutil.rmtree(world.root)


def test_cut_off_and_changed_by_others_is_said(world: World) -> None:
    """Killed after a file came home, and before the resume somebody else replaced the source."""
    plan = world.plan()

    class Cut(Exception):
        pass

    true_replace = Path.replace

    def cut(self: Path, target: Path) -> Path:
        if self.name.endswith("schema"):
            return true_replace(self, target)
        raise Cut

    before = world.rows("lake")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", cut)
        with pytest.raises(Cut):
            world.apply(plan)
    path = world.root / "lake" / "watch" / "part-0.parquet"
    spare = path.with_name(".spare")
    shutil.copy(path, spare)
    spare.replace(path)
    with pytest.raises(StoreRefused, match="changed by others") as caught:
        world.apply(plan)
    placed = next(n for n in world.files("home") if n.startswith("watch/part-0-"))
    assert placed in str(caught.value)
    (world.root / "home" / placed).unlink()
    world.apply(plan)
    moved(world, before)
