"""`overlaps`: what statements and traces have in common with benchmarks, one row a benchmark.

One split, `train`. The text is not in it: `problem_id` and `attempt_id` join `rl`, `sft` and
`rejected`; a row of a statement has no `attempt_id`.
"""

import polars as pl

from tracefactory.publish.views.shaping import Settings, hashed, shuffled

CONTENT = (
    "id", "rule", "item", "coverage", "masked_coverage", "longest_match", "n_items", "similarity"
)  # fmt: skip
"""What a row says, for its hash: it has no text of its own."""


def overlaps(rows: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """One row a text and benchmark."""
    whose = pl.coalesce("attempt_id", "problem_id")
    parts = (whose, pl.lit("overlap"), "stage", "benchmark", "level")
    frame = rows.with_columns(
        pl.concat_str(parts, separator="/").alias("id"),
        pl.lit(settings.recipe_id).alias("recipe_id"),
    )
    # Branches of a source bring the rows of a problem that they share twice.
    once = frame.unique("id", keep="first", maintain_order=True)
    return shuffled(hashed(once, *CONTENT))
