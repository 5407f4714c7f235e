"""From problems to rows: what was left after each step, and why the rest went."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tracefactory.report.checks import Release
from tracefactory.schemas.verdict import STATUSES

REASONS = 6
"""Reasons named at one step; the rest are one sum."""


class Step(NamedTuple):
    """A row of the funnel."""

    name: str
    stage: str
    """The stage of the recipe, or the view."""
    rows: int
    whole: int
    """What the step is a share of: the first of its kind."""
    lost: int
    """Rows that went before this step and not after it."""
    reasons: tuple[tuple[str, int], ...]
    word: str = "dropped"
    """What became of them."""


class Yield(NamedTuple):
    """Two funnels, for problems and attempts are not the same kind of thing."""

    problems: tuple[Step, ...]
    attempts: tuple[Step, ...]


_NAMES: Mapping[str, tuple[str, str]] = {
    # use of the stage -> (count that goes on, what it is called)
    "verify": ("correct", "judged correct"),
    "filter": ("kept", "passed the filter"),
    "dedupe": ("kept", "without duplicates"),
    "select": ("kept", "selected"),
    "decontaminate": ("kept", "without benchmark items"),
}


def yields(release: Release) -> Yield:
    """Both funnels of a release."""
    return Yield(tuple(_problems(release)), tuple(_attempts(release)))


def _problems(release: Release) -> list[Step]:
    problems = release.step("problems")
    if problems is None:
        return []
    refused = release.manifest.rejected_rows
    steps: list[Step] = []
    whole = problems + sum(refused.values())
    if refused:
        steps.append(Step("rows of the sources", "sources", whole, whole, 0, ()))
    steps.append(
        Step("problems", _stages(release, "problems"), problems, whole, whole - problems,
             _most(refused), "no problem")
    )  # fmt: skip
    splits = {split: stats.rows for split, stats in release.configs.get("rl", {}).items()}
    if "train" in splits:
        others = {split: n for split, n in splits.items() if split != "train"}
        lost = problems - splits["train"]
        steps.append(
            Step("open to teachers", "rl/train", splits["train"], whole, lost,
                 _most(others, 12), "held out")
        )  # fmt: skip
    return steps


def _stages(release: Release, key: str) -> str:
    return ", ".join(
        step.rpartition(".")[0]
        for step in release.manifest.funnel
        if step.rpartition(".")[2] == key and not step.startswith("published.")
    )


def _attempts(release: Release) -> list[Step]:
    whole = release.step("attempts")
    if whole is None:
        return []
    steps = [Step("attempts", _stages(release, "attempts"), whole, whole, 0, ())]
    before = whole
    for name, use in _uses(release).items():
        key, called = _NAMES.get(use, ("kept", "kept"))
        rows = release.manifest.funnel.get(f"{name}.{key}")
        if rows is None or use in ("sample", "import", "generate"):
            continue
        if use == "verify":  # judges and drops nothing: what follows is a share of all attempts
            reasons = _verdicts(release, name)
            steps.append(Step(called, name, rows, whole, before - rows, reasons, "not correct"))
        else:
            steps.append(_dropping(release, called, name, rows, whole, before))
            before = rows
    if "sft" in release.configs:
        stage = next(iter(release.stages("publish")), "publish")
        rows = release.stats("sft").rows
        last = _dropping(release, "published in sft", stage, rows, whole, before)
        steps.append(last)
    return steps


def _uses(release: Release) -> dict[str, str]:
    stages: Mapping[str, Mapping[str, str]] = release.manifest.recipe.get("stages", {})
    return {name: str(stage.get("use")) for name, stage in stages.items()}


def _dropping(
    release: Release, called: str, stage: str, rows: int, whole: int, before: int
) -> Step:
    """A step that drops rows; their reasons, where rejected rows are published, say how many."""
    reasons = {
        key.partition(": ")[2]: n
        for key, n in release.stats("rejected").dropped.items()
        if key.startswith(f"{stage}: ")
    }
    # Where branches join, the step before in the list is not the step before in the recipe.
    lost = sum(reasons.values()) or max(before - rows, 0)
    return Step(called, stage, rows, whole, lost, _most(reasons))


def _verdicts(release: Release, stage: str) -> tuple[tuple[str, int], ...]:
    """Why attempts were not correct: status and reason, or the status alone."""
    reasons: dict[str, int] = {}
    found = release.stats("sft", "rejected").reasons
    for status in STATUSES:
        n = release.manifest.funnel.get(f"{stage}.{status}", 0)
        if status == "correct" or not n:
            continue
        named = {k.partition(":")[2]: v for k, v in found.items() if k.startswith(f"{status}:")}
        if sum(named.values()) == n:
            reasons |= {f"{status}: {reason}": v for reason, v in named.items()}
        else:
            reasons[str(status)] = n
    return _most(reasons)


def _most(reasons: Mapping[str, int], limit: int = REASONS) -> tuple[tuple[str, int], ...]:
    ranked = sorted(Counter(reasons).items(), key=lambda pair: (-pair[1], pair[0]))
    rest = _sum(ranked[limit:])
    return (*ranked[:limit], *([(f"{len(ranked) - limit} other reasons", rest)] if rest else []))


def _sum(pairs: Iterable[tuple[str, int]]) -> int:
    return sum(n for _, n in pairs)
