"""The release of all shards: names, manifest, statistics, card, checksums, and the commit.

Everything here is computed from receipts, so it costs no reading of shards, and nothing of it
depends on hosts, dates or timings: the same raw responses give the same bytes.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

import tracefactory
from tracefactory.board import recipe_id, without_paths
from tracefactory.publish.card import card
from tracefactory.recipe import Recipe
from tracefactory.schemas.manifest import (
    SCHEMA_VERSION,
    SHARD_STATS_SCHEMA,
    Manifest,
    ShardStats,
    Stats,
)
from tracefactory.schemas.receipt import Output, Receipt
from tracefactory.schemas.traces import VIEW_SCHEMAS
from tracefactory.schemas.verdict import STATUSES
from tracefactory.stages.contract import Plan
from tracefactory.store.commit import MANIFEST, commit_dataset, committed
from tracefactory.store.files import parquet_bytes, sha256_of
from tracefactory.store.home import Home

WRITER = f"pyarrow {pa.__version__}"


@dataclass(frozen=True, slots=True)
class Shard:
    """One file of the release, where it lies in the run folder, and its statistics."""

    output: Output
    stats: ShardStats


def _pretty(data: object) -> bytes:
    # In the order of the records: the funnel is read from top to bottom, as the recipe is.
    return orjson.dumps(data, option=orjson.OPT_INDENT_2) + b"\n"


def shards_of(receipts: Iterable[Receipt], identity: str, seed: int) -> list[Shard]:
    """Name the outputs of all shard tasks; empty ones are left out, unless all of a view are."""
    found: dict[str, list[tuple[Output, dict[str, Any]]]] = {}
    for receipt in receipts:
        for output in receipt.outputs:
            found.setdefault(output.role, []).append(
                (output, orjson.loads(receipt.facts[output.role]))
            )
    shards: list[Shard] = []
    for role in sorted(found):
        config, _, split = role.partition(".")
        full = [pair for pair in found[role] if pair[0].rows] or found[role][:1]
        schema = hashlib.sha256(str(VIEW_SCHEMAS[config]).encode()).hexdigest()
        for index, (output, fact) in enumerate(full):
            path = f"{config}/{split}-{index:05d}-of-{len(full):05d}.parquet"
            stats = ShardStats(
                path=path,
                config=config,
                split=split,
                index=index,
                rows=output.rows,
                bytes=output.bytes,
                file_sha256=output.sha256,
                content_sha256=fact["content_sha256"],
                row_groups=fact["row_groups"],
                schema_sha256=schema,
                schema_version=SCHEMA_VERSION,
                writer=WRITER,
                recipe_id=identity,
                seed=seed,
                stats=Stats.from_json(fact["stats"]),
            )
            shards.append(Shard(output, stats))
    return shards


def _configs(shards: Iterable[Shard]) -> dict[str, dict[str, Any]]:
    """Per config and split: files, rows and the fold of the shards' statistics."""
    configs: dict[str, dict[str, Any]] = {}
    grouped: dict[tuple[str, str], list[ShardStats]] = {}
    for shard in shards:
        grouped.setdefault((shard.stats.config, shard.stats.split), []).append(shard.stats)
    for (config, split), members in grouped.items():
        configs.setdefault(config, {})[split] = {
            "files": [member.path for member in members],
            "rows": sum(member.rows for member in members),
            "bytes": sum(member.bytes for member in members),
            "stats": asdict(Stats.fold(member.stats for member in members)),
        }
    return configs


def funnel(
    recipe: Recipe, totals: Mapping[str, Mapping[str, int]], configs: Mapping[str, Any]
) -> dict[str, int]:
    """Rows after each step, in the order of the recipe."""
    steps: dict[str, int] = {}
    for name in recipe.order():
        counts = totals[name]
        use = recipe.stages[name].use
        for key in _FUNNEL.get(use, ()):
            if key in counts:
                steps[f"{name}.{key}"] = counts[key]
    for config, splits in configs.items():
        for split, figures in splits.items():
            steps[f"published.{config}.{split}"] = figures["rows"]
    return steps


_FUNNEL: Mapping[str, tuple[str, ...]] = {
    "sample": ("problems", "rejected"),
    "import": ("problems", "attempts", "rejected"),
    "split": ("held_out",),
    "generate": ("attempts", "truncated"),
    "verify": ("correct", "incorrect", "no_answer", "undecided", "bad_reference", "error"),
    "filter": ("kept",),
    "dedupe": ("kept", "duplicates"),
}


def _rejected(totals: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for counts in totals.values():
        for key, n in counts.items():
            if key.startswith("rejected:"):
                found[key.removeprefix("rejected:")] += n
    return dict(sorted(found.items()))


def stats_table(shards: Iterable[Shard]) -> pa.Table:
    """The config `shard_stats`: one row a shard."""
    return pa.Table.from_pylist(
        [_stats_row(shard.stats) for shard in shards], schema=SHARD_STATS_SCHEMA
    )


def _stats_row(shard: ShardStats) -> dict[str, Any]:
    stats = shard.stats
    plain = {name: getattr(shard, name) for name in ShardStats.__dataclass_fields__}
    has_verdicts = shard.config != "rl"
    statuses = {
        f"n_{status}": stats.statuses.get(status, 0) if has_verdicts else None
        for status in STATUSES
    }
    return {
        **plain,
        **statuses,
        "rows_with_false_steps": stats.rows_with_false_steps,
        "correct_with_false_steps": stats.correct_with_false_steps,
        "truncated": stats.truncated,
        "reasoning_chars": stats.reasoning_chars.sum if has_verdicts else None,
        "stats": orjson.dumps(stats, option=orjson.OPT_SORT_KEYS).decode(),
    }


def _sums(files: Mapping[str, str]) -> bytes:
    return "".join(f"{files[name]}  {name}\n" for name in sorted(files)).encode()


def _texts(manifest: Manifest, shards: list[Shard], title: str) -> Iterator[tuple[str, bytes]]:
    yield MANIFEST, _pretty(manifest.to_json())
    for shard in shards:
        yield (
            f"manifest/shards/{shard.stats.path.replace('/', '-')}.json",
            _pretty(shard.stats.to_json()),
        )
    table = bytes(parquet_bytes(stats_table(shards), published=True))
    yield "manifest/shards.parquet", table
    contents = {"shard_stats": hashlib.sha256(table).hexdigest()[:16]}
    for config in manifest.configs:
        hashes = [s.output.sha256 for s in shards if s.stats.config == config]
        contents[config] = hashlib.sha256("".join(hashes).encode()).hexdigest()[:16]
    yield "README.md", card(manifest, title, contents).encode()


def release(
    recipe: Recipe,
    plan: Plan,
    config: Any,  # noqa: ANN401  (publish's config, which imports this module)
    totals: Mapping[str, Mapping[str, int]],
    inputs: list[dict[str, Any]],
    home: Home,
) -> str:
    """Put the release of a finished publish stage in place; its manifest's sha256.

    A release that is already there, byte for byte, is left alone.

    Raises:
        ResourceError: disk full; the release before it stays.
    """
    identity = recipe_id(recipe)
    shards = shards_of(plan.done[-1], identity, recipe.seed)
    configs = _configs(shards)
    manifest = Manifest(
        name=recipe.name,
        schema_version=SCHEMA_VERSION,
        tracefactory=tracefactory.__version__,
        recipe_id=identity,
        recipe=without_paths(recipe.canonical()),
        seed=recipe.seed,
        funnel=funnel(recipe, totals, configs),
        rejected_rows=_rejected(totals),
        inputs=list(inputs),
        configs=configs,
        files=[
            {
                "path": s.stats.path,
                "sha256": s.output.sha256,
                "bytes": s.output.bytes,
                "rows": s.output.rows,
            }
            for s in shards
        ],
    )
    texts = dict(_texts(manifest, shards, config.title or recipe.name))
    hashes = {s.stats.path: s.output.sha256 for s in shards}
    hashes |= {name: hashlib.sha256(data).hexdigest() for name, data in texts.items()}
    texts["SHA256SUMS"] = _sums(hashes)
    sha256 = hashes[MANIFEST]
    if committed(home.path) != sha256 or not _in_place(home.path, shards, texts):
        commit_dataset(home.path, {s.stats.path: home.path / s.output.name for s in shards}, texts)
    return sha256


def _in_place(run: Path, shards: list[Shard], texts: Mapping[str, bytes]) -> bool:
    """Is the release there? A shard that is not the very file of the run is read and compared."""
    dataset = run / "dataset"
    try:
        return all((dataset / name).read_bytes() == data for name, data in texts.items()) and all(
            _same(run / s.output.name, dataset / s.stats.path, s.output) for s in shards
        )
    except OSError:
        return False


def _same(source: Path, target: Path, output: Output) -> bool:
    if target.stat().st_size != output.bytes:
        return False
    return target.samefile(source) or sha256_of(target) == output.sha256
