"""Entries as bytes: canonical JSON (RFC 8785), so that one entry has one hash."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import rfc8785

from domicile.errors import EvidenceError
from domicile.evidence.tiles import MAX_ENTRY


def encode(entry: Mapping[str, Any]) -> bytes:
    """The canonical bytes of an entry.

    Raises EvidenceError when a value is not JSON, or the entry is above 65,535 bytes.
    """
    try:
        content = rfc8785.dumps(dict(entry))
    except (rfc8785.CanonicalizationError, RecursionError) as e:
        raise EvidenceError("an entry holds a value that canonical JSON cannot express") from e
    if len(content) > MAX_ENTRY:
        raise EvidenceError(
            f"an entry has {len(content)} bytes, expected at most {MAX_ENTRY}",
            hint="split it into several entries",
        )
    return content


def decode(content: bytes) -> dict[str, Any]:
    """The entry that these bytes are the canonical form of.

    Raises EvidenceError when they are not a JSON object, or are not canonical.
    """
    try:
        entry = json.loads(content)
    except (ValueError, RecursionError) as e:  # the latter from thousands of brackets
        raise EvidenceError("an entry of the log is not JSON") from e
    if not isinstance(entry, dict):
        raise EvidenceError("an entry of the log is not a JSON object")
    if encode(entry) != content:
        raise EvidenceError("an entry of the log is not in canonical form")
    return entry
