"""A recipe whose teacher is real vLLM, through the cluster; its processes killed in mid-run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.dataset as pads
import pytest
from vllm_harness import Counted, held, names_below

COMMAND = Path(sys.executable).with_name("tracefactory")
N = 200
CONCURRENCY = 8
RECIPE = """\
name: served
seed: 7
stages:
  problems:
    use: sample
    chunk: {{rows: 50}}
    families: [{{name: modular_sum, count: 200, knobs: {knobs}}}]
  attempts:
    use: generate
    from: problems
    teacher: {teacher}
    prompt: {{template: plain}}
    instruction: ""
  verdicts: {{use: verify, from: attempts}}
  dataset: {{use: publish, from: verdicts}}
"""


class Run:
    """One run of the recipe, in a process of its own, that can be watched and struck."""

    def __init__(self, place, settings):
        from tiny_model import KNOBS

        self.place = place
        self.counted = Counted(place / "requests")
        teacher = {**settings, "concurrency": CONCURRENCY, "env": self.counted.env}
        recipe = RECIPE.format(knobs=json.dumps(KNOBS), teacher=json.dumps(teacher))
        (place / "recipe.yaml").write_text(recipe)
        self.held = set()
        self.start()

    def start(self):
        command = [COMMAND, "run", "recipe.yaml", "--folder", "run", "--workers", "1"]
        with (self.place / "err").open("ab") as err:
            self.process = subprocess.Popen(command, cwd=self.place, stderr=err, stdout=err)

    def when_answered(self, n):
        """Wait until so many requests have been answered, in all."""
        until = time.monotonic() + 600
        while self.counted.n_answered() < n:
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < until, self.said()
            time.sleep(0.005)
        self.held |= held(self.process.pid)

    def strike(self, name):
        """Kill one process of the server, or whoever owns the server."""
        pid = self.owner() if name == "owner" else names_below(self.process.pid)[name]
        os.kill(pid, signal.SIGKILL)

    def owner(self):
        """The worker of the cluster whose child the outer warden is."""
        api = names_below(self.process.pid)["api"]
        return _parent(_parent(_parent(api)))

    def ends_well(self):
        assert self.process.wait(timeout=600) == 0, self.said()

    def said(self):
        return (self.place / "err").read_text()[-3000:]

    def n_asked(self):
        return sum(self.counted.times("asked").values())

    def rows(self):
        files = [
            path
            for config in ("sft", "rejected")
            for path in (self.place / "run" / "dataset" / config).glob("*.parquet")
        ]
        return pads.dataset(files).to_table().to_pylist()

    def nothing_is_left(self):
        until = time.monotonic() + 30
        assert self.held
        while any(path.exists() for path in self.held) or _of(self.counted.path):
            assert time.monotonic() < until, (self.held, _of(self.counted.path))
            time.sleep(0.02)
        return True


def _parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _of(path):
    """Processes that have this path in their environment: the server of one test."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(path).encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.fixture
def run(tmp_path, settings):
    run = Run(tmp_path, settings)
    yield run
    run.process.kill()
    run.process.wait()


def check_release(run):
    rows = run.rows()
    assert len(rows) == N
    assert len({row["problem_id"] for row in rows}) == N
    assert {row["teacher"] for row in rows} == {"tiny"}
    assert all(row["teacher_revision"].startswith("files:") for row in rows)
    assert {row["finish_reason"] for row in rows} <= {"stop", "length"}
    assert sum(row["status"] == "correct" for row in rows) > N // 4
    subprocess.run([COMMAND, "fsck", "run"], cwd=run.place, check=True, capture_output=True)


def test_every_process_of_the_server_is_killed_and_the_run_goes_on(run):
    for n, victim in ((30, "api"), (80, "core"), (130, "worker")):
        run.when_answered(n)
        run.strike(victim)
    run.ends_well()
    assert run.nothing_is_left()
    assert run.counted.asked_after_it_was_answered() == []
    assert len(run.counted.times("asked")) == N
    assert N < run.n_asked() <= N + 3 * CONCURRENCY
    assert (run.place / "err").read_text().count("starting it again") >= 3
    check_release(run)


def test_the_worker_then_the_driver_is_killed_and_what_was_answered_is_not_asked_again(run):
    run.when_answered(40)
    run.strike("owner")
    run.when_answered(110)
    run.process.kill()
    run.process.wait()
    assert run.nothing_is_left()
    run.start()
    run.ends_well()
    assert run.nothing_is_left()
    assert len(run.counted.times("asked")) == N
    assert run.n_asked() <= N + 2 * CONCURRENCY  # what was in flight, or just coming in
    check_release(run)
