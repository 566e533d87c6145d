"""Entries for a SIEM: lines of OTLP JSON, as an OpenTelemetry collector's file receiver reads them.

Each line is a `LogsData` with one log record (opentelemetry.io: OTLP, JSON Protobuf Encoding; file
exporter, JSON lines). A record's fields are those of its entry under `domicile.`, so nothing is in
it that is not in the log, where no personal data is. Entries of one plan share a trace id.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from domicile import __version__
from domicile.evidence.kinds import KINDS

INFO, WARN, ERROR = (9, "INFO"), (13, "WARN"), (17, "ERROR")
"""Severity numbers and texts (OpenTelemetry, logs data model)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ASIDE = ("kind", "time", "estate", "version")


def records(
    entries: Iterable[tuple[int, Mapping[str, Any]]], origin: str
) -> Iterator[dict[str, Any]]:
    """One document a line for each (index, entry) of the log of that origin."""
    scope = {"name": "domicile.evidence", "version": __version__}
    for index, entry in entries:
        resource = {
            "service.name": "domicile", "domicile.estate": entry["estate"],
            "domicile.log.origin": origin,
        }  # fmt: skip
        yield {
            "resourceLogs": [{
                "resource": {"attributes": _attributes(resource)},
                "scopeLogs": [{"scope": scope, "logRecords": [_record(index, entry)]}],
            }]
        }  # fmt: skip


def severity(entry: Mapping[str, Any]) -> tuple[int, str]:
    """A warning for what was refused, held or stopped; an error for what failed."""
    kind, outcome = entry["kind"], entry.get("outcome")
    if outcome == "failed" or entry.get("ok") is False:
        return ERROR
    refused = kind in ("refusal", "witness_refused", "succession", "consequence")
    stopped = outcome in ("held", "stopped") or entry.get("allowed") is False
    return WARN if refused or stopped or entry.get("clean") is False else INFO


def _record(index: int, entry: Mapping[str, Any]) -> dict[str, Any]:
    time = (datetime.fromisoformat(entry["time"]) - _EPOCH) // _MICROSECOND * 1000
    number, text = severity(entry)
    fields = {f"domicile.{name}": entry[name] for name in entry if name not in _ASIDE}
    record = {
        "timeUnixNano": str(time), "observedTimeUnixNano": str(time),
        "severityNumber": number, "severityText": text,
        "eventName": f"domicile.{entry['kind']}",
        "body": {"stringValue": KINDS[entry["kind"]].said},
        "attributes": _attributes({"domicile.log.index": index, **fields}),
    }  # fmt: skip
    plan = entry.get("plan", "").removeprefix("sha256:")
    return record | ({"traceId": plan[:32]} if plan else {})


_MICROSECOND = datetime.resolution


def _attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in values.items()]


def _value(value: Any) -> dict[str, Any]:
    """As an AnyValue: 64-bit integers are decimal strings there."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(each) for each in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": _attributes(value)}}
    return {"stringValue": str(value)}
