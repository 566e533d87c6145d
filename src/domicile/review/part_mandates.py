"""Mandates and their clauses: what each asks, how it stands, and by when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from domicile.law.model import Clause, Mandate
from domicile.review.clauses import Stands
from domicile.review.model import (
    Block,
    Heading,
    Line,
    Name,
    Paragraph,
    Place,
    Plot,
    Ref,
    Section,
    Standing,
    State,
)
from domicile.review.part_summary import state_place
from domicile.review.plots import Bar, Fill, bars, deadlines
from domicile.review.writer import Writer

LOOKS: tuple[tuple[State, Fill], ...] = (
    ("broken", "solid"), ("held", "hatch"), ("unknown", "dots"), ("met", "open"),
    ("not_checked", "cross"), ("not_in_effect", "light"),
)  # fmt: skip

BESIDE = frozenset({"citation", "source", "verified", "note", "otherwise", "purge"})
"""Keys of a clause that say where it is from, or what follows, and not what it asks."""

COUNTRIES = 12
"""Countries of residence that are named; more are counted."""

DRAWN = 14
"""Deadlines in the drawing; all of them are in the tables."""


def mandates(w: Writer) -> Section:
    """Every mandate with the state of each clause."""
    found = w.assessed
    if not found.examined.mandates:
        blocks: tuple[Block, ...] = (w.plain("mandates_none"),)
        return Section("mandates", w.words("mandates"), blocks)
    parts: list[Block] = [w.plain("mandates_lead"), *_states(w), *_deadlines(w)]
    lines = {(c["mandate"], c["clause"]): (i, way) for i, way, c in found.lines("clauses")}
    for number, mandate in enumerate(found.examined.mandates):
        parts += _mandate(w, number, mandate, lines)
    followed = list(found.of("consequence"))
    if followed:
        parts.append(w.table(
            "followed_table",
            ("head_clause", "head_deadline", "head_follows", "head_when", "entry"),
            [
                ((Name(f"{e['mandate']}/{e['clause']}"),), w.words.day(e["due"]),
                 (Name(e["what"]),), w.words.moment(e["time"]), (Ref(i),))
                for i, e in followed
            ],
        ))  # fmt: skip
    return Section("mandates", w.words("mandates"), tuple(parts))


def _states(w: Writer) -> Iterator[Plot]:
    there = {s.state for s in w.assessed.stands}
    if len(w.assessed.stands) < 2:
        return
    parts = tuple(
        (fill, w.fig(f"clauses that are {state.replace('_', ' ')}", state_place(w, state)))
        for state, fill in LOOKS
        if state in there
    )
    legend = {fill: w.words(f"state_{state}") for state, fill in LOOKS if state in there}
    said = ", ".join(f"{legend[fill]} {w.words.shown(figure.value)}" for fill, figure in parts)
    yield bars(
        "states", w.words("states_plot"), w.words("states_described", said=said),
        [Bar(w.words("clauses"), parts)], legend, w.words,
    )  # fmt: skip


def _deadlines(w: Writer) -> Iterator[Plot]:
    """One line for each mandate and day: those to come first, then the latest that passed."""
    day = w.assessed.examined.day
    found: dict[tuple[date, str], list[str]] = {}
    for s in w.assessed.stands:
        if s.due and s.state != "not_in_effect":
            found.setdefault((s.due, s.mandate.id), []).append(s.clause.id)
    nearest = sorted(found, key=lambda at: (at[0] < day, abs((at[0] - day).days), at[1]))[:DRAWN]
    rows = [
        (f"{name}/{found[on, name][0]}" if len(found[on, name]) == 1 else name, on,
         left(w, on, day))
        for on, name in sorted(nearest)
    ]  # fmt: skip
    if rows:
        said = "; ".join(f"{name} {w.words.day(on.isoformat())}" for name, on, _ in rows)
        yield deadlines(
            "deadlines", w.words("deadlines_plot"), w.words("deadlines_described", said=said),
            rows, day, w.words,
        )  # fmt: skip


def left(w: Writer, due: date, day: date) -> str:
    """How far away a deadline is, in words."""
    days = (due - day).days
    if not days:
        return w.words("on_the_day")
    if days > 0:
        return w.words("day_left" if days == 1 else "days_left", n=days)
    return w.words("day_past" if days == -1 else "days_past", n=-days)


def _mandate(
    w: Writer, number: int, mandate: Mandate, lines: Mapping[tuple[str, str], tuple[int, str]]
) -> Iterator[Block]:
    words = w.words
    yield Heading(f"{mandate.title} ({mandate.id})")
    status = words(f"status_{mandate.status_on(w.assessed.examined.day)}")
    since = words.day(mandate.effective.isoformat())
    if mandate.citation and mandate.issuer:
        citation = mandate.citation.rstrip(".")
        citation = citation[:1].upper() + citation[1:]
        said: Line = (
            words("mandate_source", citation=citation, issuer=mandate.issuer, status=status,
                  effective=since),
        )  # fmt: skip
    else:
        said = (words("mandate_unsourced", status=status[:1].upper() + status[1:],
                      effective=since),)  # fmt: skip
    digest = w.fig(
        f"the digest of mandate {mandate.id}",
        (w.assessed.assessment, f"mandates.{number}.digest"),
    )
    yield Paragraph((*said, " ", words("mandate_protects", who=_protects(w, mandate)), " ",
                     *words.line("mandate_digest", digest=digest)))  # fmt: skip
    mine = [s for s in w.assessed.stands if s.mandate is mandate]
    yield w.table(
        w.words("clauses_of", mandate=mandate.id),
        ("head_clause", "head_says", "head_deadline", "head_state", "head_findings",
         "head_people_least", "head_rows"),
        [_row(w, s, lines[mandate.id, s.clause.id]) for s in mine],
        ("head_findings", "head_people_least", "head_rows"),
    )  # fmt: skip


def _row(w: Writer, s: Stands, place: tuple[int, str]) -> tuple[Line | str, ...]:
    index, way = place
    name = f"{s.mandate.id}/{s.clause.id}"
    deadline = w.words("no_deadline")
    if s.due:
        deadline = f"{w.words.day(s.due.isoformat())} ({left(w, s.due, w.assessed.examined.day)})"

    def count(key: str) -> Line:
        at: Place = (index, f"{way}.{key}")
        return (w.fig(f"{key} of {name}", at),) if s.state != "not_checked" else ("\u2013",)

    return (
        (Name(s.clause.id),),
        _asks(w, s.clause),
        deadline,
        (Standing(s.state, w.words(f"state_{s.state}")),),
        count("findings"),
        count("people"),
        count("rows"),
    )


def _asks(w: Writer, clause: Clause) -> Line:
    """The kind of a clause in words, and what it says as it is declared."""
    said = {k: v for k, v in clause.body.items() if k not in BESIDE}
    pieces: list[Any] = [w.words(f"kind_{clause.kind}")]
    if said:
        pieces += [": ", Name("; ".join(f"{k} {_shown(v)}" for k, v in said.items()))]
    follows = clause.body.get("otherwise") or clause.otherwise
    pieces += [f"; {w.words('otherwise')} ", Name(follows + (" + purge" if clause.purge else ""))]
    return tuple(pieces)


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{k} {_shown(v)}" for k, v in value.items()) + ")"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(map(_shown, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _protects(w: Writer, mandate: Mandate) -> str:
    words, protects = w.words, mandate.protects
    parts = []
    if protects.residence:
        codes = sorted(protects.residence)
        where = ", ".join(words.country(code) for code in codes[:COUNTRIES])
        if len(codes) > COUNTRIES:
            where += " " + words("and_more", n=len(codes) - COUNTRIES)
        parts.append(words("living_in", countries=where))
    else:
        parts.append(words("everyone"))
    if protects.age_under is not None:
        parts.append(words("under_age", n=protects.age_under))
    if protects.age_from is not None:
        parts.append(words("from_age", n=protects.age_from))
    if protects.ages_under:
        parts.append(words("age_by_country"))
    return ", ".join(parts)
