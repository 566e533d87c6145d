"""The demo's stage: two servers come up filled and declared, and go away without a trace."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from domicile.demo.lake import PER_PERSON, count_events
from domicile.demo.stage import ABROAD, HOME, Stage, build, opened, remove
from domicile.errors import UsageError
from domicile.estate.load import load_estate
from domicile.law.load import load_mandates
from tests.need import wheel

PEOPLE = 300


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    wheel()
    directory = tmp_path_factory.mktemp("stage") / "demo"
    yield build(directory, PEOPLE)
    remove(directory)


def _psql(stage: Stage, store: str, query: str) -> str:
    return subprocess.run(
        [str(stage.directory / "psql"), store, "-XAtc", query],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip


def test_people_abroad_and_countries_on_both_sides(stage: Stage) -> None:
    assert _psql(stage, ABROAD, "SELECT count(*) FROM account") == str(PEOPLE)
    assert _psql(stage, HOME, "SELECT count(*) FROM account") == "0"
    for store in (ABROAD, HOME):
        assert _psql(stage, store, "SELECT count(*) FROM country") == "40"


def test_the_cells_give_out_disjoint_keys(stage: Stage) -> None:
    insert = "INSERT INTO address (street, city, country_id) VALUES ('-', '-', 1)"
    keys = [int(_psql(stage, s, f"{insert} RETURNING address_id").split()[0])
            for s in (ABROAD, HOME)]  # fmt: skip
    assert keys[1] - keys[0] > 100_000_000


def test_a_lake_abroad_and_none_at_home(stage: Stage) -> None:
    everybody = range(1, PEOPLE + 1)
    assert count_events(stage.lake(ABROAD), everybody) == PEOPLE * PER_PERSON
    assert count_events(stage.lake(ABROAD), [1]) < PEOPLE
    assert count_events(stage.lake(HOME), everybody) == 0
    assert len(list((stage.lake(ABROAD) / "playback").glob("*.parquet"))) == 13


def test_passwords_are_in_one_closed_file(stage: Stage) -> None:
    assert stage.passfile.stat().st_mode & 0o077 == 0
    passwords = [server.password for server in stage.servers.values()]
    for file in stage.directory.rglob("*"):
        if file.is_file() and file != stage.passfile and "data" not in file.parts:
            assert not any(p in file.read_text(errors="replace") for p in passwords), file


def test_the_declarations_load(stage: Stage) -> None:
    estate = load_estate(stage.directory / "estate.yaml")
    assert [s.name for s in estate.cells("app")] == [ABROAD, HOME]
    assert [m.id for m in load_mandates(estate)] == ["us-home"]


def test_a_folder_in_use_is_refused(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not empty"):
        build(stage.directory, PEOPLE)
    with pytest.raises(UsageError, match="no demo"):
        remove(tmp_path)


def test_it_stops_and_is_removed(tmp_path: Path) -> None:
    directory = tmp_path / "demo"
    made = build(directory, 50)
    (directory / "notes.txt").write_text("mine")
    opened(directory).stop()
    assert all(server.pid() is None for server in made.servers.values())
    places = [server.directory for server in made.servers.values()]
    remove(directory)
    assert not any(place.exists() or place.parent.exists() for place in places)
    assert [f.name for f in directory.iterdir()] == ["notes.txt"]
