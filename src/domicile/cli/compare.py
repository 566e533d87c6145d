"""`domicile compare`: two mandates, or two days, side by side."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from domicile.cli.output import Day, Output, estate_option, output_options


@click.command(short_help="Set two mandates, or two days, side by side.")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@estate_option
@click.option("--as-of", type=Day(), metavar="DATE", help="Two mandates: as on that day (today).")
@output_options
def command(first: str, second: str, estate: Path, as_of: datetime | None, out: Output) -> int:
    """What A and B would each take: people, rows, bytes, time. Nothing is changed or recorded."""
    from domicile.plan.compare import compare

    day = as_of.date() if as_of else None
    with out.progress("planning twice"):
        document = compare(estate, first, second, day, out.detail)
    out.emit(document, lambda: _show(out, document))
    return 0


def _show(out: Output, document: dict[str, Any]) -> None:
    first, second = document["sides"]
    out.table(
        f"What each would take, for {document['estate']}",
        ["", first, second, "difference"],
        [[f["what"], f["first"], f["second"], f["difference"]] for f in document["figures"]],
    )
    if document["clauses"]:
        out.table(
            "What they say differently",
            ["", first, second],
            [[c["what"], c["first"], c["second"]] for c in document["clauses"]],
        )
