"""The board's page: what it shows is what was counted, and everybody can read it."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile.cli.main import main
from domicile.devices.board import Page, spans, to_html
from domicile.devices.model import ClauseKey
from domicile.devices.plot import Axis, Line, bars, nice, steps
from domicile.devices.record import DeviceRecord
from domicile.devices.report import report
from domicile.evidence import place
from tests.devices.made import DEADLINE, ESTATE, MANDATE, TIKTOK, write_estate
from tests.devices.test_sync import Source, phone, run
from tests.web.browser import measure

KEY = ClauseKey("ban", "remove")
DAY = timedelta(days=1)
EVIL = "</style></title><script>document.title='taken'</script><img src=x onerror=alert(1)>"
PRIVATE = "Ana's <private> phone"


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Ten days around the deadline: forty devices, of which fewer have the app each day."""
    directory = tmp_path_factory.mktemp("board")
    mandate = MANDATE.replace("title: The app leaves our devices", f"title: {json.dumps(EVIL)}")
    file = write_estate(directory, ESTATE, mandate)
    source = Source()
    for number in range(10):
        now = DEADLINE + (number - 5) * DAY
        source.list = [[
            phone(n, seen=now, name=PRIVATE, scope="managed" if n < 4 else "all",
                  hits={KEY: TIKTOK} if n >= 4 + 3 * number and n < 34 else {})
            for n in range(40)
        ]]  # fmt: skip
        run(file, source, now)
    record = DeviceRecord(place.state_directory(file))
    with record.transaction():
        for number, (stage, days) in enumerate((("first", -5), ("refused", 0), ("restored", 1))):
            record.connection.execute(
                "INSERT INTO notice VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'sent', '')",
                ("phones", "d9", "ban", "remove", "user9@example.org", number, stage, "present",
                 (DEADLINE + days * DAY).timestamp()),
            )  # fmt: skip
    record.close()
    return report(file, DEADLINE + 5 * DAY)


@pytest.fixture(scope="module", params=["en", "nl"])
def page(request: pytest.FixtureRequest, document: dict[str, Any]) -> str:
    return to_html(document, request.param)


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_everybody_can_read_it_and_it_loads_nothing(page: str, width: int, dark: bool) -> None:
    found = measure(page, width, dark=dark)
    assert (found["dark"], found["overflow"]) == (dark, 0)
    assert found["weakest"]["ratio"] >= 4.5, found["weakest"]  # WCAG 2.2, 1.4.3
    assert found["unreachable"] == []
    assert (found["twice"], found["broken_links"]) == ([], [])
    assert (found["captionless"], found["headless"], found["unlabelled"]) == ([], [], [])
    assert (found["console"], found["loads"], found["handlers"]) == ([], [], [])
    assert "taken" not in found["title"]
    assert EVIL in found["text"]
    assert f'lang="{found["language"]}"' in page
    assert not re.search(r"https?://", page)


def test_it_names_nobody(page: str) -> None:
    said = re.sub(r"<code>[0-9a-f]{64}</code>|'sha256-[^']*'", "", page)  # digests are of no name
    for private in ("Ana", "private", "user9", "alias-", TIKTOK):
        assert private not in said
    assert not re.search(r"\bd\d+\b", re.sub(r"<[^>]*>", " ", said))


def test_it_shows_the_figures(document: dict[str, Any]) -> None:
    (clause,) = document["clauses"]
    found = measure(to_html(document), 1280)
    lost = sum(day["refused"] for day in document["days"])
    back = sum(day["restored"] for day in document["days"])
    assert found["figures"] == ["40", str(clause["refused"]), str(lost), str(back), "3"]
    assert lost > back > 0
    assert "15 March 2023" in found["text"]
    assert "uiterste dag" in to_html(document, "nl")
    for line in clause["series"]:
        assert f'<td class="numbers">{spans(line["entries"])}</td>' in to_html(document)


def test_a_page_of_nothing(tmp_path: Path) -> None:
    document = report(write_estate(tmp_path), DEADLINE)
    found = measure(to_html(document, "nl"), 390)
    assert (found["overflow"], found["console"]) == (0, [])
    assert "Nothing was recorded yet" in to_html(document)
    with pytest.raises(ValueError, match="expected one of en, nl"):
        to_html(document, "de")


def test_lines_differ_without_colour(document: dict[str, Any]) -> None:
    """By dashes and widths; bars by being full or empty."""
    style = to_html(document).partition("<style>")[2].partition("</style>")[0]
    looks = {}
    for name in ("present", "not_observable", "stale"):
        found = re.findall(rf"\.line\.{name}[^{{]*{{([^}}]*)}}", style)
        looks[name] = tuple(
            re.sub(r"stroke:[^;]*;?", "", part) for part in found
        )  # what is left without the colour
    assert len(set(looks.values())) == 3
    assert ".bar.back{fill:var(--paper)}" in style


def test_the_command_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_estate(tmp_path)
    run(file, Source([phone(1)]), DEADLINE)
    target = tmp_path / "board.html"
    options = ["devices", "report", "--estate", str(file), "--at", "2023-03-16T00:00:00Z"]
    assert main([*options, "-o", str(target), "--language", "nl"]) == 0
    assert 'lang="nl"' in target.read_text("utf-8")
    assert f"Wrote {target}" in capsys.readouterr().out
    assert main([*options, "-o", str(tmp_path / "board.pdf")]) == 2
    assert "ends in .html" in capsys.readouterr().err
    assert main([*options, "-o", str(tmp_path / "none" / "board.html")]) == 2


@given(st.sets(st.integers(0, 60)))
def test_spans_are_the_numbers(numbers: set[int]) -> None:
    found: set[int] = set()
    for part in filter(None, spans(sorted(numbers)).split(", ")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    assert found == numbers


@given(st.integers(0, 10**9))
def test_a_scale_holds_its_values_and_is_not_much_longer(most: int) -> None:
    top = nice(most)
    assert top >= most
    assert top % 2 == 0
    assert top <= max(4, 2 * most)


@given(
    st.dictionaries(st.dates(date(2023, 1, 1), date(2025, 12, 31)), st.integers(0, 10**6),
                    min_size=1, max_size=30),
    st.dates(date(2022, 1, 1), date(2026, 12, 31)),
)  # fmt: skip
def test_nothing_is_drawn_outside(values: dict[date, int], deadline: date) -> None:
    axis = Axis.of(list(values), Page("nl").short, deadline)
    line = Line("present", "x", values)
    for drawn in (steps("a", "t", "d", axis, [line], "w"), bars("b", "t", "d", axis, [line], "w")):
        for x in re.findall(r"[MLH ](?:x=\")?(\d+\.\d)", drawn):
            assert 0 <= float(x) <= 360
        assert "nan" not in drawn
        assert len(axis.ticks()) <= 5
