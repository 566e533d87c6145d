"""A review as plain data, the same for the page and the PDF: what is left to them is looks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from domicile.review.model import (
    Block,
    Bullets,
    Facts,
    Figure,
    Foreign,
    Heading,
    Line,
    Name,
    Paragraph,
    Piece,
    Plot,
    Ref,
    Review,
    Standing,
    Table,
    Verbatim,
    figures_of,
)
from domicile.review.words import Words

Doc = dict[str, Any]

RANGES = 3
"""Ranges of entries named at one place; more are cut short."""

MARKS = {
    "met": "✔", "broken": "✘", "held": "◧", "unknown": "?", "not_checked": "\u2013",
    "not_in_effect": "·",
}  # fmt: skip
"""What tells the state of a clause apart beside its word."""


def view(review: Review) -> Doc:
    """The document as lists, texts and references."""
    words = Words(review.language)
    return {
        "language": review.language,
        "title": review.title,
        "lead": [_line(line, words) for line in review.lead],
        "sections": [
            {"id": s.id, "title": s.title, "blocks": [_block(b, words) for b in s.blocks]}
            for s in review.sections
        ],
        "entries": [
            {
                "index": e.index, "text": e.text,
                "title": words("appendix_entry", index=str(e.index), kind=e.kind,
                               moment=words.moment(e.time)),
            }
            for e in review.entries
        ],
        "words": {key: words.text(key) for key in _SAID},
    }  # fmt: skip


_SAID = (
    "contents", "skip", "scrolls", "entry", "entries", "appendix", "appendix_lead", "signed",
    "signed_lead", "foot", "page",
)  # fmt: skip
"""Words that the renderers need beside the document's own."""


def _block(block: Block, words: Words) -> Doc:
    match block:
        case Paragraph():
            return {"t": "paragraph", "kind": block.kind, "line": _line(block.pieces, words, True)}
        case Bullets():
            return {"t": "bullets", "items": [_line(i, words, True) for i in block.items]}
        case Heading():
            return {"t": "heading", "text": block.text}
        case Verbatim():
            return {"t": "verbatim", "label": block.label, "text": block.text}
        case Facts():
            facts = [
                {"label": f.label, "small": f.small, "alarm": f.alarm,
                 "figure": _piece(f.figure, words), "refs": refs(f.figure.entries)}
                for f in block.items
            ]  # fmt: skip
            return {"t": "facts", "label": block.label, "items": facts}
        case Plot():
            entries = {i for f in block.figures for i in f.entries}
            return {
                "t": "plot", "id": block.id, "title": block.title, "alt": block.described,
                "svg": block.svg, "refs": refs(entries),
            }  # fmt: skip
        case Table():
            return _table(block, words)


def _table(table: Table, words: Words) -> Doc:
    by_row = [{i for cell in row for p in cell if isinstance(p, Figure) for i in p.entries}
              for row in table.rows]  # fmt: skip
    every = {i for f in figures_of(table) for i in f.entries}
    one = len(every) == 1
    return {
        "t": "table", "caption": table.caption, "note": table.note, "sums": table.sums,
        "heads": list(table.heads),
        "numeric": sorted(table.numeric), "refs": refs(every) if one else [],
        "by_row": [refs(entries) for entries in by_row] if every and not one else [],
        "rows": [[_line(cell, words) for cell in row] for row in table.rows],
    }  # fmt: skip


def _line(line: Line, words: Words, refer: bool = False) -> list[Doc]:
    """Pieces; `refer`: each figure is followed by its entries (in tables the row says them)."""
    found: list[Doc] = []
    for piece in line:
        if isinstance(piece, str):
            found += _spans(piece)
            continue
        shown = _piece(piece, words)
        found.append(shown)
        if refer and isinstance(piece, Figure):
            found.append({"t": "refs", "refs": refs(piece.entries), "bare": False})
    return found


def _spans(text: str) -> Iterator[Doc]:
    """Words, with commands between backticks as names."""
    for n, part in enumerate(re.split("`", text)):
        if part:
            yield {"t": "name" if n % 2 else "text", "v": part}


def _piece(piece: Piece, words: Words) -> Doc:
    match piece:
        case str():
            return {"t": "text", "v": piece}
        case Figure():
            said = "; ".join(f"{i}: {way}" for i, way in piece.of[:4])
            more = " …" if len(piece.of) > 4 else ""
            return {
                "t": "figure", "id": piece.id, "v": words.shown(piece.value),
                "hint": f"{words.text('entry')} {said}{more}",
                "long": isinstance(piece.value, str),
            }  # fmt: skip
        case Name():
            return {"t": "name", "v": piece.text}
        case Standing():
            return {"t": "state", "v": piece.text, "state": piece.state,
                    "mark": MARKS[piece.state]}  # fmt: skip
        case Foreign():
            return {"t": "foreign", "v": piece.text, "language": piece.language}
        case Ref():
            return {"t": "refs", "refs": refs([piece.index]), "bare": True}


def refs(entries: Iterable[int]) -> list[Doc]:
    """Entries as ranges, each with the first of them to go to."""
    ranges: list[list[int]] = []
    for index in sorted(entries):
        if ranges and index == ranges[-1][1] + 1:
            ranges[-1][1] = index
        else:
            ranges.append([index, index])
    shown = [{"to": a, "v": str(a) if a == b else f"{a}\u2013{b}"} for a, b in _cut(ranges)]
    return [*shown, *([{"to": 0, "v": "…"}] if len(ranges) > RANGES else [])]


def _cut(ranges: Sequence[Sequence[int]]) -> Iterator[tuple[int, int]]:
    return ((r[0], r[1]) for r in ranges[:RANGES])
