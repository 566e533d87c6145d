"""The table of bars is built rightly from given figures."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

import bench.__main__ as runner
from bench.bars import Bar, Row, rows, shown, table

MOST = Bar(2, "a move", "ratio", most=1.25)
LEAST = Bar(3, "entries", "entries/s", least=10_000, unit="/s")
BOTH = Bar(4, "an estimate", "by the real time", most=1.5, least=0.67)


@pytest.mark.parametrize(
    ("bar", "figure", "within"),
    [
        (MOST, 1.25, True), (MOST, 1.26, False), (MOST, None, None),
        (LEAST, 10_000, True), (LEAST, 9_999.9, False),
        (BOTH, 1.0, True), (BOTH, 0.5, False), (BOTH, 1.6, False),
    ],
)  # fmt: skip
def test_a_figure_is_within_its_bar_or_not(
    bar: Bar, figure: float | None, within: bool | None
) -> None:
    assert Row("some", bar, figure).within is within


def test_the_table_names_each_bar_with_its_figure() -> None:
    bars = {"log": [LEAST], "move": [MOST], "estimate": [BOTH]}
    figures: dict[str, dict[str, object]] = {
        "move": {"ratio": 1.5, "rows": 9},
        "log": {"entries/s": 20_175},
    }
    assert table(rows(bars, figures)).splitlines() == [
        "issue  what                 bar  figure  within",
        "2      a move            ≤ 1.25    1.50  no",
        "3      entries      ≥ 10,000 /s  20,175  yes",
        "4      an estimate  0.67 to 1.5       -  not measured",
    ]


def test_a_figure_that_is_no_number_is_none() -> None:
    (row,) = rows({"move": [MOST]}, {"move": {"ratio": "left out"}})
    assert (row.figure, row.within) == (None, None)
    assert row.document()["within"] is None


def test_figures_are_shown_short() -> None:
    assert [shown(n) for n in (3.14159, 123456.7, 1_000_000, "x", None)] == [
        "3.14", "123,457", "1,000,000", "x", "-",
    ]  # fmt: skip


def test_there_is_a_bar_for_each_of_the_four_issues() -> None:
    found = [bar for name in runner.names() for bar in runner.bars_of(name)]
    assert {bar.issue for bar in found} >= {2, 3, 4, 5}
    assert all(bar.most is not None or bar.least is not None for bar in found)
    assert len({(bar.issue, bar.what) for bar in found}) == len(found)


def test_a_whole_run_prints_and_keeps_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the quickest benchmark there is, in a process of its own as always."""
    results = tmp_path / "results.json"
    monkeypatch.setattr(runner, "RESULTS", results)
    assert runner.main(["library"]) == 0
    said = capsys.readouterr().out
    kept = json.loads(results.read_text("utf-8"))
    (bar,) = kept["bars"]
    assert (bar["issue"], bar["bar"]) == (4, "≤ 10 s")
    assert bar["figure"] == kept["figures"]["library"]["check, s"]
    assert kept["failed"] == []
    assert f"4      {bar['what']}" in said


def test_one_that_cannot_be_run_is_said_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner, "RESULTS", tmp_path / "results.json")
    found = {"log": None, "library": {"check, s": 2.5}}
    monkeypatch.setattr(runner, "_apart", found.get)
    assert runner.main(["log", "library"]) == 1
    said = capsys.readouterr()
    assert "could not be run: log" in said.err
    assert [line.split()[-1] for line in said.out.splitlines() if line.startswith("4 ")] == ["yes"]


def test_an_unknown_benchmark_is_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.main(["nonsense"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("no benchmark nonsense; there are ")
    assert "classification" in said


def test_results_are_no_part_of_the_repository() -> None:
    root = Path(runner.__file__).parents[1]
    assert "/bench/results.json" in (root / ".gitignore").read_text("utf-8").splitlines()


def test_every_benchmark_says_how_to_read_it() -> None:
    for path in Path(runner.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        assert path.name == "__init__.py" or ast.get_docstring(tree), path.name
