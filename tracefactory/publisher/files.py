"""Anything that fsspec reaches as a target: a folder of releases, and one line that names the last.

    TARGET/releases/<first 12 digits of the manifest's sha256>/...      a whole release each
    TARGET/LATEST                                                       `releases/<...>`, one line

A release is written whole under its own name; only then LATEST names it, in one write. So readers
see the old release or the new one. Old ones are kept: delete what nobody reads any more.
"""

from pathlib import Path, PurePosixPath

from tracefactory.errors import RecipeError, ResourceError
from tracefactory.publisher.head import Head, head_of
from tracefactory.publisher.settle import Settled
from tracefactory.publisher.store_of import Store
from tracefactory.publisher.target import Moved, Outgoing, Show
from tracefactory.schemas.manifest import ShardStats
from tracefactory.store.files import TEMPORARY, sha256_of

LATEST = "LATEST"
RELEASES = "releases"


class Files:
    """A folder, a bucket, or whatever else fsspec has a name for."""

    repository: str | None = None

    def __init__(self, url: str, show: Show) -> None:
        """Args: `s3://bucket/name`, `file:///...`, or a path."""
        self.name = url
        self._store = Store(url)
        self._show = show
        self._at: str | None = None
        self._place: FilesPlace | None = None

    def head(self, work: Path) -> Head | None:
        """The release that LATEST names; None: nothing is there.

        Raises:
            RecipeError: something else is.
            IntegrityError: it is damaged.
        """
        self._at = self._latest()
        if self._at is None:
            others = [
                name
                for name in self._store.names()
                if name != RELEASES and not name.startswith(TEMPORARY)
            ]
            if others:
                raise RecipeError(
                    f"{self.name} holds something that is no release ({others[0]}) and no {LATEST};"
                    " publish to an empty place"
                )
            return None
        self._place = FilesPlace(self._store, self._at, work)
        head = head_of(self._place)
        if head is None:
            raise RecipeError(
                f"{self.name}/{LATEST} names {self._at}, which is no release; put it right"
            )
        return head

    def _latest(self) -> str | None:
        data = self._store.read(LATEST)
        if data is None:
            return None
        line = data.decode("utf-8", "replace").strip()
        parts = PurePosixPath(line).parts
        if len(parts) != 2 or parts[0] != RELEASES or ".." in parts:
            raise RecipeError(f"{self.name}/{LATEST} says {line[:80]!r}, want {RELEASES}/NAME")
        return line

    def upload(self, shard: Settled) -> None:
        """Nothing yet: the folder's name is known when all shards are."""

    def commit(self, outgoing: Outgoing) -> str:
        """Write the release, then LATEST; its folder.

        Raises:
            Moved: LATEST names another release than the one that was looked at.
            ResourceError: a file did not arrive.
        """
        folder = f"{RELEASES}/{outgoing.short}"
        for shard in outgoing.shards:
            path = shard.stats.path
            self._put(folder, path, shard.source, shard.stats.file_sha256)
            for name, file in shard.beside.items():
                self._put(folder, name, file.source, file.sha256)
        for path, data in outgoing.texts.items():
            self._show.at(f"send {path}")
            self._store.write(f"{folder}/{path}", data)
        for shard in outgoing.shards:
            if self._store.size(f"{folder}/{shard.stats.path}") != shard.stats.bytes:
                raise ResourceError(
                    f"{self.name}/{folder}/{shard.stats.path} did not arrive whole; {LATEST} was "
                    "left as it is. Give the same command again."
                )
        self._store.sweep(folder)
        now = self._latest()
        if now not in (self._at, folder):
            raise Moved(
                f"{self.name}/{LATEST} was changed by somebody else while this was on its way, and "
                "was left so. Look at that release, then give the same command again."
            )
        if now != folder:  # else somebody else sent this very release meanwhile
            self._store.write(LATEST, f"{folder}\n".encode())
        self._at = folder
        return f"{self.name.rstrip('/')}/{folder}"

    def _put(self, folder: str, path: str, source: Path | None, sha256: str) -> None:
        target = f"{folder}/{path}"
        self._show.at(f"send {path}" if source else f"copy {path}")
        if source is not None:
            self._store.put(source, target, sha256)
        elif target != f"{self._at}/{path}":
            self._store.copy(f"{self._at}/{path}", target)

    def mark(self, release: str) -> str | None:
        """A release has its name already: its folder's. What a kill left in there goes."""
        if self._at is not None:
            self._store.sweep(self._at)
        return None


class FilesPlace:
    """One release's folder."""

    def __init__(self, store: Store, folder: str, work: Path) -> None:
        self.name = f"{store.url.rstrip('/')}/{folder}"
        self._store, self._folder, self._work = store, folder, work

    def fetch(self, path: str, *, expected: bool = False) -> Path | None:
        """Load a file; None when there is none of that name."""
        return self._store.get(f"{self._folder}/{path}", self._work / path)

    def holds(self, shard: ShardStats) -> bool:
        """By its hash where it can be read here, else by its size: stores keep no sha256."""
        same_size = self._store.size(f"{self._folder}/{shard.path}") == shard.bytes
        return same_size and self.has(shard.path, shard.file_sha256)

    def has(self, path: str, sha256: str) -> bool:
        """By its hash where it can be read here, else by its name."""
        here = self._store.here(f"{self._folder}/{path}")
        if here is not None:
            return here.is_file() and sha256_of(here) == sha256
        return self._store.size(f"{self._folder}/{path}") is not None
