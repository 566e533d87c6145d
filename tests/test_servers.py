"""The test servers themselves: copies are fresh, kills are survived, nothing is left running."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from domicile.errors import StoreRefused
from tests.conftest import CopyEstate, MakeDatabase
from tests.servers import TestServer


def _database(url: str) -> str:
    return url.rsplit("/", 1)[1]


def test_versions(pg15: TestServer, pg18: TestServer) -> None:
    assert pg15.sql("postgres", "SHOW server_version").startswith("15.")
    assert pg18.sql("postgres", "SHOW server_version").startswith("18.")


def test_databases_are_fresh(pg15: TestServer, database: MakeDatabase) -> None:
    first = _database(database(pg15, "Odd name"))
    second = _database(database(pg15, "Odd name"))
    pg15.sql(first, "CREATE TABLE t (x int)")
    with pytest.raises(StoreRefused):
        pg15.sql(second, "SELECT * FROM t")


def test_pagila_and_its_schema(pg15: TestServer, pagila: CopyEstate) -> None:
    full, empty = _database(pagila()), _database(pagila(rows=False))
    assert pg15.sql(full, "SELECT count(*) FROM customer") == "599"
    assert pg15.sql(empty, "SELECT count(*) FROM customer") == "0"
    triggers = "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal"
    assert pg15.sql(full, triggers) == pg15.sql(empty, triggers)


def test_peertube_and_its_schema(pg15: TestServer, peertube: CopyEstate) -> None:
    full, empty = _database(peertube()), _database(peertube(rows=False))
    americans = "SELECT count(*) FROM residence WHERE country = 'US'"
    assert pg15.sql(full, americans) == "64"
    assert pg15.sql(empty, americans) == "0"
    keys = "SELECT count(*) FROM pg_constraint WHERE contype = 'f'"
    assert pg15.sql(full, keys) == pg15.sql(empty, keys) == "103"  # 102 and residence's own


def test_committed_rows_survive_a_kill(fresh_server: Callable[..., TestServer]) -> None:
    server = fresh_server(fsync=True)
    server.create_database("t")
    server.sql("t", "CREATE TABLE t AS SELECT 42 AS x")
    url = server.url("t")
    server.kill()
    assert server.pid() is None
    server.restart()
    assert server.url("t") == url, "a restart keeps the port"
    assert server.sql("t", "SELECT x FROM t") == "42"
