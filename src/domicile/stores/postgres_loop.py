"""The event loop that all connections to PostgreSQL share, for code that is not asynchronous."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_loop: asyncio.AbstractEventLoop | None = None


def run(work: Awaitable[T]) -> T:
    """Run a coroutine on the one event loop that all PostgreSQL connections share.

    One loop, so that a COPY can flow from one server to another without a thread between.
    Raises KeyboardInterrupt after Control-C, once the work is cancelled, also in the server.
    """
    loop = _the_loop()

    async def wait() -> T:
        return await work

    task = loop.create_task(wait())
    with _interrupts(lambda: loop.call_soon_threadsafe(task.cancel)):
        try:
            return loop.run_until_complete(task)
        except asyncio.CancelledError as error:
            raise KeyboardInterrupt from error  # nobody else cancels


def _the_loop() -> asyncio.AbstractEventLoop:
    global _loop
    if _loop is None:
        _loop = asyncio.new_event_loop()
    return _loop


class Pending(Generic[T]):
    """Work that goes on by itself while something else is waited for with `run`."""

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self._task = _the_loop().create_task(work)

    def result(self) -> T:
        """Wait for its end. Raises what it raised."""
        return run(self._task)

    def cancel(self) -> None:
        """End it, and wait until it has let go of what it uses. Harmless when it has ended."""
        self._task.cancel()
        run(asyncio.wait([self._task]))
        if not self._task.cancelled():
            self._task.exception()  # asked for, so that nobody reports it as overlooked


@contextmanager
def _interrupts(cancel: Callable[[], object]) -> Iterator[None]:
    """Control-C cancels the work inside and is raised after it.

    Raised where it happens to arrive, inside the loop, it can lose an answer that a connection
    then waits for. (asyncio.Runner does nearly this, but raises in the loop when the work had
    just ended.)
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return
    asked = False

    def ask(_number: int, _frame: object) -> None:
        nonlocal asked
        asked = True
        cancel()

    signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if asked:
        raise KeyboardInterrupt
