"""Memory of the driver (which holds the Dask scheduler) for plans of 1e4, 1e5 and 1e6 chunks.

    python benchmarks/million.py [--chunks 10000 100000 1000000] [--execute 4000]

Each plan is run for real on 2 workers, with chunks that do nothing, until so many tasks are done;
then it is drained. Flat means: the figures of a line do not depend on the size of the plan.
Needs psutil (the `test` extra).
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from tracefactory.board import Board
from tracefactory.cluster import DaskPool
from tracefactory.flow import Stop, run
from tracefactory.ledger import Ledger
from tracefactory.recipe import build_recipe
from tracefactory.store.home import RunFolder
from tracefactory.task import Task

HERE = Path(__file__).parent


class Sampler:
    """A watcher that notes memory at marks and stops the run at the last one."""

    def __init__(self, stop: Stop, marks: list[int]) -> None:
        self.stop, self.marks = stop, marks
        self.found: list[str] = []
        self.started = time.monotonic()

    def show(self, board: Board, running: Mapping[str, Task], ledger: Ledger) -> None:
        done = sum(total.done for total in board.totals().values())
        while self.marks and done >= self.marks[0]:
            rss = psutil.Process().memory_info().rss / 2**20
            self.found.append(f"{self.marks.pop(0):,} done: {rss:.0f} MB")
        if not self.marks and not self.stop.asked:
            self.stop.asked = True
            seconds = time.monotonic() - self.started
            self.found.append(f"{1000 * seconds / done:.1f} ms a task")

    def say(self, text: str) -> None:
        print(text, file=sys.stderr)


def one(chunks: int, execute: int) -> None:
    recipe = build_recipe(
        {
            "name": "million",
            "seed": 1,
            "stages": {
                "problems": {"use": "noop_stages:SOURCE", "chunks": chunks},
                "passed": {"use": "noop_stages:PASS", "from": "problems"},
            },
        }
    )
    stop = Stop()
    sampler = Sampler(stop, [execute // 8, execute // 4, execute // 2, execute])
    with (
        tempfile.TemporaryDirectory() as folder,
        RunFolder(Path(folder) / "run") as home,
        DaskPool(2) as pool,
    ):
        run(recipe, home, pool, sampler, stop)
    print(f"{chunks:>9,} chunks planned: " + "; ".join(sampler.found), flush=True)
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--chunks", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--execute", type=int, default=4_000)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        one(args.chunks[0], args.execute)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{HERE}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
    }
    for chunks in args.chunks:
        command = [
            sys.executable,
            __file__,
            "--one",
            "--chunks",
            str(chunks),
            "--execute",
            str(args.execute),
        ]
        subprocess.run(command, env=environment, check=True)


if __name__ == "__main__":
    main()
