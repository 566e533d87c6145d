"""A review as frozen parts, before it becomes a page or a PDF.

Every number that says something about the estate is a `Figure`, which knows the entries of the log
that state it. What is words only (titles, names, dates of declarations) is plain text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

State = Literal["met", "broken", "held", "unknown", "not_checked", "not_in_effect"]

Place = tuple[int, str]
"""The index of an entry, and the way to a value in it: `people.3.minors`."""


@dataclass(frozen=True)
class Figure:
    """A number, digest or word that entries of the log state; a number may be the sum of several.

    `id` is its name in the page, `name` says in English what it is, for whoever finds it altered.
    """

    id: str
    name: str
    value: int | str
    of: tuple[Place, ...]

    @property
    def entries(self) -> tuple[int, ...]:
        """The entries that state it, in order."""
        return tuple(sorted({index for index, _ in self.of}))


@dataclass(frozen=True)
class Name:
    """An identifier, shown as it is written."""

    text: str


@dataclass(frozen=True)
class Standing:
    """How a clause stands, in words; told apart by its mark too."""

    state: State
    text: str


@dataclass(frozen=True)
class Foreign:
    """A text in another language than the review's."""

    text: str
    language: str


@dataclass(frozen=True)
class Ref:
    """An entry of the log, to look it up in the appendix."""

    index: int


Piece = str | Figure | Name | Standing | Foreign | Ref
Line = tuple[Piece, ...]


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; `alarm` is what a reader must not miss."""

    pieces: Line
    kind: Literal["plain", "note", "alarm", "good"] = "plain"


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: tuple[Line, ...]


@dataclass(frozen=True)
class Table:
    """A table. Its figures' entries are named in the caption when they are one, else by row."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Line, ...], ...]
    numeric: frozenset[int] = frozenset()  # columns of numbers
    note: str = ""
    sums: bool = False  # the last row is the sum of the others


@dataclass(frozen=True)
class Fact:
    """A figure that stands by itself."""

    label: str
    figure: Figure
    small: str = ""
    alarm: bool = False


@dataclass(frozen=True)
class Facts:
    """Figures side by side."""

    label: str
    items: tuple[Fact, ...]


@dataclass(frozen=True)
class Plot:
    """A drawing as SVG, and the same in words for who cannot see it."""

    id: str
    title: str
    described: str
    svg: str
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    text: str


@dataclass(frozen=True)
class Verbatim:
    """A text to be shown as it is, line by line."""

    label: str
    text: str


Block = Paragraph | Bullets | Table | Facts | Plot | Heading | Verbatim


@dataclass(frozen=True)
class Section:
    """A part of the review."""

    id: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Entry:
    """An entry of the log that a figure is from, in canonical JSON."""

    index: int
    kind: str
    time: str
    text: str


@dataclass(frozen=True)
class Review:
    """The whole document."""

    language: str
    title: str
    lead: tuple[Line, ...]
    sections: tuple[Section, ...]
    entries: tuple[Entry, ...]

    def blocks(self) -> Iterator[Block]:
        """Every block, in order."""
        return (block for section in self.sections for block in section.blocks)

    def figures(self) -> dict[str, Figure]:
        """Every figure that is shown, by its id."""
        return {f.id: f for block in self.blocks() for f in figures_of(block)}

    def named_entries(self) -> list[int]:
        """The entries that figures are from, or that are named, in order."""
        lines = [line for block in self.blocks() for line in lines_of(block)]
        refs = {piece.index for line in lines for piece in line if isinstance(piece, Ref)}
        return sorted(refs.union(*(f.entries for f in self.figures().values())))


def figures_of(block: Block) -> Iterator[Figure]:
    """The figures of a block, as often as they are shown."""
    if isinstance(block, Facts):
        yield from (fact.figure for fact in block.items)
    elif isinstance(block, Plot):
        yield from block.figures
    else:
        yield from (p for line in lines_of(block) for p in line if isinstance(p, Figure))


def lines_of(block: Block) -> Iterator[Line]:
    """The lines of a block."""
    match block:
        case Paragraph():
            yield block.pieces
        case Bullets():
            yield from block.items
        case Table():
            yield from (cell for row in block.rows for cell in row)
        case _:
            return
