"""One apply at a time for an estate, and its end when it is asked to stop.

The lock is a file beside the state, freed by the kernel at any death.
"""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGINT

from domicile.errors import Stopped

LOCK = "apply.lock"
"""The lock's file in the state directory. It stays; its holder's death frees it."""


@contextmanager
def alone(state: Path) -> Iterator[None]:
    """Be the only apply of the estate whose state directory this is.

    Raises Stopped when another is at work, or the lock cannot be made.
    """
    try:
        fd = os.open(state / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Stopped(
            f"{state / LOCK}: {error.strerror}", hint="mend that and run the same command again"
        ) from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Stopped(
                "another apply of this estate is at work; this one did nothing",
                hint="wait for it to end, then run the same command again",
            ) from error
        yield
    finally:
        os.close(fd)  # and with it the lock


@contextmanager
def stopping() -> Iterator[None]:
    """SIGTERM ends apply as Control-C does: by KeyboardInterrupt, with transactions rolled back.

    It is passed on as SIGINT, which a running event loop takes as a cancellation; raised anywhere
    in the loop it would be lost, or lose an answer. Only in the main thread; elsewhere signals
    are somebody else's.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda _number, _frame: signal.raise_signal(SIGINT))
    # A shell that starts us in the background makes SIGINT unheard; SIGTERM must still arrive.
    heard = signal.getsignal(SIGINT)
    signal.signal(SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(SIGINT, heard)
        signal.signal(signal.SIGTERM, before)
