"""What the quickstart teaches, with a good teacher and with one of bad habits; and a loop.

    python benchmarks/prove.py                      # all of it, about 12 minutes on 2 cores
    python benchmarks/prove.py --only quickstart    # prove on the quickstart as it comes
    python benchmarks/prove.py --only habit         # the same, habit_rate 0.65
    python benchmarks/prove.py --only clean         # no slip that a trace puts right
    python benchmarks/prove.py --only loop
    python benchmarks/prove.py --only limit         # tokens/s beside bare matrix products

Each is the command that a user gives, timed from outside, in a folder of its own (--folder keeps
it). `limit` compares training with the matrix products that it cannot do without, in one process.
Needs the extra `prove`. Nothing is asserted.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = Path(sys.executable).with_name("tracefactory")
DATASETS = {
    "quickstart": [],
    "habit": ["--set", "stages.attempts.teacher.habit_rate=0.65"],
    "clean": ["--set", "stages.attempts.teacher.repair_rate=0.0"],
}


def timed(*command):
    started = time.monotonic()
    done = subprocess.run([COMMAND, *map(str, command)], stdout=subprocess.PIPE, check=False)
    return done, time.monotonic() - started


def proven(folder, name):
    run = folder / name
    timed("run", "quickstart", "--folder", run, *DATASETS[name])
    done, seconds = timed("prove", run, "--json")
    proof = json.loads(done.stdout)
    print(f"\n## {name}: prove took {seconds:.0f} s, exit code {done.returncode}")
    print("| arm | seed | loss | CPU s | test | test T=1 | moved, repaired, of | OOD |")
    print("|---|---|---|---|---|---|---|---|")
    for arm in proof["arms"]:
        for one in arm["runs"]:
            show(arm["name"], one)


def show(arm, one):
    scores = {score["split"]: score for score in one["scores"]}
    test = scores.pop("test")
    probe = one["probe"]
    moved = f"{probe['moved']} / {probe['repaired']} / {probe['n']}" if probe else "-"
    ood = ", ".join(f"{100 * s['greedy'] / s['n']:.1f}" for s in scores.values())
    print(
        f"| {arm} | {one['seed']} | {one['loss']:.4f} | {one['cpu_s']:.0f} "
        f"| {100 * test['greedy'] / test['n']:.1f} | {100 * test['sampled'] / test['n']:.1f} "
        f"| {moved} | {ood} |"
    )


def looped(folder):
    done, seconds = timed("loop", "modular_loop", "--folder", folder / "loop", "--json")
    loop = json.loads(done.stdout)
    print(f"\n## loop took {seconds:.0f} s, exit code {done.returncode}")
    rounds = range(len(loop["arms"][0]["rounds"]))
    print("| arm | " + " | ".join(f"round {i}" for i in rounds) + " | accepted | CPU s |")
    print("|---|" + "---|" * (len(rounds) + 2))
    for arm in loop["arms"]:
        shares = [f"{100 * r['greedy'] / r['n']:.1f}" for r in arm["rounds"]]
        accepted = [
            f"{100 * r['accepted'] / r['samples']:.0f}" for r in arm["rounds"] if r["samples"]
        ]
        cpu = sum(r["cpu_s"] for r in arm["rounds"])
        print(f"| {arm['name']} | {' | '.join(shares)} | {' '.join(accepted)} | {cpu:.0f} |")


def limit():
    import torch

    from tracefactory.prove.model import Size, SmallLlama
    from tracefactory.prove.train import Example, train

    torch.set_num_threads(1)
    rng = random.Random(0)
    texts = [Example(tuple(rng.choices(range(8, 80), k=63)), 20) for _ in range(5_000)]
    model = SmallLlama(Size(330), 0)
    rates = []
    for _ in range(5):
        started = time.process_time()
        train(model, texts, 60_000, 0, 0)
        rates.append(60_000 / (time.process_time() - started))
    shapes = [(64, 64)] * 8 + [(64, 176)] * 4 + [(176, 64)] * 2 + [(64, 330)]
    pairs = [(torch.randn(1008, a), torch.randn(a, b)) for a, b in shapes]
    bare = []
    for _ in range(5):
        started = time.process_time()
        for _ in range(60):
            for x, w in pairs:
                y = x @ w  # forwards; then both gradients
                y @ w.T
                x.T @ y
        bare.append(60_000 / (time.process_time() - started))
    print("\n## limit")
    print(f"training {sorted(rates)[2]:,.0f} tokens a CPU s, bare products {sorted(bare)[2]:,.0f}")
    print(f"ratio {sorted(rates)[2] / sorted(bare)[2]:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=[*DATASETS, "loop", "limit"])
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch)
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        for name in DATASETS:
            if arguments.only in (None, name):
                proven(folder, name)
        if arguments.only in (None, "loop"):
            looped(folder)
        if arguments.only in (None, "limit"):
            limit()


if __name__ == "__main__":
    main()
