"""Ctrl-C and SIGTERM: once drains, twice stops now; nothing is left behind, nothing is lost."""

import signal
import time

import pytest
from engine_harness import alive, all_gone, run, same, started
from test_flow import n_lines

KILLS_WORKERS = (signal.SIGTERM, True)
"""Told to the whole group, it ends workers under their work: that is drained, but not kept."""


def nothing_half_done(folder):
    assert not list(folder.rglob(".tmp-*"))
    assert not (folder / "dataset.next").exists()


@pytest.mark.parametrize(
    ("words", "number", "group"),
    [
        (("--workers", "2"), signal.SIGINT, False),
        (("--workers", "2"), signal.SIGINT, True),
        (("--workers", "2"), signal.SIGTERM, False),
        (("--workers", "2"), signal.SIGTERM, True),
        (("--inline",), signal.SIGINT, False),
    ],
    ids=["int", "int-group", "term", "term-group", "int-inline"],
)
def test_once_drains(taught, tmp_path, words, number, group):
    folder, log = tmp_path / "run", tmp_path / "requests"
    env = {"ENGINE_MS": "25", "ENGINE_REQUEST_LOG": str(log)}
    with started(taught.recipe, folder, *words, env=env) as live:
        assert live.until(lambda: n_lines(log) > 30)
        children = live.children()
        live.signal(number, group=group)
        assert live.wait(20) == 130, live.text()
        assert "Traceback" not in live.text()
        assert all_gone(children, within_s=3), alive(children)
    if (number, group) != KILLS_WORKERS:
        nothing_half_done(folder)
    assert not (folder / "quarantine").exists()
    assert not (folder / "dataset").exists()
    begun = {line.split()[1] for line in log.read_text().splitlines()}
    finished = n_lines(log)
    run(taught.recipe, folder, "--inline", env=env)
    same(folder, taught.dataset)
    nothing_half_done(folder)
    if (number, group) != KILLS_WORKERS:
        again = {line.split()[1] for line in log.read_text().splitlines()[finished:]}
        assert not begun & again, "what was running was not kept"


def test_a_terminal_interrupts_while_the_workers_start(taught, tmp_path):
    folder = tmp_path / "run"
    for delay in (0.0, 0.4, 0.8):
        with started(taught.recipe, folder, "--workers", "2", env={"ENGINE_MS": "25"}) as live:
            old = (folder / "run.lock").read_bytes() if (folder / "run.lock").exists() else b""
            assert live.until(
                lambda old=old: (
                    (folder / "run.lock").exists()
                    and (folder / "run.lock").read_bytes() not in (b"", old)
                )
            )
            time.sleep(delay)
            children = live.children()
            live.signal(signal.SIGINT, group=True)
            assert live.wait(20) == 130, live.text()
            assert "Traceback" not in live.text()
            assert all_gone(children, within_s=3)
        nothing_half_done(folder)
    run(taught.recipe, folder, "--inline")
    same(folder, taught.dataset)


def test_a_terminal_interrupts_after_a_worker_was_replaced(taught, tmp_path):
    folder, log = tmp_path / "run", tmp_path / "requests"
    env = {"ENGINE_MS": "40", "ENGINE_REQUEST_LOG": str(log)}
    with started(taught.recipe, folder, "--workers", "1", env=env) as live:
        assert live.until(lambda: n_lines(log) > 10)
        (worker,) = live.workers()
        worker.kill()
        there = n_lines(log)
        assert live.until(lambda: n_lines(log) > there + 20)
        live.signal(signal.SIGINT, group=True)
        assert live.wait(20) == 130, live.text()
        assert live.text().count("died") <= 2  # by that kill: what ran, and what waited behind it
    assert not (folder / "quarantine").exists()
    run(taught.recipe, folder, "--inline")
    same(folder, taught.dataset)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_twice_stops_now(taught, tmp_path, number):
    folder, log = tmp_path / "run", tmp_path / "requests"
    env = {"ENGINE_MS": "1000", "ENGINE_REQUEST_LOG": str(log)}  # a chunk takes 11 s
    with started(taught.recipe, folder, "--workers", "2", env=env) as live:
        assert live.until(lambda: n_lines(log) > 5)
        children = live.children()
        live.signal(number)
        assert live.until(lambda: "stopping" in live.text())
        time.sleep(0.1)
        assert live.process.poll() is None
        clock = time.monotonic()
        live.signal(number)
        assert live.wait(20) == 130, live.text()
        assert time.monotonic() - clock < 2
        assert all_gone(children, within_s=5)
    run(taught.recipe, folder, "--inline")
    same(folder, taught.dataset)
    nothing_half_done(folder)
