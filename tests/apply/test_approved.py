"""Two people and a witness: apply refuses until all are there, and the verifier shows that they
were."""

from __future__ import annotations

import base64
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domicile.cli.main import main
from domicile.errors import PlanRefused
from domicile.evidence.approval import Approvals, approve, check
from domicile.evidence.keys import COSIGNATURE, SigningKey
from domicile.evidence.note import Checkpoint
from tests.conftest import ROOT
from verifier import domicile_verify as verifier

SCHEMA = "CREATE TABLE customer (id INTEGER PRIMARY KEY, email TEXT NOT NULL, country TEXT);"
ROWS = "INSERT INTO customer VALUES (1, 'amy@example.org', 'US'), (2, 'bea@example.org', 'NL');"
ESTATE = """\
estate: shop
stores:
  abroad: {url: "sqlite:abroad.db", country: IE, operator: Shop Ltd, holds: app}
  home: {url: "sqlite:home.db", country: US, operator: Trust Inc, holds: app}
subjects:
  customer: {register: app.customer, key: id, residence: country}
approvers:
  - {key: "%s", role: platform, operator: Shop Ltd}
  - {key: "%s", role: custodian, operator: Trust Inc}
witnesses:
  regulator: {key: "%s", url: "%s"}
"""
MANDATE = """\
mandate: us
title: A made-up mandate
status: voluntary
effective: 2026-01-01
protects: {residence: [US]}
approvals:
  - {role: platform, operator: Shop Ltd}
  - {role: custodian, operator: Trust Inc}
cosignatures: {need: 1}
clauses:
  - {id: rest, store: {country: [US]}, otherwise: move, purge: true}
"""


@contextmanager
def witnessed(folder: Path, vkey: Path) -> Iterator[str]:
    """`domicile witness serve` in a process of its own; its URL."""
    given = {"--key": folder / "w.key", "--state": folder / "w", "--log": vkey, "--port": 0}
    options = [str(part) for pair in given.items() for part in pair]
    process = subprocess.Popen(
        [sys.executable, "-m", "domicile", "witness", "serve", "--json", *options],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        text = ""
        while not text.endswith("}\n"):
            line = process.stdout.readline()
            assert line, "the witness did not start"
            text += line
        yield json.loads(text)["url"]
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def keygen(capsys: pytest.CaptureFixture[str], file: str, name: str, *more: str) -> str:
    assert main(["log", "keygen", file, "--name", name, *more]) == 0
    return capsys.readouterr().out.strip()


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main([*arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_apply_waits_for_two_people_and_a_witness(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, rows in (("abroad", ROWS), ("home", "")):
        with closing(sqlite3.connect(f"{name}.db")) as connection:
            connection.executescript(SCHEMA + rows)
    platform = keygen(capsys, "p.key", "shop.example/platform")
    custodian = keygen(capsys, "c.key", "trust.example/custodian")
    witness = keygen(capsys, "w.key", "regulator.example/w1", "--witness")
    Path("mandates").mkdir()
    Path("mandates/us.yaml").write_text(MANDATE)
    estate = Path("estate.yaml")
    estate.write_text(ESTATE % (platform, custodian, witness, "http://127.0.0.1:1"))
    assert run(capsys, "plan", "-o", "first.json", "--quiet")[0] == 0  # starts the log
    vkey = tmp_path / ".domicile/keys/log.vkey"
    apply = ("apply", "plan.json", "--yes")

    def refused(said: str) -> None:
        code, _, err = run(capsys, *apply)
        assert (code, said in err) == (4, True), err

    with witnessed(tmp_path, vkey) as url:
        estate.write_text(ESTATE % (platform, custodian, witness, url))
        assert run(capsys, "plan", "-o", "plan.json", "--quiet")[0] == 0
        refused("asks for 1 approval(s) as platform of Shop Ltd, and there are 0")
        assert run(capsys, "approve", "plan.json", "--key", "p.key")[0] == 0
        refused("asks for 1 approval(s) as custodian of Trust Inc, and there are 0")
        assert run(capsys, "approve", "plan.json", "--key", "p.key")[0] == 0  # one person, twice
        refused("as custodian of Trust Inc, and there are 0")
        assert run(capsys, "approve", "plan.json", "--key", "c.key", "-o", "c.json")[0] == 0
        refused("as custodian of Trust Inc, and there are 0")  # not recorded yet
        assert run(capsys, "approve", "first.json", "--add", "c.json")[0] == 4  # another plan
        assert run(capsys, "approve", "plan.json", "--add", "c.json")[0] == 0
        refused("asks for 1 cosignature(s) of the plan and its approvals, and there are 0")
        assert run(capsys, "log", "cosign")[0] == 0
        taken = ("approve", "plan.json", "--key", "c.key", "--decision", "withdrawn")
        assert run(capsys, *taken)[0] == 0
        refused("it was taken back")
        code, _, err = run(capsys, "approve", "plan.json", "--add", "c.json")
        assert (code, "replayed" in err) == (4, True)
        assert run(capsys, "approve", "plan.json", "--key", "c.key")[0] == 0
        refused("cosignature(s)")  # the head that was cosigned does not hold the newest word
        code, out, err = run(capsys, "log", "cosign")
        assert (code, "regulator: cosigned at" in out) == (0, True)
        assert run(capsys, *apply)[0] == 0
    plan = json.loads(Path("plan.json").read_text())
    key = verifier.Key.read(vkey.read_text())
    said = verifier.audit_plan(plan, verifier.Log(".domicile/evidence", key))
    assert "approved as ('platform', 'Shop Ltd') by shop.example/platform" in said
    assert "approved as ('custodian', 'Trust Inc') by trust.example/custodian" in said
    assert "begun under the cosignatures that are needed" in said


def planned(*keys: SigningKey) -> dict[str, Any]:
    """The parts of a plan that approvals are about."""
    digest = "sha256:" + "cd" * 32
    return {
        "digest": digest, "estate": "shop", "estate_digest": digest,
        "mandates": [{"id": "us", "digest": digest, "status": "voluntary"}],
        "approvers": [{"key": str(k.verifier), "role": "dpo", "operator": "Shop"} for k in keys],
        "approvals": [{"mandate": "us", "role": "dpo", "operator": "Shop", "need": len(keys)}],
    }  # fmt: skip


ONE, TWO = (SigningKey(f"shop.example/{n}", bytes([n]) * 32) for n in (1, 2))
LATER = "2026-12-31T00:00:00Z"


def recorded(plan: dict[str, Any], *approvals: dict[str, str]) -> Approvals:
    entries = [{"kind": "plan", "plan": plan["digest"]}]
    entries += [{"kind": "approval", **a} for a in approvals]
    return Approvals(plan, enumerate(entries))


def test_two_of_a_role_are_two_keys() -> None:
    plan, until = planned(ONE, TWO), datetime(2027, 6, 1, tzinfo=UTC)
    first = approve(plan, ONE, expires=until)
    again = {**approve(plan, ONE, expires=until), "signed": "2099-01-01T00:00:00Z"}
    with pytest.raises(PlanRefused, match="not signed"):  # its time is signed too
        recorded(plan, first, again)
    with pytest.raises(PlanRefused, match="and there are 1"):
        recorded(plan, first).require(LATER)
    assert recorded(plan, first, approve(plan, TWO, expires=until)).require(LATER) == 2


def test_an_approval_ends() -> None:
    plan = planned(ONE)
    given = approve(plan, ONE, expires=datetime.now(UTC) + timedelta(days=1))
    assert recorded(plan, given).require("2026-01-01T00:00:00Z") == 1
    with pytest.raises(PlanRefused, match="it has expired") as caught:
        recorded(plan, given).require("2099-01-01T00:00:00Z")
    assert caught.value.code == "approval_expired"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"estate_digest": "sha256:" + "00" * 32}, "for another estate"),
        ({"digest": "sha256:" + "00" * 32}, "for another plan"),
        ({"mandates": []}, "for another mandates"),
        ({"approvers": []}, "not among the approvers"),
    ],
)
def test_an_approval_is_bound_to_its_plan(change: dict[str, Any], said: str) -> None:
    plan = planned(ONE)
    given = approve(plan, ONE)
    assert check(plan, given) == ONE.verifier
    with pytest.raises(PlanRefused, match=said):
        check({**plan, **change}, given)


def test_a_clock_that_went_back_prolongs_no_approval() -> None:
    """What the plan's witnesses saw is later than what our clock says."""
    key, witness = SigningKey.generate("a"), SigningKey.generate("w", COSIGNATURE)
    needs = [{"mandate": "m", "need": 1, "of": [str(witness.verifier)]}]
    found = recorded({**planned(key), "witnesses": needs})
    text = Checkpoint("domicile/x", 1, bytes(32)).text
    seen = int(datetime(2026, 3, 1, 12, 1, tzinfo=UTC).timestamp())
    line = base64.b64encode(witness.verifier.id + witness.cosign(text, seen)).decode()
    note = f"{text}\n— w {line}\n".encode()
    assert found.last_seen([note]) == "2026-03-01T12:00:00Z"
    assert found.last_seen([]) == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize("field", ["decision", "expires", "signed", "signature"])
def test_an_altered_approval_is_refused(field: str) -> None:
    plan = planned(ONE)
    given = approve(plan, ONE)
    with pytest.raises(PlanRefused, match="not signed by its key"):
        check(plan, {**given, field: "x" + given[field]})


def test_whoever_was_moved_has_a_receipt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, rows in (("abroad", ROWS), ("home", "")):
        with closing(sqlite3.connect(f"{name}.db")) as connection:
            connection.executescript(SCHEMA + rows)
    Path("mandates").mkdir()
    without = [line for line in MANDATE.splitlines() if "role:" not in line]
    text = "\n".join(line for line in without if not line.startswith(("approvals", "cosig")))
    Path("mandates/us.yaml").write_text(text + "\n")
    Path("estate.yaml").write_text(ESTATE.partition("approvers:")[0])
    assert run(capsys, "plan", "-o", "plan.json", "--quiet")[0] == 0
    assert run(capsys, "receipt", "customer", "1")[0] == 1  # nothing was done yet
    assert run(capsys, "apply", "plan.json", "--yes")[0] == 0
    Path("amy.json").touch()
    Path("amy.json").chmod(0o644)  # it was there, open to others
    code, out, _ = run(capsys, "receipt", "customer", "1", "-o", "amy.json")
    assert Path("amy.json").stat().st_mode & 0o777 == 0o600
    assert (code, "moved from abroad to home" in out, "one of 1 people" in out) == (0, True, True)
    assert run(capsys, "receipt", "customer", "2")[0] == 1  # she stays, and there is none of her
    key = verifier.Key.read((tmp_path / ".domicile/keys/log.vkey").read_text())
    said = verifier.audit_receipt(json.loads(Path("amy.json").read_text()), verifier.Log("", key))
    assert '"act":"moved"' in said[0]
