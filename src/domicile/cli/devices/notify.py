"""`domicile devices notify`: tell owners what is due."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from domicile.cli.devices.options import at_option
from domicile.cli.output import Output, estate_option, output_options


@click.command(short_help="Tell owners what is due.")
@click.option("--dry-run", is_flag=True, help="Say what is due, and send nothing.")
@estate_option
@at_option
@output_options
def notify(dry_run: bool, estate: Path, at: datetime | None, out: Output) -> int:
    """Tell each owner of a device that has, or may have, a forbidden app: first, and again 30, 7
    and 1 days before the deadline; when access is lost; and when it is back.

    Nobody is told about another's device. Run it daily; nothing is sent twice.
    """
    from domicile.devices.notify import notify as send

    with out.progress("telling owners") as advance:
        document = send(estate, dry_run=dry_run, now=at, progress=advance)
    failed = sum(s["notices"] for s in document["sent"] if s["outcome"] == "failed")
    if failed:
        out.warn(f"{failed} notices were refused: the owners' addresses are wrong")
    out.emit(document, lambda: _human(document, out))
    return 0


def _human(document: dict[str, Any], out: Output) -> None:
    if document["dry_run"]:
        out.table(
            "Due", ["stage", "fleet", "device", "owner"],
            [[d["stage"], d["fleet"], d["id"], d["owner"]] for d in document["due"]],
        )  # fmt: skip
    else:
        out.table(
            "Told", ["stage", "channel", "outcome", "notices"],
            [[s["stage"], s["channel"], s["outcome"], s["notices"]] for s in document["sent"]],
        )  # fmt: skip
    if document["unreachable"]:
        out.table(
            "Nobody to tell", ["fleet", "device"],
            [[d["fleet"], d["id"]] for d in document["unreachable"]],
        )  # fmt: skip
