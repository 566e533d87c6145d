"""`domicile apply PLAN`: carry out a plan, or resume it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from domicile.cli.output import Output, estate_option, output_options
from domicile.counted import counted

NAMED = 8  # tables named on the screen; --json names them all


@click.command(short_help="Carry out a plan, or resume it.")
@click.argument("plan", type=click.Path(path_type=Path))
@estate_option
@click.option("--max-rows", metavar="N|P%", help="Refuse when more rows would be touched.")
@click.option("--yes", is_flag=True, help="Approve the plan without being asked.")
@output_options
def command(plan: Path, estate: Path, max_rows: str | None, yes: bool, out: Output) -> int:
    """Carry out PLAN and nothing else: copy home, verify, delete at the source, purge.

    Safe to stop at any point, by any means; run the same command again to resume.
    """
    from domicile.apply.refuse import Cap
    from domicile.apply.run import apply_plan
    from domicile.plan.document import read

    cap = Cap.parse(max_rows) if max_rows is not None else None
    document = read(plan)
    total = 2 * sum(s["rows"] for s in document["steps"])
    with out.progress("applying", total) as advance:

        def approved() -> bool:
            if yes:
                return True
            asks = sys.stdin is not None and sys.stdin.isatty() and not out.as_json
            return asks and click.confirm(
                f"Carry out {counted(len(document['steps']), 'step')}, "
                f"{counted(document['cost']['rows'], 'row')}?", err=True,
            )  # fmt: skip

        def progress(what: str, rows: int) -> None:
            out.detail(f"{what}: {counted(rows, 'row')}")
            advance(rows)

        done = apply_plan(document, estate, cap=cap, approved=approved, progress=progress)
    out.emit(done, lambda: show(done, out))
    return 0


def show(done: dict[str, Any], out: Output) -> None:
    """What was done, for a person."""
    out.table("Done", ["table", "rows"], [[m["table"], m["rows"]] for m in done["moved"]])
    for files in done["files"]:
        where = f"carried to {files['to']}" if files["to"] else "erased"
        out.say(
            f"{files['store']}: {counted(files['files'], 'file')} of {files['table']}, "
            f"{files['bytes']:,} bytes, {where}"
        )
    if done["held"]:
        out.say(
            f"{counted(done['held'], 'row is', 'rows are')} held: not touched; the plan says why."
        )
    for purged in done["purged"]:
        tables = purged["tables"]
        more = f" and {counted(len(tables) - NAMED, 'more table')}" if len(tables) > NAMED else ""
        out.say(f"{purged['store']}: purged {', '.join(tables[:NAMED]) or 'nothing'}{more}")
    for view in done["views"]:
        out.warn(f"{view['store']}: view {view['view']} was not refreshed: {view['reason']}")
    said = done["estimated_seconds"]
    if said is not None:
        part = ", of which this run did the rest" if done["resumed"] else ""
        out.say(f"It took {done['seconds']:g} s; the plan said about {said:g} s{part}.")
    out.say("Check it from the stores: domicile verify")
