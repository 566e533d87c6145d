"""`domicile plan`: findings, and the steps that would cure them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from domicile.cli.closed import show_closed
from domicile.cli.output import Day, Output, estate_option, output_options
from domicile.counted import counted

ESTATE = "estate.yaml"
"""What a person edits to declare a store, by its usual name."""


@click.command(short_help="Find what breaks a clause, and what would cure it.")
@estate_option
@click.option("-o", "target", type=click.Path(path_type=Path), metavar="FILE",
              help="Write the plan to FILE, for `apply`.")  # fmt: skip
@click.option("--mandate", "extra", multiple=True, metavar="FILE",
              help="A mandate to try out beside the estate's; it gives findings and no steps "
              "unless the estate is under it.")  # fmt: skip
@click.option("--as-of", type=Day(), metavar="DATE",
              help="Plan as on that day (today).")  # fmt: skip
@click.option("--check", is_flag=True, help="Exit with 1 when there is any finding.")
@output_options
def command(
    estate: Path, target: Path | None, extra: tuple[str, ...], as_of: datetime | None,
    check: bool, out: Output,
) -> int:  # fmt: skip
    """Compare the stores with the mandates. Nothing in them is changed."""
    from domicile.plan.make import make_plan

    day = as_of.date() if as_of else None
    with out.progress("planning"):
        document = make_plan(estate, extra, day, out.detail)
    if target is not None:
        from domicile.plan.document import write

        write(document, target)
    out.emit(document, lambda: show(document, target, out))
    return 1 if check and (document["findings"] or document["unknown"]) else 0


def show(document: dict[str, Any], target: Path | None, out: Output) -> None:
    """The plan for a person."""
    for warning in document["warnings"]:
        out.warn(warning)
    findings = document["findings"]
    out.say(f"Plan for {document['estate']} as of {document['as_of']}  {document['digest'][:19]}…")
    curable = [f for f in findings if f["state"] == "curable"]
    if curable:
        out.table(
            "Breaks a clause", ["mandate", "clause", "store", "table", "people", "rows"],
            [[f["mandate"], f["clause"], f["store"], f["table"], f["subjects"], f["rows"]]
             for f in curable],
        )  # fmt: skip
    flows = [f for f in findings if f.get("flow")]
    if flows:
        out.table(
            "Flows and services: only you can stop them",
            ["mandate", "clause", "which", "state", "why"],
            [[f["mandate"], f["clause"], f["flow"], f["state"], f["reason"]] for f in flows],
        )  # fmt: skip
    show_closed(out, document["closed"])
    if document["thresholds"]:
        out.table(
            "How near a count is above which a clause applies",
            ["mandate", "clause", "about", "now", "more than", "of it", "state"],
            [[t["mandate"], t["clause"], t["about"], f"{t['now']:,} {t['count']}",
              t["more_than"], f"{t['percent']}%", t["state"]]
             for t in document["thresholds"]],
        )  # fmt: skip
    if document["steps"]:
        out.table(
            "Steps", ["id", "op", "table", "from", "to", "people", "rows"],
            [[s["id"], s["op"], s["table"], s["from"], s["to"], s["subjects"] or "",
              s["rows"] or ""]
             for s in document["steps"]],
        )  # fmt: skip
    if document["held"]:
        out.table(
            "Held: not touched", ["store", "table", "rows", "why"],
            [[h["store"], h["table"], h["rows"], h["reason"]] for h in document["held"]],
        )  # fmt: skip
    for home in document["homes_wanted"]:
        from domicile.plan.wanted import said

        if home["possible"]:
            out.say(f"No home: add a store to {ESTATE} with {said(home)}; then plan again.")
        else:
            out.say(f"No home: {said(home)}.")
    if document["unknown"]:
        out.table(
            "Unknown: not safe", ["store", "where", "why"],
            [[u["store"], ".".join(filter(None, (u["table"], u["column"]))), u["reason"]]
             for u in document["unknown"]],
        )  # fmt: skip
    if tried := document.get("what_if"):
        out.say(
            f"If {', '.join(tried['mandates'])} were in force: {tried['people']:,} people, "
            f"{tried['rows']:,} rows in {tried['steps']} steps, about {tried['bytes']:,} bytes, "
            f"about {_time(tried)}; {tried['held']:,} rows held, {tried['unknown']} unknown."
        )
    cost = document["cost"]
    if not document["steps"]:
        asked = "all that a clause asks to act on is held" if document["held"] else (
            "nothing that a clause asks to act on"
        )  # fmt: skip
        out.say(f"No steps: {asked}.")
        if findings or document["unknown"]:
            out.say("What is held or unknown above is still a finding: `--check` exits with 1.")
        return
    out.say(
        f"{counted(cost['rows'], 'row')}, about {cost['bytes']:,} bytes, about {_time(cost)}, "
        f"{_rests_on(cost['rests_on'])}."
    )
    out.say(
        f"Carry it out: domicile apply {target}" if target else
        "Nothing was written: add -o FILE to keep this plan for `domicile apply`."
    )  # fmt: skip


def _time(cost: dict[str, Any]) -> str:
    seconds = cost["seconds"]
    return f"{seconds} s" if seconds < 120 else f"{seconds / 60:,.1f} min"


def _rests_on(measured: dict[str, Any]) -> str:
    if measured["applies"]:
        return f"by the last {counted(measured['applies'], 'apply', 'applies')} of this estate"
    return f"by reading for {measured['reading']:.1f} s and figures of another machine"
