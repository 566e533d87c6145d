"""Stores that cannot be reached or read: exit 3, the store named, its URL without the password."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import MakeDatabase
from tests.e2e import support
from tests.e2e.bad.world import World, check, postgres_world, sqlite_world
from tests.servers import TestServer


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    world = sqlite_world(tmp_path)
    world.edit("abroad.db", "gone.db")
    world.refuses("plan", 3, "store abroad", "gone.db")


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    world = sqlite_world(tmp_path)
    Path(world.abroad).write_bytes(b"just words\n" * 500)
    world.refuses("plan", 3, "store abroad", "not an SQLite database")


def test_a_file_that_is_damaged(tmp_path: Path) -> None:
    world = sqlite_world(tmp_path)
    data = Path(world.abroad).read_bytes()
    Path(world.abroad).write_bytes(data[:100] + b"\xff" * 4000 + data[4100:])
    world.refuses("plan", 3, "store abroad", "damaged")


def test_a_folder_for_a_file(tmp_path: Path) -> None:
    world = sqlite_world(tmp_path)
    Path(world.abroad).unlink()
    Path(world.abroad).mkdir()
    world.refuses("plan", 3, "store abroad", "folder")


def test_an_empty_file_abroad_has_nobody(tmp_path: Path) -> None:
    """SQLite takes an empty file for an empty database: no person is there, which is said."""
    world = sqlite_world(tmp_path)
    Path(world.abroad).write_bytes(b"")
    Path(world.home).write_bytes(b"")
    world.refuses("plan", 2, "no store that holds app has a table", "abroad, home")


HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("end", ["abroad", "home"])
def test_a_file_locked_by_another(end: str, tmp_path: Path) -> None:
    """By another process: SQLite's locks are one process's, whatever its connections."""
    world = sqlite_world(tmp_path)
    world.estate.plan()
    before = world.contents()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, getattr(world, end)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as other:  # fmt: skip
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        ran = world.run("apply", "--yes")
        other.communicate()
    check(ran, 3, f"store {end}", "locked by another process")
    assert world.contents() == before
    assert world.run("apply", "--yes").code == 0  # and then it goes on


def test_a_home_in_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    world = sqlite_world(tmp_path)
    world.estate.plan()
    Path(world.home).chmod(stat.S_IRUSR)
    before = world.contents()
    # Root may write anywhere, unless that power is taken from the process.
    humble = ["setpriv", "--bounding-set", "-dac_override"] if os.geteuid() == 0 else []
    command = [sys.executable, "-m", "domicile", "apply", str(world.estate.folder / "plan.json")]
    ran = subprocess.run(
        [*humble, *command, "--yes", "--json", "--estate", str(world.estate.file)],
        capture_output=True, text=True,
    )  # fmt: skip
    check(support.Ran(ran.returncode, ran.stdout, ran.stderr), 5, "store home", "read only")
    assert world.contents() == before


def test_a_server_that_is_down(tmp_path: Path) -> None:
    world = sqlite_world(tmp_path)
    world.edit(f"sqlite://{world.abroad}", "postgresql://me:hunter2@127.0.0.1:1/none")
    world.refuses("plan", 3, "store abroad", "127.0.0.1:1")


def test_a_host_that_there_is_not(tmp_path: Path) -> None:
    world = sqlite_world(tmp_path)
    world.edit(f"sqlite://{world.abroad}", "postgresql://me:hunter2@no-such-host.invalid/none")
    world.refuses("plan", 3, "store abroad", "no-such-host.invalid")


@pytest.fixture
def served(pg15: TestServer, database: MakeDatabase, tmp_path: Path) -> World:
    """A world of PostgreSQL, with a plan."""
    world = postgres_world(pg15, database, tmp_path)
    world.estate.plan()
    return world


def test_a_database_that_there_is_not(served: World) -> None:
    served.edit(f'{served.abroad}"', f'{served.abroad}_no"')
    served.refuses("plan", 3, "store abroad", "no such database")


def test_a_schema_that_there_is_not(served: World) -> None:
    served.edit("holds: app}\n  home", "holds: app, schema: shop}\n  home")
    served.refuses("plan", 2, "abroad", "shop", "schema:")


def test_a_wrong_password(served: World, pg15: TestServer) -> None:
    """On this server nobody is asked for one, so a rule for one user is put first."""
    rules = pg15.data / "pg_hba.conf"
    text = rules.read_text()
    pg15.sql("postgres", "CREATE ROLE clerk LOGIN PASSWORD 'right'")
    try:
        rules.write_text(f"host all clerk 127.0.0.1/32 scram-sha-256\n{text}")
        pg15.sql("postgres", "SELECT pg_reload_conf()")
        served.edit("postgres@", "clerk:hunter2@")
        served.refuses("plan", 3, "store abroad", "password")
    finally:
        rules.write_text(text)
        pg15.sql("postgres", "SELECT pg_reload_conf()")
        pg15.sql("postgres", "DROP ROLE clerk")


def test_a_home_that_is_read_only(served: World, pg15: TestServer) -> None:
    """A hot standby refuses whoever asks; a database's default is ours to overrule."""
    name = served.home.rsplit("/", 1)[1]
    pg15.sql("postgres", f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    assert served.run("apply", "--yes").code == 0


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to], ids=["symbolic", "hard"])
def test_a_link_to_the_other_store(link: Callable[[Path, Path], None], tmp_path: Path) -> None:
    """Two names of one file: a move would delete what it had copied."""
    world = sqlite_world(tmp_path)
    Path(world.home).unlink()
    link(Path(world.home), Path(world.abroad))
    world.refuses("plan", 2, "abroad", "home", "same")


@pytest.mark.parametrize("name", ["localhost", "127.1"])
def test_another_name_of_the_same_server(name: str, served: World) -> None:
    served.edit(served.home, served.abroad.replace("127.0.0.1", name))
    served.refuses("plan", 2, "abroad", "home", "same")
