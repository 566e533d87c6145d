"""`domicile schema` prints the schemas that the loader uses, and they describe what ships."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from domicile.cli.main import main
from domicile.estate.document import read_document
from domicile.law.kinds import kind
from domicile.law.model import KINDS
from domicile.law.source import library


def printed(of: str, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    assert main(["schema", of]) == 0
    schema: dict[str, object] = json.loads(capsys.readouterr().out)
    return schema


@pytest.mark.parametrize("of", ["estate", "mandate"])
def test_they_are_valid_schemas(of: str, capsys: pytest.CaptureFixture[str]) -> None:
    schema = printed(of, capsys)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("path", library().values(), ids=library())
def test_an_editor_accepts_the_library(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = read_document(path).data
    errors = Draft202012Validator(printed("mandate", capsys)).iter_errors(data)
    assert [e.message for e in errors] == []


def test_an_editor_wants_exactly_one_kind(capsys: pytest.CaptureFixture[str]) -> None:
    validator = Draft202012Validator(printed("mandate", capsys))
    data = {
        "mandate": "m",
        "title": "t",
        "status": "voluntary",
        "effective": "2024-01-01",
        "protects": {},
        "clauses": [{"id": "a", "store": {"country": "NL"}}],
    }
    assert validator.is_valid(data)
    data["clauses"] = [{"id": "a"}]
    assert not validator.is_valid(data)
    data["clauses"] = [{"id": "a", "store": {"country": "NL"}, "erase": {"on": "request"}}]
    assert not validator.is_valid(data)


def test_the_schema_knows_every_kind_and_cure(capsys: pytest.CaptureFixture[str]) -> None:
    text = json.dumps(printed("mandate", capsys))
    for name in KINDS:
        for word in (name, *kind(name).otherwise, *kind(name).beside):
            assert f'"{word}"' in text


def test_another_schema_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "fleet"]) == 2
    assert capsys.readouterr().out == ""
