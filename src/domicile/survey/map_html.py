"""The data map as one HTML file that loads nothing: for a board, a regulator, an auditor.

Every name comes from somebody's database or declaration, so all of them are escaped, and the page
forbids itself scripts and any source but its own style (Content Security Policy).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources
from typing import Any

from domicile.survey.map_picture import world
from domicile.survey.map_tables import columns, kinds, matrices, patterns, whose
from domicile.survey.map_unknown import CODES
from domicile.survey.map_words import Words

Doc = dict[str, Any]

OPEN = 12
"""Lists of unknowns of up to so many lines are open when the page is."""


def to_html(document: Doc, language: str = "en") -> str:
    """The page, in `en` or `nl`. Raises ValueError for another language."""
    words = Words(language)
    style = resources.files("domicile.survey").joinpath("map_html.css").read_text("utf-8")
    hashed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    title = escape(words("title", estate=document["estate"]))
    people: dict[str, int] = {}
    for person in document["people"]:
        if person["residence"]:
            people[person["residence"]] = people.get(person["residence"], 0) + person["people"]
    parts = (
        ("unknown", "unknown_title", _unknown(document["unknown"], words)),
        ("where", "world", world(people, document["stores"], words)),
        ("people", "matrix", matrices(document, words)),
        ("whose", "whose", whose(document["stores"], words)),
        ("kinds", "kinds", kinds(document["stores"], words) + columns(document["stores"], words)),
    )
    sections = "".join(
        f'<section id="{name}" aria-labelledby="{name}-title">'
        f'<h2 id="{name}-title">{escape(words(heading))}</h2>{body}</section>\n'
        for name, heading, body in parts
    )
    links = "".join(
        f'<li><a href="#{name}">{escape(words(heading))}</a></li>' for name, heading, _ in parts
    )
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        f"style-src 'sha256-{hashed}'; base-uri 'none'; form-action 'none'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f'<a class="skip" href="#unknown">{escape(words("skip"))}</a>\n{patterns()}'
        f'<div class="page">\n<header><h1>{title}</h1><p class="lead">{_lead(document, words)}</p>'
        f"{_figures(document, words)}"
        f'<nav aria-label="{escape(words("parts"))}"><ul>{links}</ul></nav></header>\n'
        f"<main>\n{sections}</main>\n"
        f"<footer><p>{escape(words('foot'))} <code>{escape(document['digest'])}</code></p>"
        "</footer>\n</div>\n</body>\n</html>\n"
    )


def _lead(document: Doc, words: Words) -> str:
    said = words("lead", day=words.day(document["as_of"]))
    if document["controller"]:
        said += " " + words("controller", name=document["controller"])
    return escape(said)


def _figures(document: Doc, words: Words) -> str:
    totals = document["totals"]
    known = totals["people"] - totals["residence_unknown"]
    ageless = totals["age_unknown"]
    no_age = bool(ageless) and ageless == totals["people"]
    return _figure_list(
        words("figures"),
        (
            (words("unknown"), words.number(totals["unknown"]),
             words("unknown_of", share=words.share(totals["classified"], totals["columns"]),
                   n=totals["columns"]), bool(totals["unknown"])),
            (words("people"), words.number(totals["people"]), "", False),
            (words("minors"), "?" if no_age else words.number(totals["minors"]),
             words("minors_none") if no_age else
             words("minors_some", n=ageless) if ageless else "", False),
            (words("abroad"), words.number(totals["abroad"]),
             words("abroad_of", share=words.share(totals["abroad"], known)), False),
            (words("residences"), words.number(totals["residences"]),
             words("residence_unknown", n=totals["residence_unknown"])
             if totals["residence_unknown"] else "", False),
            (words("rows"), words.number(totals["rows"]),
             words("rows_of", tables=totals["tables"], stores=totals["stores"]), False),
        ),
    )  # fmt: skip


def _figure_list(label: str, figures: Iterable[tuple[str, str, str, bool]]) -> str:
    items = "".join(
        f"<div{' class=alarm' if alarm else ''}><dt>{escape(term)}</dt>"
        f'<dd class="big">{escape(big)}</dd>'
        + (f'<dd class="small">{escape(small)}</dd>' if small else "")
        + "</div>"
        for term, big, small, alarm in figures
    )
    return f'<dl class="figures" aria-label="{escape(label)}">{items}</dl>'


def _unknown(found: Sequence[Doc], words: Words) -> str:
    if not found:
        return f"<p>{escape(words('unknown_nothing'))}</p>"
    parts = [f'<p class="note">{escape(words("unknown_lead"))}</p>']
    for code in CODES:
        lines = [u for u in found if u["code"] == code]
        if lines:
            is_open = " open" if len(lines) <= OPEN else ""
            heading = escape(words("code_" + code))
            parts.append(
                f"<details{is_open}><summary>{heading} "
                f'<span class="note">({words.number(len(lines))})</span></summary>'
                f'<div class="wide" tabindex="0" role="region" aria-label="{heading}">'
                f'<table><caption class="sr">{heading}</caption><thead><tr>'
                + "".join(
                    f'<th scope="col">{escape(words(c))}</th>' for c in ("store", "where", "why")
                )
                + f"</tr></thead><tbody>{''.join(_line(u, words) for u in lines)}</tbody></table>"
                "</div></details>"
            )
    return "".join(parts)


def _line(unknown: Doc, words: Words) -> str:
    place = unknown["table"] + (f".{unknown['column']}" if unknown["column"] else "")
    reason, language = words.reason(unknown)
    return (
        f'<tr><td>{escape(unknown["store"])}</td><th scope="row" class="name">{escape(place)}</th>'
        f'<td class="why" lang="{language}">{escape(reason)}</td></tr>'
    )
