"""Reading the files of a folder whose names and contents somebody else chose.

A name is followed only if it is relative, has no `..`, and no part of it is a link; a file is read
only up to a stated size. Nothing here believes what a file says of itself.
"""

import os
import stat
from pathlib import Path, PurePosixPath

MAX_TEXT_BYTES = 256 << 20
"""Of a manifest, a card, a report: far above any, and what a JSON parser can still hold."""


class Unsafe(Exception):
    """A name or a file that is not followed; the text says why."""


def path_of(root: Path, name: str) -> Path:
    """The regular file of this name in the folder.

    Raises:
        Unsafe: the name leads out of the folder or through a link, or is no regular file.
        FileNotFoundError: there is none.
    """
    parts = PurePosixPath(name).parts
    if not parts or "\0" in name or "\\" in name or parts[0] == "/" or ".." in parts:
        raise Unsafe("the name leads out of the folder")
    path, mode = root, 0
    for part in parts:
        path = path / part
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            raise Unsafe("a link, which is not followed")
    if not stat.S_ISREG(mode):
        raise Unsafe("no regular file")
    return path


def read_bytes(root: Path, name: str, limit: int = MAX_TEXT_BYTES) -> bytes:
    """A small file, whole.

    Raises:
        Unsafe: it is not followed, or larger than the limit.
        FileNotFoundError: there is none.
    """
    path = path_of(root, name)
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise Unsafe(f"larger than {limit:,} bytes")
    return data


def walk(root: Path) -> tuple[list[str], list[str]]:
    """Names of all regular files, and of everything else but folders (links, pipes, devices)."""
    files: list[str] = []
    others: list[str] = []
    for folder, folders, names in os.walk(root, followlinks=False):
        for name in sorted([*names, *folders]):
            path = Path(folder) / name
            mode = os.lstat(path).st_mode
            relative = path.relative_to(root).as_posix()
            if stat.S_ISREG(mode):
                files.append(relative)
            elif not stat.S_ISDIR(mode):
                others.append(relative)
    return sorted(files), sorted(others)
