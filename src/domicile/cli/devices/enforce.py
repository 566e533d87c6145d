"""`domicile devices enforce`: the decision point that mail and web servers ask."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click

from domicile.cli.devices.options import at_option
from domicile.cli.output import Output, estate_option, output_options
from domicile.errors import UsageError


@click.command(short_help="Run the decision point.")
@click.option(
    "--listen", default="127.0.0.1:14001", show_default=True, metavar="HOST:PORT",
    help="Where to listen; port 0 takes a free one.",
)  # fmt: skip
@click.option("--postfix", default="", metavar="HOST:PORT",
              help="Where Postfix asks, or the path of a socket.")  # fmt: skip
@click.option("--doveadm", default="", metavar="URL",
              help="Dovecot's doveadm HTTP API, to end sessions that are open.")  # fmt: skip
@click.option("--doveadm-secret", default="", metavar="VARIABLE",
              help="The environment variable with its API key.")  # fmt: skip
@estate_option
@at_option
@output_options
def enforce(
    listen: str, postfix: str, doveadm: str, doveadm_secret: str, estate: Path,
    at: datetime | None, out: Output,
) -> int:  # fmt: skip
    """Run the decision point until it is stopped: it answers mail and web servers, ends open
    sessions of devices that are refused from now on, and lets back in whoever has complied.

    Closed when it cannot decide, and when it is down.
    """
    from datetime import UTC

    import uvloop

    from domicile.devices.dovecot import Sessions
    from domicile.devices.enforce import Enforcer
    from domicile.devices.policy.render import point_key
    from domicile.devices.send import variable

    host, port = _place("--listen", listen, 14001)
    if postfix and "/" not in postfix:
        _place("--postfix", postfix, 14002)
    if bool(doveadm) != bool(doveadm_secret):
        raise UsageError("--doveadm and --doveadm-secret belong together")
    offset = at - datetime.now(UTC) if at else None
    enforcer = Enforcer(
        estate,
        point_key(estate),
        sessions=Sessions(doveadm, variable(doveadm_secret)) if doveadm else None,
        postfix=postfix,
        clock=lambda: datetime.now(UTC) + offset if offset else datetime.now(UTC),
        warn=out.warn,
    )

    def ready(taken: int, mail: str) -> None:
        address = f"http://{host}:{taken}"

        def said() -> None:
            out.say(f"Deciding at {address}")
            if mail:
                out.say(f"Deciding for Postfix at {mail}")

        out.emit({"url": address, "postfix": mail or None}, said)
        sys.stdout.flush()

    uvloop.run(enforcer.run(host.strip("[]"), port, ready))
    return 0


def _place(option: str, given: str, usual: int) -> tuple[str, int]:
    host, _, port = given.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"{option}: got {given}, expected HOST:PORT as 127.0.0.1:{usual}")
    return host, int(port)
