"""Data categories and uses as mandates speak of them: Fideslang's, the same as the estate's."""

from __future__ import annotations

from domicile.estate.categories import (
    categories,
    covers,
    is_category,
    is_use,
    nearest_category,
    nearest_use,
    uses,
    version,
)

__all__ = [
    "categories",
    "covers",
    "is_category",
    "is_use",
    "nearest_category",
    "nearest_use",
    "uses",
    "version",
]
