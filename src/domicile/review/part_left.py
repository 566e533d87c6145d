"""What is held back, what is unknown, and what stores keep although it left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from domicile.plan.verify_files import UNREAD, UNSEEN
from domicile.review.assess import fits
from domicile.review.model import Block, Foreign, Name, Paragraph, Section
from domicile.review.writer import Writer, named

COLUMNS = 8
"""Columns named in one line; the others are counted."""

Rows = list[tuple[object, ...]]


def left(w: Writer) -> Section:
    """Held, unknown, residual."""
    blocks = (*_checks(w), *_held(w), *_unknown(w), *_remains(w))
    return Section("left", w.words("left"), blocks)


def _checks(w: Writer) -> Iterator[Block]:
    found = w.assessed
    by_status = Counter(c.status for c in found.examined.checks)
    index = found.verification
    places = {
        line["status"]: (index, f"checks.{n}.count")
        for n, line in enumerate(found.entries[index]["checks"])
    }
    given = {
        status: w.some(f"checks: {status}", [places[status]]) if by_status[status] else ("0",)
        for status in ("ok", "held", "unknown", "failed")
    }
    yield Paragraph(w.words.line("checks_lead", **given))
    failed = [c for c in found.examined.checks if c.status == "failed"]
    if failed:
        yield w.table(
            "checks_table", ("head_what", "head_why"),
            [(named(c.name), (Foreign(c.detail, "en"),)) for c in failed],
        )  # fmt: skip
    unseen = [c.name.removeprefix("files ") for c in found.examined.checks
              if c.name.startswith("files ") and c.detail.endswith((UNSEEN, UNREAD))]  # fmt: skip
    if unseen:
        stores = w.words.line("checks_unsearched", stores=named(", ".join(unseen)))
        yield Paragraph(stores, "alarm")


def _held(w: Writer) -> Iterator[Block]:
    held = list(w.assessed.lines("held"))
    if not held:
        yield w.plain("held_none")
        return
    yield w.table(
        "held_table", ("head_store", "head_table", "head_rows", "head_why"),
        [
            (named(line["store"]), named(line["table"]),
             (w.fig(f"held in {line['store']} {line['table']}", (i, f"{way}.rows")),),
             w.words(f"hold_{line['code']}"))
            for i, way, line in held
        ],
        ("head_rows",),
    )  # fmt: skip


def _unknown(w: Writer) -> Iterator[Block]:
    lines = list(w.assessed.lines("unknown"))
    if not lines:
        yield w.plain("unknown_none")
        return
    columns: dict[tuple[str, str, str], list[str]] = {}
    for doubt in w.assessed.examined.plan["unknown"]:
        if doubt["column"]:
            key = (doubt["store"], fits(doubt["table"]), doubt["code"])
            names = columns.setdefault(key, [])
            names += [doubt["column"]] * (doubt["column"] not in names)
    rows = []
    for i, way, line in lines:
        key = (line["store"], line["table"], line["code"])
        names = columns.get(key, [])
        shown = ", ".join(names[:COLUMNS]) + (" …" if len(names) > COLUMNS else "")
        count = w.fig(f"unknown in {line['store']} {line['table']}", (i, f"{way}.count"))
        rows.append((
            named(line["store"]), named(line["table"]), (Name(shown),) if shown else "\u2013",
            w.words(f"doubt_{line['code']}"), (count,),
        ))  # fmt: skip
    yield w.table(
        "unknown_table", ("head_store", "head_table", "head_where", "head_what", "head_count"),
        rows, ("head_count",),
    )  # fmt: skip


def _remains(w: Writer) -> Iterator[Block]:
    remains = list(w.assessed.lines("remains"))
    if remains:
        yield w.table(
            "remains_table", ("head_store", "head_table", "head_what", "head_rows_only"),
            [
                (named(line["store"]), named(line["table"]) if "table" in line else "\u2013",
                 w.words(f"remain_{line['residue']}"),
                 (w.fig(f"{line['residue']} in {line['store']}", (i, f"{way}.rows")),))
                for i, way, line in remains
            ],
            ("head_rows_only",),
        )  # fmt: skip
    kept = w.assessed.examined.remains
    if not kept:
        yield w.plain("natural_none")
        return
    merged: dict[tuple[str, str], list[str]] = {}
    for each in kept:
        for what, until in each.natural:
            merged.setdefault((what, until), []).append(each.store)
    yield w.table(
        "natural_table", ("head_store", "head_kept", "head_until"),
        [
            (named(", ".join(stores)), w.words.residue(what), w.words.residue(until))
            for (what, until), stores in merged.items()
        ],
    )  # fmt: skip
