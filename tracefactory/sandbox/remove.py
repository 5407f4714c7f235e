"""Removing what a run left in a folder, whatever shape it gave it."""

import contextlib
import os

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""How a folder is opened that somebody else may be changing."""


def remove_tree(folder: str) -> None:
    """Remove the folder and all beneath it.

    No recursion, no paths and one descriptor at a time: the tree may be deeper than any of these
    can be. Folders that their owner may not read are made readable. Nobody else writes there.
    """
    with contextlib.suppress(OSError):
        here = _opened(folder, None)
        way: list[tuple[str, list[str]]] = []
        left = _without_files(here)
        while left or way:
            if left:
                way.append((left.pop(), left))
                here = _opened(way[-1][0], here)
                left = _without_files(here)
            else:
                name, left = way.pop()
                here = _opened("..", here)
                os.rmdir(name, dir_fd=here)
        os.close(here)
        os.rmdir(folder)


def _opened(name: str, parent: int | None) -> int:
    """The folder's descriptor; the parent's is closed."""
    try:
        return os.open(name, FOLDER, dir_fd=parent)
    except PermissionError:
        os.chmod(name, 0o700, dir_fd=parent)
        return os.open(name, FOLDER, dir_fd=parent)
    finally:
        if parent is not None:
            os.close(parent)


def _without_files(folder: int) -> list[str]:
    """Remove the files; the names of the folders in it."""
    os.fchmod(folder, 0o700)
    inner: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                inner.append(entry.name)
            else:
                os.unlink(entry.name, dir_fd=folder)
    return inner
