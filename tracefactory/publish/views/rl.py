"""`rl`: problems with how to check an answer and how hard they are, without any attempt.

`verification_info` is what `tracefactory.rewards` judges by.
"""

import orjson
import polars as pl

from tracefactory.publish.views.shaping import Settings, hashed, shuffled, turn
from tracefactory.verifiers.contract import versioned


def tasks(problems: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """One row a problem."""
    columns = ("judged_by", "verifier", "verifier_options", "reference")
    info = [
        orjson.dumps(
            {
                "verifier": judged_by or versioned(verifier),
                "options": orjson.loads(options),
                "reference": reference,
            },
            option=orjson.OPT_SORT_KEYS,
        ).decode()
        for judged_by, verifier, options, reference in problems.select(columns).iter_rows()
    ]
    frame = problems.with_columns(
        pl.concat_list(turn("user", "_user")).alias("prompt"),
        pl.col("reference").alias("solution"),
        pl.Series("verification_info", info, pl.String),
        pl.col("id").alias("problem_id"),
        pl.lit(settings.recipe_id).alias("recipe_id"),
    )
    return shuffled(hashed(frame, "_user", "solution"))
