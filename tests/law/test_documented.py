"""docs/declarations.md and docs/clauses.md cover every setting, and their examples load."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domicile.estate.load import SCHEMA as ESTATE
from domicile.estate.load import load_estate
from domicile.estate.validate import schema_text
from domicile.law.kinds import is_enforced, kind
from domicile.law.load import SCHEMA as MANDATE
from domicile.law.load import load_mandate, load_mandates
from domicile.law.model import KINDS
from domicile.law.source import library

DOCS = Path(__file__).parents[2] / "docs"


def settings(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for part in schema.values():
            yield from settings(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from settings(part)


def example(page: str, of: str) -> str:
    text = (DOCS / page).read_text(encoding="utf-8")
    match = re.search(rf"<!-- {of} -->\n```yaml\n(.*?)```", text, re.DOTALL)
    assert match, f"{page} has no example of {of}"
    return match[1]


@pytest.mark.parametrize(("page", "schema"), [("declarations.md", ESTATE), ("clauses.md", MANDATE)])
def test_every_setting_is_described(page: str, schema: tuple[str, str]) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    written = set(re.findall(r"`([a-z_]+)`", text)) | set(re.findall(r"`([a-z_]+): ", text))
    assert set(settings(json.loads(schema_text(*schema)))) - written == set()


def test_the_examples_load(tmp_path: Path) -> None:
    file = tmp_path / "estate.yaml"
    file.write_text(example("declarations.md", "estate"), encoding="utf-8")
    estate = load_estate(file, {"PGUSER": "ana"})
    assert [mandate.id for mandate in load_mandates(estate)] == ["us-trusted-custodian", "clover"]
    mandate = tmp_path / "m.yaml"
    mandate.write_text(example("clauses.md", "mandate"), encoding="utf-8")
    assert load_mandate(mandate).clauses[2].body["min_group"] == 20


@pytest.mark.parametrize("name", KINDS)
def test_the_table_of_kinds_is_right(name: str) -> None:
    text = (DOCS / "clauses.md").read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert re.findall(r"`([a-z_]+)`", cells[2]) == list(kind(name).otherwise)
    assert (cells[3] != "not yet") == is_enforced(name)


def test_the_table_of_the_library_is_right() -> None:
    text = (DOCS / "clauses.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| `([a-z0-9-]+)` \| ([a-z ,]+) \|", text.partition("## The library")[2], re.M
    )
    assert {name: said.split(",")[0].replace(" ", "_") for name, said in rows} == {
        name: load_mandate(path).status for name, path in library().items()
    }
