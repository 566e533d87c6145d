"""The report for the board as one HTML file that loads nothing, in English and Dutch.

Every name comes from a declaration or a mandate, so all are escaped, and the page forbids itself
scripts and any source but its own style. It names no person and no device. It can be read in black
and white: lines differ by their dashes, bars by their filling.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from hashlib import sha256
from importlib import resources
from typing import TYPE_CHECKING, Any

from domicile.devices.model import VERDICTS
from domicile.devices.plot import Axis, Line, bars, key, steps
from domicile.devices.words import LANGUAGES

if TYPE_CHECKING:
    from jinja2 import Environment, Template

Doc = Mapping[str, Any]

STAGES = ("first", "30", "7", "1", "refused", "restored")


class Page:
    """One language's words, numbers and dates."""

    def __init__(self, language: str) -> None:
        """`language` is one of LANGUAGES. Raises ValueError."""
        if language not in LANGUAGES:
            raise ValueError(f"got {language}, expected one of {', '.join(LANGUAGES)}")
        self.language = language

    def say(self, name: str, **given: object) -> str:
        """A text with its numbers and names filled in."""
        return str(_words()[name][self.language]).format(
            **{k: self.number(v) if isinstance(v, int) else v for k, v in given.items()}
        )

    def stage(self, name: str) -> str:
        """What a notice is called."""
        return str(_words()["stages"][self.language].get(name, name))

    def number(self, value: int) -> str:
        """`1,234` or `1.234`."""
        return f"{value:,}".replace(",", "," if self.language == "en" else ".")

    def day(self, iso: str, form: str = "d MMMM y") -> str:
        """A date in words: `22 November 2026`."""
        from babel.dates import format_date

        locale = {"en": "en_GB", "nl": "nl"}[self.language]
        return str(format_date(date.fromisoformat(iso), form, locale))

    def short(self, day: date) -> str:
        """A date below a plot: `22 Nov`."""
        return self.day(day.isoformat(), "d MMM")


def to_html(document: Doc, language: str = "en") -> str:
    """The page of a document of `report`. Raises ValueError for another language."""
    page = Page(language)
    style = _text("board.css")
    return _template().render(
        language=language, say=page.say, style=_safe(style), table=_table,
        digest=b64encode(sha256(style.encode()).digest()).decode(),
        title=page.say("title", estate=document["estate"]),
        lead=page.say("lead", day=page.day(document["day"])),
        figures=_figures(document, page),
        clauses=[_clause(document, each, number, page)
                 for number, each in enumerate(document["clauses"], start=1)],
        told=_told(document["notices"], page),
        requests=_requests(document["requests"], page),
        head=page.say("head", n=document["log"]["entries"]) if document["log"]["root"] else "",
        root=document["log"]["root"],
    )  # fmt: skip


def spans(numbers: Sequence[int]) -> str:
    """Numbers in order, those that follow each other as a span: `3, 7-9`."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in found)


def _figures(document: Doc, page: Page) -> list[dict[str, Any]]:
    def total(name: str) -> int:
        return sum(each[name] for each in document["days"])

    refused = max((each["refused"] for each in document["clauses"]), default=0)
    notices = sum(each["notices"] for each in document["notices"])
    sent = sum(each["sent"] for each in document["notices"])
    return [
        {"term": page.say(name), "big": page.number(value), "small": small, "alarm": alarm}
        for name, value, small, alarm in (
            ("devices", document["devices"], "", False),
            ("refused", refused, "", bool(refused)),
            ("lost", total("refused"), "", False),
            ("restored", total("restored"), "", False),
            ("told", notices, page.say("told_sent", n=sent) if notices else "", False),
        )
    ]


def _clause(document: Doc, clause: Doc, number: int, page: Page) -> dict[str, Any]:
    deadline = page.day(clause["deadline"])
    blocks = clause["otherwise"] == "block"
    names = (*VERDICTS, "not_covered")
    return {
        "title": clause["title"],
        "name": f"{clause['mandate']}/{clause['clause']}",
        "when": page.say("deadline_at" if blocks else "deadline_asked", day=deadline),
        "now": _rows(
            page.say("now"),
            [page.say("devices"), *(page.say(n) for n in names), page.say("refused_col")],
            [[page.number(sum(clause[n] for n in names)),
              *(page.number(clause[n]) for n in (*names, "refused"))]],
            listed=False,
        ),
        "plots": _plots(document, clause, number, page) if clause["series"] else [],
        "behind": _rows(
            page.say("at_end"),
            [page.say("day"), *(page.say(n) for n in VERDICTS), page.say("refused_col"),
             page.say("lost_bar"), page.say("back_bar"), page.say("entries")],
            [[page.day(line["day"]), *(page.number(line[n]) for n in (*VERDICTS, "refused",
              "refused_on", "restored_on")), spans(line["entries"])] for line in clause["series"]],
        ),
    }  # fmt: skip


def _plots(document: Doc, clause: Doc, number: int, page: Page) -> list[dict[str, Any]]:
    series = clause["series"]
    days = [date.fromisoformat(line["day"]) for line in series]
    axis = Axis.of(
        [*days, date.fromisoformat(document["day"])], page.short,
        date.fromisoformat(clause["deadline"]) if clause["otherwise"] == "block" else None,
    )  # fmt: skip
    word = page.say("deadline")
    under = Line("total", page.say("under"), {
        date.fromisoformat(line["day"]): sum(line[n] for n in VERDICTS) for line in series
    })  # fmt: skip
    absent = _line(series, "absent", "absent", page.say("absent"))
    doubted = [_line(series, name, name, page.say(name)) for name in VERDICTS if name != "absent"]
    refused = _line(series, "refused", "refused", page.say("refused_col"))
    moved = [
        _line(series, "refused_on", "lost", page.say("lost_bar")),
        _line(series, "restored_on", "back", page.say("back_bar")),
    ]
    lost, back = (sum(each.values.values()) for each in moved)
    told = [
        ("devices_plot", "d", [under, absent]),
        ("verdicts", "v", [each for each in doubted if any(each.values.values())]),
        ("refused_plot", "r", [refused]),
    ]
    return [
        {"caption": page.say(name),
         "svg": _safe(steps(f"{letter}{number}", page.say(name), page.say("about", now=", ".join(
             f"{page.number(each.last)} {each.label}" for each in lines)), axis, lines, word)),
         "legend": [{"key": _safe(key(each)), "label": each.label} for each in lines]}
        for name, letter, lines in told
    ] + [
        {"caption": page.say("access"),
         "svg": _safe(bars(f"a{number}", page.say("access"),
                           page.say("access_about", lost=lost, back=back), axis, moved, word)),
         "legend": [{"key": _safe(key(each, bar=True)), "label": each.label} for each in moved]},
    ]  # fmt: skip


def _line(series: Iterable[Doc], field: str, name: str, label: str) -> Line:
    values = {date.fromisoformat(line["day"]): int(line[field]) for line in series}
    return Line(name, label, values)


def _told(notices: Sequence[Doc], page: Page) -> dict[str, Any] | None:
    if not notices:
        return None
    days: dict[date, int] = {}
    for line in notices:
        for day, count in line["days"].items():
            days[date.fromisoformat(day)] = days.get(date.fromisoformat(day), 0) + count
    told = Line("told", page.say("count"), days)
    ordered = sorted(notices, key=lambda line: STAGES.index(line["stage"])
                     if line["stage"] in STAGES else len(STAGES))  # fmt: skip
    return {
        "svg": _safe(bars("n", page.say("notices"),
                          page.say("notices_about", n=sum(days.values())),
                          Axis.of(list(days), page.short), [told], "")),
        "table": _rows(
            page.say("notices"),
            [page.say("stage"), page.say("count"), page.say("sent"), page.say("entries")],
            [[page.stage(line["stage"]), page.number(line["notices"]), page.number(line["sent"]),
              spans(line["entries"])] for line in ordered],
        ),
    }  # fmt: skip


def _requests(requests: Sequence[Doc], page: Page) -> dict[str, Any] | None:
    if not requests:
        return None
    return _rows(
        page.say("requests"),
        [page.say("point"), page.say("refused_col"), page.say("allowed"), page.say("opened"),
         page.say("entries")],
        [[line["point"].replace("_", " "), *(page.number(line[n]) for n in (
            "refused", "allowed", "opened")), spans(line["entries"])] for line in requests],
    )  # fmt: skip


def _rows(
    caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], *, listed: bool = True
) -> dict[str, Any]:
    """A table of numbers. A row's first cell names it; where `listed`, its last are entries."""
    return {"caption": caption, "heads": heads, "rows": rows, "listed": listed}


def _table(table: Doc) -> Any:
    return _safe(_table_template().render(**table))


@cache
def _template() -> Template:
    return _environment().from_string(_text("board.html"))


@cache
def _table_template() -> Template:
    return _environment().from_string(_text("board_table.html"))


def _environment() -> Environment:
    from jinja2 import Environment, StrictUndefined

    return Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)


@cache
def _words() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_text("board.json"))
    return found


@cache
def _text(name: str) -> str:
    return resources.files("domicile.devices").joinpath(name).read_text("utf-8")


def _safe(text: str) -> Any:
    """A text of our own making, whose parts were escaped."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - ours; see plot.py and the templates
