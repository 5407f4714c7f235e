"""How fast and how well `dedupe: {level: near}` finds what repeats.

    python benchmarks/dedupe.py signatures            MB/s on one core beside datasketch, same run
    python benchmarks/dedupe.py recall                share of pairs found, by similarity; what was
                                                      lost that should have stayed
    python benchmarks/dedupe.py recall --corpus F     the same of another corpus: JSON lines with
                                                      id, kind, cluster, text, jaccard, duplicate
    python benchmarks/dedupe.py run --rows 100000     a whole stage over rows of 2 kB on two
                                                      workers: seconds by step, largest process
                                                      (a checker that looks at nothing, before it)

Rates are of CPU seconds of one process, so that a busy machine does not change them much. `--json`
gives the figures alone.
"""

import argparse
import json
import math
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from dedupe_corpus import Maker, Row, corpus

ROWS_A_CHUNK = 5000


def best(work: Callable[[], object], times: int = 5) -> float:
    """Fewest CPU seconds of a few tries."""
    found = math.inf
    for _ in range(times):
        start = time.process_time()
        work()
        found = min(found, time.process_time() - start)
    return found


# --- Signatures ----------------------------------------------------------------------------------


def signatures(asked: argparse.Namespace) -> dict[str, Any]:
    import pyarrow as pa
    from datasketch import MinHash, __version__
    from xxhash import xxh32_intdigest

    from tracefactory.nearness import fast
    from tracefactory.nearness.signature import bands
    from tracefactory.nearness.signature import signatures as signed
    from tracefactory.nearness.tokens import tokenized

    make = Maker(asked.seed)
    texts = [" ".join(make.sentence(330)) for _ in range(asked.texts)]
    array, size = pa.array(texts, pa.large_string()), sum(map(len, texts)) / 1e6

    def shingles(text: str) -> set[bytes]:
        words = text.lower().split()
        return {" ".join(words[i : i + 5]).encode() for i in range(len(words) - 4)}

    few = texts[: asked.texts // 10]

    def theirs() -> None:
        sets = [shingles(text) for text in few]
        MinHash.bulk(sets, num_perm=160, hashfunc=xxh32_intdigest, scheme="affine32")

    import numpy as np

    def ours(compiled: bool) -> Callable[[], object]:
        def work() -> None:
            found = signed(tokenized(array, fast=compiled), fast=compiled)
            bands(found, np.zeros(len(found), np.uint64))

        return work

    found: dict[str, Any] = {"MB": round(size, 1), "datasketch": __version__}
    oracle = sum(map(len, few)) / 1e6 / best(theirs, 3)
    found["datasketch MB/s"] = round(oracle, 2)
    for name, compiled in (("numpy", False), ("numba", True)):
        if compiled and not fast.there():
            continue
        ours(compiled)()  # numba compiles
        rate = size / best(ours(compiled))
        found[f"{name} MB/s"] = round(rate, 1)
        found[f"{name} times datasketch"] = round(rate / oracle, 1)
    return found


# --- Recall --------------------------------------------------------------------------------------


def interval(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval."""
    z = 1.96
    middle, half = (
        hits / n + z * z / 2 / n,
        z * math.sqrt(hits * (n - hits) / n**3 + z * z / 4 / n / n),
    )
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def read(path: Path) -> list[Row]:
    names = Row.__dataclass_fields__
    lines = (json.loads(line) for line in path.read_text("utf-8").splitlines())
    return [Row(**{name: line.get(name) for name in names}) for line in lines]


def stage_over(
    problems: Iterable[tuple[str, str, str]], **settings: Any
) -> tuple[set[str], set[str]]:
    """Problems and attempts that a near dedupe drops; `problems` are (id, statement, response)."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "stages"))
    from repeat_parts import Given, chunk, deduped

    from tracefactory.store.home import Home

    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        rows = [Given(i, statement, text) for i, statement, text in problems]
        pieces = [rows[n : n + ROWS_A_CHUNK] for n in range(0, len(rows), ROWS_A_CHUNK)]
        found = deduped(
            home, [chunk(home, f"c{n:05d}", p) for n, p in enumerate(pieces)], **settings
        )
    return set(found.moved), {i.rpartition("/t/")[0] for i in found.gone}


def recall(asked: argparse.Namespace) -> dict[str, Any]:
    rows = read(asked.corpus) if asked.corpus else list(corpus(asked.clusters, asked.seed))
    found: dict[str, Any] = {"rows": len(rows)}
    # Each copy alone beside its base: in one heap, a base that goes for one copy would hide others.
    bases = {row.cluster: row for row in rows if row.kind in ("base", "short")}
    for level, settings in (("problems", {}), ("traces across", {"across": True})):
        hits: defaultdict[str, list[bool]] = defaultdict(list)
        kinds = sorted({row.kind for row in rows} - {"base", "short"})
        for kind in kinds:
            picked = [row for row in rows if row.kind == kind]
            around = {row.cluster: bases[row.cluster] for row in picked if row.cluster in bases}
            both = [*picked, *around.values()]
            if level == "problems":
                away, _ = stage_over((row.id, row.text, "x") for row in both)
            else:
                made = ((row.id, f"Question {row.id}", row.text) for row in both)
                _, away = stage_over(made, **settings)
            for row in picked:
                base = around.get(row.cluster)
                hits[kind].append(row.id in away or (base is not None and base.id in away))
        pooled = [h for kind, all_ in hits.items() for h in all_ if _is_duplicate(rows, kind)]
        wrong = {
            k: sum(v) for k, v in hits.items() if k in ("few", "all", "boiler", "alone") and sum(v)
        }
        by_kind = {
            kind: [round(sum(v) / len(v), 4), *(round(x, 4) for x in interval(sum(v), len(v)))]
            for kind, v in sorted(hits.items())
        }
        found[level] = {
            "pooled over J >= 0.8": [round(sum(pooled) / len(pooled), 5), len(pooled)],
            "merged [share, 95 % interval]": by_kind,
            "lost without a duplicate": wrong,
        }
    return found


def _is_duplicate(rows: list[Row], kind: str) -> bool:
    return all(row.duplicate for row in rows if row.kind == kind)


# --- Whole runs ----------------------------------------------------------------------------------


class Memory(threading.Thread):
    """The largest resident process of a tree, looked at four times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        import psutil

        self._me = psutil.Process(os.getpid())
        self.largest: dict[str, int] = {"driver": 0, "worker": 0}
        self.stop = threading.Event()

    def run(self) -> None:
        import psutil

        while not self.stop.wait(0.25):
            for name, processes in (
                ("driver", [self._me]),
                ("worker", self._me.children(recursive=True)),
            ):
                for process in processes:
                    try:
                        self.largest[name] = max(self.largest[name], process.memory_info().rss)
                    except psutil.Error:
                        continue


RECIPE = """\
name: dedupe-bench
seed: 7
stages:
  rows:
    use: import
    path: {path}
    verifier: "dedupe_checker:verify"
    problem: {{id: id, statement: statement, reference: answer}}
    attempts: [{{text: reply, teacher: t}}]
  verdicts: {{use: verify, from: rows}}
  unique: {{use: dedupe, from: verdicts, level: near, across: true}}
"""


def written(folder: Path, n: int, seed: int) -> float:
    """N rows of 2 kB, a tenth of them exact and a tenth near copies of others; their MB."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    make, rng, size = Maker(seed), random.Random(seed), 0
    sentences = [" ".join(make.sentence(30)) for _ in range(20_000)]
    old: list[str] = []
    schema = pa.schema([(name, pa.string()) for name in ("id", "statement", "answer", "reply")])
    with pq.ParquetWriter(folder / "rows.parquet", schema) as writer:
        for first in range(0, n, 10_000):
            rows: list[tuple[str, str, str, str]] = []
            for number in range(first, min(first + 10_000, n)):
                draw = rng.random()
                text = " ".join(rng.choice(sentences) for _ in range(11))
                if old and draw < 0.2:
                    text = rng.choice(old)
                    if draw < 0.1:
                        words = text.split()
                        for place in rng.sample(range(len(words)), 3):
                            if words[place].isalpha():
                                words[place] = rng.choice(make.words)
                        text = " ".join(words)
                elif draw < 0.4 and len(old) < 20_000:
                    old.append(text)
                size += len(text)
                rows.append((f"p{number:08d}", f"Question {number}: what follows?", "7", text))
            columns = [pa.array(column) for column in zip(*rows, strict=True)]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    return size / 1e6


def whole(asked: argparse.Namespace) -> dict[str, Any]:
    from tracefactory.cluster import DaskPool
    from tracefactory.flow import Stop, run
    from tracefactory.recipe import load_recipe
    from tracefactory.store.home import Receipts, RunFolder

    class Quiet:
        def show(self, *_: object) -> None:
            pass

        def say(self, text: str) -> None:
            print(text, file=sys.stderr)

    os.environ["PYTHONPATH"] = str(Path(__file__).parent)  # the workers', for the checker
    folder = Path(asked.folder or tempfile.mkdtemp(prefix="dedupe-bench-"))
    size = written(folder, asked.rows, asked.seed)
    recipe = load_recipe(RECIPE.format(path=folder / "rows.parquet"))
    memory = Memory()
    memory.start()
    started = time.perf_counter()
    with RunFolder(folder / "run") as home, DaskPool(asked.workers) as pool:
        run(recipe, home, pool, Quiet(), Stop())
    wall = time.perf_counter() - started
    memory.stop.set()
    steps: defaultdict[str, float] = defaultdict(float)
    counts: Counter[str] = Counter()
    sizes: defaultdict[str, int] = defaultdict(int)
    for receipt in Receipts(folder / "run" / "receipts.log"):
        stage, _, task = receipt.slot.partition("/")
        if stage == "unique":
            counts.update(receipt.counts)
            steps[task.rpartition("-")[0] if task[-4].isdigit() else task] += receipt.seconds
            for output in receipt.outputs:
                sizes[output.role] += output.bytes
    near = sum(steps.values())
    if not asked.folder:
        shutil.rmtree(folder)
    return {
        "rows": asked.rows,
        "MB of traces": round(size, 1),
        "seconds of the whole run": round(wall, 1),
        "worker seconds of the stage": round(near, 1),
        "rows a worker second": round(asked.rows / near),
        "microseconds a row by step": {k: round(v / asked.rows * 1e6, 1) for k, v in steps.items()},
        "bytes a row on disk": {k: round(v / asked.rows, 1) for k, v in sizes.items() if v},
        "largest process, MB": {k: round(v / 1e6) for k, v in memory.largest.items()},
        "counts": dict(counts),
    }


def main() -> None:
    layout = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("what", choices=("signatures", "recall", "run"))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--texts", type=int, default=6000, help="signatures: texts of 2 kB")
    parser.add_argument("--clusters", type=int, default=400, help="recall: of each kind so many")
    parser.add_argument("--corpus", type=Path, help="recall: JSON lines instead")
    parser.add_argument("--rows", type=int, default=100_000, help="run: traces")
    parser.add_argument("--workers", type=int, default=2, help="run: worker processes")
    parser.add_argument("--folder", help="run: keep everything there")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = {"signatures": signatures, "recall": recall, "run": whole}[asked.what](asked)
    print(json.dumps(found) if asked.json else json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
