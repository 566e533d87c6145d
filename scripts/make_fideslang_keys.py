"""Writes src/domicile/estate/fideslang.json from the installed fideslang package."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

TARGET = Path(__file__).parents[1] / "src" / "domicile" / "estate" / "fideslang.json"


def keys() -> dict[str, list[str]]:
    """The keys of data categories and uses, sorted, and the version they are from."""
    from fideslang.default_taxonomy import DEFAULT_TAXONOMY

    return {
        "version": [version("fideslang")],
        "data_category": sorted(str(each.fides_key) for each in DEFAULT_TAXONOMY.data_category),
        "data_use": sorted(str(each.fides_key) for each in DEFAULT_TAXONOMY.data_use),
    }


if __name__ == "__main__":
    TARGET.write_text(json.dumps(keys(), indent=1) + "\n", encoding="utf-8")
