"""The verdict: what this page checks of a release, and what it came to.

`pass` and `fail` are of figures that must agree. `note` is something a user should know before
training on it. `not measured` is said wherever nobody looked: it is never a pass.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from tracefactory.report.contact import dropped
from tracefactory.report.repeated import repeated
from tracefactory.report.texts import number, share
from tracefactory.schemas.manifest import Manifest, ShardStats, Stats

State = Literal["pass", "note", "fail", "not measured"]
STATES: tuple[State, ...] = ("fail", "note", "not measured", "pass")
UNKNOWN = ("", "unknown", "none", "null")


class Check(NamedTuple):
    """One line of the verdict."""

    name: str
    state: State
    found: str
    """What was found, with its numbers."""


@dataclass(frozen=True, slots=True)
class Release:
    """A release and its folds, read once."""

    manifest: Manifest
    shards: Sequence[ShardStats]
    configs: Mapping[str, Mapping[str, Stats]]
    """The manifest's own statistics by config and split."""

    @classmethod
    def of(cls, manifest: Manifest, shards: Sequence[ShardStats]) -> "Release":
        """Read the manifest's statistics."""
        configs = {
            config: {split: Stats.from_json(each["stats"]) for split, each in splits.items()}
            for config, splits in manifest.configs.items()
        }
        return cls(manifest, shards, configs)

    def stats(self, *configs: str) -> Stats:
        """The fold of all splits of these configs."""
        return Stats.fold(
            stats for config in configs for stats in self.configs.get(config, {}).values()
        )

    def stages(self, use: str) -> dict[str, Mapping[str, Any]]:
        """The stages of the recipe that are of this kind."""
        stages: Mapping[str, Mapping[str, Any]] = self.manifest.recipe.get("stages", {})
        return {name: stage for name, stage in stages.items() if stage.get("use") == use}

    def step(self, key: str) -> int | None:
        """The sum over all stages of one count of the funnel; None where no stage has it."""
        found = [
            n
            for step, n in self.manifest.funnel.items()
            if step.rpartition(".")[2] == key and not step.startswith("published.")
        ]
        return sum(found) if found else None


def checks(release: Release) -> list[Check]:
    """All lines of the verdict, in an order that does not depend on how they ended."""
    return [check(release) for check in _CHECKS]


def tally(found: Iterable[Check]) -> dict[State, int]:
    """How many ended how, the worst first."""
    states = [check.state for check in found]
    return {state: states.count(state) for state in STATES}


def _figures(release: Release) -> Check:
    folds: dict[tuple[str, str], list[Stats]] = {}
    for shard in release.shards:
        folds.setdefault((shard.config, shard.split), []).append(shard.stats)
    stated = {
        (config, split): stats
        for config, splits in release.configs.items()
        for split, stats in splits.items()
    }
    wrong = [
        f"{config}/{split}"
        for config, split in sorted({*folds, *stated})
        if Stats.fold(folds.get((config, split), ())) != stated.get((config, split))
    ]
    name = "Release figures are the sum of the shards' figures"
    if wrong:
        return Check(name, "fail", f"they differ for {_list(wrong)}")
    return Check(name, "pass", f"recomputed from {_n(len(release.shards), 'shard')}")


def _files(release: Release) -> Check:
    listed = {str(each["path"]): each for each in release.manifest.files}
    wrong = [
        shard.path
        for shard in release.shards
        if (of := listed.pop(shard.path, None)) is None
        or (of["sha256"], of["bytes"], of["rows"]) != (shard.file_sha256, shard.bytes, shard.rows)
    ] + sorted(listed)
    name = "Every file has one record, with its hash, bytes and rows"
    if wrong:
        return Check(name, "fail", f"they disagree on {_list(wrong)}")
    return Check(name, "pass", f"{_n(len(release.shards), 'file')}, as the manifest lists them")


def _nothing_lost(release: Release) -> Check:
    name = "Every attempt is in sft or in rejected"
    attempts, sft, rejected = (
        release.step("attempts"),
        release.stats("sft").rows,
        release.stats("rejected").rows,
    )
    if attempts is None or not {"sft", "rejected"} <= release.configs.keys():
        return Check(name, "not measured", "sft and rejected are not both published")
    found = f"{number(sft)} + {number(rejected)} of {number(attempts)}"
    return Check(name, "pass" if sft + rejected == attempts else "fail", found)


def _one_make(release: Release) -> Check:
    name = "All shards have one recipe, one schema of their view and one writer"
    makes = {(s.recipe_id, s.schema_version, s.writer) for s in release.shards}
    schemas = {(s.config, s.schema_sha256) for s in release.shards}
    if len(schemas) > len({config for config, _ in schemas}):
        return Check(name, "fail", "shards of one view have different columns")
    if len(makes) > 1:
        return Check(name, "note", f"{len(makes)} combinations: parts come from earlier releases")
    return Check(name, "pass", next(iter({s.writer for s in release.shards}), "no shards"))


def _verdicts(release: Release) -> Check:
    name = "What is kept has a correct final answer"
    sft = release.stats("sft")
    if not sft.statuses:
        return Check(name, "not measured", "no row of sft has a verdict")
    correct = sft.statuses.get("correct", 0)
    found = f"{number(correct)} of {number(sft.rows)} rows of sft"
    return Check(name, "pass" if correct == sft.rows else "note", found)


def _steps(release: Release) -> Check:
    name = "No false step in what is kept"
    sft = release.stats("sft")
    if sft.rows_with_false_steps is None:
        return Check(name, "not measured", "steps were not checked")
    checked = sum(sft.steps.get(each, 0) for each in ("true", "rounded", "repaired", "false"))
    found = f"{number(sft.rows_with_false_steps)} of {number(sft.rows)} rows"
    found += f", over {number(checked)} steps that could be checked"
    return Check(name, "note" if sft.rows_with_false_steps else "pass", found)


def _counted(
    name: str, field: Callable[[Stats], int | None], configs: Sequence[str], what: str
) -> Callable[[Release], Check]:
    """A check that no row of these configs is counted in a field."""

    def check(release: Release) -> Check:
        stats = release.stats(*configs)
        n = field(stats)
        if n is None or not stats.rows:
            return Check(name, "not measured", f"{what}: no row was measured")
        found = f"{number(n)} of {number(stats.rows)} {what}"
        return Check(name, "note" if n else "pass", found)

    return check


def _reasoning(release: Release) -> Check:
    name = "What is kept holds reasoning apart from the answer"
    sft = release.stats("sft")
    n = sft.without_reasoning
    if n is None or not sft.rows:
        return Check(name, "not measured", "nobody counted")
    found = f"{number(sft.rows - n)} of {number(sft.rows)} rows have a thinking part"
    return Check(name, "note" if n else "pass", found)


def _tokens(release: Release) -> Check:
    name = "Tokens were counted"
    sft = release.stats("sft")
    counted = sum(sft.tokenizers.values())
    if not counted:
        return Check(name, "not measured", "lengths on this page are in characters")
    found = f"{number(counted)} of {number(sft.rows)} rows, by {_list(sorted(sft.tokenizers))}"
    return Check(name, "pass" if counted == sft.rows else "note", found)


def _teachers(release: Release) -> Check:
    name = "Every teacher has a stated revision"
    stats = release.stats("sft", "rejected")
    if not stats.teacher_revisions:
        return Check(name, "not measured", "no row names a revision")
    unknown = sum(
        n
        for teacher, n in stats.teacher_revisions.items()
        if teacher.rpartition(" @ ")[2].lower() in UNKNOWN
    )
    found = f"{number(unknown)} of {number(stats.rows)} attempts come from an unknown revision"
    return Check(name, "note" if unknown else "pass", found)


def _models(release: Release) -> Check:
    name = "Attempts were written by models"
    stats = release.stats("sft", "rejected")
    if stats.programs is None:
        return Check(name, "not measured", "rows do not say who wrote them")
    found = f"{share(stats.programs, stats.rows)} were written by a program, not by a model"
    if not stats.programs:
        found = f"none of {number(stats.rows)} names a program"
    return Check(name, "note" if stats.programs else "pass", found)


def _licences(release: Release) -> Check:
    name = "Every row has a licence"
    stats = release.stats(*release.configs)
    known = {name: n for name, n in stats.licenses.items() if name.lower() not in UNKNOWN}
    bare = stats.rows - sum(known.values())
    if release.manifest.license:
        return Check(name, "pass", f"{release.manifest.license}, stated for the whole release")
    found = f"{number(bare)} of {number(stats.rows)} rows without"
    if not bare:
        found = _list(sorted(known))
    return Check(name, "note" if bare else "pass", found)


def _duplicates(release: Release) -> Check:
    name = "Exact duplicates were removed"
    stages = release.stages("dedupe")
    if not stages:
        return Check(name, "not measured", "the recipe has no dedupe stage")
    return Check(name, "pass", f"{number(release.step('duplicates'))} found and dropped")


def _near_duplicates(release: Release) -> Check:
    found = repeated(release.manifest)
    if found is None:
        return Check("Near-duplicates", "not measured", "nobody looked for them")
    problems = sum(n for name, n, _ in found.pairs if name != "equal")
    traces = sum(n for name, _, n in found.pairs if name != "equal")
    said = f"{number(problems)} problems and {number(traces)} traces went for one that is near them"
    return Check("Near-duplicates", "pass", said)


def _benchmarks(release: Release) -> Check:
    name = "Overlap with benchmarks"
    stages = release.stages("decontaminate")
    if not stages:
        return Check(name, "not measured", "the recipe has no decontaminate stage")
    found = dropped(release.manifest.funnel, list(stages))
    suspects = found.get("suspect", 0)
    items = sum(int(each.get("items", 0)) for each in release.manifest.benchmarks)
    said = f"{_n(len(release.manifest.benchmarks), 'benchmark')}, {number(items)} items: "
    said += f"{number(found.get('contaminated', 0))} attempts at or with an item dropped, "
    said += f"{number(suspects)} suspects kept"
    lost = sum(int(each.get("unusable_rows") or 0) for each in release.manifest.benchmarks)
    if lost:
        said += f"; {_n(lost, 'row')} of the benchmarks had no text: not looked for"
    return Check(name, "note" if suspects or lost else "pass", said)


def _nobody(name: str, found: str) -> Callable[[Release], Check]:
    return lambda _: Check(name, "not measured", found)


def _list(names: Sequence[str], limit: int = 4) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def _n(n: int, word: str) -> str:
    return f"{n:,} {word}" if n == 1 else f"{n:,} {word}s"


_CHECKS: tuple[Callable[[Release], Check], ...] = (
    _figures,
    _files,
    _nothing_lost,
    _one_make,
    _verdicts,
    _steps,
    _counted(
        "No check failed to run",
        lambda stats: stats.statuses.get("error", 0) if stats.statuses else None,
        ("sft", "rejected"),
        "attempts ended as error",
    ),
    _counted(
        "No verdict hangs on a clock",
        lambda stats: stats.limited_by_clock,
        ("sft", "rejected"),
        "attempts were stopped by time",
    ),
    _counted(
        "Nothing kept is cut off",
        lambda stats: stats.truncated,
        ("sft",),
        "rows ended at the token limit",
    ),
    _reasoning,
    _tokens,
    _teachers,
    _models,
    _licences,
    _duplicates,
    _near_duplicates,
    _benchmarks,
    _nobody("Planted wrong answers are caught", "not here: tracefactory audit plants them"),
    _nobody("Verdicts repeat when checked again", "not here: tracefactory audit checks them"),
)
