"""How much memory a run holds: the sum over its process, its group and all that descend from it."""

import contextlib
import os

from tracefactory.sandbox.family import children

_PAGE = os.sysconf("SC_PAGE_SIZE")


def tree_bytes(pidfd: int) -> int:
    """Resident bytes that no file backs, of the process and its descendants; 0 if it is gone."""
    total, first = 0, _pid_of(pidfd)
    waiting = [first, *_adopted(first)]
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


def _adopted(first: int) -> list[int]:
    """Orphans of its group that went to its parent, where no namespace has a parent for them."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        with open(f"/proc/{first}/stat", encoding="ascii", errors="replace") as file:
            _, parent, group, *_ = file.read().rpartition(")")[2].split()
        if int(group) == first:
            return [pid for pid in children(int(parent)) if pid != first and _group(pid) == first]
    return []


def _group(pid: int) -> int:
    with contextlib.suppress(ProcessLookupError):
        return os.getpgid(pid)
    return -1


def _pid_of(pidfd: int) -> int:
    with (
        contextlib.suppress(OSError),
        open(f"/proc/self/fdinfo/{pidfd}", encoding="ascii") as file,
    ):
        for line in file:
            if line.startswith("Pid:"):
                return int(line.split()[1])
    return -1
