"""Kinds of entry: the check and the published schema agree; nothing personal slips in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from domicile.errors import EvidenceError
from domicile.evidence import kinds
from domicile.evidence.fields import Choice, Count, FieldType, Flag, ListOf, Record, Text
from domicile.evidence.kinds import KINDS
from domicile.evidence.log import Log
from tests.evidence.making import DIGEST, KEY, entry, make_log

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "evidence.md"
VALIDATORS = {name: Draft202012Validator(kind.schema()) for name, kind in KINDS.items()}
SAMPLES = {
    "name": "app.customer", "time (RFC 3339, UTC)": "2026-01-23T10:00:00.123Z",
    "date": "2026-01-23", "digest (sha256:hex)": DIGEST,
    "commitment (64 hexadecimal digits)": "ab" * 32, "run (hexadecimal)": "0123456789abcdef",
    "verifier key (name+id+base64)": str(KEY.verifier),
    "signature (base64 of 64 bytes)": "A" * 86 + "==",
    "country (ISO 3166-1 alpha-2) or ZZ for unknown": "NL", "version": "0.1.0",
}  # fmt: skip


def values(kind: FieldType) -> st.SearchStrategy[Any]:
    """Values of a type."""
    match kind:
        case Text():
            return st.just(SAMPLES[kind.said])
        case Choice():
            return st.sampled_from(sorted(kind.words))
        case Count():
            return st.integers(0, 2**53 - 1)
        case Flag():
            return st.booleans()
        case ListOf():
            return st.lists(values(kind.item), max_size=3)
        case Record():
            return records(kind)
    raise AssertionError(kind)


def records(kind: Record) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {n: values(t) for n, t in kind.fields.items() if n in kind.required},
        optional={n: values(t) for n, t in kind.fields.items() if n not in kind.required},
    )


ENTRIES = st.sampled_from(sorted(KINDS)).flatmap(lambda name: records(KINDS[name].record))
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 3), st.integers(), st.floats(), st.text(max_size=8),
    st.sampled_from([*SAMPLES.values(), "jan@example.com", "2026-01-23T10:00:00+01:00", "nl"]),
    st.lists(st.integers(0, 2), max_size=2),
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
)  # fmt: skip


def refused(entry: dict[str, Any]) -> bool:
    try:
        kinds.check(entry)
    except EvidenceError:
        return True
    return False


@settings(max_examples=200, deadline=None)
@given(ENTRIES)
def test_what_is_of_a_kind_passes_both_readings(entry: dict[str, Any]) -> None:
    assert not refused(entry)
    VALIDATORS[entry["kind"]].validate(entry)


@settings(max_examples=400, deadline=None)
@given(ENTRIES, st.data())
def test_the_check_and_the_schema_agree_on_altered_entries(
    entry: dict[str, Any], data: st.DataObject
) -> None:
    kind = entry["kind"]
    fields = sorted(KINDS[kind].record.fields)
    name = data.draw(st.sampled_from([*fields, "detail", "email"]).filter(lambda f: f != "kind"))
    if data.draw(st.booleans()):
        entry.pop(name, None)
    else:
        entry[name] = data.draw(JUNK)
    # JSON Schema calls 1.0 an integer; canonical JSON has no such number in an entry of ours.
    floats = any(isinstance(v, float) for v in entry.values())
    assert refused(entry) == (floats or not VALIDATORS[kind].is_valid(entry))


@pytest.mark.parametrize("kind", KINDS)
def test_schemas_are_valid_and_closed(kind: str) -> None:
    schema = KINDS[kind].schema()
    Draft202012Validator.check_schema(schema)

    def closed(part: Any) -> None:
        if isinstance(part, dict):
            if part.get("type") == "object":
                assert part["additionalProperties"] is False
            if part.get("type") == "string":
                assert {"pattern", "maxLength"} <= set(part)
            for value in part.values():
                closed(value)

    closed(schema)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"detail": "moved Jan"}, "unknown field detail"),
        ({"jan.jansen@example.com": 1}, r"unknown field \(…\)"),
        ({"table": "jan.jansen@example.com"}, "field table: got str of length 22, expected name"),
        ({"table": ""}, "expected name"),
        ({"table": "a\nb"}, "expected name"),
        ({"rows": -1}, "field rows: got int, expected count"),
        ({"rows": True}, "field rows: got bool"),
        ({"rows": 1.5}, "field rows: got float"),
        ({"digest": "sha256:" + "AB" * 32}, "field digest: got str of length 71"),
        ({"operation": "borrow"}, "expected operation"),
        ({"time": "2026-01-23 10:00:00"}, "expected time"),
        ({"commitments": ["jan"]}, "got list of length 1, expected list of commitments"),
        ({"kind": "diary"}, "unknown kind"),
        ({"kind": ["batch"]}, "unknown kind"),
    ],
)
def test_refusals_name_the_field_and_never_the_value(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    log = make_log(tmp_path, 1)
    with pytest.raises(EvidenceError, match=said) as caught:
        log.append([entry(1), {**entry(2), **change}])
    assert "jan" not in str(caught.value).lower()
    assert log.size == 1


def test_a_missing_field_is_named() -> None:
    incomplete = entry(1)
    del incomplete["rows"], incomplete["plan"]
    with pytest.raises(EvidenceError, match="missing field plan, rows"):
        kinds.check(incomplete)


def test_make_adds_the_time_and_takes_keywords(tmp_path: Path) -> None:
    made = kinds.make(
        "step", "test", plan=DIGEST, step="s1", operation="move", outcome="done",
        from_="singapore", to="texas", reason=None,
    )  # fmt: skip
    assert made["from"] == "singapore"
    assert "reason" not in made
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", made["time"])
    log: Log = make_log(tmp_path)
    assert log.append([made]) == range(1)
    with pytest.raises(EvidenceError, match="unknown field"):
        kinds.make("step", "test", note="x")


def test_every_kind_and_field_is_documented() -> None:
    text = DOCUMENT.read_text("utf-8")
    for name, kind in KINDS.items():
        section = text.partition(f"### {name}\n")[2].partition("\n### ")[0].partition("\n## ")[0]
        assert kind.said in section, name
        for field in kind.record.fields:
            if field not in ("kind", *kinds.COMMON):
                assert f"`{field}`" in section, f"{name}.{field}"
