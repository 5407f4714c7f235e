"""Jobs on a pool, in a window; one that kills its process is found, and costs no other.

What is audited may be made to crash a reader or a checker, so that happens in worker processes. A
death is blamed on nobody at first: what was running then is run again alone, and what dies alone is
cut in two until it cannot be: so one bad row costs one row. What only raises is not tried again.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tracefactory.cluster import Died, End, Pool


@dataclass(frozen=True, slots=True)
class Job:
    """A function, and what it works on."""

    tag: str
    function: Callable[[Any], Any]
    order: Any
    """Its one argument; if it has a method `halves()`, it can be cut."""


def _run(job: Job) -> Any:  # noqa: ANN401  (whatever the function gives)
    return job.function(job.order)


def ends(pool: Pool, jobs: Iterable[Job]) -> Iterator[tuple[Job, End]]:
    """How each job ended, in no order; `Died` only where one kills its process alone.

    Raises:
        ResourceError: the cluster is gone.
    """
    left = iter(jobs)
    running: dict[str, Job] = {}
    suspects: deque[Job] = deque()
    more = True
    while more or running:
        while more and pool.free() > 0:
            job = next(left, None)
            if job is None:
                more = False
                break
            running[job.tag] = job
            pool.submit(job.tag, _run, job)
        for tag, end in pool.ended(0.5):
            job = running.pop(tag)
            if isinstance(end, Died):
                suspects.append(job)
            else:
                yield job, end
    while suspects:
        job = suspects.popleft()
        end = _alone(pool, job)
        halves = _halves(job) if isinstance(end, Died) else []
        if halves:
            suspects.extend(halves)
        else:
            yield job, end


def _alone(pool: Pool, job: Job) -> End:
    pool.submit(job.tag, _run, job)
    while True:
        for _, end in pool.ended(1.0):
            return end


def _halves(job: Job) -> list[Job]:
    orders = job.order.halves() if hasattr(job.order, "halves") else []
    return [Job(f"{job.tag}.{number}", job.function, order) for number, order in enumerate(orders)]
