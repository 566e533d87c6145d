"""`domicile law`: the library listed, shown and adapted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from domicile.cli.main import main


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["law", *arguments, "--json"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    mandates = run(capsys, "list", "--as-of", "2026-06-01")["mandates"]
    assert len(mandates) >= 20
    by_id = {m["id"]: m for m in mandates}
    assert by_id["ieepa-tiktok-2020"]["status"] == "revoked"
    assert by_id["pafaca"]["deadline"] == "2025-01-19"
    then = run(capsys, "list", "--as-of", "2020-10-01", "--status", "enjoined")["mandates"]
    assert [m["id"] for m in then] == ["ieepa-tiktok-2020"]
    assert main(["law", "list", "--country", "holland"]) == 0
    printed = capsys.readouterr().out
    assert "nl-collective-claim" in printed
    assert "coppa" not in printed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list", "--country", "Holand"], "Did you mean"),
        (["list", "--category", "user.contact.emial"], "user.contact.email"),
        (["show", "clovr"], "Did you mean clover?"),
        (["new", "x", "--extends", "clovr"], "Did you mean clover?"),
    ],
)
def test_the_nearest_is_suggested(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["law", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_show_names_a_source_for_each_clause(capsys: pytest.CaptureFixture[str]) -> None:
    mandate = run(capsys, "show", "us-data-security-program")["mandate"]
    assert all(clause["source"] and clause["citation"] for clause in mandate["clauses"])
    assert main(["law", "show", "us-data-security-program"]) == 0
    printed = capsys.readouterr().out
    for clause in mandate["clauses"]:
        assert clause["id"] in printed
    assert "28 CFR 202.601" in printed


def test_new(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "new", "ours", "--extends", "clover")["mandate"] == "ours"
    shown = run(capsys, "show", "mandates/ours.yaml")["mandate"]
    assert shown["extends"] == "clover"
    assert [c["id"] for c in shown["clauses"]] == ["rest", "restricted", "allowable"]
    assert main(["law", "new", "ours"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert run(capsys, "new", "fresh", "-o", "fresh.yaml")["mandate"] == "fresh"
    assert main(["law", "new", "No Good"]) == 2
    assert "small letters" in capsys.readouterr().err
    assert not (tmp_path / "mandates" / "No Good.yaml").exists()
