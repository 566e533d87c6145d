"""`domicile duties`: what must be answered, told and withdrawn, by when; and drafts of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from domicile.cli.closed import show_closed
from domicile.cli.output import Day, Output, estate_option, output_options
from domicile.cli.written import write_named


@click.command(short_help="What must be answered, told and withdrawn, by when.")
@estate_option
@click.option("--as-of", type=Day(), metavar="DATE", help="As on that day (today).")
@click.option("--draft", metavar="MANDATE/CLAUSE", help="Draft that report from the evidence.")
@click.option("-o", "target", type=click.Path(path_type=Path), metavar="FILE",
              help="With --draft: write it to FILE, as Markdown.")  # fmt: skip
@output_options
def command(
    estate: Path, as_of: datetime | None, draft: str | None, target: Path | None, out: Output
) -> int:
    """List the answer, report and offer clauses in effect with their clocks. Nothing is sent."""
    from domicile.estate.load import load_estate
    from domicile.evidence.place import state_directory
    from domicile.law.clocks import obligations
    from domicile.law.load import load_mandates
    from domicile.law.standing import closed_now
    from domicile.watch.certificate import certificate

    day = as_of.date() if as_of else datetime.now(UTC).date()
    if draft is not None:
        document = certificate(estate, draft, day)
        if target is not None:
            write_named(target, document["text"], "the draft")
        out.emit(document, lambda: click.echo(document["text"], nl=False))
        return 0
    declared = load_estate(estate)
    mandates = load_mandates(declared, (), day)
    found = obligations(mandates, day)
    closed = closed_now(state_directory(estate), mandates, day)
    listed = {
        "version": 1,
        "estate": declared.name,
        "as_of": day.isoformat(),
        "duties": [each.as_json() for each in found],
        "closed": [each.as_json() for each in closed],
    }
    out.emit(listed, lambda: _show(out, listed))
    return 0


def _show(out: Output, document: dict[str, Any]) -> None:
    out.table(
        f"Duties of {document['estate']} on {document['as_of']}",
        ["clause", "kind", "what", "to", "due", "clock"],
        [
            [f"{d['mandate']}/{d['clause']}", d["kind"], d["what"], ", ".join(d["to"]),
             d["due"] or "", d["clock"]]
            for d in document["duties"]
        ],
    )  # fmt: skip
    show_closed(out, document["closed"])
    if not document["duties"]:
        out.say("No mandate of the estate asks to answer, to tell or to withdraw.")
