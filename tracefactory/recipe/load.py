"""Make a checked `Recipe` out of a file, a text or a mapping, or say all that is wrong with it.

Three passes, each over the whole recipe: the head (name, seed, description), every stage by its own
config, the edges between stages. A stage that is wrong in itself still takes part in the last pass.
"""

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, cast

from pydantic import Field, ValidationError
from pydantic_core import to_jsonable_python

import tracefactory
from tracefactory.recipe.address import StageNotFoundError, resolve_stage, resolved, shipped_stages
from tracefactory.recipe.errors import Keys, Plain, did_you_mean, found, listed, recipe_error
from tracefactory.recipe.explain import Finding, explain
from tracefactory.recipe.model import NAME, Kind, Recipe, Resolve, Settings, StageConfig
from tracefactory.recipe.overrides import apply_overrides, resolve_paths
from tracefactory.recipe.source import Document, read_file, read_text

_MAX_CYCLES = 10


class Head(Settings):
    """What a recipe says at its top level. Not for use in Python: `Recipe` is the checked form."""

    name: Annotated[str, Field(pattern=NAME)]
    """Name of the recipe and of its run folder: lower case letters, digits, - and _."""

    seed: Annotated[int, Field(ge=0, lt=1 << 63)]
    """Every random choice follows from it: same seed, same bytes."""

    description: str | None = None
    """What the dataset is, in a sentence or two."""

    stages: Annotated[
        dict[Annotated[str, Field(pattern=NAME)], dict[str, object]], Field(min_length=1)
    ]
    """The stages by name, in the order in which a reader should meet them."""


def load_recipe(
    path_or_text: str | Path, overrides: Sequence[str] = (), *, resolve: Resolve = resolve_stage
) -> Recipe:
    """Read a recipe and check all of it.

    Args:
        path_or_text: a path, the name of a shipped recipe, or YAML text (a str with a line break).
        overrides: `--set` values, `place=value`, applied in turn.
        resolve: from `use` to the stage; by default imports it.

    Raises:
        RecipeError: naming every problem found, each with its line.
    """
    if isinstance(path_or_text, str) and "\n" in path_or_text:
        document = read_text(path_or_text)
    else:
        document = read_file(find_recipe(path_or_text))
    return read_recipe(resolve_paths(apply_overrides(document, overrides)), resolve=resolve)


def build_recipe(
    recipe: Mapping[str, object], overrides: Sequence[str] = (), *, resolve: Resolve = resolve_stage
) -> Recipe:
    """Make the same recipe from Python data.

    Stages may be mappings or `StageConfig` instances; `from_` may stand for `from`, which Python
    reserves. Relative paths start at the current folder.

    Raises:
        RecipeError: as `load_recipe`, without lines.
    """
    try:
        value: Plain = to_jsonable_python(dict(recipe), by_alias=True, round_trip=True)
    except ValueError as error:  # pydantic's serialization error is one
        raise recipe_error([f"recipe: not plain data: {error}"]) from error
    stages = value.get("stages") if isinstance(value, dict) else None
    for stage in stages.values() if isinstance(stages, dict) else ():
        if isinstance(stage, dict) and "from_" in stage and "from" not in stage:
            stage["from"] = stage.pop("from_")
    document = Document(value, {}, "recipe", Path().absolute())
    return read_recipe(resolve_paths(apply_overrides(document, overrides)), resolve=resolve)


def read_recipe(document: Document, *, resolve: Resolve = resolve_stage) -> Recipe:
    """Check a document, overrides and paths done, and return the recipe it holds.

    Raises:
        RecipeError: naming every problem found.
    """
    value = document.value
    if not isinstance(value, dict):
        what = "it is empty" if value is None else f"found {found(value)}"
        raise document.error([((), f"a recipe is a mapping with name, seed and stages; {what}")])
    findings: list[Finding] = []
    try:
        head = Head.model_validate(value)
    except ValidationError as error:
        head = None
        findings += explain(error, value, Head)
    stages = _Stages(value.get("stages"), resolve)
    findings += [*stages.findings, *stages.edges()]
    if head is None or findings:
        raise document.error(findings)
    return Recipe(head.name, head.seed, stages.configs, head.description, document)


def shipped() -> dict[str, Path]:
    """Return the recipes that come with the package, by name."""
    folder = Path(tracefactory.__file__).parent / "pipelines"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find_recipe(name_or_path: str | Path) -> Path:
    """Return the file of a recipe: a shipped one by its bare name, any other by its path.

    `./name` is always a path.

    Raises:
        RecipeError: if there is no such file; says where it looked and what is shipped.
    """
    path = Path(name_or_path)
    known = shipped()
    if isinstance(name_or_path, str) and name_or_path in known:  # a shipped name has no slash
        return known[name_or_path]
    try:
        if path.is_file():
            return path
        kind = "is not a file" if path.exists() else "no such file"
    except (OSError, ValueError) as error:  # too long a name, a character no path can hold
        kind = f"cannot be read ({error})"
    near = did_you_mean(path.stem, known) or ";"
    looked = f"{kind}; looked at {path.absolute()}"
    raise recipe_error([f"{name_or_path}: {looked}{near} shipped recipes: {listed(known)}"])


class _Stages:
    """The stages of one recipe while they are checked; `Head` reports those that are no mapping."""

    def __init__(self, stages: Plain, resolve: Resolve) -> None:
        raw = stages if isinstance(stages, dict) else {}
        self.raw = {name: stage for name, stage in raw.items() if isinstance(stage, dict)}
        self.configs: dict[str, StageConfig] = {}
        self.kinds: dict[str, Kind] = {}
        self.findings: list[Finding] = []
        for name, stage in self.raw.items():
            self._read(name, stage, resolve)

    def _read(self, name: str, raw: dict[str, Plain], resolve: Resolve) -> None:
        at: Keys = ("stages", name)
        use = raw.get("use")
        if not isinstance(use, str):
            said = f"asked for text, found {found(use)}" if "use" in raw else "missing"
            self.findings.append(((*at, "use"), f"{said}; shipped: {listed(shipped_stages())}"))
            return
        try:
            stage = resolved(resolve, use)
        except StageNotFoundError as error:
            self.findings.append(((*at, "use"), str(error)))
            return
        self.kinds[name] = stage.kind
        if "from_" in raw:  # the model takes it, for Python's sake
            self.findings.append(((*at, "from_"), "unknown key; did you mean 'from'?"))
        try:
            self.configs[name] = stage.Config.model_validate(raw)
        except ValidationError as error:
            self.findings += explain(error, raw, stage.Config, at)

    def edges(self) -> list[Finding]:
        """Return what is wrong between stages: unknown names, `from` where none may be, cycles."""
        sources = {name: _sources(stage.get("from")) for name, stage in self.raw.items()}
        findings = [
            finding
            for name, pairs in sources.items()
            for finding in [*self._names(name, pairs), *self._count(name)]
        ]
        graph = {name: [source for _, source in pairs] for name, pairs in sources.items()}
        return [*findings, *_cycles(graph)]

    def _names(self, name: str, sources: list[tuple[Keys, str]]) -> list[Finding]:
        findings: list[Finding] = []
        seen: set[str] = set()
        for keys, source in sources:
            at: Keys = ("stages", name, "from", *keys)
            if source not in self.raw:
                others = [other for other in self.raw if other != name]
                near = did_you_mean(source, others)
                findings.append((at, f"no stage {source!r}{near or ';'} stages: {listed(others)}"))
            elif source in seen:
                findings.append((at, f"{source!r} is named twice"))
            seen.add(source)
        return findings

    def _count(self, name: str) -> list[Finding]:
        given = self.raw[name].get("from")
        match self.kinds.get(name):
            case None:
                return []
            case "source" if given is not None and given != []:
                text = f"{self.raw[name]['use']!r} is a source: it makes rows, so it has no 'from'"
                return [(("stages", name, "from"), text)]
            case kind if kind != "source" and (given == [] or "from" not in self.raw[name]):
                others = [other for other in self.raw if other != name]
                text = f"needs 'from', the stages its rows come from; stages: {listed(others)}"
                return [(("stages", name), text)]
            case _:
                return []


def _sources(value: Plain) -> list[tuple[Keys, str]]:
    """Return the names in a `from` with where they stand; the config reports a wrong type."""
    if isinstance(value, str):
        return [((), value)]
    if isinstance(value, list):
        return [((i,), item) for i, item in enumerate(value) if isinstance(item, str)]
    return []


def _cycles(sources: Mapping[str, Sequence[str]]) -> list[Finding]:
    """Return a finding for each of the first cycles, written the way rows would flow."""
    graph = {name: [one for one in names if one in sources] for name, names in sources.items()}
    findings: list[Finding] = []
    while len(findings) < _MAX_CYCLES:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            ring = cast("list[str]", error.args[1])[:-1]
            rank = {name: i for i, name in enumerate(graph)}
            first = min(range(len(ring)), key=lambda i: rank[ring[i]])
            ring = ring[first:] + ring[:first]
            shown = " -> ".join([*ring[:40], *["..."][: len(ring) > 40], ring[0]])
            findings.append((("stages", ring[0], "from"), f"a cycle: {shown}"))
            # Without these the next cycle shows, if there is another.
            graph = {
                name: [one for one in names if one not in ring]
                for name, names in graph.items()
                if name not in ring
            }
        else:
            break
    return findings
