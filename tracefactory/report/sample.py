"""Some rows of a release in full: the same ones for whoever draws again with the same seed.

Few files are read, one row group of each, in batches: a release of any size costs the same. So it
is a look at the rows, drawn by hash and picked by nobody, and no estimate of anything.
"""

import hashlib
import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tracefactory.schemas.manifest import ShardStats

FILES = 3
"""Files read of each config."""

CONFIGS = ("sft", "rejected")
_BATCH = 1024
_FACTS = (
    "domain", "task_type", "source", "license", "teacher", "teacher_revision", "answer",
    "final_answer", "status", "reason", "verifier", "n_true_steps", "n_false_steps", "pass_rate",
    "n_attempts", "finish_reason", "n_reasoning_tokens", "n_answer_tokens", "dropped_by",
    "drop_reason",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Drawn:
    """One row: where it lies, what was said, and what is known of it."""

    id: str
    path: str
    """Of the shard, relative to the dataset's folder."""
    messages: tuple[tuple[str, str], ...]
    """(role, content) of each turn."""
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows of `sft` and of `rejected`, in the order of sha256(seed, id)."""

    seed: str
    accepted: tuple[Drawn, ...] = ()
    rejected: tuple[Drawn, ...] = ()


def choose(manifest_files: Sequence[tuple[ShardStats, Path]], seed: str, n: int = 8) -> Sample:
    """Draw `n` rows of `sft` and `n` of `rejected`.

    Args:
        manifest_files: shards of the release and where they lie.
        seed: the sha256 of the manifest, so that nobody chooses it.
        n: rows of each.
    """
    drawn = {config: tuple(_drawn(manifest_files, config, seed, n)) for config in CONFIGS}
    return Sample(seed, accepted=drawn["sft"], rejected=drawn["rejected"])


def _rank(seed: str, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{name}".encode("utf-8", "surrogatepass")).digest()


def sampled(shards: Iterable[ShardStats], config: str, seed: str) -> list[ShardStats]:
    """The shards of a config that the sample is drawn from, in the order of their ranks."""
    found = [shard for shard in shards if shard.config == config and shard.rows]
    return heapq.nsmallest(FILES, found, key=lambda shard: _rank(seed, shard.path))


def _drawn(
    files: Iterable[tuple[ShardStats, Path]], config: str, seed: str, n: int
) -> Iterator[Drawn]:
    paths = {shard.path: (shard, path) for shard, path in files}
    chosen = [paths[s.path] for s in sampled((s for s, _ in paths.values()), config, seed)]
    ranked: list[tuple[bytes, int, int, int]] = []  # rank, file, row group, row
    for at, (shard, path) in enumerate(chosen):
        with pq.ParquetFile(path) as parquet:
            group = int.from_bytes(_rank(seed, shard.path)[:8]) % parquet.num_row_groups
            ids = parquet.read_row_group(group, columns=["id"]).column("id").to_pylist()
        ranked += [(_rank(seed, each), at, group, row) for row, each in enumerate(ids)]
    best = heapq.nsmallest(n, ranked)
    rows: dict[tuple[int, int], Drawn] = {}
    for at, group in {(at, group) for _, at, group, _ in best}:
        wanted = sorted(row for _, *place, row in best if place == [at, group])
        shard, path = chosen[at]
        for row, values in zip(wanted, _rows(path, group, wanted), strict=True):
            rows[at, row] = _row(shard.path, values)
    yield from (rows[at, row] for _, at, _, row in best)


def _rows(path: Path, group: int, wanted: Sequence[int]) -> Iterator[dict[str, Any]]:
    """These rows of a row group, without holding the others' text."""
    start = 0
    with pq.ParquetFile(path) as parquet:
        for batch in parquet.iter_batches(_BATCH, row_groups=[group]):
            here = [row - start for row in wanted if 0 <= row - start < batch.num_rows]
            yield from batch.take(here).to_pylist() if here else ()
            start += batch.num_rows


def _row(path: str, values: Mapping[str, Any]) -> Drawn:
    return Drawn(
        id=values["id"],
        path=path,
        messages=tuple((turn["role"], turn["content"]) for turn in values["messages"]),
        facts={name: values[name] for name in _FACTS if name in values},
    )
