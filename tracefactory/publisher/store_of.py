"""A place that fsspec reaches, with the few things a publication does there.

Local folders are written by the store's own atomic and durable writes; of others the service must
make a write whole or not at all, as S3 and its like do.
"""

import contextlib
import importlib
import os
import posixpath
from collections.abc import Generator
from pathlib import Path
from typing import Any

from tracefactory.errors import FactoryError, RecipeError, ResourceError
from tracefactory.store.files import disk_errors, sha256_of, sync_folder, write_atomic


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

    def _full(self, path: str) -> str:
        return posixpath.join(self._root, path)

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
                "stands as it was; give the same command again."
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
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._errors(path):
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
        """Put a small file in place at once."""
        if self.local:
            write_atomic(Path(self._full(path)), data)
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

    def copy(self, path: str, target: str) -> None:
        """Copy a file within the place, by the service itself."""
        if self.local:
            _copy(Path(self._full(path)), Path(self._full(target)), link=True)
            return
        if self.size(path) != self.size(target):
            with self._errors(target):
                self._fs.cp_file(self._full(path), self._full(target))


def _copy(source: Path, target: Path, *, link: bool = False) -> None:
    """Copy durably; `link`: share the bytes, where the file system can."""
    with disk_errors(target, source.stat().st_size):
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
