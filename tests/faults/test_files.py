"""The same faults where rows have files: nothing is lost, no row is home without its file."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.estate import SQLITE
from tests.faults.trials import FORMS, Bench, Place, SqliteBench
from tests.servers import TestServer

pytestmark = pytest.mark.faults

TRIALS = max(4, int(os.environ.get("DOMICILE_TRIALS", "40")) * 3 // 10)
SEED = int(os.environ.get("DOMICILE_SEED", "20260123"))

STORES = """
  media:      {url: "file:media", country: SG, operator: Clips Ltd, holds: media}
  media_home: {url: "file:media_home", country: US, operator: Custodian Inc, holds: media}
subjects:"""
OBJECTS = """
objects:
  - {store: media, key: "videos/{app.video.video_id}/film.mp4"}
"""

Files = dict[str, bytes]


def with_files(directory: Path) -> None:
    """Declare the folders, and put a film into one of them for most videos."""
    estate = directory / "estate.yaml"
    text = estate.read_text()
    if "objects:" in text:
        return
    estate.write_text(text.replace("\nsubjects:", STORES, 1) + OBJECTS)
    (directory / "media_home").mkdir()
    for number in range(1, 61):
        if number % 7:
            film = directory / f"media/videos/{number}/film.mp4"
            film.parent.mkdir(parents=True)
            film.write_bytes(f"film {number} ".encode() * number)


def films(folder: Path) -> Files:
    """Path → bytes of every file, whatever its name."""
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def named(files: Files) -> Files:
    """Files that have their name."""
    return {path: b for path, b in files.items() if ".domicile-tmp-" not in path}


class FilesTrials(Bench):
    """What is true of files, beside what is true of rows. For both kinds of database."""

    def _databases(self, directory: Path) -> tuple[str, str]:
        with_files(directory)
        return super()._databases(directory)

    def nothing_lost(self, place: Place, *changed: str) -> None:
        super().nothing_lost(place, *changed)
        source, home = films(place.directory / "media"), films(place.directory / "media_home")
        before = films(self.template / "media")
        for path, content in before.items():
            assert named(source).get(path) == content or home.get(path) == content, path
        # A row of the person, not a stub: as it was at the source.
        rows = set(self.before[0]["video"]) & set(place.contents()[1]["video"])
        for row in rows:
            number = str(row[0]).strip("()").split(",")[0]
            path = f"videos/{number}/film.mp4"
            assert path not in before or path in home, f"row {number} is at home without its file"

    def as_undisturbed(self, place: Place) -> None:
        super().as_undisturbed(place)
        for folder in ("media", "media_home"):
            assert films(place.directory / folder) == self.films[folder], folder

    def finish(self) -> None:
        """What an undisturbed run makes of the files."""
        whole = self.place()
        assert whole.apply() == 0, whole.output()
        self.films = {f: films(whole.directory / f) for f in ("media", "media_home")}
        moved = self.films["media_home"]
        assert len(moved) > 10
        assert not moved.keys() & self.films["media"].keys()
        assert {**self.films["media"], **moved} == films(self.template / "media")
        self.drop(whole)


class SqliteFiles(FilesTrials, SqliteBench):
    """Two SQLite files and two folders."""


@pytest.fixture(scope="module")
def trials(scratch: Path) -> Iterator[SqliteFiles]:
    """The estate of 60 people with files, in SQLite."""
    made = SqliteFiles(scratch / "trials_files")
    made.finish()
    yield made
    made.close()


@pytest.fixture(scope="module")
def postgres(server: TestServer, scratch: Path) -> Iterator[FilesTrials]:
    """The same in PostgreSQL."""
    made = FilesTrials(server, scratch / "pg_files")
    made.finish()
    yield made
    made.close()


def disturb(bench: FilesTrials, number: int, names: tuple[str, ...]) -> None:
    """Fail at a random point of those whose names begin so, then resume."""
    rng = random.Random(f"{SEED}-files-{number}")
    points = [i for i, p in enumerate(bench.points, 1) if p.startswith(names)]
    place = bench.place()
    nth, form = rng.choice(points), rng.choice(FORMS)
    code = place.apply({"nth": nth, "form": form})
    # 0: what failed was tidying up, of a folder that is empty by now.
    tidy = (0,) if bench.points[nth - 1] == "os.fsync" else ()
    allowed = (-9,) if form.startswith("die") else (3, 5, *tidy)
    assert code in allowed, (nth, form, place.output())
    bench.after(place, code, thorough=number % 7 == 0)
    bench.drop(place)


@pytest.mark.parametrize("number", range(TRIALS))
def test_a_write_to_a_folder_fails_or_is_the_last(trials: SqliteFiles, number: int) -> None:
    disturb(trials, number, ("os.", "State.write INSERT OR REPLACE INTO object_file", "Log."))


@pytest.mark.parametrize("number", range(max(2, TRIALS // 3)))
def test_the_same_with_postgresql(postgres: FilesTrials, number: int) -> None:
    disturb(postgres, number, ("os.", "State.", "Log.", "PostgresEnd."))


@pytest.mark.parametrize("number", range(max(2, TRIALS // 3)))
def test_killed_at_any_moment(trials: SqliteFiles, number: int) -> None:
    place = trials.place()
    moment = random.Random(f"{SEED}-{number}").uniform(0.0, trials.seconds)
    trials.after(place, trials.kill_at(place, moment), thorough=False)
    trials.drop(place)


def test_a_file_rewritten_after_a_kill_goes_as_it_is(trials: SqliteFiles) -> None:
    place = trials.place()
    nth = trials.point("SqliteEnd.commit")  # files are copied, and no row
    assert place.apply({"nth": nth, "form": "die_before"}) == -9
    path = sorted(trials.films["media_home"])[0]
    (place.directory / "media" / path).write_bytes(b"another cut")
    with closing(sqlite3.connect(place.source.removeprefix(SQLITE))) as connection:
        assert connection.execute("SELECT count(*) FROM video").fetchone()[0] == 60
    place.resume()
    assert films(place.directory / "media_home") == {
        **trials.films["media_home"], path: b"another cut"
    }  # fmt: skip
    assert films(place.directory / "media") == trials.films["media"]
    trials.drop(place)
