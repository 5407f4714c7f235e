"""How far a budget reaches: rows in the order of a hash of their ids, until it is spent.

Sizes are summed by range of hashes first; so the place of the cut is found by reading the rows of
one range, and no step holds all rows.
"""

from collections.abc import Iterable

import polars as pl
import pyarrow as pa

from tracefactory.errors import RecipeError
from tracefactory.hash_ranges import within
from tracefactory.schemas.receipt import Output
from tracefactory.selection.choosing import drawn
from tracefactory.selection.rules import frame
from tracefactory.stages.contract import DECISION_SCHEMA, Inputs

RANGES = 4096
"""Ranges of ranks whose sizes are summed: the cut reads the rows of one of them only."""
_RANGE_BITS = 64 - 12

RANK_SCHEMA = pa.schema(
    [
        pa.field("rank", pa.uint64(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("attempt_id", pa.string(), nullable=False),
    ]
)
SUM_SCHEMA = pa.schema(
    [
        pa.field("range", pa.int32(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("rows", pa.int64(), nullable=False),
    ]
)
CUT_SCHEMA = pa.schema(
    [
        pa.field("rank", pa.uint64(), nullable=False),
        pa.field("attempt_id", pa.string(), nullable=False),
    ]
)
"""The first row beyond the budget; none when all fit."""


def ranked(rows: pl.DataFrame, seed: int) -> dict[str, pa.Table]:
    """Rank and size of each row, in order; their sums by range of ranks."""
    uncounted = rows.filter(pl.col("size").is_null())
    if uncounted.height:
        raise RecipeError(
            f"a budget of tokens, and nobody counted those of {uncounted.item(0, 'attempt_id')!r} "
            f"(teacher {uncounted.item(0, 'teacher')!r}); give a budget of chars"
        )
    ranks = [drawn(seed, "budget", i) for i in rows.get_column("attempt_id")]
    ordered = rows.with_columns(pl.Series("rank", ranks, pl.UInt64)).sort("rank", "attempt_id")
    sums = (
        ordered.group_by((pl.col("rank") // (1 << _RANGE_BITS)).cast(pl.Int32).alias("range"))
        .agg(pl.col("size").sum(), pl.len().cast(pl.Int64).alias("rows"))
        .sort("range")
    )
    return {
        "ranks": ordered.select(RANK_SCHEMA.names).to_arrow().cast(RANK_SCHEMA),
        "sums": sums.to_arrow().cast(SUM_SCHEMA),
    }


def cut(inputs: Inputs, budget: int) -> tuple[pa.Table, int]:
    """The first row beyond the budget, if there is one, and how many rows come before it."""
    files = inputs.chunk.files
    sums = _read(inputs, files["sums"], SUM_SCHEMA).group_by("range").sum().sort("range")
    spent = kept = 0
    for at, size, rows in sums.select("range", "size", "rows").iter_rows():
        if spent + size > budget:
            low = at << _RANGE_BITS
            bounds = within("rank", low, low + (1 << _RANGE_BITS))
            found = _read(inputs, files["ranks"], RANK_SCHEMA, bounds).sort("rank", "attempt_id")
            fits = found.get_column("size").cum_sum() <= budget - spent
            kept += int(fits.sum())
            following = found.slice(int(fits.sum()), 1).select(CUT_SCHEMA.names)
            return following.to_arrow().cast(CUT_SCHEMA), kept
        spent, kept = spent + size, kept + rows
    return CUT_SCHEMA.empty_table(), kept


def beyond(inputs: Inputs, stage: str, reason: str) -> pa.Table:
    """The decisions on one group of chunks: its rows from the cut on."""
    files = inputs.chunk.files
    ((rank, attempt_id),) = _read(inputs, files["cut"], CUT_SCHEMA).iter_rows()
    ranks = _read(inputs, files["ranks"], RANK_SCHEMA, within("rank", rank, 1 << 64))
    same = pl.col("rank") == pl.lit(rank, pl.UInt64)
    gone = ranks.filter(~same | (pl.col("attempt_id") >= attempt_id)).select(
        "attempt_id", pl.lit(stage).alias("dropped_by"), pl.lit(reason).alias("drop_reason")
    )
    return gone.sort("attempt_id").to_arrow().cast(DECISION_SCHEMA)


def _read(
    inputs: Inputs,
    files: Iterable[Output],
    schema: pa.Schema,
    bounds: list[tuple[str, str, object]] | None = None,
) -> pl.DataFrame:
    tables = [inputs.home.read(file, filters=bounds) for file in files]
    return frame(pa.concat_tables(tables) if tables else schema.empty_table())
