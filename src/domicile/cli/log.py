"""`domicile log`: show, prove and check the evidence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from domicile.cli.log_export import export
from domicile.cli.log_keys import (
    cosign,
    destroy_people,
    keygen,
    move,
    rotate,
    rotate_people,
    succeed,
)
from domicile.cli.log_of import (
    entry_options,
    evidence_option,
    key_option,
    place_of,
    reader_of,
    selected,
)
from domicile.cli.output import Output, estate_option, output_options

if TYPE_CHECKING:
    from domicile.evidence.reader import LogReader


@click.group(short_help="Show, prove and check the evidence.")
def command() -> None:
    """Show, prove and check the evidence: the transparency log of what was decided and done.

    The log is static files (C2SP tlog-tiles) that anyone can copy and verify offline with its
    public key; it holds no personal data.
    """


@command.command(short_help="Print entries.")
@estate_option
@evidence_option
@key_option
@entry_options
@output_options
def show(
    estate: Path, evidence: str | None, key: str | None, start: int, stop: int | None,
    kind: str | None, out: Output,
) -> int:  # fmt: skip
    """Print entries, each checked against the signed tree's hashes.

    Entries are numbered from 0; both ends of --from and --to are included.
    """
    log = reader_of(estate, evidence, key)
    found = selected(log, start, stop, kind)
    if out.as_json:
        _print_document(log, found)
    else:
        for index, entry in found:
            out.say(f"{index:>7}  {entry['time']}  {entry['kind']:<14}  {_summary(entry)}")
    return 0


@command.command(short_help="Print the proof that an entry is in the log.")
@click.argument("number", type=click.IntRange(0), metavar="N")
@estate_option
@evidence_option
@key_option
@output_options
def proof(number: int, estate: Path, evidence: str | None, key: str | None, out: Output) -> int:
    """Print the proof that entry N is in the log, as JSON that verifies offline.

    It holds the signed checkpoint, the entry, its hash, and the path from it to the root
    (RFC 6962, section 2.1.1).
    """
    from domicile.cli.output import emit_json
    from domicile.errors import UsageError

    log = reader_of(estate, evidence, key)
    if number >= log.size:
        raise UsageError(
            f"there is no entry {number}: the log has {log.size}, from 0",
            hint="`domicile log show` lists them with their numbers",
        )
    document = log.inclusion(number).to_json()
    rotations = {"rotations": log.rotations} if log.rotations else {}
    emit_json({**document, "entry": log.entry(number), **rotations})
    return 0


@command.command(short_help="Print the proof that the log only grew since a head you kept.")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@estate_option
@evidence_option
@key_option
@output_options
def consistency(
    checkpoint: Path, estate: Path, evidence: str | None, key: str | None, out: Output
) -> int:
    """Print the proof that the log begins with what CHECKPOINT covered (RFC 6962, 2.1.2)."""
    import base64

    from domicile.cli.output import emit_json
    from domicile.errors import EvidenceError, UsageError
    from domicile.evidence.note import Checkpoint, parse_note

    try:
        kept = checkpoint.read_text("utf-8")
    except OSError as e:
        raise UsageError(f"cannot read {checkpoint}: {e.strerror}") from e
    head = Checkpoint.parse(parse_note(kept.encode()).text)
    log = reader_of(estate, evidence, key)
    if head.size > log.size:
        raise EvidenceError(
            f"the log has {log.size} entries, but {checkpoint} covers {head.size}",
            hint="an older copy of the log was put back: restore the newest one from a mirror",
        )
    proof = log.consistency(head.size)
    if proof.old_root != head.root:
        raise EvidenceError(
            f"the first {head.size} entries are not those that {checkpoint} covers",
            hint="history was rewritten: keep both checkpoints as the proof",
        )
    path = [base64.b64encode(p).decode() for p in proof.path]
    rotations = {"rotations": log.rotations} if log.rotations else {}
    emit_json({"old": kept, "new": log.checkpoint(), "path": path, **rotations})
    return 0


@command.command(short_help="Read the whole log again and check it.")
@estate_option
@evidence_option
@key_option
@output_options
def fsck(estate: Path, evidence: str | None, key: str | None, out: Output) -> int:
    """Read the whole log again: entries against tiles, root against checkpoint, signature.

    Nothing is repaired. Exits 1 when something is wrong; files that an interrupted append left
    beyond the head are named, and are not wrong.
    """
    from domicile.evidence.verify import fsck as check

    findings = check(*place_of(estate, evidence, key))
    wrong = [f for f in findings if f.fails]

    def human() -> None:
        for finding in findings:
            out.say(f"{finding.problem:<9} {finding}")
        out.say(f"{len(wrong)} wrong" if wrong else "the log verifies")

    out.emit(
        {
            "ok": not wrong,
            "findings": [
                {"problem": f.problem, "path": f.path, "said": f.said, "fails": f.fails}
                for f in findings
            ],
        },
        human,
    )
    return 1 if wrong else 0


for each in (keygen, cosign, export, move, rotate, succeed):
    command.add_command(each)
command.add_command(rotate_people, "rotate-people")
command.add_command(destroy_people, "destroy-people")


def _print_document(log: LogReader, found: Iterator[tuple[int, dict[str, Any]]]) -> None:
    """One JSON document, written as it is read so that a long log needs no memory."""
    head = log.head
    start = {"origin": head.origin, "size": head.size, "checkpoint": log.checkpoint()}
    click.echo(f'{json.dumps(start, ensure_ascii=False)[:-1]}, "entries": [', nl=False)
    separator = "\n"
    for index, entry in found:
        line = json.dumps({"index": index, "entry": entry}, ensure_ascii=False)
        click.echo(f"{separator}  {line}", nl=False)
        separator = ",\n"
    click.echo("\n]}")


def _summary(entry: dict[str, Any]) -> str:
    """An entry's own fields on one line; digests cut short, lists counted."""
    shown = []
    for name, value in entry.items():
        if name in ("kind", "time", "estate", "version"):
            continue
        if isinstance(value, list):
            value = f"[{len(value)}]"
        elif isinstance(value, str) and len(value) > 24:
            value = f"{value[:15]}…"
        elif isinstance(value, bool):
            value = "yes" if value else "no"
        shown.append(f"{name}={value}")
    return " ".join(shown)
