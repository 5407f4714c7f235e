"""The manifest and the shards' records of a release, read as what they are: somebody's word.

Every field's type is checked, so that what comes after can be plain code. Not here: whether what
they say is true (shard.py, statements.py).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from tracefactory.audit.faults import Fault, short
from tracefactory.audit.inside import Unsafe, read_bytes
from tracefactory.errors import SourceError
from tracefactory.publish.release import record_name
from tracefactory.schemas.manifest import Manifest, ShardStats
from tracefactory.schemas.traces import VIEW_SCHEMAS
from tracefactory.store.commit import MANIFEST

_MANIFEST = TypeAdapter(Manifest)
_SHARD = TypeAdapter(ShardStats)
_SHARD_PATH = re.compile(r"([a-z_]{1,32})/([A-Za-z0-9_]{1,64})-([0-9]{5,9})\.parquet")


@dataclass(frozen=True, slots=True)
class Records:
    """What a release says of itself."""

    manifest: Manifest
    manifest_bytes: bytes
    shards: tuple[ShardStats, ...]
    """In the manifest's order; those whose records cannot be used are left out."""
    listed: Mapping[str, str]
    """sha256 of each shard by path, as the manifest has it."""


def read_records(root: Path) -> tuple[Records, list[Fault]]:
    """Read them all.

    Raises:
        SourceError: there is no manifest, or none that can be read; then nothing can be audited.
    """
    data = _manifest_bytes(root)
    try:
        manifest = _MANIFEST.validate_python(orjson.loads(data), strict=False)
        listed = {str(file["path"]): file for file in manifest.files}
    except (ValidationError, ValueError, KeyError, RecursionError) as error:
        raise SourceError(f"{root}/{MANIFEST} is no manifest: {_first_line(error)}") from error
    faults: list[Fault] = []
    shards: list[ShardStats] = []
    for path, entry in listed.items():
        shard = _record(root, path, faults)
        if shard is not None:
            shards.append(shard)
            _compare_entry(shard, entry, faults)
    hashes = {path: str(entry.get("sha256")) for path, entry in listed.items()}
    return Records(manifest, data, tuple(shards), hashes), faults


def _manifest_bytes(root: Path) -> bytes:
    try:
        return read_bytes(root, MANIFEST)
    except (Unsafe, OSError) as error:
        raise SourceError(f"{root}/{MANIFEST} cannot be read: {error}") from error


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return short(f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
    return short(f"{type(error).__name__}: {error}")


def _record(root: Path, path: str, faults: list[Fault]) -> ShardStats | None:
    match = _SHARD_PATH.fullmatch(path)
    if match is None or match[1] not in VIEW_SCHEMAS:
        known = ", ".join(VIEW_SCHEMAS)
        said = f"CONFIG/SPLIT-NNNNN.parquet, CONFIG one of {known}"
        faults.append(Fault("shard_name", MANIFEST, short(path), said))
        return None
    name = record_name(path)
    try:
        shard = _SHARD.validate_python(orjson.loads(read_bytes(root, name)), strict=False)
    except FileNotFoundError:
        faults.append(Fault("record_missing", name, "nothing", f"a record of {path}"))
        return None
    except (Unsafe, OSError, ValidationError, ValueError, RecursionError) as error:
        faults.append(Fault("record_unreadable", name, _first_line(error), "a shard's record"))
        return None
    stated = (shard.path, shard.config, shard.split, shard.index)
    wanted = (path, match[1], match[2], int(match[3]))
    if stated != wanted:
        faults.append(Fault("record_of_another", name, short(stated), f"{wanted}, by its name"))
        return None
    return shard


def _compare_entry(shard: ShardStats, entry: Mapping[str, Any], faults: list[Fault]) -> None:
    own = {
        "path": shard.path,
        "sha256": shard.file_sha256,
        "bytes": shard.bytes,
        "rows": shard.rows,
    }
    for key, value in own.items():
        if entry.get(key) != value:
            said = f"{short(value)}, as in {record_name(shard.path)}"
            faults.append(
                Fault(
                    "manifest_file", MANIFEST, f"{shard.path}: {key} {short(entry.get(key))}", said
                )
            )
