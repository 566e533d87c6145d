"""`domicile breach`: whose data lay in a store, who must be told by when, and the notice."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from domicile.cli.output import Day, Output, estate_option, output_options
from domicile.cli.written import write_named


@click.command(short_help="Whose data lay in a store, and who must be told by when.")
@click.argument("store", metavar="STORE")
@estate_option
@click.option("--since", type=Day(), required=True, metavar="DATE", help="The first day of it.")
@click.option("--until", type=Day(), metavar="DATE", help="The last day of it (today).")
@click.option("--aware", type=click.DateTime(["%Y-%m-%dT%H:%M", "%Y-%m-%d"]), metavar="TIME",
              help="When you became aware of it, in UTC (now).")  # fmt: skip
@click.option("-o", "target", type=click.Path(path_type=Path), metavar="FILE",
              help="Write the drafted notice to FILE, as Markdown.")  # fmt: skip
@click.option("--language", type=click.Choice(["en", "nl"]), default="en", show_default=True,
              help="The language of the notice.")  # fmt: skip
@output_options
def command(
    store: str, estate: Path, since: datetime, until: datetime | None, aware: datetime | None,
    target: Path | None, language: str, out: Output,
) -> int:  # fmt: skip
    """Say whose data of which categories lay in STORE, by country, and draft the notice."""
    from domicile.watch.breach import breach
    from domicile.watch.breach_draft import drafted

    last = until.date() if until else datetime.now(UTC).date()
    noticed = aware.replace(tzinfo=UTC) if aware else datetime.now(UTC)
    with out.progress("looking at the stores"):
        document = breach(estate, store, since.date(), last, noticed, out.detail)
    if target is not None:
        write_named(target, drafted(document, language), "the notice")
    out.emit(document, lambda: _show(out, document, target))
    return 0


def _show(out: Output, document: dict[str, Any], target: Path | None) -> None:
    out.table(
        f"Whose data lay in {document['store']}, {document['since']} to {document['until']}",
        ["residence", "people"],
        [[line["country"] or "unknown", line["people"]] for line in document["people"]],
    )
    out.table(
        "Which data",
        ["table", "rows", "categories"],
        [[t["table"], t["rows"], ", ".join(t["categories"])] for t in document["tables"]],
    )
    out.table(
        f"Who must be told, noticed {document['aware']}",
        ["by", "to", "about people of", "people", "clause"],
        [
            [t["by"] or "without delay", ", ".join(t["to"]), t["country"] or "unknown", t["people"],
             f"{t['mandate']}/{t['clause']}"]
            for t in document["tell"]
        ],
    )  # fmt: skip
    if not document["tell"]:
        out.say("No mandate of the estate says who must be told: try `mandates: [gdpr-breach]`.")
    out.say(f"Wrote {target}." if target else "Nothing was written: -o FILE drafts the notice.")
