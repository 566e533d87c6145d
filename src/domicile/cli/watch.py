"""`domicile watch`: look again, tell what changed and what is due, and do what follows."""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from domicile.cli.output import Day, Output, estate_option, output_options

if TYPE_CHECKING:
    from domicile.watch.run import Round

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

PASSING = (3, 5)
"""Exit codes of what may pass by itself: a store that is away, a notice that was not taken."""


@click.command(short_help="Tell what changed and what is due, and do what follows.")
@estate_option
@click.option("--once", is_flag=True, help="Look once.")
@click.option(
    "--every", metavar="TIME", help="Look again after that time, such as 1h, until ended."
)
@click.option("--as-of", type=Day(), metavar="DATE", help="The clock: look as on that day (today).")
@click.option("--approve", metavar="MANDATE/CLAUSE",
              help="Approve that clause in advance, and look at nothing.")  # fmt: skip
@click.option("--max-rows", type=click.IntRange(min=0), help="With --approve: the most rows.")
@click.option("--until", type=Day(), metavar="DATE", help="With --approve: its last day.")
@output_options
def command(
    estate: Path, once: bool, every: str | None, as_of: datetime | None, approve: str | None,
    max_rows: int | None, until: datetime | None, out: Output,
) -> int:  # fmt: skip
    """Survey again and compare with the last look; tell of deadlines; do what follows them."""
    from domicile.errors import DomicileError, UsageError

    if [once, bool(every), bool(approve)].count(True) != 1:
        raise UsageError("got none or several of --once, --every and --approve, expected one")
    if approve:
        if max_rows is None or until is None:
            raise UsageError("--approve needs --max-rows and --until")
        return _approve(estate, approve, max_rows, until.date(), out)
    if every is None:
        return _look(estate, as_of, out)
    if as_of:
        raise UsageError("got --as-of with --every: a clock that stands still; use --once")
    pause = _seconds(every)
    while True:
        try:
            _look(estate, None, out)
        except DomicileError as problem:
            if problem.exit_code not in PASSING:
                raise
            out.warn(f"{problem}; looking again in {every}")
        time.sleep(pause)


def _look(path: Path, as_of: datetime | None, out: Output) -> int:
    from domicile.estate.load import load_estate
    from domicile.watch.notices import channels
    from domicile.watch.run import watch_once

    day = as_of.date() if as_of else datetime.now(UTC).date()
    declared = load_estate(path)
    lines = channels(declared)
    if not lines:
        out.warn("nobody is told: declare watch.to and devices.mail, or devices.webhook")
    with out.progress("watching"):
        found = watch_once(path, day, lines, out.detail)
    document = {**found.as_json(), "estate": declared.name}
    out.emit(document, lambda: _show(out, found))
    return 0


def _approve(path: Path, name: str, max_rows: int, until: date, out: Output) -> int:
    from domicile.estate.load import load_estate
    from domicile.law.load import load_mandates
    from domicile.watch.approve import approve

    declared = load_estate(path)
    mandates = load_mandates(declared, (), until)
    approve(path, declared, mandates, name, max_rows, until)
    document: dict[str, Any] = {
        "version": 1, "estate": declared.name, "clause": name, "max_rows": max_rows,
        "until": until.isoformat(),
    }  # fmt: skip
    out.emit(document, lambda: out.say(f"{name} may be carried out until {until}: {max_rows} rows"))
    return 0


def _seconds(text: str) -> int:
    from domicile.errors import UsageError

    match = re.fullmatch(r"([1-9]\d{0,4})([smhd])", text)
    if not match:
        raise UsageError(f"--every: got {text!r}, expected a time such as 30m, 1h or 1d")
    return int(match[1]) * UNITS[match[2]]


def _show(out: Output, found: Round) -> None:
    document = found.as_json()
    if document["drift"]:
        out.table("Changed since the last look", ["where", "what"],
                  [[c["where"], c["detail"]] for c in document["drift"]])  # fmt: skip
    if document["duties"]:
        out.table(
            f"Due, on {document['as_of']}",
            ["clause", "due", "days left", "open findings", "otherwise"],
            [[f"{d['mandate']}/{d['clause']}", d["due"], d["days_left"], d["findings"],
              d["otherwise"]]
             for d in document["duties"]],
        )  # fmt: skip
    for consequence in document["consequences"]:
        out.say(f"{consequence['clause']}: {consequence['outcome']}")
    out.say(f"{len(document['notices'])} notices sent.")
