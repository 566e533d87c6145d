"""What the end-to-end tests share: an estate in a folder, the command line, plain SQL beside it.

Nothing here uses the survey or the plan: what a database holds is read with psql or `sqlite3`, so
that what Domicile says is judged by something that is not Domicile.
"""

from __future__ import annotations

import io
import json
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domicile.cli.main import main
from tests.servers import TestServer

Rows = Counter[str]
Contents = dict[str, Rows]

MANDATE = """\
mandate: us-trusted-custodian
title: Sensitive data of US users rest in a US cloud run by a trusted US company
issuer: President of the United States
citation: Executive Order 14352, 25 September 2025
status: in_force
effective: 2025-09-25
protects: {residence: [US], unknown_residence: report, categories: [user]}
clauses:
  - {id: rest, store: {country: [US], operator: [Oracle]}, otherwise: move, purge: true}
"""


@dataclass(frozen=True)
class Ran:
    """What one command gave back."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one document of `--json`."""
        loaded = json.loads(self.out)
        assert isinstance(loaded, dict)
        return loaded


class Estate:
    """An estate of two cells, `abroad` in Singapore and `home` in the United States."""

    def __init__(self, folder: Path, abroad: str, home: str, body: str, *, home_more: str = ""):
        self.folder = folder
        self.file = folder / "estate.yaml"
        (folder / "mandates").mkdir(parents=True)
        (folder / "mandates" / "us.yaml").write_text(MANDATE)
        self.file.write_text(
            "estate: recorded\n"
            "controller: {name: Video Store Ltd, country: SG}\n"
            "stores:\n"
            f'  abroad: {{url: "{abroad}", country: SG, operator: Video Store Ltd, holds: app}}\n'
            f'  home: {{url: "{home}", country: US, operator: Oracle, holds: app{home_more}}}\n'
            + body
        )

    def run(self, command: str, *arguments: str, code: int = 0) -> Ran:
        """Run one command of `domicile` on this estate; its exit code must be `code`."""
        ran = run(command, "--estate", str(self.file), *arguments)
        assert ran.code == code, f"exit {ran.code}, expected {code}\n{ran.out}\n{ran.err}"
        return ran

    def plan(self, name: str = "plan.json", *arguments: str) -> dict[str, Any]:
        """Plan into a file of the estate's folder; the document."""
        return self.run("plan", "--json", "-o", str(self.folder / name), *arguments).document

    def apply(self, name: str = "plan.json", *arguments: str, code: int = 0) -> Ran:
        """Apply a plan of the estate's folder."""
        return self.run("apply", str(self.folder / name), "--yes", *arguments, code=code)

    def verify(self, *, code: int = 0) -> dict[str, Any]:
        """The document of verify."""
        return self.run("verify", "--json", code=code).document

    def log(self) -> dict[str, Any]:
        """The document of `log fsck`, which must find the log in order."""
        return self.run_log("fsck").document

    def run_log(self, command: str, *, code: int = 0) -> Ran:
        """`domicile log COMMAND --json` on this estate's log."""
        ran = run("log", command, "--estate", str(self.file), "--json")
        assert ran.code == code, ran.err
        return ran

    def evidence(self) -> bytes:
        """All bytes of the evidence log, without its keys."""
        files = sorted(p for p in (self.folder / ".domicile").rglob("*") if p.is_file())
        return b"\n".join(p.read_bytes() for p in files if "evidence" in p.parts)


def run(*arguments: str) -> Ran:
    """The command line in this process: the same entry that the program has."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(arguments)
    return Ran(code, out.getvalue(), err.getvalue())


def checks(document: dict[str, Any], status: str) -> dict[str, str]:
    """Of a verification: the details of checks with one status, by name."""
    return {c["name"]: c["detail"] for c in document["checks"] if c["status"] == status}


# PostgreSQL, read with psql and pg_dump.


def name_of(url: str) -> str:
    """The database of a URL."""
    return url.rsplit("/", 1)[1]


def rows_of(server: TestServer, url: str, schema: str = "public") -> Contents:
    """Every row of every table as the text of all its columns."""
    database = name_of(url)
    tables = server.sql(
        database,
        "SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' "
        f"AND c.relnamespace = '{schema}'::regnamespace ORDER BY 1",
    ).splitlines()
    if not tables:
        return {}
    names = [t.replace('"', '""') for t in tables]
    query = " UNION ALL ".join(
        f"SELECT '{number}|' || translate(t::text, E'\\n\\r', '  ') FROM {schema}.\"{name}\" t"
        for number, name in enumerate(names)
    )
    contents: Contents = {t: Counter() for t in tables}
    for line in server.sql(database, query).splitlines():
        number, _, row = line.partition("|")
        contents[tables[int(number)]][row] += 1
    return contents


def picked(server: TestServer, url: str, table: str, where: str) -> Rows:
    """The rows (alias `t`) of one table that a condition picks, as in `rows_of`."""
    found = server.sql(
        name_of(url),
        f"SELECT translate(t::text, E'\\n\\r', '  ') FROM {table} t WHERE {where}",
    )
    return Counter(found.splitlines())


def schema_of(server: TestServer, url: str) -> list[str]:
    """Every object of the schema `public` as pg_dump writes it, in an order of its own."""
    said = _dump(server, url, "--schema-only", "--schema=public").splitlines()
    kept = [line for line in said if not line.startswith(("SET ", "\\", "-- Dumped"))]
    return sorted(part.strip() for part in "\n".join(kept).split("\n--\n"))


def assert_whole(server: TestServer, url: str) -> None:
    """Every constraint of a database holds: its dump is restored into a new one, keys last."""
    database = name_of(url)
    dump = _dump(server, url)
    copy = f"{database}_whole"
    server.create_database(copy)
    try:
        server.psql(copy, "--set=ON_ERROR_STOP=1", "--output=/dev/null", stdin=dump)
    finally:
        server.drop_database(copy)


def _dump(server: TestServer, url: str, *options: str) -> str:
    return subprocess.run(
        [str(server.bin_dir / "pg_dump"), "--no-owner", *options, f"--dbname={url}"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip


def files_with(server: TestServer, url: str, needles: set[str]) -> list[str]:
    """The needles that occur in the live files of a database, after a checkpoint."""
    server.sql("postgres", "CHECKPOINT")
    oid = server.sql("postgres", f"SELECT oid FROM pg_database WHERE datname = '{name_of(url)}'")
    found: set[str] = set()
    for path in (server.data / "base" / oid).iterdir():
        with suppress(FileNotFoundError):  # the server makes pg_internal.init anew now and then
            data = path.read_bytes()
            found.update(n for n in needles if n.encode() in data)
    return sorted(found)


# SQLite, read with the standard library.


@contextmanager
def sqlite(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that enforces keys, committed at the end."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        with connection:
            yield connection


def sqlite_rows(path: Path) -> Contents:
    """Every row of every table, its values with their types."""
    with sqlite(path) as connection:
        tables = connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        return {
            t: Counter(repr(r) for r in connection.execute(f'SELECT * FROM "{t}"'))
            for (t,) in tables
        }


def sqlite_schema(path: Path) -> list[tuple[str, str, str]]:
    """Every object of the file: name, kind, SQL."""
    with sqlite(path) as connection:
        return sorted(
            (str(n), str(k), str(q or ""))
            for n, k, q in connection.execute("SELECT name, type, sql FROM sqlite_schema")
        )
