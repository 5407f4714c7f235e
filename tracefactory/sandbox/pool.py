"""Starts runs in the zygote of this process, and a new zygote when the old one is gone.

One zygote serves all threads. It is replaced after RECYCLE_AFTER runs, and when it died or does
not answer: what it was running is lost (`Lost`), which says nothing about the programs.

Not here: what happens in a run (box.py), which walls it gets (ladder.py).
"""

import atexit
import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

from tracefactory.sandbox.limits import Limits

RECYCLE_AFTER = 5_000
START_LIMIT_S = 60.0
_BOOT = (
    "import sys; root, fd, walls = sys.argv[1:]; sys.path.insert(0, root);"
    "from tracefactory.sandbox.zygote import main; main(root, int(fd), walls)"
)


class Unavailable(Exception):
    """The walls cannot be put up here; the message says what was refused."""


class Lost(Exception):
    """The zygote ended or did not answer: a fault of the set-up, never of a program."""


class Started(NamedTuple):
    """A run that was forked."""

    pidfd: int
    status: socket.socket


class _Zygote:
    """One process; see zygote.py."""

    def __init__(self, walls: str) -> None:
        self.left = RECYCLE_AFTER
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.requests = ours
        root = str(Path(__file__).resolve().parents[2])
        with theirs:
            self.process = subprocess.Popen(
                # As -I, but that the seed of hashes is the same in every run.
                [_interpreter(), "-S", "-s", "-P", "-c", _BOOT, root, str(theirs.fileno()), walls],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"},
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                cwd="/",
            )
        answer = self._first_answer()
        if "ready" not in answer:
            self.close()
            raise Unavailable(str(answer.get("refused", "the zygote said nothing")))

    def _first_answer(self) -> dict[str, object]:
        readable, _, _ = select.select([self.requests], [], [], START_LIMIT_S)
        data = self.requests.recv(1 << 16) if readable else b""
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


def _interpreter() -> str:
    """The interpreter itself, not the environment's name for it: the box has no environment."""
    found = Path(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}")
    return str(found) if found.exists() else os.path.realpath(sys.executable)


class Pool:
    """Runs behind one kind of walls."""

    def __init__(self, walls: str) -> None:
        self.walls = walls
        self._lock = threading.Lock()
        self._zygote: _Zygote | None = None
        self._retired: list[_Zygote] = []
        self._owner = os.getpid()
        atexit.register(self.close)

    def start(self, limits: Limits, fds: tuple[int, int, int, int]) -> Started:
        """Fork a run whose 0, 1, 2 and 3 (control) are these.

        Raises:
            Unavailable: no zygote can be started.
            Lost: the zygote did not fork it.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs, self._lock:
                zygote = self._current()
                zygote.left -= 1
                request = json.dumps({"limits": list(limits)}).encode()
                socket.send_fds(zygote.requests, [request], [*fds, theirs.fileno()])
            ours.settimeout(START_LIMIT_S)
            data, passed, _, _ = socket.recv_fds(ours, 1 << 12, 1)
            answer = json.loads(data) if data else {}
            if not passed:
                raise Lost(str(answer.get("lost", "the zygote ended")))
            ours.setblocking(False)
            return Started(passed[0], ours)
        except OSError as error:
            ours.close()
            self._drop()
            raise Lost(f"the zygote is gone: {error}") from error
        except BaseException:
            ours.close()
            raise

    def close(self) -> None:
        """End the zygote and all runs."""
        with self._lock:
            self._drop_now()

    def _current(self) -> _Zygote:
        if self._owner != os.getpid():  # a fork has its parent's sockets, and must not use them
            self._zygote, self._retired, self._owner = None, [], os.getpid()
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

    def _drop(self) -> None:
        with self._lock:
            self._drop_now()

    def _drop_now(self) -> None:
        gone = [*self._retired, *([self._zygote] if self._zygote is not None else [])]
        self._zygote, self._retired = None, []
        if self._owner == os.getpid():
            for zygote in gone:
                zygote.close()
