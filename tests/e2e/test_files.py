"""Two PostgreSQL databases and two folders: photos go home with their rows, while others write."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.conftest import MakeDatabase
from tests.e2e.support import Estate, checks, run
from tests.servers import TestServer

SCHEMA = """
CREATE TABLE country (code text PRIMARY KEY);
CREATE TABLE member (id uuid PRIMARY KEY, email text NOT NULL UNIQUE,
  country text NOT NULL REFERENCES country, profile jsonb);
CREATE TABLE "Photo" (
  album int NOT NULL, nr int NOT NULL, "file name" text NOT NULL,
  member_id uuid NOT NULL REFERENCES member ON DELETE CASCADE, PRIMARY KEY (album, nr));
CREATE TABLE liked (member_id uuid NOT NULL REFERENCES member, album int NOT NULL, nr int NOT NULL,
  FOREIGN KEY (album, nr) REFERENCES "Photo");
"""
BODY = """\
  photos: {url: "file:photos", country: SG, operator: Video Store Ltd, holds: photos}
  photos_us: {url: "file:photos_us", country: US, operator: Oracle, holds: photos}
subjects:
  member: {register: app.member, key: id, residence: country}
tables:
  app.country: {role: reference}
  app.liked: {joint: author, author: member_id}
objects:
  - {store: photos, key: 'albums/{app."Photo".album}/{app."Photo"."file name"}'}
  - {store: photos, key: 'faces/{app.member.profile->face}.png'}
"""
ADD = 'INSERT INTO "Photo" VALUES ($1, 1, $2, $3)'
PEOPLE = 12
ALBUMS = 40


@dataclass
class Shop:
    """The estate, its databases, and who lives where."""

    estate: Estate
    abroad: str
    home: str
    people: dict[uuid.UUID, str]

    def files(self, name: str) -> dict[str, str]:
        root = self.estate.folder / name
        return {
            str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(root.rglob("*"))
            if p.is_file()
        }

    def rows(self, url: str) -> dict[str, uuid.UUID]:
        """Path of each photo with the member whose it is."""
        found = sql(url, [('SELECT album, "file name", member_id FROM "Photo"', ())])
        return {f"albums/{album}/{name}": member for album, name, member in found}


def sql(url: str, statements: list[tuple[str, tuple[Any, ...]]]) -> list[Any]:
    """Run statements in one transaction; the rows of the last."""

    async def work() -> list[Any]:
        connection = await asyncpg.connect(url)
        try:
            rows: list[Any] = []
            async with connection.transaction():
                for statement, values in statements:
                    rows = await connection.fetch(statement, *values)
            return rows
        finally:
            await connection.close()

    return asyncio.run(work())


def fill(shop: Shop) -> None:
    """Every photo and its row; each member has a face."""
    statements: list[tuple[str, tuple[Any, ...]]] = []
    members = list(shop.people)
    for at, (member, country) in enumerate(shop.people.items()):
        values = (member, f"p{at}@example.org", country, json.dumps({"face": f"{member}"}))
        statements.append(("INSERT INTO member VALUES ($1, $2, $3, $4::jsonb)", values))
        put(shop, f"faces/{member}.png", f"face {at}")
    for album in range(ALBUMS):
        name = f"été {album}.jpg"
        put(shop, f"albums/{album}/{name}", f"photo {album}")
        owner, other = members[album % PEOPLE], members[(album + 1) % PEOPLE]
        statements.append((ADD, (album, name, owner)))
        statements.append(("INSERT INTO liked VALUES ($1, $2, 1)", (other, album)))
    sql(shop.abroad, statements)


def put(shop: Shop, path: str, text: str) -> None:
    file = shop.estate.folder / "photos" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.fixture
def shop(tmp_path: Path, pg15: TestServer, database: MakeDatabase) -> Shop:
    urls = [database(pg15, name) for name in ("files_abroad", "files_home")]
    for url in urls:
        statements = [*SCHEMA.split(";\n"), "INSERT INTO country VALUES ('US'), ('NL')"]
        sql(url, [(statement, ()) for statement in statements if statement.strip()])
    estate = Estate(tmp_path / "estate", urls[0], urls[1], BODY)
    (estate.folder / "photos").mkdir()
    (estate.folder / "photos_us").mkdir()
    people = {uuid.UUID(int=n + 1): ("US", "NL", "US")[n % 3] for n in range(PEOPLE)}
    made = Shop(estate, urls[0], urls[1], people)
    fill(made)
    return made


def test_photos_go_home_with_their_rows_and_nothing_else_does(shop: Shop) -> None:
    before = shop.files("photos")
    rows = shop.rows(shop.abroad)
    plan = shop.estate.plan()
    ours = {f"faces/{m}.png" for m, country in shop.people.items() if country == "US"}
    ours |= {path for path, member in rows.items() if shop.people[member] == "US"}
    carried = [s for s in plan["steps"] if s["op"] == "move_files"]
    assert {(s["from"], s["to"]) for s in carried} == {("photos", "photos_us")}
    assert sum(s["rows"] for s in carried) == len(ours)
    shop.estate.apply()
    assert shop.files("photos_us") == {p: d for p, d in before.items() if p in ours}
    assert shop.files("photos") == {p: d for p, d in before.items() if p not in ours}
    there = {p for p in shop.rows(shop.home) if "/stub-" not in p}  # of photos that they like
    assert there == {p for p in ours if p.startswith("albums/")}
    verified = shop.estate.verify()
    assert f"{len(ours)} files have the SHA-256" in checks(verified, "ok")["carried photos_us"]
    assert checks(verified, "failed") == {}
    assert shop.estate.plan()["steps"] == []
    # Names of files, here of people, are in no entry of the log.
    assert all(str(member).encode() not in shop.estate.evidence() for member in shop.people)
    assert "été".encode() not in shop.estate.evidence()


@contextmanager
def writing(shop: Shop) -> Iterator[list[str]]:
    """An application that adds photos of a US member, each file before its row."""
    stop = threading.Event()
    acknowledged: list[str] = []
    owner = next(m for m, country in shop.people.items() if country == "US")

    async def work() -> None:
        connection = await asyncpg.connect(shop.abroad)
        try:
            for album in range(1000, 1150):
                known = "SELECT 1 FROM member WHERE id = $1 AND email IS NOT NULL"
                if stop.is_set() or not await connection.fetchval(known, owner):
                    return  # the person lives elsewhere now
                put(shop, f"albums/{album}/new.jpg", f"new {album}")
                await connection.execute(ADD, album, "new.jpg", owner)
                acknowledged.append(f"albums/{album}/new.jpg")
                await asyncio.sleep(0.02)
        except asyncpg.ForeignKeyViolationError:
            return
        finally:
            await connection.close()

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    try:
        yield acknowledged
    finally:
        stop.set()
        thread.join()


def test_what_is_added_meanwhile_goes_home_too(shop: Shop) -> None:
    shop.estate.plan()
    with writing(shop) as acknowledged:
        for _ in range(5):
            ran = run(
                "apply",
                str(shop.estate.folder / "plan.json"),
                "--yes",
                "--estate",
                str(shop.estate.file),
            ).code
            assert ran in (0, 5)
            if ran == 0:
                break
    shop.estate.plan("again.json")
    shop.estate.apply("again.json")
    home, abroad = shop.files("photos_us"), shop.files("photos")
    for path in acknowledged:
        assert path in home
        assert path not in abroad
        assert path in shop.rows(shop.home)
    assert checks(shop.estate.verify(), "failed") == {}
