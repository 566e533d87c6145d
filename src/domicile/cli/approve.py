"""`domicile approve PLAN`: one of the approvals that a mandate asks for."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from domicile.cli.output import Day, Output, estate_option, output_options
from domicile.cli.written import write_named


@click.command(short_help="Approve a plan, with a key of your own.")
@click.argument("plan", type=click.Path(path_type=Path))
@estate_option
@click.option("--key", type=click.Path(path_type=Path), metavar="FILE", help="Your private key.")
@click.option("--decision", type=click.Choice(["approved", "declined", "withdrawn"]),
              default="approved", show_default=True, help="What you say of the plan.")  # fmt: skip
@click.option("--expires", type=Day(), metavar="DATE",
              help="Until when it may begin (30 days).")  # fmt: skip
@click.option("-o", "output", type=click.Path(path_type=Path), metavar="FILE",
              help="Write the approval to FILE instead of recording it.")  # fmt: skip
@click.option("--add", type=click.Path(path_type=Path), metavar="FILE",
              help="Record an approval that was written to FILE.")  # fmt: skip
@output_options
def command(
    plan: Path, estate: Path, key: Path | None, decision: str, expires: datetime | None,
    output: Path | None, add: Path | None, out: Output,
) -> int:  # fmt: skip
    """Sign PLAN's digest, its estate, its mandates and an expiry, and record it in the log.

    Review the plan first. With -o nothing but the plan and your key is needed, so that another
    organisation approves on a machine of its own, and the operator records it with --add.
    """
    from domicile.errors import UsageError
    from domicile.evidence.approval import approve, check
    from domicile.evidence.keys import SigningKey
    from domicile.plan.document import read

    if (key is None) == (add is None):
        raise UsageError("give --key FILE to approve, or --add FILE to record an approval")
    document = read(plan)
    if key is not None:
        until = expires.replace(tzinfo=UTC) if expires else None
        approval = approve(document, SigningKey.load(key), decision=decision, expires=until)
    else:
        approval = _read(add)
    name = check(document, approval).name
    said = f"{approval['decision']} as {approval['role']} of {approval['operator']} by {name}"
    if output is not None:
        write_named(output, json.dumps(approval, indent=2) + "\n", "the approval")
        out.emit({"approval": approval}, lambda: out.say(f"{said}; written to {output}"))
        return 0
    index = _record(document, approval, estate)
    out.emit({"approval": approval, "index": index}, lambda: out.say(f"entry {index}: {said}"))
    return 0


def _record(document: dict[str, object], approval: dict[str, str], estate: Path) -> int:
    from domicile.evidence.approval import Approvals
    from domicile.evidence.kinds import make
    from domicile.evidence.place import open_commitments, open_log, state_directory

    state, name = state_directory(estate), str(document["estate"])
    log = open_log(state, name)
    Approvals(document, log.entries()).add(approval)  # refuses what is replayed
    who = open_commitments(state, use="principal").person("approver", approval["approver"])
    (index,) = log.append([make("approval", name, principal=who, **approval)])
    return index


def _read(file: Path | None) -> dict[str, str]:
    from domicile.errors import UsageError

    assert file is not None  # the command asked for one of the two
    try:
        found = json.loads(file.read_text("utf-8"))
    except OSError as e:
        raise UsageError(f"cannot read {file}: {e.strerror}") from e
    except ValueError as e:
        raise UsageError(f"{file} is not an approval: not JSON") from e
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise UsageError(f"{file} is not an approval", hint="make one: domicile approve PLAN -o")
    return found
