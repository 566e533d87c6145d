"""Figures are read from entries of the log, and from nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domicile.errors import EvidenceError
from domicile.review.model import Figure, Place

Entries = Mapping[int, Mapping[str, Any]]


class Figures:
    """Makes the figures of one review, each with an id of its own; same places, same figure."""

    def __init__(self, entries: Entries) -> None:
        self.entries = entries
        self._made: dict[tuple[Place, ...], Figure] = {}

    def of(self, name: str, *places: Place) -> Figure:
        """The value at that place, or the sum of the numbers at several; no place at all is not a
        figure. `name` says in English what it is. Raises EvidenceError when no entry says it."""
        if places in self._made:
            return self._made[places]
        values = [value_at(self.entries, place) for place in places]
        if len(values) == 1 and isinstance(values[0], str):
            value: int | str = values[0]
        elif values and all(type(v) is int for v in values):
            value = sum(values)
        else:
            raise EvidenceError(f"the figure {name} has no value in the log")
        figure = Figure(f"f{len(self._made) + 1}", name, value, places)
        self._made[places] = figure
        return figure


def value_at(entries: Entries, place: Place) -> Any:
    """What an entry says at a place. Raises EvidenceError when it says nothing there."""
    index, way = place
    value: Any = entries.get(index)
    try:
        for step in steps(way):
            value = value[step]
    except (KeyError, IndexError, TypeError):
        raise EvidenceError(f"entry {index} says nothing at {way}") from None
    return value


def steps(way: str) -> list[str | int]:
    """The names and numbers of a way: `people.3.minors`."""
    return [int(step) if step.isdecimal() else step for step in way.split(".")]
