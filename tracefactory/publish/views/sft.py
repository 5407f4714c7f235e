"""`sft` and `rejected`: a problem, an attempt and its verdict; reasoning inline in `<think>`."""

import polars as pl

from tracefactory.publish.views.shaping import Settings, hashed, shuffled, turn


def traces(rows: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """One row an attempt, as its teacher wrote it."""
    frame = audited(rows, settings).with_columns(
        pl.concat_list(turn("user", "_user"), turn("assistant", "text")).alias("messages")
    )
    return shuffled(hashed(frame, "_user", "text", "answer"))


def audited(rows: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """All columns of a trace but its messages and their hash."""
    return rows.with_columns(
        pl.col("attempt_id").alias("id"),
        pl.col("reference").alias("answer"),
        (pl.col("n_true_steps") + pl.col("n_rounded_steps")).alias("n_true_steps"),
        pl.lit(settings.recipe_id).alias("recipe_id"),
    )
