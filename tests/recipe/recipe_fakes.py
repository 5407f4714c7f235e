"""Stages small enough to read, with every kind of field that a recipe can hold."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from tracefactory.recipe import Kind, RecipeError, Settings, StageConfig


class Family(Settings):
    name: str
    """Name of the family."""
    count: Annotated[int, Field(ge=1)] = 100
    """Problems to make."""
    split: dict[str, int] = {}
    """Held-out problems by name."""


class SampleConfig(StageConfig):
    families: tuple[Family, ...] = ()
    """Families of our own."""
    path: str | tuple[str, ...] | None = None
    """Files of problems."""


class Solver(Settings):
    kind: Literal["solver"]
    """A program that solves and slips."""
    slip_rate: Annotated[float, Field(ge=0, le=1)] = 0.0
    """How often a step is wrong."""


class Vllm(Settings):
    kind: Literal["vllm"]
    """A model served by vLLM."""
    model: str
    """Hub id of the model."""
    path: Path | None = None
    """Local weights."""


class Attempts(Settings):
    min: int = 1
    """Attempts each problem gets."""
    max: int = 1
    """Attempts none exceeds."""

    @model_validator(mode="after")
    def ordered(self) -> "Attempts":
        if self.max < self.min:
            raise ValueError(f"max ({self.max}) is below min ({self.min})")
        return self


class GenerateConfig(StageConfig):
    teacher: Annotated[Solver | Vllm, Field(discriminator="kind")]
    """Who writes. Any kind of teacher."""
    attempts: Attempts = Attempts()
    """How many attempts."""
    judge: str | None = None
    """The verify stage that judges."""


class VerifyConfig(StageConfig):
    also: tuple[str, ...] = ()
    """Measures beside the verdict."""
    level: "Level | None" = None
    """How hard to try."""
    limit: int | float | None = None
    """Seconds for one check."""


class Level(Enum):
    FAST = "fast"
    FULL = "full"


class Rule(Settings):
    column: str
    """Column to look at."""


class FilterConfig(StageConfig):
    keep: tuple[str | Rule, ...]
    """What a row must satisfy. Each one."""
    strict: bool = False
    """Refuse rows without a verdict."""

    @field_validator("keep", mode="before")
    @classmethod
    def _one(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value


@dataclass(frozen=True)
class Fake:
    Config: type[StageConfig]
    kind: Kind


STAGES = {
    "sample": Fake(SampleConfig, "source"),
    "generate": Fake(GenerateConfig, "rounds"),
    "verify": Fake(VerifyConfig, "chunk"),
    "filter": Fake(FilterConfig, "chunk"),
    "publish": Fake(StageConfig, "barrier"),
}


def resolve(use: str) -> Fake:
    return STAGES[use]


def problems(make: Callable[[], object]) -> list[str]:
    """The lines of the RecipeError that this raises; none if it works; any other error goes on."""
    try:
        make()
    except RecipeError as error:
        return str(error).splitlines() or ["an error without a word"]
    return []


GOOD = """\
name: modular
seed: 7
stages:
  problems:
    use: sample
    families:
      - {name: modular_sum, count: 2000, split: {ood: 200}}
      - name: gcd
  attempts: {use: generate, from: problems, teacher: {kind: solver, slip_rate: 0.2}}
  verdicts: {use: verify, from: attempts, also: [steps]}
  kept:
    use: filter
    from: verdicts
    keep:
      - status = 'correct'
  dataset: {use: publish, from: [kept]}
"""
