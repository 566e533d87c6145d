"""`domicile law`: the library of mandates, listed, shown, adapted; and the case they came from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import click

from domicile.cli.output import Day, Output, output_options
from domicile.law.model import KINDS

STATUSES = ("in_force", "enjoined", "stayed", "revoked", "proposed", "voluntary")


def _as_of(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--as-of", type=Day(), metavar="DATE", help="As on that day (today).")(
        function
    )


@click.group(short_help="List, show and adapt the library of mandates.")
def command() -> None:
    """The mandates that ship with Domicile, each fact with its source."""


@command.command("list", short_help="List the library.")
@click.option("--country", metavar="COUNTRY", help="Only mandates that name it.")
@click.option("--category", metavar="KEY", help="Only about that data category of Fideslang.")
@click.option("--kind", type=click.Choice(KINDS), help="Only with a clause of that kind.")
@click.option("--status", type=click.Choice(STATUSES), help="Only of that status on the day.")
@_as_of
@output_options
def listed(
    country: str | None, category: str | None, kind: str | None, status: str | None,
    as_of: datetime | None, out: Output,
) -> int:  # fmt: skip
    """List the library with status and dates."""
    from domicile.law.catalogue import Wanted, matching, shipped, summary

    day = _day(as_of)
    wanted = Wanted(_country(country), _category(category), kind, status)
    found = matching(shipped(day), wanted, day)
    document = {
        "version": 1,
        "as_of": day.isoformat(),
        "mandates": [summary(mandate, day) for mandate in found],
    }
    out.emit(document, lambda: _show_list(out, document))
    return 0


@command.command("show", short_help="Show one mandate, each clause with its source.")
@click.argument("name", metavar="ID")
@_as_of
@output_options
def show(name: str, as_of: datetime | None, out: Output) -> int:
    """Show a mandate of the library, or a file: clauses, parameters, history, sources."""
    from domicile.law.catalogue import whole
    from domicile.law.load import load_mandate, mandate_file

    day = _day(as_of)
    document: dict[str, Any] = {
        "version": 1,
        "as_of": day.isoformat(),
        "mandate": whole(load_mandate(mandate_file(name), day), day),
    }
    out.emit(document, lambda: _show_one(out, document["mandate"]))
    return 0


@command.command("new", short_help="Write a mandate that adapts another.")
@click.argument("name", metavar="ID")
@click.option("--extends", "base", metavar="ID", help="The mandate to adapt: an id, or a file.")
@click.option("-o", "target", type=click.Path(path_type=Path), metavar="FILE",
              help="Write to FILE (mandates/ID.yaml).")  # fmt: skip
@_as_of
@output_options
def new(
    name: str, base: str | None, target: Path | None, as_of: datetime | None, out: Output
) -> int:
    """Write a new mandate to fill in. A file that is there is never overwritten."""
    from domicile.errors import UsageError
    from domicile.law.draft import adapted, blank
    from domicile.law.load import load_mandate, mandate_file

    day = _day(as_of)
    path = target or Path("mandates") / f"{name}.yaml"
    if base is None:
        text = blank(name, day)
    else:
        file = mandate_file(base)
        named = base if not Path(base).is_file() else str(file.absolute())
        text = adapted(name, load_mandate(file, day), named)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise UsageError(f"{path} is there already", hint="name another with -o FILE") from None
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    try:
        mandate = load_mandate(path, day)
    except BaseException:
        path.unlink()  # a name that cannot be an id: nothing is left of the attempt
        raise
    document = {"version": 1, "file": str(path), "mandate": mandate.id}
    out.emit(document, lambda: out.say(f"Wrote {path}. Edit it, then: domicile check"))
    return 0


def _day(as_of: datetime | None) -> date:
    return as_of.date() if as_of else datetime.now(UTC).date()


def _country(text: str | None) -> str | None:
    from domicile.errors import UsageError
    from domicile.law.countries import country_code, nearest_country

    if text is None:
        return None
    code = country_code(text)
    if code is None:
        raise UsageError(
            f"--country: got {text!r}, expected one country", hint=nearest_country(text)
        )
    return code


def _category(text: str | None) -> str | None:
    from domicile.errors import UsageError
    from domicile.law.categories import is_category, nearest_category

    if text is not None and not is_category(text):
        raise UsageError(
            f"--category: got {text!r}, expected a data category of Fideslang",
            hint=nearest_category(text),
        )
    return text


def _show_list(out: Output, document: dict[str, Any]) -> None:
    out.table(
        f"The library on {document['as_of']}",
        ["mandate", "status", "effective", "deadline", "kinds", "read in its source"],
        [
            [m["id"], m["status"], m["effective"], m["deadline"] or "-", ", ".join(m["kinds"]),
             m["verified"]]
            for m in document["mandates"]
        ],
    )  # fmt: skip
    if not document["mandates"]:
        out.say("No mandate of the library is about all of that.")


def _show_one(out: Output, mandate: dict[str, Any]) -> None:
    out.say(f"{mandate['id']}: {mandate['title']}")
    read = {True: "read there", False: "not confirmed", None: "not said"}
    for name in ("issuer", "citation", "status", "effective", "deadline", "extends", "notes"):
        if mandate[name]:
            out.say(f"  {name}: {mandate[name]}")
    out.say(f"  source: {mandate['source'] or '-'} ({read[mandate['verified']]})")
    said = {key: value for key, value in mandate["protects"].items() if value}
    out.say("  protects: " + ", ".join(f"{key} {_words(value)}" for key, value in said.items()))
    out.table(
        "Clauses",
        ["clause", "kind", "says", "otherwise", "citation", "source", "read there"],
        [
            [c["id"], c["kind"], _words(c["says"]), c["otherwise"], c["citation"], c["source"],
             c["verified"]]
            for c in mandate["clauses"]
        ],
    )  # fmt: skip
    for clause in mandate["clauses"]:
        if clause["note"]:
            out.say(f"  {clause['id']}: {clause['note']}")
    if mandate["parameters"]:
        out.table(
            "Parameters",
            ["name", "from", "value", "note", "source", "read there"],
            [
                [p["name"], p["from"], _words(p["value"]), p["note"], p["source"], p["verified"]]
                for p in mandate["parameters"]
            ],
        )
    if mandate["history"]:
        out.table(
            "History",
            ["from", "status", "note", "source", "read there"],
            [[h["on"], h["status"], h["note"], h["source"], h["verified"]]
             for h in mandate["history"]],
        )  # fmt: skip


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_words(each)}" for key, each in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_words(each) for each in value)
    return str(value)


@command.command("timeline", short_help="The case that the library grew out of.")
@click.option("--mandate", "name", metavar="ID", help="Only what concerns that mandate.")
@click.option("--language", type=click.Choice(["en", "nl"]), default="en", show_default=True,
              help="The language of the table.")  # fmt: skip
@click.option("--markdown", "as_markdown", is_flag=True, help="Print a table in Markdown.")
@output_options
def timeline(
    name: str | None, language: Literal["en", "nl"], as_markdown: bool, out: Output
) -> int:
    """Show the case as dated facts, each with its source and state."""
    from domicile.law import timeline as told
    from domicile.law.load import mandate_file

    if name is not None:
        mandate_file(name)  # an id that is not there is an error, not an empty table
    found = told.of_mandate(name) if name else told.events()
    document = {"version": 1, "events": [event.as_json() for event in found]}

    def show_events() -> None:
        if as_markdown:
            click.echo(told.markdown(found, language), nl=False)
            return
        rows = [list(told.row(event, language)) for event in found]
        out.table("", list(told.heads(language)), rows)

    out.emit(document, show_events)
    return 0
