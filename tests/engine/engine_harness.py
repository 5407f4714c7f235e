"""Runs of the real command in real processes: start, kill, read back."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq

HERE = Path(__file__).parent

SMALL = """\
name: small
seed: 7
stages:
  problems:
    use: sample
    chunk: {rows: 50}
    families: [{name: modular_sum, count: 600, split: {test: 50}}]
  attempts:
    use: generate
    from: problems
    teacher: {kind: solver, slip_rate: 0.4}
    attempts: {min: 2, max: 6, until_correct: 1}
  verdicts: {use: verify, from: attempts, also: [steps]}
  kept: {use: filter, from: verdicts, keep: ["status = 'correct'"]}
  unique: {use: dedupe, from: kept}
  dataset: {use: publish, from: unique}
"""

TAUGHT = """\
name: taught
seed: 7
stages:
  problems:
    use: sample
    chunk: {rows: 8}
    families: [{name: modular_sum, count: 64}]
  attempts:
    use: generate
    from: problems
    teacher: {kind: "engine_parts:Teacher"}
    attempts: {min: 2}
  verdicts: {use: verify, from: attempts, verifier: "engine_checks:verify"}
  kept: {use: filter, from: verdicts, keep: ["status = 'correct'"]}
  unique: {use: dedupe, from: kept}
  dataset: {use: publish, from: unique}
"""

Tree = dict[str, bytes]


def written(folder: Path, text: str, name: str = "recipe.yaml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path, "COLUMNS": "200", **extra}


def _interruptible() -> None:
    """A shell may have told what it runs in the background to ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass
class Live:
    """A command that runs."""

    process: subprocess.Popen[bytes]
    folder: Path
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def text(self) -> str:
        return self.log.read_text()

    def wait(self, timeout: float = 300) -> int:
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout} s:\n{self.text()}") from None

    def until(self, condition: Callable[[], bool], timeout: float = 60) -> bool:
        """Wait for something to become true; False when the command ended before that."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if condition():
                return True
            if self.process.poll() is not None:
                return condition()
            time.sleep(0.005)
        raise AssertionError(f"waited {timeout} s in vain:\n{self.text()}")

    def children(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def workers(self) -> list[psutil.Process]:
        """The processes that do tasks."""
        found = []
        for child in self.children():
            try:
                if any("spawn_main" in word for word in child.cmdline()):
                    found.append(child)
            except psutil.Error:
                pass
        return found

    def receipts(self) -> int:
        path = self.folder / "receipts.log"
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def kill(self) -> list[psutil.Process]:
        """kill -9 of the driver and nothing else; those that were its children."""
        children = self.children()
        self.process.kill()
        self.process.wait(10)
        return children

    def signal(self, number: int, *, group: bool = False) -> None:
        """Like `kill`, or like a terminal, which tells the whole group."""
        (os.killpg if group else os.kill)(self.pid, number)


@contextmanager
def started(
    recipe: Path, folder: Path, *words: str, env: Mapping[str, str] | None = None
) -> Iterator[Live]:
    """`tracefactory run` in a session of its own; whatever is left of it at the end is killed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    log = folder.parent / f"{folder.name}.{time.monotonic_ns()}.out"
    command = [sys.executable, "-m", "tracefactory", "run", str(recipe), "--folder", str(folder)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, *words], stdout=out, stderr=subprocess.STDOUT, env=environment(env or {}),
            start_new_session=True, preexec_fn=_interruptible, cwd=folder.parent,
        )  # fmt: skip
    live = Live(process, folder, log)
    children = live.children
    try:
        yield live
    finally:
        rest = children()
        if process.poll() is None:
            process.kill()
            process.wait(10)
        for child in rest:
            if child.is_running():
                child.kill()


def run(
    recipe: Path,
    folder: Path,
    *words: str,
    env: Mapping[str, str] | None = None,
    code: int = 0,
    timeout: float = 300,
) -> str:
    """Run to the end; what it said."""
    with started(recipe, folder, *words, env=env) as live:
        found = live.wait(timeout)
        assert found == code, f"exit {found}, not {code}:\n{live.text()}"
        return live.text()


def command(*words: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tracefactory", *words],
        capture_output=True, text=True, timeout=60, env=environment(env or {}), check=False,
    )  # fmt: skip


def summary(said: str) -> dict[str, Any]:
    """What `run --json` gave."""
    return json.loads(next(line for line in said.splitlines() if line.startswith('{"recipe"')))


def alive(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that still run; a zombie that nobody has waited for does not."""
    found = []
    for process in processes:
        try:
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.NoSuchProcess:
            pass
    return found


def all_gone(processes: Iterable[psutil.Process], within_s: float) -> bool:
    processes, deadline = list(processes), time.monotonic() + within_s
    while alive(processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def tree(folder: Path) -> Tree:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def same(folder: Path, expected: Tree) -> None:
    """Assert that a dataset is the expected one, byte for byte."""
    found = tree(folder / "dataset")
    assert sorted(found) == sorted(expected)
    differ = [name for name, data in expected.items() if found[name] != data]
    assert not differ, f"other bytes in {differ}"


def clean(folder: Path) -> None:
    """Assert that nothing half-done lies about: temporaries, journals, parts of a commit."""
    left = [str(p) for p in folder.rglob(".tmp-*")]
    left += [str(p) for p in (folder / "journal").glob("*")]
    left += [name for name in ("dataset.next", "dataset.old") if (folder / name).exists()]
    assert not left


def rows(folder: Path, view: str) -> list[dict[str, Any]]:
    """All rows of a view of the dataset."""
    found: list[dict[str, Any]] = []
    for path in sorted((folder / "dataset" / view).glob("*.parquet")):
        found += pq.read_table(path).to_pylist()
    return found


def attempts(folder: Path) -> list[dict[str, Any]]:
    """All attempts, kept or not, in the order of their numbers."""
    everything = rows(folder, "sft") + rows(folder, "rejected")
    return sorted(
        everything, key=lambda row: (row["problem_id"], row["teacher"], row["attempt_index"])
    )
