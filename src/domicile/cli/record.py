"""`domicile record`: the record of processing activities, from the declarations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click

from domicile.cli.output import Day, Output, estate_option, output_options
from domicile.cli.written import write_named

FORMATS = ("md", "csv", "dpv")

ENDINGS = {".csv": "csv", ".jsonld": "dpv"}
"""What a file's ending says of its format; any other is Markdown."""


@click.command(short_help="Make the record of processing activities (Art. 30 GDPR).")
@estate_option
@click.option("--as-of", type=Day(), metavar="DATE", help="As on that day (today).")
@click.option("--format", "form", type=click.Choice(FORMATS),
              help="How to write the record.  [default: by FILE's ending, else md]")  # fmt: skip
@click.option("-o", "target", type=click.Path(path_type=Path), metavar="FILE",
              help="Write the record to FILE.")  # fmt: skip
@output_options
def command(
    estate: Path, as_of: datetime | None, form: str | None, target: Path | None, out: Output
) -> int:
    """Make the record from the estate and its mandates. Nothing is connected to."""
    import json

    from domicile.estate.load import load_estate
    from domicile.law.load import load_mandates
    from domicile.law.record import markdown, record
    from domicile.law.record_export import to_csv, to_dpv

    day = as_of.date() if as_of else datetime.now(UTC).date()
    declared = load_estate(estate)
    document = record(declared, load_mandates(declared, (), day), day)
    writers: dict[str, Callable[[], str]] = {
        "md": lambda: markdown(document),
        "csv": lambda: to_csv(document),
        "dpv": lambda: json.dumps(to_dpv(document), indent=2, ensure_ascii=False) + "\n",
    }
    text = writers[form or ENDINGS.get(target.suffix if target else "", "md")]()
    if target is not None:
        write_named(target, text, "the record")
    out.emit(document, lambda: click.echo(text, nl=False))
    return 0
