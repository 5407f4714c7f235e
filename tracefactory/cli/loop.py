"""`tracefactory loop`: runs the rounds, shows what came of them, and publishes it."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError
from rich.console import Console

from tracefactory.cli.look import print_json
from tracefactory.cli.prove import need_torch, say, show_table
from tracefactory.cli.run import signals
from tracefactory.cluster import DaskPool, InlinePool, Pool
from tracefactory.errors import Exit, FactoryError, RecipeError
from tracefactory.flow import Stop
from tracefactory.flow import run as run_flow
from tracefactory.progress import Progress
from tracefactory.publish.proven import digest_of, store_result
from tracefactory.recipe import Recipe, load_recipe
from tracefactory.report.taught import looped, standing_alone
from tracefactory.schemas.proof import Round
from tracefactory.store.files import write_atomic
from tracefactory.store.home import RunFolder
from tracefactory.teachers.prompting import Prompt

out = Console(emoji=False)


class Interrupted(FactoryError):
    """A round was drained and not finished."""

    exit_code = Exit.INTERRUPTED


class _Rounds:
    """Runs the recipe with changes, each time in another folder, all in one pool."""

    def __init__(self, recipe: str, overrides: Sequence[str], pool: Pool) -> None:
        self._recipe, self._overrides, self._pool = recipe, overrides, pool
        self._console, self._stop = Console(stderr=True, emoji=False), Stop()

    def __call__(self, folder: Path, changes: Sequence[str]) -> None:
        """Run to the end.

        Raises:
            Interrupted: it was asked to stop.
            FactoryError: it cannot go on, or left problems out.
        """
        recipe = load_recipe(self._recipe, [*self._overrides, *changes])
        uses = {name: stage.use for name, stage in recipe.stages.items()}
        with (
            signals(self._stop, self._console),
            RunFolder(folder) as home,
            Progress(self._console, uses) as progress,
        ):
            outcome = run_flow(recipe, home, self._pool, progress, self._stop)
        if outcome.code == Exit.INTERRUPTED:
            raise Interrupted("stopped; all that is finished is kept. Give the same command again")
        if outcome.code != Exit.DONE:
            raise FactoryError(
                f"the round in {folder} ended with exit code {int(outcome.code)}; "
                f"`tracefactory inspect --folder {folder}` says why"
            )


def loop_command(
    recipe_name: str,
    overrides: list[str],
    folder: Path | None,
    rounds: int,
    seed_traces: int,
    first_tokens: int,
    tokens: int,
    temperature: float,
    teacher: str | None,
    workers: int | None,
    inline: bool,
    json: bool,
) -> Exit:
    """Go through all rounds; publish the last one with what came of them."""
    need_torch()
    from tracefactory.prove.attach import attach
    from tracefactory.prove.loop import Looping, LoopSettings
    from tracefactory.publisher.local import open_local

    recipe = load_recipe(recipe_name, overrides)
    where = folder or Path("loops", recipe.name)
    settings = LoopSettings(rounds, seed_traces, first_tokens, tokens, temperature)
    started = time.monotonic()
    served, engines = _served(teacher)
    stage = _teacher_stage(recipe)
    with InlinePool() if inline else DaskPool(workers, engines=engines) as pool:
        changes = overrides if served is None else [*overrides, *_as_learnt(recipe, stage)]
        run = _Rounds(recipe_name, changes, pool)
        looping = Looping(where, recipe.seed, stage, settings, run, served)
        loop = looping.go(_told)
    last = looping.last_run()
    rows = digest_of(open_local(last).shards)
    store_result(last, "loop", rows, loop.to_json())
    attach(last)
    shown = looped(loop.to_json())
    assert shown is not None  # there is a loop
    write_atomic(where / "curve.svg", standing_alone(shown).encode())
    if json:
        print_json(loop.to_json())
    else:
        show_table(shown, f"{loop.task_type}: held-out problems answered, greedy")
        out.print(
            f"{time.monotonic() - started:.0f} s. {last / 'dataset'} has it in card and report; "
            f"models in {where / 'models'}, curve in {where / 'curve.svg'}.",
            highlight=False, markup=False,
        )  # fmt: skip
    return Exit.DONE


def _served(said: str | None) -> tuple[dict[str, Any] | None, list[dict[str, str]]]:
    """Settings of the teacher that serves the models, and the environment of each engine.

    Raises:
        RecipeError: it is no `vllm`, or says something else than one.
        ResourceError: there are fewer GPUs than it needs.
    """
    if said is None:
        return None, []
    from tracefactory.recipe.explain import explain
    from tracefactory.recipe.source import read_file, read_text
    from tracefactory.teachers.engine.gpus import shares
    from tracefactory.teachers.vllm import VllmConfig

    if said.lstrip().startswith("{"):
        document = read_text(said, name="--teacher")
    else:
        document = read_file(Path(said))
    found = document.value
    if not isinstance(found, dict) or found.get("kind", "vllm") != "vllm":
        raise RecipeError(
            f"--teacher {said}: the settings of a teacher vllm are a mapping, such as "
            "{kind: vllm, python: /path/to/bin/python}"
        )
    try:
        config = VllmConfig.model_validate({"model": "the-round-before", **found})
    except ValidationError as error:
        raise document.error(explain(error, found, VllmConfig)) from error
    return dict(found), shares(config.gpus, config.replicas)


def _as_learnt(recipe: Recipe, stage: str) -> list[str]:
    """Have a served model asked in the words that it learns from, unless the recipe says how."""
    prompt: Prompt = getattr(recipe.stages[stage], "prompt")  # noqa: B009  (a stage of `generate`)
    if prompt.template is not None or prompt.template_file is not None:
        return []
    said = prompt.model_dump(mode="json", exclude_defaults=True) | {"template": "plain"}
    return [f"stages.{stage}.prompt={orjson.dumps(said).decode()}"]


def _teacher_stage(recipe: Recipe) -> str:
    """The stage that asks the teacher.

    Raises:
        RecipeError: there is none, or several.
    """
    found = [name for name, stage in recipe.stages.items() if stage.use == "generate"]
    uses = {stage.use for stage in recipe.stages.values()}
    if len(found) != 1 or not {"verify", "publish"} <= uses:
        raise RecipeError(
            f"a loop needs a recipe with one generate stage, verify and publish; {recipe.name} has "
            f"{len(found)} generate stages and {', '.join(sorted(uses))}"
        )
    return found[0]


def _told(arm: str, number: int, found: Round) -> None:
    made = ""
    if found.samples:
        share = 100 * found.accepted / found.samples
        made = f", {found.accepted:,} of {found.samples:,} samples kept ({share:.1f} %)"
    say(
        f"{arm}, round {number}: {100 * found.greedy / found.n:.1f} % of test greedy, "
        f"{100 * found.sampled / found.n:.1f} % at T=1{made}; loss {found.loss:.3f}, "
        f"{found.cpu_s:.0f} CPU s"
    )
