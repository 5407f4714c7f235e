"""What a release says of its duplicates: pairs by how near they are, the largest groups, examples.

Each task that decides who goes leaves this of its own rows in its receipt; the release adds them
up. Only what was dropped for a row of the run counts as its group.
"""

import heapq
from collections import Counter
from collections.abc import Iterable
from typing import Any

import orjson
import polars as pl
import pyarrow as pa

from tracefactory.schemas.receipt import Receipt

LARGEST = 10
"""Groups that are named."""
EXAMPLES = 3
"""Rows that are named of each."""
STEP = 0.05
"""Width of a bucket of Jaccard similarities."""


def facts_of(fates: pa.Table) -> dict[str, str]:
    """Of one task, for its receipt."""
    frame = pl.from_arrow(fates)
    assert isinstance(frame, pl.DataFrame)
    away = (pl.col("id") != pl.col("keeper")) | (pl.col("where") < 0)
    rows = frame.filter(away & pl.col("first"))
    pairs = Counter(
        bucket(j) if near else "equal" for j, near in rows.select("jaccard", "near").iter_rows()
    )
    groups = (
        rows.sort("keeper", "jaccard", "id", descending=[False, True, False])
        .group_by("keeper", maintain_order=True)
        .agg(pl.len().alias("rows"), pl.struct("id", "jaccard").head(EXAMPLES).alias("examples"))
    )
    return {"duplicates": orjson.dumps(_figures(pairs, groups.to_dicts())).decode()}


def bucket(jaccard: float) -> str:
    """`0.85` stands for 0.85 up to 0.90."""
    return f"{min(int(jaccard / STEP + 1e-6), 19) * STEP:.2f}"


def _figures(pairs: Counter[str], groups: Iterable[dict[str, Any]]) -> dict[str, Any]:
    largest = heapq.nsmallest(LARGEST, groups, key=lambda g: (-g["rows"], g["keeper"]))
    return {"pairs": dict(sorted(pairs.items())), "groups": largest}


def added_up(receipts: Iterable[Receipt]) -> dict[str, Any]:
    """The figures of all tasks of a turn together."""
    pairs: Counter[str] = Counter()
    groups: dict[str, dict[str, Any]] = {}
    for receipt in receipts:
        if "duplicates" not in receipt.facts:
            continue
        found = orjson.loads(receipt.facts["duplicates"])
        pairs.update(found["pairs"])
        for group in found["groups"]:  # equal ones and near ones are found in different tasks
            seen = groups.get(group["keeper"])
            if seen is None:
                groups[group["keeper"]] = group
            else:
                examples = [*seen["examples"], *group["examples"]][:EXAMPLES]
                total = seen["rows"] + group["rows"]
                groups[group["keeper"]] = {**seen, "rows": total, "examples": examples}
    return _figures(pairs, groups.values())
