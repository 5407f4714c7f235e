"""How much memory a run holds: the sum over its process and all that descend from it."""

import contextlib
import os

from tracefactory.sandbox.family import children

_PAGE = os.sysconf("SC_PAGE_SIZE")


def tree_bytes(pidfd: int) -> int:
    """Resident bytes that no file backs, of the process and its descendants; 0 if it is gone."""
    total = 0
    waiting = [_pid_of(pidfd)]
    while waiting:
        pid = waiting.pop()
        if pid <= 0:
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):
            with open(f"/proc/{pid}/statm", encoding="ascii") as file:
                _, resident, shared, *_ = map(int, file.read().split())
            total += (resident - shared) * _PAGE
            waiting += children(pid)
    return total


def _pid_of(pidfd: int) -> int:
    with (
        contextlib.suppress(OSError),
        open(f"/proc/self/fdinfo/{pidfd}", encoding="ascii") as file,
    ):
        for line in file:
            if line.startswith("Pid:"):
                return int(line.split()[1])
    return -1
