"""What the demo measures for itself, with plain SQL and plain files, apart from the commands.

Nothing here uses the survey, the plan or the log: who does not believe them can believe this.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from domicile.demo.lake import count_events
from domicile.demo.stage import DATABASE, Stage

AMERICANS = (
    "SELECT count(*) FROM account JOIN address USING (address_id)"
    " JOIN country USING (country_id) WHERE code = 'US'"
)
"""The check that anyone can run in both stores."""

OTHERS = AMERICANS.replace("code = 'US'", "code <> 'US'")

SAMPLE = 100  # e-mail addresses to look for in the servers' files


@dataclass(frozen=True)
class Measured:
    """One store at one moment, seen without Domicile."""

    store: str
    americans: int
    others: int
    found: int  # of the sampled e-mail addresses, how many are somewhere in its files
    events: int  # of the Americans, in the lake beside it


def sample_emails(stage: Stage, store: str) -> list[str]:
    """E-mail addresses of some Americans; always the same for the same people."""
    query = AMERICANS.replace("count(*)", "email") + " ORDER BY email"
    emails = stage.servers[store].sql(DATABASE, query).splitlines()
    return random.Random(SAMPLE).sample(emails, min(SAMPLE, len(emails)))


def american_accounts(stage: Stage, store: str) -> frozenset[int]:
    """The numbers of all Americans' accounts."""
    found = stage.servers[store].sql(DATABASE, AMERICANS.replace("count(*)", "account_id"))
    return frozenset(int(number) for number in found.split())


def measure(stage: Stage, emails: list[str], accounts: frozenset[int]) -> list[Measured]:
    """Count people by SQL, events in files, and e-mail addresses in the bytes of the tables.

    The servers first write what they hold in memory, so that their files have it all.
    """
    for server in stage.servers.values():
        server.sql(DATABASE, "CHECKPOINT")
    return [
        Measured(
            store,
            int(server.sql(DATABASE, AMERICANS)),
            int(server.sql(DATABASE, OTHERS)),
            _found(server.data / "base", emails),
            count_events(stage.lake(store), accounts),
        )
        for store, server in stage.servers.items()
    ]


def run_command(directory: Path, *arguments: str) -> Iterator[str | int]:
    """Run `domicile` with these arguments in the folder; its lines as they come, then its code."""
    command = [sys.executable, "-m", "domicile", *arguments]
    # The folder is not ours: a package found by a relative path must be found from there too.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(Path(p).resolve())
                                                               for p in sys.path if p)}  # fmt: skip
    with subprocess.Popen(
        command,
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield line.rstrip("\n")
        yield process.wait()


def _found(folder: Path, emails: list[str]) -> int:
    """How many of the addresses stand anywhere in the files below a folder."""
    missing = [email.encode() for email in emails]
    for file in sorted(folder.rglob("*")):
        if file.is_file() and missing:
            content = file.read_bytes()
            missing = [email for email in missing if email not in content]
    return len(emails) - len(missing)
