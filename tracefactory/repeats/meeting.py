"""Who has the same content, who shares a band, and which contents hang together by that."""

from typing import cast

import numpy as np
import polars as pl
import pyarrow as pa

from tracefactory.hash_ranges import within
from tracefactory.nearness.components import components
from tracefactory.repeats.tables import (
    BAND_SCHEMA,
    FATE_SCHEMA,
    NODE_SCHEMA,
    ORDER,
    PAIR_SCHEMA,
    PLACE_SCHEMA,
    PUBLISHED,
    WANTED_SCHEMA,
)
from tracefactory.schemas.receipt import Output
from tracefactory.stages.contract import Inputs, Result

CROWD = 1000
"""Contents in one bucket from which it is counted as crowded: a phrase that many share."""


def _read(
    inputs: Inputs, files: tuple[Output, ...], schema: pa.Schema, column: str, low: int, high: int
) -> pl.DataFrame:
    bounds = within(column, low, high)
    tables = [inputs.home.read(file, filters=bounds) for file in files if file.rows]
    table = pa.concat_tables(tables) if tables else schema.empty_table()
    return cast("pl.DataFrame", pl.from_arrow(table))


def same(inputs: Inputs, files: tuple[Output, ...], low: int, high: int) -> Result:
    """Rows with equal content: all but the best go."""
    rows = _read(inputs, files, NODE_SCHEMA, "high", low, high)
    rows = rows.filter(pl.struct("high", "low").is_duplicated()).sort(*ORDER)
    first = {
        name: pl.col(name).first().over("high", "low").alias(as_)
        for name, as_ in (("id", "keeper"), ("tier", "best"), ("group", "where"))
    }
    found = rows.with_columns(*first.values())
    # Branches bring one problem twice: it is no duplicate of itself.
    several = (pl.col("id") != pl.col("keeper")).any().over("high", "low")
    published = (pl.col("best") <= PUBLISHED) & (pl.col("group") >= 0)
    found = found.filter((pl.col("group") >= 0) & (several | published))
    table = found.select(
        "group", "id", "keeper", pl.col("best").alias("tier"), "where",
        pl.lit(1.0, pl.Float32).alias("jaccard"), pl.lit(False).alias("near"),
        pl.lit(True).alias("first"),
    ).sort("group", "id")  # fmt: skip
    return Result({"repeats": table.to_arrow().cast(FATE_SCHEMA)})


def met(inputs: Inputs, files: tuple[Output, ...], low: int, high: int) -> Result:
    """Contents that share a band, each held against the least in its bucket: never all pairs."""
    rows = _read(inputs, files, BAND_SCHEMA, "hash", low, high)
    rows = rows.with_columns(
        pl.col("content").min().over("hash").alias("least"),
        pl.col("content").n_unique().over("hash").alias("n"),
    ).filter(pl.col("n") > 1)
    crowded = rows.filter(pl.col("n") > CROWD).select("hash").n_unique()
    pairs = rows.filter(pl.col("content") != pl.col("least")).select(
        pl.col("least").alias("left"), pl.col("content").alias("right")
    )
    places = rows.select("group", "content").unique().sort("group", "content")
    tables = {
        "pairs": pairs.unique().sort("left", "right").to_arrow().cast(PAIR_SCHEMA),
        "places": places.to_arrow().cast(PLACE_SCHEMA),
    }
    return Result(tables, {"crowded": crowded} if crowded else {})


def parts(inputs: Inputs, pairs: tuple[Output, ...], places: tuple[Output, ...]) -> Result:
    """The contents of each component, and in which groups they are: one task, 16 bytes a pair."""
    read = [inputs.home.read(file) for file in pairs if file.rows]
    table = pa.concat_tables(read) if read else PAIR_SCHEMA.empty_table()
    nodes, labels = components(*(c.to_numpy().astype(np.uint64) for c in table.columns))
    known = pl.DataFrame({"content": nodes, "part": labels})
    found = [
        cast("pl.DataFrame", pl.from_arrow(inputs.home.read(file))) for file in places if file.rows
    ]
    if not found:
        return Result({"wanted": WANTED_SCHEMA.empty_table()})
    wanted = pl.concat(found).unique().join(known, on="content").sort("group", "content")
    n_parts = len(np.unique(labels))
    table = wanted.select(WANTED_SCHEMA.names).to_arrow().cast(WANTED_SCHEMA)
    return Result({"wanted": table}, {"components": n_parts})
