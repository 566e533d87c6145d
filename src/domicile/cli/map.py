"""`domicile map`: whose data is where."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from domicile.cli.output import Day, Output, estate_option, output_options
from domicile.cli.written import write_named
from domicile.counted import counted
from domicile.errors import UsageError

FORMATS = ("table", "json", "csv", "html")

MOST_COUNTRIES, MOST_UNKNOWN = 12, 15
"""Lines shown on a terminal; -v shows all."""

LONG_ROUTE = 28
"""Characters of a route that fit beside figures on a terminal of 100 columns."""


@click.command(short_help="Show whose data is where.")
@estate_option
@click.option("--format", "form", type=click.Choice(FORMATS),
              help="How to write the map  [default: by FILE's ending, else table]")  # fmt: skip
@click.option("-o", "target", type=click.Path(path_type=Path), metavar="FILE",
              help="Write the map to FILE.")  # fmt: skip
@click.option("--language", type=click.Choice(["en", "nl"]), default="en", show_default=True,
              help="The language of the html format.")  # fmt: skip
@click.option("--as-of", type=Day(), metavar="DATE",
              help="Who is under 18 on that day  [default: today]")  # fmt: skip
@output_options
def command(
    estate: Path, form: str | None, target: Path | None, language: str,
    as_of: datetime | None, out: Output,
) -> int:  # fmt: skip
    """Map the stores: tables, owners, categories, and people and rows by residence.

    Nothing in the stores is changed. The map holds names and counts, and no value of any row.
    """
    form = _form(form, target)
    from domicile.survey.datamap import make_map

    with out.progress("mapping"):
        document = make_map(estate, as_of.date() if as_of else None, out.detail)
    text = _text(document, form, language)
    if target is not None:
        write_named(target, text, "the map")
        out.emit(document, lambda: out.say(f"The data map is in {target}"))
    elif out.as_json or form == "json":
        out.as_json = True
        out.emit(document, lambda: None)
    elif form == "table":
        show(document, out)
    else:
        click.echo(text, nl=False)
    return 0


def _form(form: str | None, target: Path | None) -> str:
    """The format asked for. Raises UsageError when a file could have several or none."""
    if target is None:
        return form or "table"
    ending = target.suffix.lower().lstrip(".")
    form = form or {"htm": "html"}.get(ending, ending)
    if form not in FORMATS or form == "table":
        raise UsageError(
            f"cannot tell which format {target.name} should have",
            hint="add --format json, csv or html; a table is for the terminal only",
        )
    return form


def _text(document: dict[str, Any], form: str, language: str) -> str:
    if form == "html":
        from domicile.survey.map_html import to_html

        return to_html(document, language)
    if form == "csv":
        from domicile.survey.map_csv import to_csv

        return to_csv(document)
    if form == "json":
        import json

        return json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    return ""


def show(document: dict[str, Any], out: Output) -> None:
    """The map for a person at a terminal of 100 columns."""
    totals = document["totals"]
    out.say(
        f"Data map of {document['estate']} as of {document['as_of']}: "
        f"{counted(totals['people'], 'person', 'people')}, {counted(totals['rows'], 'row')} in "
        f"{counted(totals['tables'], 'table')} of {counted(totals['stores'], 'store')}."
    )
    _show_people(document, out)
    for store in document["stores"]:
        _show_store(store, out)
    for folder in document["files"]:
        split = [{**s, "rows": s["files"]} for s in folder["files_by_residence"]]
        out.say(
            f"\n{folder['name']} ({folder['country']}, {folder['operator']}): "
            f"{folder['files']:,} files, {folder['bytes']:,} bytes"
            + (f"; {_split(split, 4)}." if split else ".")
        )
    _show_unknown(document["unknown"], out)


def _show_people(document: dict[str, Any], out: Output) -> None:
    stores = document["stores"]
    lines: dict[tuple[str, str], list[int]] = {}  # people in each store, minors, age unknown
    for at, store in enumerate(stores):
        for person in document["people"]:
            if person["store"] == store["name"]:
                key = (person["subject"], person["residence"] or "unknown")
                counts = lines.setdefault(key, [0] * (len(stores) + 2))
                counts[at] += person["people"]
                counts[-2] += person["minors"]
                counts[-1] += person["age_unknown"]
    ordered = sorted(lines.items(), key=lambda line: (line[0][1] != "unknown", -sum(line[1][:-2])))
    shown = ordered if out.verbose else ordered[:MOST_COUNTRIES]
    rest = [counts for _, counts in ordered[len(shown) :]]
    if rest:
        sums = [sum(column) for column in zip(*rest, strict=True)]
        shown = [*shown, (("", f"{len(rest)} more (-v)"), sums)]
    rows = [[*key, *counts[:-2], _minors(counts)] for key, counts in shown]
    heads = [f"{s['name']} ({s['country']})" for s in stores]
    out.table("People by residence", ["subject", "residence", *heads, "under 18"], rows)
    away: dict[tuple[str, str], int] = {}
    for person in document["elsewhere"]:
        key = (person["subject"], person["store"])
        away[key] = away.get(key, 0) + person["people"]
    for (subject, name), people in away.items():
        who = f"{counted(people, 'person', 'people')} ({subject})"
        out.say(f"{name} also has rows of {who} registered elsewhere.")


def _minors(counts: Sequence[int]) -> object:
    """How many are under 18: at least, where some people's age is unknown; `?` where all are."""
    *people, minors, ageless = counts
    if not ageless:
        return minors
    return "?" if ageless == sum(people) else f"{minors:,}+"


def _show_store(store: dict[str, Any], out: Output) -> None:
    title = f"{store['name']} ({store['country']}, {store['operator']})"
    if not store["tables"]:
        out.say(f"\n{title}: no tables yet.")
        return
    tables = store["tables"]
    shown = [t for t in tables if out.verbose or _matters(t)]
    rows = [
        [
            f"{t['name']}\n  {_owner(t['owner'])}", t["rows"],
            _split(t["rows_by_residence"]), _short(t["categories"]),
        ]
        for t in shown
    ]  # fmt: skip
    if rows:
        out.table(title, ["table, owner", "rows", "rows by residence", "categories"], rows)
    left = len(tables) - len(shown)
    if left:
        more = "1 more table is" if left == 1 else f"{left} more tables are"
        out.say(f"  {store['name']}: {more} empty, or about nobody (-v).")


def _matters(table: dict[str, Any]) -> bool:
    owned = table["owner"]["role"] in ("register", "attachment", "dependent")
    return bool(table["rows"]) and (owned or bool(table["categories"]))


def _owner(owner: dict[str, Any]) -> str:
    """The route with its middle left out where it is long, so that names fit beside it."""
    hops, arrow, subject = owner["route"].partition(" → ")
    parts = hops.split(".")
    if len(hops) > LONG_ROUTE and len(parts) > 2:
        hops = f"{parts[0]}.….{parts[-1]}"
    if arrow:
        return f"{hops}{arrow}{subject}"
    return f"{owner['role']} of {owner['subject']}" if owner["subject"] else str(owner["role"])


def _split(shares: Iterable[dict[str, Any]], most: int = 2) -> str:
    named = [f"{s['residence'] or s['whose']} {s['rows']:,}" for s in shares]
    return ", ".join(named[:most]) + (f", +{len(named) - most}" if len(named) > most else "")


def _short(categories: Iterable[str], most: int = 2) -> str:
    """The last words of categories: `user.contact.email` is `email`."""
    last = list(dict.fromkeys(c.rsplit(".", 1)[-1] for c in categories))
    return ", ".join(last[:most]) + (f", +{len(last) - most}" if len(last) > most else "")


def _show_unknown(unknown: list[dict[str, Any]], out: Output) -> None:
    if not unknown:
        out.say("Nothing is unknown: every table is owned or declared, every column classified.")
        return
    shown = unknown if out.verbose else unknown[:MOST_UNKNOWN]
    rows = [
        [u["store"], ".".join(filter(None, [u["table"], u["column"]])), u["reason"]] for u in shown
    ]
    out.table("Unknown: not safe", ["store", "where", "why"], rows)
    if len(shown) < len(unknown):
        out.say(f"  {len(unknown) - len(shown)} more unknowns (-v, or --json).")
