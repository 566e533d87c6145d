"""The map's page in a real browser: what it loads, how it fits, who can read and reach it."""

from __future__ import annotations

import re
from datetime import date
from html import escape
from pathlib import Path
from typing import Any

import pytest

from domicile.survey.datamap import make_map
from domicile.survey.map_html import to_html
from domicile.survey.map_picture import SHADES, shade, steps
from tests.survey.mapped import DAY, ESTATE, write_database, write_shop
from tests.web.browser import measure

EVIL = "</style></title><script>document.title='taken'</script><img src=x onerror=alert(1)>"

AA = 4.5  # contrast of text, WCAG 2.2, 1.4.3


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    directory = tmp_path_factory.mktemp("shop")
    estate = write_shop(directory, ESTATE.replace("operator: Oracle", "operator: 'Öracle & <Co>'"))
    quoted = EVIL.replace('"', '""')
    write_database(directory / "abroad.db", f'CREATE TABLE "{quoted}" ("{quoted}" TEXT)',
                   f'INSERT INTO "{quoted}" VALUES (\'eve@example.org\')')  # fmt: skip
    return make_map(estate, date.fromisoformat(DAY))


@pytest.fixture(scope="module", params=["en", "nl"])
def page(request: pytest.FixtureRequest, document: dict[str, Any]) -> str:
    return to_html(document, request.param)


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_and_can_be_read(page: str, width: int, dark: bool) -> None:
    found = measure(page, width, dark=dark)
    assert found["dark"] is dark
    assert found["overflow"] == 0  # tables scroll within themselves
    assert found["weakest"]["ratio"] >= AA, found["weakest"]
    assert found["unreachable"] == []  # what scrolls can be reached with the keyboard


def test_it_loads_nothing_and_runs_nothing(page: str) -> None:
    found = measure(page, 800)
    assert found["console"] == []
    assert (found["loads"], found["handlers"]) == ([], [])
    assert "shop" in found["title"]
    assert "taken" not in found["title"]
    assert "default-src 'none'" in page
    assert not re.search(r"https?://", page)


def test_it_is_marked_up_for_those_who_do_not_see_it(page: str) -> None:
    found = measure(page, 800)
    assert (found["twice"], found["broken_links"]) == ([], [])
    assert (found["captionless"], found["headless"], found["unlabelled"]) == ([], [], [])
    assert f'lang="{found["language"]}"' in page


def test_it_shows_the_figures_of_the_map(document: dict[str, Any]) -> None:
    found = measure(to_html(document), 1280)
    totals = document["totals"]
    assert found["figures"] == [
        str(totals[k]) for k in ("unknown", "people", "minors", "abroad", "residences", "rows")
    ]
    assert found["headings"][1] == "What is unknown"
    assert (found["shaded"], found["pins"]) == (3, 2)
    for text in ("United Kingdom (GB)", "customer_id → customer", "Öracle & <Co>", EVIL):
        assert text in found["text"]


def test_dutch_is_dutch(document: dict[str, Any]) -> None:
    found = measure(to_html(document, "nl"), 1280)
    assert found["language"] == "nl"
    assert found["headings"][1] == "Wat onbekend is"
    assert "Verenigd Koninkrijk (GB)" in found["text"]
    assert "22 november 2026" in found["text"]


def test_every_name_is_escaped(document: dict[str, Any]) -> None:
    page = to_html(document)
    assert escape(EVIL) in page
    assert "<img" not in page
    assert "<script" not in page


def test_a_map_of_nothing_is_a_page(tmp_path: Path) -> None:
    estate = write_shop(tmp_path)
    for store in ("abroad", "home"):
        write_database(
            tmp_path / f"{store}.db",
            *(f'DELETE FROM "{t}"' for t in ("message", "order", "customer", "address", "staff")),
        )
    found = measure(to_html(make_map(estate)), 400)
    assert found["overflow"] == 0
    assert found["shaded"] == 0
    assert "No store has a register with people in it." in found["text"]


def test_another_language_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="got de, expected one of en, nl"):
        to_html(document, "de")


@pytest.mark.parametrize("most", [1, 2, 3, 7, 60, 1_000, 80_000_000])
def test_shades_grow_with_people(most: int) -> None:
    ends = steps(most)
    assert ends == sorted(set(ends))
    assert ends[-1] == most
    assert shade(0, ends) == 0
    shades = [shade(end, ends) for end in ends]
    assert shades == sorted(set(shades))
    assert shades[-1] == SHADES
