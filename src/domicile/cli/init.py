"""`domicile init`: a first estate.yaml, proposed from what is in the stores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from domicile.cli.output import Output, output_options
from domicile.cli.written import write_named
from domicile.errors import UsageError

if TYPE_CHECKING:
    from domicile.survey.propose_model import Proposal
    from domicile.survey.propose_stores import Named

DEFAULT = Path("estate.yaml")


@click.command(short_help="Connect to stores and propose an estate.")
@click.argument("urls", nargs=-1, required=True, metavar="[NAME=]URL...")
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where to write it; - for standard output.  [default: estate.yaml]",
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option("--name", default="", metavar="NAME", help="The name of the estate.")
@click.option(
    "--country",
    "countries",
    multiple=True,
    metavar="[NAME=]COUNTRY",
    help="Where a store, or all of them, stands; init cannot know.",
)
@click.option(
    "--operator",
    "operators",
    multiple=True,
    metavar="[NAME=]WHO",
    help="The organisation that runs a store, or all of them.",
)
@click.option(
    "--schema",
    "schemas",
    multiple=True,
    metavar="[NAME=]SCHEMA",
    help="A store's own name for the schema; public in PostgreSQL when left out.",
)
@output_options
def command(
    urls: Sequence[str], target: Path | None, force: bool, name: str, countries: Sequence[str],
    operators: Sequence[str], schemas: Sequence[str], out: Output,
) -> int:  # fmt: skip
    """Connect to stores that nobody has described yet and propose an estate for them.

    It finds the people (the register, their residence and birth date), what belongs to them, and
    references that no key declares; each proposal has its reason beside it, and what is guessed
    says so. Nothing in the stores is changed. Where a store stands and who runs it cannot be seen
    from inside: say it with --country and --operator, or in the file.

    \b
        domicile init postgresql://me@127.0.0.1/shop --country SG --operator 'Shop Ltd'
        domicile init sg=postgresql://a/shop us=postgresql://b/shop --country sg=SG --country us=US

    With --json the proposal is printed as one document, and written only where -o says.
    """  # fmt: skip
    from domicile.survey.propose_check import check
    from domicile.survey.propose_read import Reading
    from domicile.survey.propose_stores import stores

    to = target or (None if out.as_json else DEFAULT)
    shown = to is not None and str(to) == "-"
    if shown and out.as_json:
        raise UsageError("-o - and --json both print on standard output", hint="choose one")
    file = None if shown else to
    _refuse(file, force)
    directory = (file or Path()).absolute().parent if file else Path.cwd()
    named = stores(urls, countries, operators, schemas, directory)
    with out.progress("reading the stores") as _, Reading([n.opened for n in named]) as reading:
        from domicile.survey.propose import propose

        proposal = propose(
            reading, name or named[0].opened.name, [n.written for n in named], out.detail
        )
        variables = {key: value for n in named for key, value in n.variables.items()}
        check(proposal, reading, directory, variables)
    _write(proposal, file, shown, out)
    out.emit(proposal.document(), lambda: _show(proposal, named, file, shown, out))
    return 0


def _refuse(file: Path | None, force: bool) -> None:
    """Before anything is connected to: a file that is there, or a place that is not."""
    if file is None:
        return
    if file.is_dir():
        raise UsageError(f"{file} is a directory", hint="name a file: -o FILE")
    if not file.absolute().parent.is_dir():
        raise UsageError(f"{file}: there is no directory {file.parent}", hint="make it first")
    if file.exists() and not force:
        raise UsageError(
            f"{file} is there already, and is left as it is",
            hint="write elsewhere with -o, or over it with --force",
        )


def _write(proposal: Proposal, file: Path | None, shown: bool, out: Output) -> None:
    from domicile.survey.propose_text import render

    text = render(proposal)
    if shown:
        click.echo(text, nl=False)
    elif file is not None:
        write_named(file, text, "the estate")


def _show(
    proposal: Proposal, named: Sequence[Named], file: Path | None, shown: bool, out: Output
) -> None:
    from domicile.survey.propose_model import UNKNOWN_COUNTRY, UNKNOWN_OPERATOR
    from domicile.survey.propose_text import without_home

    if shown or file is None:
        return
    for subject in proposal.subjects:
        if subject.active:
            where = subject.residence.path if subject.residence else "unknown"
            out.say(f"{subject.name}: register {subject.register}, residence {where}")
            if not subject.residence:
                out.say("  no path leads to countries: nobody is protected until one is declared")
    active = sum(t.active for t in proposal.tables), sum(k.active for k in proposal.links)
    out.say(
        f"Wrote {file}: {_count(len(proposal.stores), 'store')},"
        f" {_count(active[0], 'table')} with a role, {_count(active[1], 'link')};"
        f" {_count(proposal.guessed, 'guess', 'guesses')} to confirm."
    )
    for each in named:
        for variable in each.variables:
            out.say(f"Set {variable} to the password of {each.opened.name}: it is not in the file.")
    nobodys = [s.name for s in proposal.stores if s.operator == UNKNOWN_OPERATOR]
    if nobodys:
        out.say(f"Say in it who runs {', '.join(nobodys)}: until then no mandate trusts them.")
    for holds in without_home(proposal.stores):
        out.say(
            f"Nothing of {holds} can be moved yet: it is in one store. Add its home under stores"
            " (an example is in the file), or name both stores here."
        )
    unknown = [s.name for s in proposal.stores if s.country == UNKNOWN_COUNTRY]
    if unknown:
        out.say(f"Say in it where {', '.join(unknown)} stands; then run `domicile check`.")
    else:
        out.say("Read it, then run `domicile check`.")


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
