"""The words of a review in English and Dutch; numbers, dates and countries as written there.

The texts are in words.json, each as [English, Dutch]. Names (stores, tables, mandates, keys) are
identifiers and stay as they are; titles of mandates are the mandate's own.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from string import Formatter

from domicile.review.model import Foreign, Line, Piece
from domicile.survey.map_words import LANGUAGES
from domicile.survey.map_words import Words as MapWords


class Words(MapWords):
    """One language."""

    def __call__(self, key: str, **given: object) -> str:
        """A text with its numbers and names filled in, not escaped."""
        shown = {k: self.number(v) if isinstance(v, int) else v for k, v in given.items()}
        return self.text(key).format(**shown)

    def text(self, key: str) -> str:
        """A text as it stands. Raises KeyError."""
        return _texts()[key][LANGUAGES.index(self.language)]

    def knows(self, key: str) -> bool:
        """Whether there is a text under that key."""
        return key in _texts()

    def line(self, key: str, **given: Piece | Line) -> Line:
        """A text as pieces, with figures and names in their places."""
        pieces: list[Piece] = []
        for before, name, _, _ in Formatter().parse(self.text(key)):
            if before:
                pieces.append(before)
            if name is not None:
                filled = given[name]
                pieces += filled if isinstance(filled, tuple) else (filled,)
        return tuple(pieces)

    def moment(self, time: str | int) -> str:
        """A time of an entry (RFC 3339) or a cosignature (seconds since 1970), in UTC."""
        at = datetime.fromtimestamp(time, UTC) if isinstance(time, int) else _read(time)
        return f"{self.day(at.date().isoformat())}, {at:%H:%M} UTC"

    def residue(self, said: str) -> Line:
        """What a store keeps by its nature, or until when: stores say it in English."""
        known = _texts().get(f"residue {said}")
        if self.language == "en" or known is None:
            return (said,) if self.language == "en" else (Foreign(said, "en"),)
        return (known[LANGUAGES.index(self.language)],)

    def shown(self, value: int | str) -> str:
        """A figure's value as it is written in the review."""
        return self.number(value) if isinstance(value, int) else value


def _read(time: str) -> datetime:
    return datetime.fromisoformat(time).astimezone(UTC)


@cache
def _texts() -> dict[str, list[str]]:
    file = resources.files("domicile.review").joinpath("words.json")
    loaded: dict[str, list[str]] = json.loads(file.read_text("utf-8"))
    return loaded
