"""What every kind of store must do: a suite for pytest that a new store passes before it is used.

A new store brings a `Bench` (its types, and how to make a small store) and one class:

    class TestMine(Conformance):
        @pytest.fixture
        def bench(self, tmp_path): return MyBench(tmp_path)

Rows are given as canonical texts (`VALUES` has them by kind), and every store must give back the
same texts, so that passing here also means agreeing with every other store.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from domicile.errors import StoreError, StoreUnreachable
from domicile.stores import base
from domicile.stores.base import Store
from domicile.stores.schema import Column, ForeignKey, Key, Kind, Schema, Table

Texts = tuple[str | None, ...]
"""One row as canonical texts."""

_UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
VALUES: dict[Kind, tuple[tuple[Any, str], ...]] = {
    "int": ((0, "0"), (-7, "-7"), (2**53 + 1, "9007199254740993"), (2**63 - 1, str(2**63 - 1))),
    "float": (
        (0.0, "0"), (1.5, "1.5"), (-2.0, "-2"), (0.1 + 0.2, "0.30000000000000004"),
        (1e14, "100000000000000"), (1e15, "1e+15"), (1e15 + 0.5, "1.0000000000000005e+15"),
        (2.5e15, "2.5e+15"), (1e22, "1e+22"), (1.25e-7, "1.25e-07"), (0.0001, "0.0001"),
    ),
    "numeric": ((Decimal("0"), "0"), (Decimal("12.5"), "12.5"), (Decimal("-3"), "-3"),
                (Decimal("100"), "100"), (Decimal("0.01"), "0.01")),
    "bool": ((True, "1"), (False, "0")),
    "text": (("", ""), ("a", "a"), ("it's \"so\"", "it's \"so\""), ("naïve ☃ 𝄞", "naïve ☃ 𝄞"),
             (" x ", " x "), ("a\\b\n\tc", "a\\b\n\tc"), ("NULL", "NULL"), ("1e3", "1e3")),
    "uuid": ((UUID(_UUID), _UUID),),
    "date": ((date(2024, 2, 29), "2024-02-29"), (date(1900, 1, 1), "1900-01-01")),
    "time": ((time(12, 30), "12:30:00"), (time(23, 59, 59, 500_000), "23:59:59.5")),
    "timestamp": (
        (datetime(2024, 2, 29, 13, 0), "2024-02-29 13:00:00"),  # noqa: DTZ001
        (datetime(1999, 12, 31, 23, 59, 59, 123_000), "1999-12-31 23:59:59.123"),  # noqa: DTZ001
    ),
    "timestamptz": (
        (datetime(2024, 2, 29, 13, 0, tzinfo=UTC), "2024-02-29 13:00:00+00"),
        (datetime(2024, 2, 29, 13, 0, 0, 250_000, tzinfo=UTC), "2024-02-29 13:00:00.25+00"),
    ),
    "bytes": ((b"", "\\x"), (b"\x00\xffab", "\\x00ff6162")),
    "json": (('{"a": [1, null]}', '{"a": [1, null]}'),),
}  # fmt: skip
"""Kind → (Python's value, its canonical text). All can be keys, so all must be the same text."""

ODD = 'Odd "na;me'
"""A table and column name that only quoting gets through."""


OURS = "Ours'\"; é"
"""A temporary table's name of the same sort."""


class Bench(Protocol):
    """What a kind of store brings to the suite."""

    types: Mapping[Kind, str]
    """The store's own type for each kind that it has."""

    gaps: Mapping[Kind, str]
    """Kinds whose texts differ, with `ours:`, `theirs:` or `never:` and the reason. Strict: a kind
    that passes may not stay here."""

    def make(self, tables: Sequence[Table], rows: Mapping[str, Sequence[Texts]]) -> Store:
        """A new store that holds exactly this, others being able to write while it is read."""
        ...

    def write(self, store: Store, sql: str) -> None:
        """Run a statement as the application would, committed, on a connection of its own."""
        ...

    def unreachable(self) -> Sequence[Store]:
        """Stores whose URL leads nowhere."""
        ...


def statements(
    tables: Sequence[Table], rows: Mapping[str, Sequence[Texts]],
    literal: Callable[[Kind, str], str],
) -> Iterable[str]:  # fmt: skip
    """SQL that makes the tables and fills them, for benches whose store takes SQL."""
    for table in tables:
        parts = [
            f"{_quote(c.name)} {c.type}{'' if c.nullable else ' NOT NULL'}" for c in table.columns
        ]
        for key in table.keys:
            kind = "PRIMARY KEY" if key.primary else "UNIQUE"
            parts.append(f"{kind} ({_names(key.columns)})")
        parts += [
            f"FOREIGN KEY ({_names(foreign.columns)}) REFERENCES {_quote(foreign.parent)} "
            f"({_names(foreign.parent_columns)}) ON DELETE {foreign.on_delete.upper()}"
            for foreign in table.foreign_keys
        ]
        yield f"CREATE TABLE {_quote(table.name)} ({', '.join(parts)})"
        for row in rows.get(table.name, ()):
            written = ", ".join(
                "NULL" if text is None else literal(column.kind, text)
                for text, column in zip(row, table.columns, strict=True)
            )
            yield f"INSERT INTO {_quote(table.name)} VALUES ({written})"


class Conformance:
    """The suite. A subclass gives a fixture `bench`."""

    def test_methods_are_those_of_the_interface(self, bench: Bench) -> None:
        store = _small(bench)
        assert _differences(base.Store, store) == []
        with store.read() as session:
            assert _differences(base.Session, session) == []
            assert _differences(base.Dialect, session.dialect) == []
        store.close()

    def test_reflects_what_was_made(self, bench: Bench) -> None:
        tables = _tables(bench)
        store = bench.make(tables, _ROWS)
        found = store.reflect()
        assert set(found.tables) == {t.name for t in tables}
        for table in tables:
            same = found.tables[table.name]
            assert same.names == table.names
            assert [c.kind for c in same.columns] == [c.kind for c in table.columns]
            assert [c.nullable for c in same.columns] == [c.nullable for c in table.columns]
            assert not any(c.generated for c in same.columns)
            assert {(k.columns, k.primary) for k in same.keys} == {
                (k.columns, k.primary) for k in table.keys
            }
            assert same.identity == table.identity
            assert _keys(same) == _keys(table)
            assert same.estimate >= 0
            assert same.bytes >= 0
        store.close()

    def test_reflection_is_stable(self, bench: Bench) -> None:
        store = _small(bench)
        first, second = store.reflect(), store.reflect()
        assert first.digest.startswith("sha256:")
        assert first.digest == second.digest
        assert _without_sizes(first) == _without_sizes(second)
        with store.read() as session:
            assert session.schema.digest == first.digest
        twin = _small(bench)
        assert twin.reflect().digest == first.digest
        store.close()
        twin.close()

    def test_digest_tells_schemas_not_rows(self, bench: Bench) -> None:
        tables = _tables(bench)
        digests = {bench.make(tables, rows).reflect().digest for rows in (_ROWS, {})}
        assert len(digests) == 1
        person = tables[0]
        for other in (
            replace(person, columns=person.columns[:-1]),
            replace(person, keys=person.keys[:1]),
            replace(person, columns=(*person.columns[:-1], replace(person.columns[-1], name="z"))),
        ):
            digests.add(bench.make([other, *tables[1:]], {}).reflect().digest)
        assert len(digests) == 4

    def test_canonical_texts(self, bench: Bench) -> None:
        for kind, values in VALUES.items():
            if kind not in bench.types:
                continue
            texts = [text for _, text in values]
            table = Table("v", (_column(bench, "n", "int"), _column(bench, "v", kind)))
            rows: list[Texts] = [(str(n), text) for n, text in enumerate([*texts, None])]
            store = bench.make([table], {"v": rows})
            with store.read() as session:
                d = session.dialect
                sql = f"SELECT {d.text('t.v', kind)} FROM {d.table('v')} t ORDER BY t.n"
                stored = [row[0] for row in session.query(sql)]
                given = [(n, value) for n, (value, _) in enumerate(values)] + [(len(values), None)]
                columns = [("n", bench.types["int"]), ("v", bench.types[kind])]
                assert session.load("w", columns, given) == len(values) + 1
                sql = f"SELECT {d.text('t.v', kind)} FROM {d.temp('w')} t ORDER BY t.n"
                loaded = [row[0] for row in session.query(sql)]
            sampled = [row[0] for row in store.sample("v", ["v"], len(values) + 1)]
            store.close()
            same = stored == loaded == [*texts, None] and set(sampled) == {*texts, None}
            if kind in bench.gaps:
                assert not same, f"{kind} passes now: take it out of the gaps"
            else:
                assert (kind, stored) == (kind, [*texts, None])
                assert (kind, loaded) == (kind, [*texts, None])
                assert (kind, set(sampled)) == (kind, {*texts, None})

    def test_a_session_sees_one_moment(self, bench: Bench) -> None:
        store = _small(bench)
        with store.read() as session:
            count = f"SELECT count(*) FROM {session.dialect.table('person')}"
            before = session.query(count)
            bench.write(store, "INSERT INTO person VALUES (99, 'late', NULL)")
            assert session.query(count) == before
        with store.read() as session:
            assert session.query(count)[0][0] == before[0][0] + 1
        store.close()

    def test_reading_never_writes(self, bench: Bench) -> None:
        store = _small(bench)
        digest = store.reflect().digest
        for attempt in (
            "DELETE FROM {person}",
            "UPDATE {person} SET name = 'changed'",
            "INSERT INTO {person} VALUES (77, 'x', NULL)",
            "DROP TABLE {note}",
        ):
            try:
                with store.read() as session:
                    d = session.dialect
                    session.execute(attempt.format(person=d.table("person"), note=d.table("note")))
            except StoreError:
                pass  # refusing it is one way; rolling it back is the other
            with store.read() as session:
                found = session.query(f"SELECT name FROM {d.table('person')} ORDER BY id")
                assert [row[0] for row in found] == [row[1] for row in _ROWS["person"]]
                assert session.schema.digest == digest
        store.close()

    def test_temporary_tables_vanish(self, bench: Bench) -> None:
        store = _small(bench)
        with store.read() as session:
            temp = session.dialect.temp(OURS)
            assert session.execute(f"CREATE TEMPORARY TABLE {temp} AS SELECT 1 AS x") == 1
            session.analyse(OURS)
            assert session.query(f"SELECT x FROM {temp}") == [(1,)]
        with store.read() as session:
            assert session.load(OURS, [(OURS, bench.types["int"])], [(1,), (2,)]) == 2
            with store.read() as other:
                assert _fails(lambda: other.query(f"SELECT 1 FROM {temp}"))
        assert OURS not in store.reflect().tables
        store.close()

    def test_statements_say_how_many_rows(self, bench: Bench) -> None:
        store = _small(bench)
        with store.read() as session:
            d = session.dialect
            t = d.temp("t")
            made = f"CREATE TEMPORARY TABLE {t} AS SELECT id FROM {d.table('person')}"
            assert session.execute(made) == len(_ROWS["person"])
            assert session.execute(f"INSERT INTO {t} SELECT id + 100 FROM {t}") == 3
            assert session.execute(f"UPDATE {t} SET id = id + 1000 WHERE id > 100") == 3
            assert session.execute(f"DELETE FROM {t} WHERE id > 1000") == 3
            assert session.execute(f"DELETE FROM {t} WHERE id > 1000") == 0
        store.close()

    def test_streams_every_row_once(self, bench: Bench) -> None:
        store = _small(bench)
        with store.read() as session:
            session.load("n", [("n", bench.types["int"])], ((n,) for n in range(25)))
            ordered = f"SELECT n FROM {session.dialect.temp('n')} ORDER BY n"
            for size in (1, 5, 24, 25, 26):
                lists = list(session.stream(ordered, size))
                assert [row[0] for rows in lists for row in rows] == list(range(25))
                assert all(len(rows) == size for rows in lists[:-1])
            assert (
                list(session.stream(f"SELECT n FROM {session.dialect.temp('n')} WHERE n < 0")) == []
            )
        store.close()

    def test_streams_run_beside_other_statements(self, bench: Bench) -> None:
        store = _small(bench)
        with store.read() as session:
            d = session.dialect
            numbers = [("n", bench.types["int"])]
            session.load("n", numbers, ((n,) for n in range(10)))
            ordered = f"SELECT n, n AS again FROM {d.temp('n')} ORDER BY n"
            pairs = []
            for one, two in zip(
                session.stream(ordered, 3), session.stream(ordered, 3), strict=True
            ):
                assert session.query(f"SELECT count(*) FROM {d.table('person')}") == [(3,)]
                pairs += list(zip(one, two, strict=True))
            assert pairs == [((n, n), (n, n)) for n in range(10)]
        store.close()

    def test_common_sql(self, bench: Bench) -> None:
        store = _small(bench)
        with store.read() as session:
            d = session.dialect
            person, pair, note, odd = (d.table(n) for n in ("person", "pair", "note", ODD))
            assert session.query(
                f"SELECT p.id, count(n.id) FROM {person} p LEFT JOIN {note} n ON n.author = p.id "
                "GROUP BY p.id ORDER BY p.id"
            ) == [(1, 2), (2, 1), (3, 0)]
            assert session.query(
                f"SELECT count(*) FROM {odd} o JOIN {pair} p "
                f"ON p.a = o.{d.quote(ODD)} AND p.b = o.b"
            ) == [(1,)]
            assert session.query(
                f"SELECT id FROM {person} p WHERE NOT EXISTS "
                f"(SELECT 1 FROM {note} n WHERE n.author = p.id)"
            ) == [(3,)]
            assert session.query(
                "WITH RECURSIVE up(id, top) AS ("
                f"SELECT id, id FROM {note} WHERE answers IS NULL UNION ALL "
                f"SELECT n.id, up.top FROM {note} n JOIN up ON n.answers = up.id) "
                "SELECT top, count(*) FROM up GROUP BY top ORDER BY top"
            ) == [(1, 3)]
            assert session.query(f"SELECT count(*) FROM {d.table('empty')}") == [(0,)]
        store.close()

    def test_literals_and_names(self, bench: Bench) -> None:
        store = _small(bench)
        texts = [text for _, text in VALUES["text"]] + [
            "'",
            "''",
            "\\'",
            "%s",
            "?",
            "$1",
            ":x",
            "--",
        ]
        with store.read() as session:
            d = session.dialect
            for text in texts:
                assert session.query(f"SELECT {d.literal(text)}") == [(text,)]
                if text:
                    assert session.query(f"SELECT 1 AS {d.quote(text[:60])}") == [(1,)]
        store.close()

    def test_paths_into_json(self, bench: Bench) -> None:
        document = '{"user": {"id": 7, "a/b~\\"c": "x\'y", "tags": ["t", true, null, 1.5]}}'
        paths: list[tuple[list[str], str | None]] = [
            (["user", "id"], "7"), (["user", 'a/b~"c'], "x'y"), (["user", "tags", "0"], "t"),
            (["user", "tags", "1"], "true"), (["user", "tags", "2"], None),
            (["user", "tags", "3"], "1.5"), (["user", "tags", "9"], None), (["nobody"], None),
            (["user", "id", "deeper"], None),
        ]  # fmt: skip
        if "json" not in bench.types:
            return
        table = Table("j", (_column(bench, "v", "json"), _column(bench, "t", "text")))
        store = bench.make([table], {"j": [(document, document), (None, None)]})
        with store.read() as session:
            d = session.dialect
            for path, wanted in paths:
                for column in ("v", "t"):
                    sql = f"SELECT {d.json(f'j.{column}', path)} FROM {d.table('j')} j"
                    found = [row[0] for row in session.query(sql)]
                    assert (path, sorted(found, key=str)) == (path, sorted([wanted, None], key=str))
        store.close()

    def test_digests_are_the_same_in_every_store(self, bench: Bench) -> None:
        store = _small(bench)
        with store.read() as session:
            d = session.dialect
            for texts in (["a"], [None], [""], ["a", None, "☃𝄞"], ["1:a", "b"], ["1", ":ab"]):
                nothing = f"CAST(NULL AS {bench.types['text']})"
                written = [nothing if t is None else d.text(d.literal(t), "text") for t in texts]
                joined = "".join("-" if t is None else f"{len(t)}:{t}" for t in texts)
                wanted = hashlib.md5(joined.encode(), usedforsecurity=False).hexdigest()
                assert session.query(f"SELECT {d.digest(written)}") == [(wanted,)]
        store.close()

    def test_rows_without_a_key_are_told_apart(self, bench: Bench) -> None:
        store = _small(bench)
        with store.read() as session:
            d = session.dialect
            table = session.schema.tables["twins"]
            assert table.identity == ()
            ids = session.query(f"SELECT {d.row_id(table, 't')} FROM {d.table('twins')} t")
        assert len({row[0] for row in ids}) == len(_ROWS["twins"])
        assert all(isinstance(row[0], str) for row in ids)
        store.close()

    def test_samples_are_honest(self, bench: Bench) -> None:
        table = Table(
            "s", (_column(bench, "n", "int", False), _column(bench, "v", "text")),
            (Key(("n",), primary=True),),
        )  # fmt: skip
        # Two thirds of the keys are far away, as after an import.
        keys = [*range(100), *range(10**9, 10**9 + 200)]
        rows: list[Texts] = [(str(n), None if n % 10 == 0 else f"v{n}") for n in keys]
        store = bench.make([table], {"s": rows})
        for wanted in (1, 7, 150, 300, 1000):
            found = store.sample("s", ["n", "v"], wanted)
            assert len(found) == min(wanted, 300)
            assert len(set(found)) == len(found)
            assert set(found) <= set(rows)
        assert store.sample("s", ["v", "n"], 300) != []
        store.close()
        empty = bench.make([table], {})
        assert empty.sample("s", ["n"], 5) == []
        empty.close()

    def test_errors_are_ours_and_hold_no_values(self, bench: Bench) -> None:
        store = _small(bench)
        for sql in (
            "SELECT no_such_column FROM {person}",
            "SELEKT 1",
            "SELECT CAST('maria@example.org' AS INTEGER) FROM {person} WHERE no_such",
            "INSERT INTO {person} VALUES (50, NULL, 'maria@example.org')",
        ):
            with store.read() as session:
                wrong = sql.format(person=session.dialect.table("person"))
                error = _fails(partial(session.execute, wrong))
                assert error is not None, sql
                assert error.store == store.name
                assert "maria" not in str(error)
        store.close()

    def test_unreachable(self, bench: Bench) -> None:
        stores = bench.unreachable()
        assert stores
        for store in stores:
            for attempt in (store.reflect, lambda s=store: s.read().__enter__()):
                error = _fails(attempt)
                assert isinstance(error, StoreUnreachable)
                assert error.hint
            store.close()

    def test_files_residues_and_closing(self, bench: Bench) -> None:
        store = _small(bench)
        files = store.live_files()
        assert (files is not None) <= store.capabilities.live_files
        for path in files or ():
            assert Path(path).is_file()
        assert store.residues()
        assert all(what and removed for what, removed in store.residues())
        store.close()
        store.close()


def _column(bench: Bench, name: str, kind: Kind, nullable: bool = True) -> Column:
    return Column(name, bench.types[kind], kind, nullable)


def _tables(bench: Bench) -> list[Table]:
    """A register, a composite key, a thread that refers to itself, odd names, no key, no rows."""

    def column(name: str, kind: Kind = "int", nullable: bool = True) -> Column:
        return _column(bench, name, kind, nullable)

    return [
        Table("person", (column("id", nullable=False), column("name", "text", False),
                         column("mail", "text")),
              (Key(("id",), primary=True), Key(("name",)))),
        Table("pair", (column("a", nullable=False), column("b", "text", False), column("c")),
              (Key(("a", "b"), primary=True),)),
        Table("note", (column("id", nullable=False), column("author"), column("answers")),
              (Key(("id",), primary=True),),
              (ForeignKey(("author",), "person", ("id",), on_delete="cascade"),
               ForeignKey(("answers",), "note", ("id",), on_delete="set null"))),
        Table(ODD, (column(ODD), column("b", "text")), (),
              (ForeignKey((ODD, "b"), "pair", ("a", "b")),)),
        Table("twins", (column("x"), column("y", "text"))),
        Table("empty", (column("id", nullable=False),), (Key(("id",), primary=True),)),
    ]  # fmt: skip


_ROWS: dict[str, Sequence[Texts]] = {
    "person": [("1", "Ann", None), ("2", "Bo", "b@example.org"), ("3", "☃ O'Neil", "")],
    "pair": [("1", "x", "5"), ("1", "y", None), ("2", "x", "6")],
    "note": [("1", "1", None), ("2", "2", "1"), ("3", "1", "2")],
    ODD: [("1", "y"), (None, "y"), (None, None)],
    "twins": [("1", "same"), ("1", "same"), (None, None), (None, None)],
}


def _small(bench: Bench) -> Store:
    return bench.make(_tables(bench), _ROWS)


def _keys(table: Table) -> set[tuple[tuple[str, ...], str, tuple[str, ...], str]]:
    return {(k.columns, k.parent, k.parent_columns, k.on_delete) for k in table.foreign_keys}


def _without_sizes(schema: Schema) -> dict[str, Table]:
    return {name: replace(t, estimate=0, bytes=0) for name, t in schema.tables.items()}


def _differences(interface: type, made: object) -> list[str]:
    """Members of the interface that are missing, or whose parameters have other names."""
    found = []
    for name, member in vars(interface).items():
        if name.startswith("_") or not callable(member):
            continue
        mine = getattr(made, name, None)
        if mine is None:
            found.append(f"{name} is missing")
            continue
        wanted = list(inspect.signature(member).parameters)[1:]
        if list(inspect.signature(mine).parameters)[: len(wanted)] != wanted:
            found.append(f"{name} has other parameters than {wanted}")
    return found + [f"{n} is missing" for n in interface.__annotations__ if not hasattr(made, n)]


def _fails(attempt: Callable[[], object]) -> StoreError | None:
    """The error that the attempt raised, when it is one of ours."""
    try:
        attempt()
    except StoreError as error:
        return error
    return None


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _names(columns: Sequence[str]) -> str:
    return ", ".join(_quote(c) for c in columns)
