"""Pass rates: of one teacher at one problem, over a fixed number of attempts.

correct / (correct + incorrect + no_answer) over the first `attempts.min` attempts: a fixed n,
because adaptive sampling stops at the first success and so would bias it. undecided,
bad_reference and error never enter it; with nothing left, it is null.
"""

import polars as pl

COUNTED = ("correct", "incorrect", "no_answer")


def with_rates(
    verdicts: pl.DataFrame, by: tuple[str, ...] = ("problem_id", "teacher")
) -> pl.DataFrame:
    """Add n_attempts, n_correct (of all attempts), pass_rate and difficulty (1 - pass_rate)."""
    counted = pl.col("status").is_in(COUNTED) & pl.col("in_rate")
    correct = (pl.col("status") == "correct") & pl.col("in_rate")
    rate = correct.sum().over(by) / counted.sum().over(by)
    return verdicts.with_columns(
        pl.len().over(by).cast(pl.Int32).alias("n_attempts"),
        (pl.col("status") == "correct").sum().over(by).cast(pl.Int32).alias("n_correct"),
        pl.when(counted.sum().over(by) > 0).then(rate).cast(pl.Float32).alias("pass_rate"),
    ).with_columns((1 - pl.col("pass_rate")).cast(pl.Float32).alias("difficulty"))
