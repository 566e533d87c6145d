"""`domicile devices policy`: the ban, rendered for others."""

from __future__ import annotations

from pathlib import Path

import click

from domicile.cli.output import Output, estate_option, output_options
from domicile.cli.written import write_named

NAMES = ("caddy", "dovecot", "nginx", "postfix")


@click.command(short_help="Render settings for other systems.")
@click.argument("name", type=click.Choice(NAMES), metavar="NAME")
@click.option(
    "--url", default="",
    help="Where the decision point is reached; http://127.0.0.1:14001 when left out, of postfix"
    " 127.0.0.1:14002.",
)  # fmt: skip
@click.option("-o", "target", type=click.Path(path_type=Path), metavar="FILE",
              help="Write to FILE, mode 0600, for it holds the decision point's key.")  # fmt: skip
@estate_option
@output_options
def policy(name: str, url: str, target: Path | None, estate: Path, out: Output) -> int:
    """Render the settings with which NAME (caddy, dovecot, nginx, postfix) asks the decision point.

    They hold the key of the decision point: keep them from other eyes.
    """
    from domicile.devices.policy.render import render

    text = render(estate, name, url)
    if target is not None:
        write_named(target, text, "the policy", secret=True)
    out.emit(
        {"name": name, "file": str(target) if target else None, "text": text},
        lambda: out.say(f"Wrote {target}" if target else text.rstrip("\n")),
    )
    return 0
