"""What a release says of itself: statistics of each shard, and the manifest that folds them.

Every figure is mergeable: counts, sums, minima and maxima, histograms with fixed edges. So the
release's figures are the fold of its shards' figures, and anyone can add them up again.
None = not measured, 0 = measured, none.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import orjson
import pyarrow as pa

SCHEMA_VERSION = "5"
"""Of all records and views. Any change of a column raises it, and a golden copy shows the diff."""

LENGTH_EDGES = (0, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072)
"""Lower edges of the histograms of lengths, in characters or tokens; the last bin is open."""

RATE_EDGES = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)
"""Lower edges of the histogram of pass rates; the last bin holds exactly 1.0."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Minimum, maximum, sum, count and histogram of one number over rows."""

    n: int = 0
    sum: int = 0
    min: int | None = None
    max: int | None = None
    histogram: tuple[int, ...] = (0,) * len(LENGTH_EDGES)
    """Rows per bin of LENGTH_EDGES."""

    def merge(self, other: "Spread") -> "Spread":
        """The spread of both sets of rows together."""
        lows = [x for x in (self.min, other.min) if x is not None]
        highs = [x for x in (self.max, other.max) if x is not None]
        return Spread(
            self.n + other.n,
            self.sum + other.sum,
            min(lows, default=None),
            max(highs, default=None),
            tuple(a + b for a, b in zip(self.histogram, other.histogram, strict=True)),
        )


Counts = dict[str, int]


def _add(left: Mapping[str, int], right: Mapping[str, int]) -> Counts:
    return {key: left.get(key, 0) + right.get(key, 0) for key in sorted({*left, *right})}


def _merged(left: Any, right: Any) -> Any:  # noqa: ANN401  (any of the fields of Stats)
    """One figure of both sets of rows; None, which was not measured, takes the other's."""
    if left is None or right is None:
        return right if left is None else left
    if isinstance(left, Spread):
        return left.merge(right)
    if isinstance(left, Mapping):
        return _add(left, right)
    if isinstance(left, tuple):
        return tuple(a + b for a, b in zip(left, right, strict=True))
    return left + right


@dataclass(frozen=True, slots=True)
class Stats:
    """The figures of some rows; those of two sets of rows merge into those of both."""

    rows: int = 0
    statuses: Mapping[str, int] = field(default_factory=Counts)
    """Rows by verdict status."""
    reasons: Mapping[str, int] = field(default_factory=Counts)
    """Rows by `status:reason` of the verdict."""
    dropped: Mapping[str, int] = field(default_factory=Counts)
    """Rows by `stage: reason` of the drop (`rejected` only)."""
    verifiers: Mapping[str, int] = field(default_factory=Counts)
    teachers: Mapping[str, int] = field(default_factory=Counts)
    teacher_revisions: Mapping[str, int] = field(default_factory=Counts)
    """Rows by `teacher @ revision`."""
    teacher_licenses: Mapping[str, int] = field(default_factory=Counts)
    programs: int | None = None
    """Rows whose teacher is a program and not a model; None where rows have no teacher."""
    domains: Mapping[str, int] = field(default_factory=Counts)
    task_types: Mapping[str, int] = field(default_factory=Counts)
    sources: Mapping[str, int] = field(default_factory=Counts)
    licenses: Mapping[str, int] = field(default_factory=Counts)
    finish_reasons: Mapping[str, int] = field(default_factory=Counts)
    truncated: int | None = None
    """Rows with finish_reason `length`."""
    without_reasoning: int | None = None
    """Rows that are an answer and nothing else; None where rows have no text."""
    limited_by_clock: int | None = None
    """Rows whose verdict only a clock decided: another machine may judge them otherwise."""
    steps: Mapping[str, int] = field(default_factory=Counts)
    """Steps by outcome (true, rounded, repaired, false, uncheckable) and by `kind.outcome`."""
    rows_with_false_steps: int | None = None
    """Rows with at least one false step; None when no row was measured."""
    correct_with_false_steps: int | None = None
    """Of those, the rows with a correct final answer: right for a wrong reason."""
    reasoning_chars: Spread = Spread()
    answer_chars: Spread = Spread()
    tokenizers: Mapping[str, int] = field(default_factory=Counts)
    """Rows by what counted their tokens; the spreads of tokens are over these rows."""
    prompt_tokens: Spread = Spread()
    reasoning_tokens: Spread = Spread()
    answer_tokens: Spread = Spread()
    pass_rates: tuple[int, ...] = (0,) * len(RATE_EDGES)
    """Rows per bin of RATE_EDGES."""
    unrated: int = 0
    """Rows without a pass rate."""
    solved: Mapping[str, int] = field(default_factory=Counts)
    """Problems by `correct/rated` attempts of their pass rate (`rl` only): pass@k is made of it."""
    probes: Mapping[str, int] = field(default_factory=Counts)
    """Probes by `kind.outcome` (`probes` only): `alter.moved`, `truncate.stayed`."""
    overlaps: Mapping[str, int] = field(default_factory=Counts)
    """Overlaps with benchmarks (`overlaps` only) by `benchmark.level.part`; a part is `problem` or
    `trace`: `gsm8k.suspect.trace`."""

    def merge(self, other: "Stats") -> "Stats":
        """The figures of both sets of rows together."""
        return Stats(
            **{
                one.name: _merged(getattr(self, one.name), getattr(other, one.name))
                for one in fields(self)
            }
        )

    @classmethod
    def fold(cls, parts: "Iterable[Stats]") -> "Stats":
        """The figures of all parts together; of none, an empty one."""
        whole = cls()
        for part in parts:
            whole = whole.merge(part)
        return whole

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Stats":
        """Read back what `asdict` and JSON made of it."""
        plain: dict[str, Any] = {**data, "pass_rates": tuple(data["pass_rates"])}
        for one in fields(cls):
            if isinstance(one.default, Spread):
                spread: dict[str, Any] = {**plain[one.name]}
                spread["histogram"] = tuple(spread["histogram"])
                plain[one.name] = Spread(**spread)
        return cls(**plain)


@dataclass(frozen=True, slots=True)
class ShardStats:
    """One published file and what is in it. One row of the config `shard_stats`."""

    path: str
    """Relative to the dataset's folder, `sft/train-00000.parquet`.

    No number of files in it: a shard keeps its name when others come."""
    config: str
    split: str
    index: int
    rows: int
    bytes: int
    file_sha256: str
    content_sha256: str
    """sha256 over the rows' own content hashes, in file order: survives another Parquet writer."""
    row_groups: int
    schema_sha256: str
    schema_version: str
    writer: str
    """Name and version of the Parquet writer: bytes repeat only under the same one."""
    recipe_id: str
    seed: int
    stats: Stats

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ShardStats":
        """Read back what `to_json` and JSON made of it."""
        plain: dict[str, Any] = {**data, "stats": Stats.from_json(data["stats"])}
        return cls(**plain)


SHARD_STATS_SCHEMA = pa.schema(
    [
        pa.field("path", pa.string()),
        pa.field("config", pa.string()),
        pa.field("split", pa.string()),
        pa.field("index", pa.int32()),
        pa.field("rows", pa.int64()),
        pa.field("bytes", pa.int64()),
        pa.field("file_sha256", pa.string()),
        pa.field("content_sha256", pa.string()),
        pa.field("row_groups", pa.int32()),
        pa.field("schema_sha256", pa.string()),
        pa.field("schema_version", pa.string()),
        pa.field("writer", pa.string()),
        pa.field("recipe_id", pa.string()),
        pa.field("seed", pa.int64()),
        pa.field("n_correct", pa.int64()),
        pa.field("n_incorrect", pa.int64()),
        pa.field("n_no_answer", pa.int64()),
        pa.field("n_undecided", pa.int64()),
        pa.field("n_bad_reference", pa.int64()),
        pa.field("n_error", pa.int64()),
        pa.field("rows_with_false_steps", pa.int64()),
        pa.field("correct_with_false_steps", pa.int64()),
        pa.field("truncated", pa.int64()),
        pa.field("limited_by_clock", pa.int64()),
        pa.field("reasoning_chars", pa.int64()),
        # Of the config `probes`; null elsewhere. Low and high: Wilson's 95 % interval.
        pa.field("probe_n", pa.int64()),
        pa.field("probe_moved", pa.int64()),
        pa.field("probe_moved_low", pa.float64()),
        pa.field("probe_moved_high", pa.float64()),
        pa.field("stats", pa.string()),  # JSON: all of Stats, for the fold
    ]
)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The release: what made it, what is in it, and the funnel that led there."""

    name: str
    schema_version: str
    tracefactory: str
    """Version of tracefactory that made it."""
    recipe_id: str
    recipe: Mapping[str, Any]
    """The resolved recipe, paths of local files left out."""
    seed: int
    title: str
    license: str | None
    """Stated for the whole release; None: each row's own holds."""
    repository: str | None
    """`org/name` on the Hub that it was published to; None: to no Hub."""
    parent_release: str | None
    """sha256 of the manifest that this release was published onto; None: onto nothing."""
    funnel: Mapping[str, int]
    """Rows after each step: problems, attempts, correct, ..., published."""
    rejected_rows: Mapping[str, int]
    """Source rows that never became problems, by reason (not_json, bad_reference, ...)."""
    inputs: Sequence[Mapping[str, Any]]
    """Where problems came from: kind, name, revision, order-free content hash, licence, rows."""
    configs: Mapping[str, Mapping[str, Any]]
    """Per config and split: files, rows, and Stats (the fold of its shards)."""
    files: Sequence[Mapping[str, Any]]
    """Every shard: path, sha256, bytes, rows."""
    teachers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    """How teachers that are no programs were asked, by `teacher @ revision`: back-end, base URL,
    model and revision, chat template, tools, sampling."""
    proof: Mapping[str, Any] | None = None
    """What small models trained on these rows learnt (schemas/proof.py); None: nobody tried."""
    benchmarks: Sequence[Mapping[str, Any]] = ()
    """What decontaminate stages compared rows with: name, Hub id and commit or `file`, columns,
    number of items, order-free content hash. Empty: nothing was."""
    repeats: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What near dedupe stages found, by stage: for problems and for traces the pairs by how near
    they are, and the largest groups with examples. Empty: nobody looked for near-duplicates."""
    loop: Mapping[str, Any] | None = None
    """How a model went that was its own teacher (schemas/proof.py); None: of no loop."""

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def to_bytes(self) -> bytes:
        """manifest.json; its sha256 is the release's name."""
        # In the order of the record: the funnel is read from top to bottom, as the recipe is.
        return orjson.dumps(self.to_json(), option=orjson.OPT_INDENT_2) + b"\n"

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Manifest":
        """Read back what `to_json` and JSON made of it."""
        return cls(**data)
