"""Which log, and which of its entries: what several commands of `domicile log` ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from domicile.evidence.bulk import Bulk
    from domicile.evidence.keys import VerifierKey
    from domicile.evidence.reader import LogReader

_Command = TypeVar("_Command", bound=Callable[..., Any])

evidence_option = click.option(
    "--evidence", metavar="DIR",
    help="The log's directory, or s3://BUCKET/PREFIX.  [default: where the estate's log is]",
)  # fmt: skip
key_option = click.option(
    "--key", metavar="KEY",
    help="The log's verifier key or a file of it.  [default: .domicile/keys/log.vkey]",
)  # fmt: skip


def entry_options(command: _Command) -> _Command:
    """`--from`, `--to` and `--kind`."""
    for option in (
        click.option("--kind", help="Entries of this kind only."),
        click.option("--to", "stop", type=click.IntRange(0), help="Last entry."),
        click.option("--from", "start", type=click.IntRange(0), default=0, help="First entry."),
    ):
        command = option(command)
    return command


def selected(
    log: LogReader, start: int, stop: int | None, kind: str | None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The entries that the options name, with their indices. Raises UsageError."""
    from domicile.errors import UsageError
    from domicile.evidence.kinds import KINDS

    if kind is not None and kind not in KINDS:
        raise UsageError(f"--kind: got {kind}, expected one of {', '.join(KINDS)}")
    found = log.entries(start, None if stop is None else stop + 1)
    return ((index, entry) for index, entry in found if kind is None or entry["kind"] == kind)


def place_of(estate: Path, evidence: str | None, key: str | None) -> tuple[Bulk, VerifierKey]:
    """Which log, and which key: as given, else those of the estate."""
    from domicile.evidence import place
    from domicile.evidence.bulk import bulk_at
    from domicile.evidence.keys import VerifierKey

    state = place.state_directory(estate)
    files = bulk_at(evidence) if evidence else place.log_files(state)
    require_there(files)
    return files, VerifierKey.load(key or place.verifier_path(state))


def require_there(files: Bulk) -> None:
    """Raises UsageError when there is nothing, EvidenceError when the place cannot be read."""
    from domicile.errors import EvidenceError, UsageError

    try:
        there = files.exists()
    except OSError as e:
        raise EvidenceError(f"{files.place} cannot be read: {e.strerror}") from e
    if not there:
        raise UsageError(
            f"there is no evidence in {files.place}",
            hint="name it with --evidence, or the estate with --estate; apply starts the log",
        )


def reader_of(estate: Path, evidence: str | None, key: str | None) -> LogReader:
    from domicile.evidence.reader import LogReader

    return LogReader(*place_of(estate, evidence, key))
