"""Two days or two mandates side by side: days that are odd, and what cannot be compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from domicile.cli.main import main
from tests.watch.world import make_world


def told(capsys: pytest.CaptureFixture[str], estate: Path, *arguments: str) -> dict[str, Any]:
    assert main(["compare", *arguments, "--estate", str(estate), "--json"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_odd_days(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same day twice, backwards, a leap day, and the first and last that there are."""
    estate = make_world(tmp_path, 25)
    days = {"2026-01-01": 1, "2025-12-31": 0, "2024-02-29": 0, "0001-01-01": 0, "9999-12-31": 1}
    for first, second in (
        ("2026-01-01", "2026-01-01"), ("2026-01-01", "2025-12-31"), ("2024-02-29", "2026-01-01"),
        ("0001-01-01", "9999-12-31"),
    ):  # fmt: skip
        document = told(capsys, estate, first, second)
        assert document["as_of"] == document["sides"] == [first, second]
        (people,) = [line for line in document["figures"] if line["what"] == "people"]
        expected = days[first], days[second], days[second] - days[first]
        assert (people["first"], people["second"], people["difference"]) == expected


def test_a_mandate_beside_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    estate, own = make_world(tmp_path, 25), str(tmp_path / "mandates" / "home.yaml")
    document = told(capsys, estate, own, own, "--as-of", "2026-01-01")
    assert document["clauses"] == []
    counts = [line for line in document["figures"] if line["what"] != "seconds"]
    assert counts
    assert all(line["difference"] == 0 for line in counts)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["2026-02-30", "2026-03-01"], "got 2026-02-30, expected a day that there is"),
        (["2026-02-28", "2026-02-29"], "got 2026-02-29, expected a day that there is"),
        (["2026-13-01", "2026-00-01"], "got 2026-13-01, expected a day that there is"),
        (["2026-01-01", "clover"], "expected two mandates or two days"),
        (["2026-01-01", "2026W01"], "expected two mandates or two days"),
        (["clovr", "clover"], "Did you mean clover?"),
        (["2026-01-01", "2027-01-01", "--as-of", "2026-01-01"], "got --as-of with two days"),
    ],
)
def test_what_cannot_be_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    estate = make_world(tmp_path, 25)
    assert main(["compare", *arguments, "--estate", str(estate)]) == 2
    assert said in capsys.readouterr().err
