"""What a release says of itself: statistics of each shard, and the manifest that folds them.

Every figure is mergeable: counts, sums, minima and maxima, histograms with fixed edges. So the
release's figures are the fold of its shards' figures, and anyone can add them up again.
None = not measured, 0 = measured, none.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

SCHEMA_VERSION = "1"
"""Of all records and views. Any change of a column raises it, and a golden copy shows the diff."""

CHAR_EDGES = (0, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072)
"""Lower edges of the histograms of text lengths, in characters; the last bin is open."""

RATE_EDGES = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)
"""Lower edges of the histogram of pass rates; the last bin holds exactly 1.0."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Minimum, maximum, sum, count and histogram of one number over rows."""

    n: int = 0
    sum: int = 0
    min: int | None = None
    max: int | None = None
    histogram: tuple[int, ...] = (0,) * len(CHAR_EDGES)
    """Rows per bin of CHAR_EDGES."""

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
    programs: int | None = None
    """Rows whose teacher is a program and not a model; None where rows have no teacher."""
    domains: Mapping[str, int] = field(default_factory=Counts)
    task_types: Mapping[str, int] = field(default_factory=Counts)
    sources: Mapping[str, int] = field(default_factory=Counts)
    licenses: Mapping[str, int] = field(default_factory=Counts)
    finish_reasons: Mapping[str, int] = field(default_factory=Counts)
    truncated: int | None = None
    """Rows with finish_reason `length`."""
    steps: Mapping[str, int] = field(default_factory=Counts)
    """Steps by outcome (true, rounded, repaired, false, uncheckable) and by `kind.outcome`."""
    rows_with_false_steps: int | None = None
    """Rows with at least one false step; None when no row was measured."""
    correct_with_false_steps: int | None = None
    """Of those, the rows with a correct final answer: right for a wrong reason."""
    reasoning_chars: Spread = Spread()
    answer_chars: Spread = Spread()
    pass_rates: tuple[int, ...] = (0,) * len(RATE_EDGES)
    """Rows per bin of RATE_EDGES."""
    unrated: int = 0
    """Rows without a pass rate."""

    def merge(self, other: "Stats") -> "Stats":
        """The figures of both sets of rows together."""

        def both(left: int | None, right: int | None) -> int | None:
            return right if left is None else left if right is None else left + right

        return Stats(
            rows=self.rows + other.rows,
            statuses=_add(self.statuses, other.statuses),
            reasons=_add(self.reasons, other.reasons),
            dropped=_add(self.dropped, other.dropped),
            verifiers=_add(self.verifiers, other.verifiers),
            teachers=_add(self.teachers, other.teachers),
            programs=both(self.programs, other.programs),
            domains=_add(self.domains, other.domains),
            task_types=_add(self.task_types, other.task_types),
            sources=_add(self.sources, other.sources),
            licenses=_add(self.licenses, other.licenses),
            finish_reasons=_add(self.finish_reasons, other.finish_reasons),
            truncated=both(self.truncated, other.truncated),
            steps=_add(self.steps, other.steps),
            rows_with_false_steps=both(self.rows_with_false_steps, other.rows_with_false_steps),
            correct_with_false_steps=both(
                self.correct_with_false_steps, other.correct_with_false_steps
            ),
            reasoning_chars=self.reasoning_chars.merge(other.reasoning_chars),
            answer_chars=self.answer_chars.merge(other.answer_chars),
            pass_rates=tuple(a + b for a, b in zip(self.pass_rates, other.pass_rates, strict=True)),
            unrated=self.unrated + other.unrated,
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
        for name in ("reasoning_chars", "answer_chars"):
            spread: dict[str, Any] = {**data[name]}
            spread["histogram"] = tuple(spread["histogram"])
            plain[name] = Spread(**spread)
        return cls(**plain)


@dataclass(frozen=True, slots=True)
class ShardStats:
    """One published file and what is in it. One row of the config `shard_stats`."""

    path: str
    """Relative to the dataset's folder, `sft/train-00000-of-00003.parquet`."""
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
        pa.field("reasoning_chars", pa.int64()),
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
    funnel: Mapping[str, int]
    """Rows after each step: problems, attempts, correct, ..., published."""
    rejected_rows: Mapping[str, int]
    """Source rows that never became problems, by reason (not_json, bad_reference, ...)."""
    inputs: list[Mapping[str, Any]]
    """Where problems came from: kind, name, revision, order-free content hash, licence, rows."""
    configs: Mapping[str, Mapping[str, Any]]
    """Per config and split: files, rows, and Stats (the fold of its shards)."""
    files: list[Mapping[str, Any]]
    """Every shard: path, sha256, bytes, rows."""

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)
