"""The tables between the steps. `group` is the number of a group of chunks, or below 0 of a file
that was published before; `content` the first half of the 128 bits of a text.
"""  # noqa: D205

from typing import Final

import numpy as np
import pyarrow as pa

from tracefactory.nearness.tokens import U64

PUBLISHED_HELD_OUT, PUBLISHED, HELD_OUT, VERIFIED, PLAIN = -1, 0, 1, 2, 3
"""The first part of the total order."""

ORDER: Final = ("tier", "flaw", "length", "high", "low", "place", "id")
"""The total order: by these columns, the least first. No chunk, worker or time is in it."""

NODE_SCHEMA = pa.schema(
    [
        pa.field("high", pa.uint64(), nullable=False),
        pa.field("low", pa.uint64(), nullable=False),
        pa.field("tier", pa.int8(), nullable=False),
        pa.field("flaw", pa.int32(), nullable=False),  # false steps; of a problem, minus its traces
        pa.field("length", pa.int32(), nullable=False),
        pa.field("place", pa.int32(), nullable=False),  # index of the attempt
        pa.field("id", pa.string(), nullable=False),
        pa.field("group", pa.int32(), nullable=False),
    ]
)
BAND_SCHEMA = pa.schema(
    [
        pa.field("hash", pa.uint64(), nullable=False),
        pa.field("content", pa.uint64(), nullable=False),
        pa.field("group", pa.int32(), nullable=False),
    ]
)
FATE_SCHEMA = pa.schema(
    [
        pa.field("group", pa.int32(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("keeper", pa.string(), nullable=False),  # the row itself: others went for it
        pa.field("tier", pa.int8(), nullable=False),  # of the keeper
        pa.field("where", pa.int32(), nullable=False),  # its group
        pa.field("jaccard", pa.float32(), nullable=False),  # 1: the same content
        pa.field("near", pa.bool_(), nullable=False),
        pa.field("first", pa.bool_(), nullable=False),  # of its content: the rest are equal to it
    ]
)
PAIR_SCHEMA = pa.schema(
    [
        pa.field("left", pa.uint64(), nullable=False),
        pa.field("right", pa.uint64(), nullable=False),
    ]
)
PLACE_SCHEMA = pa.schema(
    [
        pa.field("group", pa.int32(), nullable=False),
        pa.field("content", pa.uint64(), nullable=False),
    ]
)
WANTED_SCHEMA = pa.schema([*PLACE_SCHEMA, pa.field("part", pa.uint64(), nullable=False)])
TEXT_SCHEMA = pa.schema(
    [
        pa.field("part", pa.uint64(), nullable=False),
        *NODE_SCHEMA,
        pa.field("block", pa.uint64(), nullable=False),
        pa.field("whole", pa.bool_(), nullable=False),
        pa.field("shingles", pa.list_(pa.uint64())),  # null: those of the row before
    ]
)


def numbers_of(table: pa.Table, name: str) -> U64:
    """A column of hashes."""
    found: U64 = table.column(name).to_numpy().astype(np.uint64)
    return found
