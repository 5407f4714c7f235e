"""The interpreter that boxes run: where it stands, and a copy if nobody else may go there.

Not here: hiding the rest of the host (namespaces.py, landlock.py, bwrap.py).
"""

import contextlib
import hashlib
import os
import shutil
import stat
import sys
import tempfile
from pathlib import Path

SHORT_NAMES = ("bin", "sbin", "lib", "lib32", "lib64")
"""Folders of the root that are part of /usr, mostly as links."""
DEVICES = ("null", "full", "random", "urandom")
"""The files of /dev that a box has. Not zero: mapped, it is memory that no limit counts."""
_PLACE = "/var/tmp"  # not /tmp, which a box covers with its own
_NAME = f"python{sys.version_info[0]}.{sys.version_info[1]}"
_NOT_COPIED = ("site-packages", "test", "idlelib", "tkinter", "ensurepip", "turtledemo")


def interpreter(prefix: str = sys.base_prefix) -> str:
    """The interpreter itself, not the environment's name for it: the box has no environment."""
    found = Path(prefix, "bin", _NAME)
    return str(found) if found.exists() else os.path.realpath(sys.executable)


def readable_paths() -> list[str]:
    """What of the host a program may read: /usr, and the interpreter if it lives elsewhere."""
    found = ["/usr"]
    for prefix in (sys.base_prefix, sys.base_exec_prefix):
        path = os.path.realpath(prefix)
        if path != "/" and not any(path == one or path.startswith(one + "/") for one in found):
            found.append(path)
    return found


def interpreter_for_nobody() -> tuple[str, list[str]]:
    """The interpreter's prefix and the readable paths.

    If root's interpreter stands where nobody else may go, it is a copy; sys.path then names the
    copy, so that this process and its forks import from there.
    """
    paths = readable_paths()
    closed = [path for path in paths if os.getuid() == 0 and not _open_to_all(path)]
    if not closed:
        return sys.base_prefix, paths
    folder, here = _copied_interpreter(), os.path.realpath(sys.base_prefix)
    packages = [getattr(module, "__path__", None) for module in list(sys.modules.values())]
    for places in (sys.path, *packages):  # a package imported already would look in the old place
        if isinstance(places, list):
            places[:] = [path.replace(here, folder) for path in places]
    return folder, [path for path in paths if path not in closed] + [folder]


def _open_to_all(path: str) -> bool:
    """May every user enter the folder and all above it?"""
    parts = Path(path)
    return all(os.stat(part).st_mode & 0o001 for part in (parts, *parts.parents))


def _copied_interpreter() -> str:
    """The interpreter and its library where all may read them; made once for each interpreter.

    A link names the finished copy: making it is one step, so there is never half a copy.
    """
    key = hashlib.sha256(f"{sys.base_prefix}\0{sys.version}".encode()).hexdigest()[:16]
    link = f"{_PLACE}/tracefactory-python-{key}.copy"
    with contextlib.suppress(FileNotFoundError):
        return _checked_copy(link)
    fresh = tempfile.mkdtemp(prefix="tracefactory-python-", dir=_PLACE)
    try:
        _copy_to(fresh)
        os.symlink(fresh, link)
    except FileExistsError:  # another process was first
        shutil.rmtree(fresh, ignore_errors=True)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return _checked_copy(link)


def _checked_copy(link: str) -> str:
    """Where the link leads, if both are root's own.

    Raises:
        FileNotFoundError: there is none, or what it named was cleared away.
        FileExistsError: somebody else made it.
    """
    if os.lstat(link).st_uid == 0 and stat.S_ISLNK(os.lstat(link).st_mode):
        folder = os.readlink(link)
        try:
            found = os.lstat(folder)
        except FileNotFoundError:
            os.unlink(link)
            raise
        if stat.S_ISDIR(found.st_mode) and found.st_uid == 0 and not found.st_mode & 0o022:
            return folder
    raise FileExistsError(17, f"{link} exists and is not root's: remove it")


def _copy_to(folder: str) -> None:
    shutil.copytree(
        f"{sys.base_prefix}/lib/{_NAME}", f"{folder}/lib/{_NAME}",
        symlinks=True, ignore=shutil.ignore_patterns(*_NOT_COPIED),
    )  # fmt: skip
    for library in Path(sys.base_prefix, "lib").glob("libpython*.so*"):
        shutil.copy2(library, f"{folder}/lib/{library.name}")
    os.mkdir(f"{folder}/bin")
    shutil.copy2(f"{sys.base_prefix}/bin/{_NAME}", f"{folder}/bin/{_NAME}")
    os.chmod(folder, 0o755)
