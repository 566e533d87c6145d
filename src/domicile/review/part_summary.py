"""The first part: the figures that a reader looks for first, the verdict, whether it counts."""

from __future__ import annotations

from collections.abc import Iterator

from domicile.review.model import Block, Fact, Facts, Name, Paragraph, Place, Ref, Section
from domicile.review.part_done import unfinished
from domicile.review.writer import Writer


def summary(w: Writer) -> Section:
    """In short."""
    blocks: list[Block] = [*_verdict(w), Facts(w.words("facts"), tuple(_facts(w)))]
    blocks += _counts(w)
    blocks.append(w.note("not_proved_short"))
    return Section("summary", w.words("summary"), tuple(blocks))


def _verdict(w: Writer) -> Iterator[Paragraph]:
    found = w.assessed
    states = {s.state for s in found.stands}
    checks = {c.status for c in found.examined.checks}
    if "broken" in states or "failed" in checks:
        yield Paragraph((w.words("verdict_failed"),), "alarm")
    elif not found.examined.mandates:
        yield Paragraph((w.words("verdict_none"),), "alarm")
    elif states & {"held", "unknown"} or checks & {"held", "unknown"}:
        yield Paragraph((w.words("verdict_open"),), "alarm")
    else:
        yield Paragraph((w.words("verdict_clean"),), "good")
    if "not_checked" in states:
        figure = w.fig("clauses that are not checked", state_place(w, "not_checked"))
        yield Paragraph(w.words.line("verdict_unchecked", n=figure))
    if any(unfinished(found)):
        yield Paragraph((w.words("unfinished_short"),), "alarm")


def state_place(w: Writer, state: str) -> Place:
    """Where the assessment says how many clauses are in a state."""
    return next((i, f"{way}.clauses") for i, way, s in w.assessed.lines("states")
                if s["state"] == state)  # fmt: skip


def _facts(w: Writer) -> Iterator[Fact]:
    found, words = w.assessed, w.words
    country = {s.name: s.country for s in found.examined.estate.stores}
    people = list(found.people())
    everyone = [(i, f"{way}.people") for i, way, _ in people]
    abroad = [
        (i, f"{way}.people") for i, way, line in people
        if line["residence"] not in (country[line["store"]], "ZZ")
    ]  # fmt: skip
    checked = found.verification

    def fact(
        key: str, name: str, places: list[Place], *, bad: bool = False, small: str = ""
    ) -> Iterator[Fact]:
        if places:
            figure = w.fig(name, *places)
            yield Fact(words(key), figure, small, bad and bool(figure.value))

    yield from fact("fact_people", "people in the registers", everyone,
                    small=words("fact_people_small"))  # fmt: skip
    yield from fact("fact_abroad", "people registered outside their own country", abroad)
    yield from fact("fact_broken", "broken clauses", [state_place(w, "broken")], bad=True)
    held = [(i, f"{way}.rows") for i, way, _ in found.lines("held")]
    yield from fact("fact_held", "rows or files held back", held, bad=True)
    yield from fact("fact_unknown", "places that are unknown", [(checked, "unknown")], bad=True)
    yield from fact("fact_failed", "checks that failed", [(checked, "failed")], bad=True)
    for key, operation in (("fact_moved", "move"), ("fact_erased", "erase")):
        steps = [(i, "rows") for i, e in found.of("step")
                 if e["operation"] == operation and "rows" in e]  # fmt: skip
        yield from fact(key, f"rows and files: {operation}", steps)


def _counts(w: Writer) -> Iterator[Paragraph]:
    """Whether the review counts, by the cosignatures that mandates ask for."""
    found = w.assessed
    if not found.needs:
        yield w.note("counts_free")
        return
    missing = found.missing()
    for need, there in missing:
        said = w.words.line(
            "counts_no", mandate=Name(need["mandate"]), need=str(need["need"]),
            there=str(there), entry=Ref(found.parts[-1]),
        )  # fmt: skip
        yield Paragraph(said, "alarm")
    if missing:
        yield w.note("counts_how")
    else:
        yield Paragraph((w.words("counts_yes"),), "good")
