"""What the verdicts rest on, what repeats, and how to make the release again."""

import re
import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from tracefactory.report.checks import UNKNOWN, Release
from tracefactory.report.texts import NOT_MEASURED, Cut, cut
from tracefactory.schemas.verdict import STATUSES

OUTCOMES = ("true", "rounded", "repaired", "false", "uncheckable")
INPUTS = 40
RECIPE_BYTES = 60_000


class StepKind(NamedTuple):
    """Steps of one kind by outcome."""

    name: str
    counts: tuple[int, ...]
    """In the order of OUTCOMES."""


def statuses(release: Release) -> list[tuple[str, int, int]]:
    """(status, kept, rejected), those that never came up left out."""
    sft, rejected = release.stats("sft").statuses, release.stats("rejected").statuses
    return [
        (status, sft.get(status, 0), rejected.get(status, 0))
        for status in STATUSES
        if sft.get(status) or rejected.get(status)
    ]


def steps(release: Release, config: str) -> list[StepKind]:
    """Steps by kind and outcome; the last line is all of them."""
    found = release.stats(config).steps
    if release.stats(config).rows_with_false_steps is None:
        return []
    kinds = sorted({name.rpartition(".")[0] for name in found if "." in name})
    lines = [
        StepKind(kind, tuple(found.get(f"{kind}.{outcome}", 0) for outcome in OUTCOMES))
        for kind in kinds
    ]
    return [*lines, StepKind("all", tuple(found.get(outcome, 0) for outcome in OUTCOMES))]


class Source(NamedTuple):
    """Where problems came from."""

    name: str
    kind: str
    revision: str
    rows: int | None
    licence: str
    content: str


def sources(release: Release) -> list[Source]:
    """The inputs of the release, as the manifest has them."""
    return [_source(each) for each in release.manifest.inputs[:INPUTS]]


def _source(given: Mapping[str, Any]) -> Source:
    rows = given.get("rows")
    if rows is None and isinstance(given.get("splits"), Mapping):
        rows = sum(given["splits"].values())
    return Source(
        name=str(given.get("name", "")),
        kind=str(given.get("kind", "")),
        revision=str(given.get("revision") or given.get("version") or "not stated"),
        rows=rows,
        licence=str(given.get("license") or "unknown"),
        content=str(given.get("content_sha256_sum") or ""),
    )


def recipe(release: Release) -> Cut:
    """The resolved recipe, as JSON."""
    data = orjson.dumps(release.manifest.recipe, option=orjson.OPT_INDENT_2)
    return cut(data.decode(), RECIPE_BYTES)


def commands(release: Release) -> list[tuple[str, str]]:
    """(what it is for, the command) from the dataset's folder."""
    stages: Mapping[str, Mapping[str, Any]] = release.manifest.recipe.get("stages", {})
    paths = "".join(
        f" --set {shlex.quote(f'stages.{name}.path=FILE')}"
        for name, stage in stages.items()
        if "path" in stage and not stage.get("hub")
    )
    load = "import json; m = json.load(open('manifest/manifest.json'))"
    found = [
        ("Are the files the ones that were released?", "sha256sum --check SHA256SUMS"),
        ("Do the records agree, and do verdicts repeat?", "tracefactory audit ."),
        ("The tools that made it", f"pip install {_tools(release)}"),
        (
            "The recipe, out of the manifest",
            f"python -c \"{load}; print(json.dumps(m['recipe']))\" > recipe.yaml",
        ),
        ("The release, made again", f"tracefactory run recipe.yaml --folder again{paths}"),
    ]
    if release.manifest.parent_release is None:
        same = "cd again/dataset && sha256sum --check ../../SHA256SUMS"
        found.append(("The same files?", same))
    return found


def _tools(release: Release) -> str:
    """What pip is to install; what is no plain version is left out: readers paste these lines."""
    writers = {shard.writer for shard in release.shards}
    given = [
        f"tracefactory {release.manifest.tracefactory}",
        *(writers if len(writers) == 1 else ()),
    ]
    return (
        " ".join(
            f"{found[1]}=={found[2]}"
            for tool in given
            if (found := re.fullmatch(r"(tracefactory|pyarrow) ([0-9][0-9A-Za-z.+-]{0,40})", tool))
        )
        or "tracefactory"
    )


def limits(release: Release) -> list[str]:
    """What this release does not show, as far as its own figures say."""
    sft, both = release.stats("sft"), release.stats("sft", "rejected")
    found = [
        "A right final answer does not prove the reasoning before it. Step counts say what could "
        "be checked, and only that.",
        "Statistics are recomputed from the shards' records. That the records describe the "
        "shards is for tracefactory audit to find out.",
    ]
    if sft.rows_with_false_steps is None:
        found.append("No step of any trace was checked: only final answers were.")
    if not release.stages("dedupe"):
        found.append("Duplicates were not looked for.")
    if release.manifest.parent_release is not None:
        found.append(
            "Published onto an earlier release: its rows lie in other files than those of a fresh "
            "run, so files differ where rows do not."
        )
    if not release.manifest.repeats:
        found.append("Near-duplicates were not looked for: only equal rows count as duplicates.")
    if not release.stages("decontaminate"):
        found.append("Nothing was compared with benchmarks: overlap with them is not known.")
    else:
        found.append(
            "Overlap with benchmarks was looked for by runs of tokens, which do not show "
            "paraphrases and translations of their items."
        )
    if both.programs:
        found.append(
            "Attempts written by a program are exact and narrow; their mistakes are the ones put "
            "in on purpose. Pass rates say nothing about a model."
        )
    if any(name.rpartition(" @ ")[2].lower() in UNKNOWN for name in both.teacher_revisions):
        found.append("Some teachers' revisions are unknown, so their attempts cannot be had again.")
    if not both.tokenizers:
        found.append(f"Tokens: {NOT_MEASURED}. Characters stand in for them.")
    return found
