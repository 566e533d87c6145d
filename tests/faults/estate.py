"""The estate of the fault tests: declarations, rows, and how its contents are read and compared."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg

HERE = Path(__file__).parent
SQLITE = "sqlite://"

KEYS: dict[str, tuple[str, ...]] = {
    "country": ("code",),
    "address": ("address_id",),
    "account": ("account_id",),
    "family": ("parent_id", "child_id"),
    "playlist": ("playlist_id",),
    "track": ("playlist_id", "place"),
    "mood": ("mood_id",),
    "video": ("video_id",),
    "comment": ("comment_id",),
    "message": ("message_id",),
    "watch": (),
    "journal": (),
}
"""Tables, parents first, with their keys; `audit` is the triggers' and nobody's."""

ESTATE = """
estate: faults
stores:
  abroad: {url: "${FAULTS_SOURCE}", country: SG, operator: Clips Ltd, holds: app}
  home:   {url: "${FAULTS_HOME}", country: US, operator: Custodian Inc, holds: app}
subjects:
  account:
    register: app.account
    key: account_id
    residence: address_id.code
    born: born
tables:
  app.address: {role: attachment}
  app.country: {role: reference}
  app.comment: {joint: author, author: account_id}
  app.message: {joint: split, author: from_id, keep: [body]}
  app.family: {joint: author, author: child_id}
  app.audit: {role: ignore}
"""

MANDATE = """
mandate: us-home
title: Data of US residents rest in the US
issuer: The tests
citation: none
status: in_force
effective: 2025-01-01
protects: {residence: [US], categories: [user]}
clauses:
  - {id: rest, store: {country: [US]}, otherwise: move, purge: PURGE}
"""

Row = tuple[str | None, ...]
Contents = dict[str, list[Row]]
"""Table → its rows as texts, sorted."""


def declare(directory: Path, *, purge: bool) -> None:
    """Write the declarations; the URLs come from the environment, so all trials share a plan."""
    (directory / "mandates").mkdir(parents=True)
    (directory / "estate.yaml").write_text(ESTATE)
    (directory / "mandates" / "us-home.yaml").write_text(
        MANDATE.replace("PURGE", "true" if purge else "false")
    )


def rows(people: int, seed: int = 7) -> dict[str, list[tuple[Any, ...]]]:
    """Rows of the estate, the same for the same arguments; half of the people live in the US."""
    rng = random.Random(seed)
    who = range(1, people + 1)
    # Some addresses are shared by two people, perhaps of one household, perhaps not, whose
    # rows go in one batch or in two.
    lives = {n: n - 1 if n % 10 == 0 else n // 2 + 1 if n % 5 == 0 else n for n in who}
    codes = {n: rng.choice(["US", "NL", "US", "DE"]) for n in who}

    def anyone() -> int:
        return rng.randint(1, people)

    playlists = range(1, people + 1)
    tracks = [(p, i, f"song {p} {i}") for p in playlists for i in range(3)]
    comments = [
        (n, rng.randint(1, people), anyone(), rng.randint(1, n - 1) if n % 3 == 0 else None,
         f"words {n}")
        for n in range(1, 3 * people)
    ]  # fmt: skip
    said = random.Random(seed + 1)
    messages = [
        (n, said.randint(1, people), said.randint(1, people),
         said.randint(1, n - 1) if n % 4 == 0 else None, f"said {n}", n)
        for n in range(1, people + 1)
    ]  # fmt: skip
    families = {(anyone(), anyone()): None for _ in range(people // 2)}
    return {
        "country": [("US", "United States"), ("NL", "Netherlands"), ("DE", "Germany")],
        "address": [(n, f"{n} Street", codes[n]) for n in who],
        "account": [
            (n, f"p{n}@example.org", None, lives[n], rng.randint(1, n - 1) if n % 4 == 0 else None,
             0)
            for n in who
        ],
        "family": [f for f in families if f[0] != f[1]],
        "playlist": [(p, p, f"LIST {p}") for p in playlists],
        "track": tracks,
        "mood": [(n, p, i, "calm") for n, (p, i, _) in enumerate(tracks, 1) if n % 2],
        "video": [(n, anyone(), f"clip {n}", 0) for n in who],
        "comment": comments,
        "message": messages,
        "watch": [(anyone(), f"clip {n % 9}", n % 60, n % 12 + 1) for n in range(3 * people)],
        "journal": [(anyone(), "same") for _ in range(people)],
    }  # fmt: skip


COLUMNS = {
    "country": ("code", "name"),
    "address": ("address_id", "street", "code"),
    "account": ("account_id", "email", "born", "address_id", "invited_by", "touched"),
    "family": ("parent_id", "child_id"),
    "playlist": ("playlist_id", "account_id", "title"),
    "track": ("playlist_id", "place", "title"),
    "mood": ("mood_id", "playlist_id", "place", "word"),
    "video": ("video_id", "account_id", "title", "views"),
    "comment": ("comment_id", "video_id", "account_id", "reply_to", "body"),
    "message": ("message_id", "from_id", "to_id", "answers", "body", "place"),
    "watch": ("account_id", "clip", "seconds", "month"),
    "journal": ("account_id", "word"),
}


def fill(source: str, home: str, people: int) -> None:
    """Both databases with the schema, the rows abroad, the countries in both."""
    schema = (HERE / "schema.sql").read_text()

    async def one(url: str, here: dict[str, list[tuple[Any, ...]]]) -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(schema)
            await connection.execute("SET session_replication_role = replica")
            for table, lines in here.items():
                await connection.copy_records_to_table(table, records=lines, columns=COLUMNS[table])
            await connection.execute("SET session_replication_role = origin")
            await connection.execute("VACUUM ANALYZE")
        finally:
            await connection.close()

    made = rows(people)
    asyncio.run(one(source, made))
    asyncio.run(one(home, {"country": made["country"]}))


async def contents_of(connection: Any) -> Contents:
    """All rows of the application's tables."""
    found: Contents = {}
    for table in [*KEYS, "audit"]:
        lines = await connection.fetch(f"SELECT t::text FROM {table} t ORDER BY 1")
        found[table] = [tuple(line) for line in lines]
    return found


def fill_sqlite(source: Path, home: Path, people: int) -> None:
    """The same in two SQLite files."""
    schema = (HERE / "schema_sqlite.sql").read_text()
    made = rows(people)
    for file, here in ((source, made), (home, {"country": made["country"]})):
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.executescript(schema)
            for table, lines in here.items():
                places = ", ".join("?" for _ in COLUMNS[table])
                connection.executemany(
                    f"INSERT INTO {table} ({', '.join(COLUMNS[table])}) VALUES ({places})", lines
                )


def read_sqlite(file: str) -> Contents:
    """All rows of the file, in one snapshot."""
    found: Contents = {}
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("BEGIN")
        for table in [*KEYS, "audit"]:
            lines = connection.execute(f"SELECT * FROM {table}").fetchall()
            found[table] = sorted((str(line).replace(", ", ","),) for line in lines)
    return found


def read(url: str) -> Contents:
    """All rows of the database, in one snapshot."""
    if url.startswith(SQLITE):
        return read_sqlite(url.removeprefix(SQLITE))

    async def work() -> Contents:
        connection = await asyncpg.connect(url)
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                return await contents_of(connection)
        finally:
            await connection.close()

    return asyncio.run(work())


def broken_keys(url: str) -> list[str]:
    """The foreign keys that do not hold, each tried again as a new constraint."""
    if url.startswith(SQLITE):
        with closing(sqlite3.connect(url.removeprefix(SQLITE))) as connection:
            return [str(r) for r in connection.execute("PRAGMA foreign_key_check")]

    async def work() -> list[str]:
        connection = await asyncpg.connect(url)
        found = []
        try:
            for key in await connection.fetch(
                "SELECT conrelid::regclass::text AS child, conname, "
                "pg_get_constraintdef(oid) AS definition FROM pg_constraint "
                "WHERE contype = 'f' AND conparentid = 0 "
                "AND connamespace = 'public'::regnamespace"
            ):
                trial = connection.transaction()
                await trial.start()
                try:
                    await connection.execute(
                        f"ALTER TABLE {key['child']} ADD CONSTRAINT again {key['definition']}"
                    )
                except asyncpg.ForeignKeyViolationError:
                    found.append(f"{key['child']} {key['conname']}")
                finally:
                    await trial.rollback()
        finally:
            await connection.close()
        return found

    return asyncio.run(work())
