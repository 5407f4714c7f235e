"""One start of a server, as its owner sees it: its folder, its wardens, its end.

Not here: the wardens themselves (warden.py), whether it is well and starting it again (watch.py).
"""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from tracefactory.teachers.engine import warden

SOCKET = "s"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a server ended."""

    code: int | None
    """Its exit code; None: the wardens were killed and nobody knows."""
    log: str
    """Its last words."""

    def words(self) -> str:
        """For people."""
        if self.code is None:
            return "its wardens were killed"
        if self.code > 128:
            with suppress(ValueError):
                return f"killed by {signal.Signals(self.code - 128).name}"
        return f"exit code {self.code}"

    def last_lines(self, n: int) -> str:
        """The end of the log."""
        return "\n".join(self.log.strip().splitlines()[-n:])


class Server:
    """A server process with all that it starts. To be made in the event loop that waits for it."""

    def __init__(
        self, folder: Path, command: Callable[[Path], list[str]], env: Mapping[str, str]
    ) -> None:
        """Start it.

        Args:
            folder: its own, to be made; short, as the socket's path has 107 bytes at most. It goes
                with the server, and the folder above it when nothing is left in that.
            command: what starts it, given the path of its socket.
            env: its whole environment.
        """
        self.folder, self.socket = folder, folder / SOCKET
        self.ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._mark = uuid.uuid4().hex
        self._said = bytearray()
        folder.mkdir(mode=0o700, parents=True)
        order = {"command": command(self.socket), "folder": str(folder), "mark": self._mark}
        # Sockets that processes of the server make for each other go with the folder, too.
        env = {"VLLM_RPC_BASE_PATH": str(folder), **env}
        with _STARTING, (folder / warden.LOG).open("ab") as log:
            read_end, self._lifeline = os.pipe()
            _LIFELINES.add(self._lifeline)
            told = orjson.dumps({**order, "lifeline": read_end}).decode()
            try:
                self._wardens = subprocess.Popen(
                    [sys.executable, "-I", "-S", warden.__file__, told],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    pass_fds=(read_end,),
                    env=dict(env),
                    start_new_session=True,
                )
            except BaseException:
                self._cut()
                raise
            finally:
                os.close(read_end)
        assert self._wardens.stdout is not None  # a pipe was asked for
        self._words = self._wardens.stdout
        asyncio.get_running_loop().add_reader(self._words.fileno(), self._listen)

    async def kill(self) -> Ending:
        """Have the wardens end it, and wait until nothing is left."""
        self._cut()
        return await asyncio.shield(self.ended)

    def log_tail(self) -> str:
        """Its last words so far."""
        return warden.log_tail(self.folder)

    def _cut(self) -> None:
        with _STARTING:
            if self._lifeline in _LIFELINES:
                _LIFELINES.remove(self._lifeline)
                os.close(self._lifeline)

    def _listen(self) -> None:
        heard = os.read(self._words.fileno(), 1 << 16)
        self._said += heard
        if not heard:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._words.fileno())
            self._ending = loop.create_task(self._end())

    async def _end(self) -> None:
        """The wardens are gone; if they did not say that all is clean, clean."""
        ending = Ending(None, self.log_tail())
        with suppress(ValueError, KeyError):
            said = orjson.loads(bytes(self._said))
            ending = Ending(said["ended"], said["log"])
        if ending.code is None:
            await asyncio.to_thread(warden.sweep, self._mark, str(self.folder))
        await asyncio.to_thread(self._wardens.wait)
        self._words.close()
        self._cut()
        if not self.ended.done():
            self.ended.set_result(ending)


_STARTING = threading.RLock()
"""Held while a server starts and during a fork, as a child forked in between would hold its
lifeline without knowing of it."""
_LIFELINES: set[int] = set()


def _forget_all() -> None:
    for lifeline in _LIFELINES:
        os.close(lifeline)
    _LIFELINES.clear()
    _STARTING.release()


os.register_at_fork(
    before=_STARTING.acquire, after_in_parent=_STARTING.release, after_in_child=_forget_all
)
