"""What each model is trained on, and the problems that none of them sees: read from a dataset.

    verified    the rows of `sft`, as published
    direct      the same problems, the answer without its reasoning
    unverified  attempt 0 at every problem, as it came: kept or rejected
    decorative  right answers after the reasoning about another problem: the negative control of
                the probe, for a model that learns it can only ignore its own steps

Not here: training, tokenisers.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson

from tracefactory.errors import SourceError
from tracefactory.schemas.problem import SET_ASIDE, Problem
from tracefactory.schemas.proof import rows_digest
from tracefactory.sources.families import FAMILIES
from tracefactory.sources.families.make import make_problem
from tracefactory.stages.sample import FamilyDraw
from tracefactory.store.commit import MANIFEST
from tracefactory.verifiers.extract import final_answer

ARMS = ("verified", "direct", "unverified", "decorative")
_THINK = "</think>"
_ATTEMPT = ["id", "messages", "problem_id", "task_type", "attempt_index"]
_PROBLEM = ["problem_id", "prompt", "solution", "verification_info", "task_type"]


@dataclass(frozen=True, slots=True)
class Text:
    """A conversation to learn from: what is asked, and the turn that answers."""

    messages: Sequence[Mapping[str, str]]
    """All but the last turn."""
    response: str


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A problem of a split that no teacher saw."""

    problem_id: str
    messages: Sequence[Mapping[str, str]]
    solution: str
    info: str
    """`verification_info`: how to check an answer."""


@dataclass(frozen=True, slots=True)
class Material:
    """All that an experiment reads of a dataset."""

    rows_sha256: str
    task_type: str
    arms: Mapping[str, Sequence[Text]]
    splits: Mapping[str, Sequence[HeldOut]]
    constant: str
    """The commonest answer of training."""
    origins: Mapping[str, Problem]
    """Held-out problems of our own families, made again from the recipe, by id."""


def read_material(dataset: str, task_type: str | None, revision: str | None = None) -> Material:
    """Read a published dataset, a folder or a name on the Hub, through `datasets`.

    Args:
        dataset: what `load_dataset` is given.
        task_type: which problems; the commonest of `sft` when left out.
        revision: of a dataset on the Hub.

    Raises:
        SourceError: it cannot be read, or has not what an experiment needs.
    """
    sft = _load(dataset, "sft", revision)["train"].select_columns(_ATTEMPT)
    tasks = Counter(sft["task_type"])
    if not tasks:
        raise SourceError(f"{dataset}: the config sft has no rows; there is nothing to learn from")
    task = task_type or min(tasks, key=lambda name: (-tasks[name], name))
    if task not in tasks:
        raise SourceError(
            f"{dataset}: no rows of task type {task!r}; there are "
            + ", ".join(f"{name} ({n:,})" for name, n in tasks.most_common())
        )
    kept = _of(sft, task)
    arms = {"verified": kept, "direct": kept, "decorative": kept}
    if (rejected := _rejected(dataset, task, revision)) is not None:
        first = [row for row in (*kept, *rejected) if row["attempt_index"] == 0]
        arms["unverified"] = sorted(first, key=lambda row: str(row["id"]))
    splits = _held_out(dataset, task, revision)
    texts = {name: _texts(name, rows) for name, rows in arms.items()}
    answers = Counter(final_answer(text.response).text or "" for text in texts["direct"])
    shards = _load(dataset, "shard_stats", revision)["train"]
    return Material(
        rows_digest(zip(shards["path"], shards["content_sha256"], strict=True)),
        task,
        texts,
        splits,
        min(answers, key=lambda answer: (-answers[answer], answer)),
        _origins(_manifest(dataset, revision), task),
    )


def _manifest(dataset: str, revision: str | None) -> Mapping[str, Any]:
    path = Path(dataset, MANIFEST)
    if not path.is_file():
        from huggingface_hub import hf_hub_download

        path = Path(hf_hub_download(dataset, MANIFEST, repo_type="dataset", revision=revision))
    return cast("Mapping[str, Any]", orjson.loads(path.read_bytes()))


def _origins(manifest: Mapping[str, Any], task: str) -> dict[str, Problem]:
    drawn = [
        FamilyDraw.model_validate(family)
        for stage in manifest["recipe"]["stages"].values()
        for family in stage.get("families", ())
        if stage["use"] == "sample" and family["name"] == task and task in FAMILIES
    ]
    found: dict[str, Problem] = {}
    for draw in drawn:
        knobs = FAMILIES[task].knobs.model_validate(draw.knobs)
        for split, count in draw.draws():
            made = range(count if split != "train" else 0)
            problems = (make_problem(task, knobs, manifest["seed"], split, i) for i in made)
            found |= {problem.id: problem for problem in problems}
    return found


def _load(dataset: str, config: str, revision: str | None) -> Any:  # noqa: ANN401  (no types there)
    import datasets

    datasets.disable_progress_bars()
    try:
        return datasets.load_dataset(dataset, config, revision=revision)
    except Exception as error:  # whatever datasets raises, it is about what was asked for
        raise SourceError(
            f"{dataset}: its config {config!r} cannot be read: {type(error).__name__}: "
            f"{str(error)[:500]}. `prove` takes a run folder, a dataset that tracefactory wrote, "
            "or its name on the Hub"
        ) from error


def _of(table: Any, task: str) -> list[dict[str, Any]]:  # noqa: ANN401  (a datasets.Dataset)
    wanted = [i for i, found in enumerate(table["task_type"]) if found == task]
    return cast("list[dict[str, Any]]", table.select(wanted).to_list())


def _rejected(dataset: str, task: str, revision: str | None) -> list[dict[str, Any]] | None:
    """None: the dataset was published without the rows that were dropped."""
    import datasets

    if "rejected" not in datasets.get_dataset_config_names(dataset, revision=revision):
        return None
    return _of(_load(dataset, "rejected", revision)["train"].select_columns(_ATTEMPT), task)


def _held_out(dataset: str, task: str, revision: str | None) -> dict[str, list[HeldOut]]:
    found: dict[str, list[HeldOut]] = {}
    for split, table in _load(dataset, "rl", revision).items():
        tests = split != "train" and split not in SET_ASIDE
        rows = _of(table.select_columns(_PROBLEM), task) if tests else []
        if rows:
            found[split] = [
                HeldOut(r["problem_id"], r["prompt"], r["solution"], r["verification_info"])
                for r in rows
            ]
    if "test" not in found:
        raise SourceError(
            f"{dataset}: no held-out problems of {task!r} (config rl, split test), so nothing can "
            "be measured; have the recipe hold some out (`split: {test: 500}`)"
        )
    return found


def answer_part(response: str) -> str:
    """What stands after the reasoning; all of it where there is none."""
    return response.rpartition(_THINK)[2].strip()


def _texts(arm: str, rows: Sequence[Mapping[str, Any]]) -> list[Text]:
    found = [Text(row["messages"][:-1], row["messages"][-1]["content"]) for row in rows]
    if arm == "direct":
        once = {text.messages[-1]["content"]: text for text in found}
        return [Text(text.messages, answer_part(text.response)) for text in once.values()]
    return _with_foreign_reasoning(found) if arm == "decorative" else found


def _with_foreign_reasoning(texts: Sequence[Text]) -> list[Text]:
    order = list(range(len(texts)))
    random.Random("decorative").shuffle(order)
    return [
        Text(
            text.messages,
            "".join(texts[other].response.rpartition(_THINK)[:2])
            + f"\n\n{answer_part(text.response)}",
        )
        for text, other in zip(texts, order, strict=True)
    ]
