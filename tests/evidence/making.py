"""Entries, keys and logs that the tests of evidence share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from domicile.evidence.files import Files
from domicile.evidence.keys import SigningKey
from domicile.evidence.log import Log

ORIGIN = "domicile/test"
KEY = SigningKey(ORIGIN, bytes(range(32)))
DIGEST = "sha256:" + "ab" * 32


def entry(rows: int) -> dict[str, Any]:
    """A small entry that differs by `rows`."""
    return {
        "kind": "batch", "time": "2026-01-23T10:00:00Z", "estate": "test", "plan": DIGEST,
        "step": "move-1", "operation": "move", "table": "app.customer", "rows": rows,
    }  # fmt: skip


def entries(start: int, stop: int) -> list[dict[str, Any]]:
    """Entries with rows from `start` up to `stop`."""
    return [entry(i) for i in range(start, stop)]


def make_log(directory: Path, size: int = 0, *, files: Files | None = None) -> Log:
    """A log of `size` entries, those of `entries(0, size)`."""
    log = Log.open(files or directory, origin=ORIGIN, key=KEY)
    if log.size < size:
        log.append(entries(log.size, size))
    return log
