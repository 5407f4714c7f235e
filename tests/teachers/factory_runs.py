"""Runs of the real factory against the fake server: recipes, and what came out of them.

Not here: any fault (fake_server.py).
"""

import contextlib
import copy
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import yaml
from fake_server import FakeServer

from tracefactory import flow
from tracefactory.cluster import InlinePool
from tracefactory.recipe import build_recipe
from tracefactory.store.home import RunFolder
from tracefactory.store.log import replay

Recipe = dict[str, Any]


def recipe(server: FakeServer, problems: int = 40, chunk: int = 20, **teacher: Any) -> Recipe:
    """Generate, verify, publish: sums, so that a lost or foreign answer is seen to be wrong."""
    who = {"kind": "openai", "model": "fake", "base_url": server.base_url, "license": "CC0-1.0"}
    return {
        "name": "faulty",
        "seed": 7,
        "stages": {
            "problems": {
                "use": "sample",
                "chunk": {"rows": chunk},
                "families": [{"name": "modular_sum", "count": problems}],
            },
            "attempts": {
                "use": "generate",
                "from": "problems",
                "teacher": {**who, **teacher},
                "prompt": {"template": "plain"},
            },
            "verdicts": {"use": "verify", "from": "attempts"},
            "kept": {"use": "filter", "from": "verdicts", "keep": ["status = 'correct'"]},
            "unique": {"use": "dedupe", "from": "kept"},
            "dataset": {"use": "publish", "from": "unique"},
        },
    }


def only_asking(data: Recipe) -> Recipe:
    """The recipe up to the attempts."""
    stages = {name: data["stages"][name] for name in ("problems", "attempts")}
    return {**data, "stages": stages}


def altered(data: Recipe, path: str, value: Any) -> Recipe:
    """The recipe with one field of its generate stage changed."""
    changed = copy.deepcopy(data)
    *above, last = path.split(".")
    place = changed["stages"]["attempts"]
    for name in above:
        place = place.setdefault(name, {})
    place[last] = value
    return changed


# -- in this process, for what needs no cluster ---------------------------------------------------


class Quiet:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def show(self, *_: object) -> None:
        pass

    def say(self, text: str) -> None:
        self.said.append(text)


def run_here(data: Recipe, folder: Path, force: str = "") -> flow.Outcome:
    """Run to the end, one task after the other; one stage anew, whatever is there."""
    options = flow.Options(force=frozenset([force] if force else []))
    with RunFolder(folder) as home:
        return flow.run(build_recipe(data), home, InlinePool(), Quiet(), flow.Stop(), options)


# -- the command, with a cluster ------------------------------------------------------------------


class Live:
    """`tracefactory run`, running."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self.log = process, log

    def text(self) -> str:
        return self.log.read_text()

    def wait(self, code: int = 0, timeout: float = 120) -> str:
        try:
            found = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout} s:\n{self.text()}") from None
        assert found == code, f"exit {found}, not {code}:\n{self.text()}"
        return self.text()

    def asking(self, server: FakeServer) -> psutil.Process:
        """The process that has connections to the server."""
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                for line in child.net_connections("tcp"):
                    if line.raddr and line.raddr.port == server.port:
                        return child
        raise AssertionError(f"nobody asks:\n{self.text()}")


@contextlib.contextmanager
def started(data: Recipe, folder: Path, *words: str) -> Iterator[Live]:
    """`tracefactory run` in a session of its own; whatever is left of it at the end is killed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    path = folder.parent / "recipe.yaml"
    path.write_text(yaml.safe_dump(data))
    log = folder.parent / f"{folder.name}.{time.monotonic_ns()}.out"
    command = [sys.executable, "-m", "tracefactory", "run", str(path), "--folder", str(folder)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--workers", "1", *words], stdout=out, stderr=subprocess.STDOUT,
            env={**os.environ, "COLUMNS": "200"}, start_new_session=True, cwd=folder.parent,
        )  # fmt: skip
    try:
        yield Live(process, log)
    finally:
        left = []
        with contextlib.suppress(psutil.NoSuchProcess):
            left = psutil.Process(process.pid).children(recursive=True)
        if process.poll() is None:
            process.kill()
        process.wait(10)
        for child in left:
            if child.is_running():
                child.kill()


def run_command(data: Recipe, folder: Path, *words: str, code: int = 0) -> str:
    """Run to the end with a cluster; what it said."""
    with started(data, folder, *words) as live:
        return live.wait(code)


@contextlib.contextmanager
def phases(server: FakeServer, *changes: tuple[int, Mapping[str, Any]]) -> Iterator[None]:
    """Change the faults whenever so many requests have come, in turn."""
    over = threading.Event()

    def change() -> None:
        for requests, faults in changes:
            while server.seen()["requests"] < requests:
                if over.wait(0.02):
                    return
            server.control(**faults)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


# -- what came out --------------------------------------------------------------------------------


def published(folder: Path) -> list[dict[str, Any]]:
    """All attempts, kept or not, by their id."""
    found: list[dict[str, Any]] = []
    for view in ("sft", "rejected"):
        for path in sorted((folder / "dataset" / view).glob("*.parquet")):
            found += pq.read_table(path).to_pylist()
    return sorted(found, key=lambda row: row["id"])


def stored(folder: Path) -> dict[str, dict[str, Any]]:
    """The raw attempts of the stage `attempts`, by their id: those that the receipts name."""
    receipts = {line.data["slot"]: line.data for line in replay(folder / "receipts.log")}
    found: dict[str, dict[str, Any]] = {}
    for slot, receipt in receipts.items():
        for output in receipt["outputs"] if slot.startswith("attempts/") else ():
            rows = pq.read_table(folder / output["name"]).to_pylist()
            assert not found.keys() & {row["id"] for row in rows}, "an attempt is there twice"
            found |= {row["id"]: row for row in rows}
    return found


def texts(folder: Path) -> dict[str, str]:
    return {name: row["text"] for name, row in stored(folder).items()}


def all_right(folder: Path, count: int) -> None:
    """Assert that every attempt is there once, and right."""
    rows = published(folder)
    assert len({row["id"] for row in rows}) == len(rows) == count
    assert {row["status"] for row in rows} == {"correct"}
