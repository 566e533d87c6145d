"""Cells of CSV files that people open in a spreadsheet."""

from __future__ import annotations

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a cell begins with that a spreadsheet would run (OWASP, CSV Injection)."""


def safe(text: str) -> str:
    """A text that no spreadsheet takes for a formula: an apostrophe stands before such a one."""
    return "'" + text if text.startswith(FORMULA) else text
