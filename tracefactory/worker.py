"""What a worker does with a task. Knows no Dask: it runs in a pool's process or inline."""

import functools
import importlib
import os
import socket
import time
from typing import Any, cast

import pyarrow as pa

from tracefactory.errors import RecipeError
from tracefactory.schemas.receipt import Receipt
from tracefactory.stages.contract import Inputs, Stage
from tracefactory.store.home import Home
from tracefactory.task import Task


@functools.cache
def load_stage(use: str) -> Any:
    """The stage that a recipe's `use:` names: a shipped one, or `module:NAME`.

    Raises:
        RecipeError: it cannot be imported.
    """
    module_name, _, attribute = use.partition(":")
    if not attribute:
        module_name, attribute = f"tracefactory.stages.{use}", "STAGE"
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise RecipeError(f"use: {use}: cannot import {module_name}:{attribute} ({error})") from error


def work(home: Home, task: Task) -> Receipt:
    """Do a task and put its outputs; the receipt is the driver's to write.

    Raises:
        FactoryError: the set-up cannot go on. Anything else is a fault of the stage's code.
    """
    pa.set_cpu_count(1)  # one task a process: the workers are the parallelism
    stage = cast("Stage", load_stage(task.use))
    started, clock = time.time(), time.perf_counter()
    key = task.key()
    journal = home.journal(f"{task.stage}.{task.stem}", key)
    inputs = Inputs(home, task.inputs, frozenset(task.only), frozenset(task.skip))
    try:
        result = stage.work(task.config, inputs, journal)
    finally:
        journal.close()
    folder = "raw" if stage.kind == "rounds" else task.stage
    stem = f"{task.stage}.{task.stem}" if folder == "raw" else task.stem
    published = bool(getattr(stage, "publishes", False))
    outputs = tuple(
        home.put(folder, stem, role, table, published=published)
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
    stage = cast("Stage", load_stage(task.use))
    inputs = Inputs(home, task.inputs, frozenset(task.only), frozenset(task.skip))
    journal = home.journal(f"{task.stage}.{task.stem}", task.key())
    stage.work(task.config, inputs, journal)
