"""One live driver a run folder.

A POSIX record lock (fcntl.lockf): the kernel frees it when the process dies, forked helpers do not
inherit it, and it works over NFS. The file also says who holds it, for the message. Because such a
lock is dropped when its process closes *any* descriptor of the file, only this module opens it.

Takeover is for a holder that cannot be asked (another host that died, an NFS server that still
remembers): a new file is renamed into place and locked; the old driver, should it be alive after
all, sees that the file is not its own before its next receipt, and stops.
"""

import contextlib
import fcntl
import os
import socket
import struct
import time
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import orjson

from tracefactory.errors import LockedError, ResourceError
from tracefactory.store.files import disk_errors, write_atomic

_held: dict[tuple[int, int], "Holder"] = {}
"""Locks of this process by device and inode, however their path is spelled: opening and closing
such a file again would drop the lock. A forked child inherits the entries, not the locks."""

_FILE_BYTES = 512
"""The file is written whole in one call, never cut first: so the epoch survives every crash."""


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


def _file_of(holder: Holder | None) -> bytes:
    return orjson.dumps(asdict(holder) if holder else {}).ljust(_FILE_BYTES - 1) + b"\n"


def _identity(file: os.stat_result) -> tuple[int, int]:
    return file.st_dev, file.st_ino


def _held_here(path: Path) -> Holder | None:
    try:
        holder = _held.get(_identity(path.stat()))
    except OSError:
        return None
    return holder if holder is not None and holder.pid == os.getpid() else None


@contextlib.contextmanager
def _swept() -> Generator[None]:
    """Let it pass that a temporary file was swept away."""
    try:
        yield
    except ResourceError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise


class Lock:
    """The lock of a run folder, held from construction to `release` or death."""

    def __init__(self, path: Path, *, takeover: bool = False) -> None:
        """Take the lock.

        Raises:
            LockedError: a live process holds it.
            ResourceError: the folder cannot be written.
        """
        self.path = path = path.absolute()
        if _held_here(path):
            raise LockedError(f"{path.parent} is in use by another run of this same process")
        with disk_errors(path, 0):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = self._open()
        try:
            last = self._acquire(takeover)
            self._pid = os.getpid()
            self._file = _identity(os.fstat(self._fd))
            self.holder = Holder(
                socket.gethostname(), self._pid, (last.epoch if last else 0) + 1, time.time()
            )
            with disk_errors(path, _FILE_BYTES):
                os.pwrite(self._fd, _file_of(self.holder), 0)
                os.ftruncate(self._fd, _FILE_BYTES)  # of an older or foreign file that was longer
                os.fsync(self._fd)
            self.check()  # a takeover may have come between our open and our lock
        except BaseException:
            os.close(self._fd)
            raise
        _held[self._file] = self.holder

    def _open(self) -> int:
        return os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)

    def _lock(self) -> bool:
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _acquire(self, takeover: bool) -> Holder | None:
        """Lock the file, or with `takeover` a new one in its place; says who held it last."""
        last = _read_holder(self._fd)
        if self._lock():
            return last
        if takeover:
            # a takeover that came first sweeps our temporary away; its lock is refused below
            with _swept():
                write_atomic(self.path, _file_of(last))
            fresh = self._open()
            os.close(self._fd)
            self._fd = fresh
            if self._lock():
                return last
        raise LockedError(
            f"{self.path.parent} is in use by another run ({last or 'unknown process'}). Wait for "
            "it, stop it, or, if you know that it is dead, repeat with --takeover."
        )

    def check(self) -> None:
        """Is it still ours? Called before every receipt.

        Raises:
            LockedError: another driver took the folder over, or the folder is gone.
        """
        try:
            ours = _identity(self.path.stat()) == self._file
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
            _held.pop(self._file, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def live_holder(path: Path) -> Holder | None:
    """Who holds the lock right now, without taking it; None when nobody does."""
    held = _held_here(path)
    if held is not None:
        return held
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        layout = "hhqqi4x"  # struct flock on 64-bit Linux: type, whence, start, len, pid
        asked = struct.pack(layout, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind = struct.unpack(layout, fcntl.fcntl(fd, fcntl.F_GETLK, asked))[0]
        return None if kind == fcntl.F_UNLCK else _read_holder(fd)
    finally:
        os.close(fd)
