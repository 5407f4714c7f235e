"""A command that is told to end: by Ctrl-C, or by SIGTERM, which systems send; alike."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def ended_alike() -> Generator[None]:
    """Raise KeyboardInterrupt for SIGTERM too, so that temporary folders go and words are said.

    Not for `run`, which drains first (cli/run.py).
    """

    def handle(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
