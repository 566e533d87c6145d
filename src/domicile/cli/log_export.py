"""`domicile log export`: entries for other programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from domicile.cli.log_of import entry_options, evidence_option, key_option, reader_of, selected
from domicile.cli.output import Output, estate_option, output_options


@click.command(short_help="Write entries as OpenTelemetry log records.")
@estate_option
@evidence_option
@key_option
@entry_options
@click.option("--format", "form", type=click.Choice(["otel"]), default="otel", show_default=True,
              help="OTLP JSON, one record a line.")  # fmt: skip
@click.option("-o", "target", type=click.Path(path_type=Path), metavar="FILE",
              help="Write the lines to FILE.")  # fmt: skip
@output_options
def export(
    estate: Path, evidence: str | None, key: str | None, start: int, stop: int | None,
    kind: str | None, form: str, target: Path | None, out: Output,
) -> int:  # fmt: skip
    """Write entries for a SIEM, each checked first: lines of OTLP JSON that a collector reads.

    Nothing is in a line that is not in the log. Memory is flat however long it is.
    """
    from domicile.durable.files import writing_whole
    from domicile.errors import UsageError
    from domicile.evidence.otel import records

    log = reader_of(estate, evidence, key)
    count = 0

    def lines() -> Iterator[str]:
        nonlocal count
        for record in records(selected(log, start, stop, kind), log.head.origin):
            count += 1
            yield json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"

    if target is None:
        if out.as_json:
            raise UsageError("--json: the lines are JSON already", hint="leave it out, or add -o")
        for line in lines():
            click.echo(line, nl=False)
        return 0
    try:
        with writing_whole(target) as file:
            for line in lines():
                file.write(line.encode())
    except OSError as error:
        raise UsageError(
            f"cannot write {target}: {error.strerror}", hint="name another file, or make room"
        ) from error
    out.emit({"entries": count, "file": str(target)},
             lambda: out.say(f"{count} entries written to {target}"))  # fmt: skip
    return 0
