"""`domicile devices show`: what is known of one device."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from domicile.cli.devices.options import at_option
from domicile.cli.output import Output, estate_option, output_options


@click.command(short_help="Show what is known of a device.")
@click.argument("device", metavar="DEVICE")
@estate_option
@at_option
@output_options
def show(device: str, estate: Path, at: datetime | None, out: Output) -> int:
    """Show all that is kept of DEVICE: its id, another id of it, or its name."""
    from domicile.devices.view import shown

    document = shown(estate, device, now=at)
    out.emit(document, lambda: _human(document, out))
    return 0


def _human(document: dict[str, Any], out: Output) -> None:
    for key, value in document.items():
        if key in ("apps", "history"):
            continue
        text = ", ".join(value) if isinstance(value, list) else value or "unknown"
        out.say(f"{key:<11} {text or 'none'}")
    for app in document["apps"]:
        out.say(f"{'has':<11} {app['app']}, forbidden by {app['mandate']}/{app['clause']}")
    out.table(
        "What was recorded",
        ["at", "clause", "verdict", "access", "why", "entry"],
        [
            [each["at"], f"{each['mandate']}/{each['clause']}", each["verdict"],
             "yes" if each["allowed"] else "refused", each["reason"].replace("_", " "),
             str(each["entry"])]
            for each in document["history"]
        ],
    )  # fmt: skip
