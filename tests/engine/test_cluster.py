"""A cluster of our own has its workers again, whatever happened to them and whenever."""

import os
import signal
import time

import pytest

from tracefactory.cluster import DaskPool, Done
from tracefactory.errors import ResourceError


def pid_on(pool):
    """Of the worker that took the next task."""
    pool.submit("pid", os.getpid)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for _, end in pool.ended(0.2):
            assert isinstance(end, Done)
            return end.value
    raise AssertionError("nothing ended")


def test_a_worker_that_is_slow_to_start_again_is_waited_for():
    """On busy cores it takes longer than the 15 s after which Dask's clusters forget a worker."""
    with DaskPool(1) as pool:
        nanny, first = pool._cluster.workers[0], pid_on(pool)
        os.kill(first, signal.SIGKILL)
        while (second := nanny.pid) in (first, None):
            time.sleep(0.005)
        os.kill(second, signal.SIGSTOP)
        time.sleep(16)
        assert nanny.status.name == "running"
        os.kill(second, signal.SIGCONT)
        assert pid_on(pool) == second


def give_up(pool):
    """What a nanny does when its worker raises while it starts."""
    while 0 not in pool._cluster.workers:  # the one before is being replaced
        time.sleep(0.01)
    pool._cluster.sync(pool._cluster.workers[0].close)


def test_workers_given_up_by_their_nanny_are_replaced_until_it_is_no_use(monkeypatch):
    monkeypatch.setattr("tracefactory.cluster._MAX_REPLACED", 2)
    with DaskPool(1) as pool:
        found = {pid_on(pool)}
        for _ in range(3):
            give_up(pool)
            found.add(pid_on(pool))
        assert len(found) == 4  # while workers do something, there is no reason to give up
        for _ in range(2):
            give_up(pool)
            assert list(pool.ended(0.0)) == []
        give_up(pool)
        with pytest.raises(ResourceError, match=r"worker processes died while they started.*--inl"):
            list(pool.ended(0.0))
