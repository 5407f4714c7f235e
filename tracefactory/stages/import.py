"""Import stored generations: one input gives the problems and the attempts at them.

Each row holds a problem and the outputs of one or more teachers, or each row holds one output and
repeats its problem. They are verified like any other attempts.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from tracefactory.recipe.model import StageConfig
from tracefactory.sources.inputs import FilePlace, HubPlace, TableSettings, TableSource
from tracefactory.sources.mapping import AttemptMap
from tracefactory.sources.programs import AnyProblemMap, check_verifier
from tracefactory.sources.rows import Format
from tracefactory.stages.contract import Inputs, Kind, Order, Plan, Result
from tracefactory.store.home import Journal


class ImportConfig(TableSettings):
    """Take problems and attempts from one input, `path` or `hub`."""

    path: str | None = None
    """A file, a folder or a glob; relative to the recipe (in --set: to the current folder)."""
    format: Format | None = None
    """`jsonl`, `json`, `csv` or `parquet`; by the extension when left out."""
    hub: HubPlace | None = None
    """A Hugging Face dataset instead of files."""
    problem: AnyProblemMap
    """Which columns make a problem; `layout: humaneval` or `contest` for programs."""
    attempts: Annotated[tuple[AttemptMap, ...], Field(min_length=1)]
    """Which columns hold whose outputs."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.hub is None):
            raise ValueError(
                "give `path`, the file with the stored generations (for example "
                "--set stages.<stage>.path=FILE), or `hub`, and not both"
            )
        check_verifier(self.problem, self.verifier)
        return self


def _table(config: ImportConfig) -> TableSource:
    place = config.hub or FilePlace(path=config.path or "", format=config.format)
    return TableSource(config, place, config.problem, config.attempts)


class Import:
    """The stage."""

    kind: ClassVar[Kind] = "source"
    Config: ClassVar[type[StageConfig]] = ImportConfig
    version = "1"
    roles = ("problems", "attempts")

    def phases(self, config: ImportConfig) -> int:
        """As many as the table needs."""
        return _table(config).phases()

    def orders(self, config: ImportConfig, plan: Plan, phase: int) -> Iterator[Order]:
        """A step on the table."""
        yield from _table(config).orders(plan, phase)

    def count(self, config: ImportConfig, plan: Plan, phase: int) -> int:
        """How many orders a phase has."""
        return _table(config).count(plan, phase)

    def describe(self, config: ImportConfig, plan: Plan) -> list[dict[str, Any]]:
        """What was read, for the manifest."""
        return _table(config).describe(plan)

    def work(self, config: Mapping[str, Any], inputs: Inputs, journal: Journal) -> Result:
        """Do one step."""
        return TableSource.work(config, inputs)


STAGE = Import()
