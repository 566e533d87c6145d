"""Counts in words: `1 row`, `2,000 rows`."""

from __future__ import annotations


def counted(count: int, one: str, many: str = "") -> str:
    """The number with its noun, which `many` gives where an `s` does not make it."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
