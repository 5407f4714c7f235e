"""A place that fsspec reaches, with the few things a publication does there.

Local folders are written by the store's own atomic and durable writes; of others the service must
make a write whole or not at all, as S3 and its like do.
"""

import contextlib
import importlib
import os
import posixpath
import socket
import uuid
from collections.abc import Generator
from pathlib import Path
from typing import Any

from tracefactory.errors import FactoryError, RecipeError, ResourceError
from tracefactory.publisher.disk import TEMPORARY_ADVICE, written
from tracefactory.store.files import (
    TEMPORARY,
    sha256_of,
    sweep_temporaries,
    sync_folder,
    write_new,
)


class Store:
    """A folder or a bucket."""

    def __init__(self, url: str) -> None:
        """Raises: RecipeError: no such kind of place; ResourceError: its package is missing."""
        core = importlib.import_module("fsspec.core")
        self.url = url
        try:
            found: tuple[Any, str] = core.url_to_fs(url)
        except ImportError as error:
            raise ResourceError(
                f"{url}: {error}; `pip install 'tracefactory[s3]'` for s3"
            ) from error
        except ValueError as error:
            raise RecipeError(f"{url}: {error}") from error
        self._fs, self._root = found
        protocol = self._fs.protocol
        self.local = "file" in ((protocol,) if isinstance(protocol, str) else protocol)
        if self.local and Path(self._root).is_file():
            raise RecipeError(f"{url} is a file; releases are published to a folder: name another")

    def _full(self, path: str) -> str:
        return posixpath.join(self._root, path)

    def here(self, path: str) -> Path | None:
        """A file's place on this machine; None: the store is elsewhere."""
        return Path(self._full(path)) if self.local else None

    @contextlib.contextmanager
    def _errors(self, path: str) -> Generator[None]:
        """Turn what a service says into an error that names the place."""
        try:
            yield
        except FactoryError:
            raise
        except Exception as error:
            what = " ".join(str(error).split())[:300]
            raise ResourceError(
                f"{self.url}/{path}: {type(error).__name__}: {what}. What was published before "
                f"stands as it was; {_advice(error)}."
            ) from error

    def names(self) -> list[str]:
        """What lies at the top."""
        self._fs.invalidate_cache()
        with self._errors(""):
            try:
                listed = self._fs.ls(self._root, detail=False)
            except FileNotFoundError:
                return []
        return sorted(posixpath.basename(name.rstrip("/")) for name in listed)

    def read(self, path: str) -> bytes | None:
        """A small file; None: there is none. Never out of a cache."""
        self._fs.invalidate_cache()
        with self._errors(path):
            try:
                data: bytes = self._fs.cat_file(self._full(path))
            except FileNotFoundError:
                return None
        return data

    def get(self, path: str, target: Path) -> Path | None:
        """Load a file; None: there is none."""
        with written(target, TEMPORARY_ADVICE):
            target.parent.mkdir(parents=True, exist_ok=True)
        with self._errors(path), written(target, TEMPORARY_ADVICE, only_full=True):
            try:
                self._fs.get_file(self._full(path), str(target))
            except FileNotFoundError:
                return None
        return target

    def size(self, path: str) -> int | None:
        """Bytes of a file; None: there is none."""
        self._fs.invalidate_cache()
        with self._errors(path):
            try:
                return int(self._fs.info(self._full(path))["size"])
            except FileNotFoundError:
                return None

    def write(self, path: str, data: bytes) -> None:
        """Put a small file in place at once.

        The temporary of a local store lies at its top: a kill leaves nothing inside a release, in
        which an audit would find it.
        """
        if self.local:
            owner = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
            _replace(Path(self._root, f"{TEMPORARY}{owner}"), Path(self._full(path)), data)
            return
        with self._errors(path):
            self._fs.pipe_file(self._full(path), data)

    def put(self, source: Path, path: str, sha256: str) -> None:
        """Send a file; one that an interrupted publication has sent already is left alone.

        By its hash where it can be read here, else by its size: a release's folder has the name of
        its contents, so a whole file there is this one.
        """
        full = self._full(path)
        if self.size(path) == source.stat().st_size and (
            not self.local or sha256_of(Path(full)) == sha256
        ):
            return
        if self.local:
            _copy(source, Path(full))
            return
        with self._errors(path):
            self._fs.put_file(str(source), full)

    def sweep(self, folder: str) -> None:
        """Remove what killed writes left: within a release, and at the top if they were ours.

        Nobody writes temporaries into a release now, but other versions did.
        """
        if self.local:
            sweep_temporaries(Path(self._full(folder)))
            for left in Path(self._root).glob(f"{TEMPORARY}{socket.gethostname()}-*"):
                if _is_dead(left.name.rsplit("-", 2)[1]):
                    left.unlink(missing_ok=True)

    def copy(self, path: str, target: str) -> None:
        """Copy a file within the place, by the service itself."""
        if self.local:
            _copy(Path(self._full(path)), Path(self._full(target)), link=True)
            return
        if self.size(path) != self.size(target):
            with self._errors(target):
                self._fs.cp_file(self._full(path), self._full(target))


def _advice(error: Exception) -> str:
    """What helps: a path through a file never becomes one that can be read."""
    if isinstance(error, NotADirectoryError | PermissionError):
        return "name another target, or put that right"
    return "give the same command again"


def _is_dead(pid: str) -> bool:
    """Is there no such process on this machine?"""
    return pid.isdigit() and not Path("/proc", pid).exists() and Path("/proc/self").exists()


def _replace(temporary: Path, target: Path, data: bytes) -> None:
    """Put `data` in place whole or not at all, and durably."""
    with written(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_new(temporary, data)
            temporary.replace(target)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(target.parent)


def _copy(source: Path, target: Path, *, link: bool = False) -> None:
    """Copy durably; `link`: share the bytes, where the file system can."""
    with written(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        try:
            if not link:
                raise OSError
            os.link(source, target)
        except OSError:
            with source.open("rb") as old, target.open("xb") as new:
                while data := old.read(1 << 20):
                    new.write(data)
                new.flush()
                os.fsync(new.fileno())
        sync_folder(target.parent)
