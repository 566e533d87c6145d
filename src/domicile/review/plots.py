"""Drawings of a review as SVG that stands alone: the page and the PDF show the same.

Shares are told apart by pattern and word, never by colour alone. Numbers are figures: each text
that shows one is marked with its id, as in the page, so that the verifier finds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from typing import Literal

from domicile.review.model import Figure, Plot
from domicile.review.words import Words
from domicile.survey.map_picture import HEIGHT, SHADES, WIDTH, outlines, shade, steps

Fill = Literal["solid", "hatch", "dots", "open", "cross", "light"]

WIDE, LABEL, ROW = 760, 200, 30
"""Width of a plot, of its labels, and the height of a row, in its own units."""

LETTERS = 24
"""Of a label, also in a wide font."""

INK, SOLID, PALE = "#1b1d1f", "#0b5c6b", "#ffffff"
TINTS = ("#ffffff", "#dce9eb", "#b3d0d5", "#7fb0b9", "#3f8592", "#0b4650")
"""Shades of the world map, lighter to darker: they differ in lightness."""

_PLAIN: dict[Fill, str] = {"solid": SOLID, "open": PALE, "light": "#c9d8da"}
"""Fills that are no pattern; the others are drawn in `_patterns`."""

FILLS: tuple[Fill, ...] = ("solid", "hatch", "dots", "open", "cross", "light")


@dataclass(frozen=True)
class Bar:
    """One row of a bar chart: its parts in order."""

    label: str
    parts: tuple[tuple[Fill, Figure], ...]

    @property
    def total(self) -> int:
        """The sum of its parts."""
        return sum(_count(figure) for _, figure in self.parts)


def bars(
    id_: str, title: str, described: str, rows: Sequence[Bar], legend: Mapping[Fill, str],
    words: Words,
) -> Plot:  # fmt: skip
    """Horizontal bars on one scale; each part with its number, inside or after the bar.

    What the fills mean is said below them: what all parts share is for the title to say.
    """
    most = max((row.total for row in rows), default=0)
    scale = (WIDE - LABEL - 150) / most if most else 0.0
    body, shown = [], list[Figure]()
    for number, row in enumerate(rows):
        y = number * ROW + 6
        body.append(_text(LABEL - 10, y + 14, _label(row.label), anchor="end"))
        at, after = float(LABEL), list[tuple[Fill, Figure]]()
        for fill, figure in row.parts:
            if not figure.value:
                continue
            width = max(_count(figure) * scale, 1.5)
            body.append(_box(id_, fill, at, y, width, 19))
            text = words.shown(figure.value)
            if width > 9 * len(text) + 10:
                body.append(_number(figure, text, at + width / 2, y + 14, plate=9 * len(text)))
                shown.append(figure)
            else:
                after.append((fill, figure))
            at += width
        for fill, figure in after:
            text = words.shown(figure.value)
            if len(row.parts) > 1:
                body.append(_box(id_, fill, at + 8, y + 4, 11, 11))
                at += 16
            body.append(_number(figure, text, at + 8, y + 14, anchor="start"))
            at += 9 * len(text) + 14
            shown.append(figure)
    height = len(rows) * ROW + 8
    if legend:
        body += _legend(id_, legend, height + 4)
        height += 26 * (1 + (len(legend) - 1) // _columns(legend))
    return Plot(id_, title, described, _svg(WIDE, height, body, _patterns(id_)), tuple(shown))


def deadlines(
    id_: str, title: str, described: str, rows: Sequence[tuple[str, date, str]], today: date,
    words: Words,
) -> Plot:  # fmt: skip
    """A line of time: the deadline of each clause, and the day of the review."""
    days = [today, *(due for _, due, _ in rows)]
    first, last = min(days).toordinal(), max(days).toordinal()
    span = max(last - first, 1)
    left, right = LABEL + 20, WIDE - 40

    def x(day: date) -> float:
        return left + (right - left) * (day.toordinal() - first) / span

    bottom = len(rows) * 40 + 14
    now = x(today)
    body = [
        f'<path d="M{now:.1f} 4V{bottom}" stroke="{INK}" stroke-width="2" stroke-dasharray="5 4"/>',
        _text(min(max(now, 84), WIDE - 84), bottom + 16, words("today"), anchor="middle",
              bold=True),
        _text(min(max(now, 84), WIDE - 84), bottom + 32, words.day(today.isoformat()),
              anchor="middle"),
    ]  # fmt: skip
    for number, (label, due, said) in enumerate(rows):
        y, at = number * 40 + 22, x(due)
        body.append(f'<path d="M{left} {y}H{right}" stroke="#9a9a9a" stroke-width="1"/>')
        body.append(f'<path d="M{min(at, now):.1f} {y}H{max(at, now):.1f}" stroke="{SOLID}" '
                    'stroke-width="4"/>')  # fmt: skip
        past = due < today
        body.append(f'<path d="M{at - 8:.1f} {y - 8}h16l-8 14z" fill="{SOLID if past else PALE}" '
                    f'stroke="{SOLID}" stroke-width="2"/>')  # fmt: skip
        body.append(_text(LABEL - 10, y + 5, _label(label), anchor="end"))
        anchor = "start" if at < WIDE * 0.6 else "end"
        text = f"{words.day(due.isoformat())}: {said}"
        body.append(_text(at + (12 if anchor == "start" else -12), y - 8, text, anchor=anchor))
    return Plot(id_, title, described, _svg(WIDE, bottom + 40, body, ""))


@dataclass(frozen=True)
class Band:
    """People who live in one country while their data rest in another, or in the same."""

    source: str  # label at the left
    target: str  # label at the right
    people: int
    crossing: bool


def bands(
    id_: str, title: str, described: str, between: Sequence[Band], left: Mapping[str, Figure],
    right: Mapping[str, Figure], words: Words,
) -> Plot:  # fmt: skip
    """Bands between two columns of countries, as thick as people; those that cross are hatched."""
    total = sum(band.people for band in between)
    tall = max(180.0, 30.0 * max(len(left), len(right)))
    gap = 8.0

    def stack(sides: Mapping[str, Figure]) -> dict[str, list[float]]:
        room = tall - gap * (len(sides) - 1)
        tops: dict[str, list[float]] = {}
        least = min(14.0, room / max(len(sides), 1))
        free = room - least * len(sides)
        at = 10.0
        for name, figure in sides.items():
            high = least + free * _count(figure) / total if total else least
            tops[name] = [at, high, at]  # top, height, where the next band begins
            at += high + gap
        return tops

    ins, outs = stack(left), stack(right)
    x1, x2 = 230.0, WIDE - 200.0
    body = []
    for band in between:
        a, b = ins[band.source], outs[band.target]
        ha = a[1] * band.people / max(_count(left[band.source]), 1)
        hb = b[1] * band.people / max(_count(right[band.target]), 1)
        mid = (x1 + x2) / 2
        fill = f"url(#{id_}-hatch)" if band.crossing else "#c9d8da"
        body.append(
            f'<path d="M{x1 + 12} {a[2]:.1f}C{mid} {a[2]:.1f} {mid} {b[2]:.1f} {x2} {b[2]:.1f}'
            f"V{b[2] + hb:.1f}C{mid} {b[2] + hb:.1f} {mid} {a[2] + ha:.1f} {x1 + 12} "
            f'{a[2] + ha:.1f}Z" fill="{fill}" stroke="#55595e" stroke-width=".6"/>'
        )
        a[2] += ha
        b[2] += hb
    for tops, sides, x, anchor in ((ins, left, x1, "end"), (outs, right, x2, "start")):
        for name, figure in sides.items():
            top, high, _ = tops[name]
            body.append(f'<rect x="{x}" y="{top:.1f}" width="12" height="{high:.1f}" '
                        f'fill="{INK}"/>')  # fmt: skip
            text = words.shown(figure.value)
            y = top + high / 2 + 5
            wide = 9 * len(text)
            if anchor == "end":
                body.append(_number(figure, text, x - 8, y, anchor="end"))
                body.append(_text(x - 14 - wide, y, name, anchor="end"))
            else:
                body.append(_number(figure, text, x + 20, y, anchor="start"))
                body.append(_text(x + 28 + wide, y, name, anchor="start"))
    svg = _svg(WIDE, tall + 20, body, _patterns(id_))
    return Plot(id_, title, described, svg, (*left.values(), *right.values()))


def world(
    id_: str, title: str, described: str, people: Mapping[str, int],
    stores: Mapping[str, Sequence[str]], words: Words,
) -> Plot:  # fmt: skip
    """Countries shaded by people, a numbered mark for each country with stores."""
    drawn, ends = outlines(), steps(max(people.values(), default=0))
    body = [
        f'<path d="{path}" fill="{TINTS[shade(people.get(code, 0), ends)]}" stroke="#8a8f94" '
        'stroke-width=".8" stroke-linejoin="round"/>'
        for code, path in drawn["paths"].items()
    ]
    for code, count in people.items():
        if code not in drawn["paths"] and code in drawn["middles"]:
            x, y = drawn["middles"][code]
            body.append(f'<circle cx="{x}" cy="{y}" r="7" fill="{TINTS[shade(count, ends)]}" '
                        f'stroke="{INK}" stroke-width="1.5"/>')  # fmt: skip
    for number, code in enumerate(stores, 1):
        if code in drawn["middles"]:
            x, y = drawn["middles"][code]
            body.append(
                f'<circle cx="{x}" cy="{y}" r="19" fill="{PALE}" stroke="{INK}" stroke-width="5"/>'
                f'<text x="{x}" y="{y + 8}" text-anchor="middle" font-size="24" font-weight="700" '
                f'fill="{INK}">{number}</text>'
            )
    body += _scale(ends, stores, words)
    rows = 1 + len(stores)
    svg = _svg(WIDTH, HEIGHT + 44 + 36 * rows, body, "", size=26)
    return Plot(id_, title, described, svg)


def _scale(ends: Sequence[int], stores: Mapping[str, Sequence[str]], words: Words) -> Iterator[str]:
    """The legend of the world: what the shades mean, and whose the marks are."""
    x, y, first = 10, HEIGHT + 40, 1
    for end in [0, *ends]:
        label = words("none") if not end else words.number(end)
        if end > first:
            label = f"{words.number(first)}\u2013{words.number(end)}"
        fill = TINTS[shade(end, ends) if end else 0]
        yield (f'<rect x="{x}" y="{y - 22}" width="40" height="26" fill="{fill}" '
               f'stroke="{INK}" stroke-width="1"/>')  # fmt: skip
        yield _text(x + 50, y, label, size=26)
        x += 80 + 15 * len(label)
        first = end + 1
    for number, (code, names) in enumerate(stores.items(), 1):
        y += 36
        yield _text(10, y, f"{number}  {words.country(code)}: {', '.join(names)}", size=26)


assert len(TINTS) == SHADES + 1  # nobody, and each shade


def _count(figure: Figure) -> int:
    assert isinstance(figure.value, int)  # plots are of numbers
    return figure.value


def _label(text: str) -> str:
    """A label with its end, by which names tell each other apart, where it is too long."""
    return text if len(text) <= LETTERS else "…" + text[1 - LETTERS :]


def _svg(wide: float, tall: float, body: Sequence[str], defs: str, size: int = 14) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:g} {tall:g}" '
        f'font-size="{size}">{defs}{"".join(body)}</svg>'
    )


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", bold: bool = False, size: int = 0
) -> str:
    more = ' font-weight="700"' if bold else ""
    more += f' font-size="{size}"' if size else ""
    short = text if len(text) <= 60 else text[:59] + "…"
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{INK}"{more}>'
            f"{escape(short)}</text>")  # fmt: skip


def _number(
    figure: Figure, text: str, x: float, y: float, *, anchor: str = "middle", plate: float = 0
) -> str:
    """A figure in a drawing; on a white plate where it stands on a pattern."""
    under = ""
    if plate:
        under = (f'<rect x="{x - plate / 2 - 3:.1f}" y="{y - 13:.1f}" width="{plate + 6:.1f}" '
                 f'height="17" fill="{PALE}" rx="2"/>')  # fmt: skip
    return (f'{under}<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{INK}" '
            f'font-weight="700" data-figure="{figure.id}">{escape(text)}</text>')  # fmt: skip


def _box(id_: str, fill: Fill, x: float, y: float, wide: float, tall: float) -> str:
    how = _PLAIN.get(fill) or f"url(#{id_}-{fill})"
    return (f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{tall}" '
            f'fill="{how}" stroke="{INK}" stroke-width="1"/>')  # fmt: skip


def _columns(legend: Mapping[Fill, str]) -> int:
    """Two columns where every label fits in half of the width, also in a wide font."""
    return 2 if max(map(len, legend.values())) <= 26 else 1


def _legend(id_: str, legend: Mapping[Fill, str], top: float) -> Iterator[str]:
    columns = _columns(legend)
    for number, (fill, label) in enumerate(legend.items()):
        x, y = LABEL + 280 * (number % columns), top + 26 * (number // columns)
        yield _box(id_, fill, x, y, 26, 16)
        yield _text(x + 34, y + 13, label)


def _patterns(id_: str) -> str:
    """The fills of one plot, under names of its own: a page has several."""
    marks = {
        "hatch": f'<path d="M-2 2l4-4M0 8l8-8M6 10l4-4" stroke="{INK}" stroke-width="1.6"/>',
        "dots": f'<circle cx="2" cy="2" r="1.3" fill="{INK}"/>'
                f'<circle cx="6" cy="6" r="1.3" fill="{INK}"/>',
        "cross": f'<path d="M0 8l8-8M0 0l8 8" stroke="{INK}" stroke-width="1"/>',
    }  # fmt: skip
    made = "".join(
        f'<pattern id="{id_}-{name}" width="8" height="8" patternUnits="userSpaceOnUse">'
        f'<rect width="8" height="8" fill="{PALE}"/>{mark}</pattern>'
        for name, mark in marks.items()
    )
    return f"<defs>{made}</defs>"
