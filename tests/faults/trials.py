"""One trial: apply is disturbed, what is there is compared, apply is resumed, compared again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from domicile.evidence.place import read_log
from tests.conftest import ROOT
from tests.faults.estate import (
    KEYS,
    SQLITE,
    Contents,
    broken_keys,
    declare,
    fill,
    fill_sqlite,
    read,
)
from tests.servers import TestServer

FORMS: tuple[str, ...] = ("die_before", "die_after", "fail_before", "fail_after")
ANSWER_SECONDS = 300
RESUMES = 8
"""Runs in which a disturbed apply must come to its end."""


class Zygote:
    """The process that forks commands; see `zygote.py`."""

    def __init__(self) -> None:
        self.process = self._spawn()
        self.child = self.process.pid

    def _spawn(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.faults.zygote"], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "DOMICILE_TRACE": "1"},
        )  # fmt: skip

    def start(self, request: dict[str, Any]) -> int:
        """Start one command; its process id."""
        if self.process.poll() is not None:
            self.process = self._spawn()  # it was killed because a command hung: that test failed
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        self.child = int(self._answer("pid")["pid"])
        return self.child

    def wait(self) -> int:
        """The exit code of the command that was started, negative for a signal."""
        return int(self._answer("exit")["exit"])

    def _answer(self, about: str) -> dict[str, Any]:
        assert self.process.stdout is not None
        # A command that hangs must fail a test, not stop them all.
        timer = threading.Timer(ANSWER_SECONDS, self._kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        if not line:
            self.process.wait(timeout=10)
            raise AssertionError(f"no answer within {ANSWER_SECONDS} s: the command hangs")
        answer: dict[str, Any] = json.loads(line)
        # The end of a command that a failed test did not wait for is no answer to the next one.
        return answer if about in answer else self._answer(about)

    def _kill(self) -> None:
        for group in (self.child, self.process.pid):
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(timeout=10)


@dataclass
class Place:
    """Two databases and a directory with estate and plan: where one trial happens."""

    directory: Path
    source: str
    home: str
    zygote: Zygote
    batch: int
    points: list[str] = field(default_factory=list)

    @property
    def env(self) -> dict[str, str]:
        """What the declarations need."""
        return {"FAULTS_SOURCE": self.source, "FAULTS_HOME": self.home}

    def start(self, *args: str, fault: dict[str, Any] | None = None, limit: int = 0) -> int:
        """Start a command in the background; its process id."""
        return self.zygote.start({
            "args": [*args, "--estate", str(self.directory / "estate.yaml"), "--quiet"],
            "env": self.env, "output": str(self.directory / "output"), "batch": self.batch,
            "fault": fault, "limit": limit,
        })  # fmt: skip

    def run(self, *args: str, fault: dict[str, Any] | None = None) -> int:
        """Run a command to its end; its exit code."""
        self.start(*args, fault=fault)
        return self.wait()

    def wait(self) -> int:
        """Wait for the command that was started."""
        code = self.zygote.wait()
        tally = self.directory / "output.points"
        self.points = json.loads(tally.read_text()) if tally.exists() else []
        return code

    def start_held(self, nth: int) -> Path:
        """Start apply; when this returns it stands before its n-th durable write, until the file
        that this gives is removed."""
        held = self.directory / "output.held"
        self.start("apply", str(self.plan), "--yes", fault={"nth": nth, "form": "hold"})
        until = time.monotonic() + ANSWER_SECONDS
        while not held.exists():
            assert time.monotonic() < until, f"it never came to its write {nth}\n{self.output()}"
            time.sleep(0.01)
        return held

    def apply(self, fault: dict[str, Any] | None = None) -> int:
        """`domicile apply plan.json --yes`."""
        return self.run("apply", str(self.plan), "--yes", fault=fault)

    @property
    def plan(self) -> Path:
        """The plan's file."""
        return self.directory / "plan.json"

    def kill(self, pid: int, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal, kill -9 by itself, if the process is still there."""
        with suppress(ProcessLookupError):
            os.kill(pid, number)

    def contents(self) -> tuple[Contents, Contents]:
        """Everything at the source and at home."""
        return read(self.source), read(self.home)

    def output(self) -> str:
        """What the commands said."""
        return (self.directory / "output").read_text()

    def resume(self, codes: tuple[int, ...] = (5,)) -> None:
        """Apply again until it is done."""
        for _ in range(RESUMES):
            code = self.apply()
            # 4: killed between its last write and its end.
            if code == 0 or (code == 4 and "carried out already" in self.output()):
                return
            assert code in codes, f"exit code {code}\n{self.output()}"
        raise AssertionError(f"not done after {RESUMES} runs\n{self.output()}")


def said(place: Place) -> Counter[tuple[str, str]]:
    """Rows by (operation, table) in the entries of batches of the log."""
    log = read_log(place.directory / ".domicile")
    found: Counter[tuple[str, str]] = Counter()
    for _, entry in log.entries():
        if entry["kind"] == "batch":
            found[entry["operation"], entry["table"]] += entry["rows"]
    return found


class Bench:
    """The templates that trials are copied from, and what an undisturbed run makes of them."""

    def __init__(
        self, server: TestServer, directory: Path, *, people: int = 60, batch: int = 150,
        purge: bool = False, home: TestServer | None = None,
    ) -> None:  # fmt: skip
        self.server, self.home_server = server, home or server
        self.name = directory.name.replace("-", "_")
        source = server.create_database(f"{self.name}_source")
        fill(source, self.home_server.create_database(f"{self.name}_home"), people)
        self._begin(directory, batch, purge)

    def _begin(self, directory: Path, batch: int, purge: bool) -> None:
        """The plan that all trials share, and an undisturbed run of it."""
        self.directory, self.batch, self.purge = directory, batch, purge
        self.zygote = Zygote()
        self.count = 0
        self.template = directory / "template"
        declare(self.template, purge=purge)
        first = self.place(self.template)
        assert first.run("plan", "-o", str(first.plan)) == 0, first.output()
        self.before = first.contents()
        # Twice, because the servers' caches are cold the first time: moments of the disturbances
        # are parts of how long it takes.
        for _ in range(2):
            whole = self.place()
            began = time.monotonic()
            assert whole.apply() == 0, whole.output()
            self.seconds = time.monotonic() - began
        self.points = whole.points
        self.outcome = whole.contents()
        self.said = said(whole)
        self.drop(whole)

    def place(self, directory: Path | None = None) -> Place:
        """A fresh copy of everything, the plan included."""
        self.count += 1
        if directory is None:
            directory = self.directory / str(self.count)
            shutil.copytree(self.template, directory)
            (directory / "output").write_text("")
        source, home = self._databases(directory)
        return Place(directory, source, home, self.zygote, self.batch)

    def _databases(self, directory: Path) -> tuple[str, str]:
        """Fresh copies of both databases; their URLs."""
        source, home = (
            server.create_database(f"{self.name}_{end}_{self.count}", f"{self.name}_{end}")
            for server, end in ((self.server, "source"), (self.home_server, "home"))
        )
        return source, home

    def drop(self, place: Place) -> None:
        """Remove a place."""
        number = place.source.rsplit("_", 1)[1]
        self.server.drop_database(f"{self.name}_source_{number}")
        self.home_server.drop_database(f"{self.name}_home_{number}")
        shutil.rmtree(place.directory)

    def close(self) -> None:
        """End the process that forks commands."""
        self.zygote.close()

    def point(self, start: str) -> int:
        """The number of the first point whose name starts so."""
        return next(i for i, p in enumerate(self.points, 1) if p.startswith(start))

    # What must be true.

    def nothing_lost(self, place: Place, *changed: str) -> None:
        """Every row that existed is at the source or at home, with all its values.

        `changed`: beginnings of rows that the test itself changed.
        """
        source, home = place.contents()
        for table, lines in self.before[0].items():
            if table == "audit":
                continue
            there = Counter(source[table]) + Counter(home[table])
            missing = Counter(r for r in lines if not str(r[0]).startswith(changed)) - there
            assert not missing, f"lost from {table}: {list(missing)[:5]}\n{place.output()}"

    def as_undisturbed(self, place: Place) -> None:
        """The two stores hold exactly what an undisturbed run leaves."""
        for end, now, then in zip(("source", "home"), place.contents(), self.outcome, strict=True):
            for table in [*KEYS, "audit"]:
                more = Counter(now[table]) - Counter(then[table])
                less = Counter(then[table]) - Counter(now[table])
                assert not more, f"{end} has more in {table}: {list(more)[:5]}\n{place.output()}"
                assert not less, f"{end} has less in {table}: {list(less)[:5]}\n{place.output()}"

    def whole(self, place: Place) -> None:
        """Keys hold at both ends, `verify` finds nothing failed, a second plan has no steps."""
        assert not broken_keys(place.source)
        assert not broken_keys(place.home)
        said = place.directory / "output"
        said.write_text("")
        place.run("verify", "--json")
        failed = [c for c in json.loads(said.read_text())["checks"] if c["status"] == "failed"]
        # Without a purge their bytes stay in the files, and verify says so.
        assert [c for c in failed if self.purge or not c["name"].startswith("files")] == []
        again = place.directory / "again.json"
        assert place.run("plan", "-o", str(again)) == 0, place.output()
        assert json.loads(again.read_text())["steps"] == []

    # The disturbances.

    def sleep(self, seconds: float) -> None:
        """Wait while the command that was started works."""
        time.sleep(seconds)

    def kill_at(self, place: Place, seconds: float) -> int:
        """kill -9 of a running apply; its exit code, 0 when it was faster."""
        pid = place.start("apply", str(place.plan), "--yes")
        time.sleep(seconds)
        place.kill(pid)
        return place.wait()

    def after(self, place: Place, code: int, *, thorough: bool) -> None:
        """What must be true after a disturbed run that ended with `code`, and after resuming."""
        self.nothing_lost(place)
        if code != 0:
            place.resume()
        self.as_undisturbed(place)
        self.all_said(place)
        if thorough:
            self.whole(place)

    def all_said(self, place: Place) -> None:
        """The log says of every row that it was carried and that it was deleted, once each."""
        assert said(place) >= self.said, f"the log is silent about some\n{place.output()}"


class SqliteBench(Bench):
    """The same with two SQLite files."""

    def __init__(self, directory: Path, *, people: int = 60, purge: bool = False) -> None:
        self.files = directory / "files"
        self.files.mkdir(parents=True)
        fill_sqlite(self.files / "source.db", self.files / "home.db", people)
        self._begin(directory, 0, purge)

    def _databases(self, directory: Path) -> tuple[str, str]:
        for name in ("source.db", "home.db"):
            shutil.copy(self.files / name, directory / name)
        return f"{SQLITE}{directory / 'source.db'}", f"{SQLITE}{directory / 'home.db'}"

    def drop(self, place: Place) -> None:
        """Remove a place."""
        shutil.rmtree(place.directory)
