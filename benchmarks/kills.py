"""Kill the driver of a run with SIGKILL at random times until it is done; is the dataset the same?

    python benchmarks/kills.py [--kills 20] [--recipe quickstart] [--workers N] [--set PLACE=VALUE]

Runs the recipe once undisturbed and once with that many kills, each followed by an immediate
restart, in new folders under --place, and compares the two dataset/ trees byte for byte. Exit 0
when they are identical, no child outlived a killed driver by 5 s, and fsck finds both sound.
"""

import argparse
import hashlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

COMMAND = [sys.executable, "-m", "tracefactory"]


def tree(folder: Path) -> dict[str, str]:
    """sha256 of every file by its path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def start(arguments: list[str], folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """A driver of its own session, so that nothing but it is killed."""
    with log.open("ab") as out:
        return subprocess.Popen(
            [*COMMAND, "run", *arguments, "--folder", str(folder)],
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def receipts(folder: Path) -> int:
    """Finished units of work."""
    path = folder / "receipts.log"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def outlived(children: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Children that still run so long after their driver."""
    deadline = time.monotonic() + seconds
    while True:
        alive = [c for c in children if c.is_running() and not _zombie(c)]
        if not alive or time.monotonic() > deadline:
            return alive
        time.sleep(0.02)


def _zombie(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def killed_run(arguments: list[str], folder: Path, log: Path, args: argparse.Namespace) -> int:
    """Kill and restart until the kills are used up, then to the end; how many left a child."""
    rng = random.Random(args.seed)
    left_behind = 0
    total = args.total
    # Spread over the work: a kill comes when so many units are done, and a moment later.
    goals = sorted(rng.randrange(total) for _ in range(args.kills))
    for number, goal in enumerate(goals):
        extra = rng.uniform(0, 0.1)
        process, clock = start(arguments, folder, log), time.monotonic()
        while process.poll() is None and receipts(folder) < goal:
            time.sleep(0.005)
        time.sleep(extra)
        if process.poll() is not None:
            print(f"done before kill {number + 1}: exit {process.returncode}")
            return left_behind
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        late = outlived(children, 5)
        left_behind += bool(late)
        print(
            f"kill {number + 1:3}: {time.monotonic() - clock:5.1f} s after the start, "
            f"{receipts(folder):5} of {total} units done"
            + (f", {len(late)} CHILDREN LEFT" if late else ""),
            flush=True,
        )
    process = start(arguments, folder, log)
    print(f"last start: exit {process.wait()}")
    return left_behind


def main() -> int:
    """Parse, run twice, compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--recipe", default="quickstart")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="PLACE=VALUE")
    parser.add_argument("--place", type=Path, help="[default: a new temporary folder, removed]")
    args = parser.parse_args()
    place = args.place or Path(tempfile.mkdtemp(prefix="kills-"))
    place.mkdir(parents=True, exist_ok=True)
    arguments = [args.recipe, *(word for value in args.set for word in ("--set", value))]
    if args.workers:
        arguments += ["--workers", str(args.workers)]
    log = place / "output.log"

    clock = time.monotonic()
    if start(arguments, place / "undisturbed", log).wait() != 0:
        print(log.read_text())
        return 1
    args.total = receipts(place / "undisturbed")
    print(f"undisturbed: {time.monotonic() - clock:.1f} s, {args.total} units of work", flush=True)

    clock = time.monotonic()
    left_behind = killed_run(arguments, place / "killed", log, args)
    print(f"killed: {time.monotonic() - clock:.1f} s in all")

    expected, found = tree(place / "undisturbed/dataset"), tree(place / "killed/dataset")
    differ = sorted(n for n in expected.keys() | found if expected.get(n) != found.get(n))
    sound = [
        subprocess.run([*COMMAND, "fsck", str(place / name)], capture_output=True).returncode == 0
        for name in ("undisturbed", "killed")
    ]
    print(
        f"{len(expected)} files; {f'DIFFERENT: {differ}' if differ else 'identical, byte for byte'}"
    )
    print(f"fsck: {'sound' if all(sound) else 'DAMAGE'}; kills that left a child: {left_behind}")
    good = not differ and expected and all(sound) and not left_behind
    if not args.place and good:
        shutil.rmtree(place)
    else:
        print(f"kept: {place}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
