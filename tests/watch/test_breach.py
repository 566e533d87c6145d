"""A breach: whose data lay there, by country, who must be told by when; and certificates."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domicile.cli.main import main
from domicile.errors import EvidenceError
from domicile.evidence.keys import SigningKey
from domicile.evidence.place import state_directory, verifier_path
from domicile.watch.breach import breach, drafted
from tests.conftest import ROOT
from tests.watch.world import make_world

AWARE = datetime(2026, 9, 10, 8, 0, tzinfo=UTC)
WEEKLY = """\
mandate: weekly
title: A certificate every week
status: voluntary
effective: 2026-01-01
protects: {residence: [US]}
clauses:
  - {id: certify, report: {to: [CFIUS], what: A certificate of compliance, every: week}}
"""


@pytest.fixture
def estate(tmp_path: Path) -> Path:
    path = make_world(tmp_path, 25)
    with closing(sqlite3.connect(tmp_path / "abroad.db")) as connection:
        connection.execute("INSERT INTO person VALUES (3, 'cas@example.org', NULL, NULL)")
        connection.commit()
    text = "mandate: our-breaches\nextends: gdpr-breach\n"
    (tmp_path / "mandates" / "breach.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "mandates" / "weekly.yaml").write_text(WEEKLY, encoding="utf-8")
    return path


def told(estate: Path, store: str = "abroad") -> dict[str, Any]:
    today = datetime.now(UTC).date()
    return breach(estate, store, today - timedelta(days=3), today, AWARE)


def test_whose_data_by_country(estate: Path) -> None:
    document = told(estate)
    assert {(p["country"], p["people"]) for p in document["people"]} == {
        ("US", 1), ("NL", 1), (None, 1),
    }  # fmt: skip
    assert "user.contact.email" in document["categories"]
    assert [t["rows"] for t in document["tables"] if t["table"] == "app.person"] == [3]


def test_who_must_be_told_by_when(estate: Path) -> None:
    """72 hours, for people in the EEA and those whose residence nobody knows; not for Americans."""
    lines = told(estate)["tell"]
    assert {(line["clause"], line["country"]) for line in lines} == {
        ("authority", "NL"), ("authority", None), ("people", "NL"), ("people", None),
    }  # fmt: skip
    assert {line["by"] for line in lines} == {"2026-09-13T08:00+00:00"}


def test_those_who_left_meanwhile_are_counted(estate: Path) -> None:
    """The survey of the time is in the log: who was moved away after it lay there all the same."""
    assert main(["map", "--estate", str(estate)]) == 0
    with closing(sqlite3.connect(estate.parent / "abroad.db")) as connection:
        connection.executescript("DELETE FROM orders; DELETE FROM person WHERE country = 'NL';")
    document = told(estate)
    assert ("NL", 1) in {(p["country"], p["people"]) for p in document["people"]}
    assert document["surveys"] >= 1


def test_a_damaged_log_is_not_taken_for_none(estate: Path) -> None:
    assert told(estate)["surveys"] >= 1
    public = verifier_path(state_directory(estate))
    public.write_text(f"{SigningKey.generate('domicile/other').verifier}\n", encoding="utf-8")
    with pytest.raises(EvidenceError):
        told(estate)


@pytest.mark.parametrize("language", ["en", "nl"])
def test_the_notice_is_drafted(estate: Path, language: str) -> None:
    text = drafted(told(estate), language)
    assert "Netherlands (NL)" in text
    assert "2026-09-13T08:00" in text
    assert "user.contact.email" in text
    assert ("[in te vullen]" if language == "nl" else "[to be filled in]") in text
    assert "example.org" not in text


def test_the_command(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["breach", "abroad", "--estate", str(estate), "--since", "2026-01-01"]
    target = estate.parent / "notice.md"
    assert main([*arguments, "--aware", "2026-09-10T08:00", "-o", str(target), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    page = (ROOT / "docs" / "commands" / "breach.md").read_text(encoding="utf-8")
    assert set(document) <= set(re.findall(r"`(\w+)`", page))
    assert target.read_text(encoding="utf-8").startswith("# Notice")
    assert main([*arguments, "--until", "2025-01-01"]) == 2
    assert main(["breach", "abrod", "--estate", str(estate), "--since", "2026-01-01"]) == 2
    assert "Did you mean abroad?" in capsys.readouterr().err


def test_duties_and_a_certificate(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["duties", "--estate", str(estate), "--json"]) == 0
    listed = {d["clause"]: d for d in json.loads(capsys.readouterr().out)["duties"]}
    due = date.fromisoformat(listed["certify"]["due"])
    assert 0 < (due - datetime.now(UTC).date()).days <= 7
    assert listed["authority"]["due"] is None
    assert main(["verify", "--estate", str(estate)]) in (0, 1)
    capsys.readouterr()
    draft = ["duties", "--estate", str(estate), "--draft", "weekly/certify"]
    assert main([*draft, "-o", str(estate.parent / "c.md"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert any(fact["what"] == "verifications" for fact in document["facts"])
    text = (estate.parent / "c.md").read_text(encoding="utf-8")
    assert text == document["text"]
    assert text.startswith("# A certificate of compliance (draft)")
    assert "To: CFIUS" in text
    page = (ROOT / "docs" / "commands" / "duties.md").read_text(encoding="utf-8")
    assert {*document, *listed["certify"]} <= set(re.findall(r"`(\w+)`", page))
    assert main([*draft[:-1], "weekly/certfy"]) == 2
    assert "Did you mean weekly/certify?" in capsys.readouterr().err
