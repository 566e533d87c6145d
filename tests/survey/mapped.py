"""A small estate for the tests of the data map: two SQLite cells, and what lies in them.

abroad  seven customers, one of them nowhere, one in a land that is none; orders, messages between
        two people, a staff table that nobody owns, an address that nobody uses
home    two customers, and an order of a customer who is registered abroad
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

DAY = "2026-11-22"

SCHEMA = """
CREATE TABLE address (id INTEGER PRIMARY KEY, street TEXT, city TEXT, country TEXT);
CREATE TABLE customer (
  id INTEGER PRIMARY KEY, email TEXT, born TEXT, address_id INTEGER REFERENCES address (id));
CREATE TABLE "order" (
  id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customer (id), amount NUMERIC);
CREATE TABLE message (
  id INTEGER PRIMARY KEY, sender INTEGER NOT NULL REFERENCES customer (id),
  receiver INTEGER NOT NULL REFERENCES customer (id), body TEXT);
CREATE TABLE staff (id INTEGER PRIMARY KEY, email TEXT);
CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT);
"""
ABROAD = """
INSERT INTO address VALUES (1, 'Kade 1', 'Delft', 'NL'), (2, 'Laan 2', 'Leiden', 'Netherlands'),
  (3, 'Main St 3', 'Reno', 'United States'), (4, 'High St 4', 'York', 'UK'),
  (5, 'Deep 5', 'Sunken', 'Atlantis'), (6, 'Empty 6', 'Nowhere', 'NL');
INSERT INTO customer VALUES (1, 'ana@example.org', '2008-11-22', 1),
  (2, 'bo@example.org', '2008-11-23', 2), (3, 'cem@example.org', '1970-01-01', 3),
  (4, 'dee@example.org', '2020-02-29', 3), (5, 'eva@example.org', 'unknown', 4),
  (6, 'fay@example.org', '1980-05-05', NULL), (7, 'gus@example.org', '2999-01-01', 5);
INSERT INTO "order" VALUES (1, 1, 10), (2, 1, 20), (3, 2, 5), (4, 3, 7), (5, 6, 1);
INSERT INTO message VALUES (1, 1, 2, 'hallo'), (2, 1, 3, 'hello there'), (3, 3, 4, 'x'),
  (4, 6, 1, 'y');
INSERT INTO staff VALUES (1, 'boss@example.org');
INSERT INTO product VALUES (1, 'tea'), (2, 'salt');
"""
HOME = """
INSERT INTO address VALUES (50, 'Oak 50', 'Reno', 'US');
INSERT INTO customer VALUES (50, 'hal@example.org', '2015-06-01', 50),
  (51, 'ida@example.org', '1990-01-01', 50);
INSERT INTO "order" VALUES (50, 50, 3), (51, 3, 4);
"""
ESTATE = """\
estate: shop
controller: {name: Shop Ltd, country: SG}
stores:
  abroad: {url: "sqlite:abroad.db", country: SG, operator: Shop Ltd, holds: app}
  home: {url: "sqlite:home.db", country: US, operator: Oracle, holds: app}
subjects:
  customer: {register: app.customer, key: id, residence: address_id.country, born: born}
tables:
  app.address: {role: attachment}
  app.product: {role: reference}
"""


def write_shop(directory: Path, estate: str = ESTATE) -> Path:
    """Both stores and the estate's file in `directory`; the file."""
    for name, rows in (("abroad.db", ABROAD), ("home.db", HOME)):
        write_database(directory / name, SCHEMA, rows)
    file = directory / "estate.yaml"
    file.write_text(estate, encoding="utf-8")
    return file


def write_database(file: Path, *scripts: str) -> None:
    """Run scripts on a SQLite file; keys are not held, so that they may lead elsewhere."""
    with closing(sqlite3.connect(file)) as connection:
        for script in scripts:
            connection.executescript(script)
        connection.commit()


def ask(file: Path, query: str) -> list[tuple[object, ...]]:
    """The rows of a query, through the standard library and not through the engine's driver."""
    with closing(sqlite3.connect(file)) as connection:
        found: Iterable[tuple[object, ...]] = connection.execute(query).fetchall()
    return list(found)
