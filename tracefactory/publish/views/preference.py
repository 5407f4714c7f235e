"""`preference`: a published correct trace of a problem beside an incorrect one of the same problem.

Each attempt stands in one pair at most. Pairs of one teacher come before pairs of two, so that what
a model learns is not the one's style; among those, the nearest in length, so that it is not
length. Neither decides anything by the order in which rows come.

Not here: attempts without an answer, undecided ones, right answers that a filter dropped, and
whatever holds an item of a benchmark.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import polars as pl

from tracefactory.publish.views.shaping import Settings, hashed, shuffled, turn
from tracefactory.schemas.overlap import COPY

_MAX_EACH = 64
"""Attempts of each side of a problem that are looked at, the first by index: pairs are products."""
_SIDE = (
    "attempt_id", "text", "teacher", "teacher_revision", "teacher_license", "status", "reason",
    "final_answer", "verifier",
)  # fmt: skip
_SHARED = (
    "problem_id", "_user", "reference", "domain", "task_type", "source", "license", "pass_rate"
)  # fmt: skip


class Side(NamedTuple):
    """What pairing looks at."""

    attempt_id: str
    teacher: str
    length: int


def pairs(rows: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """One row a pair, of all attempts of a shard: kept and dropped."""
    trained = rows.filter(pl.col("split") == "train")
    good = trained.filter(pl.col("dropped_by").is_null() & (pl.col("status") == "correct"))
    copied = pl.col("drop_reason").str.contains(COPY, literal=True).fill_null(False)
    bad = trained.filter((pl.col("status") == "incorrect") & ~copied)
    matched = pl.DataFrame(
        list(_matched(good, bad)),
        schema={"chosen_id": pl.String, "rejected_id": pl.String},
        orient="row",
    )
    chosen = good.select(
        *(pl.col(name).alias(f"chosen_{name.removeprefix('attempt_')}") for name in _SIDE), *_SHARED
    )
    rejected = bad.select(
        pl.col(name).alias(f"rejected_{name.removeprefix('attempt_')}") for name in _SIDE
    )
    frame = matched.join(chosen, on="chosen_id").join(rejected, on="rejected_id")
    frame = frame.with_columns(
        (pl.col("chosen_id") + "~" + pl.col("rejected_id")).alias("id"),
        pl.concat_list(turn("user", "_user")).alias("prompt"),
        pl.concat_list(turn("assistant", "chosen_text")).alias("chosen"),
        pl.concat_list(turn("assistant", "rejected_text")).alias("rejected"),
        pl.col("reference").alias("answer"),
        pl.lit(settings.recipe_id).alias("recipe_id"),
    )
    return shuffled(hashed(frame, "_user", "chosen_text", "rejected_text", "answer"))


def _matched(good: pl.DataFrame, bad: pl.DataFrame) -> Iterator[tuple[str, str]]:
    """Ids of pairs, problem by problem."""
    chosen, rejected = _by_problem(good), _by_problem(bad)
    for problem in sorted(chosen.keys() & rejected.keys()):
        yield from paired(chosen[problem], rejected[problem])


def paired(chosen: Sequence[Side], rejected: Sequence[Side]) -> Iterator[tuple[str, str]]:
    """Pairs of one problem: of one teacher first, then the nearest in length."""
    every = sorted(
        (one.teacher != other.teacher, abs(one.length - other.length), one, other)
        for one in chosen
        for other in rejected
    )
    used: set[str] = set()
    for _, _, one, other in every:
        if one.attempt_id not in used and other.attempt_id not in used:
            used |= {one.attempt_id, other.attempt_id}
            yield one.attempt_id, other.attempt_id


def _by_problem(rows: pl.DataFrame) -> dict[str, list[Side]]:
    found: dict[str, list[Side]] = {}
    ordered = rows.select(
        "problem_id", "attempt_id", "teacher", pl.col("text").str.len_chars(), "attempt_index"
    ).sort("attempt_index", "attempt_id")
    problem: Any
    for problem, *side, _ in ordered.iter_rows():
        mine = found.setdefault(problem, [])
        if len(mine) < _MAX_EACH:
            mine.append(Side(*side))
    return found
