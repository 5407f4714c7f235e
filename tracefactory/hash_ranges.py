"""64-bit hashes cut into equal ranges, so that tasks can share rows out by hash."""

from collections.abc import Iterator

import pyarrow as pa


def hash_ranges(n: int) -> Iterator[tuple[int, int]]:
    """All 64-bit numbers as n ranges [low, high); none for n = 0."""
    for k in range(n):
        yield (k << 64) // n, ((k + 1) << 64) // n


def within(column: str, low: int, high: int) -> list[tuple[str, str, object]]:
    """Filters for `Home.read`: rows whose uint64 column is in [low, high); 2**64 fits no uint64."""
    return [
        (column, ">=", pa.scalar(low, pa.uint64())),
        (column, "<=", pa.scalar(high - 1, pa.uint64())),
    ]
