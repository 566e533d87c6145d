"""Holds a document against its JSON Schema and says what is wrong in our own words.

The schemas are those that `domicile schema` prints, so that editors and the loader agree.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from domicile.errors import DeclarationError
from domicile.estate.document import Document, Key, kind_of, suggestion

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

_TYPES = {
    "string": "a text",
    "array": "a list",
    "object": "a mapping",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}


def schema_text(package: str, name: str) -> str:
    """The JSON Schema (draft 2020-12) shipped in `package`, as text."""
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def validate(document: Document, package: str, name: str) -> None:
    """Raise the DeclarationError for the first thing, by line, that the schema does not allow."""
    errors = list(_validator(package, name).iter_errors(document.data))
    # A misspelt key is also a missing one, of a line further up: the misspelling is what helps.
    misspelt = {tuple(e.absolute_path) for e in errors if e.validator == "additionalProperties"}
    found = [
        _explain(document, error)
        for error in errors
        if error.validator != "required" or tuple(error.absolute_path) not in misspelt
    ]
    if found:
        raise min(found, key=lambda error: error.line)


@cache
def _validator(package: str, name: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(schema_text(package, name)))


def _explain(document: Document, error: ValidationError) -> DeclarationError:
    key: Key = tuple(error.absolute_path)
    schema: Mapping[str, Any] = error.schema if isinstance(error.schema, Mapping) else {}
    value: Any = error.instance
    asked: Any = error.validator_value
    if error.validator == "additionalProperties":
        known = list(schema.get("properties", {}))
        unknown = next(name for name in value if name not in known)
        return document.error(
            (*key, unknown), "unknown key", hint=suggestion(unknown, known, names="Known keys")
        )
    if error.validator == "required":
        missing = next(name for name in asked if name not in value)
        told = schema.get("properties", {}).get(missing, {}).get("description", "")
        return document.error(
            key, f"the key {missing} is missing", hint=f"{missing}: {told}" if told else ""
        )
    if error.validator == "type":
        wanted = [asked] if isinstance(asked, str) else asked
        expected = " or ".join(_TYPES[each] for each in wanted)
        return document.error(
            key, f"got {kind_of(value)}, expected {expected}", hint=schema.get("description", "")
        )
    if error.validator == "enum":
        known = [str(each) for each in asked]
        return document.error(
            key,
            f"got {shown(value)}, expected one of {', '.join(known)}",
            hint=suggestion(str(value), known, names=""),
        )
    at_key = document.at(key)
    if isinstance(at_key, dict) and isinstance(value, str) and value in at_key:
        key = (*key, value)  # of propertyNames: it is the name itself that is wrong
    expected = schema.get("description") or f"{error.validator} {asked}"
    return document.error(key, f"got {shown(value)}, expected {expected}")


def shown(value: object) -> str:
    """A value for a message, short. Declarations hold names and codes, never people's data."""
    if isinstance(value, (list, dict)):
        return kind_of(value) if value else f"{kind_of(value)} with nothing in it"
    text = str(value)
    return f"'{text[:60]}…'" if len(text) > 60 else f"'{text}'"
