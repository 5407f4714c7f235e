"""One live driver a run folder.

A POSIX record lock (fcntl.lockf): the kernel frees it when the process dies, forked helpers do not
inherit it, and it works over NFS. The file also says who holds it, for the message. Because such a
lock is dropped when its process closes *any* descriptor of the file, only this module opens it.

Takeover is for a holder that cannot be asked (another host that died, an NFS server that still
remembers): a new file is renamed into place and locked; the old driver, should it be alive after
all, sees that the file is not its own before its next receipt, and stops.
"""

import fcntl
import os
import socket
import struct
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from tracefactory.errors import LockedError
from tracefactory.store.files import disk_errors, write_atomic


_held: dict[Path, "Holder"] = {}
"""Locks of this process: opening and closing such a file again would drop the lock."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds, or last held, the lock."""

    host: str
    pid: int
    epoch: int
    """Counts the drivers of this folder; events and messages name it."""
    since: float

    def __str__(self) -> str:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"process {self.pid} on {self.host}, since {when}"


def _read_holder(fd: int) -> Holder | None:
    try:
        return Holder(**orjson.loads(os.pread(fd, 4096, 0)))
    except (orjson.JSONDecodeError, TypeError):
        return None


class Lock:
    """The lock of a run folder, held from construction to `release` or death."""

    def __init__(self, path: Path, *, takeover: bool = False) -> None:
        """Take the lock.

        Raises:
            LockedError: a live process holds it.
            ResourceError: the folder cannot be written.
        """
        self.path = path = path.absolute()
        if path in _held:
            raise LockedError(f"{path.parent} is in use by another run of this same process")
        with disk_errors(path, 0):
            path.parent.mkdir(parents=True, exist_ok=True)
            fd = self._open()
        last = _read_holder(fd)
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            if not takeover:
                raise LockedError(
                    f"{path.parent} is in use by another run ({last or 'unknown process'}). Wait for "
                    "it, stop it, or, if you know that it is dead, repeat with --takeover."
                ) from None
            write_atomic(path, b"{}")
            fd = self._open()
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._fd = fd
        self._inode = os.fstat(fd).st_ino
        self._pid = os.getpid()
        self.holder = Holder(
            socket.gethostname(), self._pid, (last.epoch if last else 0) + 1, time.time()
        )
        with disk_errors(path, 0):
            os.ftruncate(fd, 0)
            os.pwrite(fd, orjson.dumps(asdict(self.holder)), 0)
            os.fsync(fd)
        _held[path] = self.holder

    def _open(self) -> int:
        return os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)

    def check(self) -> None:
        """Is it still ours? Called before every receipt.

        Raises:
            LockedError: another driver took the folder over, or the folder is gone.
        """
        try:
            ours = self.path.stat().st_ino == self._inode
        except FileNotFoundError:
            ours = False
        if not ours or os.getpid() != self._pid:
            raise LockedError(
                f"{self.path.parent} was taken over by another run while this one was working; "
                "this one stops, the other keeps all finished work"
            )

    def release(self) -> None:
        """Give the lock back; safe to call twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            _held.pop(self.path, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def live_holder(path: Path) -> Holder | None:
    """Who holds the lock right now, without taking it; None when nobody does."""
    if path.absolute() in _held:
        return _held[path.absolute()]
    try:
        fd = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        layout = "hhqqi4x"  # struct flock on 64-bit Linux: type, whence, start, len, pid
        asked = struct.pack(layout, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind = struct.unpack(layout, fcntl.fcntl(fd, fcntl.F_GETLK, asked))[0]
        return None if kind == fcntl.F_UNLCK else _read_holder(fd)
    finally:
        os.close(fd)
