"""Fixtures that every area of tests shares: servers, fresh databases, the recorded estates.

pg15, pg18      a server for the whole run
database        a function that makes a fresh database: `database(pg15) -> url`
shared          the folder of recorded estates (DOMICILE_SHARED, else ../shared)
pagila          a function: `pagila() -> url` of a fresh copy; `pagila(rows=False)` schema only
peertube        the same for the recorded video platform, with its residence.sql
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from domicile.demo.postgres import own, programs_for, server_account
from tests.need import debian_programs, wheel
from tests.s3 import BUCKET, running_s3
from tests.servers import TestServer

ROOT = Path(__file__).resolve().parent.parent


class MakeDatabase(Protocol):
    """`database(server, name="t", template="template0") -> url`, dropped after the test."""

    def __call__(self, server: TestServer, name: str = "t", template: str = "template0") -> str: ...


class CopyEstate(Protocol):
    """`pagila(rows=True, name=…) -> url` of a fresh copy on `pg15`, dropped after the test."""

    def __call__(self, *, rows: bool = True, name: str = "") -> str: ...


@contextmanager
def running_server(bin_dir: Path, *, fsync: bool = False) -> Iterator[TestServer]:
    """A started server in a new directory; stopped and removed at the end, also on failure."""
    directory = Path(tempfile.mkdtemp(prefix="dom-pg-"))
    server = TestServer(bin_dir, directory, fsync=fsync)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.stop("immediate")
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def pg15() -> Iterator[TestServer]:
    """Debian's PostgreSQL 15."""
    bin_dir = debian_programs()
    with running_server(bin_dir) as server:
        yield server


@pytest.fixture(scope="session")
def pg18() -> Iterator[TestServer]:
    """PostgreSQL 18 from the demo's wheel."""
    bin_dir = wheel()
    with (
        tempfile.TemporaryDirectory(prefix="dom-bin-") as spare,
        running_server(_programs(bin_dir, Path(spare))) as server,
    ):
        yield server


def _programs(bin_dir: Path, spare: Path) -> Path:
    own(spare, server_account())
    return programs_for(bin_dir, server_account(), spare)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[dict[str, str]]:
    """A real S3 server for the whole run: the environment by which clients find it."""
    with running_s3() as environment:
        yield environment


@pytest.fixture
def s3(s3_server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """An address of the test's own; keys and endpoint are in the environment."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in s3_server.items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{os.urandom(8).hex()}"


@pytest.fixture
def fresh_server() -> Iterator[Callable[..., TestServer]]:
    """A function that starts a PostgreSQL 15 of the test's own, which it may kill.

    `fresh_server(fsync=True)` for what must be on disk.
    """
    bin_dir = debian_programs()
    started: list[tuple[TestServer, Path]] = []

    def start(*, fsync: bool = False) -> TestServer:
        directory = Path(tempfile.mkdtemp(prefix="dom-pg-"))
        server = TestServer(bin_dir, directory, fsync=fsync)
        started.append((server, directory))
        server.create()
        server.start()
        return server

    yield start
    for server, directory in started:
        server.stop("immediate")
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def database() -> Iterator[MakeDatabase]:
    """A function that makes a fresh database on a server; all are dropped after the test."""
    made: list[tuple[TestServer, str]] = []

    def make(server: TestServer, name: str = "t", template: str = "template0") -> str:
        full = _free_name(server, name)
        made.append((server, full))
        return server.create_database(full, template)

    yield make
    for server, name in made:
        if server.pid() is not None:  # a test may have ended its server
            server.drop_database(name)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recorded estates, which are other people's and not in this repository."""
    path = Path(os.environ.get("DOMICILE_SHARED", ROOT.parent / "shared"))
    if not (path / "estates").is_dir():
        pytest.skip(f"no recorded estates in {path}: set DOMICILE_SHARED to their folder")
    return path


@pytest.fixture(scope="session")
def pagila_templates(pg15: TestServer, shared: Path) -> str:
    """Loads pagila once on `pg15`; its templates are `pagila` and `pagila-schema`."""
    folder = shared / "estates" / "pagila"
    pg15.create_database("pagila")
    for part in ("pagila-schema.sql", "pagila-data.sql"):
        pg15.load("pagila", folder / part, strict=False)  # three harmless errors on 15
    pg15.sql("pagila", "VACUUM ANALYZE")
    return _schema_template(pg15, "pagila")


@pytest.fixture(scope="session")
def peertube_templates(
    pg15: TestServer, shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """Loads the recorded video platform once; templates `peertube` and `peertube-schema`."""
    folder = shared / "estates" / "peertube"
    script = tmp_path_factory.mktemp("peertube") / "peertube.sql"
    script.write_bytes(gzip.decompress((folder / "peertube.sql.gz").read_bytes()))
    pg15.create_database("peertube")
    for part in (script, folder / "residence.sql"):
        pg15.load("peertube", part)
    pg15.sql("peertube", "VACUUM ANALYZE")
    return _schema_template(pg15, "peertube")


@pytest.fixture
def pagila(pg15: TestServer, pagila_templates: str, database: MakeDatabase) -> CopyEstate:
    """A function that gives a fresh copy of pagila on `pg15`."""
    return _copier(pg15, pagila_templates, database)


@pytest.fixture
def peertube(pg15: TestServer, peertube_templates: str, database: MakeDatabase) -> CopyEstate:
    """A function that gives a fresh copy of the recorded video platform on `pg15`."""
    return _copier(pg15, peertube_templates, database)


def _copier(server: TestServer, template: str, database: MakeDatabase) -> CopyEstate:
    def copy(*, rows: bool = True, name: str = "") -> str:
        source = template if rows else f"{template}-schema"
        return database(server, name or template, source)

    return copy


def _schema_template(server: TestServer, name: str) -> str:
    empty = f"{name}-schema"
    server.create_database(empty)
    server.psql(empty, "--output=/dev/null", stdin=server.dump_schema(name))
    return name


def _free_name(server: TestServer, name: str) -> str:
    stem = re.sub(r"[^a-z0-9_]", "_", name.lower())
    taken = server.databases()
    return next(full for n in range(1, 10_000) if (full := f"{stem}_{n}") not in taken)
