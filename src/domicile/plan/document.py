"""The plan as a file: one JSON document with a digest, which apply takes and nothing else."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from domicile.durable.files import write_whole
from domicile.errors import PlanRefused, UsageError
from domicile.plan.estimate import untimed

VERSION = 1

Document = dict[str, Any]

PARTS = {
    "estate": str, "estate_digest": str, "as_of": str, "mandates": list, "schemas": dict,
    "findings": list, "steps": list, "people": list, "cost": dict,
}  # fmt: skip
"""What apply reads of a plan."""


def digest_of(document: Document) -> str:
    """sha256 over everything in the plan but the digest itself, and how long it may take."""
    text = json.dumps(untimed(document), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def write(document: Document, path: Path) -> None:
    """Write the plan, whole or not at all. Raises UsageError when the place cannot be written."""
    try:
        write_whole(path, json.dumps(document, ensure_ascii=False, indent=2) + "\n")
    except OSError as error:
        raise UsageError(
            f"cannot write the plan to {path}: {error.strerror}",
            hint="name another file, or make room and let this user write there",
        ) from error


def read(path: Path) -> Document:
    """Read a plan and check its digest. Raises UsageError, PlanRefused."""
    try:
        document = json.loads(path.read_text("utf-8"), object_pairs_hook=_once)
    except OSError as error:
        raise UsageError(
            f"cannot read the plan {path}: {error.strerror}", hint="make one: domicile plan -o FILE"
        ) from error
    except (ValueError, RecursionError) as error:
        raise PlanRefused(f"{path} is not a plan: not JSON", hint="make it anew") from error
    if not isinstance(document, dict) or not isinstance(document.get("digest"), str):
        raise PlanRefused(f"{path} is not a plan: it has no digest", hint="make it anew")
    if document.get("version") != VERSION:
        raise PlanRefused(
            f"{path}: plan version {document.get('version')!r}, expected {VERSION}",
            hint="make it anew with this version of domicile",
        )
    missing = [k for k, kind in PARTS.items() if not isinstance(document.get(k), kind)]
    if missing:
        raise PlanRefused(
            f"{path} is not a plan: it has no {', '.join(missing)}", hint="make it anew"
        )
    actual = digest_of(document)
    if actual != document["digest"]:
        raise PlanRefused(
            f"{path} was changed after it was made: its digest is {actual[:19]}…, "
            f"it says {document['digest'][:19]}…",
            hint="a plan is carried out as it was reviewed; make a new one",
            code="plan_tampered",
        )
    return document


def _once(pairs: list[tuple[str, Any]]) -> Document:
    """An object in which no name stands twice: who reviews a plan may see either value."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise PlanRefused(
            "the plan has a name twice in one object",
            hint="whoever reviewed it may have seen the other value; make it anew",
            code="plan_tampered",
        )
    return found
