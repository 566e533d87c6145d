"""A store that is a hot standby: it can be written by nobody, and says so in one line."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from domicile.demo.postgres import own, run_as
from tests.conftest import MakeDatabase
from tests.e2e import support
from tests.e2e.bad.world import check, postgres_world
from tests.servers import TestServer


@pytest.fixture
def standby(pg15: TestServer) -> Iterator[TestServer]:
    """A copy of the whole server, made by its own program, which follows it."""
    directory = Path(tempfile.mkdtemp(prefix="dom-pg-"))
    server = TestServer(pg15.bin_dir, directory)
    own(directory, server.account)
    done = run_as(
        server.account,
        [str(server.bin_dir / "pg_basebackup"), f"--pgdata={server.data}", "--write-recovery-conf",
         "--checkpoint=fast", "--no-sync", f"--dbname={pg15.url('postgres')}"],
        environment={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    try:
        assert done.returncode == 0, done.stderr
        server.start()
        yield server
    finally:
        server.stop("immediate")
        shutil.rmtree(directory, ignore_errors=True)


@pytest.mark.parametrize("end", ["abroad", "home"])
def test_a_standby_is_no_end_of_a_move(
    end: str, pg15: TestServer, database: MakeDatabase, tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    world = postgres_world(pg15, database, tmp_path)
    standby: TestServer = request.getfixturevalue("standby")
    url = getattr(world, end)
    world.edit(url, standby.url(support.name_of(url)))
    before = world.contents()
    check(world.run("plan"), 3, f"store {end}", "standby", "read only", "primary")
    assert world.contents() == before
