"""What a recipe is: named stages, each with a typed config, that feed each other without a cycle.

Not here: reading one (load.py), running one (flow).
"""

import hashlib
import heapq
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Protocol, TypeAlias, cast, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema

from tracefactory.recipe.errors import Plain
from tracefactory.recipe.source import Document

NAME = "^[a-z0-9][a-z0-9_-]*$"
"""What recipes and stages may be called: their names become folders and parts of `--set`."""

Kind: TypeAlias = Literal["source", "chunk", "rounds", "barrier"]
KINDS: tuple[str, ...] = get_args(Kind)


def _harden(schema: object, owner: str) -> None:
    if isinstance(schema, list | tuple):
        for item in cast("Iterable[object]", schema):
            _harden(item, owner)
    if not isinstance(schema, dict):
        return
    schema = cast("dict[str, object]", schema)
    if schema.get("type") in ("int", "float", "bool"):
        schema.setdefault("strict", True)
    if schema.get("type") in ("set", "frozenset"):
        raise TypeError(f"{owner}: a set has no stable order, so no stable digest; use a tuple")
    for key, below in schema.items():
        # Not schemas, or schemas of keys, which YAML always gives as text.
        if key not in ("metadata", "default", "expected", "keys_schema", "serialization"):
            _harden(below, owner)


class Settings(BaseModel):
    """Base of everything a recipe can say: stage configs and the parts nested in them.

    Unknown keys are errors, instances are frozen, a string under a field is its description.
    Numbers and booleans are taken as they are: `"7"` is no integer, `yes` no boolean, `true` no 1,
    and an infinity no number. Lists still become tuples, and text still becomes paths and enums.

    Raises:
        TypeError: when a subclass has a field that is a set: its order, and so the recipe's digest,
            would change from run to run. Use a tuple.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        """Make scalars strict and leave containers lax.

        `strict=True` would refuse a list for a tuple; strict JSON input would too, as soon as a
        model has a before-validator. So only the leaves are changed.
        """
        schema = handler(source)
        _harden(cast("dict[str, object]", handler.resolve_ref_schema(schema)), cls.__name__)
        return schema


def _one_or_many(value: object) -> object:
    if isinstance(value, list):
        return tuple(cast("list[object]", value))
    return (value,) if isinstance(value, str) else value


class StageConfig(Settings):
    """What every stage can say; each stage adds its own fields. Nested parts inherit `Settings`."""

    use: str
    """The stage: a shipped one by its short name, or one of your own as `mypkg.stages:shorten`."""

    # Not `alias=`: type checkers would then refuse `from_=` in Python, where `from` is a keyword.
    from_: Annotated[
        tuple[str, ...], BeforeValidator(_one_or_many, json_schema_input_type=str | tuple[str, ...])
    ] = Field(default=(), validation_alias="from", serialization_alias="from")
    """The stage, or the list of stages, whose rows come in. A source has none."""


class Stage(Protocol):
    """What `use` leads to, as far as a recipe cares."""

    @property
    def Config(self) -> type[StageConfig]:  # noqa: D102  (the class docstring of the config says it)
        ...

    @property
    def kind(self) -> Kind:
        """A `source` has no `from`; the other three need one."""
        ...


Resolve: TypeAlias = Callable[[str], Stage]
"""From `use` to the stage. Raises LookupError, with words for the reader, when there is none."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe that was checked: every name is known, every config is typed, there is no cycle."""

    name: str
    seed: int
    stages: Mapping[str, StageConfig]
    """In the order of the file."""
    description: str | None = None
    document: Document | None = field(default=None, repr=False, compare=False)
    """The text it came from, for messages; no part of what the recipe is."""

    def order(self) -> tuple[str, ...]:
        """Return all stages, each after those it reads; the file's order wherever that allows."""
        rank = {name: i for i, name in enumerate(self.stages)}
        names = list(rank)
        waits = {name: len(config.from_) for name, config in self.stages.items()}
        readers: dict[str, list[str]] = {name: [] for name in names}
        for name, config in self.stages.items():
            for source in config.from_:
                readers[source].append(name)
        ready = [rank[name] for name, count in waits.items() if count == 0]
        done: list[str] = []
        while ready:
            name = names[heapq.heappop(ready)]
            done.append(name)
            for reader in readers[name]:
                waits[reader] -= 1
                if waits[reader] == 0:
                    heapq.heappush(ready, rank[reader])
        return tuple(done)

    def readers(self, name: str) -> tuple[str, ...]:
        """Return the stages that read this one directly, in the file's order.

        Raises:
            KeyError: if there is no such stage; as in the two below.
        """
        if name not in self.stages:
            raise KeyError(name)
        return tuple(reader for reader, config in self.stages.items() if name in config.from_)

    def downstream(self, name: str) -> tuple[str, ...]:
        """Return every stage that this one's rows can reach, without itself, in `order()`."""
        return self._reached(name, self.readers)

    def upstream(self, name: str) -> tuple[str, ...]:
        """Return every stage whose rows can reach this one, without itself, in `order()`."""
        return self._reached(name, lambda at: self.stages[at].from_)

    def canonical(self) -> dict[str, Plain]:
        """Return the resolved recipe as JSON can hold it: defaults filled in, paths absolute.

        It is a recipe again: `build_recipe(recipe.canonical())` has the same digest.
        """
        stages: dict[str, Plain] = {
            name: config.model_dump(mode="json", by_alias=True, round_trip=True)
            for name, config in self.stages.items()
        }
        return {
            "name": self.name,
            "seed": self.seed,
            "description": self.description,
            "stages": stages,
        }

    def digest(self) -> str:
        """Return the sha256 of `canonical()`; the order of lists counts, that of keys does not."""
        text = json.dumps(
            self.canonical(),
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
        )
        return hashlib.sha256(text.encode()).hexdigest()

    def _reached(self, name: str, next_to: Callable[[str], Iterable[str]]) -> tuple[str, ...]:
        reached: set[str] = set()
        todo = list(next_to(name))
        while todo:
            at = todo.pop()
            if at not in reached:
                reached.add(at)
                todo += next_to(at)
        return tuple(at for at in self.order() if at in reached)
