"""The pairs of tests/cases/symbolic.jsonl, and the interval of a failure rate."""

import json
import math
from pathlib import Path

CASES = Path(__file__).parents[1] / "cases" / "symbolic.jsonl"
ROWS = [json.loads(line) for line in CASES.read_text("utf-8").splitlines()]
TYPES = sorted({row["type"] for row in ROWS})


def wilson(failures, n):
    """The 95 % Wilson interval (low, high) of the rate that `failures` of `n` trials estimate."""
    if n == 0:
        return 0.0, 1.0
    z = 1.959963984540054
    rate = failures / n
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)
