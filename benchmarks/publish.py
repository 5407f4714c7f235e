"""What a re-publication sends, by size of rows and kind of change, and what a publication holds.

    python benchmarks/publish.py                            # 20,000 rows of 0.2, 1, 4 and 16 kB
    python benchmarks/publish.py --rows 20000 --chars 1000
    python benchmarks/publish.py --flat 100000 1000000      # peak RSS of publishing so many rows

Releases are made of random words with a fixed seed and published to a folder; bytes are those that
are written there and not kept (`sent_bytes`), so they are the same for the Hub without Xet. The
changes, each against the same first release:

    nothing          the very same rows
    added 1 %        new rows only
    removed, tail    the last 1 % of one shard
    edited, one      1 % of all rows, all in one shard
    edited, all      1 % of all rows, scattered: every shard changes
    +edited, xet     the last, as Xet would store it: new bytes after content-defined chunking

Needs psutil (the `test` extra). Nothing is asserted: compare within one output.
"""

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow as pa

import tracefactory
from tracefactory.publish.release import WRITER, over_shards, texts
from tracefactory.publish.rows import content_digest
from tracefactory.publisher.figures import figures
from tracefactory.publisher.files import Files
from tracefactory.publisher.publish import Outcome, publish
from tracefactory.schemas.manifest import SCHEMA_VERSION, Manifest, ShardStats
from tracefactory.schemas.traces import VIEW_SCHEMAS
from tracefactory.store.files import parquet_bytes

SHARDS = 4
WORDS = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in "lmnrst"]
CHANGES = ("nothing", "added 1 %", "removed, tail", "edited, one", "edited, all")


class Silent:
    def say(self, text: str) -> None:
        pass

    def at(self, text: str) -> None:
        pass


def row(number: int, chars: int, edition: int) -> dict[str, object]:
    chance = random.Random(f"{number}:{edition}")
    text = " ".join(chance.choices(WORDS, k=chars // 4))
    found: dict[str, object] = dict.fromkeys(VIEW_SCHEMAS["sft"].names)
    return found | {
        "id": f"set-{number:09d}/teacher/0", "problem_id": f"set-{number:09d}", "answer": text[:6],
        "messages": [{"role": "user", "content": text[: chars // 5]},
                     {"role": "assistant", "content": f"<think>\n{text}\n</think>\n\n{text[:6]}"}],
        "domain": "words", "task_type": "none", "source": "made", "license": "CC0-1.0",
        "teacher": "none", "teacher_revision": "program:1", "teacher_license": "CC0-1.0",
        "status": "correct", "reason": "equal", "verifier": "numeric@1", "finish_reason": "stop",
        "n_attempts": 1, "attempt_index": 0, "recipe_id": f"{edition:016x}",
        "content_sha256": hashlib.sha256(text.encode()).hexdigest(),
    }  # fmt: skip


def write(folder: Path, index: int, rows: Iterator[dict[str, object]]) -> ShardStats:
    schema = VIEW_SCHEMAS["sft"]
    table = pa.Table.from_pylist(list(rows), schema=schema)
    data = bytes(parquet_bytes(table, published=True))
    path = f"sft/train-{index:05d}.parquet"
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(data)
    return ShardStats(
        path=path, config="sft", split="train", index=index, rows=table.num_rows, bytes=len(data),
        file_sha256=hashlib.sha256(data).hexdigest(), content_sha256=content_digest(table),
        row_groups=1, schema_sha256=hashlib.sha256(str(schema).encode()).hexdigest(),
        schema_version=SCHEMA_VERSION, writer=WRITER, recipe_id="", seed=7,
        stats=figures("sft", table, None),
    )  # fmt: skip


def made(folder: Path, shards: list[list[tuple[int, int]]], chars: int) -> Path:
    """A dataset folder; a row is its number and edition."""
    stats = [
        write(folder, index, (row(number, chars, edition) for number, edition in rows))
        for index, rows in enumerate(shards)
    ]
    empty = Manifest(
        name="made", schema_version=SCHEMA_VERSION, tracefactory=tracefactory.__version__,
        recipe_id="", recipe={"name": "made", "seed": 7, "description": "", "stages": {}}, seed=7,
        title="Made", license=None, repository=None, parent_release=None, funnel={},
        rejected_rows={}, inputs=[],
        configs={}, files=[],
    )  # fmt: skip
    lying = [(one, folder / one.path) for one in stats]
    for path, data in texts(over_shards(empty, stats, None), stats, lying).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def changed(change: str, rows: int) -> list[list[tuple[int, int]]]:
    """The rows of each shard after a change; edition 0 is the first release's."""
    each, few = rows // SHARDS, rows // 100
    edited = set(random.Random(7).sample(range(rows), few)) if change == "edited, all" else set()
    if change == "edited, one":
        edited = set(range(0, each, max(1, each // few)))
    gone = set(range(each - few, each)) if change == "removed, tail" else set()
    more = range(rows, rows + few) if change == "added 1 %" else range(0)
    shards = [
        [(n, int(n in edited)) for n in range(k * each, (k + 1) * each) if n not in gone]
        for k in range(SHARDS)
    ]
    for number in more:  # among the others, as a run that was done again would have them
        shards[number % SHARDS].insert(number % each, (number, 0))
    return shards


def chunks(path: Path) -> dict[bytes, int]:
    """Content-defined pieces of a file, 64 kB on average, as Xet cuts: length by hash."""
    data, found, start, gear = path.read_bytes(), {}, 0, _gear()
    value = 0
    for at, byte in enumerate(data):
        value = ((value << 1) + gear[byte]) & 0xFFFFFFFFFFFFFFFF
        if (at - start >= 8192 and not value >> 48) or at - start >= 131072:
            found[hashlib.sha256(data[start : at + 1]).digest()] = at + 1 - start
            start, value = at + 1, 0
    found[hashlib.sha256(data[start:]).digest()] = len(data) - start
    return found


def _gear() -> list[int]:
    chance = random.Random(0)
    return [chance.getrandbits(64) for _ in range(256)]


def new_bytes(before: Path, after: Path) -> int:
    known: dict[bytes, int] = {}
    for path in before.rglob("*.parquet"):
        known |= chunks(path)
    fresh: dict[bytes, int] = {}
    for path in after.rglob("*.parquet"):
        fresh |= chunks(path)
    return sum(size for digest, size in fresh.items() if digest not in known)


def send(folder: Path, there: Path) -> Outcome:
    return publish(folder, Files(str(there), Silent()), Silent())


def latest(there: Path) -> Path:
    return there / (there / "LATEST").read_text().strip()


def by_size(rows: int, sizes: list[int]) -> None:
    print(f"{rows:,} rows in {SHARDS} shards; sent, as a share of the first publication")
    print(f"{'chars a row':>12}{'first, bytes':>14}" + "".join(f"{c:>15}" for c in CHANGES)
          + f"{'+edited, xet':>15}")  # fmt: skip
    for chars in sizes:
        with tempfile.TemporaryDirectory() as name:
            work = Path(name)
            first = send(made(work / "first", changed("nothing", rows), chars), work / "there")
            line = f"{chars:>12,}{first.sent_bytes:>14,}"
            xet = 0
            for change in CHANGES:
                shutil.copytree(work / "there", work / "next")
                done = send(made(work / "changed", changed(change, rows), chars), work / "next")
                line += f"{done.sent_bytes / first.sent_bytes:>15.2%}"
                if change == "edited, all":
                    xet = new_bytes(latest(work / "there"), latest(work / "next"))
                shutil.rmtree(work / "next")
                shutil.rmtree(work / "changed")
            print(line + f"{xet / first.sent_bytes:>15.2%}", flush=True)


PUBLISH = """\
import sys, json, time
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from publish import Silent, send
began = time.monotonic()
done = send(Path(sys.argv[1]), Path(sys.argv[2]))
print(json.dumps({"seconds": time.monotonic() - began, "kept": done.kept_shards,
                  "new": done.new_shards, "sent": done.sent_bytes}))
"""


def measured(folder: Path, there: Path) -> tuple[dict[str, float], int]:
    """Publish in a process of its own; what it said and its peak RSS."""
    command = [sys.executable, "-c", PUBLISH, str(folder), str(there), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        peak = 0
        ended = threading.Event()

        def look() -> None:
            nonlocal peak
            watched = psutil.Process(process.pid)
            while not ended.wait(0.05):
                try:
                    peak = max(peak, watched.memory_info().rss)
                except psutil.Error:
                    return

        thread = threading.Thread(target=look)
        thread.start()
        out, _ = process.communicate()
        ended.set()
        thread.join()
    return json.loads(out), peak


def flat(sizes: list[int], chars: int, a_shard: int) -> None:
    print(f"rows of {chars} characters, {a_shard:,} a shard; then 1 % of all rows are edited")
    print(
        f"{'rows':>12}{'':>10}{'seconds':>10}{'peak RSS, MB':>14}{'new':>6}{'kept':>6}{'sent':>14}"
    )
    for rows in sizes:
        with tempfile.TemporaryDirectory() as name:
            work = Path(name)
            for edition, label in enumerate(("first", "edited")):
                edited = set(range(0, rows, 100)) if edition else set()
                shards = [
                    [(n, int(n in edited)) for n in range(k, min(rows, k + a_shard))]
                    for k in range(0, rows, a_shard)
                ]
                folder = made(work / label, shards, chars)
                said, peak = measured(folder, work / "there")
                print(
                    f"{rows:>12,}{label:>10}{said['seconds']:>10.1f}{peak / 1e6:>14,.0f}"
                    f"{said['new']:>6}{said['kept']:>6}{said['sent']:>14,}",
                    flush=True,
                )
                shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--chars", type=int, nargs="+", default=[200, 1_000, 4_000, 16_000])
    parser.add_argument("--flat", type=int, nargs="+", help="measure peak RSS at so many rows")
    parser.add_argument("--shard", type=int, default=25_000, help="--flat: rows of a shard")
    given = parser.parse_args()
    if given.flat:
        flat(given.flat, 400, given.shard)
    else:
        by_size(given.rows, given.chars)


if __name__ == "__main__":
    main()
