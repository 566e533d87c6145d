"""A made-up clinic, hard in the way of PostgreSQL's own features, goes home into an empty database.

What the Americans have is said here in SQL of our own.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import MakeDatabase
from tests.e2e import support
from tests.e2e.support import Contents, Estate, Rows
from tests.servers import TestServer

BODY = """\
subjects:
  patients: {register: app.Patients, key: id, residence: nation, born: birth}
  doctors: {register: app.doctors, key: id, residence: nation}
links:
  - {from: app.events.patient, to: patients}
tables:
  app.nations: {role: reference}
  app.letters: {joint: author, author: patient}
  app.visits: {joint: author, author: patient}
  app.scans: {joint: author, author: scans_clinic_visit_fkey.patient}
"""
PLACED = "schema: Care"

AMERICAN = """(SELECT id FROM "Care"."Patients" WHERE nation = 'USA')"""
VISITED = f'(SELECT clinic, no FROM "Care".visits WHERE patient IN {AMERICAN})'
THEIRS = {
    "Patients": "nation = 'USA'",
    "doctors": "nation = 'USA'",
    **dict.fromkeys(
        ["bills_0", "bills_1", "events", "letters", "sessions", "visits"],
        f"patient IN {AMERICAN}",
    ),
    "scans": f"(clinic, visit) IN {VISITED}",
}


@pytest.fixture
def clinic(pg15: TestServer, database: MakeDatabase, tmp_path: Path) -> tuple[Estate, str, str]:
    abroad, home = database(pg15), database(pg15)
    pg15.psql(
        support.name_of(abroad), "--set=ON_ERROR_STOP=1", "--output=/dev/null",
        stdin=(Path(__file__).parent / "clinic.sql").read_text(),
    )  # fmt: skip
    estate = Estate(tmp_path, abroad, home, BODY, home_more=f", {PLACED}")
    text = estate.file.read_text()
    estate.file.write_text(text.replace("Ltd, holds: app", f"Ltd, {PLACED}, holds: app"))
    return estate, abroad, home


def real(contents: Contents) -> Contents:
    """Without stubs: rows that hold a key and nothing else of a person."""
    return {
        table: Rows({r: n for r, n in rows.items() if not bare(table, r)})
        for table, rows in contents.items()
    }


def bare(table: str, row: str) -> bool:
    """Whether the text of a row is a stub's: of a table in which its form can be told."""
    if table == "Patients":
        return "stub-" in row
    return table in ("doctors", "letters") and row.endswith(",,,)")


def test_home_into_an_empty_database(pg15: TestServer, clinic: tuple[Estate, str, str]) -> None:
    estate, abroad, home = clinic
    before = support.rows_of(pg15, abroad, '"Care"')
    theirs = {t: support.picked(pg15, abroad, f'"Care"."{t}"', w) for t, w in THEIRS.items()}
    assert all(theirs.values())
    emails = set(pg15.sql(
        support.name_of(abroad), """SELECT "E-Mail" FROM "Care"."Patients" WHERE nation = 'USA'"""
    ).split())  # fmt: skip
    plan = estate.plan()
    assert plan["held"] == []
    estate.apply()
    at_home, left = (real(support.rows_of(pg15, url, '"Care"')) for url in (home, abroad))
    for table, rows in theirs.items():
        assert at_home[table] == rows, table
        assert left[table] == before[table] - rows, table
    assert at_home["nations"] == left["nations"] == before["nations"]
    for url in (home, abroad):
        support.assert_whole(pg15, url)
    assert support.files_with(pg15, abroad, emails) == []
    verified = estate.verify()
    assert support.checks(verified, "failed") == {}
    # The addresses in stubs are nobody's, and are not taken for somebody's.
    assert not any("E-Mail" in name for name in support.checks(verified, "unknown"))
    assert estate.plan("again.json")["steps"] == []


def test_init_says_where_the_tables_are(clinic: tuple[Estate, str, str], tmp_path: Path) -> None:
    _, abroad, home = clinic
    ran = support.run("init", abroad, "-o", str(tmp_path / "new.yaml"))
    assert ran.code == 2
    assert "Care: say --schema" in ran.err
    ran = support.run(
        "init", f"abroad={abroad}", f"home={home}", "--schema", "Care",
        "-o", str(tmp_path / "new.yaml"),
    )  # fmt: skip
    assert ran.code == 0, ran.err
    proposed = (tmp_path / "new.yaml").read_text()
    assert "register: app.Patients" in proposed
    # Many are of XXX, which is no country: a guess, not a silence.
    assert "residence: nation" in proposed
    assert "most rows hold one of those" in proposed
    assert "app.Patients describes people" not in proposed
