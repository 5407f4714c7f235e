"""Results of `prove` and `loop` in a run folder: stored once, part of every release of those rows.

A result is about rows. After an edit of the recipe that changed them it stays in the folder, and no
release has it any more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from tracefactory.errors import IntegrityError
from tracefactory.schemas.manifest import Manifest, ShardStats
from tracefactory.schemas.proof import PROOF_VERSION, rows_digest
from tracefactory.store.files import write_atomic

FOLDER = "proof"
KINDS = ("proof", "loop")
"""Fields of the manifest, and names of files."""


def digest_of(shards: Sequence[ShardStats]) -> str:
    """Of the rows of a release."""
    return rows_digest((shard.path, shard.content_sha256) for shard in shards)


def store_result(run: Path, kind: str, rows_sha256: str, result: Mapping[str, Any]) -> Path:
    """Keep a result in the run folder; from now on releases of these rows have it."""
    path = run / FOLDER / f"{kind}.json"
    record = {"rows_sha256": rows_sha256, "result": result}
    write_atomic(path, orjson.dumps(record, option=orjson.OPT_INDENT_2) + b"\n")
    return path


def with_results(manifest: Manifest, run: Path, shards: Sequence[ShardStats]) -> Manifest:
    """The manifest with the results of exactly these rows, and no others.

    Raises:
        IntegrityError: a result is there and cannot be read.
    """
    found: dict[str, Mapping[str, Any] | None] = dict.fromkeys(KINDS)
    rows = digest_of(shards)
    for kind in KINDS:
        path = run / FOLDER / f"{kind}.json"
        if not path.is_file():
            continue
        try:
            record = orjson.loads(path.read_bytes())
            if record["rows_sha256"] == rows and record["result"]["version"] == PROOF_VERSION:
                found[kind] = record["result"]
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise IntegrityError(
                f"{path} is no result that `prove` or `loop` wrote ({error!r}); remove it, and "
                "give that command again"
            ) from error
    return replace(manifest, proof=found["proof"], loop=found["loop"])
