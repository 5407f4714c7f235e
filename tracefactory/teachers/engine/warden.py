"""See that nothing of a server outlives its owner: a process between the two.

    python -I -S warden.py '{"lifeline": 5, "command": [...], "folder": "/tmp/...", "mark": "..."}'

Two wardens, one the parent of the other, hold the server's tree. Each is a subreaper: whatever in
the tree loses its parent becomes its child, wherever it has gone (setsid and double forks do not
help). Each holds the end of a pipe that only breaks: the outer one's when the owner is gone, the
inner one's when the outer one is. So any one of owner, outer and inner warden may be killed, at any
time, and another one is there to clean up: it kills the tree, and removes the server's folder (its
socket, its log) and the shared memory that the tree had and nobody else has.

The outer one tells the owner how the server ended, and the end of its log, in one line of JSON.

Only the standard library, and nothing of this package: it starts in an instant, in any Python.
Linux only. Not here: whether a server is well (watch.py), who starts it again (server.py).
"""

import ctypes
import json
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

MARK = "TRACEFACTORY_ENGINE"
"""Variable in the environment of everything in the tree, by which `sweep` knows it."""
LOG = "log"
"""Name of the server's log in its folder."""

_SHM = Path("/dev/shm")
_LEFT_BEHIND = ("psm_", "sem.mp-", "torch_", "nccl-")
"""What processes make in /dev/shm for each other. Never a file of another name: somebody's model
may lie there too."""
_LOOK_EVERY_S = 0.2
_LOOKS = 5
_TAIL_BYTES = 6_000
_PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """Be the outer warden, and the inner one's parent."""
    order: dict[str, Any] = json.loads(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _adopt_orphans()
    read_end, write_end = os.pipe()
    inner = os.fork()
    if not inner:
        os.close(write_end)
        os.close(int(order["lifeline"]))
        _be_inner(read_end, order)
    os.close(read_end)
    ending = _Ward(int(order["lifeline"]), inner).until_the_end()
    tail = log_tail(Path(order["folder"]))
    remove(order["folder"], ending.shared)
    _say({"ended": ending.code, "log": tail})
    os._exit(0)


def _be_inner(lifeline: int, order: dict[str, Any]) -> None:
    os.setsid()
    _adopt_orphans()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # only the outer one tells
    server = os.fork()
    if not server:
        _become(order)
    ending = _Ward(lifeline, server).until_the_end()
    # The folder is the outer one's to remove, after a look at the log, if it is there.
    remove(order["folder"] if ending.orphaned else None, ending.shared)
    os._exit(ending.code if ending.code >= 0 else 128 - ending.code)


def _adopt_orphans() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _become(order: dict[str, Any]) -> None:
    """Turn into the server; its words go to the log."""
    code = 127
    try:
        os.setsid()
        os.dup2(2, 1)  # the log, which the owner has opened
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        env = os.environ | {MARK: order["mark"], "SPT_NOENV": "1"}  # setproctitle: let it stand
        os.execvpe(order["command"][0], order["command"], env)
    except OSError as error:
        os.write(2, f"cannot start {order['command'][0]}: {error}\n".encode())
    finally:
        os._exit(code)


class _Ending:
    def __init__(self, code: int, shared: set[str], orphaned: bool) -> None:
        self.code, self.shared, self.orphaned = code, shared, orphaned


class _Ward:
    """One warden's watch over one child and all that comes from it."""

    def __init__(self, lifeline: int, child: int) -> None:
        self._lifeline, self._child = lifeline, child
        self._code: int | None = None
        self._shared: set[str] = set()
        self._seen: frozenset[str] = frozenset()
        self._looks = 0
        self._woken, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self._asked_to_end = False
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._end)

    def _end(self, *_: object) -> None:
        self._asked_to_end = True

    def until_the_end(self) -> _Ending:
        """Wait for the child to end or the lifeline to break; leave nothing of the tree."""
        orphaned = False
        while self._code is None and not orphaned and not self._asked_to_end:
            ready, _, _ = select.select([self._lifeline, self._woken], [], [], _LOOK_EVERY_S)
            orphaned = self._lifeline in ready
            if self._woken in ready:
                os.read(self._woken, 4096)
            self._collect()
            self._reap()
        self._kill_all()
        code = self._code if self._code is not None else -signal.SIGKILL
        return _Ending(code, self._shared, orphaned)

    def _collect(self) -> None:
        """Note which shared memory the tree has, whenever there is new one, and a while after."""
        there = frozenset(_shm_names())
        if there - self._seen:
            self._looks = _LOOKS  # it has a name before it is mapped
        self._seen = there
        if self._looks:
            self._looks -= 1
            self._shared |= mapped(descendants(os.getpid()))

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid == self._child:
                self._code = os.waitstatus_to_exitcode(status)

    def _kill_all(self) -> None:
        """Until nothing is below us; what is forked meanwhile is met in the next turn."""
        below = descendants(os.getpid())
        self._shared |= mapped(below)
        pause_s = 0.005
        while below:
            kill(below)
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, 1.0)  # one that hangs in a driver ends when it likes
            self._reap()
            below = descendants(os.getpid())


def _say(line: dict[str, Any]) -> None:
    with suppress(OSError):  # the owner is gone
        os.write(1, json.dumps(line).encode() + b"\n")


# --- what a warden knows of processes, used by owners too -----------------------------------------


def descendants(root: int) -> list[int]:
    """All processes below this one; the dead among them that nobody has taken leave of, too."""
    children: dict[int, list[int]] = {}
    for pid in _processes():
        with suppress(OSError, IndexError, ValueError):
            # The name, in parentheses, may hold spaces and parentheses.
            parent = int(_read(f"/proc/{pid}/stat").rpartition(b")")[2].split()[1])
            children.setdefault(parent, []).append(pid)
    found: list[int] = []
    open_ = [root]
    while open_:
        below = children.get(open_.pop(), [])
        found += below
        open_ += below
    return found


def marked(mark: str) -> list[int]:
    """All processes of a tree, by their environment."""
    needle = f"{MARK}={mark}".encode()
    found: list[int] = []
    for pid in _processes():
        with suppress(OSError):
            if needle in _read(f"/proc/{pid}/environ").split(b"\0"):
                found.append(pid)
    return found


def mapped(pids: Iterable[int]) -> set[str]:
    """Shared memory that these processes have, by its name in /dev/shm."""
    found: set[str] = set()
    for pid in pids:
        with suppress(OSError):
            for line in _read(f"/proc/{pid}/maps").splitlines():
                _, slash, name = line.partition(b"/dev/shm/")
                if slash and name.decode(errors="replace").startswith(_LEFT_BEHIND):
                    found.add(name.decode(errors="replace").removesuffix(" (deleted)"))
    return found


def kill(pids: Iterable[int]) -> None:
    """SIGKILL to each that is still there and ours."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def remove(folder: str | None, shared: set[str]) -> None:
    """Remove a server's folder, and shared memory that nobody has any more.

    The folder above goes too, once there is nothing in it.
    """
    for name in shared - (mapped(_processes()) if shared else set()):
        with suppress(OSError):
            (_SHM / name).unlink()
    if not folder:
        return
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        Path(folder).parent.rmdir()


def sweep(mark: str, folder: str) -> None:
    """What wardens do, for an owner whose wardens are gone."""
    shared: set[str] = set()
    until = time.monotonic() + 10.0
    while (left := marked(mark)) and time.monotonic() < until:
        shared |= mapped(left)
        kill(left)
        time.sleep(0.01)
    remove(folder, shared)


def log_tail(folder: Path) -> str:
    """The last words in a server's log."""
    try:
        with (folder / LOG).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
            return log.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 (quicker)


def _shm_names() -> list[str]:
    with suppress(OSError):
        return [name for name in os.listdir(_SHM) if name.startswith(_LEFT_BEHIND)]  # noqa: PTH208
    return []


def _read(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 (hundreds of times a second, at the end)
        return file.read()


if __name__ == "__main__":
    main()
