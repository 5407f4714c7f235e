"""Change a recipe from the command line, and make its paths absolute.

`--set stages.problems.families.0.count=50` names a place by dots (items of a list by number) and a
value as YAML writes it on one line: `50`, `text`, `null`, `[1, 2]`, `{a: 1}`. Only the last step
may be new. A key that holds a dot cannot be named this way.

Not here: whether the new value is allowed (see load.py, which will name the `--set`, not a line).
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tracefactory.errors import RecipeError
from tracefactory.recipe.errors import (
    Keys,
    Plain,
    clipped,
    did_you_mean,
    dotted,
    found,
    listed,
    recipe_error,
)
from tracefactory.recipe.source import MAX_DEPTH, Document, Place, read_text

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def apply_overrides(document: Document, overrides: Sequence[str]) -> Document:
    """Return the document with each `path=value` set, in turn; the given one is left as it was.

    Raises:
        RecipeError: naming every override that has no `=`, no such place or no readable value.
    """
    problems: list[str] = []
    for override in overrides:
        try:
            document = _set(document, override)
        except RecipeError as error:
            problems += str(error).splitlines()
    if problems:
        raise recipe_error(problems)
    return document


_PLACES = ("path", "against")


def resolve_paths(document: Document, here: Path | None = None) -> Document:
    """Make every `path` and `against` under `stages` absolute.

    That is any key of these names whose value is text or a list of texts. What the file says starts
    at the file's folder, what `--set` says at `here` (the current folder). URLs (`hf://...`) and
    empty texts stay as they are; nothing is looked up on the disk, and `..` and links are kept.
    """
    here = (here or Path()).absolute()

    def absolute(text: str, keys: Keys) -> str:
        base = here if isinstance(document.place(keys), str) else document.folder
        return text if not text or _URL.match(text) else str(base / text)

    def path(value: Plain, keys: Keys) -> Plain:
        if isinstance(value, str):
            return absolute(value, keys)
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return [absolute(str(item), (*keys, i)) for i, item in enumerate(value)]
        return walk(value, keys)

    def walk(value: Plain, keys: Keys) -> Plain:
        if isinstance(value, dict):
            return {
                key: (path if key in _PLACES else walk)(item, (*keys, key))
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [walk(item, (*keys, i)) for i, item in enumerate(value)]
        return value

    if not isinstance(document.value, dict) or "stages" not in document.value:
        return document
    stages = walk(document.value["stages"], ("stages",))
    return replace(document, value={**document.value, "stages": stages})


def _set(document: Document, override: str) -> Document:
    path, equals, text = override.partition("=")
    place = f"from --set {clipped(override)}"
    if not equals or not all(path.split(".")):
        raise recipe_error([f"{place}: write a place and a value, as in stages.problems.count=50"])
    keys = _keys(document.value, path.split("."), place)
    value = _value(text, place, len(keys))
    positions = {at: line for at, line in document.positions.items() if at[: len(keys)] != keys}
    positions[keys] = place
    return replace(document, value=_with(document.value, keys, value), positions=positions)


def _keys(value: Plain, parts: Sequence[str], place: Place) -> Keys:
    """Turn the words of a path into keys and item numbers that exist.

    Raises:
        RecipeError: saying which step leads nowhere, and what exists there.
    """
    keys: Keys = ()
    for part in parts:
        last = len(keys) == len(parts) - 1
        key: str | int = part
        if isinstance(value, list) and re.fullmatch("0|[1-9][0-9]{0,5}", part):
            key = int(part)
        match value, key:
            case list(items), int(index) if index < len(items):
                value = items[index]
            case dict(mapping), str(name) if name in mapping or last:
                value = mapping.get(name)
            case dict(mapping), _:
                there = f"the keys are {listed(mapping)}{did_you_mean(part, mapping)}"
                raise recipe_error([f"{place}: {dotted(keys)} has no key {part!r}; {there}"])
            case list(items), _:
                there = f"it is a list of {len(items)}, numbered from 0"
                raise recipe_error([f"{place}: {dotted(keys)} has no item {part!r}; {there}"])
            case _:
                there = f"it is {found(value)}"
                raise recipe_error([f"{place}: {dotted(keys)} has no {part!r}; {there}"])
        keys = (*keys, key)
    return keys


def _value(text: str, place: str, depth: int) -> Plain:
    """Read one value as YAML writes it on one line.

    Raises:
        RecipeError: if it is not YAML, spans lines or is nested too deeply for where it goes.
    """
    try:
        document = read_text(text, name="value")
    except RecipeError as error:  # a line and a place within a value of one line say nothing
        lines = str(error).splitlines()
        lines = [re.sub(r"^value(:\d+)?: (recipe: )?", "", line) for line in lines]
        raise recipe_error(f"{place}: {line}" for line in lines) from error
    # In block style `note: this` would become a mapping, which nobody means on a command line.
    if isinstance(document.value, dict | list) and text.lstrip()[:1] not in ("{", "["):
        said = "write a mapping as {a: 1}, a list as [1, 2], or quote the text"
        raise recipe_error([f"{place}: {said}"])
    if depth + max(len(keys) for keys in [(), *document.positions]) > MAX_DEPTH:
        raise recipe_error([f"{place}: nested more than {MAX_DEPTH} deep"])
    return document.value


def _with(value: Plain, keys: Keys, new: Plain) -> Plain:
    """Return a copy with one place changed; only what lies on the way is copied."""
    if not keys:
        return new
    key, rest = keys[0], keys[1:]
    if isinstance(value, list) and isinstance(key, int):
        return [*value[:key], _with(value[key], rest, new), *value[key + 1 :]]
    if isinstance(value, dict):
        return {**value, str(key): _with(value.get(str(key)), rest, new)}
    raise AssertionError(f"no {key!r} in {found(value)}")  # `_keys` looked before
