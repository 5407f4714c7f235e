"""Who has the same content, who shares a band, and which contents hang together by that."""

from collections.abc import Iterator
from typing import TypeVar, cast

import numpy as np
import polars as pl
import pyarrow as pa

from tracefactory.hash_ranges import within
from tracefactory.nearness.components import joined
from tracefactory.nearness.signature import mix
from tracefactory.nearness.tokens import I64, U64
from tracefactory.repeats.tables import (
    BAND_SCHEMA,
    FATE_SCHEMA,
    NODE_SCHEMA,
    ORDER,
    PAIR_SCHEMA,
    PLACE_SCHEMA,
    PUBLISHED,
    WANTED_SCHEMA,
    numbers_of,
)
from tracefactory.schemas.receipt import Output
from tracefactory.stages.contract import Inputs, Result

PORTION_ROWS = 1_000_000
"""Of pairs or places, read at a time at least."""
PORTIONS = 16
"""So often at most all that is known is gone through."""

_NODE_BITS = 40
"""Of a number of a place: its group stands above them, below 0 for published files."""

CROWD = 1000
"""Contents in one bucket from which it is counted as crowded: a phrase that many share."""

Numbers = TypeVar("Numbers", U64, I64)


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
    """The contents of each component, and in which groups they are: one task.

    Its memory goes with the contents that have a neighbour, about 100 bytes each, and not with how
    often they met: a pair and a place come from many ranges. A part is called by its least content,
    mixed again: the least of many are small, and ranges of them would hold very different numbers.
    """
    nodes: U64 = np.empty(0, np.uint64)
    for read in _portions(inputs, places):
        nodes = _distinct(np.append(nodes, numbers_of(read, "content")))
    labels, seen = np.arange(len(nodes)), np.empty(0, np.int64)
    for read in _portions(inputs, pairs):
        labels = joined(
            labels, *(np.searchsorted(nodes, numbers_of(read, n)) for n in ("left", "right"))
        )
    for read in _portions(inputs, places):
        group = read.column("group").to_numpy().astype(np.int64)
        at = np.searchsorted(nodes, numbers_of(read, "content"))
        seen = _distinct(np.append(seen, (group << _NODE_BITS) | at))
    at = seen & ((1 << _NODE_BITS) - 1)
    columns = [(seen >> _NODE_BITS).astype(np.int32), nodes[at], mix(nodes[labels])[at]]
    table = pa.table(columns, schema=WANTED_SCHEMA)
    n_parts = int((labels == np.arange(len(nodes))).sum())
    return Result({"wanted": table}, {"components": n_parts} if n_parts else {})


def _distinct(values: Numbers) -> Numbers:
    """Each once, in order; sorted in place. np.unique hashes, and takes five times as long."""
    values.sort()
    keep = np.ones(len(values), np.bool_)
    keep[1:] = values[1:] != values[:-1]
    return values[keep]


def _portions(inputs: Inputs, files: tuple[Output, ...]) -> Iterator[pa.Table]:
    """The rows of all files, in at most PORTIONS of them if they are many."""
    size = max(PORTION_ROWS, sum(file.rows for file in files) // PORTIONS)
    held: list[pa.Table] = []
    for number, file in enumerate(files, 1):
        held.append(inputs.home.read(file))
        if number == len(files) or sum(table.num_rows for table in held) >= size:
            yield pa.concat_tables(held)
            held.clear()
