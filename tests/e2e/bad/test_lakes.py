"""Lakes that are no lakes: truncated and odd Parquet, a folder that is not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.e2e import support
from tests.e2e.bad.world import BODY, check
from tests.e2e.support import Estate

PEOPLE = pa.table(
    {"id": [1, 2, 3], "name": ["Ada Quill", "Bo Ark", "Cy Dunn"], "country": ["US", "NL", "US"]}
)


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    """A lake of people abroad, and an empty folder at home."""
    (tmp_path / "abroad" / "person").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    for number in range(2):
        pq.write_table(
            PEOPLE.slice(number * 2, 2), tmp_path / "abroad" / "person" / f"{number}.parquet"
        )
    return Estate(tmp_path / "e", f"file://{tmp_path}/abroad", f"file://{tmp_path}/home", BODY)


def part(estate: Estate) -> Path:
    return estate.folder.parent / "abroad" / "person" / "1.parquet"


def truncated(estate: Estate) -> None:
    part(estate).write_bytes(part(estate).read_bytes()[:-20])


def emptied(estate: Estate) -> None:
    part(estate).write_bytes(b"")


def words(estate: Estate) -> None:
    part(estate).write_bytes(b"PAR1 Ada Quill was here PAR1")


def other_columns(estate: Estate) -> None:
    pq.write_table(pa.table({"id": [9], "land": ["US"]}), part(estate))


def other_type(estate: Estate) -> None:
    pq.write_table(
        pa.table({"id": ["nine"], "name": ["Ada Quill"], "country": ["US"]}), part(estate)
    )


@pytest.mark.parametrize("spoil", [truncated, emptied, words, other_columns, other_type])
def test_a_file_that_is_no_part_of_its_table(
    spoil: Callable[[Estate], None], estate: Estate
) -> None:
    spoil(estate)
    before = {p: p.read_bytes() for p in sorted(estate.folder.parent.rglob("*.parquet"))}
    ran = support.run(
        "plan", "--estate", str(estate.file), "--json", "-o", str(estate.folder / "plan.json")
    )
    check(ran, ran.code, "store abroad", "1.parquet")
    assert ran.code in (2, 3, 4, 5)
    after = {p: p.read_bytes() for p in sorted(estate.folder.parent.rglob("*.parquet"))}
    assert after == before


def test_a_folder_that_is_not_there(estate: Estate) -> None:
    part(estate).parent.rename(estate.folder / "elsewhere")
    part(estate).parent.parent.rmdir()
    ran = support.run("plan", "--estate", str(estate.file), "--json")
    check(ran, 3, "store abroad", "abroad")


def test_a_lake_as_it_should_be(estate: Estate) -> None:
    """The control: with nothing spoilt, two people go home."""
    estate.plan()
    estate.apply()
    there = pa.concat_tables(
        pq.read_table(p) for p in sorted((estate.folder.parent / "home").rglob("*.parquet"))
    )
    assert sorted(there["id"].to_pylist()) == [1, 3]
