"""Makes an Estate from estate.yaml: parsed, held against its schema, names resolved.

    read_document → validate (estate.schema.json) → stores → what names them

Every problem is one DeclarationError with file, line and key.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from domicile.estate import declared, fleets, trust, urls
from domicile.estate.declared import country
from domicile.estate.document import Document, Key, digest, read_document
from domicile.estate.model import Estate, Organisation, Owner, Store
from domicile.estate.names import NameFormatError, parse_label
from domicile.estate.validate import validate

SCHEMA = ("domicile.estate", "estate.schema.json")
"""Package and name of the estate's JSON Schema."""


def load_estate(path: str | Path, env: Mapping[str, str] = os.environ) -> Estate:
    """Read, check and normalise an estate; `env` fills in `${NAME}` in URLs.

    Relative files in URLs start at the estate file's directory. Nothing is connected to.
    Raises DeclarationError.
    """
    document = read_document(path)
    validate(document, *SCHEMA)
    data = document.data
    _only_urls_have_variables(document)
    stores = declared.folders(document, _stores(document, env))
    subjects = declared.subjects(document, stores)
    return Estate(
        name=data["estate"],
        file=str(path),
        digest=_digest(document),
        stores=stores,
        subjects=subjects,
        controller=_controller(document),
        organisations=_organisations(document),
        links=declared.links(document, stores, subjects),
        columns=declared.columns(document, stores),
        tables=declared.tables(document, stores),
        objects=declared.objects(document, stores),
        flows=declared.flows(document, stores),
        legal_holds=declared.legal_holds(document, stores, subjects),
        mandate_files=tuple(data.get("mandates", ())),
        approvers=trust.approvers(document),
        witnesses=trust.witnesses(document),
        fleets=fleets.fleets(document),
        devices=fleets.settings(document),
        services=declared.services(document),
        watchers=tuple(data.get("watch", {}).get("to", ())),
    )


def _stores(document: Document, env: Mapping[str, str]) -> tuple[Store, ...]:
    directory = Path(document.file).absolute().parent
    places: dict[tuple[str, str], str] = {}
    stores = []
    if "stores" not in document.data and "fleets" not in document.data:
        raise document.error(
            (), "the key stores is missing", hint="An estate has stores, or fleets of devices."
        )
    for name, body in document.data.get("stores", {}).items():
        key: Key = ("stores", name)
        written = body["url"]
        try:
            url = urls.normalise(urls.fill(written, env), directory, written)
        except urls.UrlFormatError as problem:
            raise document.error((*key, "url"), str(problem), hint=problem.hint) from None
        schema = body.get("schema", "")
        here = (urls.place(url), schema or "public")
        if here in places and not url.startswith("memory:"):
            raise document.error(
                (*key, "url"),
                f"is the same place as store {places[here]}",
                hint="Declare each place once: a move between two names of one place would"
                " delete what it copied.",
            )
        places[here] = name
        stores.append(
            Store(
                name=name,
                url=url,
                country=country(document, (*key, "country"), body["country"]),
                operator=body["operator"],
                holds=_label(body["holds"]),
                schema=schema,
                shown=urls.safe(written),
            )
        )
    return tuple(stores)


def _digest(document: Document) -> str:
    """The digest of what is written, but for secrets: it is published, and a password that
    somebody wrote into a URL could be found again from it by trying."""
    stores = {
        name: {**body, "url": urls.safe(body["url"])}
        for name, body in document.data.get("stores", {}).items()
    }
    data = {key: value for key, value in document.data.items() if key not in ("devices", "watch")}
    return digest({**data, "stores": stores} if stores else data)


def _only_urls_have_variables(document: Document) -> None:
    """A `${NAME}` elsewhere would be kept as it is, which nobody means."""
    waiting: list[tuple[Key, Any]] = [((), document.data)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [((*key, name), each) for name, each in value.items()]
        elif isinstance(value, list):
            waiting += [((*key, index), each) for index, each in enumerate(value)]
        elif isinstance(value, str) and "${" in value and (key[0], key[-1]) != ("stores", "url"):
            raise document.error(
                key, "got ${…}, which is filled in in the url of stores only",
                hint="write the value itself here",
            )  # fmt: skip


def _label(text: str) -> str:
    """A label may be written quoted, as it is in the names of its tables."""
    try:
        return parse_label(text)
    except NameFormatError:
        return text


def _controller(document: Document) -> Organisation | None:
    body = document.data.get("controller")
    return _organisation(document, ("controller",), body["name"], body) if body else None


def _organisations(document: Document) -> tuple[Organisation, ...]:
    return tuple(
        _organisation(document, ("organisations", name), name, body)
        for name, body in document.data.get("organisations", {}).items()
    )


def _organisation(document: Document, key: Key, name: str, body: Mapping[str, Any]) -> Organisation:
    owners = []
    for index, owner in enumerate(body.get("owned_by", ())):
        at: Key = (*key, "owned_by", index)
        where = owner.get("country")
        owners.append(
            Owner(
                name=owner["name"],
                share=float(owner["share"]),
                country=country(document, (*at, "country"), where) if where else "",
            )
        )
    total = sum(owner.share for owner in owners)
    if total > 100.000001:  # shares are often written rounded; a sum above 100 is still a mistake
        raise document.error(
            (*key, "owned_by"), f"got shares of {total:g}% together, expected at most 100%"
        )
    return Organisation(name, country(document, (*key, "country"), body["country"]), tuple(owners))
