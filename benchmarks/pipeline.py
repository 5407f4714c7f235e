"""Rows per second of the whole pipeline with the solver teacher, and what of it is overhead.

    python benchmarks/pipeline.py                          # 2e4 and 2e5 attempts, 1 and 2 workers
    python benchmarks/pipeline.py --rows 20000 200000 1000000 --workers 1 2

A row is an attempt. Each run is a process of its own: sample, generate (until correct), verify with
step check, filter, dedupe, publish, with the default chunk size. Printed per run:

    rows/s      attempts / wall seconds from the first task's start to the last task's end
    overhead    1 - seconds inside stages / (workers x those wall seconds); start-up is apart
    peak RSS    largest sum over the driver (with the scheduler) and all workers, sampled

Needs psutil (the `test` extra). Nothing is asserted: machines differ; compare within one output.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from tracefactory.store.home import RECEIPTS, Receipts

ATTEMPTS_A_PROBLEM = 2.09  # two at least, more until one is correct, at these rates

RECIPE = """
name: pipeline
seed: 7
stages:
  problems:
    use: sample
    families:
{families}
  attempts:
    use: generate
    from: problems
    teacher: {{kind: solver}}
    attempts: {{min: 2, max: 8, until_correct: 1}}
    instruction: ""
  verdicts: {{use: verify, from: attempts, also: [steps]}}
  kept: {{use: filter, from: verdicts, keep: ["status = 'correct'", "n_false_steps = 0"]}}
  unique: {{use: dedupe, from: kept}}
  dataset: {{use: publish, from: unique}}
"""
SHARES = {
    "modular_sum": 0.5,
    "modular_arithmetic": 0.075,
    "addition": 0.075,
    "linear_equation": 0.075,
    "gcd": 0.075,
    "base_conversion": 0.075,
    "polynomial": 0.0625,
    "program_output": 0.0625,
}


def recipe(rows: int) -> str:
    problems = rows / ATTEMPTS_A_PROBLEM
    lines = [f"      - {{name: {n}, count: {round(problems * s)}}}" for n, s in SHARES.items()]
    return RECIPE.format(families="\n".join(lines))


class Memory(threading.Thread):
    """Samples the resident memory of a process and all below it."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.root, self.ended = psutil.Process(pid), threading.Event()
        self.peak = self.peak_driver = self.peak_worker = 0

    def run(self) -> None:
        while not self.ended.wait(0.2):
            try:
                below = [p.memory_info().rss for p in self.root.children(recursive=True)]
                driver = self.root.memory_info().rss
            except psutil.Error:
                continue
            self.peak = max(self.peak, driver + sum(below))
            self.peak_driver = max(self.peak_driver, driver)
            self.peak_worker = max(self.peak_worker, *below, 0)


def measure(rows: int, workers: int, keep: Path | None) -> dict[str, float]:
    folder = Path(tempfile.mkdtemp(prefix="pipeline-", dir=keep))
    path = folder / "pipeline.yaml"
    path.write_text(recipe(rows))
    command = [
        *(sys.executable, "-m", "tracefactory", "run", str(path), "--folder", str(folder / "run")),
        *("--workers", str(workers), "--json"),
    ]
    started = time.time()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    memory = Memory(process.pid)
    memory.start()
    out, err = process.communicate()
    memory.ended.set()
    if process.returncode:
        raise SystemExit(f"run failed with {process.returncode}:\n{err}")
    summary = json.loads(out)
    receipts = list(Receipts(folder / "run" / RECEIPTS))
    first = min(r.started for r in receipts)
    last = max(r.started + r.seconds for r in receipts)
    inside = sum(r.seconds for r in receipts)
    found = {
        "rows": summary["stages"]["verdicts"]["counts"]["attempts"],
        "tasks": len(receipts),
        "start_up": first - started,
        "wall": last - first,
        "inside": inside,
        "overhead": 1 - inside / (workers * (last - first)),
        "peak_mb": memory.peak / 2**20,
        "driver_mb": memory.peak_driver / 2**20,
        "worker_mb": memory.peak_worker / 2**20,
        **{f"s_{name}": stage["seconds"] for name, stage in summary["stages"].items()},
    }
    shutil.rmtree(folder)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--scratch", type=Path, help="folder for the runs; default: the system's")
    args = parser.parse_args()
    print(
        "| rows | workers | tasks | start-up s | wall s | rows/s | overhead "
        "| peak RSS MB (driver, largest worker) |"
    )
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    walls: dict[tuple[int, int], float] = {}
    for rows in args.rows:
        for workers in args.workers:
            m = measure(rows, workers, args.scratch)
            walls[rows, workers] = m["wall"] / m["rows"]
            print(
                f"| {m['rows']:,} | {workers} | {m['tasks']} | {m['start_up']:.1f} "
                f"| {m['wall']:.1f} | "
                f"{m['rows'] / m['wall']:,.0f} | {100 * m['overhead']:.1f} % | "
                f"{m['peak_mb']:.0f} ({m['driver_mb']:.0f}, {m['worker_mb']:.0f}) |",
                flush=True,
            )
            stages = ", ".join(f"{k[2:]} {v:.1f}" for k, v in m.items() if k.startswith("s_"))
            print(f"<!-- seconds inside stages: {stages} -->", flush=True)
    for rows in args.rows:
        if {(rows, 1), (rows, 2)} <= walls.keys():
            print(
                f"{rows:,} rows: 2 workers are {walls[rows, 1] / walls[rows, 2]:.2f} times "
                "as fast as 1"
            )


if __name__ == "__main__":
    main()
