"""A small estate under a deadline, for tests of the watch.

Run as a program it ends a round at each of its lines in turn, as a kill would: for each line a
world of its own, a process that is ended there, and one that goes on.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from datetime import date
from pathlib import Path

from domicile.estate.load import load_estate
from domicile.law.load import load_mandates
from domicile.watch.approve import approve
from domicile.watch.notices import channels
from domicile.watch.run import watch_once

DEADLINE = date(2026, 9, 1)
KILLED = 137

SCHEMA = """
CREATE TABLE person (id INTEGER PRIMARY KEY, email TEXT NOT NULL, country TEXT, born TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, person_id INTEGER NOT NULL REFERENCES person);
"""
ROWS = """
INSERT INTO person VALUES (1, 'amy@example.org', 'US', '1990-01-01');
INSERT INTO person VALUES (2, 'bea@example.org', 'NL', '2010-09-15');
INSERT INTO orders VALUES (1, 1), (2, 1), (3, 2);
"""
ESTATE = """\
estate: shop
stores:
  abroad: {url: "sqlite:abroad.db", country: SG, operator: Shop Ltd, holds: app}
  home: {url: "sqlite:home.db", country: US, operator: Trust Inc, holds: app}
subjects: {person: {register: app.person, key: id, residence: country, born: born}}
watch: {to: [privacy@shop.example]}
devices: {mail: {server: "smtp://127.0.0.1:%d", from: domicile@shop.example}}
"""
MANDATE = """\
mandate: home
title: Data of US people come home
status: voluntary
effective: 2026-01-01
deadline: 2026-09-01
protects: {residence: [US]}
clauses:
  - {id: rest, store: {country: [US]}, otherwise: move}
  - {id: look, access: {country: [US]}, otherwise: deny}
"""


def make_world(folder: Path, port: int, name: str = "shop") -> Path:
    """The estate's file: two people abroad, one of whom is to be at home by the deadline."""
    for store, rows in (("abroad", ROWS), ("home", "")):
        with closing(sqlite3.connect(folder / f"{store}.db")) as connection:
            connection.executescript(SCHEMA + rows)
    (folder / "mandates").mkdir()
    (folder / "mandates" / "home.yaml").write_text(MANDATE, encoding="utf-8")
    estate = folder / "estate.yaml"
    estate.write_text((ESTATE % port).replace("shop\n", f"{name}\n", 1), encoding="utf-8")
    return estate


def one_round(estate: Path, day: date, line: int) -> int:
    """One round in a process of its own, ended at that line (counted from 1; 0: not ended)."""
    left = line

    def at(_word: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os._exit(KILLED)

    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            watch_once(estate, day, channels(load_estate(estate)), at=at)
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main(folder: str, day: str, port: str) -> None:
    """A world for each line; prints the codes of both processes, a line of the round a line."""
    for line in range(2, 100):  # before the second nothing is written
        here = Path(folder) / str(line)
        here.mkdir()
        estate = make_world(here, int(port), f"shop{line}")
        until = date(2027, 1, 1)
        declared = load_estate(estate)
        approve(estate, declared, load_mandates(declared, (), until), "home/rest", 50, until)
        killed = one_round(estate, date.fromisoformat(day), line)
        print(killed, one_round(estate, date.fromisoformat(day), 0), flush=True)
        if killed != KILLED:
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
