"""Plots over days as inline SVG: steps and bars, told apart by dashes and hatching, not by colour.

A plot is drawn 360 units wide, so that on a phone a unit is a pixel and its letters can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from html import escape

WIDTH, HEIGHT = 360, 190
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 16, 24

AHEAD = timedelta(days=60)
"""How far ahead of the last day a deadline is still drawn."""

TICKS = 4


@dataclass(frozen=True)
class Line:
    """Values by day; each holds until the next day that has one. `name` is a class of the style."""

    name: str
    label: str
    values: Mapping[date, int]

    @property
    def last(self) -> int:
        """What holds at the end."""
        return self.values[max(self.values)] if self.values else 0


@dataclass(frozen=True)
class Axis:
    """The days of a plot, and how they are written."""

    first: date
    last: date
    short: Callable[[date], str]
    deadline: date | None = None

    @classmethod
    def of(
        cls, days: Sequence[date], short: Callable[[date], str], deadline: date | None = None
    ) -> Axis:
        """The axis of these days; with the deadline, where it is not far off."""
        first, last = min(days), max(days)
        if deadline is not None and not first - AHEAD <= deadline <= last + AHEAD:
            deadline = None
        if deadline is not None:
            first, last = min(first, deadline), max(last, deadline)
        return cls(first, last, short, deadline)

    def x(self, day: date) -> float:
        """Where a day begins; the last one is drawn whole."""
        days = (self.last - self.first).days + 1
        return LEFT + (WIDTH - LEFT - RIGHT) * (day - self.first).days / days

    def ticks(self) -> list[date]:
        """Days to write below: the first and a few more."""
        days = (self.last - self.first).days + 1
        step = max(1, -(-days // TICKS))
        return [self.first + timedelta(days=n) for n in range(0, days, step)]


def steps(id_: str, title: str, about: str, axis: Axis, lines: Sequence[Line], word: str) -> str:
    """Lines that hold until they change. `word` names the deadline."""
    top = nice(max((value for line in lines for value in line.values.values()), default=0))
    drawn = []
    for line in lines:
        days = sorted(line.values)
        parts: list[str] = []
        for number, day in enumerate(days):
            until = days[number + 1] if number + 1 < len(days) else axis.last + timedelta(days=1)
            y = _y(line.values[day], top)
            parts.append(f"{'L' if parts else 'M'}{axis.x(day):.1f} {y:.1f}H{axis.x(until):.1f}")
        if parts:
            drawn.append(f'<path class="line {line.name}" d="{"".join(parts)}"/>')
    return _svg(id_, title, about, axis, top, "".join(drawn), word)


def bars(id_: str, title: str, about: str, axis: Axis, lines: Sequence[Line], word: str) -> str:
    """Bars for each day, those of several lines beside each other."""
    top = nice(max((value for line in lines for value in line.values.values()), default=0))
    room = axis.x(axis.first + timedelta(days=1)) - axis.x(axis.first)
    width = max(2.0, min(14.0, room * 0.8 / max(1, len(lines))))
    drawn = []
    for number, line in enumerate(lines):
        for day, value in sorted(line.values.items()):
            if value:
                # However small, it is seen.
                x, y = axis.x(day) + number * width, min(_y(value, top), _y(0, top) - 1.5)
                drawn.append(
                    f'<rect class="bar {line.name}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}"'
                    f' height="{_y(0, top) - y:.1f}"><title>{escape(axis.short(day))}:'
                    f" {value:,} {escape(line.label)}</title></rect>"
                )
    return _svg(id_, title, about, axis, top, "".join(drawn), word)


def key(line: Line, *, bar: bool = False) -> str:
    """A sample of a line or bar, for the legend."""
    mark = (
        f'<rect class="bar {line.name}" x="5" y="1" width="14" height="10"/>'
        if bar
        else f'<path class="line {line.name}" d="M0 6H24"/>'
    )
    return f'<svg class="key" viewBox="0 0 24 12" aria-hidden="true">{mark}</svg>'


def nice(most: int) -> int:
    """The upper end of a scale from 0 that holds `most` and can be halved."""
    if most <= 2:
        return 2
    tenth = 10 ** (len(str(most)) - 1) // 10
    for factor in (10, 12, 16, 20, 30, 40, 50, 60, 80):
        end = factor * tenth if tenth else factor // 10 * 2
        if end >= most and end % 2 == 0:
            return end
    return tenth * 100 if tenth else 10


def _y(value: int, top: int) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top


def _svg(id_: str, title: str, about: str, axis: Axis, top: int, drawn: str, word: str) -> str:
    grid = "".join(
        f'<path class="grid" d="M{LEFT} {_y(n, top):.1f}H{WIDTH - RIGHT}"/>'
        f'<text x="{LEFT - 5}" y="{_y(n, top) + 4:.1f}" text-anchor="end">{_short(n)}</text>'
        for n in (0, top // 2, top)
    )
    days = "".join(
        f'<path class="tick" d="M{axis.x(day):.1f} {HEIGHT - BOTTOM}v4"/>'
        f'<text x="{axis.x(day):.1f}" y="{HEIGHT - 6}">{escape(axis.short(day))}</text>'
        for day in axis.ticks()
    )
    mark = ""
    if axis.deadline is not None:
        x = axis.x(axis.deadline)
        late = x > WIDTH / 2
        mark = (
            f'<path class="deadline" d="M{x:.1f} {TOP - 4}V{HEIGHT - BOTTOM}"/>'
            f'<text x="{x + (-4 if late else 4):.1f}" y="{TOP - 5}"'
            f' text-anchor="{"end" if late else "start"}">{escape(word)}</text>'
        )
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-labelledby="{id_}-t {id_}-d"><title id="{id_}-t">{escape(title)}</title>'
        f'<desc id="{id_}-d">{escape(about)}</desc>{grid}{days}{mark}{drawn}</svg>'
    )


def _short(value: int) -> str:
    """A number that fits beside the scale: `12k` for 12,000."""
    if value >= 10_000 and value % 1_000 == 0:
        return f"{value // 1_000}k"
    return str(value)
