"""Bars: what a figure should reach. Each benchmark declares its own beside its `run`, as `BARS`.

A table shows them with the figures of one run. Nothing fails because of it: how fast a machine is
is no property of the code.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

QUICK = bool(os.environ.get("BENCH_QUICK"))
"""Smaller sizes, for a look of two minutes: the bars are of the whole sizes."""


@dataclass(frozen=True)
class Bar:
    """What a figure should be at most, or at least, or both."""

    issue: int
    what: str  # one line for a reader
    figure: str  # its key in what `run` returns
    most: float | None = None
    least: float | None = None
    unit: str = ""

    @property
    def text(self) -> str:
        """`≤ 5 s`, `≥ 1,000`, `0.67 to 1.5`."""
        if self.most is not None and self.least is not None:
            said = f"{self.least:,g} to {self.most:,g}"
        elif self.most is not None:
            said = f"≤ {self.most:,g}"
        else:
            said = f"≥ {self.least:,g}"
        return f"{said} {self.unit}".rstrip()


@dataclass(frozen=True)
class Row:
    """A bar beside its figure; `figure` is None when the run has none."""

    benchmark: str
    bar: Bar
    figure: float | None

    @property
    def within(self) -> bool | None:
        """Whether the figure reaches the bar; None without a figure."""
        if self.figure is None:
            return None
        high = self.bar.most is None or self.figure <= self.bar.most
        return high and (self.bar.least is None or self.figure >= self.bar.least)

    def document(self) -> dict[str, object]:
        """As it is written to `bench/results.json`."""
        return {
            "issue": self.bar.issue, "benchmark": self.benchmark, "what": self.bar.what,
            "bar": self.bar.text, "figure": self.figure, "within": self.within,
        }  # fmt: skip


def rows(
    bars: Mapping[str, Sequence[Bar]], figures: Mapping[str, Mapping[str, object]]
) -> list[Row]:
    """All bars by issue, each with its figure. `bars` and `figures` go by benchmark."""
    found = []
    for name, some in bars.items():
        for bar in some:
            value = figures.get(name, {}).get(bar.figure)
            number = float(value) if isinstance(value, int | float) else None
            found.append(Row(name, bar, number))
    return sorted(found, key=lambda row: row.bar.issue)


_SAID = {True: "yes", False: "no", None: "not measured"}


def table(found: Sequence[Row]) -> str:
    """The rows as text, a line each."""
    lines = [("issue", "what", "bar", "figure", "within")]
    lines += [
        (str(r.bar.issue), r.bar.what, r.bar.text, shown(r.figure), _SAID[r.within]) for r in found
    ]
    wide = [max(len(line[n]) for line in lines) for n in range(5)]
    right = (2, 3)  # what is to be compared stands one below the other
    text = [
        "  ".join(
            cell.rjust(wide[n]) if n in right else cell.ljust(wide[n])
            for n, cell in enumerate(line)
        ).rstrip()
        for line in lines
    ]
    return "\n".join(text)


def shown(value: object) -> str:
    """A figure for a reader: three digits that count, thousands apart; `-` for none."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
