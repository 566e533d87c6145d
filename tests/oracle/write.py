"""A world as a user has it: two stores, estate.yaml and a mandate; and read back again.

SQLite is reached through the standard library here, not through the engine's driver.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import yaml

from domicile.estate.model import ColumnName, Link, TableRole
from domicile.stores.schema import Schema
from tests.oracle.model import Row, Rows, Value, World

SOURCE_FILE, HOME_FILE = "abroad.db", "texas.db"
AUDIT = "audit log"  # what triggers write to, were they to fire
FILE_SUFFIXES = ["", "-wal", "-journal"]


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def listed(names: tuple[str, ...]) -> str:
    """Names as a list of SQL identifiers."""
    return ", ".join(quoted(n) for n in names)


def ddl(schema: Schema) -> str:
    """The statements that make an empty SQLite database of this schema."""
    statements = []
    for table in schema.tables.values():
        parts = [
            f"{quoted(c.name)} {c.type}{'' if c.nullable else ' NOT NULL'}" for c in table.columns
        ]
        parts += [
            f"{'PRIMARY KEY' if key.primary else 'UNIQUE'} ({listed(key.columns)})"
            for key in table.keys
        ]
        parts += [
            f"FOREIGN KEY ({listed(foreign.columns)}) REFERENCES {quoted(foreign.parent)}"
            f" ({listed(foreign.parent_columns)}) ON DELETE {foreign.on_delete.upper()}"
            for foreign in table.foreign_keys
        ]
        statements.append(f"CREATE TABLE {quoted(table.name)} (\n  " + ",\n  ".join(parts) + "\n)")
    return ";\n".join(statements) + ";\n"


def trigger_ddl(schema: Schema) -> str:
    """A trigger on every change of every table, and the table that they write to."""
    statements = [f"CREATE TABLE {quoted(AUDIT)} (id INTEGER PRIMARY KEY, what TEXT);"]
    statements += [
        f"CREATE TRIGGER tr{number}{event} AFTER {event} ON {quoted(name)} BEGIN"
        f" INSERT INTO {quoted(AUDIT)} (what) VALUES ('{event}'); END;"
        for number, name in enumerate(schema.tables)
        for event in ("INSERT", "UPDATE", "DELETE")
    ]
    return "\n".join(statements)


@contextmanager
def opened(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection that is committed and really closed."""
    connection = sqlite3.connect(file)
    try:
        yield connection
        connection.commit()
    finally:
        connection.close()


class Ends(Protocol):
    """Two stores of one kind, source and home: written, and looked at without the engine."""

    def urls(self) -> tuple[str, str]:
        """The URLs of source and home, as the estate has them."""
        ...

    def write(self, world: World, *, triggers: bool) -> None:
        """Both stores with the schema and their rows; their triggers have not fired."""
        ...

    def rows(self, world: World) -> tuple[Rows, Rows]:
        """All rows of the application's tables, at the source and at home."""
        ...

    def catalogue(self) -> list[object]:
        """Everything that both catalogues say about the application's schema."""
        ...

    def broken(self) -> list[object]:
        """Keys that lead nowhere, as the stores themselves find them."""
        ...

    def audited(self) -> int:
        """How often a trigger of the application fired, at both ends."""
        ...

    def source_bytes(self) -> bytes:
        """Everything in the source's live files."""
        ...


class SqliteEnds:
    """Two SQLite files in a directory."""

    def __init__(self, directory: Path) -> None:
        self.files = (directory / SOURCE_FILE, directory / HOME_FILE)

    def urls(self) -> tuple[str, str]:
        """Relative to the estate's file."""
        return (f"sqlite:{SOURCE_FILE}", f"sqlite:{HOME_FILE}")

    def write(self, world: World, *, triggers: bool) -> None:
        """Both files, new."""
        for file, rows in zip(self.files, (world.source, world.home), strict=True):
            with opened(file) as connection:
                connection.executescript(ddl(world.schema))
                for name, table in world.schema.tables.items():
                    places = ", ".join("?" for _ in table.names)
                    connection.executemany(
                        f"INSERT INTO {quoted(name)} ({listed(table.names)}) VALUES ({places})",
                        [[row[c] for c in table.names] for row in rows.get(name, [])],
                    )
                if triggers:
                    connection.executescript(trigger_ddl(world.schema))
        assert not self.broken(), "the generator made rows whose keys are not whole"

    def insert(self, table: str, row: Row) -> bool:
        """Write a row at the source as the application does; false when a key refuses it."""
        columns = tuple(row)
        with opened(self.files[0]) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            places = ", ".join("?" for _ in columns)
            try:
                connection.execute(
                    f"INSERT INTO {quoted(table)} ({listed(columns)}) VALUES ({places})",
                    [row[c] for c in columns],
                )
            except sqlite3.IntegrityError:
                return False
        return True

    def rows(self, world: World) -> tuple[Rows, Rows]:
        """The rows of both files."""
        return (_read(self.files[0], world), _read(self.files[1], world))

    def catalogue(self) -> list[object]:
        """What `sqlite_master` says, apart from where it lies in the file."""
        found: list[object] = []
        for file in self.files:
            with opened(file) as connection:
                query = "SELECT type, name, tbl_name, sql FROM sqlite_master"
                found.append(sorted(connection.execute(query).fetchall(), key=str))
        return found

    def broken(self) -> list[object]:
        """By `PRAGMA foreign_key_check`."""
        found: list[object] = []
        for file in self.files:
            with opened(file) as connection:
                found += connection.execute("PRAGMA foreign_key_check").fetchall()
        return found

    def audited(self) -> int:
        """The rows of the audit tables."""
        return sum(_audited(file) for file in self.files)

    def source_bytes(self) -> bytes:
        """The file and its journals."""
        file = self.files[0]
        parts = [file.with_name(file.name + suffix) for suffix in FILE_SUFFIXES]
        return b"".join(part.read_bytes() for part in parts if part.exists())


def _read(file: Path, world: World) -> Rows:
    with opened(file) as connection:
        connection.row_factory = sqlite3.Row
        return {
            name: [
                dict(row)
                for row in connection.execute(
                    f"SELECT {listed(table.names)} FROM {quoted(name)}"
                ).fetchall()
            ]
            for name, table in world.schema.tables.items()
        }


def _audited(file: Path) -> int:
    with opened(file) as connection:
        names = [n for (n,) in connection.execute("SELECT name FROM sqlite_master")]
        if AUDIT not in names:
            return 0
        return int(connection.execute(f"SELECT count(*) FROM {quoted(AUDIT)}").fetchone()[0])


def markers(rows: list[Row]) -> list[bytes]:
    """The texts in these rows that stand nowhere else."""
    texts: list[Value] = [v for row in rows for v in row.values()]
    return [t.encode() for t in texts if isinstance(t, str) and t.startswith("mark-")]


def _role(role: TableRole) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if role.role:
        said["role"] = role.role
    if role.of:
        said["of"] = [str(c) for c in role.of]
    if role.joint != "hold":
        said["joint"] = role.joint
    if role.keep:
        said["keep"] = list(role.keep)
    if role.author is not None:
        said["author"] = str(role.author)
    if role.keep:
        said["keep"] = list(role.keep)
    return said


def estate_yaml(world: World) -> str:
    """The declared estate."""
    estate = world.estate
    subjects: dict[str, Any] = {}
    for subject in estate.subjects:
        said: dict[str, Any] = {"register": str(subject.register), "key": list(subject.key)}
        if subject.residence is not None:
            said["residence"] = str(subject.residence)
        subjects[subject.name] = said
    document: dict[str, Any] = {
        "estate": estate.name,
        "controller": {"name": "Video Store Ltd", "country": "SG"},
        "stores": {
            s.name: {"url": s.url, "country": s.country, "operator": s.operator, "holds": s.holds}
            for s in estate.stores
        },
        "subjects": subjects,
    }
    if estate.links:
        document["links"] = [_link(link) for link in estate.links]
    if estate.tables:
        document["tables"] = {str(t): _role(r) for t, r in estate.tables.items()}
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def _link(link: Link) -> dict[str, object]:
    table = link.source.table
    sources = [str(ColumnName(table, c)) for c in link.columns]
    written: dict[str, object] = {"from": sources if link.more else sources[0]}
    if link.target is None:
        written["to"] = link.subject
    else:
        to = (link.target.column, *link.more_to)
        targets = [str(ColumnName(link.target.table, c)) for c in to]
        written["to"] = targets if link.more else targets[0]
    if link.where:
        written["where"] = {c: list(texts) for c, texts in link.where}
    return written


def mandate_yaml(world: World) -> str:
    """The mandate: the protected rest in the US with Oracle, or nowhere."""
    operator = "Oracle" if world.home_allowed else "Nobody Inc"
    return yaml.safe_dump(
        {
            "mandate": "home",
            "title": "Protected people's data rest at home",
            "issuer": "A test",
            "citation": "tests/oracle",
            "status": "in_force",
            "effective": "2020-01-01",
            "protects": {
                "residence": sorted(world.protected),
                "unknown_residence": world.unknown_residence,
                "categories": ["user"],
            },
            "clauses": [
                {
                    "id": "rest",
                    "store": {"country": ["US"], "operator": [operator]},
                    "otherwise": "move",
                    "purge": True,
                }
            ],
        },
        sort_keys=False,
    )


def write_world(directory: Path, world: World, ends: Ends, *, triggers: bool = False) -> Path:
    """Both stores, the estate and the mandate in a directory; gives the estate's file."""
    ends.write(world, triggers=triggers)
    stores = tuple(
        replace(store, url=url) for store, url in zip(world.estate.stores, ends.urls(), strict=True)
    )
    placed = replace(world, estate=replace(world.estate, stores=stores))
    estate = directory / "estate.yaml"
    estate.write_text(estate_yaml(placed), encoding="utf-8")
    mandates = directory / "mandates"
    mandates.mkdir()
    (mandates / "home.yaml").write_text(mandate_yaml(world), encoding="utf-8")
    return estate
