"""`pretrain`: the rows of `sft` as plain text, the statement first."""

import polars as pl

from tracefactory.publish.views.shaping import Settings, hashed, shuffled


def texts(rows: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """One row an attempt."""
    counts = ("n_prompt_tokens", "n_reasoning_tokens", "n_answer_tokens")
    frame = rows.with_columns(
        pl.col("attempt_id").alias("id"),
        (pl.col("_user") + "\n\n" + pl.col("text")).alias("text"),
        pl.sum_horizontal(counts, ignore_nulls=False).alias("token_count"),
        pl.lit(settings.recipe_id).alias("recipe_id"),
    )
    return shuffled(hashed(frame, "text"))
