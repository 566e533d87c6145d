"""`domicile devices policy`: the ban, rendered for others."""

from __future__ import annotations

from pathlib import Path

import click

from domicile.cli.output import Output, estate_option, output_options
from domicile.cli.written import write_named

NAMES = (
    "android", "apple", "caddy", "dovecot", "fleet", "intune", "nginx", "postfix", "rpz", "unbound",
)  # fmt: skip


@click.command(short_help="Render settings for other systems.")
@click.argument("name", type=click.Choice(NAMES), metavar="NAME")
@click.option(
    "--url", default="",
    help="Where the decision point is reached; http://127.0.0.1:14001 when left out, of postfix"
    " 127.0.0.1:14002.",
)  # fmt: skip
@click.option("--mandate", default="", metavar="ID", help="Render the ban of that mandate only.")
@click.option("-o", "target", type=click.Path(path_type=Path), metavar="FILE",
              help="Write to FILE, mode 0600: a server's settings hold a key.")  # fmt: skip
@estate_option
@output_options
def policy(
    name: str, url: str, mandate: str, target: Path | None, estate: Path, out: Output
) -> int:
    """Render the settings with which a server asks the decision point (caddy, dovecot, nginx,
    postfix), or the ban for a system that carries it out by itself (android, apple, fleet, intune,
    rpz, unbound).

    A server's settings hold the key of the decision point: keep them from other eyes.
    """
    from domicile.devices.policy.render import not_before, render

    text = render(estate, name, url, mandate=mandate)
    if (day := not_before(estate, name, mandate)) is not None:
        out.warn(f"it blocks as soon as it is applied, and the deadline is {day:%Y-%m-%d}")
    if target is not None:
        write_named(target, text, "the policy", secret=True)
    out.emit(
        {"name": name, "file": str(target) if target else None, "text": text},
        lambda: out.say(f"Wrote {target}" if target else text.rstrip("\n")),
    )
    return 0
