"""A small estate of which a review has something to say in every part.

abroad  six people of three countries; two Americans with orders, a message between one of them and
        a Dutchman (held), a registration that nobody owns
home    where the Americans belong, by a promise whose deadline has passed
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

DAY = date(2026, 11, 28)

SCHEMA = """
CREATE TABLE person (id INTEGER PRIMARY KEY, email TEXT NOT NULL, country TEXT, born TEXT);
CREATE TABLE orders (
  id INTEGER PRIMARY KEY, person_id INTEGER NOT NULL REFERENCES person (id), total NUMERIC);
CREATE TABLE message (
  id INTEGER PRIMARY KEY, sender INTEGER NOT NULL REFERENCES person (id),
  receiver INTEGER NOT NULL REFERENCES person (id), body TEXT);
CREATE TABLE waiting (id INTEGER PRIMARY KEY, email TEXT NOT NULL);
CREATE TABLE jotting (id INTEGER PRIMARY KEY, text TEXT);
"""
ROWS = """
INSERT INTO person VALUES (1, 'amy@example.org', 'US', '1990-01-01'),
  (2, 'bob@example.org', 'US', '2015-05-05'), (3, 'cas@example.org', 'NL', '1980-02-02'),
  (4, 'dee@example.org', 'NL', '1975-03-03'), (5, 'eva@example.org', 'SG', '2001-04-04'),
  (6, 'fin@example.org', NULL, '1999-09-09');
INSERT INTO orders VALUES (1, 1, 10), (2, 1, 20), (3, 2, 5), (4, 3, 7), (5, 5, 1);
INSERT INTO message VALUES (1, 1, 3, 'hallo'), (2, 1, 2, 'hi'), (3, 3, 4, 'dag');
INSERT INTO waiting VALUES (1, 'amy@example.org'), (2, 'new@example.org');
INSERT INTO jotting VALUES (1, 'tea');
"""
EMAILS = ("amy@", "bob@", "cas@", "dee@", "eva@", "fin@", "new@")

ESTATE = """\
estate: shop
controller: {name: 'Shop & <Sons> Ltd', country: SG}
stores:
  abroad: {url: "sqlite:abroad.db", country: SG, operator: 'Shop & <Sons> Ltd', holds: app}
  home: {url: "sqlite:home.db", country: US, operator: Trust Inc, holds: app}
organisations:
  Ad Exchange Inc: {country: US, owned_by: [{name: Parent Group, country: CN, share: 60}]}
subjects:
  person: {register: app.person, key: id, residence: country, born: born}
tables:
  app.jotting: {role: ignore}
flows:
  - from: app
    to: Ad Exchange Inc
    categories: [user.behavior]
    uses: [marketing.advertising.profiling]
legal_holds:
  - {name: case-12, reason: litigation in the Netherlands, tables: [app.orders]}
fleets:
  phones: {source: csv, file: phones.csv, ownership: corporate, scope: all}
"""
HOME = """\
mandate: home
title: Data of US people come home
issuer: Shop Ltd
citation: a promise made up for the tests
status: voluntary
effective: 2026-01-01
deadline: 2026-09-01
protects: {residence: [US]}
clauses:
  - {id: rest, store: {country: [US]}, otherwise: move, purge: true}
  - {id: look, access: {country: [US], purposes: [analytics]}, otherwise: deny}
  - {id: told, report: {what: certificate, to: [the authority], every: month}, otherwise: notify}
"""
OTHERS = """\
mandate: ads
title: No profiling
status: in_force
effective: 2026-01-01
protects: {}
clauses:
  - {id: profiling, use: {forbid: [marketing.advertising.profiling]}, otherwise: stop}
  - {id: nobody, use: {forbid: [marketing.communications.sms]}, otherwise: stop}
---
mandate: ban
title: The app leaves our phones
status: in_force
effective: 2023-02-23
protects: {}
clauses:
  - {id: remove, install: {apps: [com.zhiliaoapp.musically], by: 2023-03-15}, otherwise: block}
---
mandate: later
title: A bill
status: proposed
effective: 2026-01-01
deadline: 2027-01-01
protects: {residence: [NL]}
clauses:
  - {id: rest, store: {country: [NL]}, otherwise: move}
"""
PHONES = """\
id,owner,platform,ownership,scope,seen,app
p1,ann,android,corporate,all,{now},com.zhiliaoapp.musically
p2,ben,ios,corporate,all,{now},com.example.notes
p3,cis,ios,corporate,managed,{now},com.example.notes
"""


def write_world(folder: Path, estate: str = ESTATE, home: str = HOME) -> Path:
    """Both stores, the mandates and the estate's file in `folder`; the file."""
    for store, rows in (("abroad", ROWS), ("home", "")):
        with closing(sqlite3.connect(folder / f"{store}.db")) as connection:
            connection.executescript(SCHEMA + rows)
    mandates = folder / "mandates"
    mandates.mkdir()
    for text in (home, *OTHERS.split("---\n")):
        name = text.partition("\n")[0].removeprefix("mandate: ")
        (mandates / f"{name}.yaml").write_text(text, encoding="utf-8")
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    (folder / "phones.csv").write_text(PHONES.format(now=now), encoding="utf-8")
    file = folder / "estate.yaml"
    file.write_text(estate, encoding="utf-8")
    return file
