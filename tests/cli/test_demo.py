"""`domicile demo` from the outside: the Americans are home, and nothing of it is taken on trust."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from domicile.cli.main import main
from tests.need import wheel

PEOPLE = 400


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    wheel()
    yield tmp_path / "demo"
    if (tmp_path / "demo").exists():
        assert main(["demo", "--remove", "--dir", str(tmp_path / "demo")]) == 0


def test_the_americans_come_home(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--dir", str(folder), "--people", str(PEOPLE), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    abroad, home = shown["before"]
    assert abroad["americans"] > PEOPLE / 10
    assert home["americans"] == home["found"] == 0
    assert abroad["found"] == min(100, abroad["americans"])

    abroad_after, home_after = shown["after"]
    assert abroad_after["americans"] == 0, "nobody American is left abroad"
    assert abroad_after["found"] == 0, "no file abroad holds a byte of their e-mail addresses"
    assert home_after["americans"] == abroad["americans"], "all of them are at home"
    assert home_after["found"] == abroad["found"]
    assert (abroad_after["events"], home_after["events"]) == (0, abroad["events"])
    assert abroad["events"] > 0
    assert abroad_after["others"] == abroad["others"], "nobody else has moved"
    assert home_after["others"] == 0
    assert shown["checkpoint"].count("\n") >= 4


def test_stop_without_a_demo_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--stop", "--dir", str(tmp_path)]) == 2
    assert "there is no demo in" in capsys.readouterr().err
