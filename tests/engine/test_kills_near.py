"""A near dedupe, killed at any time, for any number of workers: the same dataset, byte for byte."""

import random

import pytest
from engine_harness import clean, run, same, started, tree, written

NEAR = """\
name: near
seed: 7
stages:
  problems:
    use: sample
    chunk: {rows: 30}
    families: [{name: modular_sum, count: 150, split: {test: 20}}, {name: polynomial, count: 100}]
  attempts:
    use: generate
    from: problems
    teacher: {kind: solver, slip_rate: 0.3}
    attempts: {min: 3}
  verdicts: {use: verify, from: attempts}
  kept: {use: filter, from: verdicts, keep: ["status = 'correct'"]}
  unique: {use: dedupe, from: kept, level: near}
  dataset: {use: publish, from: unique}
"""


@pytest.fixture(scope="module")
def near(tmp_path_factory):
    place = tmp_path_factory.mktemp("near")
    recipe = written(place, NEAR)
    run(recipe, place / "run", "--inline")
    found = tree(place / "run" / "dataset")
    assert "index/sft-train-00000.bands.parquet" in found
    return recipe, found


def test_killed_in_every_step_the_bytes_are_the_same(near, tmp_path):
    """Killed when the last stage but one works: after each few of its receipts."""
    recipe, expected = near
    folder, rng, kills = tmp_path / "run", random.Random("near"), 0
    while kills < 8:
        words = ("--workers", "2") if kills % 2 else ("--inline",)
        with started(recipe, folder, *words) as live:
            before = live.receipts()
            more = 26 if kills == 0 else rng.randrange(1, 4)  # the stages before it are over then
            live.until(lambda n=before + more, live=live: live.receipts() >= n)
            if live.process.poll() is None:
                live.kill()
                kills += 1
            else:
                break
    assert kills >= 4
    run(recipe, folder, "--workers", "2")
    same(folder, expected)
    clean(folder)


def test_a_worker_killed_in_the_middle_does_no_harm(near, tmp_path):
    recipe, expected = near
    folder = tmp_path / "run"
    with started(recipe, folder, "--workers", "2") as live:
        assert live.until(lambda: b"unique/" in (folder / "receipts.log").read_bytes()
                          if (folder / "receipts.log").exists() else False)  # fmt: skip
        for worker in live.workers()[:1]:
            worker.kill()
        assert live.wait() == 0, live.text()
    same(folder, expected)
