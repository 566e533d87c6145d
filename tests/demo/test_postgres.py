"""Servers of our own: who runs them, from where, and what a failure says."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from domicile.demo.postgres import (
    PostgresServer,
    alive,
    free_port,
    own,
    programs_for,
    server_account,
)
from domicile.errors import StoreRefused, StoreUnreachable
from tests.need import wheel


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server to be, where the account that runs it can go; pytest's folders are closed to it."""
    programs = wheel()
    with tempfile.TemporaryDirectory(prefix="dom-pg-") as name:
        place = Path(name)
        own(place, server_account())
        yield PostgresServer(
            programs_for(programs, server_account(), place),
            place / "server",
            settings={"fsync": "off"},
            password="made-up",
        )


def test_root_never_runs_a_server() -> None:
    account = server_account()
    if os.geteuid() == 0:
        assert account is not None
        assert account.pw_uid != 0
    else:
        assert account is None


def test_programs_in_a_closed_folder_are_copied(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    programs = closed / "pg" / "bin"
    programs.mkdir(parents=True)
    (programs / "postgres").touch(mode=0o755)
    closed.chmod(0o700)
    spare = tmp_path / "spare"
    spare.mkdir()
    own(spare, server_account())
    chosen = programs_for(programs, server_account(), spare)
    assert chosen == (spare / "pg" / "bin" if os.geteuid() == 0 else programs)
    assert (chosen / "postgres").exists()


def test_the_password_is_asked_for_and_no_file_keeps_it(server: PostgresServer) -> None:
    server.create()
    server.start()
    try:
        assert server.sql("postgres", "SELECT 1") == "1"
        server.password = ""
        with pytest.raises(StoreRefused, match="psql ended with 2"):
            server.sql("postgres", "SELECT 1")
        assert not (server.directory / "initdb.password").exists()
    finally:
        server.stop("immediate")
    assert server.pid() is None


def test_a_port_that_is_taken_is_one_clear_error(server: PostgresServer) -> None:
    server.create()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server.port = taken.getsockname()[1]
        with pytest.raises(StoreUnreachable, match="did not start"):
            server.start()
    assert server.pid() is None


def test_alive() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        assert alive(process.pid)
        process.kill()
    assert not alive(process.pid)
    assert free_port() > 1023
