"""The commands about devices, as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from domicile.cli.main import main
from tests.devices.made import TIKTOK, write_estate
from tests.test_docs import page, said

PHONES = f"""\
id,name,owner,ownership,platform,scope,seen,app
d1,Ana's phone,ana@example.org,corporate,ios,all,2023-03-14T08:00:00Z,{TIKTOK}
d2,Bea's phone,bea@example.org,personal,android,managed,2023-03-14T08:00:00Z,com.work
"""
LATER = "2023-03-15T09:00:00Z"


@pytest.fixture
def estate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = write_estate(tmp_path)
    (tmp_path / "phones.csv").write_text(PHONES, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return file


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["devices", *arguments, "--json"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_the_keys_of_documents_are_those_on_the_page(
    estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command, *rest in (
        ["sync", "--at", "2023-03-14T09:00:00Z"], ["list"], ["show", "d1"], ["explain", "d1"],
        ["report"], ["policy", "nginx"], ["policy", "apple"],
        ["notify", "--dry-run", "--at", "2023-03-14T09:00:00Z"],
    ):  # fmt: skip
        said("devices", run(capsys, command, *rest), f"### {command}")


def test_what_a_person_reads(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices", "sync", "--at", LATER]) == 0
    assert main(["devices", "list", "--refused", "--at", LATER]) == 0
    assert main(["devices", "show", "d1"]) == 0
    assert main(["devices", "explain", "Ana's phone", "--at", LATER]) == 0
    printed = capsys.readouterr().out
    for text in ("2 devices", "not observable", f"has         {TIKTOK}, forbidden by ban/remove",
                 "d1 (phones) is refused, as of 2023-03-15T09:00:00Z",
                 "access    refused: the app is there", "evidence  entry"):  # fmt: skip
        assert text in printed


def test_errors_are_one_line_and_a_code(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices", "explain", "d9"]) == 2
    assert main(["devices", "list", "--at", "tomorrow"]) == 2
    (estate.parent / "phones.csv").write_text("id,app\nd1,x,y\n")
    assert main(["devices", "sync"]) == 3
    printed = capsys.readouterr().err
    assert "no inventory has a device d9" in printed
    assert "expected a time as 2023-03-15T00:00:00Z" in printed
    assert "fleet phones: phones.csv is no CSV at line 2" in printed


def test_every_reason_is_explained() -> None:
    from domicile.devices.model import REASONS

    text = page("devices")
    for reason, words in REASONS.items():
        assert f"| `{reason}` | {words} |" in text
