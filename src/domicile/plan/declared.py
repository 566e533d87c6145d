"""What plan, apply and verify start from: the estate and the mandates that it is under."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from domicile.estate.load import load_estate
from domicile.estate.model import Estate
from domicile.law.load import load_mandates
from domicile.law.model import Mandate


def declarations(
    path: Path, extra: Sequence[str | Path], day: date
) -> tuple[Estate, tuple[Mandate, ...], frozenset[str]]:
    """The estate, all mandates, and the ids of those that are only tried out."""
    estate = load_estate(path)
    own = {m.id for m in load_mandates(estate, (), day)}
    mandates = load_mandates(estate, extra, day)
    return estate, mandates, frozenset(m.id for m in mandates) - own
