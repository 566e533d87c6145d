"""`domicile demo`: a whole estate on this machine, end to end, with the real commands."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from domicile.cli.output import Output, output_options
from domicile.errors import Stopped

if TYPE_CHECKING:
    from domicile.demo.stage import Stage
    from domicile.demo.story import Measured

PEOPLE = 20_000
PLAN = "plan.json"
EVIDENCE = ".domicile/evidence"
KEY = ".domicile/keys/log.vkey"
COMMANDS = (
    ("map",),
    ("plan", "-o", PLAN),
    ("apply", PLAN, "--yes"),
    ("verify",),
    ("verify", "--evidence", EVIDENCE, "--key", KEY),
)
"""The line of work, as a person would type it."""


@click.command(short_help="Run a whole estate on this machine, end to end.")
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("domicile-demo"),
    show_default=True,
    metavar="DIR",
    help="The folder for everything the demo makes.",
)
@click.option(
    "--people",
    type=click.IntRange(50, 1_000_000),
    default=PEOPLE,
    show_default=True,
    help="How many people to make up.",
)
@click.option("--stop", is_flag=True, help="Stop the demo's servers; their files stay.")
@click.option("--remove", is_flag=True, help="Stop the demo's servers and remove what it made.")
@output_options
def command(directory: Path, people: int, stop: bool, remove: bool, out: Output) -> int:
    """Start two PostgreSQL servers, fill one with made-up people, and bring the Americans home.

    A video platform in Singapore has promised that the data of US users rest in the US with a
    trusted custodian. The demo runs map, plan, apply and verify on it, and counts before and after
    with plain SQL. The servers stay up, to look around; --stop ends them.
    """
    from domicile.demo import stage as stages

    if remove:
        stages.remove(directory)
        out.say(f"Stopped and removed the demo in {directory}.")
        return 0
    if stop:
        stages.opened(directory).stop()
        out.say(
            f"Stopped the demo's servers; `domicile demo --remove --dir {directory}` removes it."
        )
        return 0

    began = time.monotonic()
    out.say(f"Making up {people:,} people in 40 countries, and two PostgreSQL servers for them ...")
    with out.progress("making people and servers"):
        stage = stages.build(directory, people)
    try:
        _act(stage, out, began)
    except KeyboardInterrupt:
        stage.stop()
        raise
    return 0


def _act(stage: Stage, out: Output, began: float) -> None:
    """The commands, with our own measurements around them."""
    from domicile.demo import story
    from domicile.demo.stage import ABROAD

    emails = story.sample_emails(stage, ABROAD)
    accounts = story.american_accounts(stage, ABROAD)
    before = story.measure(stage, emails, accounts)
    _show(out, f"Before, after {_seconds(began)}", before, len(emails))
    seconds: dict[str, float] = {}
    for arguments in COMMANDS:
        started = time.monotonic()
        _run(stage.directory, arguments, out)
        seconds[" ".join(arguments)] = round(time.monotonic() - started, 2)
    after = story.measure(stage, emails, accounts)
    _show(out, "After", after, len(emails))
    checkpoint = (stage.directory / EVIDENCE / "checkpoint").read_text(encoding="utf-8")
    document = _document(stage, before, after, checkpoint, seconds, time.monotonic() - began)
    out.emit(document, lambda: _close(stage, checkpoint, out, began))


def _run(directory: Path, arguments: tuple[str, ...], out: Output) -> None:
    """Run one command and show its output. Raises Stopped when it fails."""
    from domicile.demo.story import run_command

    out.say(f"\n$ domicile {' '.join(arguments)}")
    lines: list[str] = []
    for line in run_command(directory, *arguments):
        if isinstance(line, str):
            lines.append(line)
            out.say(line)
        elif line != 0:
            shown = "" if not (out.as_json or out.quiet) else ":\n" + "\n".join(lines)
            raise Stopped(
                f"`domicile {' '.join(arguments)}` ended with {line}{shown}",
                hint=f"the servers are up; look around in {directory}",
            )


def _show(out: Output, title: str, measured: list[Measured], sampled: int) -> None:
    out.say()
    out.table(
        f"{title}: counted by plain SQL and in the files, without Domicile",
        [
            "store",
            "in the US",
            "elsewhere",
            f"of {sampled} US e-mails in its files",
            "US events in its lake",
        ],
        [[m.store, m.americans, m.others, m.found, m.events] for m in measured],
    )


def _close(stage: Stage, checkpoint: str, out: Output, began: float) -> None:
    """How to check it oneself, and what to try next."""
    from domicile.demo.stage import ABROAD, HOME
    from domicile.demo.story import AMERICANS

    where = stage.directory
    out.say(f"Done in {_seconds(began)}. The head of the evidence log, to keep or to hand on:\n")
    out.say("".join(f"    {line}\n" for line in checkpoint.splitlines()))
    out.say("Check it yourself, in either store:\n")
    for store in (ABROAD, HOME):
        out.say(f'    {where}/psql {store} -c "{AMERICANS}"')
    out.say(
        "\nThe messages between an American and somebody abroad were held: nobody has said whose"
        f"\nthey are. Say it in {where}/estate.yaml (last line), then try:\n"
    )
    out.say(f"    cd {where}")
    out.say("    domicile plan -o second.json")
    out.say("    domicile apply second.json --yes")
    out.say("    domicile log show")
    out.say("    domicile review -o review.html")
    out.say(
        f"\nThe servers stay up. `domicile demo --stop --dir {where}` stops them,"
        " --remove also removes the folder."
    )


def _document(
    stage: Stage,
    before: list[Measured],
    after: list[Measured],
    checkpoint: str,
    seconds: dict[str, float],
    total: float,
) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "version": 1,
        "directory": str(stage.directory),
        "stores": {store: stage.url(store) for store in stage.servers},
        "before": [asdict(m) for m in before],
        "after": [asdict(m) for m in after],
        "checkpoint": checkpoint,
        "seconds": {**seconds, "total": round(total, 2)},
    }


def _seconds(began: float) -> str:
    return f"{time.monotonic() - began:.0f} s"
