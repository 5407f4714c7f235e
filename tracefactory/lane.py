"""The quarantine lane: work that killed its process, one task at a time, with nothing beside it.

Alone, a death can be blamed on nobody else. Most suspects were only near the culprit, or were
killed from outside, and succeed here at once. One that dies again is bisected by problem: halves
run, their results thrown away, until one problem is found that kills alone. It is left out
(quarantined) and the chunk is done without it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import cast

from tracefactory.cluster import Died, Done, End, Failed, Pool
from tracefactory.errors import FactoryError
from tracefactory.schemas.receipt import Receipt
from tracefactory.store.home import Home
from tracefactory.task import Task
from tracefactory.worker import probe, work

MAX_DEATHS_ALONE = 3
"""Whole-chunk runs that may die without a culprit being found, before the chunk is given up."""

MAX_CULPRITS = 16
"""Problems that may be left out of one chunk; more, and the chunk is given up."""

Say = Callable[[str], None]


def run_alone(pool: Pool, function: Callable[..., object], home: Home, task: Task) -> End:
    """Run one function in an otherwise idle pool and wait for its end."""
    pool.submit(task.slot, function, home, task, needs=task.needs)
    while True:
        for _, end in pool.ended(1.0):
            return end


def through_the_lane(pool: Pool, home: Home, task: Task, say: Say) -> Receipt | Failed | None:
    """Do a task that killed its worker; the receipt names the problems left out.

    Returns None when it cannot be done: no single problem is to blame, or too many are. A failure
    that is no death is handed back: the driver sorts it like any other.

    Raises:
        FactoryError: the set-up cannot go on.
    """
    deaths = 0
    while deaths < MAX_DEATHS_ALONE and len(task.skip) < MAX_CULPRITS:
        end = run_alone(pool, work, home, task)
        if isinstance(end, Done):
            return cast("Receipt", end.value)
        if isinstance(end, Failed):
            return end
        say(f"{task.slot} killed its worker while it ran alone; looking for the problem to blame")
        culprit = _bisect(pool, home, task)
        if culprit is None:
            deaths += 1
        else:
            say(f"{task.slot}: problem {culprit} kills its worker; it is quarantined")
            task, deaths = task.without([culprit]), 0
    return None


def _bisect(pool: Pool, home: Home, task: Task) -> str | None:
    """The problem that kills its process when it is worked on alone, or None."""
    suspects = [i for i in problem_ids(home, task) if i not in task.skip]
    while len(suspects) > 1:
        half = suspects[: len(suspects) // 2]
        suspects = half if _kills(pool, home, task, half) else suspects[len(half) :]
    return suspects[0] if suspects and _kills(pool, home, task, suspects) else None


def _kills(pool: Pool, home: Home, task: Task, ids: list[str]) -> bool:
    end = run_alone(pool, probe, home, task.probing(ids))
    if isinstance(end, Failed) and isinstance(end.error, FactoryError):
        raise end.error
    return isinstance(end, Died)


def problem_ids(home: Home, task: Task) -> list[str]:
    """The problems a task works on, in order; none for a source's first work."""
    found: dict[str, None] = {}
    for chunk in task.inputs:
        for role, column in (
            ("problems", "id"),
            ("attempts", "problem_id"),
            ("verdicts", "problem_id"),
        ):
            for output in chunk.files.get(role, ()):
                found |= dict.fromkeys(home.read(output, [column]).column(0).to_pylist())
            if found:
                break
    return list(found)


def quarantine_path(home: Home, slot: str) -> Path:
    """Where what is known of a quarantined slot is kept."""
    return home.path / "quarantine" / f"{slot.replace('/', '.')}.json"
