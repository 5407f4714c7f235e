"""Hold problems back for testing: by a hash of the statement, so no barrier and no drift.

A held-out problem is never given to a teacher; if it comes with stored attempts, they are dropped
with the reason `held_out`. Equal statements (up to white space and case) fall on one side,
and a problem keeps its side when others are added. Put it between the source and generate.

Not here: families' own held-out splits, which are disjoint by construction.
"""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import pyarrow as pa
from pydantic import Field

from tracefactory.recipe.model import StageConfig
from tracefactory.schemas.problem import PROBLEM_SCHEMA
from tracefactory.stages.contract import Inputs, Kind, Order, Plan, Result
from tracefactory.store.home import Journal
from tracefactory.task import Chunk

SPLIT_SCHEMA = pa.schema(
    [
        pa.field("problem_id", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
    ]
)


class SplitConfig(StageConfig):
    """Hold a share of the training problems back for testing."""

    test: Annotated[float, Field(gt=0, lt=1)] = 0.02
    """Share of `train` problems that become `test`, by a hash of statement and seed."""


def held_out(statement: str, seed: int, share: float) -> bool:
    """Does this statement fall into the held-out share?"""
    normal = " ".join(statement.split()).casefold()
    drawn = hashlib.sha256(f"{seed}:{normal}".encode()).digest()[:8]
    return int.from_bytes(drawn, "big") < share * 2**64


def split_of(inputs: Inputs, chunk: Chunk | None = None) -> dict[str, str]:
    """The split of each problem that a split stage moved; others keep their own."""
    table = inputs.table("splits", SPLIT_SCHEMA, chunk)
    return dict(zip(table.column(0).to_pylist(), table.column(1).to_pylist(), strict=True))


class Split:
    """The stage."""

    kind: ClassVar[Kind] = "chunk"
    Config: ClassVar[type[StageConfig]] = SplitConfig
    version = "1"
    roles = ("splits",)

    def order(self, config: SplitConfig, plan: Plan, chunk: Chunk) -> Order | None:
        """Every chunk that has training problems."""
        if "problems" not in chunk.files or chunk.facts.get("train") == "0":
            return None
        settings = {"test": config.test, "seed": plan.seed}
        return Order(chunk.name, settings, (chunk.only("problems"),))

    def work(self, config: Mapping[str, Any], inputs: Inputs, journal: Journal) -> Result:
        """Note which problems are held out."""
        table = inputs.table("problems", PROBLEM_SCHEMA, columns=["id", "statement", "split"])
        moved = [
            {"problem_id": row["id"], "split": "test"}
            for row in table.to_pylist()
            if row["split"] == "train"
            and held_out(row["statement"], config["seed"], config["test"])
        ]
        return Result(
            {"splits": pa.Table.from_pylist(moved, schema=SPLIT_SCHEMA)}, {"held_out": len(moved)}
        )


STAGE = Split()
