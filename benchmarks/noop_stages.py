"""Stages that do nothing, for measuring what the engine itself costs."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pyarrow as pa

from tracefactory.recipe.model import StageConfig
from tracefactory.stages.contract import Inputs, Kind, Order, Plan, Result
from tracefactory.store.home import Journal
from tracefactory.task import Chunk

TABLE = pa.table({"id": pa.array([], pa.string())})


class SourceConfig(StageConfig):
    """So many empty chunks."""

    chunks: int
    """How many."""


class Source:
    """Makes empty chunks."""

    kind: ClassVar[Kind] = "source"
    Config: ClassVar[type[StageConfig]] = SourceConfig
    version = "1"
    roles = ("problems",)

    def phases(self, config: SourceConfig) -> int:
        """One."""
        return 1

    def orders(self, config: SourceConfig, plan: Plan, phase: int) -> Iterator[Order]:
        """One a chunk, lazily."""
        for number in range(config.chunks):
            yield Order(f"{number:07d}", {"number": number})

    def count(self, config: SourceConfig, plan: Plan, phase: int) -> int:
        """All."""
        return config.chunks

    def work(self, config: Mapping[str, Any], inputs: Inputs, journal: Journal) -> Result:
        """Nothing."""
        return Result({"problems": TABLE}, {"problems": 0})


class Pass:
    """A chunk stage that reads and writes an empty table."""

    kind: ClassVar[Kind] = "chunk"
    Config: ClassVar[type[StageConfig]] = StageConfig
    version = "1"
    roles = ("decisions",)

    def order(self, config: StageConfig, plan: Plan, chunk: Chunk) -> Order | None:
        """Every chunk."""
        return Order(chunk.name, {}, (chunk.only("problems"),))

    def work(self, config: Mapping[str, Any], inputs: Inputs, journal: Journal) -> Result:
        """Nothing."""
        return Result({"decisions": TABLE})


SOURCE = Source()
PASS = Pass()
