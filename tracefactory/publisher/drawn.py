"""Shards that the report draws its sample from, where they are not here: made of local rows.

An auditor draws again from the published shards and compares, so the report must be made of those,
and a shard that stays at the target is not loaded. Its rows are here all the same: put in the order
that the target lists, they give the same row groups, and so the same sample.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from tracefactory.publisher.deal import Deal
from tracefactory.publisher.disk import TEMPORARY_ADVICE, written
from tracefactory.publisher.head import Head
from tracefactory.publisher.local import Local
from tracefactory.publisher.rows import BATCH
from tracefactory.publisher.settle import Settled, group_of
from tracefactory.report.sample import CONFIGS, sampled
from tracefactory.schemas.manifest import Manifest, ShardStats
from tracefactory.store.files import parquet_bytes, write_new

Lying = list[tuple[ShardStats, Path]]


def drawn_from(
    local: Local, head: Head | None, shards: Sequence[Settled], manifest: Manifest, work: Path
) -> Lying:
    """The shards that the sample of this release is drawn from, and files with their rows."""
    found: Lying = []
    for shard in _chosen(shards, manifest):
        path = shard.source
        if path is None:
            assert head is not None
            path = _made(local, head, shard.stats, work)
        found.append((shard.stats, path))
    return found


def _chosen(shards: Sequence[Settled], manifest: Manifest) -> list[Settled]:
    seed = hashlib.sha256(manifest.to_bytes()).hexdigest()
    by_path = {shard.stats.path: shard for shard in shards}
    stats = [shard.stats for shard in shards]
    return [by_path[s.path] for config in CONFIGS for s in sampled(stats, config, seed)]


def _made(local: Local, head: Head, shard: ShardStats, work: Path) -> Path:
    listed = head.rows(shard)
    assert listed is not None, "a shard whose rows are not listed is never kept"
    places = {row_id: place for place, row_id in enumerate(listed.column("id").to_pylist())}
    folder = work / shard.path.replace("/", "-")
    with Deal(folder, shard) as deal:
        for one in local.shards:
            if group_of(one) == group_of(shard):
                _out(deal, local.folder / one.path, places)
        table = deal.table(0)
    path = folder / "rows.parquet"
    with written(path, TEMPORARY_ADVICE):
        write_new(path, parquet_bytes(table, published=True))
    return path


def _out(deal: Deal, path: Path, places: dict[str, int]) -> None:
    """Lay down the rows of a local shard that have a place."""
    rows: list[int] = []
    first = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH, columns=["id"], use_threads=False):
            ids = batch.column(0).to_pylist()
            rows += [first + at for at, row_id in enumerate(ids) if row_id in places]
            first += len(ids)
        if not rows:
            return
        names = file.read(columns=["id"]).column(0).take(rows).to_pylist()
    at = np.array([places[name] for name in names], np.int32)
    deal.out(path, np.array(rows, np.int32), np.zeros(len(rows), np.int32), at)
