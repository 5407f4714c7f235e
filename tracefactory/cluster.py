"""Where tasks run: a Dask cluster of processes, or this process.

Only here is Dask known. A pool runs functions and says how each ended; it never retries, never
decides, and holds no results. The driver keeps a bounded window of tasks in it.
"""

import os
import queue
import signal
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, Protocol, Self, cast

from tracefactory.errors import ResourceError
from tracefactory.task import Needs


@dataclass(frozen=True, slots=True)
class Done:
    """The function returned."""

    value: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """The function raised."""

    error: BaseException
    trace: str
    """Formatted, for people."""


@dataclass(frozen=True, slots=True)
class Died:
    """The process that ran the function died under it."""

    reason: str


End = Done | Failed | Died

TASKS_PER_ENGINE = 2
"""At a time: the last answers of one chunk come in while the next is being asked."""


class Pool(Protocol):
    """Runs functions somewhere else."""

    workers: int

    def submit(
        self, tag: str, function: Callable[..., Any], *args: object, needs: Needs = "cpu"
    ) -> None:
        """Run a function; `tag` names it in `ended`."""
        ...

    def free(self, needs: Needs = "cpu") -> int:
        """How many more functions that need this may be submitted now."""
        ...

    def idle(self) -> bool:
        """Is nothing running?"""
        ...

    def ended(self, timeout_s: float) -> Iterator[tuple[str, End]]:
        """What has ended; waits up to `timeout_s` for the first.

        Raises:
            ResourceError: the cluster is gone.
        """
        ...


class InlinePool:
    """Runs each function at once, here, for debugging; one that kills its process kills all."""

    workers = 1

    def __init__(self) -> None:
        self._ended: deque[tuple[str, End]] = deque()

    def submit(
        self, tag: str, function: Callable[..., Any], *args: object, needs: Needs = "cpu"
    ) -> None:
        """Run it now."""
        try:
            self._ended.append((tag, Done(function(*args))))
        except Exception as error:  # whatever it is, the driver decides
            self._ended.append((tag, Failed(error, traceback.format_exc())))

    def free(self, needs: Needs = "cpu") -> int:
        """One at a time."""
        return 0 if self._ended else 1

    def idle(self) -> bool:
        """Nothing runs between calls."""
        return not self._ended

    def ended(self, timeout_s: float) -> Iterator[tuple[str, End]]:
        """What has ended."""
        while self._ended:
            yield self._ended.popleft()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


# What each setting is for is in the comment beside it; all were measured to matter.
_DASK: Mapping[str, Any] = {
    "distributed.scheduler.allowed-failures": 0,  # the driver keeps the ledger of attempts
    "distributed.scheduler.work-stealing": False,  # two tasks a worker: nothing to steal
    "distributed.scheduler.worker-ttl": "15 minutes",  # a worker that loads a model answers late
    "distributed.scheduler.idle-timeout": None,
    "distributed.scheduler.no-workers-timeout": "5 minutes",
    "distributed.worker.daemon": False,  # stages may start processes of their own
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.target": False,  # results are receipts: nothing to spill
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.deploy.lost-worker-timeout": "365 days",  # on busy cores a start takes minutes
    "distributed.comm.timeouts.connect": "60s",
    "distributed.comm.timeouts.tcp": "120s",
    "distributed.logging.distributed": "error",  # the driver says what matters
    "distributed.admin.system-monitor.disk": False,
    # Each of these runs in every process. Where a teacher computes on the same cores, the defaults
    # (20, 100 and 500 ms) are felt.
    "distributed.admin.tick.interval": "1s",
    "distributed.worker.memory.monitor-interval": "500ms",
    "distributed.admin.system-monitor.interval": "5s",
}

_WORKER_ENV = {
    "OMP_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # gives memory back, so that RSS says what is used
}


@contextmanager
def _interrupts_kept_from_children() -> Generator[None]:
    """Have threads started here, and all processes they ever start, never see Ctrl-C.

    A terminal sends it to every process of the group, and one that is still starting would die of
    it, before its preload can say otherwise.
    """
    resource_tracker.ensure_running()  # started later, it would lift the mask again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_MAX_REPLACED = 8
"""Workers of our own replaced since something last ended, before the cluster is given up."""


class DaskPool:
    """A Dask cluster: its own processes on this machine, or one to attach to.

    A worker that dies is started again by its nanny, which gives up when the new one dies while
    it starts; then both are replaced here. Workers of a cluster attached to are its owner's.
    """

    def __init__(
        self,
        workers: int | None = None,
        scheduler: str | None = None,
        engines: Sequence[Mapping[str, str]] = (),
    ) -> None:
        """Start or reach the cluster.

        Args:
            workers: processes to start; default: one a core.
            scheduler: address of a running scheduler; then `workers` is what it has.
            engines: one more process each, for tasks that need an engine: what its environment has
                beside this one's, such as CUDA_VISIBLE_DEVICES. Where a running cluster is used, at
                least one of its workers must have `--resources ENGINE=2` if this is not empty.

        Raises:
            ResourceError: it cannot be reached, or has no workers.
        """
        from dask.config import set as set_config
        from distributed import Client, LocalCluster

        set_config(_DASK)
        os.environ.update(
            {name: os.environ.get(name, value) for name, value in _WORKER_ENV.items()}
        )
        self._cluster: Any = None
        if scheduler is None:
            count = workers or os.cpu_count() or 1
            with _interrupts_kept_from_children():
                self._cluster = LocalCluster(
                    n_workers=count,
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address="127.0.0.1:0",  # any free port, seen from this machine alone
                    env=_WORKER_ENV,
                    silence_logs=50,
                    preload=["tracefactory.preload"],
                    resources={"CPU": 1} if engines else None,
                )
                self._client = Client(self._cluster, set_as_default=False)
                self._start_engines(engines)
        else:
            self._client = self._attach(Client, scheduler)
        self._rooms = _rooms(self._client.scheduler_info(n_workers=-1)["workers"])
        self.workers = self._rooms["cpu"].slots
        if not self.workers:
            self.close()
            raise ResourceError(
                f"the cluster at {scheduler} has no workers; start some and run again"
            )
        if engines and self._rooms["engine"].resources is None:
            self.close()
            raise ResourceError(
                f"a teacher of this recipe is a server to be started, and no worker of {scheduler} "
                "takes one; start workers where the GPUs are with `dask worker --nworkers 1 "
                "--nthreads 2 --memory-limit 0 --resources ENGINE=2` and run again"
            )
        self._queue: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._futures: dict[str, Any] = {}
        self._room_of: dict[str, _Room] = {}
        self._serial = 0
        self._replaced = 0

    def _start_engines(self, engines: Sequence[Mapping[str, str]]) -> None:
        """Add workers for engines: two tasks at a time, as much memory as they take."""
        if not engines:
            return
        specs: dict[object, Any] = self._cluster.worker_spec
        like = next(iter(specs.values()))
        for number, env in enumerate(engines):
            options = {
                **like["options"],
                "nthreads": TASKS_PER_ENGINE,
                "resources": {"ENGINE": TASKS_PER_ENGINE},
                "memory_limit": 0,  # a nanny would end a worker whose engine pins much memory
                "env": {**_WORKER_ENV, **env},
            }
            specs[f"engine-{number}"] = {"cls": like["cls"], "options": options}
        self._cluster.scale(len(specs))  # opens what is specified and not there
        self._client.wait_for_workers(len(specs), timeout=300)

    @staticmethod
    def _attach(client: Any, scheduler: str) -> Any:
        try:
            return client(scheduler, timeout="30s", set_as_default=False)
        except (OSError, TimeoutError) as error:
            raise ResourceError(
                f"no Dask scheduler answers at {scheduler} ({error}); start one with "
                "`dask scheduler` and workers with `dask worker`, or leave --scheduler out"
            ) from error

    def check_folder(self, folder: Path) -> None:
        """Do all workers see the run folder?

        Raises:
            ResourceError: some do not; names them.
        """
        seen = cast("dict[str, bool]", self._client.run(_sees, str(folder)))
        blind = sorted(address for address, sees in seen.items() if not sees)
        if blind:
            raise ResourceError(
                f"{len(blind)} of {len(seen)} workers cannot see {folder} (such as {blind[0]}); "
                "put the run folder on a file system that all machines share, with --folder"
            )

    def submit(
        self, tag: str, function: Callable[..., Any], *args: object, needs: Needs = "cpu"
    ) -> None:
        """Hand a function to the cluster, under a key of its own: Dask must not know it again."""
        self._serial += 1
        room = self._rooms[needs]
        future = self._client.submit(
            function,
            *args,
            key=f"{function.__name__}-{self._serial}-{tag}",
            pure=False,
            retries=0,
            resources=room.resources,
        )
        self._futures[tag] = future
        self._room_of[tag] = room
        future.add_done_callback(lambda ended: self._queue.put((tag, ended)))

    def free(self, needs: Needs = "cpu") -> int:
        """Of what may be submitted at a time, what is not."""
        room = self._rooms[needs]
        return room.window - sum(other is room for other in self._room_of.values())

    def idle(self) -> bool:
        """Is nothing submitted?"""
        return not self._futures

    def ended(self, timeout_s: float) -> Iterator[tuple[str, End]]:
        """What has ended; waits for the first."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                tag, future = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                if self._client.status not in ("running", "connecting"):
                    raise ResourceError(
                        "the connection to the Dask scheduler is gone. Nothing finished is lost: "
                        "give the same command again."
                    ) from None
                self._replace_given_up()
                return
            self._replaced = 0
            deadline = 0.0  # what else has ended by now, without waiting
            # Before the yield: the caller may submit the same tag again, or leave the loop.
            self._futures.pop(tag, None)
            self._room_of.pop(tag, None)
            yield tag, self._end_of(future)

    def _replace_given_up(self) -> None:
        """Start new workers for those that ended for good; else a run would wait for them for ever.

        Raises:
            ResourceError: the new ones end too.
        """
        if self._cluster is None:
            return
        from distributed.core import Status

        nannies: dict[object, Any] = self._cluster.workers
        ended = [
            name
            for name, nanny in list(nannies.items())
            if nanny.status in (Status.closed, Status.failed)
        ]
        if not ended:
            return
        self._replaced += len(ended)
        if self._replaced > _MAX_REPLACED:
            raise ResourceError(
                f"the last {self._replaced} worker processes died while they started; is the "
                "machine out of memory or processes? Nothing finished is lost: give the same "
                "command again, or with --inline to see what they die of."
            )
        for name in ended:
            nannies.pop(name, None)
        self._cluster.scale(len(self._cluster.worker_spec))  # opens what is specified and not there

    def _end_of(self, future: Any) -> End:
        from distributed.scheduler import KilledWorker

        if future.status in ("finished", "lost"):
            # A result lost with its worker before it came here is made again, which can fail too.
            with suppress(Exception):
                return Done(future.result())
        if future.status == "error":
            error = future.exception()
            if isinstance(error, KilledWorker):
                return Died(str(error))
            lines = traceback.format_exception(type(error), error, future.traceback())
            return Failed(error, "".join(lines))
        raise ResourceError(
            "the Dask scheduler forgot a task: it was lost or restarted. Nothing finished is lost: "
            "give the same command again."
        )

    def close(self) -> None:
        """Let go of the cluster; one of our own is ended."""
        # On busy cores it may take longer; what is left then ends with this process.
        with suppress(TimeoutError):
            self._client.close(timeout=5)
        if self._cluster is not None:
            with suppress(TimeoutError):
                self._cluster.close(timeout=5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class _Room:
    """The workers that can do one kind of task."""

    slots: int
    """Tasks that can run at the same time."""
    window: int
    """Tasks that may be submitted at the same time."""
    resources: Mapping[str, float] | None = None
    """What Dask is told that a task needs; None: any worker will do."""


def _rooms(workers: Mapping[str, Any]) -> dict[Needs, _Room]:
    """Who does what. Where no worker says that it has an engine, all do everything."""
    slots: dict[str, int] = {"CPU": 0, "ENGINE": 0, "": 0}
    for worker in workers.values():
        resources: Mapping[str, float] = worker.get("resources") or {}
        kind = next((name for name in ("ENGINE", "CPU") if name in resources), "")
        slots[kind] += int(resources["ENGINE"] if kind == "ENGINE" else worker["nthreads"])
    engines, others = slots["ENGINE"], slots["CPU"] or slots[""]
    if not engines or not others:
        everyone = sum(slots.values())
        room = _Room(everyone, 2 * everyone)  # one runs, the next is there already
        return {"cpu": room, "engine": room}
    cpu = _Room(others, 2 * others, {"CPU": 1.0} if slots["CPU"] else None)
    # One more than run: what ends is followed at once, not when the driver has heard of it.
    engine = _Room(engines, engines + engines // TASKS_PER_ENGINE, {"ENGINE": 1.0})
    return {"cpu": cpu, "engine": engine}


def _sees(folder: str) -> bool:
    return (Path(folder) / "run.lock").exists()
