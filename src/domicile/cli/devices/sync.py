"""`domicile devices sync`: read the inventories, judge the devices, record what changed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from domicile.cli.devices.options import at_option
from domicile.cli.output import Output, estate_option, output_options


@click.command(short_help="Read inventories and judge the devices.")
@click.argument("fleets", nargs=-1, metavar="[FLEET]...")
@estate_option
@at_option
@output_options
def sync(fleets: tuple[str, ...], estate: Path, at: datetime | None, out: Output) -> int:
    """Read the inventories of these fleets, or of all, and judge every device.

    Stopped half-way, what was known still holds; run it again to go on from the last page.
    """
    from domicile.devices.sync import sync as read

    with out.progress("reading devices") as advance:
        document = read(estate, fleets, now=at, progress=lambda what, done: advance(done))
    if document["clock_set_back"]:
        out.warn("the clock is behind what was judged by before; the later time was used")
    out.emit(document, lambda: _human(document, out))
    return 0


def _human(document: dict[str, Any], out: Output) -> None:
    columns = ["devices", "present", "absent", "not_observable", "stale", "gone", "refused",
               "restored"]  # fmt: skip
    out.table(
        "Devices",
        ["fleet", *(column.replace("_", " ") for column in columns)],
        [[each["fleet"], *(each[column] for column in columns)] for each in document["fleets"]],
    )
