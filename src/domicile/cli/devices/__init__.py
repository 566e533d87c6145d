"""`domicile devices`: which devices have a forbidden app, who is told, and what they may reach.

One file a command beside this one.
"""

from __future__ import annotations

import click

from domicile.cli.devices.demo import demo
from domicile.cli.devices.enforce import enforce
from domicile.cli.devices.explain import explain
from domicile.cli.devices.list import list_
from domicile.cli.devices.notify import notify
from domicile.cli.devices.policy import policy
from domicile.cli.devices.report import report
from domicile.cli.devices.show import show
from domicile.cli.devices.sync import sync


@click.group(short_help="Fleets of devices: forbidden apps, notices, access.")
def command() -> None:
    """Fleets of devices: which has a forbidden app, who is told, and what it may reach.

    Of the apps on a device only those that a mandate forbids are ever kept. An app that is not
    listed is not taken for absent where the inventory does not list every app.
    """


for each in (sync, list_, show, explain, notify, enforce, policy, report, demo):
    command.add_command(each)
