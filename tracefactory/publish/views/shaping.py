"""What all views share: their order, a turn of a conversation, the hash of a row's content."""

import hashlib
from dataclasses import dataclass

import orjson
import polars as pl


@dataclass(frozen=True, slots=True)
class Settings:
    """What the publish stage says of a shard."""

    stage: str
    recipe_id: str
    statuses: tuple[str, ...]
    """Verdicts that may stand in `sft` and `pretrain`."""


def shuffled(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows in the order of a hash of their ids: a shuffle that repeats."""
    order = [hashlib.sha256(i.encode()).digest() for i in frame.get_column("id").to_list()]
    return frame.with_columns(pl.Series("_order", order, pl.Binary)).sort("_order").drop("_order")


def hashed(frame: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Add the hash of a row's content: what a reader would call the same row."""
    values = zip(*(frame.get_column(column).to_list() for column in columns), strict=True)
    hashes = [hashlib.sha256(orjson.dumps(value)).hexdigest() for value in values]
    return frame.with_columns(pl.Series("content_sha256", hashes, pl.String))


def turn(role: str, content: str) -> pl.Expr:
    """One message, its content from a column."""
    return pl.struct(pl.lit(role).alias("role"), pl.col(content).alias("content"))
