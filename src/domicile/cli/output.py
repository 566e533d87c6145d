"""What every command shares: its options, and how it prints.

Standard output is for the result: text for people, or with `--json` exactly one document.
Standard error is for errors, and on a terminal for the progress of anything over a second.

A command file looks like this::

    @click.command(short_help="Validate the estate and the mandates.")
    @estate_option
    @output_options
    def command(estate: Path, out: Output) -> int:
        ...
        out.emit(document, lambda: out.table("Stores", ["name", "country"], rows))
        return 0
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import click

from domicile.errors import DomicileError

if TYPE_CHECKING:
    from rich.console import Console

F = TypeVar("F", bound=Callable[..., Any])

PROGRESS_AFTER = 1.0  # seconds (design.md, section 9)


@dataclass
class Output:
    """How this run prints; made by `main`, filled in by the options of `output_options`."""

    as_json: bool = False
    quiet: bool = False
    verbose: int = 0

    def say(self, text: str = "") -> None:
        """A line for people; nothing under `--json` or `--quiet`. No markup is interpreted."""
        if not (self.as_json or self.quiet):
            click.echo(harmless(text))

    def detail(self, text: str) -> None:
        """A line on standard error for whoever asked with `-v`."""
        if self.verbose:
            click.echo(harmless(text), err=True)

    def warn(self, text: str) -> None:
        """A warning, on standard error, whatever the options."""
        click.echo(f"domicile: warning: {harmless(text)}", err=True)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table for people; numbers to the right. Nothing under `--json` or `--quiet`."""
        if self.as_json or self.quiet:
            return
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD)
        for index, column in enumerate(columns):
            filled = [row[index] for row in rows if row[index] not in ("", None)]
            numeric = bool(filled) and all(isinstance(value, int | float) for value in filled)
            # A name that is cut off is no name: long ones go on in the next line.
            justify: Literal["right", "left"] = "right" if numeric else "left"
            table.add_column(Text(column), justify=justify, overflow="fold")
        for row in rows:
            table.add_row(*(Text(_shown(value)) for value in row))
        console().print(table)

    def emit(self, document: Mapping[str, Any], human: Callable[[], None]) -> None:
        """The result: the document under `--json`, else what `human` prints."""
        if self.as_json:
            emit_json(document)
        else:
            human()

    @contextmanager
    def progress(self, what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Show `what` on a terminal's standard error once it has lasted over a second.

        Gives a function to call with how many more are done.
        """
        if self.quiet or self.as_json or not sys.stderr.isatty():
            yield lambda done: None
            return
        from rich.progress import Progress

        bar = Progress(console=console(stderr=True), transient=True)
        task = bar.add_task(what, total=total)
        timer = threading.Timer(PROGRESS_AFTER, bar.start)
        timer.start()
        try:
            yield lambda done: bar.advance(task, done)
        finally:
            timer.cancel()
            timer.join()
            bar.stop()


def console(*, stderr: bool = False) -> Console:
    """A rich console on standard output or error; plain and wide when it is not a terminal."""
    from rich.console import Console as Rich

    class Console(Rich):
        def on_broken_pipe(self) -> None:
            """The reader went away: `main` says how that ends, not rich with SystemExit(1)."""
            raise BrokenPipeError

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 160
    return Console(file=stream, width=width, highlight=False, markup=False)


class Day(click.DateTime):
    """A date of an option, as 2026-11-22."""

    name = "date"

    def __init__(self) -> None:
        super().__init__(["%Y-%m-%d"])

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """The day at midnight. Raises click.BadParameter."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"got {value!r}, expected a date as 2026-11-22", param, ctx)


def emit_json(document: Mapping[str, Any]) -> None:
    """Print the one document of `--json`. Raises TypeError for values that JSON does not have."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def fail(error: DomicileError) -> None:
    """Print an error as one message on standard error."""
    click.echo(f"domicile: error: {error}", err=True)


def estate_option(function: F) -> F:
    """`--estate FILE`, given as `estate: Path`; whether it can be read is the loader's to say."""
    return click.option(
        "--estate",
        type=click.Path(path_type=Path),
        default=Path("estate.yaml"),
        show_default=True,
        metavar="FILE",
        help="The declaration of the estate.",
    )(function)


def json_option(function: F) -> F:
    """`--json`, given as `as_json: bool`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(
        function
    )


def output_options(function: F) -> F:
    """`--json`, `--quiet` and `-v`, given together as `out: Output`."""

    def into(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
        def set_on_output(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
            setattr(ctx.ensure_object(Output), name, value)
            return value

        return set_on_output

    for option in (
        click.option(
            "-v", "verbose", count=True, expose_value=False, callback=into("verbose"),
            help="Say more, on standard error.",
        ),
        click.option(
            "--quiet", is_flag=True, expose_value=False, callback=into("quiet"),
            help="Print errors only.",
        ),
        click.option(
            "--json", "as_json", is_flag=True, expose_value=False, callback=into("as_json"),
            help="Print one JSON document on standard output, and nothing else.",
        ),
    ):  # fmt: skip
        function = option(function)
    return _with_output(function)


def _with_output(function: F) -> F:
    def run(*args: Any, **kwargs: Any) -> Any:
        return function(*args, out=click.get_current_context().ensure_object(Output), **kwargs)

    return cast(F, update_wrapper(run, function))


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return "" if value is None else harmless(str(value))


_COMMANDS = {
    code: "\ufffd"
    for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    if code not in (0x09, 0x0A)
}
"""Control characters, and those that turn the direction of a line round: a name that somebody
else chose is shown on a terminal, and commands it nothing."""


def harmless(text: str) -> str:
    """The text without what a terminal would obey."""
    return text.translate(_COMMANDS)
