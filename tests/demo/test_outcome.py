"""The whole line of work on the demo's platform, judged by SQL written for this schema alone.

What must be true afterwards is said here without the survey's graph: whose act a row is, is a
column of its table. Rows are compared as the text of all their columns.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

import pytest

from domicile.demo.platform import COLUMNS
from domicile.demo.postgres import own, server_account
from domicile.demo.stage import ABROAD, DATABASE, HOME, Stage, build, remove
from domicile.evidence.keys import VerifierKey
from domicile.evidence.reader import LogReader
from tests.conftest import ROOT
from tests.need import wheel
from verifier import domicile_verify as verifier

PEOPLE = 1_200

AMERICAN = (
    "SELECT account_id FROM account JOIN address USING (address_id)"
    " JOIN country USING (country_id) WHERE code = 'US'"
)

# Whose act a row is, and so where it rests; None: nobody's, it stays.
ACTOR = {
    "account": "account_id",
    "family": "child_id",
    "device": "account_id",
    "video": "account_id",
    "comment": "account_id",
    "video_like": "account_id",
    "follow": "follower_id",
    "watch": "account_id",
}
KEYS = {table: columns[:1] for table, columns in COLUMNS.items()} | {
    "family": ("parent_id", "child_id"),
    "video_like": ("account_id", "video_id"),
    "follow": ("follower_id", "followed_id"),
}

Rows = dict[str, str]


@dataclass
class Outcome:
    """All rows of both stores by table and key, and their schemas, before and after."""

    stage: Stage
    americans: set[str]
    actors: dict[str, Rows]  # by table and key: the number of the account whose act the row is
    parties: dict[str, list[str]]  # by message: sender and recipient
    before: dict[str, dict[str, Rows]]
    after: dict[str, dict[str, Rows]]
    schema_before: dict[str, str]
    schema_after: dict[str, str]


@pytest.fixture(scope="module")
def outcome() -> Iterator[Outcome]:
    wheel()
    with tempfile.TemporaryDirectory(prefix="dom-demo-") as name:
        own(Path(name), server_account())
        stage = build(Path(name) / "demo", PEOPLE)
        try:
            before, schema_before = _contents(stage), _schemas(stage)
            abroad = stage.servers[ABROAD]
            americans = set(abroad.sql(DATABASE, AMERICAN).splitlines())
            actors = {table: _pairs(stage, ABROAD, table, column)
                      for table, column in ACTOR.items()}  # fmt: skip
            sides = "concat_ws(' ', sender_id, recipient_id)"
            parties = _pairs(stage, ABROAD, "message", sides)
            _domicile(stage, "plan", "-o", "plan.json")
            _domicile(stage, "apply", "plan.json", "--yes")
            _domicile(stage, "verify")
            yield Outcome(
                stage,
                americans,
                actors,
                {key: sides.split() for key, sides in parties.items()},
                before,
                _contents(stage),
                schema_before,
                _schemas(stage),
            )
        finally:
            remove(stage.directory)


def _run(stage: Stage, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "domicile", *arguments],
        cwd=stage.directory, env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def _said(stage: Stage, *arguments: str) -> str:
    done = _run(stage, *arguments)
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _domicile(stage: Stage, *arguments: str) -> None:
    _said(stage, *arguments)


def _contents(stage: Stage) -> dict[str, dict[str, Rows]]:
    return {
        store: {table: _pairs(stage, store, table, f"{table}::text") for table in COLUMNS}
        for store in (ABROAD, HOME)
    }


def _pairs(stage: Stage, store: str, table: str, expression: str) -> Rows:
    """By the row's key, as text: an expression over its columns."""
    key = ", ".join(f"{column}::text" for column in KEYS[table])
    query = f"SELECT concat_ws('/', {key}), {expression} FROM {table}"
    found = stage.servers[store].psql(DATABASE, "--field-separator=\t", f"--command={query}")
    parts = (line.partition("\t") for line in found.splitlines())
    return {key: value for key, _, value in parts}


def _schemas(stage: Stage) -> dict[str, str]:
    shown = {}
    for store, server in stage.servers.items():
        dump = server.bin_dir / "pg_dump"
        text = subprocess.run(
            [str(dump), "--schema-only", "--schema=public", stage.url(store)],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        lines = (line for line in text.splitlines() if not line.startswith("\\"))
        shown[store] = "\n".join(lines)  # but for the random token of \restrict
    return shown


@pytest.mark.parametrize("table", COLUMNS)
def test_nothing_is_lost(outcome: Outcome, table: str) -> None:
    for key, row in outcome.before[ABROAD][table].items():
        now = (outcome.after[ABROAD][table].get(key), outcome.after[HOME][table].get(key))
        assert row in now, f"{table} {key} is nowhere as it was"


@pytest.mark.parametrize("table", ACTOR)
def test_what_americans_did_is_at_home_only(outcome: Outcome, table: str) -> None:
    actors = outcome.actors[table]
    theirs = [k for k in outcome.before[ABROAD][table] if actors[k] in outcome.americans]
    assert theirs
    for key in theirs:
        row = outcome.before[ABROAD][table][key]
        assert outcome.after[HOME][table].get(key) == row, f"{table} {key} is not at home"
        assert outcome.after[ABROAD][table].get(key) != row, f"{table} {key} is still abroad"


@pytest.mark.parametrize("table", ACTOR)
def test_what_others_did_is_untouched(outcome: Outcome, table: str) -> None:
    actors = outcome.actors[table]
    others = [k for k in outcome.before[ABROAD][table] if actors[k] not in outcome.americans]
    assert others
    for key in others:
        row = outcome.before[ABROAD][table][key]
        assert outcome.after[ABROAD][table].get(key) == row, f"{table} {key} has changed"
        assert outcome.after[HOME][table].get(key) != row, f"{table} {key} was copied home"


def test_messages_across_the_line_are_held(outcome: Outcome) -> None:
    seen = set()
    for key, row in outcome.before[ABROAD]["message"].items():
        americans = sum(party in outcome.americans for party in outcome.parties[key]) / 2
        seen.add(americans)
        at_home = outcome.after[HOME]["message"].get(key) == row
        abroad = outcome.after[ABROAD]["message"].get(key) == row
        assert (at_home, abroad) == (americans == 1, americans < 1), f"message {key}"
    assert seen == {0, 0.5, 1}


def test_addresses_follow_who_lives_there(outcome: Outcome) -> None:
    american = {a for a, row in outcome.before[ABROAD]["address"].items() if row.endswith(",1)")}
    assert american
    assert set(outcome.after[HOME]["address"]) >= american
    assert not american & set(outcome.after[ABROAD]["address"])


@pytest.mark.parametrize("table", COLUMNS)
def test_what_is_at_home_besides_are_keys_alone(outcome: Outcome, table: str) -> None:
    """No e-mail, name, title or address of somebody abroad came along."""
    before = outcome.before[ABROAD][table]
    for key, row in outcome.after[HOME][table].items():
        if before[key] != row:
            assert table in ("account", "video", "comment"), f"a stub of {table} is not needed"
            for word in before[key].strip("()").split(","):
                personal = len(word) > 12 and not word.strip('"').isdigit() and word != key
                assert not (personal and word in row), f"{table} {key}: {word!r} came along"


def test_the_schemas_are_as_before(outcome: Outcome) -> None:
    assert outcome.schema_after == outcome.schema_before


def test_the_evidence_names_nobody_and_outlives_its_key(outcome: Outcome) -> None:
    """No e-mail, handle, name, street, phone number, address on the network or advertising id of
    anybody in any byte of the evidence, and no key in any entry; also after the secret is gone."""
    state = outcome.stage.directory / ".domicile"
    files = [p.read_bytes() for p in (state / "evidence").rglob("*") if p.is_file()]
    whole = b"\n".join(files).lower()
    personal: set[str] = set()
    for query in (
        "SELECT unnest(ARRAY[email, full_name, phone, password_hash]) FROM account",
        "SELECT handle FROM account WHERE length(handle) > 5",
        "SELECT street FROM address",
        "SELECT unnest(ARRAY[host(last_ip), advertising_id::text]) FROM device",
        "SELECT host(ip) FROM watch",
        "SELECT body FROM message",
    ):
        for server in outcome.stage.servers.values():
            personal |= {v for v in server.sql(DATABASE, query).splitlines() if len(v) > 5}
    assert len(personal) > 3 * PEOPLE
    assert [value for value in personal if value.lower().encode() in whole] == []
    log = LogReader(state / "evidence", VerifierKey.load(state / "keys" / "log.vkey"))
    texts = set(_strings([entry for _, entry in log.entries()]))
    assert not texts & set(outcome.before[ABROAD]["account"])  # a key would be a text of its own
    american = min(outcome.americans)
    receipt = json.loads(_said(outcome.stage, "receipt", "person", american, "--json"))
    key = verifier.Key.read((state / "keys" / "log.vkey").read_text())
    (cut,) = [r for r in receipt["receipts"] if r["statement"]["from"] == ABROAD]
    assert verifier.audit_receipt(cut, verifier.Log("", key))
    _domicile(outcome.stage, "log", "destroy-people", "--yes")
    assert verifier.audit_log([], verifier.Log(str(state / "evidence"), key))
    assert verifier.audit_receipt(cut, verifier.Log("", key))
    done = _run(outcome.stage, "receipt", "person", american)
    assert (done.returncode, "was destroyed" in done.stderr) == (1, True)


def _strings(value: object) -> Iterator[str]:
    """Every text in a document."""
    if isinstance(value, str):
        yield value
    for each in value.values() if isinstance(value, dict) else value if _listed(value) else ():
        yield from _strings(each)


def _listed(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def test_five_mandates_of_the_library_against_the_sql_of_the_docs(outcome: Outcome) -> None:
    """What a reader counts by the SQL of docs/clauses.md, the findings say too."""
    page = (ROOT / "docs" / "clauses.md").read_text(encoding="utf-8")
    queries = re.findall(r"(?m)^-- (\S+) in (\S+)\n(SELECT[^;]+;)", page)
    assert len({mandate for mandate, _, _ in queries}) == len(queries) == 5
    named = [word for mandate, _, _ in queries for word in ("--mandate", mandate)]
    plan = json.loads(_said(outcome.stage, "plan", "--json", *named))
    for mandate, store, query in queries:
        found = [
            finding
            for finding in plan["findings"]
            if (finding["mandate"], finding["clause"]) == (mandate, "rest")
            and (finding["store"], finding["table"]) == (store, "app.account")
            and finding["state"] == "held"
        ]
        counted = int(outcome.stage.servers[store].sql(DATABASE, query))
        assert counted > 0, mandate
        for count in ("rows", "subjects"):
            assert sum(finding[count] for finding in found) == counted, mandate
