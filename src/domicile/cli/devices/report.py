"""`domicile devices report`: the figures for the board."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from domicile.cli.devices.options import at_option
from domicile.cli.output import Output, estate_option, output_options
from domicile.cli.written import write_named


@click.command(short_help="Count devices, verdicts, notices and refusals.")
@click.option("-o", "target", type=click.Path(path_type=Path), metavar="FILE",
              help="Write a page with plots to FILE (.html), for the board.")  # fmt: skip
@click.option("--language", type=click.Choice(["en", "nl"]), default="en", show_default=True,
              help="The language of the page.")  # fmt: skip
@estate_option
@at_option
@output_options
def report(
    target: Path | None, language: str, estate: Path, at: datetime | None, out: Output
) -> int:
    """Count devices and verdicts as of now, and notices, refusals and restorations over time,
    each day with the entries of the log that show them. With -o the same as a page."""
    from domicile.devices.report import report as count
    from domicile.errors import UsageError

    if target is not None and target.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"got -o {target.name}, expected a file that ends in .html")
    document = {**count(estate, at), "file": str(target) if target else None}
    if target is not None:
        from domicile.devices.board import to_html

        write_named(target, to_html(document, language), "the report")
    out.emit(document, lambda: out.say(f"Wrote {target}") if target else _human(document, out))
    return 0


def _human(document: dict[str, Any], out: Output) -> None:
    columns = ["present", "absent", "not_observable", "stale", "not_covered", "refused"]
    out.say(f"{document['devices']:,} devices of {document['estate']} as of {document['at']}")
    out.table(
        "Verdicts", ["clause", *(column.replace("_", " ") for column in columns)],
        [[f"{c['mandate']}/{c['clause']}", *(c[column] for column in columns)]
         for c in document["clauses"]],
    )  # fmt: skip
    out.table(
        "Notices", ["stage", "notices", "sent"],
        [[n["stage"], n["notices"], n["sent"]] for n in document["notices"]],
    )  # fmt: skip
    out.table(
        "Access", ["day", "refused", "restored", "entries of the log"],
        [[d["day"], d["refused"], d["restored"], ", ".join(map(str, d["entries"]))]
         for d in document["days"]],
    )  # fmt: skip
