"""Wilson's interval: what a share of n says of the rows that were not looked at."""

from math import sqrt
from typing import NamedTuple

Z_95 = 1.959963984540054


class Interval(NamedTuple):
    """A share with its 95 % interval; None where nothing was looked at."""

    share: float | None
    low: float | None
    high: float | None


def wilson(hits: int, n: int) -> Interval:
    """Share of hits among n, and its Wilson score interval."""
    if not n:
        return Interval(None, None, None)
    share, z2 = hits / n, Z_95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    return Interval(share, low, 1.0 if hits == n else min(1.0, middle + half))
