"""What is wrong with a recipe, said all at once and in words.

Not here: finding it. `source`, `overrides`, `explain` and `load` find; this file only words it.
"""

import difflib
import json
from collections.abc import Iterable
from typing import TypeAlias

from tracefactory.errors import RecipeError

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"
"""What YAML and JSON can both say. Keys are always text."""

Keys: TypeAlias = tuple[str | int, ...]
"""Where a value stands: `("stages", "kept", "keep", 0)`."""

MAX_SHOWN = 60
"""Characters of one word or value of the recipe that a message repeats."""

MAX_LISTED = 40
"""Names that a message lists."""

MAX_COMPARED = 200
"""Among more names than these no nearest one is sought: it costs, and a program wrote them."""


def recipe_error(problems: Iterable[str]) -> RecipeError:
    """Return one error for all problems found; its text has one line for each."""
    return RecipeError("\n".join(" ".join(problem.splitlines()) for problem in problems))


def dotted(keys: Keys) -> str:
    """Write a place as `--set` takes it: `stages.kept.keep.0`; the top is `recipe`."""
    return ".".join(clipped(str(key)) for key in keys) or "recipe"


def clipped(text: str) -> str:
    """Keep the start of a long text."""
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'keep'?`, or nothing when no known word is near."""
    names = list(known)
    if len(names) > MAX_COMPARED:
        return ""
    near = difflib.get_close_matches(clipped(word), sorted(names), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def listed(names: Iterable[str]) -> str:
    """Return `a, b, c`, or `none`; only the start of a long list."""
    every = list(names)
    more = [f"... ({len(every)} in all)"] if len(every) > MAX_LISTED else []
    return ", ".join([*every[:MAX_LISTED], *more]) or "none"


def found(value: object) -> str:
    """Say what stands where something else was asked for."""
    match value:
        case None:
            return "nothing (null)"
        case str():
            return f"{json.dumps(clipped(value), ensure_ascii=False)} (text)"
        case list() | tuple():
            return f"a list of {len(value)}"
        case dict() if not value:
            return "an empty mapping"
        case dict():
            return f"a mapping of {clipped(listed(str(key) for key in value))}"
        case bool() | int() | float():
            return clipped(json.dumps(value))
        case _:
            return clipped(repr(value))
