"""Legal holds stop erasure, by name and for the people they name; flows are in the plan."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from domicile.apply.run import apply_plan
from domicile.plan.make import make_plan

SCHEMA = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, email TEXT NOT NULL, country TEXT);
CREATE TABLE staff (id INTEGER PRIMARY KEY, email TEXT NOT NULL, country TEXT);
CREATE TABLE payment (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customer);
CREATE TABLE shift (id INTEGER PRIMARY KEY, staff_id INTEGER NOT NULL REFERENCES staff);
INSERT INTO customer VALUES (1, 'amy@example.org', 'US'), (2, 'bea@example.org', 'NL');
INSERT INTO staff VALUES (1, 'sam@example.org', 'US'), (2, 'tom@example.org', 'US');
INSERT INTO payment VALUES (1, 1), (2, 1), (3, 2);
INSERT INTO shift VALUES (1, 1), (2, 2);
"""
ESTATE = """\
estate: shop
stores:
  abroad: {url: "sqlite:abroad.db", country: SG, operator: Shop Ltd, holds: app}
organisations: {Ad Exchange Inc: {country: US}}
subjects:
  customer: {register: app.customer, key: id, residence: country}
  staff: {register: app.staff, key: id, residence: country}
flows:
  - {from: app, to: Ad Exchange Inc, categories: [user], uses: [marketing.advertising.profiling]}
"""
MANDATE = """\
mandate: gone
title: What lies abroad about US people is erased
status: voluntary
effective: 2026-01-01
protects: {residence: [US]}
clauses:
  - {id: gone, store: {country: [US]}, otherwise: erase}
  - {id: ads, use: {forbid: marketing.advertising}, otherwise: stop}
"""


def planned(folder: Path, holds: str = "") -> dict[str, Any]:
    database = folder / "abroad.db"
    if not database.exists():
        with closing(sqlite3.connect(database)) as connection:
            connection.executescript(SCHEMA)
        (folder / "mandates").mkdir()
        (folder / "mandates" / "gone.yaml").write_text(MANDATE, encoding="utf-8")
    (folder / "estate.yaml").write_text(ESTATE + holds, encoding="utf-8")
    return make_plan(folder / "estate.yaml")


def erased(plan: dict[str, Any]) -> dict[str, int]:
    return {s["table"]: s["rows"] for s in plan["steps"] if s["op"] == "erase"}


def test_without_a_hold_everything_goes(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    assert erased(plan) == {"app.customer": 1, "app.payment": 2, "app.staff": 2, "app.shift": 2}
    assert plan["held"] == []


def test_a_hold_of_a_table_is_named(tmp_path: Path) -> None:
    hold = "legal_holds: [{name: case 12, reason: Art. 17(3)(e) GDPR, tables: [app.payment]}]\n"
    plan = planned(tmp_path, hold)
    assert "app.payment" not in erased(plan)
    (held,) = plan["held"]
    assert held == {
        "store": "abroad", "table": "app.payment", "rows": 2, "code": "legal hold",
        "reason": "legal hold case 12: Art. 17(3)(e) GDPR",
    }  # fmt: skip
    stubs = {s["table"]: s["rows"] for s in plan["steps"] if s["op"] == "stub"}
    assert stubs == {"app.customer": 1}  # the payments that stay still have whom they refer to


def test_a_hold_of_subjects_stops_theirs_only(tmp_path: Path) -> None:
    hold = "legal_holds: [{name: tax, reason: Art. 17(3)(b) GDPR, subjects: [staff]}]\n"
    plan = planned(tmp_path, hold)
    assert erased(plan) == {"app.customer": 1, "app.payment": 2}
    assert {h["table"]: h["rows"] for h in plan["held"]} == {"app.staff": 2, "app.shift": 2}
    apply_plan(plan, tmp_path / "estate.yaml", cap=None, approved=lambda: True)
    with closing(sqlite3.connect(tmp_path / "abroad.db")) as connection:
        counts = [
            connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0]
            for t in ("customer", "payment", "staff", "shift")
        ]
    assert counts == [1, 1, 2, 2]


def test_a_hold_of_a_table_and_subjects_needs_both(tmp_path: Path) -> None:
    hold = (
        "legal_holds: [{name: n, reason: r, tables: [app.shift, app.payment], subjects: [staff]}]\n"
    )
    assert [h["table"] for h in planned(tmp_path, hold)["held"]] == ["app.shift"]


def test_a_forbidden_flow_is_a_finding_of_the_plan(tmp_path: Path) -> None:
    (finding,) = [f for f in planned(tmp_path)["findings"] if "flow" in f]
    assert finding["flow"] == "app → Ad Exchange Inc"
    assert (finding["mandate"], finding["clause"], finding["state"]) == ("gone", "ads", "held")
