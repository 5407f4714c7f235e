"""Processes that belong together: staying above them, ending them all, counting a user's.

What escapes its own parent is handed to the nearest ancestor that asked for it (`adopt`). So the
process that stands above the forks sees every one of their descendants sooner or later, whatever
sessions and groups they went into, and leaves none behind.
"""

import contextlib
import os
import resource
import signal
import tempfile
from typing import NoReturn

from tracefactory.sandbox import syscalls as call
from tracefactory.sandbox.remove import remove_tree
from tracefactory.sandbox.rights import NOBODY


def adopt() -> None:
    """From now on every orphan among the descendants becomes a child of this process."""
    call.prctl(call.PR_SET_CHILD_SUBREAPER, 1)


def go_on_in_child(prefix: str = "") -> str:
    """Fork; the child goes on, the parent only stands above it and ends all that it leaves.

    Args:
        prefix: of a folder in /tmp that both know and the parent removes; none if empty.

    Returns:
        The folder; it belongs to whom `give_up_root` makes of this process.
    """
    adopt()
    folder = tempfile.mkdtemp(prefix=prefix, dir="/tmp") if prefix else ""
    if folder and os.getuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    child = os.fork()
    if child:
        _stand_above(child, folder)
    call.die_with_parent(signal.SIGKILL)
    return folder


def _stand_above(child: int, folder: str) -> NoReturn:
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    while True:
        pid, status = os.waitpid(-1, 0)  # orphans too, which would stay as zombies
        if pid == child:
            break
    end_children()
    if folder:
        remove_tree(folder)
    os._exit(os.waitstatus_to_exitcode(status) & 255)


def children(pid: int) -> list[int]:
    """The processes that this one started and has not waited for; none if it is gone."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", "rb") as file:
                found += map(int, file.read().split())
    return found


def kill(pid: int) -> None:
    """SIGKILL; silent if it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def end_children() -> None:
    """Kill and wait for every child, and for the orphans that this makes children."""
    while True:
        for pid in children(os.getpid()):
            with contextlib.suppress(PermissionError):
                kill(pid)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def kill_group(group: int) -> None:
    """SIGKILL to all of it, and to a first process that did not make it yet; silent if gone."""
    kill(group)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def end_group(group: int) -> None:
    """Kill what its first process left, and wait for all of it: orphans, our children now."""
    with contextlib.suppress(ChildProcessError):
        while True:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
            os.waitid(os.P_PGID, group, os.WEXITED)


def processes_of_user() -> int:
    """How many threads this user has already: the kernel counts them all together."""
    user, count = os.getuid(), 0
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if entry.stat().st_uid == user:
                    count += len(os.listdir(f"{entry.path}/task"))
    return count
