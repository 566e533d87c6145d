"""What the command line says about stores: names, URLs without secrets, countries, operators.

    NAME=URL …   --country [NAME=]SG   --operator [NAME=]WHO   --schema [NAME=]SCHEMA

A password never reaches the file: `${NAME_PASSWORD}` stands in its place.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from domicile.errors import UsageError
from domicile.estate import model, urls
from domicile.estate.countries import country_code, nearest_country
from domicile.survey.propose_model import UNKNOWN_COUNTRY, UNKNOWN_OPERATOR, ProposedStore, Reason

_NAMED = re.compile(r"([A-Za-z_][\w-]*)=(?=[A-Za-z][A-Za-z0-9+]*:)")
_USER = re.compile(
    r"(?P<head>postgres(?:ql)?://[^/?#@:]*):(?P<word>[^@]*)(?P<tail>@.*)", re.I | re.S
)
_SECRET_QUERY = re.compile(r"(?P<head>[?&](?:password|sslpassword|passfile)=)(?P<word>[^&]*)", re.I)
_VARIABLE = re.compile(r"\$\{[A-Za-z_]\w*\}\Z")
NO_SCHEMA: Final = ""


@dataclass(frozen=True)
class Named:
    """One store of the command line: as it is opened, and as it will be written."""

    opened: model.Store
    written: ProposedStore
    variables: Mapping[str, str]  # environment variables that the written URL needs → their values


def stores(
    given: Sequence[str], countries: Sequence[str], operators: Sequence[str],
    schemas: Sequence[str], target: Path, env: Mapping[str, str] = os.environ,
) -> list[Named]:  # fmt: skip
    """The stores of `init`. `target`: the directory of the file to be written.

    Raises UsageError; no message holds a URL's user information.
    """
    found: list[Named] = []
    for text in given:
        match = _NAMED.match(text)
        url = text[match.end() :] if match else text
        taken = {named.opened.name for named in found}
        name = match[1] if match else _name(url, taken)
        if name in taken:
            raise UsageError(f"two stores are named {name}", hint="name each: NAME=URL")
        found.append(_named(name, url, target, env))
    by_name = {named.opened.name for named in found}
    country = _options("--country", countries, by_name)
    operator = _options("--operator", operators, by_name)
    schema = _options("--schema", schemas, by_name)
    return [
        _with(
            named,
            _country(country.get(named.opened.name, country.get(""))),
            operator.get(named.opened.name, operator.get("", UNKNOWN_OPERATOR)),
            schema.get(named.opened.name, schema.get("", NO_SCHEMA)),
        )
        for named in found
    ]


def _named(name: str, url: str, target: Path, env: Mapping[str, str]) -> Named:
    try:
        opened = urls.normalise(urls.fill(url, env), Path.cwd(), url)
    except urls.UrlFormatError as problem:
        raise UsageError(f"store {name}: {problem}", hint=problem.hint) from None
    written, variables = _without_secrets(name, url)
    if not written.lower().startswith("postgres"):
        # A relative path starts at the estate file, wherever `init` was called.
        filled = urls.fill(written, env)
        if urls.normalise(filled, target) != urls.normalise(filled, Path.cwd()):
            written = opened
    store = model.Store(name, opened, "", "", "", shown=urls.safe(written))
    return Named(store, ProposedStore(name, written, "", Reason("")), variables)


def _without_secrets(name: str, url: str) -> tuple[str, dict[str, str]]:
    """The URL with a variable in the place of each secret, and what the variables stand for."""
    variables: dict[str, str] = {}
    prefix = re.sub(r"\W+", "_", name).upper()

    def hide(match: re.Match[str], variable: str, separator: str) -> str:
        word = match["word"]
        if not word or _VARIABLE.match(word):
            return match[0]
        variables[variable] = unquote(word)
        tail = match.groupdict().get("tail") or ""
        return f"{match['head']}{separator}${{{variable}}}{tail}"

    if not url.lower().startswith("postgres"):
        return url, variables
    url = _USER.sub(lambda m: hide(m, f"{prefix}_PASSWORD", ":"), url, count=1)
    url = _SECRET_QUERY.sub(lambda m: hide(m, f"{prefix}_{_key(m)}", ""), url)
    return url, variables


def _key(match: re.Match[str]) -> str:
    return match["head"].strip("?&=").upper()


def _name(url: str, taken: set[str]) -> str:
    """A store's name from its URL: the database, or the file or folder, without its ending."""
    path = re.sub(r"[?#].*", "", url).rstrip("/")
    last = re.split(r"[/:@]", path)[-1]
    stem = re.sub(r"\$\{\w*\}", "", last)
    if not url.lower().startswith(("postgres", "memory")):
        stem = re.sub(r"\.(?:sqlite3?|db3?|duckdb)\Z", "", stem, flags=re.I)
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-").lower() or "store"
    stem = stem if stem[0].isalpha() else f"store-{stem}"
    names = [stem, *(f"{stem}-{n}" for n in range(2, 1000))]
    return next(n for n in names if n not in taken)


def _options(option: str, given: Sequence[str], names: set[str]) -> dict[str, str]:
    """Store → value; "" for a value given for all."""
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            name, value = "", text
        elif name not in names:
            raise UsageError(
                f"{option} {name}=…: no store is named {name}",
                hint=f"the stores here: {', '.join(sorted(names))}",
            )
        if not value.strip():
            raise UsageError(f"{option}: got nothing, expected {option} [NAME=]VALUE")
        if name in found:
            raise UsageError(
                f"{option} is given twice{' for ' + name if name else ''}", hint="keep one of them"
            )
        found[name] = value.strip()
    return found


def _country(text: str | None) -> str:
    if text is None:
        return UNKNOWN_COUNTRY
    code = country_code(text)
    if code is None:
        raise UsageError(
            f"--country: got {text[:40]!r}, expected one country", hint=nearest_country(text)
        )
    return code


def _with(named: Named, country: str, operator: str, schema: str) -> Named:
    return Named(
        replace(named.opened, country=country, operator=operator, schema=schema),
        replace(named.written, country=country, operator=operator, schema=schema),
        named.variables,
    )
