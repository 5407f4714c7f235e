"""Drop traces that repeat another, up to white space; which one stays depends on no order.

Three phases on disk, each task with its receipt, so that no step holds all rows:

    hash   per group of chunks: a 128-bit hash of every kept trace (statement and response)
    match  per range of hashes: of equal ones the first attempt stays, the others are named
    share  per group of chunks: the drops that concern its rows, as decisions

Not here: near-duplicates. Case and punctuation count: in mathematics they carry meaning.
"""

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Literal, cast

import polars as pl
import pyarrow as pa

from tracefactory.hash_ranges import hash_ranges, within
from tracefactory.recipe.model import StageConfig
from tracefactory.schemas.attempt import ATTEMPT_SCHEMA
from tracefactory.schemas.problem import PROBLEM_SCHEMA
from tracefactory.stages.contract import (
    DECISION_SCHEMA,
    Inputs,
    Kind,
    Order,
    Plan,
    Result,
    outputs_of,
)
from tracefactory.store.home import Journal
from tracefactory.task import Chunk

GROUP_ROWS = 50_000
"""Attempts whose chunks are hashed in one task."""

RANGE_ROWS = 250_000
"""Hashes that are compared in one task."""

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


class DedupeConfig(StageConfig):
    """Drop traces that repeat another."""

    level: Literal["exact"] = "exact"
    """`exact`: the same statement and response, up to white space."""


def normal(text: str) -> str:
    """One form of a text: NFC, every run of white space one space."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def trace_hash(statement: str, response: str) -> tuple[int, int]:
    """128 bits of sha256 over the normal forms, as two 64-bit numbers."""
    digest = hashlib.sha256(f"{normal(statement)}\x00{normal(response)}".encode()).digest()
    return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big")


class Dedupe:
    """The stage."""

    kind: ClassVar[Kind] = "barrier"
    Config: ClassVar[type[StageConfig]] = DedupeConfig
    version = "1"
    roles = ("decisions",)

    def phases(self, config: DedupeConfig) -> int:
        """hash, match, share."""
        return 3

    def orders(self, config: DedupeConfig, plan: Plan, phase: int) -> Iterator[Order]:
        """One order a group, a range of hashes, or a group again."""
        if phase == 0:
            for number, group in enumerate(_groups(plan.chunks)):
                read = tuple(c.only("problems", "attempts", "decisions") for c in group)
                yield Order(f"hash-{number:05d}", {"step": "hash", "group": number}, read)
        elif phase == 1:
            hashes = Chunk("hashes", {"hashes": outputs_of(plan.done[0], "hashes")})
            n = -(-hashes.rows("hashes") // RANGE_ROWS)  # none for no rows: nothing is compared
            for number, (low, high) in enumerate(hash_ranges(n)):
                settings = {"step": "match", "stage": plan.name, "low": str(low), "high": str(high)}
                yield Order(f"match-{number:05d}", settings, (hashes,))
        else:
            repeats = Chunk("repeats", {"repeats": outputs_of(plan.done[1], "repeats")})
            if not repeats.files["repeats"]:
                return
            for number in range(len(plan.done[0])):
                yield Order(f"share-{number:05d}", {"step": "share", "group": number}, (repeats,))

    def chunks(self, config: DedupeConfig, plan: Plan) -> Iterable[Chunk]:
        """All chunks go on, each with the decisions of its group."""
        shared = plan.done[2]
        for number, group in enumerate(_groups(plan.chunks)):
            for chunk in group:
                yield chunk.extended(shared[number].outputs if shared else (), {})
        yield from (chunk for chunk in plan.chunks if not chunk.rows("attempts"))

    def work(self, config: Mapping[str, Any], inputs: Inputs, journal: Journal) -> Result:
        """One step."""
        if config["step"] == "hash":
            return _hash(inputs, config["group"])
        if config["step"] == "match":
            return _match(inputs, config["stage"], int(config["low"]), int(config["high"]))
        return _share(inputs, config["group"])


def _groups(chunks: Iterable[Chunk]) -> Iterator[list[Chunk]]:
    group: list[Chunk] = []
    rows = 0
    for chunk in chunks:
        n = chunk.rows("attempts")
        if not n:
            continue
        if group and rows + n > GROUP_ROWS:
            yield group
            group, rows = [], 0
        group.append(chunk)
        rows += n
    if group:
        yield group


def _hash(inputs: Inputs, group: int) -> Result:
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


def _match(inputs: Inputs, stage: str, low: int, high: int) -> Result:
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


def _share(inputs: Inputs, group: int) -> Result:
    bounds = [("group", "=", group)]
    tables = [inputs.home.read(o, filters=bounds) for o in inputs.chunk.files["repeats"]]
    rows = pa.concat_tables(tables).select(DECISION_SCHEMA.names)
    return Result({"decisions": rows.cast(DECISION_SCHEMA)})


STAGE = Dedupe()
