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


def where(seconds=0.0):
    time.sleep(seconds)
    return os.getpid(), os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ["OMP_NUM_THREADS"]


def all_ended(pool, n):
    found = {}
    until = time.monotonic() + 120
    while len(found) < n and time.monotonic() < until:
        for tag, end in pool.ended(0.2):
            assert isinstance(end, Done), end
            found[tag] = end.value
    assert len(found) == n
    return found


def test_what_needs_an_engine_runs_where_there_is_one_and_nothing_else_does():
    engines = [{"CUDA_VISIBLE_DEVICES": "0,1"}, {"CUDA_VISIBLE_DEVICES": "2,3"}]
    with DaskPool(1, engines=engines) as pool:
        assert pool.workers == 1
        assert pool.free() == 2
        assert pool.free("engine") == 6  # two run on each, and one follows
        for number in range(6):
            pool.submit(f"e{number}", where, 0.3, needs="engine")
        for number in range(2):
            pool.submit(f"c{number}", where, 0.3)
        assert pool.free() == pool.free("engine") == 0
        found = all_ended(pool, 8)
    at_engines = {found[f"e{number}"] for number in range(6)}
    assert {gpus for _, gpus, _ in at_engines} == {"0,1", "2,3"}
    assert len(at_engines) == 2
    assert not {found["c0"][0], found["c1"][0]} & {pid for pid, _, _ in at_engines}


def test_an_engine_s_worker_that_was_killed_comes_back_with_its_gpus():
    with DaskPool(1, engines=[{"CUDA_VISIBLE_DEVICES": "5"}]) as pool:
        pool.submit("a", where, needs="engine")
        first = all_ended(pool, 1)["a"]
        os.kill(first[0], signal.SIGKILL)
        time.sleep(1)
        pool.submit("b", where, needs="engine")
        second = all_ended(pool, 1)["b"]
    assert second[1:] == first[1:] == ("5", "1")
    assert second[0] != first[0]


def test_without_an_engine_of_its_own_everyone_does_everything():
    with DaskPool(2) as pool:
        assert pool.free() == pool.free("engine") == 4
        pool.submit("a", where, 0.1, needs="engine")
        assert pool.free() == pool.free("engine") == 3
        all_ended(pool, 1)
