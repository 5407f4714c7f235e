"""Starts runs in the zygote of this process, and a new zygote when the old one is gone.

One zygote serves all threads of a process; a fork of the process starts one of its own. It is
replaced after RECYCLE_AFTER runs, and when it died or does not answer: what it was running is lost
(`Lost`), which says nothing about the programs.

Not here: what happens in a run (box.py), which walls it gets (ladder.py).
"""

import atexit
import contextlib
import json
import os
import socket
import subprocess
import threading
import weakref
from pathlib import Path
from typing import NamedTuple

from tracefactory.sandbox.interpreter import interpreter
from tracefactory.sandbox.limits import Limits

RECYCLE_AFTER = 5_000
START_LIMIT_S = 60.0
_BOOT = (
    "import sys; root, fd, owner, walls = sys.argv[1:]; sys.path.insert(0, root);"
    "from tracefactory.sandbox.zygote import main; main(root, int(fd), int(owner), walls)"
)
_ANSWER_CHARS = 1 << 16


class Unavailable(Exception):
    """The walls cannot be put up here; the message says what was refused."""


class Lost(Exception):
    """The zygote ended or did not answer: a fault of the set-up, never of a program."""


class Started(NamedTuple):
    """A run that was forked."""

    pidfd: int
    status: socket.socket
    folder: str
    """Where it writes, if its disk is to be watched."""


class _Zygote:
    """One process; see zygote.py."""

    def __init__(self, walls: str) -> None:
        self.left = RECYCLE_AFTER
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(START_LIMIT_S)
        self.requests = ours
        owner = os.pidfd_open(os.getpid())
        fds = (theirs.fileno(), owner)
        root = str(Path(__file__).resolve().parents[2])
        try:
            self.process = subprocess.Popen(
                # As -I, but that the seed of hashes is the same in every run.
                [interpreter(), "-S", "-s", "-P", "-c", _BOOT, root, *map(str, fds), walls],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"},
                pass_fds=fds,
                start_new_session=True,
                cwd="/",
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(owner)
        answer = self._first_answer()
        if "ready" not in answer:
            self.close()
            raise Unavailable(str(answer.get("refused", "the zygote said nothing")))

    def _first_answer(self) -> dict[str, object]:
        data = b""
        with contextlib.suppress(OSError):
            data = self.requests.recv(_ANSWER_CHARS)
        if data:
            found: dict[str, object] = json.loads(data)
            return found
        self.process.kill()
        _, errors = self.process.communicate()
        last = errors.decode(errors="replace").strip().rpartition("\n")[2]
        return {"refused": last or f"no answer in {START_LIMIT_S:g} s"}

    def close(self) -> None:
        """End it, and every run of it."""
        with contextlib.suppress(OSError):
            self.requests.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        if self.process.returncode is None:
            self.process.kill()
            self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()

    def forget(self) -> None:
        """In a fork of the owner: it is not ours, and lives by its owner's end of the socket."""
        self.requests.close()
        self.process.returncode = 0  # no child of this process
        if self.process.stderr is not None:
            self.process.stderr.close()


class Pool:
    """Runs behind one kind of walls."""

    def __init__(self, walls: str) -> None:
        self.walls = walls
        self._lock = threading.Lock()
        self._zygote: _Zygote | None = None
        self._retired: list[_Zygote] = []
        _POOLS.add(self)

    def start(self, limits: Limits, fds: tuple[int, int, int, int]) -> Started:
        """Fork a run whose 0, 1, 2 and 3 (control) are these.

        Raises:
            Unavailable: no zygote can be started.
            Lost: the zygote did not fork it.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        zygote: _Zygote | None = None
        try:
            with theirs, self._lock:
                zygote = self._current()
                zygote.left -= 1
                request = json.dumps({"limits": list(limits)}).encode()
                socket.send_fds(zygote.requests, [request], [*fds, theirs.fileno()])
            ours.settimeout(START_LIMIT_S)
            data, passed, _, _ = socket.recv_fds(ours, _ANSWER_CHARS, 1)
            answer = json.loads(data) if data else {}
            if not passed:
                raise Lost(str(answer.get("lost", "the zygote ended")))
            ours.setblocking(False)
            return Started(passed[0], ours, str(answer["folder"]))
        except OSError as error:
            ours.close()
            if zygote is not None:
                self._drop(zygote)
            raise Lost(f"the zygote is gone: {error}") from error
        except BaseException:
            ours.close()
            raise

    def close(self) -> None:
        """End the zygote and all runs; the next run starts another."""
        with self._lock:
            gone = [*self._retired, *([self._zygote] if self._zygote is not None else [])]
            self._zygote, self._retired = None, []
        for zygote in gone:
            zygote.close()

    def forget(self) -> None:
        """In a fork of the process: start anew. A thread that is not here may hold the lock."""
        for zygote in (*self._retired, *([self._zygote] if self._zygote is not None else [])):
            zygote.forget()
        self._lock, self._zygote, self._retired = threading.Lock(), None, []

    def _current(self) -> _Zygote:
        for old in [old for old in self._retired if old.process.poll() is not None]:
            old.close()
            self._retired.remove(old)
        zygote = self._zygote
        if zygote is not None and (zygote.left <= 0 or zygote.process.poll() is not None):
            self._retire(zygote)
            zygote = None
        if zygote is None:
            zygote = self._zygote = _Zygote(self.walls)
        return zygote

    def _retire(self, zygote: _Zygote) -> None:
        """An old one goes on until its last run ends."""
        with contextlib.suppress(OSError):
            zygote.requests.send(b'{"retire": true}')
        self._retired.append(zygote)

    def _drop(self, zygote: _Zygote) -> None:
        """End one that does not answer, unless another thread did so already."""
        with self._lock:
            if zygote is self._zygote:
                self._zygote = None
            elif zygote in self._retired:
                self._retired.remove(zygote)
            else:
                return
        zygote.close()


_POOLS: weakref.WeakSet[Pool] = weakref.WeakSet()


def _close_all() -> None:
    for pool in list(_POOLS):
        pool.close()


def _forget_all() -> None:
    for pool in list(_POOLS):
        pool.forget()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_forget_all)
