"""`domicile init` on unseen databases: what it proposes, plan accepts once a person has said where
the stores stand and who runs them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import CopyEstate, MakeDatabase
from tests.e2e import support
from tests.servers import TestServer


def proposed(folder: Path, *urls: str) -> Path:
    """The file that init writes, with a mandate beside it and its one edit made: the stores."""
    file = folder / "estate.yaml"
    ran = support.run("init", *urls, "-o", str(file))
    assert ran.code == 0, ran.err
    text = file.read_text()
    places = iter(["SG", "US"])
    operators = iter(["Video Store Ltd", "Oracle"])
    text = re.sub(r"country: ZZ", lambda _: f"country: {next(places)}", text)
    text = re.sub(r"operator: unknown", lambda _: f"operator: {next(operators)}", text)
    file.write_text(text)
    (folder / "mandates").mkdir()
    (folder / "mandates" / "us.yaml").write_text(support.MANDATE)
    return file


def moves(file: Path) -> dict[str, int]:
    """The moves that plan finds, by table."""
    ran = support.run("plan", "--estate", str(file), "--json")
    assert ran.code == 0, ran.err
    return {s["table"]: s["rows"] for s in ran.document["steps"] if s["op"] == "move"}


def test_pagila(pagila: CopyEstate, tmp_path: Path) -> None:
    file = proposed(tmp_path, pagila(name="abroad"), pagila(rows=False, name="home"))
    found = moves(file)
    assert found["app.customer"] == 36
    assert found["app.rental"] == found["app.payment"] == 968
    assert found["app.address"] == 36


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_chinook(
    kind: str, shared: Path, pg15: TestServer, database: MakeDatabase, tmp_path: Path
) -> None:
    folder = shared / "estates" / "chinook"
    if kind == "sqlite":
        abroad, home = tmp_path / "abroad.db", tmp_path / "home.db"
        shutil.copy(folder / "Chinook_Sqlite.sqlite", abroad)
        shutil.copy(abroad, home)
        with support.sqlite(home) as connection:
            connection.execute("PRAGMA foreign_keys = OFF")
        with support.sqlite(home) as connection:
            for table in ("InvoiceLine", "Invoice", "Customer"):
                connection.execute(f"DELETE FROM {table}")
        urls = (f"sqlite://{abroad}", f"sqlite://{home}")
    else:
        script = (folder / "Chinook_PostgreSql.sql").read_text().partition("\\c chinook;")[2]
        urls = (database(pg15, "abroad"), database(pg15, "home"))
        for url in urls:
            pg15.psql(support.name_of(url), "--output=/dev/null", stdin=script)
        pg15.sql(support.name_of(urls[1]), "TRUNCATE customer, invoice, invoice_line")
    found = moves(proposed(tmp_path, *urls))
    assert list(found.values()) == [13, 91, 494]
