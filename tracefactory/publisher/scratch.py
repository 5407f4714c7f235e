"""Temporary folders that are known to be somebody's as long as somebody lives.

The owner holds a lock in its folder, which the kernel lets go when the process ends, however it
ends. So a later process can tell folders of the dead, whose shards fill a disk, from those in use.
"""

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from tracefactory.publisher.disk import TEMPORARY_ADVICE, written

LOCK = "in-use"
UNLOCKED_S = 24 * 3600
"""A folder without a lock may be of another version, and is left alone for a day."""


@contextmanager
def scratch(prefix: str) -> Generator[Path]:
    """A temporary folder of this process; those of the same name whose owners died go first.

    Raises:
        ResourceError: disk full, or no place for temporary folders.
    """
    with written(Path("the folder for temporary files"), TEMPORARY_ADVICE):
        place = Path(tempfile.gettempdir())
    sweep(place, prefix)
    with written(place / prefix, TEMPORARY_ADVICE):
        folder = Path(tempfile.mkdtemp(prefix=prefix))
        lock = _locked(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _locked(folder: Path) -> int:
    """A lock that has its name only once it is held: nobody can take the folder in between."""
    lock = os.open(folder / f"{LOCK}-soon", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    (folder / f"{LOCK}-soon").rename(folder / LOCK)
    return lock


def sweep(place: Path, prefix: str) -> None:
    """Remove folders of this name whose owners are dead; those of other users are left alone."""
    for folder in place.glob(f"{prefix}*"):
        with suppress(OSError):  # somebody else sweeps as well, or it is nothing of ours
            mode = folder.lstat()
            if not stat.S_ISDIR(mode.st_mode) or mode.st_uid != os.getuid():
                continue
            if _left(folder, time.time() - mode.st_mtime):
                shutil.rmtree(folder, ignore_errors=True)


def _left(folder: Path, age_s: float) -> bool:
    try:
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return age_s > UNLOCKED_S
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
