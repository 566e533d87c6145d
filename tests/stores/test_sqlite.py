"""SQLite's own ways: its catalogue, its locks and journals, and what its files keep."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile.errors import DeclarationError, FidelityError, StoreRefused, StoreUnreachable
from domicile.estate import model
from domicile.stores import open_store, sqlite, sqlite_reflect
from domicile.stores.schema import ForeignKey, Key
from domicile.stores.sqlite import SqliteStore
from domicile.stores.sqlite_load import bind
from domicile.stores.sqlite_reflect import kind_of, reflect
from domicile.stores.sqlite_text import SqliteDialect, canonical, real

SECRET = "maria.quintanilla@example.org"


def _store(url: str, schema: str = "") -> SqliteStore:
    store = open_store(model.Store("cell", url, "NL", "Tester", "app", schema, url))
    assert isinstance(store, SqliteStore)
    return store


def _made(path: Path, *sql: str) -> SqliteStore:
    """A file made with SQLite's own defaults, as an application would."""
    connection = apsw.Connection(str(path))
    for statement in sql:
        connection.execute(statement)
    connection.close()
    return _store(f"sqlite://{path}")


def _bytes(store: SqliteStore) -> bytes:
    return b"".join(Path(p).read_bytes() for p in store.live_files() or ())


# --- the catalogue


def test_catalogue(tmp_path: Path) -> None:
    store = _made(
        tmp_path / "a.db",
        "CREATE TABLE parent (a INT NOT NULL, b TEXT NOT NULL, PRIMARY KEY (b, a))",
        """CREATE TABLE child (
            id INTEGER PRIMARY KEY AUTOINCREMENT, -- the comma , and ) of comments
            name VARCHAR(10) COLLATE NOCASE CHECK (name IN ('a)', 'b,')),
            half AS (id / 2), whole INT GENERATED ALWAYS AS (id * 2) STORED,
            A INT, [b] TEXT, up INT REFERENCES CHILD DEFERRABLE INITIALLY DEFERRED,
            CONSTRAINT "odd one" CHECK (A > 0 /* CHECK (never) */),
            CONSTRAINT whose FOREIGN KEY (B, a) REFERENCES Parent ON DELETE SET NULL,
            FOREIGN KEY (A) REFERENCES nobody (x), FOREIGN KEY (a) REFERENCES parent (a)
        )""",
        "CREATE UNIQUE INDEX child_name ON child (name)",
        "CREATE UNIQUE INDEX child_some ON child (A) WHERE A > 3",
        "CREATE UNIQUE INDEX child_lower ON child (lower(name))",
        "CREATE TABLE kv (k TEXT PRIMARY KEY, v) WITHOUT ROWID",
        "CREATE VIEW seen AS SELECT * FROM child",
        "CREATE TRIGGER stamp AFTER UPDATE ON Child BEGIN SELECT 1; END",
        "CREATE VIRTUAL TABLE words USING fts5(name, content='child')",
        "INSERT INTO parent VALUES (1, 'x')",
        "INSERT INTO child (id, name, a, b) VALUES (5, 'b,', 1, 'x')",
    )
    schema = store.reflect()
    assert sorted(schema.tables) == ["child", "kv", "parent"]
    child = schema.tables["child"]
    assert child.names == ("id", "name", "half", "whole", "A", "b", "up")
    assert [c.name for c in child.columns if c.generated] == ["half", "whole"]
    assert (child.column("id").identity, child.column("id").nullable) == (True, False)
    assert (child.column("name").type, child.column("name").collation) == ("VARCHAR(10)", "NOCASE")
    assert child.column("name").length == 10
    assert child.keys == (Key(("id",), primary=True), Key(("name",), name="child_name"))
    assert child.foreign_keys == (
        ForeignKey(("up",), "child", ("id",), deferrable=True),
        ForeignKey(("b", "A"), "parent", ("b", "a"), "whose", "set null"),
        ForeignKey(("A",), "parent", ("a",), enforced=False),
    )
    assert [(c.name, c.expression) for c in child.checks] == [
        ("", "name IN ('a)', 'b,')"),
        ("odd one", "A > 0 /* CHECK (never) */"),
    ]
    assert child.triggers == ("stamp",)
    assert child.estimate == 1
    assert child.bytes > 0
    assert schema.tables["kv"].keys == (Key(("k",), primary=True),)
    assert not schema.tables["kv"].column("k").nullable
    skipped = dict(store.skipped)
    assert "words" in skipped
    assert "fts5" in skipped["words"]
    assert "nobody" in skipped["child.A"]
    assert set(skipped) == {
        "words", "words_config", "words_data", "words_docsize", "words_idx", "child.A"
    }  # fmt: skip


def test_a_primary_key_that_holds_null_is_no_key(tmp_path: Path) -> None:
    # SQLite lets NULL into primary keys of tables with rowids; sqlite.org/quirks.html, section 5.
    store = _made(
        tmp_path / "a.db",
        "CREATE TABLE loose (k TEXT PRIMARY KEY)",
        "CREATE TABLE fine (k TEXT PRIMARY KEY)",
        "INSERT INTO loose VALUES (NULL), (NULL), ('x')",
        "INSERT INTO fine VALUES ('x')",
    )
    tables = store.reflect().tables
    assert tables["fine"].identity == ("k",)
    assert tables["loose"].identity == ()
    with store.read() as session:
        row = session.dialect.row_id(tables["loose"], "t")
        found = session.query(f"SELECT {row} FROM {session.dialect.table('loose')} t")
    assert len(set(found)) == 3


def test_hidden_rowids(tmp_path: Path) -> None:
    store = _made(
        tmp_path / "a.db",
        "CREATE TABLE one (rowid TEXT, OID TEXT)",
        "CREATE TABLE three (rowid TEXT, oid TEXT, _rowid_ TEXT)",
        "INSERT INTO one VALUES ('x', 'y'), ('x', 'y')",
    )
    assert sorted(store.reflect().tables) == ["one"]
    assert [name for name, _ in store.skipped] == ["three"]
    assert store.sample("one", ["OID"], 5) == [("y",), ("y",)]


def test_a_collation_of_the_application_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    connection = apsw.Connection(str(path))
    connection.create_collation("LATIN", lambda a, b: (a > b) - (a < b))
    connection.execute("CREATE TABLE t (name TEXT COLLATE LATIN PRIMARY KEY); CREATE TABLE u (x)")
    connection.close()
    store = _store(f"sqlite://{path}")
    assert list(store.reflect().tables) == ["u"]
    assert [(n, "LATIN" in why) for n, why in store.skipped] == [("t", True)]


@pytest.mark.parametrize(
    ("declared", "kind"),
    [
        ("INTEGER", "int"), ("unsigned big int", "int"), ("VARCHAR(20)", "text"),
        ("NVARCHAR(160)", "text"), ("", "other"), ("BLOB", "bytes"), ("double precision", "float"),
        ("DECIMAL(10, 2)", "numeric"), ("DATETIME", "timestamp"), ("date", "date"),
        ("timestamp with time zone", "timestamptz"), ("TIMESTAMP(6) WITH TIME ZONE", "timestamptz"),
        ("Boolean", "bool"), ("UUID", "uuid"), ("INTERVAL", "interval"), ("JSONB", "json"),
        ("whatever", "other"),
    ],
)  # fmt: skip
def test_kinds(declared: str, kind: str) -> None:
    assert kind_of(declared) == kind


_names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(
    lambda n: not n.lower().startswith("sqlite_")
)


@given(table=_names, column=_names)
def test_any_name_comes_back(table: str, column: str) -> None:
    q = SqliteDialect().quote
    connection = apsw.Connection(":memory:")
    connection.execute(
        f"CREATE TABLE {q(table)} ({q(column)} INT NOT NULL UNIQUE CHECK ({q(column)} <> 1), "
        f"FOREIGN KEY ({q(column)}) REFERENCES {q(table)} ({q(column)}))"
    )
    found = reflect(connection)
    assert list(found.schema.tables) == [table]
    only = found.schema.tables[table]
    assert only.identity == (column,)
    assert only.foreign_keys == (ForeignKey((column,), table, (column,)),)
    assert [c.expression for c in only.checks] == [f"{q(column)} <> 1"]


# --- texts and values


@given(st.floats(allow_nan=False))
def test_reals_come_back(value: float) -> None:
    assert float(real(value)) == value


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ("2009-01-01 00:00:00", "date", "2009-01-01"),
        ("2009-01-01 10:00:00", "date", "2009-01-01 10:00:00"),
        ("2009-01-01T10:00:00.500000", "timestamp", "2009-01-01 10:00:00.5"),
        ("2009-01-01T00:30:00+02:00", "timestamptz", "2008-12-31 22:30:00+00"),
        ("2009-01-01T00:30:00Z", "timestamptz", "2009-01-01 00:30:00+00"),
        ("someday", "date", "someday"), (1230768000, "timestamp", "1230768000"),
        ("A0EEBC999C0B4EF8BB6D6BB9BD380A11", "uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        (bytes(range(16)), "uuid", "00010203-0405-0607-0809-0a0b0c0d0e0f"),
        ("True", "bool", "1"), ("maybe", "bool", "maybe"), (1, "bool", "1"),
        (1e22, "numeric", "10000000000000000000000"), ("12.50", "numeric", "12.5"),
        ("many", "numeric", "many"), (b"\xff", "text", "\\xff"), (None, "text", None),
        (3.0, "int", "3"), ("text", "int", "text"),
    ],
)  # fmt: skip
def test_texts_of_what_applications_store(
    tmp_path: Path, value: str | int | float | bytes | None, kind: str, text: str | None
) -> None:
    assert canonical(value, kind) == text


@pytest.mark.parametrize("value", [float("nan"), 2**63, "\ud800", object(), 1j])
def test_values_that_would_change_are_refused_by_column(value: object) -> None:
    with pytest.raises(FidelityError, match="column 'mail'"):
        bind("cell", "mail", "INT", value)


def test_invalid_utf8_is_one_error(tmp_path: Path) -> None:
    store = _made(
        tmp_path / "a.db", "CREATE TABLE t (x TEXT)", "INSERT INTO t VALUES (CAST(x'FF' AS TEXT))"
    )
    with store.read() as session, pytest.raises(StoreRefused, match="UTF-8"):
        session.query("SELECT x FROM main.t")


# --- URLs and files


def test_urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a b?%#.db").touch()
    apsw.Connection(str(tmp_path / "a b?%#.db")).execute("CREATE TABLE t (x)")
    monkeypatch.chdir(tmp_path)
    for url in (f"sqlite://{tmp_path}/a b?%#.db", "sqlite:a b?%#.db", "sqlite:./a b?%#.db"):
        assert list(_store(url).reflect().tables) == ["t"]
    for url in ("sqlite:", "sqlite::memory:", "sqlite:///:memory:"):
        with pytest.raises(DeclarationError):
            _store(url)
    with pytest.raises(DeclarationError, match="public"):
        _store("sqlite:a.db", schema="public")
    with pytest.raises(DeclarationError, match="expected one of file, memory"):
        open_store(model.Store("cell", "mongodb://x", "NL", "Tester", "app"))


def test_a_missing_file_is_never_made(tmp_path: Path) -> None:
    store = _store(f"sqlite://{tmp_path}/none.db")
    with pytest.raises(StoreUnreachable), store.write():
        raise AssertionError("it opened")
    assert list(tmp_path.iterdir()) == []
    assert store.live_files() is None


def test_a_damaged_file_is_unreachable(tmp_path: Path) -> None:
    store = _made(tmp_path / "a.db", "CREATE TABLE t (x)", "INSERT INTO t VALUES (1)")
    raw = bytearray((tmp_path / "a.db").read_bytes())
    raw[100:140] = b"\xee" * 40
    (tmp_path / "a.db").write_bytes(raw)
    with pytest.raises(StoreUnreachable) as caught:
        store.reflect()
    assert caught.value.hint


def test_a_locked_file_is_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY", 50)
    store = _made(tmp_path / "a.db", "CREATE TABLE t (x)")
    other = apsw.Connection(str(tmp_path / "a.db"))
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnreachable, match="locked"):
        store.reflect()
    other.execute("COMMIT")
    other.execute("BEGIN IMMEDIATE")
    with store.write() as session, pytest.raises(StoreUnreachable, match="locked"):
        session.begin()
    other.close()
    store.reflect()


def test_estimates_of_large_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_reflect, "WALKED", 0)
    filled = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100) INSERT INTO "
    )
    store = _made(
        tmp_path / "a.db",
        "CREATE TABLE counted (k TEXT PRIMARY KEY) WITHOUT ROWID",
        f"{filled} counted SELECT i FROM n",
        "ANALYZE",
        "CREATE TABLE spanned (x)",
        f"{filled} spanned SELECT i FROM n",
        "DELETE FROM spanned WHERE rowid < 50",
        "CREATE TABLE unknown (k TEXT PRIMARY KEY) WITHOUT ROWID",
        "CREATE TABLE empty (x)",
    )
    tables = store.reflect().tables
    assert {t.name: (t.estimate, t.bytes) for t in tables.values()} == {
        "counted": (100, 0), "spanned": (51, 0), "unknown": (0, 0), "empty": (0, 0),
    }  # fmt: skip


def test_a_file_in_utf_16(tmp_path: Path) -> None:
    store = _made(
        tmp_path / "a.db",
        "PRAGMA encoding = 'UTF-16le'",
        'CREATE TABLE "naïve ☃" (x TEXT PRIMARY KEY)',
        "INSERT INTO \"naïve ☃\" VALUES ('☃𝄞')",
    )
    assert list(store.reflect().tables) == ["naïve ☃"]
    assert store.sample("naïve ☃", ["x"], 1) == [("☃𝄞",)]


def test_samples_without_rowid_and_of_what_is_not_there(tmp_path: Path) -> None:
    store = _made(
        tmp_path / "a.db",
        "CREATE TABLE t (k TEXT PRIMARY KEY) WITHOUT ROWID",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100) "
        "INSERT INTO t SELECT 'k' || i FROM n",
    )  # fmt: skip
    assert len(set(store.sample("t", ["k"], 10))) == 10
    assert len(set(store.sample("t", ["k"], 1000))) == 100
    for table, column in (("none", "k"), ("t", "none")):
        with pytest.raises(StoreRefused, match="none"):
            store.sample(table, [column], 1)


# --- writing


_FAMILY = (
    "CREATE TABLE person (id INTEGER PRIMARY KEY, mail TEXT)",
    "CREATE TABLE note (id INTEGER PRIMARY KEY, person REFERENCES person ON DELETE CASCADE)",
    "CREATE TABLE log (what TEXT)",
    "CREATE TRIGGER gone AFTER DELETE ON person BEGIN INSERT INTO log VALUES (OLD.mail); END",
    f"INSERT INTO person VALUES (1, '{SECRET}'), (2, 'b@example.org')",
    "INSERT INTO note VALUES (10, 1), (20, 2)",
)


def test_nothing_reaches_rows_that_stay(tmp_path: Path) -> None:
    store = _made(tmp_path / "a.db", *_FAMILY)
    with store.write() as session:
        session.begin()
        assert session.execute("DELETE FROM main.person WHERE id = 1") == 1
        session.commit()
    with store.read() as session:
        assert session.query("SELECT id, person FROM main.note") == [(10, 1), (20, 2)]
        assert session.query("SELECT * FROM main.log") == []


def test_what_is_not_committed_is_rolled_back(tmp_path: Path) -> None:
    store = _made(tmp_path / "a.db", *_FAMILY)
    with store.write() as session:
        session.begin()
        session.execute("DELETE FROM main.person")
        session.rollback()
        session.rollback()
        session.begin()
        session.execute("DELETE FROM main.note")
    with store.read() as session:
        assert session.query("SELECT (SELECT count(*) FROM person), count(*) FROM note") == [(2, 2)]


def test_a_commit_that_waits_for_a_reader_can_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY", 50)
    store = _made(tmp_path / "a.db", *_FAMILY)
    with store.write() as session:
        session.begin()
        session.execute("DELETE FROM main.person WHERE id = 1")
        with store.read() as reader:
            with pytest.raises(StoreUnreachable, match="locked"):
                session.commit()
            assert reader.query("SELECT count(*) FROM person") == [(2,)]
        session.commit()
    with store.read() as reader:
        assert reader.query("SELECT count(*) FROM person") == [(1,)]


def test_a_full_disk_is_refused_with_what_to_do(tmp_path: Path) -> None:
    store = _made(tmp_path / "a.db", *_FAMILY)
    with store.write() as session:
        session.query("PRAGMA main.max_page_count = 8")
        session.begin()
        with pytest.raises(StoreRefused, match="make room"):
            session.execute("INSERT INTO main.log VALUES (hex(zeroblob(100000)))")
    with store.read() as reader:
        assert reader.query("SELECT count(*) FROM log") == [(0,)]


def test_rows_pass_from_file_to_file(tmp_path: Path) -> None:
    abroad = _made(tmp_path / "a.db", *_FAMILY)
    home = _made(tmp_path / "it's home.db", *_FAMILY[:4])
    with abroad.write() as session:
        there = session.attach("home", home.path)
        session.begin()
        copied = session.execute(
            f"INSERT INTO {there.table('person')} SELECT * FROM {session.dialect.table('person')}"
        )
        session.commit()
        session.detach("home")
        only = session.attach("home", home.path, read_only=True)
        with pytest.raises(StoreRefused):
            session.execute(f"DELETE FROM {only.table('person')}")
        with pytest.raises(StoreUnreachable):
            session.attach("none", tmp_path / "none.db")
    assert copied == 2
    with home.read() as reader:
        assert reader.query("SELECT mail FROM person WHERE id = 1") == [(SECRET,)]


_CHILD = """
import os, sys, time
from domicile.estate.model import Store
from domicile.stores.sqlite import SqliteStore
with SqliteStore(Store("cell", "sqlite://" + sys.argv[1], "NL", "T", "app")).write() as session:
    session.begin()
    session.execute("DELETE FROM main.person WHERE id = 1")
    session.commit()
    session.execute("PRAGMA cache_size = 1")
    session.begin()
    session.execute("UPDATE main.person SET mail = mail || '!'")
    session.execute("INSERT INTO main.log WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                    "LIMIT 32) SELECT hex(randomblob(2000)) FROM n")
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_killed_in_a_transaction(tmp_path: Path, mode: str) -> None:
    store = _made(tmp_path / "a.db", f"PRAGMA journal_mode = {mode}", *_FAMILY)
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(store.path)], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert len(store.live_files() or ()) == 2  # the journal or log of the transaction is there
    with store.read() as session:
        assert session.query("SELECT id, mail FROM main.person") == [(2, "b@example.org")]
        assert session.query("SELECT count(*) FROM main.log") == [(0,)]


# --- what the files keep


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("mode", ["DELETE", "TRUNCATE", "PERSIST", "WAL"])
def test_purge_leaves_no_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, large: bool
) -> None:
    if large:
        monkeypatch.setattr(sqlite, "VACUUM_IN_MEMORY", 0)
    store = _made(tmp_path / "a.db", f"PRAGMA journal_mode = {mode}", *_FAMILY)
    # The application is still there, keeps its journal, and had moved and deleted rows before.
    other = apsw.Connection(str(store.path))
    other.execute(f"PRAGMA journal_mode = {mode}")
    other.execute("CREATE INDEX by_mail ON person (mail)")
    for _ in range(50):
        other.execute(f"INSERT INTO person (mail) VALUES ('{SECRET}')")
    other.execute("ANALYZE; DELETE FROM person WHERE id > 20; UPDATE log SET what = '-'")
    assert any(SECRET in str(r) for r in other.execute("SELECT sample FROM sqlite_stat4"))
    with store.write() as session:
        session.begin()
        session.execute(f"DELETE FROM main.person WHERE mail = '{SECRET}'")
        session.execute("DELETE FROM main.log")
        session.commit()
    assert SECRET.encode() in _bytes(store)
    store.purge(["person", "log"])
    assert SECRET.encode() not in _bytes(store)
    assert b"b@example.org" in _bytes(store)
    store.purge()
    assert list(other.execute("PRAGMA integrity_check")) == [("ok",)]
    other.close()


def test_purge_says_when_a_reader_keeps_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY", 50)
    store = _made(tmp_path / "a.db", "PRAGMA journal_mode = WAL", *_FAMILY)
    with store.write() as session:
        session.begin()
        session.execute("DELETE FROM main.person WHERE id = 1")
        with store.read() as reader:
            assert reader.query("SELECT count(*) FROM person") == [(2,)]
            session.commit()
            with pytest.raises(StoreUnreachable):
                store.purge()
    store.purge()
    assert SECRET.encode() not in _bytes(store)


def test_purge_rebuilds_full_text_indexes(tmp_path: Path) -> None:
    word = "quintanilla"
    store = _made(
        tmp_path / "a.db",
        *_FAMILY,
        "CREATE VIRTUAL TABLE words USING fts5(mail, content='person', content_rowid='id')",
        "CREATE VIRTUAL TABLE own USING fts5(text)",
        "INSERT INTO words(words) VALUES ('rebuild')",
    )
    with store.write() as session:
        session.begin()
        session.execute("DELETE FROM main.person WHERE id = 1")
        session.execute("DELETE FROM main.log")
        session.commit()
    assert word.encode() in _bytes(store)
    store.purge(["person"])
    assert word.encode() not in _bytes(store)
    with store.read() as session:
        assert session.query(f"SELECT count(*) FROM words WHERE words MATCH '{word}'") == [(0,)]
        assert session.query("SELECT count(*) FROM words WHERE words MATCH 'example'") == [(1,)]
    assert any("full-text index own" in what for what, _ in store.residues())


def test_reading_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    for mode in ("DELETE", "WAL"):
        store = _made(tmp_path / f"{mode}.db", f"PRAGMA journal_mode = {mode}", *_FAMILY)
        before = store.path.read_bytes()
        with store.read() as session:
            session.load("k", [("x", "TEXT")], [(SECRET,)] * 1000)
            session.query("SELECT count(*) FROM temp.k, main.person")
        store.sample("person", ["mail"], 10)
        assert store.path.read_bytes() == before
        assert not [
            p for p in store.live_files() or () if p != str(store.path) and Path(p).stat().st_size
        ]


@pytest.mark.parametrize(
    ("file", "tables", "register", "rows"),
    [
        ("chinook/Chinook_Sqlite.sqlite", 11, "Customer", 59),
        ("sakila/sakila.sqlite", 16, "customer", 599),
    ],
)  # fmt: skip
def test_recorded_estates(shared: Path, file: str, tables: int, register: str, rows: int) -> None:
    store = _store(f"sqlite://{shared / 'estates' / file}")
    schema = store.reflect()
    assert store.skipped == []
    assert len(schema.tables) == tables
    assert schema.tables[register].estimate == rows
    assert all(t.identity for t in schema.tables.values())
    assert len(store.sample(register, schema.tables[register].names[:1], 20)) == 20
