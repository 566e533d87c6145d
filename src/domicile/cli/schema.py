"""`domicile schema`: the JSON Schemas of the declarations, for editors and other tools."""

from __future__ import annotations

import click

_WHERE = {
    "estate": ("domicile.estate", "estate.schema.json"),
    "mandate": ("domicile.law", "mandate.schema.json"),
}


@click.command(short_help="Print the JSON Schema of an estate or a mandate.")
@click.argument("of", type=click.Choice(list(_WHERE)))
def command(of: str) -> None:
    """Print the JSON Schema (draft 2020-12) of an estate or a mandate.

    It is the one that `domicile check` holds declarations against. Give it to your editor:

    \b
        domicile schema estate > estate.schema.json
        # first line of estate.yaml:
        # yaml-language-server: $schema=estate.schema.json
    """
    from domicile.estate.validate import schema_text

    click.echo(schema_text(*_WHERE[of]), nl=False)
