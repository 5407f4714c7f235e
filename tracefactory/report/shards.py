"""Every file of the release, and which of them stand out from the others of their view.

A shard stands out when a figure lies more than five robust deviations (1.4826 x the median absolute
deviation) and more than a tenth from the median of its view. Small shards and views of few
shards are not judged: their figures differ by chance.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from statistics import median
from typing import NamedTuple

from tracefactory.schemas.manifest import ShardStats, Spread, Stats

LISTED = 400
"""Rows of the table; a page of two megabytes holds no more."""

SHARDS, ROWS = 5, 50
"""The fewest shards of a view, and rows of a shard, that are judged."""

DEVIATIONS, LEAST = 5.0, 0.10


class Mark(NamedTuple):
    """A figure of a shard that lies far from the median."""

    figure: str
    value: float
    median: float

    def text(self) -> str:
        """In words and numbers."""
        side = "above" if self.value > self.median else "below"
        return f"{self.figure} {self.value:,.3g}, {side} the median {self.median:,.3g}"


class Row(NamedTuple):
    """A line of the table."""

    shard: ShardStats
    bytes_per_row: float | None
    correct: float | None
    length: float | None
    """Mean length of a trace: reasoning and answer."""
    unit: str
    bins: tuple[int, ...]
    marks: tuple[Mark, ...]


class Listing(NamedTuple):
    """The table, as far as it fits."""

    rows: tuple[Row, ...]
    left_out: int
    marked: int
    judged: tuple[str, ...]
    """Views that have enough shards to be compared."""


def counted(stats: Stats) -> bool:
    """Were the tokens of all these rows counted? Lengths of some would pass for those of all."""
    return bool(stats.rows) and stats.reasoning_tokens.n == stats.rows


def spread_of(stats: Stats, tokens: bool) -> tuple[Spread, Spread]:
    """Lengths of reasoning and answer, in tokens or in characters."""
    if tokens:
        return stats.reasoning_tokens, stats.answer_tokens
    return stats.reasoning_chars, stats.answer_chars


def _length(stats: Stats, tokens: bool) -> float | None:
    reasoning, answer = spread_of(stats, tokens)
    return (reasoning.sum + answer.sum) / reasoning.n if reasoning.n else None


def _correct(stats: Stats) -> float | None:
    judged = sum(stats.statuses.values())
    return stats.statuses.get("correct", 0) / judged if judged else None


def _false_steps(stats: Stats) -> float | None:
    n = stats.rows_with_false_steps
    return None if n is None or not stats.rows else n / stats.rows


_FIGURES: Mapping[str, Callable[[ShardStats, bool], float | None]] = {
    "bytes a row": lambda shard, _: shard.bytes / shard.rows,
    "share correct": lambda shard, _: _correct(shard.stats),
    "mean length": lambda shard, tokens: _length(shard.stats, tokens),
    "share with false steps": lambda shard, _: _false_steps(shard.stats),
}


def listing(shards: Sequence[ShardStats]) -> Listing:
    """All shards, or those that stand out and the first of the others."""
    bare = {shard.config for shard in shards if shard.rows and not counted(shard.stats)}
    marks = _marks(shards, bare)
    first = sorted(range(len(shards)), key=lambda i: (not marks.get(shards[i].path), i))[:LISTED]
    rows = tuple(
        _row(shards[i], tuple(marks.get(shards[i].path, ())), shards[i].config not in bare)
        for i in sorted(first)
    )
    return Listing(
        rows,
        len(shards) - len(rows),
        sum(bool(found) for found in marks.values()),
        tuple(sorted(view for view, each in _views(shards).items() if len(each) >= SHARDS)),
    )


def _views(shards: Iterable[ShardStats]) -> dict[str, list[ShardStats]]:
    views: dict[str, list[ShardStats]] = {}
    for shard in shards:
        if shard.rows >= ROWS:
            views.setdefault(f"{shard.config}/{shard.split}", []).append(shard)
    return views


def _marks(shards: Iterable[ShardStats], bare: Collection[str]) -> dict[str, list[Mark]]:
    marks: dict[str, list[Mark]] = {}
    for members in _views(shards).values():
        for figure, of in _FIGURES.items():
            values = [
                (shard.path, value)
                for shard in members
                if (value := of(shard, shard.config not in bare)) is not None
            ]
            if len(values) < SHARDS:
                continue
            middle = median(value for _, value in values)
            bound = DEVIATIONS * 1.4826 * median(abs(value - middle) for _, value in values)
            bound = max(bound, LEAST * abs(middle), 0.02)
            for path, value in values:
                if abs(value - middle) > bound:
                    marks.setdefault(path, []).append(Mark(figure, value, middle))
    return marks


def _row(shard: ShardStats, marks: tuple[Mark, ...], tokens: bool) -> Row:
    stats = shard.stats
    reasoning, answer = spread_of(stats, tokens)
    bins = reasoning.histogram if reasoning.sum else answer.histogram
    return Row(
        shard,
        shard.bytes / shard.rows if shard.rows else None,
        _correct(stats),
        _length(stats, tokens),
        "tokens" if tokens else "characters",
        bins if reasoning.n else stats.pass_rates if sum(stats.pass_rates) else (),
        marks,
    )
