"""Equal traces, up to white space: which attempts repeat another (`dedupe: {level: exact}`).

hash   per group of chunks: a 128-bit hash of every kept trace (statement and response)
match  per range of hashes: of equal ones the first attempt stays, the others are named
share  per group of chunks: the drops that concern its rows, as decisions
"""

import hashlib
import unicodedata
from typing import Any, cast

import polars as pl
import pyarrow as pa

from tracefactory.hash_ranges import within
from tracefactory.schemas.attempt import ATTEMPT_SCHEMA
from tracefactory.schemas.problem import PROBLEM_SCHEMA
from tracefactory.stages.contract import DECISION_SCHEMA, Inputs, Result

HASH_SCHEMA = pa.schema(
    [
        pa.field("high", pa.uint64(), nullable=False),
        pa.field("low", pa.uint64(), nullable=False),
        pa.field("attempt_index", pa.int32(), nullable=False),
        pa.field("attempt_id", pa.string(), nullable=False),
        pa.field("group", pa.int32(), nullable=False),
    ]
)
REPEAT_SCHEMA = pa.schema([pa.field("group", pa.int32(), nullable=False), *DECISION_SCHEMA])


def normal(text: str) -> str:
    """One form of a text: NFC, every run of white space one space."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def trace_hash(statement: str, response: str) -> tuple[int, int]:
    """128 bits of sha256 over the normal forms, as two 64-bit numbers."""
    digest = hashlib.sha256(f"{normal(statement)}\x00{normal(response)}".encode()).digest()
    return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big")


def hashed(inputs: Inputs, group: int) -> Result:
    """Step `hash`."""
    rows: list[dict[str, Any]] = []
    for chunk in inputs.chunks:
        problems = inputs.table("problems", PROBLEM_SCHEMA, chunk, ["id", "statement"])
        statements = dict(zip(*(c.to_pylist() for c in problems.columns), strict=True))
        gone = inputs.table("decisions", DECISION_SCHEMA, chunk, ["attempt_id"]).column(0)
        dropped = set(gone.to_pylist())
        columns = ["id", "problem_id", "index", "text"]
        attempts = inputs.table("attempts", ATTEMPT_SCHEMA, chunk, columns)
        for attempt_id, problem_id, index, text in zip(
            *(c.to_pylist() for c in attempts.columns), strict=True
        ):
            if attempt_id not in dropped:
                high, low = trace_hash(statements[problem_id], text)
                rows.append(
                    {
                        "high": high,
                        "low": low,
                        "attempt_index": index,
                        "attempt_id": attempt_id,
                        "group": group,
                    }
                )
    rows.sort(key=lambda row: (row["high"], row["low"], row["attempt_id"]))
    return Result({"hashes": pa.Table.from_pylist(rows, schema=HASH_SCHEMA)})


def matched(inputs: Inputs, stage: str, low: int, high: int) -> Result:
    """Step `match`."""
    bounds = within("high", low, high)
    tables = [inputs.home.read(o, filters=bounds) for o in inputs.chunk.files["hashes"]]
    rows = cast("pl.DataFrame", pl.from_arrow(pa.concat_tables(tables)))
    ordered = rows.sort("high", "low", "attempt_index", "attempt_id")
    first = pl.col("attempt_id").first().over("high", "low")
    repeats = (
        ordered.with_columns(first.alias("keeper"))
        .filter(pl.col("attempt_id") != pl.col("keeper"))
        .select(
            "group",
            "attempt_id",
            pl.lit(stage).alias("dropped_by"),
            (pl.lit("duplicate of ") + pl.col("keeper")).alias("drop_reason"),
        )
        .sort("group", "attempt_id")
    )
    counts = {"kept": rows.height - repeats.height, "duplicates": repeats.height}
    return Result({"repeats": repeats.to_arrow().cast(REPEAT_SCHEMA)}, counts)


def shared(inputs: Inputs, group: int) -> Result:
    """Step `share`."""
    bounds = [("group", "=", group)]
    tables = [inputs.home.read(o, filters=bounds) for o in inputs.chunk.files["repeats"]]
    rows = pa.concat_tables(tables).select(DECISION_SCHEMA.names)
    return Result({"decisions": rows.cast(DECISION_SCHEMA)})
