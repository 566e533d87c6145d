"""`domicile devices list`: the devices and their verdicts."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from domicile.cli.devices.options import at_option
from domicile.cli.output import Output, estate_option, output_options


@click.command(name="list", short_help="List devices and their verdicts.")
@click.option("--fleet", default="", metavar="NAME", help="Devices of that fleet only.")
@click.option("--owner", default="", metavar="USER", help="Devices of that owner only.")
@click.option(
    "--verdict",
    type=click.Choice(["present", "absent", "not_observable", "stale"]),
    help="Devices with that verdict only.",
)
@click.option("--refused", is_flag=True, help="Devices that are refused only.")
@estate_option
@at_option
@output_options
def list_(
    fleet: str, owner: str, verdict: str | None, refused: bool, estate: Path,
    at: datetime | None, out: Output,
) -> int:  # fmt: skip
    """List the devices that are known, each with the verdict and the clause that weigh most."""
    from domicile.devices.view import listed

    document = listed(
        estate, fleet=fleet, owner=owner, verdict=verdict or "", refused=refused, now=at
    )
    out.emit(document, lambda: _human(document, out))
    return 0


def _human(document: dict[str, Any], out: Output) -> None:
    out.table(
        "Devices",
        ["fleet", "id", "name", "owner", "platform", "seen", "verdict", "access", "why"],
        [
            [d["fleet"], d["id"], d["name"], ", ".join(d["owners"]), d["platform"],
             (d["seen"] or "never")[:10], (d["verdict"] or "").replace("_", " "),
             "yes" if d["allowed"] else "refused", d["reason"].replace("_", " ")]
            for d in document["devices"]
        ],
    )  # fmt: skip
    out.say(f"{len(document['devices']):,} devices")
