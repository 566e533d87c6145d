"""`domicile review`: the security review that a regulator reads and checks."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from domicile.cli.output import Day, Output, estate_option, output_options


@click.command(short_help="Write the security review, signed, as HTML or PDF.")
@estate_option
@click.option("-o", "target", type=click.Path(path_type=Path), metavar="FILE", required=True,
              help="Write it to FILE, which ends in .html or .pdf.")  # fmt: skip
@click.option("--language", type=click.Choice(["en", "nl"]), default="en", show_default=True,
              help="The language of the review.")  # fmt: skip
@click.option("--as-of", type=Day(), metavar="DATE", help="Mandates as on that day (today).")
@output_options
def command(estate: Path, target: Path, language: str, as_of: datetime | None, out: Output) -> int:
    """Read every store, hold it against every clause, and write what a regulator asks for.

    Each figure names the entry of the log that states it; the figures are signed with the log's
    key. Nothing in the stores is changed; witnesses are asked to cosign when a mandate wants it.
    """
    from domicile.review.issue import make_review

    day = as_of.date() if as_of else datetime.now(UTC).date()
    with out.progress("reviewing"):
        document = make_review(estate, target, language, day, out.detail)
    out.emit(document, lambda: _show(out, document))
    return 0


def _show(out: Output, document: dict[str, Any]) -> None:
    out.table(
        f"Clauses of {document['estate']} on {document['as_of']}",
        ["clause", "kind", "state", "deadline", "rows"],
        [
            [f"{c['mandate']}/{c['clause']}", c["kind"], c["state"].replace("_", " "),
             c["deadline"] or "", c["rows"]]
            for c in document["clauses"]
        ],
    )  # fmt: skip
    if not document["clauses"]:
        out.say("The estate is under no mandate.")
    for need in document["missing"]:
        out.say(
            f"It does not count yet: mandate {need['mandate']} asks for {need['need']} "
            f"cosignature(s), and there are {need['there']}. Run: domicile log cosign"
        )
    out.say(
        f"The review is in {' and '.join(document['files'])}: {len(document['figures'])} figures, "
        f"entry {document['entry']} of the log."
    )
