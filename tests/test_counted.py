"""Counts in words, and no message that counts one of several."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from domicile.counted import counted

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1234567, "1,234,567 rows")]
)
def test_rows(count: int, said: str) -> None:
    assert counted(count, "row") == said


def test_other_plurals() -> None:
    assert counted(1, "person", "people") == "1 person"
    assert counted(3, "row is", "rows are") == "3 rows are"


def test_no_document_counts_one_as_many() -> None:
    many = re.compile(r"(?<![\d.,])1 (rows|people|keys|tables|stubs|entries|files|stores|steps)\b")
    found = [
        f"{path.name}: {match[0]}"
        for path in DOCS.rglob("*.md")
        for match in many.finditer(path.read_text("utf-8"))
    ]
    assert found == []
