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
    stages: frozenset[str] = frozenset()
    """Names of all stages."""
    statuses: frozenset[str] | None = None
    """What the one publish stage lets into `sft`; None: unclear."""
    kept_by: tuple[tuple[str, str], ...] = ()
    """(stage, rule) of filters that every published row has passed; of a chain only."""
    makers: tuple[str, ...] = ()
    """Stages whose attempts are those that are published; none: unclear."""
    attempts: tuple[int, int] | None = None
    """Fewest and most attempts at a problem, if one generate stage makes them all; else None."""
    generated: bool = False
    """Were all attempts made, and none stored? Then their numbers and seeds can be counted."""
    one_checker: bool = False
    """Is there one verify stage, so that a problem has one checker?"""
    asks_train_alone: bool = False
    """Are all attempts at `train` problems?"""


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
    chain = _chain(stages)
    generated = bool(generate) and not any(s.get("use") == "import" for s in stages.values())
    return RecipeSays(
        instructions=tuple(sorted((line for line in lines if line), key=lambda x: (-len(x), x))),
        options=options.pop() if len(options) == 1 else None,
        rate_over=mins.pop() if len(mins) == 1 else None,
        measure=also[0][-1] if len(also) == 1 and also[0] else None,
        chain=tuple(chain),
        stages=frozenset(stages),
        statuses=_statuses(stages),
        kept_by=tuple(_kept_by(stages, chain)),
        makers=tuple(_makers(stages)),
        attempts=_bounds(generate[0]) if generated and len(generate) == 1 else None,
        generated=generated,
        one_checker=len(also) == 1,
        asks_train_alone=generated and _split_before_asking(stages, chain),
    )


def _publish(stages: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The one publish stage."""
    found = [name for name, stage in stages.items() if stage.get("use") == "publish"]
    return found[0] if len(found) == 1 else None


def _statuses(stages: Mapping[str, Mapping[str, Any]]) -> frozenset[str] | None:
    name = _publish(stages)
    return None if name is None else frozenset(_texts(stages[name].get("statuses"))) or None


def _kept_by(
    stages: Mapping[str, Mapping[str, Any]], chain: list[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    if _publish(stages) is not None:
        for name, use in chain:
            if use == "filter":
                yield from ((name, rule) for rule in _texts(stages[name].get("keep")))


def _makers(stages: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Stages that bring attempts, from which the one publish stage can be reached."""
    last = _publish(stages)
    waiting, seen = [last] if last is not None else [], set[str]()
    while waiting:
        name = waiting.pop()
        if name not in seen and name in stages:
            seen.add(name)
            waiting += _texts(stages[name].get("from"))
    return [n for n in stages if n in seen and stages[n].get("use") in ("generate", "import")]


def _bounds(stage: Mapping[str, Any]) -> tuple[int, int] | None:
    least, attempts = _min_attempts(stage), stage.get("attempts")
    if least is None or not isinstance(attempts, Mapping):
        return None
    most = cast("Mapping[str, object]", attempts).get("max")
    return least, most if isinstance(most, int) else least


def _split_before_asking(
    stages: Mapping[str, Mapping[str, Any]], chain: list[tuple[str, str]]
) -> bool:
    """Is nothing held back after it was asked? What one branch holds back, another may ask."""
    uses = [use for _, use in chain]
    if not any(stage.get("use") == "split" for stage in stages.values()):
        return True
    return bool(uses) and "generate" not in uses[: len(uses) - uses[::-1].index("split")]


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
