"""The verdict on one column."""

from __future__ import annotations

from dataclasses import dataclass

from domicile.survey.classify_vocabulary import OPERATIONS

TYPES = "types-1"
"""Made by the column's type and keys and by what the table is about."""


@dataclass(frozen=True)
class Verdict:
    """What a column holds. `category` is a Fideslang key, or "" when unknown.

    `confidence` is from 0 to 1, a rank rather than a probability; `by` names the version of what
    decided (`names-1`, `values-1`, `types-1`, `values-1+names-1`), so that verdicts of another
    version can be told apart and made again. `also` holds further categories seen inside mixed
    values. Nothing in it repeats a value.
    """

    category: str
    confidence: float
    by: str
    reason: str
    also: tuple[str, ...] = ()


def unknown(reason: str) -> Verdict:
    """Nothing could tell: a finding for a person to settle."""
    return Verdict("", 0.0, "", reason)


__all__ = ["OPERATIONS", "TYPES", "Verdict", "unknown"]
