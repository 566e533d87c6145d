"""Entries as OTLP JSON, held against OpenTelemetry's own definition of the message."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format  # type: ignore[import-untyped]
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData, SeverityNumber

from domicile.cli.main import main
from domicile.evidence import place
from domicile.evidence.kinds import KINDS, make
from domicile.evidence.otel import severity
from tests.evidence.making import DIGEST, entry

HOUR = 1_769_162_400_000_000_000  # 2026-01-23T10:00:00Z in nanoseconds


@pytest.fixture
def estate(tmp_path: Path) -> Path:
    log = place.open_log(tmp_path / ".domicile", "shop")
    log.append([
        entry(1),
        make("refusal", "shop", plan=DIGEST, reason="over_cap"),
        make("purge", "shop", store="abroad", method="vacuum", outcome="done", residues=["wal"]),
        make("verification", "shop", ok=False, clean=False,
             checks=[{"check": "rest abroad", "status": "failed", "rows": 3}]),
    ])  # fmt: skip
    return tmp_path / "estate.yaml"


def parsed(line: str) -> Any:
    """One line, as protobuf reads it; a field that it does not know raises ParseError."""
    (resource,) = json_format.Parse(line, LogsData()).resource_logs
    (scope,) = resource.scope_logs
    (record,) = scope.log_records
    attributes = {a.key: a.value for a in resource.resource.attributes}
    assert attributes["service.name"].string_value == "domicile"
    assert attributes["domicile.log.origin"].string_value == "domicile/shop"
    return record


def test_every_line_is_a_message_of_opentelemetry(
    estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["log", "export", "--estate", str(estate)]) == 0
    lines = capsys.readouterr().out.splitlines()
    records = [parsed(line) for line in lines]
    assert [r.event_name.removeprefix("domicile.") for r in records] == [
        "batch", "refusal", "purge", "verification",
    ]  # fmt: skip
    assert records[0].time_unix_nano == HOUR
    fields = {a.key: a.value for a in records[0].attributes}
    assert fields["domicile.log.index"].int_value == 0
    assert (fields["domicile.rows"].int_value, fields["domicile.table"].string_value) == (
        1, "app.customer",
    )  # fmt: skip
    assert records[1].severity_number == SeverityNumber.SEVERITY_NUMBER_WARN
    assert records[3].severity_number == SeverityNumber.SEVERITY_NUMBER_ERROR
    (check,) = {a.key: a.value for a in records[3].attributes}["domicile.checks"].array_value.values
    assert {v.key: v.value for v in check.kvlist_value.values}["rows"].int_value == 3
    assert records[2].body.string_value == KINDS["purge"].said
    traces = [json.loads(line)["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0].get("traceId")
              for line in lines]  # fmt: skip
    assert traces == ["ab" * 16, "ab" * 16, None, None]


def test_what_is_asked_for(
    estate: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "log.jsonl"
    options = ["--estate", str(estate), "--kind", "refusal", "-o", str(target)]
    assert main(["log", "export", *options, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"entries": 1, "file": str(target)}
    assert len(target.read_text("utf-8").splitlines()) == 1
    assert main(["log", "export", "--estate", str(estate), "--from", "3"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert main(["log", "export", "--estate", str(estate), "--kind", "diary"]) == 2
    assert main(["log", "export", "--estate", str(estate), "--json"]) == 2


def test_an_altered_entry_is_not_exported(
    estate: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bundle,) = (tmp_path / ".domicile/evidence/tile/entries/000.p").iterdir()
    bundle.write_bytes(bundle.read_bytes().replace(b"over_cap", b"deadline"))
    target = tmp_path / "log.jsonl"
    assert main(["log", "export", "--estate", str(estate), "-o", str(target)]) == 1
    assert not target.exists()


def test_severity_of_every_kind_is_one_of_three() -> None:
    assert severity({"kind": "plan"}) == (9, "INFO")
    assert severity({"kind": "step", "outcome": "held"}) == (13, "WARN")
    assert severity({"kind": "step", "outcome": "failed"}) == (17, "ERROR")
    assert severity({"kind": "verification", "ok": True, "clean": False}) == (13, "WARN")
    assert severity({"kind": "device_standing", "allowed": False}) == (13, "WARN")
