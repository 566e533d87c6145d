"""`domicile devices explain`: why a device may, or may not."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from domicile.cli.devices.options import at_option
from domicile.cli.output import Output, estate_option, output_options


@click.command(short_help="Explain what a device may reach, and why.")
@click.argument("device", metavar="DEVICE")
@estate_option
@at_option
@output_options
def explain(device: str, estate: Path, at: datetime | None, out: Output) -> int:
    """Explain, clause by clause, why DEVICE is let through or refused."""
    from domicile.devices.view import explained

    document = explained(estate, device, now=at)
    out.emit(document, lambda: _human(document, out))
    return 0


def _human(document: dict[str, Any], out: Output) -> None:
    device = document["device"]
    may = "may reach all services" if document["allowed"] else "is refused"
    out.say(f"{device['id']} ({device['fleet']}) {may}, as of {document['at']}")
    for each in document["clauses"]:
        out.say()
        out.say(f"{each['mandate']}/{each['clause']}: {each['title']}")
        verdict = (each["verdict"] or "not reached").replace("_", " ")
        how = f", by {each['how']}" if each["how"] else ""
        out.say(f"  verdict   {verdict}{how}{': ' + each['app'] if each['app'] else ''}")
        out.say(f"  access    {'yes' if each['allowed'] else 'refused'}: {each['said']}")
        out.say(f"  deadline  {each['deadline']}")
        if each["until"]:
            out.say(f"  changes   {each['until']}, by the clock alone")
        if each["entry"] is not None:
            out.say(f"  evidence  entry {each['entry']} of the log, since {each['since']}")
