"""Processes of our own that work beside this one, and never outlive it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import wait


def workers(number: int) -> ProcessPoolExecutor:
    """An executor of that many processes.

    They are spawned: a fork would copy locks of threads that others started here. They leave
    Control-C to this process, and end when it does, also when that is by kill -9: an executor's
    process holds both ends of its own queue, so it would wait for work for ever.
    """
    return ProcessPoolExecutor(
        number, mp_context=multiprocessing.get_context("spawn"), initializer=_begin
    )


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
