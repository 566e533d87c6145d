"""Fixtures of the fault tests: a server in memory where there is room, and the bench."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import running_server
from tests.faults.trials import Bench, SqliteBench
from tests.need import debian_programs
from tests.servers import TestServer

MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of our own is made in it
"""Where files are fastest: kill -9 loses nothing that was written, whether on a disk or not."""


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A directory in memory, or where temporary files are."""
    place = str(MEMORY) if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="dom-faults-", dir=place) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def server(scratch: Path) -> Iterator[TestServer]:
    """A PostgreSQL server that loses nothing when a client dies."""
    bin_dir = debian_programs()
    before, tempfile.tempdir = tempfile.tempdir, str(scratch)
    try:
        with running_server(bin_dir) as running:
            yield running
    finally:
        tempfile.tempdir = before


@pytest.fixture(scope="session")
def bench(server: TestServer, scratch: Path) -> Iterator[Bench]:
    """The estate of 60 people in two databases, in batches of 150 rows."""
    made = Bench(server, scratch / "bench")
    yield made
    made.close()


@pytest.fixture(scope="session")
def files(scratch: Path) -> Iterator[SqliteBench]:
    """The same estate in two SQLite files."""
    made = SqliteBench(scratch / "files")
    yield made
    made.close()


@pytest.fixture(scope="session")
def fresh_servers() -> Iterator[Callable[[], TestServer]]:
    """A function that starts a server with fsync, on a disk, which may lose power."""
    bin_dir = debian_programs()
    with ExitStack() as stack:
        yield lambda: stack.enter_context(running_server(bin_dir, fsync=True))
