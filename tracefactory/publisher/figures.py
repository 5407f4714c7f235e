"""Figures of a shard that was put together anew."""

from typing import Any, cast

import polars as pl
import pyarrow as pa

from tracefactory.publish.stats import Measured, stats_of
from tracefactory.publisher.verdicts import ALL_IN_COLUMNS, SCHEMA
from tracefactory.schemas.manifest import Stats
from tracefactory.verifiers.extract import split_reasoning


class Known(Measured):
    """What was measured of some rows."""

    def __init__(self, measures: pa.Table) -> None:
        frame = cast("pl.DataFrame", pl.from_arrow(measures))
        self.frame = frame.unique("attempt_id", keep="last", maintain_order=True)


def figures(view: str, table: pa.Table, measures: pa.Table | None) -> Stats:
    """The figures of rows of a view; `measures` as verdicts.py has them, None: not to be had."""
    if measures is None:
        measures = SCHEMA.empty_table() if view in ALL_IN_COLUMNS else _of_columns(table)
    return stats_of(view, table, Known(measures))


def _of_columns(table: pa.Table) -> pa.Table:
    """The lengths, counted again; no steps."""
    rows: list[dict[str, Any]] = []
    for row_id, messages in zip(
        *(table.column(c).to_pylist() for c in ("id", "messages")), strict=True
    ):
        last = messages[-1]
        reasoning = last.get("reasoning_content")
        parts = (
            split_reasoning(last["content"]) if reasoning is None else (reasoning, last["content"])
        )
        lengths = {"n_reasoning_chars": len(parts[0]), "n_answer_chars": len(parts[1])}
        rows.append(dict.fromkeys(SCHEMA.names) | {"attempt_id": row_id} | lengths)
    return pa.Table.from_pylist(rows, schema=SCHEMA)
