"""PostgreSQL servers for tests: Debian's and the wheel's, with templates to copy databases from."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from domicile.demo.postgres import PostgresServer, alive

MAINTENANCE = "postgres"  # the database from which others are made
DEBIAN = Path("/usr/lib/postgresql")
DEBIAN_VERSION = 15
KILL_SECONDS = 10


class TestServer(PostgresServer):
    """A throw-away server that a test may also kill.

    `fsync` is off unless asked for: what these tests lose in a power cut nobody misses.
    """

    __test__ = False  # not a class of tests, whatever its name

    def __init__(self, bin_dir: Path, directory: Path, *, fsync: bool = False) -> None:
        on = "on" if fsync else "off"
        super().__init__(
            bin_dir, directory, settings={"fsync": on, "full_page_writes": on, "jit": "off"}
        )

    def kill(self) -> None:
        """End the server and its children at once with SIGKILL, as when a machine loses power."""
        pid = self.pid()
        if pid is None:
            return
        children = _children(pid)
        os.kill(pid, signal.SIGKILL)
        for child in children:
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + KILL_SECONDS
        while any(alive(process) for process in (pid, *children)):
            assert time.monotonic() < deadline, "the killed server does not go away"
            time.sleep(0.02)
        # Where nobody reaps orphans (a container's process 1), PostgreSQL takes the dead process
        # for a living one and would not start again.
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def restart(self) -> None:
        """Start again on the same port, recovering first when it was killed."""
        self.stop()
        self.start()

    def create_database(self, name: str, template: str = "template0") -> str:
        """A new database, as a copy of a template; its URL."""
        self.sql(MAINTENANCE, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.sql(MAINTENANCE, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def databases(self) -> set[str]:
        """The names of all databases."""
        return set(self.sql(MAINTENANCE, "SELECT datname FROM pg_database").splitlines())

    def load(self, name: str, script: Path, *, strict: bool = True) -> None:
        """Run an SQL file in a database; `strict` stops at the first error."""
        with script.open(encoding="utf-8") as text:
            self.psql(name, f"--set=ON_ERROR_STOP={int(strict)}", "--output=/dev/null",
                      stdin=text.read())  # fmt: skip

    def dump_schema(self, name: str) -> str:
        """The schema of a database as SQL."""
        dump = self.bin_dir / "pg_dump"
        return subprocess.run(
            [str(dump), "--schema-only", "--no-owner", f"--dbname={self.url(name)}"],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip


def debian_bin() -> Path | None:
    """The programs of Debian's PostgreSQL 15, else None."""
    path = DEBIAN / str(DEBIAN_VERSION) / "bin"
    return path if (path / "initdb").exists() else None


def _children(pid: int) -> list[int]:
    """The process ids of a postmaster's children (Linux: /proc)."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(child) for child in text.split()]
