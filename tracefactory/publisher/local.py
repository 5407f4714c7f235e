"""The release that is to be sent, as it lies in a folder.

Nothing is taken on trust: a shard's bytes are compared with its record before they are used.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from tracefactory.errors import IntegrityError, RecipeError
from tracefactory.publish.release import record_name
from tracefactory.schemas.manifest import SCHEMA_VERSION, Manifest, ShardStats
from tracefactory.store.commit import MANIFEST
from tracefactory.store.files import sha256_of
from tracefactory.store.sums import SUMS, sums_of


@dataclass(frozen=True, slots=True)
class Local:
    """A dataset folder with a whole release in it."""

    folder: Path
    manifest: Manifest
    shards: tuple[ShardStats, ...]
    sums: Mapping[str, str]
    """sha256 by path, of every file."""

    def checked(self, shard: ShardStats) -> Path:
        """The shard's file.

        Raises:
            IntegrityError: it is missing, or not what its record says.
        """
        return self._same(shard.path, shard.file_sha256)

    def beside(self, name: str) -> Path:
        """A file beside the shards.

        Raises:
            IntegrityError: it is missing, or not what SHA256SUMS says.
        """
        return self._same(name, self.sums.get(name, "none"))

    def _same(self, name: str, sha256: str) -> Path:
        path = self.folder / name
        if not path.is_file() or sha256_of(path) != sha256:
            raise IntegrityError(
                f"{path} is not the file that the release names (sha256 {sha256}); nothing of it "
                "was published. Run the recipe again: it puts the dataset right."
            )
        return path


def dataset_folder(place: Path) -> Path:
    """The dataset folder of a run folder, or the folder itself.

    Raises:
        RecipeError: there is no release.
    """
    for folder in (place / "dataset", place):
        if (folder / MANIFEST).is_file():
            return folder
    raise RecipeError(
        f"{place} holds no release ({MANIFEST}); name a run folder whose recipe has a publish "
        "stage and has run, or its dataset/ folder"
    )


def open_local(place: Path) -> Local:
    """Read a release's manifest and records.

    Raises:
        RecipeError: no release there, or one of another schema version.
        IntegrityError: the manifest or a record is not what SHA256SUMS says.
    """
    folder = dataset_folder(place)
    path = folder / SUMS
    sums = sums_of(path.read_bytes(), str(folder)) if path.is_file() else {}
    data = _checked_text(folder, MANIFEST, sums)
    version = data.get("schema_version")
    if version != SCHEMA_VERSION:
        raise RecipeError(
            f"{folder} is of schema version {version}, this tracefactory publishes "
            f"{SCHEMA_VERSION}; run its recipe again"
        )
    try:
        manifest = Manifest.from_json(data)
        names = [record_name(file["path"]) for file in manifest.files]
        shards = [ShardStats.from_json(_checked_text(folder, name, sums)) for name in names]
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise RecipeError(
            f"{folder} is of another build of tracefactory ({data.get('tracefactory')}: "
            f"{str(error)[:200]}); run its recipe again"
        ) from error
    return Local(folder, manifest, tuple(shards), sums)


def _checked_text(folder: Path, name: str, sums: dict[str, str]) -> dict[str, object]:
    path = folder / name
    data = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(data).hexdigest() != sums.get(name):
        raise IntegrityError(
            f"{path} is not what {SUMS} says; run the recipe again: it puts the dataset right"
        )
    parsed: dict[str, object] = orjson.loads(data)
    return parsed
