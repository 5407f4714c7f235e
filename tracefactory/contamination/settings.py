"""What a recipe says of benchmarks: names of known ones, or where others are."""

from collections.abc import Iterator
from typing import Annotated, Self, cast

from pydantic import BeforeValidator, Field, model_validator

from tracefactory.contamination.known import KNOWN, names_of
from tracefactory.recipe.errors import did_you_mean
from tracefactory.recipe.model import Settings
from tracefactory.sources.inputs import HubPlace
from tracefactory.sources.rows import Format


def _columns(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _named(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


class BenchmarkPlace(Settings):
    """One benchmark. A known one needs its name alone; `path` reads a copy of it instead."""

    name: Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    """A known one (docs/decontaminate.md lists them), or how your own shall be called."""
    path: str | None = None
    """A file, a folder or a glob; relative to the recipe. For sites without a network."""
    format: Format | None = None
    """`jsonl`, `json`, `csv` or `parquet`; by the extension when left out."""
    hub: HubPlace | None = None
    """A Hugging Face dataset: `id`, `config`, `split`, `revision`."""
    revision: str | None = None
    """Of a known one: another commit than the one it is pinned to."""
    text: Annotated[
        tuple[str, ...], BeforeValidator(_columns, json_schema_input_type=str | tuple[str, ...])
    ] = ()
    """Columns of the question, `choices.text` for one inside another; those after the first are
    added where an item is too short without. A known benchmark has its own."""
    item: str | None = None
    """Column with the item's id; left out: its number."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.path is not None and self.hub is not None:
            raise ValueError(f"benchmark {self.name}: give `path` or `hub`, not both")
        if self.revision is not None and (self.path or self.hub):
            raise ValueError(
                f"benchmark {self.name}: `revision` is for a known one; of `hub` it stands inside"
            )
        if self.name in KNOWN:
            return self
        if self.path is None and self.hub is None:
            groups = ("all", "math", "science", "code", "general")
            near = did_you_mean(self.name, [*KNOWN, *groups]) or ";"
            raise ValueError(
                f"no known benchmark {self.name!r}{near} give `path` or `hub` and `text` for one "
                f"of your own. Known: {', '.join(KNOWN)}; groups: {', '.join(groups)}"
            )
        if not self.text:
            raise ValueError(f"benchmark {self.name}: say in `text` which column is the question")
        return self

    def columns(self) -> tuple[str, ...]:
        """Columns of the question."""
        return self.text or KNOWN[self.name].text

    def hubs(self) -> Iterator[HubPlace]:
        """The datasets to read, if it is not in files."""
        if self.path is not None:
            return
        if self.hub is not None:
            yield self.hub
            return
        known = KNOWN[self.name]
        for config in known.configs:
            revision = self.revision or known.revision
            yield HubPlace(id=known.id, config=config, split=known.split, revision=revision)


def spelled_out(value: object) -> object:
    """`all` and subjects become the names of their benchmarks; names become places."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple):
        return value
    found: list[object] = []
    for each in cast("list[object]", value):
        group = names_of(each) if isinstance(each, str) else ()
        found += [_named(name) for name in group or (each,)]
    return tuple(found)


Benchmarks = Annotated[
    tuple[BenchmarkPlace, ...],
    Field(min_length=1),
    BeforeValidator(spelled_out, json_schema_input_type=str | tuple[str | BenchmarkPlace, ...]),
]
"""Names of known benchmarks, of groups of them, and places of others."""


class Semantic(Settings):
    """A small model of words that says which item is nearest; nothing is dropped for it."""

    model: str
    """A model2vec model: a folder (its full path), or a Hub id: `minishlab/potion-base-8M`."""
    revision: str | None = None
    """Commit of the Hub id."""
    min: Annotated[float, Field(gt=0, le=1)] = 0.85
    """Cosine from which on the nearest item is noted."""
