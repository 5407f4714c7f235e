"""Sample problems: from families (our own, reasoning-gym's), files, or Hugging Face datasets.

Every reference is judged against itself by the problem's own checker before anything is generated;
one that fails never becomes a problem, and is listed with its reason.

Not here: families (sources/families, sources/gym.py), rows of files (sources/), held-out shares of
files (split).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Self

import pyarrow as pa
from pydantic import Field, model_validator

from tracefactory.recipe.model import Settings, StageConfig
from tracefactory.schemas.problem import PROBLEM_SCHEMA, Problem
from tracefactory.schemas.rows import table_of
from tracefactory.sources import gym
from tracefactory.sources.families import FAMILIES
from tracefactory.sources.families.base import FamilyError
from tracefactory.sources.families.make import (
    LICENSE,
    capacity,
    find_family,
    make_problem,
    specimen,
    splits,
)
from tracefactory.sources.inputs import FileInput, HubInput, TableSettings, TableSource
from tracefactory.sources.programs import check_verifier
from tracefactory.sources.tables import self_check
from tracefactory.stages.contract import (
    MALFORMED_SCHEMA,
    Inputs,
    Kind,
    Order,
    Plan,
    Result,
    outputs_of,
)
from tracefactory.store.home import Journal
from tracefactory.task import Chunk
from tracefactory.verifiers.contract import resolve_verifier, versioned
from tracefactory.verifiers.gym import LIBRARY


class FamilyDraw(Settings):
    """Problems of one family."""

    name: str
    """One of the families: `tracefactory recipes --families` lists them; `gym:<name>` is one of
    reasoning-gym's (docs/gym.md)."""
    count: Annotated[int, Field(ge=0)]
    """Training problems."""
    split: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict[str, int])
    """Held-out problems: `test`, `ood_<name>`, or `ood` for each out-of-distribution split."""
    knobs: dict[str, Any] = Field(default_factory=dict[str, Any])
    """Difficulty settings of the family."""

    @model_validator(mode="after")
    def _there_is_enough(self) -> Self:
        try:
            if gym.is_gym(self.name):  # how many there are, only drawing them tells
                gym.check_draw(self.name, self.knobs, self.split)
                return self
            family = find_family(self.name)
            knobs = family.knobs.model_validate(self.knobs)
            known = splits(self.name, knobs)
            for split, count in self.draws():
                if split not in known:
                    raise FamilyError(
                        f"family {self.name} has no split {split!r}; it has {', '.join(known)}, "
                        "and `ood` for all"
                    )
                if count > (most := capacity(self.name, knobs, split)):
                    raise FamilyError(
                        f"family {self.name} has only {most:,} distinct {split} problems at these "
                        f"knobs; {count:,} were asked for. Ask for fewer or widen the knobs"
                    )
        except FamilyError as error:
            raise ValueError(str(error)) from error
        return self

    def draws(self) -> Iterator[tuple[str, int]]:
        """Split and count of all that is asked for, `ood` spelled out."""
        yield "train", self.count
        if gym.is_gym(self.name):
            yield from self.split.items()
            return
        known = splits(self.name, find_family(self.name).knobs.model_validate(self.knobs))
        for split, count in self.split.items():
            if split == "ood":
                named = [
                    name for name in known if name.startswith("ood_") and name not in self.split
                ]
                yield from ((name, count) for name in named)
            else:
                yield split, count


class SampleConfig(TableSettings):
    """Make problems from exactly one of `families`, `file` or `hub`."""

    families: tuple[FamilyDraw, ...] = ()
    """Procedural families, each with its count."""
    file: FileInput | None = None
    """JSONL, JSON, CSV or Parquet."""
    hub: HubInput | None = None
    """A Hugging Face dataset, by its Hub id or a local folder."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [name for name in ("families", "file", "hub") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(f"give exactly one of families, file, hub; found {given or 'none'}")
        if (table := self.file or self.hub) is not None:
            check_verifier(table.problem, self.verifier)
        names = Counter(draw.name for draw in self.families)
        twice = sorted(name for name, n in names.items() if n > 1)
        if twice:
            raise ValueError(f"families named twice: {', '.join(twice)}; give each once")
        return self


class Sample:
    """The stage."""

    kind: ClassVar[Kind] = "source"
    Config: ClassVar[type[StageConfig]] = SampleConfig
    version = "1"
    roles = ("problems",)

    def phases(self, config: SampleConfig) -> int:
        """Families take one, reasoning-gym's two; tables what reading and bucketing them takes."""
        if not config.families:
            return _table(config).phases()
        return 2 if _gym_draws(config) else 1

    def orders(self, config: SampleConfig, plan: Plan, phase: int) -> Iterator[Order]:
        """A range of one family's index, or a step on a table or a family of reasoning-gym."""
        if not config.families:
            yield from _table(config).orders(plan, phase)
        elif phase < self.phases(config) - 1:
            yield from _gym_drawing(config, plan)
        else:
            for draw in config.families:
                if not gym.is_gym(draw.name):
                    yield from _ranges(config, draw, plan)
            yield from _gym_cuts(config, plan)

    def count(self, config: SampleConfig, plan: Plan, phase: int) -> int:
        """How many orders a phase has."""
        if not config.families:
            return _table(config).count(plan, phase)
        if phase < self.phases(config) - 1:
            return len(_gym_draws(config))
        ranges = sum(
            -(-count // _chunk_size(config, draw, split, plan.seed))
            for draw in config.families
            if not gym.is_gym(draw.name)
            for split, count in draw.draws()
        )
        return ranges + sum(1 for _ in _gym_cuts(config, plan))

    def describe(self, config: SampleConfig, plan: Plan) -> list[dict[str, Any]]:
        """What was read, for the manifest."""
        if not config.families:
            return _table(config).describe(plan)
        return [
            {
                "kind": "family",
                "name": draw.name,
                "version": LIBRARY if gym.is_gym(draw.name) else FAMILIES[draw.name].version,
                "splits": dict(draw.draws()),
                "license": LICENSE,
            }
            for draw in config.families
        ]

    def work(self, config: Mapping[str, Any], inputs: Inputs, journal: Journal) -> Result:
        """Make the problems of one range, or do one step on a table."""
        if config.get("step") == "draw":
            return gym.draw(config)
        if config.get("step") == "cut":
            return _checked(gym.cut(config, inputs))
        if "family" not in config:
            return TableSource.work(config, inputs)
        knobs = find_family(config["family"]).knobs.model_validate(config["knobs"])
        problems = [
            make_problem(config["family"], knobs, config["seed"], config["split"], index)
            for index in range(config["start"], config["stop"])
        ]
        return _checked(problems)


def _table(config: SampleConfig) -> TableSource:
    given = config.file or config.hub
    assert given is not None  # one of the three is given, and families are not asked for here
    return TableSource(config, given, given.problem)


def _ranges(config: SampleConfig, draw: FamilyDraw, plan: Plan) -> Iterator[Order]:
    """Ranges of the index of one family of our own."""
    for split, count in draw.draws():
        size = _chunk_size(config, draw, split, plan.seed)
        for number, start in enumerate(range(0, count, size)):
            settings = {
                "family": draw.name,
                "knobs": draw.knobs,
                "seed": plan.seed,
                "split": split,
                "start": start,
                "stop": min(start + size, count),
            }
            family = find_family(draw.name)
            version = f"{family.version},{versioned(family.verifier)}"
            yield Order(f"{draw.name}.{split}-{number:06d}", settings, version=version)


def _gym_draws(config: SampleConfig) -> list[FamilyDraw]:
    return [draw for draw in config.families if gym.is_gym(draw.name)]


def _gym_version() -> str:
    return f"{gym.VERSION},{versioned(gym.VERIFIER)}"


def _gym_drawing(config: SampleConfig, plan: Plan) -> Iterator[Order]:
    """One order a family: what is distinct can only be told in one place."""
    for draw in _gym_draws(config):
        settings = {
            "step": "draw",
            "family": draw.name.removeprefix(gym.PREFIX),
            "knobs": draw.knobs,
            "seed": plan.seed,
            "counts": {**dict.fromkeys(gym.SPLITS, 0), **dict(draw.draws())},
        }
        yield Order(f"{gym.stem(draw.name)}.draw", settings, version=_gym_version())


def _gym_cuts(config: SampleConfig, plan: Plan) -> Iterator[Order]:
    """Chunks of what was drawn, in its order: `train` first, and no chunk holds two splits."""
    draws = _gym_draws(config)
    for draw, receipt in zip(draws, plan.done[0] if draws else (), strict=True):
        drawn = Chunk("drawn", {"problems_drawn": outputs_of([receipt], "problems_drawn")})
        per_problem = receipt.counts["chars"] / max(1, receipt.counts["read"])
        size = config.chunk.problems(per_problem)
        counts = dict(draw.draws())
        place = 0
        for split in gym.SPLITS:
            end = place + counts.get(split, 0)
            for number, start in enumerate(range(place, end, size)):
                name = f"{gym.stem(draw.name)}.{split}-{number:06d}"
                settings = {"step": "cut", "start": start, "stop": min(start + size, end)}
                yield Order(name, settings, (drawn,), version=_gym_version())
            place = end


def _checked(problems: list[Problem]) -> Result:
    verify = {address: resolve_verifier(address) for address in {p.verifier for p in problems}}
    reasons = [self_check(p, verify[p.verifier], specimen(p)) for p in problems]
    sound = [p for p, reason in zip(problems, reasons, strict=True) if reason is None]
    bad = [
        {"file": p.source, "line": 0, "reason": reason, "excerpt": f"{p.id}: {p.reference}"[:200]}
        for p, reason in zip(problems, reasons, strict=True)
        if reason is not None
    ]
    counts = Counter(f"split:{problem.split}" for problem in sound)
    counts["problems"] = len(sound)
    counts["rejected"] = len(bad)
    counts.update(f"rejected:{row['reason']}" for row in bad)
    tables = {"problems": table_of(sound, PROBLEM_SCHEMA)}
    if bad:
        tables["malformed"] = pa.Table.from_pylist(bad, schema=MALFORMED_SCHEMA)
    train = sum(problem.split == "train" for problem in sound)
    return Result(tables, counts, {"verifiers": ",".join(sorted(verify)), "train": str(train)})


def _chunk_size(config: SampleConfig, draw: FamilyDraw, split: str, seed: int) -> int:
    """Problems a chunk, from the length of the first few statements."""
    knobs = find_family(draw.name).knobs.model_validate(draw.knobs)
    count = dict(draw.draws())[split]
    first = [make_problem(draw.name, knobs, seed, split, index) for index in range(min(8, count))]
    mean = sum(len(problem.statement) for problem in first) / max(1, len(first))
    return config.chunk.problems(mean)


STAGE = Sample()
