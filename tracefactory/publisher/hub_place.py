"""One commit of a repository on the Hub, read file by file.

Lists and files of a commit may be behind it for some seconds: what must be there is looked for
again before it is said to be missing.
"""

import time
from collections.abc import Callable
from pathlib import Path

from tracefactory.schemas.manifest import ShardStats
from tracefactory.store.files import sha256_of
from tracefactory.store.sums import SUMS

MANIFESTS = "manifest/"

LOOKS = 5
"""How often, in all, something that is missing is looked for; the waits add up to 7.5 s."""


class HubPlace:
    """A commit: its files, with the sha256 of those that are large."""

    def __init__(
        self,
        name: str,
        tree: Callable[[], dict[str, str | None]],
        load: Callable[[str], Path | None],
    ) -> None:
        """Args: how messages call it; how its files are listed; how one is loaded."""
        self.name = name
        self._tree, self._load = tree, load
        self._looks = LOOKS
        self.files = tree()

    def fetch(self, path: str, *, expected: bool = False) -> Path | None:
        """Load a file; None when there is none of that name."""
        listed = path in self.files or (path == SUMS and self._has_manifest())
        while (found := self._load(path)) is None:
            if not (expected or listed) or not self._wait():
                return None
        return found

    def _has_manifest(self) -> bool:
        """Is there a sign of a release, so that what it always has must come?"""
        return any(path.startswith(MANIFESTS) for path in self.files)

    def has(self, path: str, sha256: str) -> bool:
        """By the hash that the Hub keeps of large files; a small one by its name."""
        while path not in self.files and self._wait():
            self.files = self._tree()
        return path in self.files and self.files[path] in (None, sha256)

    def holds(self, shard: ShardStats) -> bool:
        """By the hash that the Hub keeps of large files; a small one is loaded and compared."""
        if not self.has(shard.path, shard.file_sha256):
            return False
        known = self.files[shard.path]
        if known is None:
            path = self.fetch(shard.path)
            known = sha256_of(path) if path else None
        return known == shard.file_sha256

    def _wait(self) -> bool:
        """Let the list catch up; False when that was waited for often enough."""
        self._looks -= 1
        if self._looks > 0:
            time.sleep(2.0 ** (LOOKS - self._looks - 1) / 2)
        return self._looks > 0
