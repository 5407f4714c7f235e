"""How far a budget reaches: rows in the order of a hash of their ids, until it is spent.

A row that is larger than the whole budget is passed over: it could not be kept at any place, and
would only end the budget early. Sizes are summed by range of hashes first; so the place of the cut
is found by reading one range's rows (and those of ranges with such a row), and no step holds all.
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
        pa.field("largest", pa.int64(), nullable=False),
    ]
)
CUT_SCHEMA = pa.schema(
    [
        pa.field("rank", pa.uint64()),
        pa.field("attempt_id", pa.string()),
        pa.field("passed_over", pa.int64(), nullable=False),
    ]
)
"""The first row beyond the budget (null: none is), and how many before it are larger than all of
it; no row when all fit."""


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
        .agg(
            pl.col("size").sum(),
            pl.len().cast(pl.Int64).alias("rows"),
            pl.col("size").max().alias("largest"),
        )
        .sort("range")
    )
    return {
        "ranks": ordered.select(RANK_SCHEMA.names).to_arrow().cast(RANK_SCHEMA),
        "sums": sums.to_arrow().cast(SUM_SCHEMA),
    }


def cut(inputs: Inputs, budget: int) -> tuple[pa.Table, int]:
    """The first row beyond the budget, if there is one, and how many rows are kept before it."""
    files = inputs.chunk.files
    sums = _read(inputs, files["sums"], SUM_SCHEMA).group_by("range")
    totals = sums.agg(pl.col("size", "rows").sum(), pl.col("largest").max()).sort("range")
    spent = kept = passed_over = 0
    for at, size, rows, largest in totals.select("range", "size", "rows", "largest").iter_rows():
        if spent + size <= budget:
            spent, kept = spent + size, kept + rows
            continue
        low = at << _RANGE_BITS
        bounds = within("rank", low, low + (1 << _RANGE_BITS))
        found = _read(inputs, files["ranks"], RANK_SCHEMA, bounds).sort("rank", "attempt_id")
        small = found.filter(pl.col("size") <= budget) if largest > budget else found
        fits = small.get_column("size").cum_sum() <= budget - spent
        passed_over += found.height - small.height
        kept += int(fits.sum())
        spent += int(small.get_column("size").sum())
        if not fits.all():
            beyond_it = small.slice(int(fits.sum()), 1).row(0, named=True)
            return _cut(beyond_it["rank"], beyond_it["attempt_id"], passed_over), kept
    return (_cut(None, None, passed_over) if passed_over else CUT_SCHEMA.empty_table()), kept


def _cut(rank: int | None, attempt_id: str | None, passed_over: int) -> pa.Table:
    row = {"rank": rank, "attempt_id": attempt_id, "passed_over": passed_over}
    return pa.Table.from_pylist([row], schema=CUT_SCHEMA)


def beyond(inputs: Inputs, stage: str, reason: str, budget: int) -> pa.Table:
    """The decisions on one group of chunks: its rows from the cut on, and those that are larger."""
    files = inputs.chunk.files
    ((rank, attempt_id, passed_over),) = _read(inputs, files["cut"], CUT_SCHEMA).iter_rows()
    bounds = None if passed_over else within("rank", rank, 1 << 64)
    ranks = _read(inputs, files["ranks"], RANK_SCHEMA, bounds)
    after = pl.lit(False)
    if rank is not None:
        at, cut_at = pl.col("rank"), pl.lit(rank, pl.UInt64)
        after = (at > cut_at) | ((at == cut_at) & (pl.col("attempt_id") >= attempt_id))
    gone = ranks.filter(after | (pl.col("size") > budget)).select(
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
