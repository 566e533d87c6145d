"""The timeline: in order, in both languages, linked to the library, and the same in the docs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from domicile.cli.main import main
from domicile.law.source import library
from domicile.law.timeline import Language, State, events, markdown, of_mandate

DOCS = Path(__file__).parents[2] / "docs"


def test_from_2020_to_2026_in_order() -> None:
    days = [event.on for event in events()]
    assert days == sorted(days)
    assert (days[0][:4], days[-1][:4]) == ("2020", "2026")
    assert all(re.fullmatch(r"20\d\d-\d\d(-\d\d)?", day) for day in days)


def test_each_has_a_source_a_state_and_two_languages() -> None:
    for event in events():
        assert event.source
        assert event.state in get_args(State)
        assert event.text["en"] != event.text["nl"]
        assert set(event.mandates) <= set(library())
        if "memory" in event.source or "inferred" in event.source:
            assert not event.verified
    assert {event.state for event in events()} == set(get_args(State))


@pytest.mark.parametrize("language", get_args(Language))
def test_the_page_is_the_timeline(language: Language) -> None:
    assert markdown(events(), language) in (DOCS / "affair.md").read_text(encoding="utf-8")


def test_histories_of_mandates_are_in_it() -> None:
    """A change of status that the library tells is an event here, on the same day."""
    from datetime import date

    from domicile.law.catalogue import shipped

    for mandate in shipped(date(2026, 6, 1)):
        for change in mandate.history:
            assert change.on.isoformat() in [e.on for e in of_mandate(mandate.id)], mandate.id


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["law", "timeline", "--mandate", "ieepa-tiktok-2020", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["events"]
    assert [e["state"] for e in told] == ["confirmed", "enjoined", "enjoined", "superseded"]
    assert main(["law", "timeline", "--language", "nl"]) == 0
    assert "door de rechter verboden" in capsys.readouterr().out
    assert main(["law", "timeline", "--mandate", "nothing"]) == 2
