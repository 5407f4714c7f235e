"""What was published before, as rows that outrank all that is new.

Read from the index of a release (index.py), whose files are held against what it says of them
(releases.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tracefactory.errors import IntegrityError
from tracefactory.nearness.documents import blocks
from tracefactory.nearness.jaccard import SKETCH
from tracefactory.nearness.signature import mix, salted
from tracefactory.nearness.tokens import U64
from tracefactory.repeats.compared import LONG, Settings, id_hash
from tracefactory.repeats.index import BANDS_SCHEMA, ROWS_SCHEMA, index_of
from tracefactory.repeats.releases import Release
from tracefactory.repeats.tables import (
    BAND_SCHEMA,
    NODE_SCHEMA,
    PUBLISHED,
    PUBLISHED_HELD_OUT,
    TEXT_SCHEMA,
    numbers_of,
)
from tracefactory.schemas.problem import is_held_out
from tracefactory.store.files import read_parquet


@dataclass(frozen=True, slots=True)
class Before:
    """The rows of one published shard, as they are compared."""

    rows: pa.Table
    bands: pa.Table
    tier: int
    high: U64
    blocks: U64

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Before":
        """Read by an order: its shard, and the recipe's settings."""
        release, shard = Release(config["place"]), config["shard"]
        rows, bands = _tables(release, shard, config)
        settings = Settings.of(config)
        groups: U64 = np.array(
            [id_hash(p) for p in rows.column("problem_id").to_pylist()], np.uint64
        )
        high, answers, numbers = (numbers_of(rows, name) for name in ("high", "answers", "numbers"))
        tier = PUBLISHED
        if shard["config"] == "rl":
            tier = PUBLISHED_HELD_OUT if is_held_out(shard["split"]) else PUBLISHED
            return cls(rows, bands, tier, high, blocks(answers, numbers, None))
        short = rows.column("length").to_numpy() < LONG
        high = np.where(short, mix(high ^ groups), high)
        found = blocks(
            answers, numbers if settings.numbers else None, None if settings.across else groups
        )
        return cls(rows, bands, tier, high, found)

    def nodes(self, group: int) -> pa.Table:
        """Like Compared.nodes."""
        n = self.rows.num_rows
        zeros = pa.array(np.zeros(n, np.int32))
        columns = [
            pa.array(self.high), self.rows.column("low"), pa.array(np.full(n, self.tier, np.int8)),
            zeros, self.rows.column("length"), zeros, self.rows.column("id"),
            pa.array(np.full(n, group, np.int32)),
        ]  # fmt: skip
        return pa.Table.from_arrays(columns, schema=NODE_SCHEMA)

    def salted_bands(self, group: int) -> pa.Table:
        """Like Compared.bands."""
        owners = self.bands.column("row").to_numpy()
        hashes = salted(numbers_of(self.bands, "hash"), self.blocks[owners])
        columns = [
            pa.array(hashes), pa.array(self.high[owners]),
            pa.array(np.full(len(owners), group, np.int32)),
        ]  # fmt: skip
        return pa.Table.from_arrays(columns, schema=BAND_SCHEMA)

    def texts(self, group: int, parts: Mapping[int, int]) -> pa.Table:
        """Like Compared.texts."""
        rows = [row for row, content in enumerate(self.high.tolist()) if content in parts]
        at = pa.array(rows, pa.int64())
        sketches = self.rows.column("sketch").take(at)
        columns = [
            pa.array([parts[int(self.high[row])] for row in rows], pa.uint64()),
            *self.nodes(group).take(at).columns,
            pa.array(self.blocks[rows]),
            pa.array([len(values) < SKETCH for values in sketches.to_pylist()], pa.bool_()),
            sketches,
        ]
        return pa.Table.from_arrays(columns, schema=TEXT_SCHEMA)


def _tables(
    release: Release, shard: Mapping[str, Any], config: Mapping[str, Any]
) -> tuple[pa.Table, pa.Table]:
    paths = [release.checked(name, sha256) for name, sha256 in shard["files"].items()]
    if not config["indexed"]:
        return index_of(paths[0], shard["config"], config["instructions"])
    rows, bands = map(read_parquet, paths)
    if rows.schema != ROWS_SCHEMA or bands.schema != BANDS_SCHEMA:
        raise IntegrityError(f"against: the index of {shard['path']} has other columns")
    owners = bands.column("row").to_numpy()
    if len(owners) and not 0 <= owners.min() <= owners.max() < rows.num_rows:
        raise IntegrityError(
            f"against: the index of {shard['path']} of {release.place} names rows that are not in "
            "it; publish that release anew, or leave it out"
        )
    return rows, bands
