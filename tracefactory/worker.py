"""What a worker does with a task. Knows no Dask: it runs in a pool's process or inline."""

import functools
import os
import socket
import time
from typing import Any, cast

from tracefactory.errors import RecipeError
from tracefactory.recipe import resolve_stage
from tracefactory.schemas.receipt import Receipt
from tracefactory.stages.contract import Inputs, Result
from tracefactory.store.home import Home
from tracefactory.task import Task

RESERVED = frozenset({"raw", "shards", "journal", "plan", "pilot", "quarantine", "dataset"})
"""Folders of a run that hold something else than a stage's outputs."""


@functools.cache
def load_stage(use: str) -> Any:  # noqa: ANN401  (one of four protocols)
    """The stage that a recipe's `use:` names: a shipped one, or `module:NAME`.

    Raises:
        RecipeError: there is none.
    """
    try:
        return resolve_stage(use)
    except LookupError as error:
        raise RecipeError(f"use: {use}: {error}") from error


def place_of(stage: Any, task: Task) -> tuple[str, str]:  # noqa: ANN401
    """Folder and start of the names of a task's outputs in the run folder.

    Raw responses and published shards have folders of their own, whatever their stages are called.
    """
    folder = "raw" if stage.kind == "rounds" else "shards" if publishes(stage) else task.stage
    return folder, task.stem if folder == task.stage else f"{task.stage}.{task.stem}"


def publishes(stage: Any) -> bool:  # noqa: ANN401
    """Does a stage write shards of a release?"""
    return bool(getattr(stage, "publishes", False))


def work(home: Home, task: Task) -> Receipt:
    """Do a task and put its outputs; the receipt is the driver's to write.

    Raises:
        FactoryError: the set-up cannot go on. Anything else is a fault of the stage's code.
    """
    stage = load_stage(task.use)
    started, clock = time.time(), time.perf_counter()
    key = task.key()
    result = _done(home, task, stage)
    folder, stem = place_of(stage, task)
    outputs = tuple(
        home.put(folder, stem, role, table, published=publishes(stage))
        for role, table in result.tables.items()
    )
    return Receipt(
        slot=task.slot,
        key=key,
        parts=task.parts(),
        outputs=outputs,
        counts=dict(result.counts),
        facts=dict(result.facts),
        quarantined=task.skip,
        seconds=time.perf_counter() - clock,
        started=started,
        worker=f"{socket.gethostname()}:{os.getpid()}",
    )


def probe(home: Home, task: Task) -> None:
    """Do a task and throw the result away: does it kill the process?"""
    _done(home, task, load_stage(task.use))


def _done(home: Home, task: Task, stage: Any) -> Result:  # noqa: ANN401
    journal = home.journal(f"{task.stage}.{task.stem}")
    inputs = Inputs(home, task.inputs, frozenset(task.only), frozenset(task.skip), task.previous)
    try:
        return cast("Result", stage.work(task.config, inputs, journal))
    finally:
        journal.close()
