"""From what was assessed to the whole document in one language."""

from __future__ import annotations

from dataclasses import replace

from domicile import __version__
from domicile.evidence.canonical import encode
from domicile.evidence.kinds import now
from domicile.review.assess import Assessed
from domicile.review.figures import Figures
from domicile.review.model import Entry, Line, Review
from domicile.review.part_done import done
from domicile.review.part_left import left
from domicile.review.part_mandates import mandates
from domicile.review.part_map import flows, where
from domicile.review.part_proof import proof
from domicile.review.part_summary import summary
from domicile.review.part_who import approvals, devices, exceptions, looks
from domicile.review.words import Words
from domicile.review.writer import Writer


def compose(found: Assessed, language: str, *, file: str, form: str) -> Review:
    """The review. `file` is the name it will have, `form` html or pdf.

    Raises ValueError for another language than `en` and `nl`.
    """
    words = Words(language)
    w = Writer(found, words, Figures(found.entries))
    sections = (
        summary(w), mandates(w), where(w), flows(w), done(w), left(w), looks(w), approvals(w),
        exceptions(w), devices(w), proof(w, file, form),
    )  # fmt: skip
    estate = found.examined.estate
    review = Review(language, words("title", estate=estate.name), _lead(w), sections, ())
    entries = tuple(
        Entry(i, e["kind"], e["time"], encode(e).decode())
        for i, e in ((i, found.entries[i]) for i in review.named_entries())
    )
    return replace(review, entries=entries)


def _lead(w: Writer) -> tuple[Line, ...]:
    found, words = w.assessed, w.words
    controller = found.examined.estate.controller
    who = words("controller_none")
    if controller is not None:
        country = words.country(controller.country)
        who = words("controller", name=controller.name, country=country)
    day = words.day(found.examined.day.isoformat())
    return (
        (words("lead", day=day, moment=words.moment(now())),),
        (who, " ", words("made_by", version=__version__)),
    )
