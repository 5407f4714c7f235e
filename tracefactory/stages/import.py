"""Import stored generations: one input gives the problems and the attempts at them.

Each row holds a problem and the outputs of one or more teachers, or each row holds one output and
repeats its problem. They are verified like any other attempts.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from tracefactory.recipe.model import StageConfig
from tracefactory.sources.inputs import FileInput, HubInput, HubPlace, TableSettings, TableSource
from tracefactory.sources.mapping import AttemptMap, ProblemMap
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
    problem: ProblemMap
    """Which columns make a problem."""
    attempts: Annotated[tuple[AttemptMap, ...], Field(min_length=1)]
    """Which columns hold whose outputs."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.hub is None):
            raise ValueError(
                "give `path`, the file with the stored generations (for example "
                "--set stages.<stage>.path=FILE), or `hub`, and not both"
            )
        return self


class _Source:
    """The config in the form that TableSource reads."""

    def __init__(self, config: ImportConfig) -> None:
        self.file = (
            FileInput(path=config.path, format=config.format, problem=config.problem)
            if config.path is not None
            else None
        )
        self.hub = (
            HubInput(**config.hub.model_dump(), problem=config.problem) if config.hub else None
        )
        self._config = config

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  (whatever the config has)
        return getattr(self._config, name)


class Import:
    """The stage."""

    kind: ClassVar[Kind] = "source"
    Config: ClassVar[type[StageConfig]] = ImportConfig
    version = "1"
    roles = ("problems", "attempts")

    def phases(self, config: ImportConfig) -> int:
        """As many as the table needs."""
        return TableSource(_Source(config)).phases()

    def orders(self, config: ImportConfig, plan: Plan, phase: int) -> Iterator[Order]:
        """A step on the table."""
        yield from TableSource(_Source(config)).orders(plan, phase)

    def count(self, config: ImportConfig, plan: Plan, phase: int) -> int:
        """How many orders a phase has."""
        return TableSource(_Source(config)).count(plan, phase)

    def describe(self, config: ImportConfig, plan: Plan) -> list[dict[str, Any]]:
        """What was read, for the manifest."""
        return TableSource(_Source(config)).describe(plan)

    def work(self, config: Mapping[str, Any], inputs: Inputs, journal: Journal) -> Result:
        """Do one step."""
        return TableSource.work(config, inputs)


STAGE = Import()
