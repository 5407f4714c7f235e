"""The release of all shards: names, manifest, statistics, card, checksums, and the commit.

Everything here is computed from receipts, so it costs no reading of shards but for the report's
sample, and nothing of it depends on hosts, dates or timings: the same raw responses give the same
bytes.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson
import pyarrow as pa

import tracefactory
from tracefactory.board import recipe_id, without_paths
from tracefactory.probing.rate import rates
from tracefactory.publish import croissant
from tracefactory.publish.card import card
from tracefactory.publish.llamafactory import dataset_info
from tracefactory.publish.proven import with_results
from tracefactory.recipe import Recipe
from tracefactory.repeats import index as indexes
from tracefactory.report import choose, report
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
from tracefactory.store.sums import SUMS

WRITER = f"pyarrow {pa.__version__}"
NOTHING: Mapping[str, str] = MappingProxyType({})
PARTS = ("rows", "bands")
"""Of the index of a shard."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One file of the release, where it lies in the run folder, and its statistics."""

    output: Output
    stats: ShardStats
    index: Mapping[str, Output]
    """What later runs find its rows by (repeats/index.py), by published name; may be none."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the driver knows of a run and its shards do not tell: fields of the manifest."""

    inputs: list[dict[str, Any]]
    benchmarks: list[dict[str, Any]]
    repeats: dict[str, Any]
    teachers: Mapping[str, Mapping[str, Any]]


def _pretty(data: object) -> bytes:
    return orjson.dumps(data, option=orjson.OPT_INDENT_2) + b"\n"


def shards_of(receipts: Iterable[Receipt], identity: str, seed: int) -> list[Shard]:
    """Name the outputs of all shard tasks; empty ones are left out, unless all of a view are."""
    found: dict[str, list[tuple[Output, dict[str, Any], list[Output | None]]]] = {}
    for receipt in receipts:
        others = {output.role: output for output in receipt.outputs}
        for output in receipt.outputs:
            if not output.role.startswith(indexes.ROLE):
                parts = [others.get(f"{indexes.ROLE}{of}.{output.role}") for of in PARTS]
                fact = orjson.loads(receipt.facts[output.role])
                found.setdefault(output.role, []).append((output, fact, parts))
    shards: list[Shard] = []
    for role in sorted(found):
        config, _, split = role.partition(".")
        full = [each for each in found[role] if each[0].rows] or found[role][:1]
        schema = hashlib.sha256(str(VIEW_SCHEMAS[config]).encode()).hexdigest()
        for index, (output, fact, parts) in enumerate(full):
            path = f"{config}/{split}-{index:05d}.parquet"
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
            names = indexes.names_of(path)
            pairs = zip(names, parts, strict=True)
            shards.append(Shard(output, stats, {n: part for n, part in pairs if part is not None}))
    return shards


def configs_of(shards: Iterable[ShardStats]) -> dict[str, dict[str, Any]]:
    """Per config and split: files, rows and the fold of the shards' statistics."""
    configs: dict[str, dict[str, Any]] = {}
    grouped: dict[tuple[str, str], list[ShardStats]] = {}
    for shard in shards:
        grouped.setdefault((shard.config, shard.split), []).append(shard)
    for (config, split), members in grouped.items():
        configs.setdefault(config, {})[split] = {
            "files": [member.path for member in members],
            "rows": sum(member.rows for member in members),
            "bytes": sum(member.bytes for member in members),
            "stats": asdict(Stats.fold(member.stats for member in members)),
        }
    return configs


def files_of(shards: Iterable[ShardStats]) -> list[dict[str, Any]]:
    """What the manifest says of each shard."""
    return [
        {"path": s.path, "sha256": s.file_sha256, "bytes": s.bytes, "rows": s.rows} for s in shards
    ]


def over_shards(manifest: Manifest, shards: Sequence[ShardStats], parent: str | None) -> Manifest:
    """The same release with its rows in other shards, published onto another release.

    `parent` is the sha256 of that one's manifest.
    """
    return replace(
        manifest, configs=configs_of(shards), files=files_of(shards), parent_release=parent
    )


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
    "probe": ("probed",),
    "verify": ("correct", "incorrect", "no_answer", "undecided", "bad_reference", "error"),
    "filter": ("kept",),
    "dedupe": ("kept", "duplicates"),
    "select": ("kept",),
    "decontaminate": (
        "problems_contaminated", "problems_suspect", "contaminated", "suspect", "kept",
    ),
}  # fmt: skip


def _rejected(totals: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for counts in totals.values():
        for key, n in counts.items():
            # An attempt that could not be used is no row that never became a problem.
            if key.startswith("rejected:") and not key.startswith("rejected:attempt of "):
                found[key.removeprefix("rejected:")] += n
    return dict(sorted(found.items()))


def stats_table(shards: Iterable[ShardStats]) -> pa.Table:
    """The config `shard_stats`: one row a shard."""
    return pa.Table.from_pylist([_stats_row(shard) for shard in shards], schema=SHARD_STATS_SCHEMA)


WITHOUT_VERDICTS = ("rl", "preference", "probes", "overlaps")
"""Views whose rows are no attempts: a problem, two attempts at one, an attempt tampered with, what
one has in common with a benchmark."""


def _stats_row(shard: ShardStats) -> dict[str, Any]:
    stats = shard.stats
    plain = {name: getattr(shard, name) for name in ShardStats.__dataclass_fields__}
    has_verdicts = shard.config not in WITHOUT_VERDICTS
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
        "limited_by_clock": stats.limited_by_clock,
        "reasoning_chars": stats.reasoning_chars.sum if has_verdicts else None,
        **_probe_rate(shard),
        "stats": orjson.dumps(stats, option=orjson.OPT_SORT_KEYS).decode(),
    }


def _probe_rate(shard: ShardStats) -> dict[str, float | None]:
    """The rate of a shard of `probes`, which all are of one kind."""
    names = ("probe_n", "probe_moved", "probe_moved_low", "probe_moved_high")
    if shard.config != "probes":
        return dict.fromkeys(names)
    rate = next((r for r in rates(shard.stats.probes) if r.kind == shard.split), None)
    found = (0, 0, None, None) if rate is None else (rate.n, rate.moved, rate.low, rate.high)
    return dict(zip(names, found, strict=True))


def record_name(path: str) -> str:
    """Where the statistics of a shard stand: `manifest/shards/sft-train-00000.json`."""
    return f"manifest/shards/{path.replace('/', '-').removesuffix('.parquet')}.json"


def contents_of(shards: Iterable[ShardStats], table: bytes) -> dict[str, str]:
    """A short hash of the files of each config (see card.py); `table` is shards.parquet."""
    hashes: dict[str, list[str]] = {}
    for shard in shards:
        hashes.setdefault(shard.config, []).append(shard.file_sha256)
    contents = {config: _sha256("".join(each).encode()) for config, each in hashes.items()}
    contents["shard_stats"] = _sha256(table)
    return {config: found[:16] for config, found in contents.items()}


def texts(
    manifest: Manifest,
    shards: Sequence[ShardStats],
    lying: Sequence[tuple[ShardStats, Path]],
    extra: Mapping[str, str] = NOTHING,
) -> dict[str, bytes]:
    """Every file of a release that is no shard, made of the manifest and the shards' statistics.

    Args:
        manifest: of the release.
        shards: the statistics of each shard, in the manifest's order.
        lying: shards with the same rows that lie here, to draw the report's sample from.
        extra: sha256 by name of other files beside them, for SHA256SUMS.
    """
    found = {MANIFEST: manifest.to_bytes()}
    found |= {record_name(shard.path): _pretty(shard.to_json()) for shard in shards}
    found["dataset_info.json"] = _pretty(dataset_info(manifest.configs, manifest.repository))
    found[croissant.NAME] = croissant.croissant(manifest)
    found["report.html"] = report(manifest, shards, choose(lying, _sha256(found[MANIFEST])))
    table = bytes(parquet_bytes(stats_table(shards), published=True))
    found["manifest/shards.parquet"] = table
    found["README.md"] = card(manifest, contents_of(shards, table)).encode()
    hashes = {shard.path: shard.file_sha256 for shard in shards} | dict(extra)
    hashes |= {name: _sha256(data) for name, data in found.items()}
    found[SUMS] = "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes)).encode()
    return found


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def release(
    recipe: Recipe,
    plan: Plan,
    config: Any,  # noqa: ANN401  (publish's config, which imports this module)
    totals: Mapping[str, Mapping[str, int]],
    known: Known,
    home: Home,
) -> str:
    """Put the release of a finished publish stage in place; its manifest's sha256.

    A release that is already there, byte for byte, is left alone.

    Raises:
        ResourceError: disk full; the release before it stays.
    """
    shards = shards_of(plan.done[-1], recipe_id(recipe), recipe.seed)
    stats = [shard.stats for shard in shards]
    lying = [(shard.stats, home.path / shard.output.name) for shard in shards]
    manifest = _manifest(recipe, config, totals, known, stats)
    index = {name: output for shard in shards for name, output in shard.index.items()}
    extra = {name: output.sha256 for name, output in index.items()}
    more = {indexes.SPEC: indexes.spec_bytes()} if index else {}
    extra |= {name: _sha256(data) for name, data in more.items()}
    files = texts(with_results(manifest, home.path, stats), stats, lying, extra) | more
    sha256 = _sha256(files[MANIFEST])
    outputs = {shard.stats.path: shard.output for shard in shards} | index
    if committed(home.path) != sha256 or not _in_place(home.path, outputs, files):
        placed = {name: home.path / output.name for name, output in outputs.items()}
        commit_dataset(home.path, placed, files)
    return sha256


def _manifest(
    recipe: Recipe,
    config: Any,  # noqa: ANN401  (publish's config, which imports this module)
    totals: Mapping[str, Mapping[str, int]],
    known: Known,
    shards: Sequence[ShardStats],
) -> Manifest:
    configs = configs_of(shards)
    return Manifest(
        name=recipe.name,
        schema_version=SCHEMA_VERSION,
        tracefactory=tracefactory.__version__,
        recipe_id=recipe_id(recipe),
        recipe=without_paths(recipe.canonical()),
        seed=recipe.seed,
        title=config.title or recipe.name,
        license=config.license,
        repository=None,
        parent_release=None,
        funnel=funnel(recipe, totals, configs),
        rejected_rows=_rejected(totals),
        inputs=known.inputs,
        configs=configs,
        files=files_of(shards),
        benchmarks=known.benchmarks,
        repeats=known.repeats,
        teachers=known.teachers,
    )


def _in_place(run: Path, shards: Mapping[str, Output], texts: Mapping[str, bytes]) -> bool:
    """Is the release there? A file that is not the very one of the run is read and compared."""
    dataset = run / "dataset"
    try:
        return all((dataset / name).read_bytes() == data for name, data in texts.items()) and all(
            _same(run / output.name, dataset / name, output) for name, output in shards.items()
        )
    except OSError:
        return False


def _same(source: Path, target: Path, output: Output) -> bool:
    if target.stat().st_size != output.bytes:
        return False
    return target.samefile(source) or sha256_of(target) == output.sha256
