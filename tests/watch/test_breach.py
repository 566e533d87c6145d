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
from domicile.watch.breach import breach
from domicile.watch.breach_draft import drafted
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
    """The authority within 72 hours, people without delay (Article 34 has no hours): those in the
    EEA and those whose residence nobody knows; not Americans."""
    lines = told(estate)["tell"]
    assert {(line["clause"], line["country"]) for line in lines} == {
        ("authority", "NL"), ("authority", None), ("people", "NL"), ("people", None),
    }  # fmt: skip
    assert {(line["clause"], line["by"]) for line in lines} == {
        ("authority", "2026-09-13T08:00+00:00"), ("people", None),
    }  # fmt: skip


def test_the_duties_are_those_of_the_day_on_which_it_was_noticed(estate: Path) -> None:
    """What took effect between the breach and its discovery asks to be told."""
    day = date(2018, 5, 24)
    assert breach(estate, "abroad", day, day, AWARE)["tell"]
    before = datetime(2018, 5, 24, 23, 59, tzinfo=UTC)
    assert breach(estate, "abroad", day, day, before)["tell"] == []


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
    said = {
        "en": ("- Netherlands (NL): 1", "country unknown: 1", "- contact: user.contact.",
               "user.contact.email",
               "- supervisory authority, Netherlands (NL) (1): by 13 September 2026, 08:00 UTC",
               "- data subjects, Netherlands (NL) (1): without undue delay", "[to be filled in]",
               "Data protection officer"),
        "nl": ("- Nederland (NL): 1", "land onbekend: 1", "- contact: user.contact.",
               "user.contact.email",
               "- toezichthouder, Nederland (NL) (1): uiterlijk 13 september 2026, 08:00 UTC",
               "- betrokkenen, Nederland (NL) (1): onverwijld", "[in te vullen]",
               "Functionaris gegevensbescherming"),
    }  # fmt: skip
    assert [each for each in said[language] if each not in text] == []
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
    assert "not in effect" not in text
    assert main([*draft[:-1], "weekly/certfy"]) == 2
    assert "Did you mean weekly/certify?" in capsys.readouterr().err


def test_a_draft_says_what_was_not_verified_and_what_is_not_in_effect(
    estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["map", "--estate", str(estate)]) == 0
    weekly = estate.parent / "mandates" / "weekly.yaml"
    weekly.write_text(WEEKLY.replace("voluntary", "revoked"), encoding="utf-8")
    capsys.readouterr()
    for name, cited in (
        ("weekly/certify", "A certificate every week.\n"),
        ("our-breaches/authority",
         "Regulation (EU) 2016/679, Articles 33 and 34; Article 33(1).\n"),
    ):  # fmt: skip
        assert main(["duties", "--estate", str(estate), "--draft", name]) == 0
        text = capsys.readouterr().out
        assert cited in text
        assert "- verifications: 0\n" in text
        assert ("This clause is not in effect on" in text) == (name == "weekly/certify")
