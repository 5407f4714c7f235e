"""The walk over each component: who goes, for whom, and how near they are."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from tracefactory.hash_ranges import within
from tracefactory.nearness.jaccard import Shingles
from tracefactory.nearness.walking import Text, fates
from tracefactory.repeats.tables import FATE_SCHEMA, ORDER, TEXT_SCHEMA
from tracefactory.schemas.receipt import Output
from tracefactory.stages.contract import Inputs, Result

Row = dict[str, Any]


def kept(
    inputs: Inputs, files: tuple[Output, ...], low: int, high: int, threshold: float
) -> Result:
    """All components of a range."""
    bounds = within("part", low, high)
    tables = [inputs.home.read(file, filters=bounds) for file in files if file.rows]
    table = pa.concat_tables(tables) if tables else TEXT_SCHEMA.empty_table()
    table = table.sort_by([("part", "ascending"), *((name, "ascending") for name in ORDER)])
    gone = [row for rows in _components(table) for row in _walked(rows, threshold)]
    gone.sort(key=lambda row: (row["group"], row["id"]))
    return Result({"fates": pa.Table.from_pylist(gone, schema=FATE_SCHEMA)})


def _components(table: pa.Table) -> Iterator[list[Row]]:
    """The rows of each part in turn."""
    part = table.column("part").to_numpy()
    if not len(part):
        return
    starts = np.flatnonzero(np.diff(part, prepend=part[:1] ^ 1))
    for start, end in zip(starts, [*starts[1:], len(part)], strict=True):
        rows = table.slice(int(start), int(end - start))
        shingles = rows.column("shingles").combine_chunks()
        plain = rows.drop_columns(["shingles"]).to_pylist()
        for row, values in zip(plain, shingles, strict=True):
            row["shingles"] = (
                values.values.to_numpy().astype(np.uint64) if values.is_valid else None
            )
        yield plain


def _walked(rows: list[Row], threshold: float) -> Iterator[Row]:
    """Rows that go. `rows` are in the total order; those of one content stand or go together."""
    contents: dict[tuple[int, int], list[Row]] = {}
    for row in rows:
        contents.setdefault((row["high"], row["low"]), []).append(row)
    members = list(contents.values())
    texts = [_text(place, same) for place, same in enumerate(members)]
    for fate in fates(texts, threshold):
        keeper = members[fate.keeper][0]
        for row in members[fate.text]:
            if row["group"] >= 0:
                yield _fate(row, keeper, fate.jaccard, first=row is members[fate.text][0])
        if keeper["group"] >= 0:
            yield _fate(keeper, keeper, 1.0, first=False)


def _text(place: int, rows: list[Row]) -> Text:
    sets = [row for row in rows if row["shingles"] is not None]
    best = max(sets, key=lambda row: row["whole"])
    blocks = frozenset(int(row["block"]) for row in rows)
    return Text((place,), blocks, Shingles(best["shingles"], best["whole"]))


def _fate(row: Row, keeper: Row, jaccard: float, *, first: bool) -> Row:
    return {
        "group": row["group"],
        "id": row["id"],
        "keeper": keeper["id"],
        "tier": keeper["tier"],
        "where": keeper["group"],
        "jaccard": jaccard,
        "near": row is not keeper,
        "first": first,
    }
