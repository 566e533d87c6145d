"""`domicile verify`: the stores against the mandates, the log against its key."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from domicile.cli.output import Day, Output, estate_option, output_options
from domicile.errors import UsageError


@click.command(short_help="Check the stores against the mandates, and the log against its key.")
@estate_option
@click.option("--stores", is_flag=True, help="The stores (and the estate's own log): the default.")
@click.option("--evidence", metavar="DIR",
              help="A log's directory or s3:// address; no store is opened.")  # fmt: skip
@click.option("--key", metavar="KEY", help="The log's public key, or the file that holds it.")
@click.option("--as-of", type=Day(), metavar="DATE",
              help="Verify as on that day (today).")  # fmt: skip
@output_options
def command(
    estate: Path, stores: bool, evidence: str | None, key: str | None, as_of: datetime | None,
    out: Output,
) -> int:  # fmt: skip
    """Read everything again. Exit 1 when a check failed; `clean` only where nothing is held or
    unknown either."""
    from domicile.cli.log_of import require_there
    from domicile.evidence.bulk import bulk_at
    from domicile.plan.verify import document_of, verify_log, verify_stores

    if (evidence is None) != (key is None):
        raise UsageError(
            "--evidence DIR and --key KEY go together",
            hint="the key is the log.vkey that the operator gave you by another way than the log",
        )
    if evidence is not None:
        require_there(bulk_at(evidence))  # before the stores are read for nothing
    documents = []
    if evidence is None or stores:
        with out.progress("verifying"):
            day = as_of.date() if as_of else None
            documents.append(verify_stores(estate, as_of=day, progress=out.detail))
    if evidence is not None and key is not None:
        documents.append(document_of([verify_log(bulk_at(evidence), key)]))
    document = documents[0]
    if len(documents) > 1:
        document["checks"] += documents[1]["checks"]
        document["ok"] = all(d["ok"] for d in documents)
        document["clean"] = all(d["clean"] for d in documents)
    out.emit(document, lambda: show(document, out, log_only=evidence is not None and not stores))
    return 0 if document["ok"] else 1


def show(document: dict[str, Any], out: Output, *, log_only: bool = False) -> None:
    """The checks for a person, worst first."""
    for warning in document.get("warnings", ()):
        out.warn(warning)
    order = ("failed", "unknown", "held", "ok")
    checks = sorted(document["checks"], key=lambda c: order.index(c["status"]))
    out.table(
        "Checks", ["status", "check", "detail"],
        [[c["status"], c["name"].removeprefix(f"{c['status']} "), c["detail"]] for c in checks],
    )  # fmt: skip
    if document["ok"] and log_only:
        out.say("The log verifies. No store was opened: `domicile verify` reads those.")
    elif document["clean"]:
        out.say("Clean: every check passed, and nothing is held or unknown.")
    elif document["ok"]:
        out.say("Nothing failed. Not clean: what is held or unknown is named above.")
    else:
        out.say("Failed.")
    out.say("This proves what was recorded and read; not that no undeclared store exists.")
