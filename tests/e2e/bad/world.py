"""A small estate for bad input: three people and their notes, in two cells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.conftest import MakeDatabase
from tests.e2e import support
from tests.e2e.support import Contents, Estate, Ran
from tests.servers import TestServer

BODY = """\
subjects:
  person: {register: app.person, key: id, residence: country}
"""

TABLES = """
CREATE TABLE person (id integer PRIMARY KEY, name varchar(40) NOT NULL, email text, country text);
CREATE TABLE note (
    id integer PRIMARY KEY, person_id integer NOT NULL REFERENCES person, body text);
CREATE TABLE loose (word text);
CREATE TABLE pair (a integer, b integer, country text, PRIMARY KEY (a, b));
CREATE VIEW people AS SELECT * FROM person;
"""
ROWS = """
INSERT INTO person VALUES (1, 'Ada Quill', 'ada@quill.example', 'US'),
    (2, 'Bo Ark', 'bo@ark.example', 'NL'), (3, 'Cy Dunn', 'cy@dunn.example', 'US');
INSERT INTO note VALUES (1, 1, 'first'), (2, 2, 'second'), (3, 3, 'third');
"""
SECRETS = ("Ada Quill", "quill.example", "Cy Dunn", "dunn.example", "hunter2")
"""What no message may hold."""


@dataclass
class World:
    """The estate, and how to see whether anything in its stores changed."""

    estate: Estate
    server: TestServer | None
    abroad: str  # a URL, or a path of SQLite
    home: str

    def contents(self) -> tuple[object, object, object, object]:
        """All rows and both schemas."""
        if self.server is None:
            found: list[object] = []
            for path in (Path(self.abroad), Path(self.home)):
                if not path.is_file():
                    found += [None, None]
                    continue
                try:
                    found += [support.sqlite_rows(path), support.sqlite_schema(path)]
                except Exception as error:  # noqa: BLE001 - not a database: its bytes
                    found += [path.read_bytes(), type(error).__name__]
            return (found[0], found[1], found[2], found[3])
        return (
            support.rows_of(self.server, self.abroad), support.schema_of(self.server, self.abroad),
            support.rows_of(self.server, self.home), support.schema_of(self.server, self.home),
        )  # fmt: skip

    def sql(self, end: str, *statements: str) -> None:
        """Run statements in one of the stores, as its owner would."""
        where = self.abroad if end == "abroad" else self.home
        if self.server is None:
            with support.sqlite(Path(where)) as connection:
                for statement in statements:
                    connection.execute(statement)
        else:
            self.server.psql(
                support.name_of(where), "--set=ON_ERROR_STOP=1", stdin=";\n".join(statements) + ";"
            )

    def edit(self, old: str, new: str, file: str = "estate.yaml") -> None:
        """Change a declaration."""
        path = self.estate.folder / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def run(self, command: str, *arguments: str) -> Ran:
        """A command with `--json`; `apply` gets the plan of the folder and `--yes`."""
        given = list(arguments)
        if command == "apply":
            given = [str(self.estate.folder / "plan.json"), *given]
        elif command == "plan":
            given = ["-o", str(self.estate.folder / "plan.json"), *given]
        return support.run(command, "--estate", str(self.estate.file), "--json", *given)

    def refuses(self, command: str, code: int, *words: str, options: tuple[str, ...] = ()) -> Ran:
        """The command ends with `code` and one error that holds `words`; nothing changed."""
        before = self.contents()
        ran = self.run(command, *options)
        check(ran, code, *words)
        assert self.contents() == before
        return ran


def check(ran: Ran, code: int, *words: str) -> None:
    """One clear error on standard error, and nothing on standard output."""
    assert ran.code == code, f"exit {ran.code}, expected {code}\n{ran.out}\n{ran.err}"
    assert ran.out == ""
    assert ran.err.count("error:") == 1, ran.err
    assert ran.err.lower().startswith(("domicile: error: ", "usage: ")), ran.err
    assert "Traceback" not in ran.err
    assert [w for w in words if w not in ran.err] == [], ran.err
    assert [s for s in SECRETS if s in ran.err] == []
    assert len(ran.err.splitlines()) <= 6, ran.err


def sqlite_world(folder: Path, body: str = BODY) -> World:
    """Both cells as files; the home has the schema and nobody."""
    folder.mkdir(exist_ok=True)
    abroad, home = folder / "abroad.db", folder / "home.db"
    for path, script in ((abroad, TABLES + ROWS), (home, TABLES)):
        with support.sqlite(path) as connection:
            connection.executescript(script)
    estate = Estate(folder / "e", f"sqlite://{abroad}", f"sqlite://{home}", body)
    return World(estate, None, str(abroad), str(home))


def postgres_world(
    server: TestServer, database: MakeDatabase, folder: Path, body: str = BODY
) -> World:
    """Both cells as databases of one server; the home has the schema and nobody."""
    abroad, home = database(server, "abroad"), database(server, "home")
    world = World(Estate(folder / "e", abroad, home, body), server, abroad, home)
    world.sql("abroad", TABLES, ROWS)
    world.sql("home", TABLES)
    return world


__all__ = ["BODY", "Contents", "World", "check", "postgres_world", "sqlite_world"]
