"""Holds the text of a proposal against the loader and the graph before anybody sees it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from domicile.errors import DeclarationError
from domicile.estate.load import load_estate
from domicile.estate.model import Estate
from domicile.stores.schema import Schema
from domicile.survey.graph import build, resolve
from domicile.survey.propose_model import UNKNOWN_COUNTRY, Proposal, ProposedStore
from domicile.survey.propose_read import Reading
from domicile.survey.propose_text import render

_ANY_COUNTRY = "NL"
"""Stands for a country that is not known yet, in the copy that is checked and thrown away."""


def check(proposal: Proposal, reading: Reading, target: Path, variables: Mapping[str, str]) -> None:
    """Load the proposal as it will be written, and follow every path in every store.

    `target`: the directory of the file to be. Raises DeclarationError: a fault of `init`, which
    then writes nothing.
    """
    filled = replace(proposal, stores=tuple(_somewhere(s) for s in proposal.stores))
    with tempfile.TemporaryDirectory(prefix="domicile-init-") as directory:
        file = Path(directory) / "estate.yaml"
        stores = tuple(_absolute(s, target) for s in filled.stores)
        file.write_text(render(replace(filled, stores=stores)), encoding="utf-8")
        estate = load_estate(file, {**os.environ, **variables})
    for application in reading.applications:
        for declared in application.stores:
            schema = reading.schemas[declared.name]
            if schema.tables:
                _follow(estate, application.holds, schema)


def _follow(estate: Estate, holds: str, schema: Schema) -> None:
    graph = build(estate, holds, schema)
    for subject in estate.subjects:
        if subject.register.holds != holds:
            continue
        for path in (subject.residence, subject.born):
            if path:
                resolve(graph, subject.register.table, path, f"subjects.{subject.name}")
    for table, role in estate.tables.items():
        if table.holds == holds and role.author:
            _, end = resolve(graph, table.table, role.author, f"tables.{table}.author")
            if end not in graph.owned:
                raise DeclarationError(
                    f"the author path {role.author} leads to {end}, which is about nobody",
                    key=f"tables.{table}.author",
                )


def _somewhere(store: ProposedStore) -> ProposedStore:
    return replace(store, country=_ANY_COUNTRY) if store.country == UNKNOWN_COUNTRY else store


def _absolute(store: ProposedStore, target: Path) -> ProposedStore:
    """The same place, from the directory of the copy."""
    scheme, _, path = store.url.partition(":")
    if scheme.lower() in ("sqlite", "file") and not path.startswith("/"):
        return replace(store, url=f"{scheme}://{(target / path).absolute()}")
    return store
