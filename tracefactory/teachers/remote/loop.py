"""One event loop for a process, in a thread of its own: whoever asks teachers shares connections.

Tasks of the cluster are plain functions in threads of a worker. Two of them that use one endpoint
must meet somewhere, and that is here.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, wait
from typing import Any, TypeVar

T = TypeVar("T")

PUT_AWAY_S = 10.0
"""For what was interrupted, to close its connections."""


SWITCH_S = 0.0005
"""Seconds for which another thread may keep the loop from running."""


class _Loop:
    """The thread and its loop; a forked child has neither, and makes its own."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.loop = _new_loop()()
        threading.Thread(target=self._run, name="tracefactory-teachers", daemon=True).start()

    def _run(self) -> None:
        # Threads that write tables would else keep the loop waiting 5 ms at each turn.
        sys.setswitchinterval(SWITCH_S)
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()


_lock = threading.Lock()
_shared: _Loop | None = None


def in_shared_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine in the process's loop and wait for it.

    An interrupt of the waiting thread cancels it, and waits until it has put its things away.
    Never called from within that loop, where it would wait for itself.
    """
    loop = _the_loop()
    ended: Future[T] = Future()
    tasks: list[asyncio.Task[T]] = []

    def start() -> None:
        task = loop.create_task(coroutine)
        task.add_done_callback(lambda task: _pass_on(task, ended))
        tasks.append(task)

    loop.call_soon_threadsafe(start)
    try:
        return ended.result()
    except BaseException:
        if not ended.done():  # the exception is ours (Ctrl-C), not the coroutine's
            loop.call_soon_threadsafe(lambda: tasks[0].cancel())
            wait([ended], timeout=PUT_AWAY_S)
        raise


def _pass_on(task: asyncio.Task[T], ended: Future[T]) -> None:
    if task.cancelled():
        ended.cancel()
    elif (error := task.exception()) is not None:
        ended.set_exception(error)
    else:
        ended.set_result(task.result())


def _the_loop() -> asyncio.AbstractEventLoop:
    global _shared, _lock
    if _shared is not None and _shared.pid != os.getpid():
        _lock = threading.Lock()  # the parent's may have been held when it forked
        _shared = None
    with _lock:
        if _shared is None:
            _shared = _Loop()
        return _shared.loop


def _new_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    if sys.platform == "win32":
        return asyncio.new_event_loop
    try:
        import uvloop
    except ImportError:  # no build for this platform
        return asyncio.new_event_loop
    return uvloop.new_event_loop
