"""Bad declarations: exit 2 before any store is changed, the file and the key named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e import support
from tests.e2e.bad.world import BODY, World, check, sqlite_world

US = "mandates/us.yaml"


@dataclass(frozen=True)
class Case:
    """One edit of good declarations, and the words that the error must have."""

    name: str
    edit: Callable[[World], None]
    words: tuple[str, ...]
    code: int = 2


def swap(old: str, new: str, file: str = "estate.yaml") -> Callable[[World], None]:
    return lambda world: world.edit(old, new, file)


def body(text: str) -> Callable[[World], None]:
    return lambda world: world.edit(BODY, text)


def add(text: str) -> Callable[[World], None]:
    return lambda world: world.edit(BODY, BODY + text)


def write(data: bytes, file: str = "estate.yaml") -> Callable[[World], None]:
    def put(world: World) -> None:
        (world.estate.folder / file).write_bytes(data)

    return put


def subject(register: str, key: str = "id", residence: str = "country") -> Callable[[World], None]:
    return body(
        f"subjects:\n  person: {{register: {register}, key: {key}, residence: {residence}}}\n"
    )


CASES = [
    Case("an unknown key", swap("controller:", "controler:"), ("estate.yaml:2", "controler")),
    Case("an unknown key of a store", swap("operator: Oracle", "oprator: Oracle"),
         ("estate.yaml:5", "oprator")),
    Case("an unknown country", swap("country: US", "country: Ruritania"),
         ("estate.yaml:5", "Ruritania", "country")),
    Case("an unknown URL scheme", swap("sqlite://", "mongodb://"), ("mongodb", "sqlite")),
    Case("an environment variable not set", swap("sqlite://", "sqlite://${DOM_NOT_SET}"),
         ("DOM_NOT_SET", "export DOM_NOT_SET=")),
    Case("an empty estate", write(b""), ("estate.yaml", "empty", "domicile init")),
    Case("a binary estate", write(b"\x00\xff\xfe\x01"), ("estate.yaml",)),
    Case("an estate that is a list", write(b"- 1\n- 2\n"), ("estate.yaml",)),
    Case("broken YAML", write(b"estate: [a\nstores: {"), ("estate.yaml:",)),
    Case("a key said twice", add("estate: again\n"), ("estate.yaml:", "estate")),
    Case("a register that is not there", subject("app.persn"), ("app.persn", "app.person")),
    Case("a view as register", subject("app.people"), ("app.people", "a view is no table")),
    Case("a table without a key as register", subject("app.loose", "word", "word"),
         ("app.loose", "key")),
    Case("half of a composite key", subject("app.pair", "a"), ("app.pair", "key")),
    Case("a key that is no column", subject("app.person", "idd"), ("idd", "app.person")),
    Case("a path over no key", subject("app.person", "id", "email.country"),
         ("email", "not a foreign key")),
    Case("a path to no column", subject("app.person", "id", "land"), ("land", "country")),
    Case("a role that there is not", add("tables:\n  app.note: {role: owner}\n"),
         ("estate.yaml:", "owner")),
    Case("a role of no table", add("tables:\n  app.nota: {role: attachment}\n"),
         ("app.nota", "app.note")),
    Case("a role of another schema", add("tables:\n  apq.note: {role: attachment}\n"),
         ("apq",)),
    Case("joint without an author", add("tables:\n  app.note: {joint: author}\n"), ("author",)),
    Case("an author that leads nowhere",
         add("tables:\n  app.note: {joint: author, author: body}\n"), ("body", "person_id")),
    Case("a category that there is not",
         add("columns:\n  app.note.body: {category: user.contat}\n"), ("user.contat",)),
    Case("a category of no column",
         add("columns:\n  app.note.boddy: {category: user.content}\n"), ("boddy",)),
    Case("a link from no column", add("links:\n  - {from: app.note.owner, to: person}\n"),
         ("owner",)),
    Case("a link to nobody", add("links:\n  - {from: app.note.body, to: persons}\n"),
         ("persons", "person")),
    Case("no mandate file", swap("estate: recorded\n", "estate: recorded\nmandates: [none.yaml]\n"),
         ("none.yaml",)),
    Case("a mandate without clauses",
         swap("clauses:\n  - {id: rest, store: {country: [US], operator: [Oracle]},"
              " otherwise: move, purge: true}\n", "", US), ("us.yaml", "clauses")),
    Case("a mandate of an unknown kind of clause",
         swap("{id: rest, store:", "{id: rest, stor:", US), ("us.yaml:", "stor")),
    Case("a mandate with an unknown country", swap("country: [US]", "country: [UX]", US),
         ("us.yaml:", "UX")),
    Case("a mandate with an unknown category", swap("[user]", "[users]", US),
         ("us.yaml:", "users")),
    Case("a mandate with no such date", swap("2025-09-25\n", "2025-02-30\n", US), ("us.yaml:",)),
    Case("a name like SQL for a store", swap("  home:", """  "home'; DROP TABLE person; --":"""),
         ("estate.yaml:5",)),
    Case("a name like SQL for a mandate",
         swap("mandate: us-trusted-custodian", """mandate: "x'; DROP TABLE person; --\"""", US),
         ("us.yaml:1",)),
    Case("a name like SQL for a table", subject("""'app."person""; DROP TABLE note; --"'"""),
         ("DROP TABLE note", "no table")),
    Case("a name like SQL for a column",
         subject("app.person", """['id"; DROP TABLE note; --']"""), ("no column",)),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_a_bad_declaration(case: Case, tmp_path: Path) -> None:
    world = sqlite_world(tmp_path)
    case.edit(world)
    world.refuses("plan", case.code, *case.words)


def test_no_estate_at_all(tmp_path: Path) -> None:
    ran = support.run("plan", "--json", "--estate", str(tmp_path / "estate.yaml"))
    check(ran, 2, "estate.yaml", "domicile init")


def test_two_stores_that_are_one_database(tmp_path: Path) -> None:
    world = sqlite_world(tmp_path)
    world.edit("home.db", "abroad.db")
    world.refuses("plan", 2, "abroad", "home", "same")


def test_two_ways_to_a_country(tmp_path: Path) -> None:
    """Two keys to the same table: the hop is a column's name, and a table's name is asked about."""
    world = sqlite_world(tmp_path)
    for end in ("abroad", "home"):
        world.sql(
            end,
            "CREATE TABLE land (id integer PRIMARY KEY, country text)",
            "CREATE TABLE buyer (id integer PRIMARY KEY, bill integer REFERENCES land,"
            " ship integer REFERENCES land)",
        )
    subject("app.buyer", residence="land.country")(world)
    world.refuses("plan", 2, "land", "bill", "ship")
