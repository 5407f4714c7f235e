"""`probes`: traces that were tampered with, what was said then, and whether the answer moved.

One split a kind, so that no figure mixes two. No row is for training: each is a wrong turn that
was put in, or an answer without its reasoning.
"""

import polars as pl

from tracefactory.publish.views.shaping import Settings, hashed, shuffled


def probes(rows: pl.DataFrame, settings: Settings) -> dict[str, pl.DataFrame]:
    """The rows of each kind, one a probe."""
    frame = hashed(
        rows.with_columns(pl.lit(settings.recipe_id).alias("recipe_id")), "prefix", "continuation"
    )
    return {
        kind: shuffled(frame.filter(pl.col("kind") == kind))
        for kind in sorted(frame.get_column("kind").unique())
    }
