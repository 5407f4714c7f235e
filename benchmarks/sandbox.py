"""How fast programs are judged behind each kind of walls, and whether anything is left of them.

    python benchmarks/sandbox.py [--workers 2] [--rounds 5] [--seconds 1] [--rungs NAME ...]
    python benchmarks/sandbox.py --soak 10000 [--rungs NAME]
    python benchmarks/sandbox.py --kill [--runs 200] [--rungs NAME]

The first measures programs per second, in turns within one run: every rung that holds here, by
`python_program.judge` with all that belongs to it, and two for comparison, in which a new process
gets the program and its tests together over the same kind of pipes, and is believed:

    python -I -S -c          a bare spawn
    bwrap, python -I -S -c   the same behind bubblewrap

`cold bubblewrap` is the rung of that name: the promises of the default rung, one bubblewrap and one
interpreter for each box. Of the kinds of tests asserts take two boxes, but one bare spawn.

Aims: the default rung judges at least 4 times what cold bubblewrap does, and at least half of what
bare spawns reach with as many workers; exit 1 if the median misses one.

`--soak` judges so many programs in a row, some of which leave files, daemons and errors behind, and
counts processes, files, descriptors and memory. `--kill` judges in a worker that is killed with
SIGKILL over and over, until all verdicts are there. Both exit 1 if something is left or wrong.
"""

import argparse
import json
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, cast

import psutil

from tracefactory.sandbox import ladder
from tracefactory.sandbox.family import adopt
from tracefactory.sandbox.interpreter import SHORT_NAMES, interpreter, interpreter_for_nobody
from tracefactory.sandbox.rights import NOBODY
from tracefactory.verifiers import python_program

BARE, BARE_BWRAP = "python -I -S -c", "bwrap, python -I -S -c"
COLD = "bwrap"
TIMES_COLD, OF_BARE = 4.0, 0.5


# ---- programs ----


class Case(NamedTuple):
    """One program for `judge`, and the reason that its verdict must have."""

    kind: python_program.Kind
    program: str
    tests: object
    entry_point: str | None = None
    reason: str = "passed"


def simple(kind: python_program.Kind, number: int) -> Case:
    """A right program with three checks (one input where each takes a box)."""
    if kind == "stdin_stdout":
        tests: object = [{"input": f"{number} 4\n", "output": f"{number + 4}\n"}]
        return Case(kind, "a, b = map(int, input().split())\nprint(a + b)\n", tests)
    program = "def add(a, b):\n    return a + b\n"
    sums = [(number, 4), (number, -number), (0, number)]
    if kind == "function":
        tests = [{"args": [a, b], "expected": a + b} for a, b in sums]
        return Case(kind, program, tests, "add")
    lines = "".join(f"    assert candidate({a}, {b}) == {a + b}\n" for a, b in sums)
    return Case("asserts", program, f"def check(candidate):\n{lines}", "add")


KINDS: tuple[python_program.Kind, ...] = ("stdin_stdout", "function", "asserts")
_DAEMON = """
import os, time
if not os.fork():
    try:
        os.setsid()
    except OSError:
        pass
    if not os.fork():
        time.sleep(30)
    os._exit(0)
os.wait()
"""
_SUM = "print(sum(map(int, input().split())))"
_FILES = """
import os
open("soak-left", "w").write("x" * 10000)
os.makedirs("a/b/c")
try:
    open("/dev/shm/soak-left", "w").write("x")
except OSError:
    pass
"""


def mixed(number: int) -> Case:
    """A case of many kinds: right and wrong ones, and such as leave something behind."""
    ways: tuple[tuple[python_program.Kind, str, str], ...] = (
        ("stdin_stdout", _DAEMON + _SUM, "passed"),
        ("stdin_stdout", _FILES + _SUM, "passed"),
        ("stdin_stdout", "import os; os._exit(3)", "runtime_error"),
        ("stdin_stdout", "print(1 / 0)", "runtime_error"),
        ("function", "def add(a, b): return a - b - 1", "wrong_answer"),
        ("function", _DAEMON + "def add(a, b): return a + b", "passed"),
        ("asserts", "def add(a, b): return a / 0", "runtime_error"),
        ("asserts", "import sys; sys.exit(0)", "runtime_error"),
    )
    others = [
        simple(kind, number)._replace(program=program, reason=reason)
        for kind, program, reason in ways
    ]
    others.insert(0, simple(KINDS[number % 3], number))
    return others[number // 3 % len(others)]


def judged(case: Case, rung: str) -> str:
    """The reason of the verdict."""
    kind, program, tests, entry_point, _ = case
    found = python_program.judge(
        program, kind=kind, tests=tests, entry_point=entry_point, isolation=rung
    )
    return found.reason


# ---- for comparison: one new process that is believed ----


def spawned(case: Case, command: list[str], options: dict[str, Any]) -> str:
    """`passed` if it printed what was expected."""
    program, stdin, expected = case.program, b"", b"True\n"
    if case.kind == "stdin_stdout":
        (test,) = cast("list[dict[str, str]]", case.tests)
        stdin, expected = test["input"].encode(), test["output"].encode()
    elif case.kind == "function":
        calls = cast("list[dict[str, Any]]", case.tests)
        asked = [(test["args"], test["expected"]) for test in calls]
        program += f"print(all({case.entry_point}(*args) == want for args, want in {asked!r}))\n"
    else:
        program += f"{case.tests}\ncheck({case.entry_point})\nprint(True)\n"
    done = subprocess.run(
        [*command, program], input=stdin, capture_output=True, timeout=60, check=False, **options
    )
    return "passed" if done.stdout == expected else f"printed {done.stdout!r}, {done.stderr!r}"


def bare_bwrap() -> tuple[list[str], dict[str, Any]]:
    """The walls of bubblewrap for one spawn, and how to start it: not as root."""
    words = ["bwrap", "--unshare-all", "--unshare-user", "--die-with-parent", "--new-session"]
    words += ["--cap-drop", "ALL", "--tmpfs", "/tmp", "--dir", "/proc", "--chdir", "/tmp"]
    for name in SHORT_NAMES:
        path = Path("/", name)
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    prefix, readable = interpreter_for_nobody()
    for folder in readable:
        words += ["--ro-bind", folder, folder]
    who = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
    env = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": f"{prefix}/lib"}
    words += ["--", interpreter(prefix), "-I", "-S", "-c"]
    return words, {"env": env, "cwd": "/", **who}


def contender(name: str) -> Callable[[Case], str]:
    """What judges a case by this name."""
    if name == BARE:
        command = [interpreter(), "-I", "-S", "-c"]
        return partial(spawned, command=command, options={"env": {}})
    if name == BARE_BWRAP:
        command, options = bare_bwrap()
        return partial(spawned, command=command, options=options)
    return partial(judged, rung=name)


# ---- programs per second ----


def worker(orders: Connection) -> None:
    """Judge as fast as it goes, for as long as each order says; its own zygotes."""
    number = 0
    while (order := orders.recv()) is not None:
        name, kind, seconds = order
        judge = contender(name)
        started, count = time.monotonic(), 0
        while time.monotonic() < started + seconds or not count:
            number, count = number + 1, count + 1
            case = simple(kind, number)
            if (reason := judge(case)) != case.reason:
                raise SystemExit(f"{name}, {kind}: {reason}, not {case.reason}")
        orders.send(count / (time.monotonic() - started))


class Workers:
    """Processes that measure at the same time."""

    def __init__(self, count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._ends: list[Connection] = []
        self._processes = []
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=worker, args=(theirs,))
            process.start()
            theirs.close()
            self._ends.append(ours)
            self._processes.append(process)

    def rate(self, name: str, kind: str, seconds: float) -> float:
        """Programs a second, all of them together."""
        for end in self._ends:
            end.send((name, kind, seconds))
        return sum(float(end.recv()) for end in self._ends)

    def close(self) -> None:
        """End them."""
        for end in self._ends:
            end.send(None)
        for process in self._processes:
            process.join()


def measure(rungs: list[str], args: argparse.Namespace) -> bool:
    """The table; are the aims met?"""
    names = [*rungs, BARE, *([BARE_BWRAP] if COLD in rungs else [])]
    rates: dict[tuple[str, str], list[float]] = {(n, k): [] for n in names for k in KINDS}
    workers = Workers(args.workers)
    for name, kind in rates:  # zygotes start, files come into memory
        workers.rate(name, kind, 0.2)
    for turn in range(args.rounds):
        order = list(rates)
        random.Random(turn).shuffle(order)
        for name, kind in order:
            rates[name, kind].append(workers.rate(name, kind, args.seconds))
    workers.close()
    print(
        f"{args.workers} workers, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; ", end=""
    )
    print(f"medians of {args.rounds} rounds of {args.seconds:g} s")
    print("\n| tests | walls | programs/s | least to most | x cold bubblewrap | x bare spawns |")
    print("|---|---|---:|---:|---:|---:|")
    met = True
    for kind in KINDS:
        medians = {name: statistics.median(rates[name, kind]) for name in names}
        for name in names:
            rate, all_rates = medians[name], rates[name, kind]
            cold = f"{rate / medians[COLD]:.2f}" if COLD in medians else "-"
            print(
                f"| {kind} | {name} | {rate:.0f} | {min(all_rates):.0f} to {max(all_rates):.0f} "
                f"| {cold} | {rate / medians[BARE]:.2f} |"
            )
        first = medians[rungs[0]]
        met &= first >= OF_BARE * medians[BARE]
        met &= COLD not in medians or rungs[0] == COLD or first >= TIMES_COLD * medians[COLD]
    print(f"\naims of {rungs[0]}: {'met' if met else 'MISSED'}")
    return met


# ---- many in a row ----


class Left(NamedTuple):
    """What there is at one time."""

    processes: int
    files: int
    """Those that programs wrote, in /tmp and /dev/shm."""
    descriptors: int
    zygote_descriptors: int
    owner_kb: int
    zygote_kb: int

    def __str__(self) -> str:
        return " | ".join(map(str, self))


def left() -> Left:
    """Of this process and the zygote that forks for it."""
    zygotes = psutil.Process().children(recursive=True)
    inner = max(zygotes, key=lambda process: process.create_time())  # the one behind the walls
    return Left(
        len(zygotes),
        sum(1 for _ in _our_files()),
        _files_in("/proc/self/fd"),
        _files_in(f"/proc/{inner.pid}/fd"),
        psutil.Process().memory_info().rss >> 10,
        inner.memory_info().rss >> 10,
    )


def _files_in(folder: str) -> int:
    return sum(1 for _ in Path(folder).iterdir())


def _our_files() -> Iterator[Path]:
    for place in ("/tmp", "/dev/shm"):
        for pattern in ("soak-left", "tracefactory-*/**/soak-left"):
            yield from Path(place).glob(pattern)


def soak(rung: str, runs: int) -> bool:
    """Judge so many; is nothing left, and is nothing wrong?"""
    adopt()  # what escaped its zygote would become a child of this process, and count
    wrong = Counter[str]()
    step = max(1, runs // 10)
    print(f"{rung}\n\n| programs | processes | files | files open: here | in the zygote ", end="")
    print("| memory, KiB: here | of the zygote |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    found: list[Left] = []
    started = time.monotonic()
    for number in range(runs + 1):
        if number in (1, step // 2) or (number and number % step == 0):
            time.sleep(1.0)  # the last run's end is still on its way to the zygote
            found.append(left())
            print(f"| {number} | {found[-1]} |", flush=True)
        case = mixed(number)
        reason = judged(case, rung)
        if reason != case.reason:
            wrong[f"{reason} for {case.reason}"] += 1
    print(f"\n{time.monotonic() - started:.0f} s; wrong verdicts: {dict(wrong) or 'none'}")
    first, last = found[1], found[-1]
    kept = (
        last[:4],
        last.owner_kb - first.owner_kb < 2048,
        last.zygote_kb - first.zygote_kb < 2048,
    )
    good = not wrong and kept == (first[:4], True, True)
    print("nothing left, no growth" if good else "SOMETHING IS LEFT OR GREW")
    return good


# ---- a worker that is killed ----


def kill_worker(rung: str, path: str, numbers: list[int]) -> None:
    """Judge these and write each verdict down as it comes."""
    with Path(path).open("ab", buffering=0) as file:
        for number in numbers:
            file.write(json.dumps([number, judged(mixed(number), rung)]).encode() + b"\n")


def kill(rung: str, runs: int) -> bool:
    """Kill the worker at random until all are judged; no survivor, none wrong?"""
    adopt()
    rng = random.Random(1)
    kills = survivors = 0
    slowest = 0.0
    with TemporaryDirectory(prefix="sandbox-kill-") as folder:
        path = Path(folder, "verdicts")
        path.touch()
        while missing := sorted(set(range(runs)) - set(_verdicts(path))):
            command = [sys.executable, __file__, "--rungs", rung, "--kill-worker", str(path)]
            process = subprocess.Popen([*command, *map(str, missing)])
            done = len(_verdicts(path)) + rng.randrange(1, 20)
            while process.poll() is None and len(_verdicts(path)) < min(done, runs):
                time.sleep(0.001)
            time.sleep(rng.uniform(0, 0.02))
            if process.poll() is not None:
                break
            process.kill()
            process.wait()
            kills += 1
            gone = _gone_after()
            survivors += gone is None
            slowest = max(slowest, gone or 2.0)
        verdicts = _verdicts(path)
    wrong = {n: said for n, said in verdicts.items() if said != mixed(n).reason}
    print(
        f"{rung}: {kills} kills; {len(verdicts)} of {runs} verdicts, wrong: {wrong or 'none'}; "
        f"kills that left a process after 2 s: {survivors}, "
        f"the slowest was gone after {slowest:.2f} s"
    )
    return not survivors and not wrong and len(verdicts) == runs


def _verdicts(path: Path) -> dict[int, str]:
    lines = path.read_bytes().splitlines()
    return dict(json.loads(line) for line in lines)


def _gone_after() -> float | None:
    """Seconds until no descendant of this process was left; None if some are after 2."""
    started = time.monotonic()
    while psutil.Process().children(recursive=True):
        try:
            os.waitpid(-1, os.WNOHANG)  # orphans come to us
        except ChildProcessError:
            return time.monotonic() - started
        if time.monotonic() > started + 2:
            return None
        time.sleep(0.005)
    return time.monotonic() - started


def main() -> int:
    """Parse, do one of the three."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each turn")
    parser.add_argument("--rungs", nargs="+", choices=(*ladder.LOCAL, ladder.UNSAFE))
    parser.add_argument("--soak", type=int, metavar="RUNS")
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--runs", type=int, default=200, help="of --kill")
    parser.add_argument("--kill-worker", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.kill_worker:
        path, *numbers = args.kill_worker
        kill_worker(args.rungs[0], path, [int(number) for number in numbers])
        return 0
    rungs = args.rungs or [name for name in ladder.LOCAL if holds(name)]
    if not rungs:
        print("no rung holds here: tracefactory doctor says why")
        return 1
    if args.soak:
        good = soak(rungs[0], args.soak)
    elif args.kill:
        good = kill(rungs[0], args.runs)
    else:
        good = measure(rungs, args)
    return 0 if good else 1


def holds(name: str) -> bool:
    """Does this rung pass its self-test here?"""
    rung = ladder.tried(name)
    if rung.pool is not None:
        rung.pool.close()
    return ladder.holds(rung)


if __name__ == "__main__":
    sys.exit(main())
