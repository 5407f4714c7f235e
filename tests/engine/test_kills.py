"""Kill -9 at any time, of the driver or of workers: the same dataset, byte for byte."""

import random
import time
from pathlib import Path

import pytest
from engine_harness import all_gone, clean, run, same, started

KILLS = 20
MODES = (("--workers", "2"), ("--inline",))


@pytest.mark.parametrize("words", [("--workers", "1"), ("--workers", "2")])
def test_bytes_do_not_depend_on_the_number_of_workers(small, tmp_path, words):
    run(small.recipe, tmp_path / "run", *words)  # `small` itself ran inline
    same(tmp_path / "run", small.dataset)
    clean(tmp_path / "run")


def test_driver_killed_twenty_times_gives_the_same_bytes(small, tmp_path):
    rng, kills, finished = random.Random("kills"), 0, 0
    folder = tmp_path / "run-0"
    while kills < KILLS:
        words = MODES[kills % len(MODES)]
        with started(small.recipe, folder, *words) as live:
            if kills % 5 == 4:  # also while it starts, and whenever else
                delay = rng.uniform(0.0, 2.0)
                began = time.monotonic()
                live.until(lambda t=began + delay: time.monotonic() > t)
            else:  # mostly while it works: so many receipts on
                more = live.receipts() + rng.randrange(0, 25)
                live.until(lambda n=more, live=live: live.receipts() >= n)
            if live.process.poll() is None:
                children = live.kill()
                kills += 1
                assert all_gone(children, within_s=5), "workers outlive their driver"
                continue
            assert live.process.returncode == 0, live.text()
        same(folder, small.dataset)
        clean(folder)
        finished += 1
        folder = tmp_path / f"run-{finished}"
    run(small.recipe, folder)
    same(folder, small.dataset)
    clean(folder)


@pytest.mark.parametrize("moment", ["write", "rename"])
def test_driver_killed_in_the_commit_gives_the_same_bytes(small, tmp_path, moment):
    """The commit is short: its moments are found by what lies in the folder."""
    folder = tmp_path / "run"
    signs = {
        "write": lambda: (folder / "dataset.next").exists(),
        "rename": lambda: (folder / "dataset").exists(),
    }
    with started(small.recipe, folder, "--inline") as live:
        seen = live.until(signs[moment])
        live.kill()
    assert seen
    run(small.recipe, folder, "--inline")
    same(folder, small.dataset)
    clean(folder)


def test_workers_killed_in_mid_run_do_no_harm(small, tmp_path):
    folder, rng = tmp_path / "run", random.Random("workers")
    with started(small.recipe, folder, "--workers", "2") as live:
        for receipts in (3, 20, 40):
            assert live.until(lambda n=receipts: live.receipts() >= n)
            workers = live.workers()
            if workers:
                rng.choice(workers).kill()
        assert live.wait() == 0, live.text()
    same(folder, small.dataset)
    assert not Path(folder / "quarantine").exists()
    run(small.recipe, folder, "--inline")  # a start removes what dead writers left half written
    same(folder, small.dataset)
    clean(folder)


def test_all_workers_killed_at_once_do_no_harm(small, tmp_path):
    folder = tmp_path / "run"
    with started(small.recipe, folder, "--workers", "2") as live:
        assert live.until(lambda: live.receipts() >= 10)
        for worker in live.workers():
            worker.kill()
        assert live.wait() == 0, live.text()
        assert "died" in live.text()
    same(folder, small.dataset)
    assert not Path(folder / "quarantine").exists()
