"""What a run holds: of memory all its processes together, of disk what it wrote and still reaches.

Disk is looked at only where no file system of its own bounds it (Walls.folder).

Not here: when it is looked at, and what too much of it means (box.py).
"""

import contextlib
import math
import os
import re
import stat
from collections.abc import Iterator

from tracefactory.sandbox.family import children
from tracefactory.sandbox.remove import FOLDER

_PAGE = os.sysconf("SC_PAGE_SIZE")
_BLOCK = 512
_EXITING = 0x4
_MAX_ENTRIES, _MAX_DEPTH = 4096, 64
"""As many files as the file system of the other rungs holds; folders within folders."""
_UNLINKED = re.compile(
    rb"^([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) \S+ (\d+) .*\(deleted\)$", re.MULTILINE
)


def tree_bytes(pidfd: int) -> int:
    """Resident bytes that no file backs, of the process and its descendants; 0 if it is gone."""
    total = 0
    for pid in _tree(pidfd):
        with contextlib.suppress(OSError, ValueError, IndexError):
            with open(f"/proc/{pid}/statm", encoding="ascii") as file:
                _, resident, shared, *_ = map(int, file.read().split())
            total += (resident - shared) * _PAGE
    return total


def disk_bytes(folder: str, pidfd: int) -> float:
    """Bytes on disk of what is in the folder, and of files without names that are open or mapped.

    Infinite if that cannot be known: more than 4,096 entries, more than 64 folders within each
    other, or one that may not be read.
    """
    disk = _Disk()
    try:
        disk.add_folder(folder, None, 0)
        for pid in _tree(pidfd):
            disk.add_process(pid)
    except (PermissionError, _TooMany):
        return math.inf
    return sum(disk.files.values())


class _TooMany(Exception):
    """More than any program needs: counting it would be its next trick."""


class _Disk:
    """Files by the number of their inode, with bytes: each counts once."""

    def __init__(self) -> None:
        self.files: dict[int, int] = {}
        self._left = _MAX_ENTRIES

    def add_folder(self, name: str, parent: int | None, depth: int) -> None:
        """All below it, by names alone: the tree may be deeper than a path can be."""
        if depth > _MAX_DEPTH:
            raise _TooMany
        inner: list[str] = []
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            here = os.open(name, FOLDER, dir_fd=parent)
            try:
                with os.scandir(here) as entries:
                    for entry in entries:
                        self._add_entry(entry, inner)
                for one in inner:
                    self.add_folder(one, here, depth + 1)
            finally:
                os.close(here)

    def _add_entry(self, entry: os.DirEntry[str], inner: list[str]) -> None:
        self._left -= 1
        if not self._left:
            raise _TooMany
        with contextlib.suppress(FileNotFoundError):
            found = entry.stat(follow_symlinks=False)
            self.files[found.st_ino] = found.st_blocks * _BLOCK
            if stat.S_ISDIR(found.st_mode):
                inner.append(entry.name)

    def add_process(self, pid: int) -> None:
        """Files without names that it holds. Each thread may have files of its own."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for task in os.listdir(f"/proc/{pid}/task"):
                self._add_thread(f"/proc/{pid}/task/{task}")

    def _add_thread(self, place: str) -> None:
        """One that is ending may not be looked at, and need not."""
        try:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                self._add_open(f"{place}/fd")
                self._add_mapped(f"{place}/maps")
        except PermissionError:
            if not _is_ending(place):
                raise

    def _add_open(self, fds: str) -> None:
        """Unlinked, and open."""
        for fd in os.listdir(fds):
            with contextlib.suppress(FileNotFoundError):
                found = os.stat(f"{fds}/{fd}")
                if stat.S_ISREG(found.st_mode) and not found.st_nlink:
                    self.files[found.st_ino] = found.st_blocks * _BLOCK

    def _add_mapped(self, maps: str) -> None:
        """Unlinked, and in memory; a part that is not mapped does not count."""
        with open(maps, "rb") as file:
            text = file.read()
        for start, end, offset, inode in _UNLINKED.findall(text):
            size = int(end, 16) - int(start, 16) + int(offset, 16)
            self.files[int(inode)] = max(size, self.files.get(int(inode), 0))


def _tree(pidfd: int) -> Iterator[int]:
    """The process, what descends from it, and the orphans of its group."""
    first = _pid_of(pidfd)
    waiting = [first, *_adopted(first)]
    while waiting:
        pid = waiting.pop()
        if pid > 0:
            yield pid
            waiting += children(pid)


def _is_ending(place: str) -> bool:
    """Gone, waited for, or on its way: its flags say PF_EXITING."""
    try:
        with open(f"{place}/stat", encoding="ascii", errors="replace") as file:
            state, *fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX" or bool(int(fields[5]) & _EXITING)


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
