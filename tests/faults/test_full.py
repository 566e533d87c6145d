"""Disks that are full: of a store, of the state, of the log."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from domicile.demo.postgres import own
from tests.faults.estate import read
from tests.faults.test_attacks import sql
from tests.faults.trials import Bench
from tests.servers import TestServer

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("limit", [60_000, 250_000, 400_000, 500_000, 650_000, 900_000])
def test_no_room_for_state_and_log(bench: Bench, limit: int) -> None:
    """No file of ours may grow past so many bytes; then it may, and apply is run again."""
    place = bench.place()
    place.start("apply", str(place.plan), "--yes", limit=limit)
    code = place.wait()
    assert code in (0, 5), place.output()
    bench.after(place, code, thorough=limit == 400_000)
    bench.drop(place)


@pytest.fixture
def small_disk(scratch: Path, server: TestServer) -> Iterator[Path]:
    """A disk of its own for databases."""
    disk = scratch / "disk"
    disk.mkdir(exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", str(disk)], capture_output=True
    )
    if os.geteuid() != 0 or mounted.returncode:
        disk.rmdir()
        pytest.skip("a small disk cannot be mounted here: it takes root")
    own(disk, server.account)
    disk.chmod(0o700)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.parametrize("end", ["home", "source"])
def test_the_disk_of_a_store_is_full(
    bench: Bench, server: TestServer, small_disk: Path, end: str
) -> None:
    """Half-way the disk of one store has no room left; when it has, apply finishes."""
    place = bench.place()
    name = (place.home if end == "home" else place.source).rsplit("/", 1)[1]
    sql(server.url("postgres"), f"CREATE TABLESPACE small LOCATION '{small_disk}'")
    sql(server.url("postgres"), f'ALTER DATABASE "{name}" SET TABLESPACE small')
    filler = small_disk / "filler"
    url = server.url(name)
    try:
        place.start("apply", str(place.plan), "--yes")
        bench.sleep(bench.seconds * 0.4)
        with filler.open("wb") as file:
            try:
                while True:
                    file.write(bytes(1 << 16))
                    file.flush()
            except OSError:
                pass
        code = place.wait()
        assert code in (0, 5), place.output()
        filler.unlink()
        bench.after(place, code, thorough=True)
        assert read(url)
    finally:
        filler.unlink(missing_ok=True)
        server.drop_database(name)
        sql(server.url("postgres"), "DROP TABLESPACE small")
    bench.drop(place)
