"""What came of probes, kind by kind: the share of answers that moved, with its interval."""

from collections.abc import Mapping
from typing import NamedTuple

from tracefactory.audit.interval import wilson


class Rate(NamedTuple):
    """The probes of one kind."""

    kind: str
    moved: int
    n: int
    """Those that moved or stayed: what the share is of."""
    share: float | None
    """None where n is 0, and so are low and high."""
    low: float | None
    high: float | None
    """Wilson's 95 % interval."""
    no_answer: int
    unclear: int


def rates(counts: Mapping[str, int]) -> list[Rate]:
    """The rate of each kind; `counts` are probes by `kind.outcome` (schemas/manifest.py)."""
    return [_rate(kind, counts) for kind in sorted({key.partition(".")[0] for key in counts})]


def _rate(kind: str, counts: Mapping[str, int]) -> Rate:
    moved = counts.get(f"{kind}.moved", 0)
    n = moved + counts.get(f"{kind}.stayed", 0)
    share, low, high = wilson(moved, n)
    aside = (counts.get(f"{kind}.{outcome}", 0) for outcome in ("no_answer", "unclear"))
    return Rate(kind, moved, n, share, low, high, *aside)
