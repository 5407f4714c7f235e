"""The release that is at the target now: what it says of itself, read file by file.

A target gives `Place`: how a file of that one state is read, and whether a shard is there whole.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from tracefactory.errors import IntegrityError
from tracefactory.publisher.rows import ROWS_SCHEMA, rows_name
from tracefactory.schemas.manifest import SCHEMA_VERSION, ShardStats
from tracefactory.store.commit import MANIFEST
from tracefactory.store.files import read_parquet, sha256_of
from tracefactory.store.sums import SUMS, sums_of

RECORDS = "manifest/shards.parquet"


class Place(Protocol):
    """One state of a target, which nobody can change: a commit, a folder of a release."""

    @property
    def name(self) -> str:
        """The commit, or the folder."""
        ...

    def fetch(self, path: str, *, expected: bool = False) -> Path | None:
        """Load a file; None when there is none of that name. What is expected may come late."""
        ...

    def holds(self, shard: ShardStats) -> bool:
        """Is the shard there, as its record says? Without loading it."""
        ...

    def has(self, path: str, sha256: str) -> bool:
        """Is a file there, and this one, as far as can be known without loading it?"""
        ...


@dataclass(frozen=True, slots=True)
class Head:
    """What is published now, by its own word."""

    place: Place
    sha256: str
    """Of the manifest."""
    says: Mapping[str, Any]
    """The manifest, as plain data."""
    shards: tuple[ShardStats, ...]
    """None of a release of another schema version: rows of both do not go together."""
    sums: Mapping[str, str]
    """sha256 by path, of every file of the release but SHA256SUMS and what signs it."""

    def rows(self, shard: ShardStats) -> pa.Table | None:
        """Id and hash of each row of a shard; None when the release does not list them.

        Raises:
            IntegrityError: the list is not what SHA256SUMS says, or not of this shard.
        """
        name = rows_name(shard.path)
        if name not in self.sums:
            return None
        table = read_parquet(self._checked(name))
        if table.schema != ROWS_SCHEMA or table.num_rows != shard.rows:
            raise IntegrityError(
                f"{self.place.name}: {name} lists {table.num_rows:,} rows, {shard.path} has "
                f"{shard.rows:,}; this is no release that can be gone on from"
            )
        return table

    def _checked(self, name: str) -> Path:
        return checked(self.place, name, self.sums)


def checked(place: Place, name: str, sums: Mapping[str, str]) -> Path:
    """A file of the release, loaded and compared.

    Raises:
        IntegrityError: it is missing, or not what SHA256SUMS says.
    """
    path = place.fetch(name, expected=True)
    if path is None or sha256_of(path) != sums.get(name):
        found = "is missing" if path is None else f"is not what {SUMS} says"
        raise IntegrityError(
            f"{place.name}: {name} {found}. What is published there is damaged or still being "
            "written; look at it (`tracefactory audit`) or publish to another target."
        )
    return path


def head_of(place: Place) -> Head | None:
    """The release of a place; None when there is no sign of one.

    Raises:
        IntegrityError: it is damaged.
    """
    sums_path = place.fetch(SUMS)
    if sums_path is None:
        return None
    sums = sums_of(sums_path.read_bytes(), place.name)
    if MANIFEST not in sums:
        return None
    data = checked(place, MANIFEST, sums).read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        parsed = orjson.loads(data)
        shards = _shards(place, sums) if parsed.get("schema_version") == SCHEMA_VERSION else ()
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(
            f"{place.name}: its manifest or {RECORDS} cannot be read by this tracefactory "
            f"({' '.join(str(error).split())[:200]}). Look at it (`tracefactory audit`), or "
            "publish to another target."
        ) from error
    return Head(place, sha256, parsed, shards, sums)


def _shards(place: Place, sums: Mapping[str, str]) -> tuple[ShardStats, ...]:
    """The records of all shards, from the one table that has them together."""
    names = set(ShardStats.__dataclass_fields__)
    return tuple(
        ShardStats.from_json(
            {key: value for key, value in row.items() if key in names}
            | {"stats": orjson.loads(row["stats"])}
        )
        for row in pq.read_table(checked(place, RECORDS, sums)).to_pylist()
    )
