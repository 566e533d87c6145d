"""`domicile receipt SUBJECT KEY`: one person's proof."""

from __future__ import annotations

import json
from pathlib import Path

import click

from domicile.cli.output import Output, estate_option, output_options
from domicile.cli.written import write_named


@click.command(short_help="Cut one person's receipts.")
@click.argument("subject")
@click.argument("key")
@estate_option
@click.option("-o", "output", type=click.Path(path_type=Path), metavar="FILE",
              help="Write the newest receipt to FILE, for domicile_verify.py.")  # fmt: skip
@output_options
def command(subject: str, key: str, estate: Path, output: Path | None, out: Output) -> int:
    """Cut the receipts of the person with KEY in the register of SUBJECT.

    A receipt names its person: give it to nobody else. It discloses nobody else's data.
    """
    from domicile.errors import UsageError
    from domicile.evidence.place import read_log, state_directory, verifier_path
    from domicile.evidence.receipt import receipts, verify

    state = state_directory(estate)
    if not verifier_path(state).exists():
        raise UsageError(f"there is no log beside {estate}", hint="name the estate with --estate")
    log = read_log(state)
    found = list(receipts(state, log, subject, key))
    for each in found:
        verify(each, log.verifier)
    if output is not None and found:
        text = json.dumps(found[-1], ensure_ascii=False, indent=2) + "\n"
        write_named(output, text, "the receipt", secret=True)

    def human() -> None:
        for each in found:
            said = each["statement"]
            where = f"from {said['from']}" + (f" to {said['to']}" if "to" in said else "")
            index, people = each["proof"]["index"], each["proof"]["entry"]["people"]
            out.say(f"{said['act']} {where}: entry {index}, one of {people:,} people")
        if not found:
            out.say("no receipt: no finished plan acted on this person")

    out.emit({"version": 1, "receipts": found}, human)
    return 0 if found else 1
