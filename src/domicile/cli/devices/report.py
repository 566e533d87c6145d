"""`domicile devices report`: the figures for the board."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from domicile.cli.devices.options import at_option
from domicile.cli.output import Output, estate_option, output_options


@click.command(short_help="Count devices, verdicts, notices and refusals.")
@estate_option
@at_option
@output_options
def report(estate: Path, at: datetime | None, out: Output) -> int:
    """Count devices and verdicts as of now, and notices, refusals and restorations over time,
    each day with the entries of the log that show them."""
    from domicile.devices.report import report as count

    document = count(estate, at)
    out.emit(document, lambda: _human(document, out))
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
