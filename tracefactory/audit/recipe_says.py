"""What a manifest's recipe says of its rows: instruction lines, settings of checkers, pass rates.

Read from plain data that somebody else wrote: whatever is not as expected there is as if not said.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson

ALL = 2**31 - 1
"""Stored attempts all enter the pass rate."""


@dataclass(frozen=True, slots=True)
class RecipeSays:
    """The parts of a recipe that an audit needs."""

    instructions: tuple[str, ...] = ()
    """Lines behind the statement in the user turn, the longest first."""
    options: str | None = None
    """JSON, of the checkers of the one source; None: no source, or several that differ."""
    rate_over: int | None = None
    """Attempts that enter a pass rate; None: it cannot be told from the recipe."""
    measure: str | None = None
    """What the one verify stage measured beside the verdict, `steps`; None: nothing, or unclear."""
    chain: tuple[tuple[str, str], ...] = ()
    """(name, use) of the stages in order if each feeds just the next one; else nothing."""


def recipe_says(recipe: Mapping[str, Any]) -> RecipeSays:
    """Read a resolved recipe, as it stands in a manifest."""
    stages = dict(_stages(recipe))
    generate = [s for s in stages.values() if s.get("use") == "generate"]
    # generate's own default is left out of no resolved recipe, so nothing is assumed here.
    lines = {s["instruction"] for s in generate if isinstance(s.get("instruction"), str)}
    sources = [s for s in stages.values() if s.get("use") in ("sample", "import")]
    options = {_options(s) for s in sources}
    mins = {_min_attempts(s) for s in generate}
    mins |= {ALL for s in sources if s.get("use") == "import"}
    also = [_texts(s.get("also")) for s in stages.values() if s.get("use") == "verify"]
    return RecipeSays(
        instructions=tuple(sorted((line for line in lines if line), key=lambda x: (-len(x), x))),
        options=options.pop() if len(options) == 1 else None,
        rate_over=mins.pop() if len(mins) == 1 else None,
        measure=also[0][-1] if len(also) == 1 and also[0] else None,
        chain=tuple(_chain(stages)),
    )


def _stages(recipe: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    stages = recipe.get("stages")
    if isinstance(stages, Mapping):
        for name, stage in cast("Mapping[str, object]", stages).items():
            if isinstance(stage, Mapping):
                yield str(name), cast("Mapping[str, Any]", stage)


def _options(source: Mapping[str, Any]) -> str:
    options: dict[str, object] = {}
    if isinstance(source.get("options"), Mapping):
        options |= source["options"]
    if isinstance(source.get("answer_after"), str):
        options["answer_after"] = source["answer_after"]
    return orjson.dumps(options, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS).decode()


def _min_attempts(stage: Mapping[str, Any]) -> int | None:
    attempts = stage.get("attempts")
    least = (
        cast("Mapping[str, object]", attempts).get("min") if isinstance(attempts, Mapping) else None
    )
    return least if isinstance(least, int) else None


def _texts(value: object) -> list[str]:
    found = cast("list[object]", value) if isinstance(value, list) else []
    return [text for text in found if isinstance(text, str)]


def _chain(stages: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The stages in their order, if there is no branch among them."""
    after: dict[str, str] = {}
    first: list[str] = []
    for name, stage in stages.items():
        reads = _texts(stage.get("from"))
        if not reads:
            first.append(name)
        if len(reads) > 1 or (reads and reads[0] in after):
            return []
        after |= dict.fromkeys(reads, name)
    if len(first) != 1:
        return []
    order = [first[0]]
    while order[-1] in after and len(order) <= len(stages):
        order.append(after[order[-1]])
    if len(order) != len(stages):
        return []
    return [(name, str(stages[name].get("use"))) for name in order]
