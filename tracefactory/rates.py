"""Pass rates: of one teacher at one problem, over a fixed number of attempts.

correct / (correct + incorrect + no_answer) over the first `attempts.min` attempts: a fixed n,
because adaptive sampling stops at the first success and so would bias it. undecided,
bad_reference and error never enter it; with nothing left, it is null.

pass@k is the chance that of k attempts at least one is correct, without bias: of all choices of k
among the n attempts of the pass rate, the share that holds a correct one, as a mean over problems.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import comb

import polars as pl

COUNTED = ("correct", "incorrect", "no_answer")


def with_rates(
    verdicts: pl.DataFrame, by: tuple[str, ...] = ("problem_id", "teacher")
) -> pl.DataFrame:
    """Add n_attempts, n_correct (of all attempts), n_rated, pass_rate over these, difficulty."""
    counted = pl.col("status").is_in(COUNTED) & pl.col("in_rate")
    correct = (pl.col("status") == "correct") & pl.col("in_rate")
    rate = correct.sum().over(by) / counted.sum().over(by)
    return verdicts.with_columns(
        pl.len().over(by).cast(pl.Int32).alias("n_attempts"),
        (pl.col("status") == "correct").sum().over(by).cast(pl.Int32).alias("n_correct"),
        counted.sum().over(by).cast(pl.Int32).alias("n_rated"),
        pl.when(counted.sum().over(by) > 0).then(rate).cast(pl.Float32).alias("pass_rate"),
    ).with_columns((1 - pl.col("pass_rate")).cast(pl.Float32).alias("difficulty"))


@dataclass(frozen=True, slots=True)
class PassAt:
    """pass@k over problems."""

    k: int
    rate: float
    problems: int
    """Problems with k attempts or more in their pass rate; the others say nothing of k."""


def pass_at(solved: Mapping[str, int]) -> list[PassAt]:
    """pass@1, @2, @4, ... as far as attempts go, of problems by `correct/rated` (Stats.solved)."""
    pairs: list[tuple[int, int, int]] = []
    for key, n in sorted(solved.items()):
        correct, rated = map(int, key.split("/"))
        pairs.append((correct, rated, n))
    most = max((rated for _, rated, _ in pairs), default=0)
    found: list[PassAt] = []
    k = 1
    while k <= most:
        fit = [(correct, rated, n) for correct, rated, n in pairs if rated >= k]
        problems = sum(n for _, _, n in fit)
        missed = sum(n * comb(rated - correct, k) / comb(rated, k) for correct, rated, n in fit)
        found.append(PassAt(k, 1 - missed / problems, problems))
        k *= 2
    return found
