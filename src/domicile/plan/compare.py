"""Two mandates, or two days, side by side: who would be protected, what would have to be done."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from domicile.errors import UsageError
from domicile.estate.load import load_estate
from domicile.evidence.place import state_directory
from domicile.law.catalogue import whole
from domicile.law.load import load_mandates, mandate_file
from domicile.plan.forecast import forecast
from domicile.survey.state import State

Doc = dict[str, Any]

COMPARED = ("people", "findings", "steps", "leaving", "held", "unknown", "rows", "bytes", "seconds")
"""The figures that are set side by side."""


def compare(
    path: Path, one: str, two: str, day: date | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Doc:  # fmt: skip
    """Two mandates (files, or ids of the library) on a day (today, UTC), or the estate's own on two
    days.

    Each mandate is planned for as if in force beside the estate's own. Nothing is written.
    Raises DomicileError.
    """
    sides = [_day(each) for each in (one, two)]
    if (sides[0] is None) != (sides[1] is None):
        raise UsageError(
            f"got {one} and {two}, expected two mandates or two days",
            hint="A day is written as 2027-01-01.",
        )
    if day is not None and sides[0] is not None:
        raise UsageError("got --as-of with two days; it is for two mandates")
    on = day or datetime.now(UTC).date()
    dated = [(None, each) for each in sides if each is not None]
    asked: list[tuple[str | None, date]] = [*dated] or [(one, on), (two, on)]
    state = State(state_directory(path))
    try:
        figures = [_figures(path, name, when, state, progress) for name, when in asked]
    finally:
        state.close()
    return {
        "version": 1,
        "estate": load_estate(path).name,
        "as_of": [when.isoformat() for _, when in asked],
        "sides": [one, two],
        "figures": [
            {"what": key, "first": figures[0][key], "second": figures[1][key],
             "difference": round(figures[1][key] - figures[0][key], 1)}
            for key in COMPARED
        ],
        "clauses": [] if dated else _clauses(one, two, on),
    }  # fmt: skip


def _figures(
    path: Path, name: str | None, on: date, state: State, progress: Callable[[str], None]
) -> Doc:
    estate = load_estate(path)
    own = load_mandates(estate, (), on)
    mandates = load_mandates(estate, [name] if name else (), on)
    tried = frozenset(m.id for m in mandates) - frozenset(m.id for m in own)
    progress(f"planning for {name or on}")
    return forecast(estate, mandates, tried, on, state, progress)


def _clauses(one: str, two: str, day: date) -> list[Doc]:
    """What the two say differently, by what they protect and by clause."""
    from domicile.law.load import load_mandate

    both = [whole(load_mandate(mandate_file(name), day), day) for name in (one, two)]
    lines: list[Doc] = [
        {"what": key, "first": _said(both[0]["protects"][key]),
         "second": _said(both[1]["protects"][key])}
        for key in both[0]["protects"]
    ]  # fmt: skip
    by_id = [{c["id"]: c for c in side["clauses"]} for side in both]
    for name in dict.fromkeys([*by_id[0], *by_id[1]]):
        said = [
            f"{c['kind']}: {_said(c['says'])}; otherwise {c['otherwise']}"
            if (c := side.get(name))
            else ""
            for side in by_id
        ]
        lines.append({"what": f"clause {name}", "first": said[0], "second": said[1]})
    return [line for line in lines if line["first"] != line["second"]]


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_said(each)}" for key, each in value.items())
    if isinstance(value, (list, tuple)):
        return " ".join(_said(each) for each in value)
    return "" if value is None else str(value)


def _day(text: str) -> date | None:
    """The day that is written; None for what is not written as one. Raises UsageError."""
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"got {text}, expected a day that there is, such as 2027-01-01") from None
