"""What every part of a review is written with: the words, the figures, what was assessed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from domicile.evidence.keys import VerifierKey
from domicile.review.assess import Assessed
from domicile.review.figures import Figures
from domicile.review.model import Figure, Line, Name, Paragraph, Piece, Place, Table
from domicile.review.words import Words


@dataclass(frozen=True)
class Writer:
    """Writes one review in one language."""

    assessed: Assessed
    words: Words
    figures: Figures

    def fig(self, name: str, *places: Place) -> Figure:
        """A figure; see `Figures.of`."""
        return self.figures.of(name, *places)

    def some(self, name: str, places: Sequence[Place]) -> Line:
        """A figure as a line, or a dash when no entry says anything."""
        return (self.fig(name, *places),) if places else ("\u2013",)

    def plain(self, key: str, **given: object) -> Paragraph:
        """A paragraph of words alone."""
        return Paragraph((self.words(key, **given),))

    def note(self, key: str, **given: object) -> Paragraph:
        """The same, less loud."""
        return Paragraph((self.words(key, **given),), "note")

    def said(self, key: str, **given: Piece | Line) -> Paragraph:
        """A paragraph with figures and names in it."""
        return Paragraph(self.words.line(key, **given))

    def table(
        self, caption: str, heads: Iterable[str], rows: Iterable[Sequence[Line | str]],
        numeric: Iterable[str] = (), note: str = "",
    ) -> Table:  # fmt: skip
        """A table; caption and heads are keys of words, or a caption is a text of its own.

        `numeric` are heads of columns of numbers.
        """
        keys = tuple(heads)
        return Table(
            self.words.text(caption) if self.words.knows(caption) else caption,
            tuple(self.words(key) for key in keys),
            tuple(tuple(c if isinstance(c, tuple) else (c,) for c in row) for row in rows),
            frozenset(keys.index(key) for key in numeric),
            self.words(note) if note else "",
        )

    def country(self, code: str) -> str:
        """A country with its code."""
        return f"{self.words.country(code)} ({code})" if code else self.words("unknown")


def named(text: str) -> Line:
    """An identifier as a line."""
    return (Name(text),)


def key_name(key: str) -> Line:
    """Who a verifier key is: its name and its id."""
    parsed = VerifierKey.parse(key)
    return (Name(f"{parsed.name} ({parsed.id.hex()})"),)


def listed(items: Mapping[str, int] | Sequence[str]) -> str:
    """A few words with commas."""
    return ", ".join(items)
