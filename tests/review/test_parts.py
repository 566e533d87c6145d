"""The parts of a review by themselves: figures, words, plots, the states of clauses."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

import pytest

from domicile.errors import EvidenceError
from domicile.estate.load import load_estate
from domicile.evidence.kinds import DOUBTS, HOLDS, STATES, make
from domicile.law.load import load_mandates
from domicile.plan import findings, objects_report, verdicts
from domicile.review.assess import MOST_BYTES, WITHHELD, _parts, fits
from domicile.review.clauses import standing
from domicile.review.figures import Figures
from domicile.review.model import Figure, State
from domicile.review.plots import FILLS, LETTERS, Band, Bar, bands, bars, deadlines, world
from domicile.review.view import RANGES, refs
from domicile.review.words import Words
from tests.review.world import DAY, write_world

ENTRIES: dict[int, dict[str, Any]] = {
    2: {"rows": 3, "people": [{"people": 4}, {"people": 5}], "plan": "sha256:ab"},
    7: {"rows": 30},
}
SVG = "{http://www.w3.org/2000/svg}"


def test_a_figure_is_what_its_entries_say() -> None:
    figures = Figures(ENTRIES)
    both = figures.of("rows", (2, "rows"), (7, "rows"))
    assert (both.value, both.entries) == (33, (2, 7))
    assert figures.of("people", (2, "people.1.people")).value == 5
    assert figures.of("the plan", (2, "plan")).value == "sha256:ab"
    assert figures.of("again", (2, "rows"), (7, "rows")) is both  # one thing, one figure
    assert len({f.id for f in (both, figures.of("rows of 7", (7, "rows")))}) == 2


@pytest.mark.parametrize(
    "places", [(), ((2, "none"),), ((3, "rows"),), ((2, "people.9.people"),), ((2, "people"),),
               ((2, "rows"), (2, "plan"))],
)  # fmt: skip
def test_what_no_entry_says_is_no_figure(places: tuple[tuple[int, str], ...]) -> None:
    with pytest.raises(EvidenceError):
        Figures(ENTRIES).of("rows", *places)


def test_long_lists_go_on_in_entries_that_each_fit() -> None:
    lines = [("clauses", {"mandate": "m" * 150, "clause": str(n), "state": "met", "findings": 0,
                          "people": 0, "rows": 0}) for n in range(2_000)]  # fmt: skip
    parts = list(_parts(lines))
    assert [line for part in parts for line in part["clauses"]] == [line for _, line in lines]
    assert len(parts) > 2000 * 150 // MOST_BYTES
    for part in parts:
        made = make("assessment", "shop", as_of="2026-01-01", mandates=[],
                    estate_digest="sha256:" + "0" * 64, **part)  # fmt: skip
        assert len(json.dumps(made)) < 65_535
    assert list(_parts([])) == [{}]


def test_a_name_that_no_entry_may_hold_is_withheld() -> None:
    assert fits("app.person") == "app.person"
    assert (fits("a@b.example"), fits("x" * 300)) == (WITHHELD, WITHHELD)


def test_states_and_reasons_have_words_in_both_languages() -> None:
    file = resources.files("domicile.review").joinpath("words.json")
    texts: dict[str, list[str]] = json.loads(file.read_text("utf-8"))
    for key, said in texts.items():
        assert len(said) == 2, key
        assert all(said), key
        given = [sorted(re.findall(r"{(\w+)}", text)) for text in said]
        assert given[0] == given[1], key
    assert set(get_args(State)) == STATES
    needed = [f"state_{s}" for s in STATES] + [f"hold_{h}" for h in HOLDS]
    needed += [f"doubt_{d}" for d in DOUBTS]
    assert [key for key in needed if key not in texts] == []


def test_every_reason_of_a_plan_has_its_word_in_the_log() -> None:
    codes = {*findings.SAID, *objects_report.HELD, verdicts.FILE}
    assert {code.replace(" ", "_") for code in codes} <= HOLDS
    source = Path(findings.__file__).read_text() + Path(objects_report.__file__).read_text()
    for code in DOUBTS:
        assert f'"{code}"' in source


def test_numbers_and_dates_are_written_as_there() -> None:
    english, dutch = Words("en"), Words("nl")
    assert (english.number(12345), dutch.number(12345)) == ("12,345", "12.345")
    assert english.moment("2026-01-23T10:00:00.5Z") == "23 January 2026, 10:00 UTC"
    assert dutch.moment(1_769_162_400) == "23 januari 2026, 10:00 UTC"
    with pytest.raises(ValueError, match="got de"):
        Words("de")


def test_entries_are_named_as_ranges() -> None:
    assert refs([3]) == [{"to": 3, "v": "3"}]
    assert [r["v"] for r in refs([1, 2, 3, 7, 9, 10])] == ["1\u20133", "7", "9\u201310"]
    assert len(refs(range(0, 40, 2))) == RANGES + 1


def tree(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314 - our own


def texts(svg: str) -> list[str]:
    return ["".join(e.itertext()) for e in tree(svg).iter(f"{SVG}text")]


def marked(svg: str) -> dict[str, str]:
    found = tree(svg).iter(f"{SVG}text")
    return {e.attrib["data-figure"]: e.text or "" for e in found if "data-figure" in e.attrib}


EVIL = "<script>&\"'"


def test_plots_mark_their_numbers_and_escape_their_words() -> None:
    words = Words("nl")
    figures = [Figure(f"f{n}", "x", value, ((0, "x"),)) for n, value in enumerate((1200, 3, 0))]
    parts = tuple(zip(FILLS, figures, strict=False))
    plot = bars("p", "t", "d", [Bar(EVIL, parts)], {"solid": EVIL}, words)
    assert marked(plot.svg) == {"f0": "1.200", "f1": "3"}  # what is nothing is not drawn
    assert [f.id for f in plot.figures] == ["f0", "f1"]
    assert texts(plot.svg).count(EVIL) == 2
    flow = bands("b", "t", "d", [Band("A", EVIL, 1200, True), Band("B", EVIL, 3, False)],
                 {"A": figures[0], "B": figures[1]}, {EVIL: figures[0]}, words)  # fmt: skip
    assert marked(flow.svg) == {"f0": "1.200", "f1": "3"}
    line = deadlines("d", "t", "d", [(EVIL, date(2026, 1, 1), "x")], DAY, words)
    assert EVIL in texts(line.svg)
    shown = world("w", "t", "d", {"NL": 5, "SG": 1, "ZZ": 9}, {"US": [EVIL], "TV": ["x"]}, words)
    assert any(EVIL in text for text in texts(shown.svg))
    long = bars("l", "t", "d", [Bar("x" * 40 + "end", parts)], {}, words)
    (label,) = (text for text in texts(long.svg) if text.endswith("end"))
    assert (len(label), label[0]) == (LETTERS, "…")  # its end tells it apart
    for each in (plot, flow, line, shown):
        assert "style=" not in each.svg  # the page's policy forbids it


def test_plots_of_nothing_are_plots() -> None:
    words = Words("en")
    nothing = Figure("f1", "x", 0, ((0, "x"),))
    assert marked(bars("p", "t", "d", [Bar("a", (("solid", nothing),))], {}, words).svg) == {}
    assert texts(world("w", "t", "d", {}, {}, words).svg)
    assert marked(bands("b", "t", "d", [], {"A": nothing}, {"B": nothing}, words).svg)


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    estate = load_estate(write_world(tmp_path_factory.mktemp("declared")))
    return estate, load_mandates(estate, (), DAY)


PLAN: dict[str, Any] = {"findings": [], "unknown": []}


def found(state: str, clause: str, rows: int, **more: Any) -> dict[str, Any]:
    mandate, _, name = clause.partition("/")
    return {"mandate": mandate, "clause": name, "state": state, "store": "abroad",
            "subjects": rows, "rows": rows, **more}  # fmt: skip


@pytest.mark.parametrize(
    ("plan", "devices", "clause", "state"),
    [
        ({}, None, "home/rest", "met"),
        ({"findings": [found("curable", "home/rest", 2), found("held", "home/rest", 1)]}, None,
         "home/rest", "broken"),
        ({"findings": [found("held", "home/rest", 1), found("unknown", "home/rest", 1)]}, None,
         "home/rest", "held"),
        ({"unknown": [{"store": "abroad"}]}, None, "home/rest", "unknown"),
        ({"unknown": [{"store": "home"}]}, None, "home/rest", "met"),
        ({}, None, "home/look", "not_checked"),
        ({}, None, "home/told", "not_checked"),
        ({"findings": [found("held", "ads/profiling", 0)]}, None, "ads/profiling", "held"),
        ({}, None, "ads/nobody", "met"),
        ({}, None, "ban/remove", "not_checked"),
        ({}, {}, "ban/remove", "unknown"),
        ({}, {("ban", "remove"): {"present": 1, "absent": 5}}, "ban/remove", "broken"),
        ({}, {("ban", "remove"): {"stale": 1, "absent": 5}}, "ban/remove", "unknown"),
        ({}, {("ban", "remove"): {"absent": 5}}, "ban/remove", "met"),
        ({"findings": [found("curable", "later/rest", 2)]}, None, "later/rest", "not_in_effect"),
    ],
)  # fmt: skip
def test_the_state_of_a_clause(
    declared: tuple[Any, Any], plan: dict[str, Any], devices: Any, clause: str, state: str
) -> None:
    estate, mandates = declared
    lines = {
        f"{s.mandate.id}/{s.clause.id}": s
        for s in standing(estate, mandates, {**PLAN, **plan}, devices, DAY)
    }
    assert lines[clause].state == state


def test_what_nothing_was_held_against_is_not_met(declared: tuple[Any, Any]) -> None:
    estate, mandates = declared
    silent = replace(estate, flows=())
    lines = {f"{s.mandate.id}/{s.clause.id}": s.state
             for s in standing(silent, mandates, PLAN, None, DAY)}  # fmt: skip
    assert (lines["ads/nobody"], lines["home/rest"]) == ("not_checked", "met")


def test_people_are_counted_by_store_and_deadlines_are_those_that_bind(
    declared: tuple[Any, Any],
) -> None:
    estate, mandates = declared
    mine = [found("curable", "home/rest", n, store=s) for n, s in ((2, "a"), (5, "a"), (3, "b"))]
    lines = standing(estate, mandates, {**PLAN, "findings": mine}, None, DAY)
    by_name = {f"{s.mandate.id}/{s.clause.id}": s for s in lines}
    rest = by_name["home/rest"]
    assert (rest.findings, rest.people, rest.rows) == (3, 8, 10)
    assert rest.due == date(2026, 9, 1)
    assert by_name["ban/remove"].due == date(2023, 3, 15)
    assert by_name["ads/nobody"].due is None
    weekly = replace(by_name["home/told"].mandate, deadline=None)
    assert standing(estate, [weekly], PLAN, None, DAY)[2].due == date(2026, 12, 1)
