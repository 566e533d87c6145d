"""The stage of the demo: two servers in one folder, filled and declared.

DIR/estate.yaml, DIR/mandates/   the declarations, to read and to change
DIR/psql STORE [OPTIONS]         psql on one of the two stores
DIR/servers/                     the servers' files and their password, which the URLs point to
DIR/demo.json                    marks the folder as the demo's
"""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from domicile.demo.lake import write_lake
from domicile.demo.platform import COLUMNS, Platform, make_platform
from domicile.demo.postgres import (
    LOOPBACK,
    SUPERUSER,
    PostgresServer,
    can_enter,
    new_password,
    own,
    programs_for,
    server_account,
    wheel_programs,
)
from domicile.errors import UsageError

ABROAD, HOME = "singapore", "virginia"
DATABASE = "clips"
SEED = 2026
MARK = "demo.json"
HOME_KEYS = 1_000_000_000  # from here on keys are given out at home, below it abroad
SERVER_SETTINGS = {"max_connections": "40", "jit": "off"}


@dataclass
class Stage:
    """A demo's folder with its two servers, by store."""

    directory: Path
    servers: dict[str, PostgresServer]

    def url(self, store: str) -> str:
        """The store's URL, without the password but with where it is."""
        port = self.servers[store].port
        return f"postgresql://{SUPERUSER}@{LOOPBACK}:{port}/{DATABASE}?passfile={self.passfile}"

    def lake(self, place: str) -> Path:
        """The folder of the lake beside a store."""
        return self.directory / "lakes" / place

    @property
    def passfile(self) -> Path:
        """The servers' passwords in the form of PGPASSFILE, for the owner's eyes only."""
        return self.directory / "servers" / "pgpass"

    def stop(self) -> None:
        """Stop both servers; their files stay."""
        for server in self.servers.values():
            server.stop()


def build(directory: Path, people: int) -> Stage:
    """Make the folder, start the servers, fill the one abroad, declare the estate.

    Raises UsageError when the folder is in use or the extra `demo` is not installed,
    StoreUnreachable and StoreRefused when a server does not come up.
    """
    programs = wheel_programs()
    try:
        import faker  # noqa: F401 - told apart here, before anything is made
    except ImportError:
        programs = None
    if programs is None:
        raise UsageError("the demo needs its extra", hint="pip install 'domicile[demo]'")
    if directory.exists() and any(directory.iterdir()):
        raise UsageError(
            f"{directory} is not empty",
            hint="choose another folder with --dir, or stop and remove that demo with --remove",
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot make the folder {directory}: {error.strerror}",
            hint="choose another folder with --dir",
        ) from error
    directory = directory.resolve()
    stage = _servers(directory, programs)
    try:
        with ThreadPoolExecutor() as pool:
            starting = [pool.submit(_start, server) for server in stage.servers.values()]
            platform = make_platform(people, SEED)
            for server in starting:
                server.result()
        _declare(stage)
        write_lake(stage.lake(ABROAD), people, len(platform.rows["video"]), SEED)
        stage.lake(HOME).mkdir(parents=True)
        asyncio.run(_fill(stage, platform))
    except BaseException:
        stage.stop()
        raise
    return stage


def opened(directory: Path) -> Stage:
    """The demo that is in a folder. Raises UsageError when there is none."""
    directory = directory.resolve()
    mark = _mark(directory)
    programs = Path(mark["programs"])
    servers = {name: PostgresServer(programs, Path(at)) for name, at in mark["servers"].items()}
    return Stage(directory, servers)


def remove(directory: Path) -> None:
    """Stop a demo and remove what it made, declarations and evidence included.

    Files that the demo did not make stay, and so does then the folder. Raises UsageError.
    """
    opened(directory).stop()
    shutil.rmtree(_mark(directory)["place"])
    for name in ("servers", "lakes", "mandates", ".domicile"):
        shutil.rmtree(directory / name, ignore_errors=True)
    for name in ("estate.yaml", "plan.json", "psql", MARK):
        (directory / name).unlink(missing_ok=True)
    if not any(directory.iterdir()):
        directory.rmdir()


def _mark(directory: Path) -> dict[str, Any]:
    """What the demo noted about itself. Raises UsageError."""
    file = directory / MARK
    try:
        mark = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        hint = "name its folder: --dir"
        raise UsageError(f"there is no demo in {directory}", hint=hint) from None
    except ValueError:
        mark = None
    if not isinstance(mark, dict) or not {"place", "programs", "servers"} <= set(mark):
        hint = "stop its servers and remove the folder yourself"
        raise UsageError(f"{file} is not what this version of the demo wrote", hint=hint)
    return mark


def _servers(directory: Path, programs: Path) -> Stage:
    """Two servers to be, in the folder, or where the account that runs them can go."""
    account = server_account()
    place = directory / "servers"
    place.mkdir()
    at = place
    if not can_enter(place, account):
        at = Path(tempfile.mkdtemp(prefix="domicile-demo-", dir="/var/tmp"))
        own(at, account)
    programs = programs_for(programs, account, at)
    stage = Stage(
        directory,
        {
            store: PostgresServer(
                programs, at / store, settings=SERVER_SETTINGS, password=new_password()
            )
            for store in (ABROAD, HOME)
        },
    )
    mark = {
        "place": str(at),
        "programs": str(programs),
        "servers": {name: str(server.directory) for name, server in stage.servers.items()},
    }
    (directory / MARK).write_text(json.dumps(mark, indent=2) + "\n")
    return stage


def _start(server: PostgresServer) -> None:
    server.create()
    server.start()
    server.sql("postgres", f"CREATE DATABASE {DATABASE}")


def _declare(stage: Stage) -> None:
    """Write the declarations, the password file and the psql of the folder."""
    stage.passfile.touch(mode=0o600)
    stage.passfile.write_text(
        "".join(
            f"{LOOPBACK}:{server.port}:*:{SUPERUSER}:{server.password}\n"
            for server in stage.servers.values()
        )
    )
    resources = files("domicile.demo")
    estate = (resources / "estate.yaml").read_text(encoding="utf-8")
    for store in stage.servers:
        estate = estate.replace(f"@{store}@", stage.url(store))
        estate = estate.replace(f"@{store}-lake@", stage.lake(store).as_uri())
    (stage.directory / "estate.yaml").write_text(estate, encoding="utf-8")
    mandates = stage.directory / "mandates"
    mandates.mkdir()
    mandate = (resources / "us-home.yaml").read_text(encoding="utf-8")
    (mandates / "us-home.yaml").write_text(mandate, encoding="utf-8")
    programs = next(iter(stage.servers.values())).bin_dir
    script = stage.directory / "psql"
    script.write_text(_psql_script(programs / "psql", {s: stage.url(s) for s in stage.servers}))
    script.chmod(0o755)


def _psql_script(program: Path, urls: Mapping[str, str]) -> str:
    cases = "".join(f"  {store}) url={shlex.quote(url)} ;;\n" for store, url in urls.items())
    names = " or ".join(urls)
    return (
        "#!/bin/sh\n"
        "# usage: psql STORE [OPTIONS OF PSQL]\n"
        'case "$1" in\n'
        f"{cases}"
        f'  *) echo "usage: $0 STORE [OPTIONS OF PSQL]; STORE is {names}" >&2; exit 2 ;;\n'
        "esac\n"
        "shift\n"
        f'exec {shlex.quote(str(program))} "$url" "$@"\n'
    )


async def _fill(stage: Stage, platform: Platform) -> None:
    """The schema in both, the countries in both, all else abroad."""
    import asyncpg

    resources = files("domicile.demo")
    schema = (resources / "schema.sql").read_text(encoding="utf-8")
    after = (resources / "after.sql").read_text(encoding="utf-8")

    async def fill(store: str) -> None:
        server = stage.servers[store]
        connection = await asyncpg.connect(server.url(DATABASE))
        try:
            await connection.execute(schema)
            for table, columns in COLUMNS.items():
                if store == HOME and table != "country":
                    continue
                await connection.copy_records_to_table(
                    table, records=platform.rows[table], columns=columns
                )
            await connection.execute(after)
            for table, columns in COLUMNS.items():
                if columns[0] == f"{table}_id" and table != "country":
                    if store == HOME:
                        keys = f"SET MINVALUE {HOME_KEYS} SET START {HOME_KEYS} RESTART"
                    else:
                        first = len(platform.rows[table]) + 1
                        keys = f"SET MAXVALUE {HOME_KEYS - 1} RESTART WITH {first}"
                    await connection.execute(f"ALTER TABLE {table} ALTER {columns[0]} {keys}")
            await connection.execute("VACUUM ANALYZE")
        finally:
            await connection.close()

    await asyncio.gather(fill(ABROAD), fill(HOME))
