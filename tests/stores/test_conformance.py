"""Every kind of store passes the suite that ships with the package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path

import apsw
import pytest

from domicile.estate import model
from domicile.stores import memory, open_store
from domicile.stores.base import Store
from domicile.stores.conformance import Bench, Conformance, Texts, statements
from domicile.stores.files import FilesStore, open_files
from domicile.stores.files_conformance import FilesBench, FilesConformance
from domicile.stores.schema import Kind, Table
from tests.conftest import MakeDatabase
from tests.servers import TestServer

_TYPES: dict[Kind, str] = {
    "int": "bigint", "float": "double precision", "numeric": "numeric(12,4)", "bool": "boolean",
    "text": "text", "uuid": "uuid", "date": "date", "time": "time", "timestamp": "timestamp",
    "bytes": "bytea", "json": "json",
}  # fmt: skip


def _opened(url: str) -> Store:
    return open_store(model.Store("bench", url, "NL", "Tester", "app", shown=url))


class SqliteBench:
    """Files in WAL mode, so that an application writes while a session reads."""

    types: Mapping[Kind, str] = {**_TYPES, "bytes": "blob", "timestamptz": "timestamptz"}
    gaps: Mapping[Kind, str] = {}

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.numbers = count()

    def make(self, tables: Sequence[Table], rows: Mapping[str, Sequence[Texts]]) -> Store:
        path = self.folder / f"{next(self.numbers)}.db"
        connection = apsw.Connection(str(path))
        connection.execute("PRAGMA journal_mode = WAL")
        with connection:
            for statement in statements(tables, rows, self.literal):
                connection.execute(statement)
        connection.close()
        return _opened(f"sqlite://{path}")

    def literal(self, kind: Kind, text: str) -> str:
        return f"X'{text[2:]}'" if kind == "bytes" else "'" + text.replace("'", "''") + "'"

    def write(self, store: Store, sql: str) -> None:
        path = (store.live_files() or [""])[0]
        connection = apsw.Connection(path)
        connection.execute(sql)
        connection.close()

    def unreachable(self) -> Sequence[Store]:
        other = self.folder / "other.db"
        other.write_bytes(b"this is not a database, whatever its name says" * 50)
        return [_opened(f"sqlite://{p}") for p in (self.folder / "none.db", self.folder, other)]


class MemoryBench:
    """DuckDB in this process."""

    types: Mapping[Kind, str] = {
        **_TYPES, "float": "DOUBLE", "bytes": "BLOB", "timestamptz": "TIMESTAMPTZ", "json": "JSON",
    }  # fmt: skip
    gaps: Mapping[Kind, str] = {}

    def __init__(self) -> None:
        self.names: list[str] = []

    def make(self, tables: Sequence[Table], rows: Mapping[str, Sequence[Texts]]) -> Store:
        name = f"conformance-{len(self.names)}"
        self.names.append(name)
        kinds = {t.name: [c.kind for c in t.columns] for t in tables}
        values = {
            table: [tuple(map(self.value, kinds[table], row)) for row in found]
            for table, found in rows.items()
        }
        memory.hold(name, tables, values)
        return _opened(f"memory:{name}")

    def value(self, kind: Kind, text: str | None) -> str | bytes | None:
        return bytes.fromhex(text[2:]) if kind == "bytes" and text is not None else text

    def write(self, store: Store, sql: str) -> None:
        assert isinstance(store, memory.MemoryStore)
        memory.execute(store.declared.url.removeprefix("memory:"), sql)

    def unreachable(self) -> Sequence[Store]:
        return [_opened("memory:nothing-here")]


class PostgresBench:
    """A database each on a real server."""

    types: Mapping[Kind, str] = {**_TYPES, "timestamptz": "timestamptz"}
    gaps: Mapping[Kind, str] = {}

    def __init__(self, server: TestServer, database: MakeDatabase) -> None:
        self.server = server
        self.database = database

    def make(self, tables: Sequence[Table], rows: Mapping[str, Sequence[Texts]]) -> Store:
        url = self.database(self.server, "conformance")
        script = ";\n".join(statements(tables, rows, self.literal)) + ";"
        self.server.psql(url.rsplit("/", 1)[1], "--set=ON_ERROR_STOP=1", "--quiet", stdin=script)
        return _opened(url)

    def literal(self, kind: Kind, text: str) -> str:
        return "'" + text.replace("'", "''") + "'"

    def write(self, store: Store, sql: str) -> None:
        declared = getattr(store, "declared")  # noqa: B009
        self.server.sql(declared.url.rsplit("/", 1)[1], sql)

    def unreachable(self) -> Sequence[Store]:
        nowhere = "postgresql://postgres@127.0.0.1:1/none"
        return [_opened(nowhere), _opened(self.server.url("no-such-database"))]


class TestSqlite(Conformance):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Bench:
        return SqliteBench(tmp_path)


class TestMemory(Conformance):
    @pytest.fixture
    def bench(self) -> Bench:
        return MemoryBench()


class TestPostgres15(Conformance):
    @pytest.fixture
    def bench(self, pg15: TestServer, database: MakeDatabase) -> Bench:
        return PostgresBench(pg15, database)


class TestPostgres18(Conformance):
    @pytest.fixture
    def bench(self, pg18: TestServer, database: MakeDatabase) -> Bench:
        return PostgresBench(pg18, database)


class FolderBench:
    """Folders of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.numbers = count()

    def make(self, files: Mapping[str, bytes]) -> FilesStore:
        store = self._store(self.root / f"{next(self.numbers)}")
        store.root.mkdir()
        for path, content in files.items():
            self.write(store, path, content)
        return store

    def write(self, store: FilesStore, path: str, content: bytes) -> None:
        file = store.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def read(self, store: FilesStore) -> dict[str, bytes]:
        return {
            str(p.relative_to(store.root)): p.read_bytes()
            for p in store.root.rglob("*")
            if p.is_file()
        }

    def unreachable(self) -> Sequence[FilesStore]:
        (self.root / "file").write_bytes(b"")
        return [self._store(self.root / "none"), self._store(self.root / "file")]

    def _store(self, root: Path) -> FilesStore:
        return open_files(model.Store("bench", f"file://{root}", "NL", "T", "media", files=True))


class TestFolder(FilesConformance):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> FilesBench:
        return FolderBench(tmp_path)
