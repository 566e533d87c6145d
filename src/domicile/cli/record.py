"""`domicile record`: the record of processing activities, from the declarations."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from domicile.cli.output import Day, Output, estate_option, output_options
from domicile.cli.written import write_named


@click.command(short_help="Make the record of processing activities (Art. 30 GDPR).")
@estate_option
@click.option("--as-of", type=Day(), metavar="DATE", help="As on that day (today).")
@click.option("-o", "target", type=click.Path(path_type=Path), metavar="FILE",
              help="Write the record to FILE, as Markdown.")  # fmt: skip
@output_options
def command(estate: Path, as_of: datetime | None, target: Path | None, out: Output) -> int:
    """Make the record from the estate and its mandates. Nothing is connected to."""
    from domicile.estate.load import load_estate
    from domicile.law.load import load_mandates
    from domicile.law.record import markdown, record

    day = as_of.date() if as_of else datetime.now(UTC).date()
    declared = load_estate(estate)
    document = record(declared, load_mandates(declared, (), day), day)
    text = markdown(document)
    if target is not None:
        write_named(target, text, "the record")
    out.emit(document, lambda: click.echo(text, nl=False))
    return 0
