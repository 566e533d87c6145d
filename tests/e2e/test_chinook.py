"""Chinook, a recorded record shop, where a customer's country is a text: `USA`.

Thirteen Americans with their invoices and invoice lines, in SQLite and in PostgreSQL.
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import MakeDatabase
from tests.e2e import support
from tests.e2e.support import Estate, Rows
from tests.servers import TestServer

SQLITE = """\
subjects:
  customer: {register: app.Customer, key: CustomerId, residence: Country}
"""
POSTGRES = """\
subjects:
  customer: {register: app.customer, key: customer_id, residence: country}
"""
COUNTS = {"customer": 13, "invoice": 91, "invoice_line": 494}


def test_from_one_file_to_another(shared: Path, tmp_path: Path) -> None:
    abroad, home = tmp_path / "abroad.db", tmp_path / "home.db"
    shutil.copy(shared / "estates" / "chinook" / "Chinook_Sqlite.sqlite", abroad)
    with support.sqlite(home) as connection:
        connection.execute("PRAGMA user_version = 1")
    estate = Estate(tmp_path / "e", f"sqlite://{abroad}", f"sqlite://{home}", SQLITE)
    invoices = "InvoiceId IN (SELECT InvoiceId FROM Invoice JOIN Customer USING (CustomerId) WHERE "
    american = "Country = 'USA'"
    wanted = {
        "Customer": american,
        "Invoice": f"CustomerId IN (SELECT CustomerId FROM Customer WHERE {american})",
        "InvoiceLine": f"{invoices}{american})",
    }
    with support.sqlite(abroad) as connection:
        moved = {
            t: Counter(repr(r) for r in connection.execute(f"SELECT * FROM {t} WHERE {where}"))
            for t, where in wanted.items()
        }
        emails = [e for (e,) in connection.execute(f"SELECT Email FROM Customer WHERE {american}")]
    assert [r.total() for r in moved.values()] == list(COUNTS.values())
    before, schema = support.sqlite_rows(abroad), support.sqlite_schema(abroad)
    assert estate.plan()["held"] == []
    estate.apply()
    there = support.sqlite_rows(home)
    assert support.sqlite_rows(abroad) == {t: r - moved.get(t, Rows()) for t, r in before.items()}
    assert {t: there[t] for t in moved} == moved
    assert all(rows <= before[table] for table, rows in there.items())
    assert support.sqlite_schema(home) == support.sqlite_schema(abroad) == schema
    for path in (abroad, home):
        with support.sqlite(path) as connection:
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert [e for e in emails if e.encode() in abroad.read_bytes()] == []
    assert estate.plan("again.json")["steps"] == []
    estate.verify()


@pytest.fixture(scope="module")
def chinook_template(pg15: TestServer, shared: Path) -> str:
    """Chinook's own script, without the part that makes the database."""
    script = (shared / "estates" / "chinook" / "Chinook_PostgreSql.sql").read_text()
    pg15.create_database("chinook")
    pg15.psql(
        "chinook", "--set=ON_ERROR_STOP=1", "--output=/dev/null",
        stdin=script.partition("\\c chinook;")[2],
    )  # fmt: skip
    return "chinook"


def test_from_one_server_to_another(
    chinook_template: str, pg15: TestServer, database: MakeDatabase, tmp_path: Path
) -> None:
    abroad, home = database(pg15, "abroad", chinook_template), database(pg15, "home")
    estate = Estate(tmp_path, abroad, home, POSTGRES)
    american = "(SELECT customer_id FROM customer WHERE country = 'USA')"
    moved = {
        t: support.picked(pg15, abroad, t, where)
        for t, where in {
            "customer": f"customer_id IN {american}",
            "invoice": f"customer_id IN {american}",
            "invoice_line": "invoice_id IN"
            f" (SELECT invoice_id FROM invoice WHERE customer_id IN {american})",
        }.items()
    }
    assert {t: r.total() for t, r in moved.items()} == COUNTS
    before, schema = support.rows_of(pg15, abroad), support.schema_of(pg15, abroad)
    assert estate.plan()["held"] == []
    estate.apply()
    there = support.rows_of(pg15, home)
    assert support.rows_of(pg15, abroad) == {t: r - moved.get(t, Rows()) for t, r in before.items()}
    assert {t: there[t] for t in moved} == moved
    assert all(rows <= before[table] for table, rows in there.items())
    assert support.schema_of(pg15, abroad) == support.schema_of(pg15, home) == schema
    support.assert_whole(pg15, abroad)
    support.assert_whole(pg15, home)
    assert estate.plan("again.json")["steps"] == []
    estate.verify()
