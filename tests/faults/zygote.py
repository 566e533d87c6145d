"""Runs `domicile` commands in forked children, so that a trial does not pay for the imports.

Reads requests as lines of JSON and answers in kind: `{"pid": n}` when the child has started,
`{"exit": code, "of": n}` when it has ended (negative: by that signal). A request:

    {"args": [...], "env": {...}, "output": FILE, "batch": ROWS, "fault": {…} or null,
     "limit": BYTES or 0}

A fault is `{"nth": n, "form": f}`: of all durable writes (commits of stores, writes of the state
and of the log) the n-th one is hit: `die_before`, `die_after`, `fail_before` (not persisted),
`fail_after` (persisted but reported failed), `hold` (it makes `FILE.held`, and goes on when that
is removed). With `nth` 0 nothing is hit. At its end the child
writes how many there were to `FILE.points`.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from domicile.apply import move, objects, postgres_end, sqlite_end
from domicile.cli import apply, main, plan, verify  # noqa: F401 - imported once, for all children
from domicile.errors import Stopped, StoreUnreachable
from domicile.evidence.log import Log
from domicile.plan import make  # noqa: F401
from domicile.plan import verify as checks  # noqa: F401
from domicile.stores import files_folder
from domicile.survey import state


class Calls:
    """The module `os`, whose functions that write into a folder can be hit."""

    __name__ = "os"

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


class Faults:
    """Counts the durable writes of one child, and hits one of them."""

    def __init__(self, nth: int, form: str, tally: Path) -> None:
        self.nth, self.form, self.tally = nth, form, tally
        self.held = tally.with_suffix(".held")
        self.points: list[str] = []

    def wrap(self, owner: Any, name: str, failure: Callable[[Any], Exception]) -> None:
        """Put ourselves around a method that writes durably."""
        real = getattr(owner, name)

        def wrapped(this: Any, *args: Any, **kwargs: Any) -> Any:
            said = f" {args[0]}" if args and isinstance(args[0], str) else ""
            self.points.append(f"{owner.__name__}.{name}{said}")
            hit = len(self.points) == self.nth
            if hit and self.form == "die_before":
                os.kill(os.getpid(), signal.SIGKILL)
            if hit and self.form == "fail_before":
                raise failure(this)
            if hit and self.form == "hold":
                self.held.touch()
                while self.held.exists():
                    time.sleep(0.01)
            result = real(this, *args, **kwargs)
            if hit and self.form == "die_after":
                os.kill(os.getpid(), signal.SIGKILL)
            if hit and self.form == "fail_after":
                raise failure(this)
            return result

        setattr(owner, name, wrapped)

    def install(self) -> None:
        """Wrap every durable write of apply."""
        lost = lambda _: StoreUnreachable("store", "the connection was lost")  # noqa: E731
        self.wrap(postgres_end.PostgresEnd, "commit", lost)
        self.wrap(sqlite_end.SqliteEnd, "commit", lost)
        self.wrap(state.State, "write", lambda _: Stopped("the state could not be written"))
        calls = Calls()
        setattr(files_folder, "os", calls)  # noqa: B010 - what the module calls `os`
        for name in ("link", "unlink", "rename", "replace", "mkdir", "fsync"):
            self.wrap(calls, name, lambda _: OSError(errno.EIO, "Input/output error"))
        self.wrap(Log, "append", lambda _: Stopped("the log could not be written"))

    def report(self) -> None:
        """Write the points that were passed."""
        self.tally.write_text(json.dumps(self.points))


def child(request: dict[str, Any]) -> int:
    """One command, as the program would run it."""
    with Path(request["output"]).open("a") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.environ.update(request["env"])
    if request["limit"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["limit"], resource.RLIM_INFINITY))
    move.BATCH_ROWS = request["batch"]
    objects.BATCH_FILES, objects.WORKERS = 5, 1  # one by one, so that points have numbers
    fault = request["fault"] or {"nth": 0, "form": ""}
    faults = Faults(fault["nth"], fault["form"], Path(request["output"] + ".points"))
    faults.install()
    code = main.main(request["args"])
    faults.report()
    sys.stdout.flush()
    return code


def serve() -> None:
    """Answer requests until the input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os.setpgid(0, 0)
            os.close(0)
            code = 71
            try:
                code = child(request)
            except BaseException:
                traceback.print_exc()  # where `main` did not hear it: as Python itself would say
                raise
            finally:
                os._exit(code)
        print(json.dumps({"pid": pid}), flush=True)
        _, status = os.waitpid(pid, 0)
        print(json.dumps({"exit": os.waitstatus_to_exitcode(status), "of": pid}), flush=True)


if __name__ == "__main__":
    serve()
