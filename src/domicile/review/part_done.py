"""What was moved and erased, plan by plan, with its digests; what was purged and refused."""

from __future__ import annotations

from collections.abc import Iterator

from domicile.review.assess import Assessed, Entry
from domicile.review.model import Block, Heading, Line, Name, Paragraph, Place, Ref, Section
from domicile.review.plots import Bar, Fill, bars
from domicile.review.writer import Writer, named

BATCHES = 40
"""Batches listed for one plan; the others are counted, and are in the log."""

BARS = 15
"""Tables drawn for one plan."""

Listed = list[tuple[int, Entry]]


def unfinished(found: Assessed) -> Iterator[str]:
    """Digests of plans that were begun and have not ended."""
    ended = {e["plan"] for _, e in found.of("apply_finished") if e["outcome"] == "done"}
    return iter(dict.fromkeys(
        e["plan"] for _, e in found.of("apply_started") if e["plan"] not in ended
    ))  # fmt: skip


def done(w: Writer) -> Section:
    """Every plan that was begun."""
    plans = list(dict.fromkeys(e["plan"] for _, e in w.assessed.of("apply_started")))
    blocks: list[Block] = [w.plain("done_lead")] if plans else [w.plain("done_none")]
    for number, plan in enumerate(plans):
        mine = [(i, e) for i, e in w.assessed.entries.items() if e.get("plan") == plan]
        blocks += _plan(w, number, mine)
    blocks += _refusals(w)
    return Section("done", w.words("done"), tuple(blocks))


def _plan(w: Writer, number: int, mine: Listed) -> Iterator[Block]:
    words = w.words
    by_kind: dict[str, Listed] = {}
    for index, entry in mine:
        by_kind.setdefault(entry["kind"], []).append((index, entry))
    first, began = by_kind["apply_started"][0]
    yield Heading(words("plan_of", digest=f"{began['plan'][:19]}…"))
    digest = w.fig("the digest of a plan", (first, "plan"))
    yield Paragraph(words.line("plan_of", digest=digest), "note")
    ended = [(i, e) for i, e in by_kind.get("apply_finished", ()) if e["outcome"] == "done"]
    begun = words.line("plan_begun", moment=words.moment(began["time"]), entry=Ref(first))
    if ended:
        last, end = ended[-1]
        said = words.line(
            "plan_finished", moment=words.moment(end["time"]), entry=Ref(last),
            rows=_at(w, last, end, "rows"), held=_at(w, last, end, "held"),
        )  # fmt: skip
        yield Paragraph((*begun, " ", *said))
    else:
        yield Paragraph(begun)
        yield Paragraph((words("plan_unfinished"),), "alarm")
    for index, entry in by_kind.get("receipts", ()):
        people = _at(w, index, entry, "people")
        yield Paragraph(words.line("plan_people", people=people, entry=Ref(index)))
    yield from _steps(w, number, by_kind.get("step", []))
    yield from _batches(w, by_kind.get("batch", []))
    yield from _purges(w, by_kind.get("purge", []))


def _at(w: Writer, index: int, entry: Entry, key: str) -> Line:
    if key not in entry:
        return ("\u2013",)
    return (w.fig(f"{key} of {entry['kind'].replace('_', ' ')}", (index, key)),)


def _steps(w: Writer, number: int, steps: Listed) -> Iterator[Block]:
    """Steps that ended, summed up by table and way: a disturbed run notes several rounds."""
    sums: dict[tuple[str, str, str, str], list[Place]] = {}
    for index, entry in steps:
        if "rows" in entry:
            key = (entry["operation"], entry.get("table", ""), entry.get("from", ""),
                   entry.get("to", ""))  # fmt: skip
            sums.setdefault(key, []).append((index, "rows"))
    if not sums:
        return
    figures = {
        key: w.fig(f"rows of {key[1]}: {key[0]} from {key[2]}", *places)
        for key, places in sums.items()
    }
    fills: tuple[tuple[str, Fill, str], ...] = (
        ("move", "hatch", "moved"), ("erase", "solid", "erased"),
    )  # fmt: skip
    for operation, fill, word in fills:
        drawn = [(k, f) for k, f in figures.items() if k[0] == operation]
        drawn.sort(key=lambda pair: -int(pair[1].value))
        if drawn:
            said = ", ".join(f"{k[1]} {w.words.shown(f.value)}" for k, f in drawn[:BARS])
            yield bars(
                f"plan{number}-{operation}",
                f"{w.words('moved_plot')}: {w.words(word)}",
                w.words("moved_described", what=w.words(word), said=said),
                [Bar(k[1], ((fill, f),)) for k, f in drawn[:BARS]], {}, w.words,
            )  # fmt: skip
    rows = [
        (w.words(f"op_{k[0]}") if k[0] in _SAID else named(k[0]), named(k[1]), named(k[2]),
         named(k[3]) if k[3] else "\u2013", (figure,))
        for k, figure in figures.items()
    ]  # fmt: skip
    yield w.table(
        "steps_table", ("head_operation", "head_table", "head_from", "head_to", "head_rows_only"),
        rows, ("head_rows_only",),
    )  # fmt: skip


_SAID = frozenset({"move", "erase", "copy", "stub", "split", "remove_stub", "purge"})


def _batches(w: Writer, batches: Listed) -> Iterator[Block]:
    written = [(i, e) for i, e in batches if "digest" in e]
    removed = [(i, e) for i, e in batches if "digest" not in e]
    if written:
        rows = [
            (
                w.words(f"op_{e['operation']}") if e["operation"] in _SAID else e["operation"],
                named(e["table"]), named(e.get("to") or e.get("store") or ""),
                _at(w, i, e, "rows"), (w.fig(f"the digest of {e['table']}", (i, "digest")),),
                _read_back(w, e),
            )
            for i, e in written[:BATCHES]
        ]  # fmt: skip
        yield w.table(
            "batches_table",
            ("head_operation", "head_table", "head_to", "head_rows_only", "head_digest",
             "head_same"),
            rows, ("head_rows_only",),
        )  # fmt: skip
        if len(written) > BATCHES:
            yield w.note("batches_more", n=len(written) - BATCHES)
    sums: dict[tuple[str, str, str], list[Place]] = {}
    for index, entry in removed:
        place = entry.get("store") or entry.get("from") or ""
        sums.setdefault((entry["operation"], entry["table"], place), []).append((index, "rows"))
    if sums:
        yield w.table(
            "removed_table", ("head_operation", "head_table", "head_from", "head_rows_only"),
            [
                (w.words(f"op_{op}") if op in _SAID else op, named(table), named(store),
                 (w.fig(f"rows of {table} removed from {store}", *places),))
                for (op, table, store), places in sums.items()
            ],
            ("head_rows_only",),
        )  # fmt: skip


def _read_back(w: Writer, entry: Entry) -> str:
    if "read_back" not in entry:
        return w.words("not_read_back")
    return w.words("same" if entry["read_back"] == entry["digest"] else "differs")


def _purges(w: Writer, purges: Listed) -> Iterator[Block]:
    if purges:
        yield w.table(
            "purges_table",
            ("head_store", "head_method", "head_outcome", "head_about", "head_when", "entry"),
            [
                (named(e["store"]), (Name(e["method"].replace("_", " ")),),
                 w.words(f"outcome_{e['outcome']}"), named(", ".join(e.get("tables", ()))),
                 w.words.moment(e["time"]), (Ref(i),))
                for i, e in purges
            ],
        )  # fmt: skip


def _refusals(w: Writer) -> Iterator[Block]:
    refused = list(w.assessed.of("refusal"))
    if refused:
        yield w.table(
            "refusals", ("head_reason", "head_plan", "head_when", "entry"),
            [
                (named(e["reason"].replace("_", " ")), named(f"{e.get('plan', '')[:19]}"),
                 w.words.moment(e["time"]), (Ref(i),))
                for i, e in refused
            ],
        )  # fmt: skip
