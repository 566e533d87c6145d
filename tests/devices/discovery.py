"""Google's discovery document of the Android Management API, as JSON Schema.

The document is the one inside google-api-python-client; nothing is fetched.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator


@cache
def document() -> dict[str, Any]:
    """The whole document."""
    folder = resources.files("googleapiclient") / "discovery_cache" / "documents"
    found: dict[str, Any] = json.loads((folder / "androidmanagement.v1.json").read_text("utf-8"))
    return found


def faults(schema: str, value: Any) -> list[str]:
    """What is wrong with a value under a schema; also a key that the schema does not know."""
    validator = Draft202012Validator({"$ref": f"#/$defs/{schema}", "$defs": _schemas()})
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


@cache
def _schemas() -> dict[str, Any]:
    return {name: _closed(body) for name, body in document()["schemas"].items()}


def _closed(body: Any) -> Any:
    """A schema of the document in which references lead to `$defs` and objects are closed."""
    if isinstance(body, list):
        return [_closed(each) for each in body]
    if not isinstance(body, dict):
        return body
    if "$ref" in body:
        return {"$ref": f"#/$defs/{body['$ref']}"}
    kept = {key: body[key] for key in ("type", "enum") if key in body}
    if kept.get("type") == "any":
        del kept["type"]
    if "items" in body:
        kept["items"] = _closed(body["items"])
    if "properties" in body:
        kept["properties"] = {name: _closed(each) for name, each in body["properties"].items()}
        kept["additionalProperties"] = False
    elif "additionalProperties" in body:
        kept["additionalProperties"] = _closed(body["additionalProperties"])
    # 64-bit numbers come as text (Google APIs, "Type and format"); the document says so itself.
    return kept
