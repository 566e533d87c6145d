"""A lake as a store: what is a table, what is refused by name, and what its session may touch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from domicile.errors import DeclarationError, StoreError, StoreRefused, StoreUnreachable
from domicile.estate import model
from domicile.stores import base, open_store
from domicile.stores.conformance import VALUES, _differences
from domicile.stores.parquet import ParquetStore
from domicile.stores.schema import Kind

_ARROW: Mapping[Kind, pa.DataType] = {
    "int": pa.int64(), "float": pa.float64(), "numeric": pa.decimal128(12, 4), "bool": pa.bool_(),
    "text": pa.string(), "date": pa.date32(), "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"), "timestamptz": pa.timestamp("us", tz="UTC"),
    "bytes": pa.binary(),
}  # fmt: skip


def lake(folder: Path) -> ParquetStore:
    store = open_store(model.Store("lake", f"file://{folder}", "SG", "Tester", "events"))
    assert isinstance(store, ParquetStore)
    return store


def put(path: Path, columns: Mapping[str, Any], **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(columns)), path, **options)
    return path


def test_methods_are_those_of_the_interface(tmp_path: Path) -> None:
    put(tmp_path / "t" / "a.parquet", {"x": [1]})
    store = lake(tmp_path)
    assert _differences(base.Store, store) == []
    with store.read() as session:
        assert _differences(base.Session, session) == []
        assert _differences(base.Dialect, session.dialect) == []


def test_tables_are_folders_and_files(tmp_path: Path) -> None:
    put(tmp_path / "watch" / "b.parquet", {"id": [3], "who": ["c"]})
    put(tmp_path / "watch" / "a.parquet", {"id": [1, 2], "who": ["a", None]})
    put(tmp_path / "watch" / "deep" / "er" / "c.snappy.parquet", {"id": [4], "who": ["d"]})
    put(tmp_path / "film.parquet", {"title": ["x"]})
    (tmp_path / "watch" / "_SUCCESS").touch()
    (tmp_path / "watch" / ".a.parquet.crc").write_bytes(b"crc")
    (tmp_path / "empty").mkdir()
    store = lake(tmp_path)
    schema = store.reflect()
    assert list(schema.tables) == ["film", "watch"]
    watch = schema.tables["watch"]
    assert [(c.name, c.kind, c.nullable) for c in watch.columns] == [
        ("id", "int", True), ("who", "text", True),
    ]  # fmt: skip
    assert watch.estimate == 4
    assert watch.keys == ()
    assert watch.identity == ()
    assert len(store.live_files() or []) == 4
    with store.read() as session:
        d = session.dialect
        rows = session.query(
            f"SELECT id, {d.row_id(watch, 't')} FROM {d.table('watch')} t ORDER BY 2"
        )
        assert [r[0] for r in rows] == [1, 2, 3, 4]
        assert [r[1] >> 40 for r in rows] == [0, 0, 1, 2]


def test_partitions_are_columns_that_nobody_writes(tmp_path: Path) -> None:
    put(tmp_path / "watch" / "country=NL" / "a.parquet", {"id": [1]})
    put(tmp_path / "watch" / "country=it's 100%25" / "a.parquet", {"id": [2]})
    store = lake(tmp_path)
    column = store.reflect().tables["watch"].column("country")
    assert (column.kind, column.generated) == ("text", True)
    with store.read() as session:
        found = session.query(
            f"SELECT id, country FROM {session.dialect.table('watch')} ORDER BY 1"
        )
    assert found == [(1, "NL"), (2, "it's 100%")]
    assert sorted(store.sample("watch", ["country", "id"], 5)) == [("NL", "1"), ("it's 100%", "2")]


@pytest.mark.parametrize(
    "name", ['a "quoted" it\'s', "naïve ☃", "st*r?[1]", "semi;colon --", "a=b"]
)
def test_odd_names(tmp_path: Path, name: str) -> None:
    put(tmp_path / name / f"{name}.parquet", {name: [1, 2]})
    put(tmp_path / name / "other.parquet", {name: [3]})
    store = lake(tmp_path)
    with store.read() as session:
        d = session.dialect
        assert session.query(f"SELECT sum({d.quote(name)}) FROM {d.table(name)}") == [(6,)]
    assert len(store.sample(name, [name], 10)) == 3


def test_canonical_texts_are_those_of_every_store(tmp_path: Path) -> None:
    for kind, arrow in _ARROW.items():
        values = [v for v, _ in VALUES[kind]] + [None]
        put(tmp_path / kind / "a.parquet", {"v": pa.array(values, arrow)})
    store = lake(tmp_path)
    schema = store.reflect()
    with store.read() as session:
        d = session.dialect
        for kind in _ARROW:
            assert schema.tables[kind].column("v").kind == kind
            wanted = [text for _, text in VALUES[kind]] + [None]
            found = session.query(f"SELECT {d.text('t.v', kind)} FROM {d.table(kind)} t")
            assert (kind, [r[0] for r in found]) == (kind, wanted)
            assert {r[0] for r in store.sample(kind, ["v"], 100)} == set(wanted)


def test_a_session_reads_its_files_and_nothing_else(tmp_path: Path) -> None:
    put(tmp_path / "lake" / "t" / "a.parquet", {"x": [1]})
    secret = put(tmp_path / "secret.parquet", {"x": [2]})
    with lake(tmp_path / "lake").read() as session:
        put(tmp_path / "lake" / "t" / "b.parquet", {"x": [5]})
        assert session.query(f"SELECT x FROM {session.dialect.table('t')}") == [(1,)]
        for sql in (
            f"SELECT * FROM read_parquet('{secret}')",
            f"COPY (SELECT 1) TO '{tmp_path}/out.parquet'",
            "SET enable_external_access = true",
            "INSTALL httpfs",
            f"ATTACH '{tmp_path}/x.db'",
        ):
            with pytest.raises(StoreRefused):
                session.execute(sql)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lake", "secret.parquet"]


def test_scratch_of_a_killed_process_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    put(tmp_path / "lake" / "t" / "a.parquet", {"x": [1]})
    left = tmp_path / "domicile-lake-999999999-abc"
    mine = tmp_path / f"domicile-lake-{os.getpid()}-abc"
    for folder in (left, mine):
        folder.mkdir()
        (folder / "spilled").touch()
    lake(tmp_path / "lake").reflect()
    assert [p.exists() for p in (left, mine)] == [False, True]


def test_larger_than_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domicile.stores.parquet_session.MEMORY", "60MB")
    put(tmp_path / "t" / "a.parquet", {"x": list(range(400_000)), "s": ["y" * 90] * 400_000})
    with lake(tmp_path).read() as session:
        made = f"CREATE TEMP TABLE w AS SELECT x, s || x AS s FROM {session.dialect.table('t')}"
        assert session.execute(made) == 400_000
        assert session.query("SELECT count(DISTINCT s) FROM w") == [(400_000,)]


def test_odd_files_are_one_clear_error(tmp_path: Path) -> None:
    good = put(tmp_path / "t" / "a.parquet", {"x": list(range(1000)), "who": ["maria"] * 1000})
    whole = good.read_bytes()
    other = tmp_path / "t" / "b.parquet"
    for content, said in (
        (whole[: len(whole) // 2], "t/b.parquet"), (b"", "t/b.parquet"), (b"PAR1", "t/b.parquet"),
        (b"maria,1\n" * 100, "t/b.parquet"), (whole[:-1], "t/b.parquet"),
    ):  # fmt: skip
        other.write_bytes(content)
        with pytest.raises(StoreRefused, match=said) as caught:
            lake(tmp_path).reflect()
        assert "maria" not in str(caught.value)
        assert caught.value.hint
    # A damaged page shows only when it is read.
    broken = bytearray(whole)
    broken[60:400] = b"\xff" * 340
    other.write_bytes(bytes(broken))
    with lake(tmp_path).read() as session, pytest.raises(StoreRefused) as caught:
        session.query(f"SELECT sum(x), max(who) FROM {session.dialect.table('t')}")
    assert "maria" not in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"x": pa.array([1], pa.int32()), "y": ["a"]}, "column x differs: INT32, not INT64"),
        ({"x": [1]}, "column y is in only one"),
        ({"y": ["a"], "x": [1]}, "order of the columns"),
        ({"x": [1], "y": [["a"]]}, "column y"),
        ({"x": pa.array([1], pa.timestamp("us")), "y": ["a"]}, "column x differs: Timestamp"),
    ],
)
def test_files_of_a_table_have_one_schema(
    tmp_path: Path, columns: dict[str, Any], said: str
) -> None:
    put(tmp_path / "t" / "a.parquet", {"x": [1], "y": ["a"]})
    put(tmp_path / "t" / "b.parquet", columns)
    with pytest.raises(StoreRefused, match=said) as caught:
        lake(tmp_path).reflect()
    assert "t/b.parquet" in str(caught.value)


def test_refused_by_name(tmp_path: Path) -> None:
    put(tmp_path / "t" / "a.parquet", {"x": [1]})

    def refusal() -> str:
        with pytest.raises(StoreRefused) as caught:
            lake(tmp_path).reflect()
        return str(caught.value)

    def cleared(path: Path) -> None:
        path.unlink() if not path.is_dir() else path.rmdir()

    for name, said in (("_delta_log", "Delta"), (".hoodie", "Hudi")):
        (tmp_path / "t" / name).mkdir()
        assert said in refusal()
        cleared(tmp_path / "t" / name)
    (tmp_path / "t" / "metadata").mkdir()
    (tmp_path / "t" / "metadata" / "v1.metadata.json").touch()
    assert "Iceberg" in refusal()
    cleared(tmp_path / "t" / "metadata" / "v1.metadata.json")
    (tmp_path / "t" / "_metadata").touch()
    assert "_metadata" in refusal()
    cleared(tmp_path / "t" / "_metadata")
    (tmp_path / "t" / "notes.txt").touch()
    assert "notes.txt" in refusal()
    cleared(tmp_path / "t" / "notes.txt")
    (tmp_path / "t" / "b.parquet").symlink_to(tmp_path / "t" / "a.parquet")
    assert "symbolic link" in refusal()
    cleared(tmp_path / "t" / "b.parquet")
    put(tmp_path / "t.parquet", {"x": [1]})
    assert "both a folder t and a file" in refusal()
    cleared(tmp_path / "t.parquet")
    put(tmp_path / "t" / "day=1" / "b.parquet", {"x": [1]})
    assert "partitioned by day" in refusal()


def test_unreachable_and_misdeclared(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachable):
        lake(tmp_path / "nowhere").reflect()
    with pytest.raises(DeclarationError, match="schema"):
        open_store(model.Store("l", f"file://{tmp_path}", "NL", "T", "e", schema="public"))


def test_digest_tells_schemas_not_rows(tmp_path: Path) -> None:
    first = put(tmp_path / "t" / "a.parquet", {"x": [1]})
    digest = lake(tmp_path).reflect().digest
    put(tmp_path / "t" / "b.parquet", {"x": [2, None]})
    assert lake(tmp_path).reflect().digest == digest
    first.unlink()
    put(tmp_path / "t" / "b.parquet", {"x": ["2"]})
    assert lake(tmp_path).reflect().digest != digest


def test_types_keep_their_kind(tmp_path: Path) -> None:
    now = datetime(2024, 2, 29, 13, tzinfo=UTC)
    columns: dict[str, tuple[Any, Kind]] = {
        "ns": (pa.array([now.replace(tzinfo=None)], pa.timestamp("ns")), "timestamp"),
        "ms": (pa.array([now.replace(tzinfo=None)], pa.timestamp("ms")), "timestamp"),
        "tz": (pa.array([now], pa.timestamp("us", "America/Lima")), "timestamptz"),
        "big": (pa.array([Decimal("1.5")], pa.decimal128(38, 10)), "numeric"),
        "tags": ([["a"]], "array"),
        "map": (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), "array"),
        "shape": ([{"a": 1}], "other"),
        "word": (pa.array(["x"]).dictionary_encode(), "text"),
        "day": ([date(2024, 2, 29)], "date"),
        "tiny": (pa.array([1], pa.uint8()), "int"),
    }
    put(tmp_path / "t" / "a.parquet", {n: v for n, (v, _) in columns.items()})
    store = lake(tmp_path)
    found = store.reflect().tables["t"]
    assert {c.name: c.kind for c in found.columns} == {n: k for n, (_, k) in columns.items()}
    assert len(store.sample("t", found.names, 3)) == 1


def test_samples_are_spread(tmp_path: Path) -> None:
    for number in range(3):
        start = number * 1000
        values = {"n": list(range(start, start + 1000))}
        put(tmp_path / "t" / f"{number}.parquet", values, row_group_size=300)
    put(tmp_path / "t" / "none.parquet", {"n": pa.array([], pa.int64())})
    store = lake(tmp_path)
    for wanted in (1, 10, 299, 3000, 9000):
        found = [int(r[0] or 0) for r in store.sample("t", ["n"], wanted)]
        assert len(found) == len(set(found)) == min(wanted, 3000)
    spread = [int(r[0] or 0) for r in store.sample("t", ["n"], 30)]
    assert {n // 1000 for n in spread} == {0, 1, 2}
    assert store.sample("t", ["n"], 0) == []
    with pytest.raises(StoreError):
        store.sample("t", ["m"], 3)
