"""Processes that work beside ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from domicile.demo.postgres import alive
from domicile.workers import workers
from tests.conftest import ROOT

KILLED = """
import os, time
from domicile.workers import workers
if __name__ == "__main__":
    pool = workers(1)
    print(pool.submit(os.getpid).result(), flush=True)
    time.sleep(600)
"""


def test_they_work() -> None:
    with workers(2) as pool:
        assert list(pool.map(abs, [-1, 2, -3])) == [1, 2, 3]
        assert pool.submit(os.getpid).result() != os.getpid()


def test_they_end_with_a_parent_that_is_killed() -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(
        [sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True, env=env
    ) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert alive(worker)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    until = time.monotonic() + 60
    while alive(worker):
        assert time.monotonic() < until, "the worker is still there"
        time.sleep(0.05)
