"""The `domicile` command: finds commands by name, and turns every error into one line and a code.

A command is a file `cli/<name>.py` that exports a click command named `command`. Nothing of it is
imported before it is asked for, so that `domicile --help` does not pay for database drivers.
A command may return an `int`, which becomes the exit code (design.md, section 9); `None` is 0.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click

from domicile import __version__
from domicile.cli.output import Output, fail
from domicile.errors import DomicileError, StoreError, StoreRefused

COMMANDS = {
    "init": "Connect to stores and propose an estate.",
    "check": "Validate the estate and the mandates.",
    "law": "List, show and adapt the library of mandates.",
    "schema": "Print the JSON Schema of an estate or a mandate.",
    "record": "Make the record of processing activities (Art. 30 GDPR).",
    "map": "Show whose data is where.",
    "plan": "Find what breaks a clause, and what would cure it.",
    "compare": "Set two mandates, or two days, side by side.",
    "approve": "Approve a plan, with a key of your own.",
    "apply": "Carry out a plan, or resume it.",
    "verify": "Check the stores against the mandates, and the log against its key.",
    "watch": "Tell what changed and what is due, and do what follows.",
    "review": "Write the security review, signed, as HTML or PDF.",
    "duties": "What must be answered, told and withdrawn, by when.",
    "breach": "Whose data lay in a store, and who must be told by when.",
    "undo": "Make the plan that takes a finished move back.",
    "devices": "Fleets of devices: forbidden apps, notices, access.",
    "log": "Show, prove and check the evidence.",
    "receipt": "Cut one person's receipts.",
    "witness": "Cosign the logs of others.",
    "demo": "Run a whole estate on this machine, end to end.",
}
"""Every command with its line of help, in the order of the work."""

EXIT_UNEXPECTED = 70  # EX_SOFTWARE of sysexits.h: the fault is ours, not the user's
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells have it
EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE
EXIT_RESUMABLE = 5  # an interrupted `apply`: run it again
EXIT_NOT_APPROVED = 4  # a plan that nobody said yes to


class CommandTable(click.Group):
    """A group whose commands are modules, imported when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands of this installation, in the order of `COMMANDS`."""
        return [name for name in COMMANDS if find_spec(f"domicile.cli.{name}") is not None]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module; `None` when there is no such command."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command = import_module(f"domicile.cli.{cmd_name}").command
        assert isinstance(command, click.Command), f"cli/{cmd_name}.py exports no click command"
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that was named, or an error with the nearest one that there is."""
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            near = get_close_matches(args[0], known, 1)
            meant = f"Did you mean {near[0]}? " if near else ""
            ctx.fail(f"No such command '{args[0]}'. {meant}Commands: {', '.join(known)}.")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table alone."""
        rows = [(name, COMMANDS[name]) for name in self.list_commands(ctx)]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


@click.command(
    cls=CommandTable,
    name="domicile",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done; 1 findings, or verification failed; 2 usage or a bad declaration;"
    " 3 a store unreachable; 4 plan refused; 5 stopped half-way, run again to resume.",
)
@click.version_option(__version__, prog_name="domicile", message="%(prog)s %(version)s")
def cli() -> None:
    """Carry out data mandates: find whose data is where, move it home, erase it abroad, prove it.

    The work goes: init, check, map, plan, apply, verify. Reading never changes anything;
    only apply does, and only what the plan says.
    """


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code; raises nothing."""
    arguments = list(sys.argv[1:] if args is None else args)
    output = Output()
    _open_ends()
    name = next((a for a in arguments if not a.startswith("-")), "")
    try:
        return _run(arguments, output)
    except DomicileError as error:
        fail(error)
        if isinstance(error, StoreRefused) and name != "apply":
            return StoreError.exit_code  # nothing was begun that could be resumed
        return error.exit_code
    except click.ClickException as error:
        return _misused(error)
    except KeyboardInterrupt:
        return _interrupted(name)
    except (click.Abort, EOFError):
        return _not_approved(name)
    except BrokenPipeError:  # the reader went away (`| head`): no error of ours
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - the outermost boundary: say whose fault it is
        return _unexpected(
            error, trace=output.verbose > 0 or bool(os.environ.get("DOMICILE_TRACE"))
        )


def _run(arguments: list[str], output: Output) -> int:
    """Run a command; what `click.Command.main` does, without its own exits and messages."""
    try:
        with cli.make_context("domicile", arguments, obj=output) as context:
            code = cli.invoke(context)
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    sys.stdout.flush()
    return code if isinstance(code, int) else 0


def _open_ends() -> None:
    """A standard stream that the caller closed (`>&-`) swallows what is written to it."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115


def _misused(error: click.ClickException) -> int:
    """An option or argument that cannot be: one error like all others, and where the help is."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)  # a group by itself: the help is the answer
        return 2
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context else "domicile"
    message = error.format_message().rstrip(".")
    click.echo(f"domicile: error: {message}", err=True)
    click.echo(f"  `{command} --help` says how it is used", err=True)
    return 2


def _interrupted(command: str) -> int:
    """Control-C. What apply had done is in its journal."""
    if command == "apply":
        click.echo("\ndomicile: interrupted; run the same command again to resume", err=True)
        return EXIT_RESUMABLE
    click.echo("\ndomicile: interrupted", err=True)
    return EXIT_INTERRUPTED


def _not_approved(command: str) -> int:
    """A question answered no, or by nobody."""
    if sys.stderr.isatty():
        click.echo(err=True)  # the question has no line end of its own
    click.echo("domicile: error: not approved; nothing was done", err=True)
    return EXIT_NOT_APPROVED if command == "apply" else 2


def _unexpected(error: Exception, *, trace: bool) -> int:
    """One line for an error that is our fault.

    The exception's own text is left out unless a trace was asked for: a driver's message may hold
    a person's data.
    """
    if trace:
        traceback.print_exception(error)
    where = traceback.extract_tb(error.__traceback__)[-1]
    click.echo(
        f"domicile: internal error: {type(error).__name__} in {where.name}. This is a fault in"
        " Domicile, not in your input.",
        err=True,
    )
    if not trace:
        click.echo("  run again with -v, or DOMICILE_TRACE=1, and report what it prints", err=True)
    return EXIT_UNEXPECTED
