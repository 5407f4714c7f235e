"""Recall, false drops, speed and memory of decontamination, on planted rows of known truth.

    python benchmarks/contamination.py                                 # items made up
    python benchmarks/contamination.py --items gsm8k/test.jsonl --column question
    python benchmarks/contamination.py --tokens 20000000               # the index of so many tokens

Each kind has one row an item (contamination_corpus.py); traces are looked at as traces, the rest as
statements. Speed is per second of CPU time, one thread, warmed up (with numba, if it is there, or
TRACEFACTORY_FAST=0). Nothing is asserted; tests do that.
"""

import argparse
import json
import resource
import time
from pathlib import Path

import contamination_corpus as corpus
import pyarrow as pa

from tracefactory.contamination.index import Index, build
from tracefactory.contamination.items import ITEM_SCHEMA
from tracefactory.contamination.verdicts import overlaps

MAX_ITEMS, COVERAGE = 20, 0.5


def items_of(path: str | None, column: str, seed: int, n: int) -> list[str]:
    if path is None:
        return corpus.made_items(seed, n)
    with Path(path).open(encoding="utf-8") as lines:
        return [json.loads(line)[column] for line in lines][:n]


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def index_of(texts: list[str]) -> tuple[Index, dict[str, int], int]:
    """The index, what it counts, and its bytes on disk before compression."""
    rows = [{"benchmark": "b", "item": str(n), "text": text} for n, text in enumerate(texts)]
    result = build(pa.Table.from_pylist(rows, schema=ITEM_SCHEMA), MAX_ITEMS)
    size = sum(table.nbytes for table in result.tables.values())
    return Index.of(dict(result.tables), MAX_ITEMS), dict(result.counts), size


def measured(index: Index, planted: list[corpus.Planted]) -> dict[str, float]:
    """Shares of rows by their worst level, whether the right item was named, and speed."""
    texts = [row.text for row in planted]
    began = time.process_time()
    found = overlaps(texts, index, COVERAGE, statements=planted[0].kind != "trace")
    seconds = time.process_time() - began
    bad = {one.text for one in found if one.level == "contaminated"}
    suspect = {one.text for one in found} - bad
    right = {one.text for one in found if one.item == str(planted[one.text].item)}
    return {
        "contaminated": len(bad) / len(texts),
        "suspect": len(suspect) / len(texts),
        "right": len(right & bad) / max(1, len(bad)),
        "rows/s": len(texts) / seconds,
        "MB/s": sum(map(len, texts)) / seconds / 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items")
    parser.add_argument("--column", default="question")
    parser.add_argument("--n", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tokens", type=int)
    asked = parser.parse_args()
    if asked.tokens:
        texts: list[str] = corpus.made_items(asked.seed, asked.tokens // 50)
    else:
        texts = items_of(asked.items, asked.column, asked.seed, asked.n)
    index_of(texts[:10])  # compiles, where numba is there
    before, began = peak_mb(), time.process_time()
    index, counts, disk = index_of(texts)
    print(
        f"index: {len(texts):,} items, {counts['grams']:,} grams of 8, {counts['masked_grams']:,} "
        f"masked of 5; made in {time.process_time() - began:.1f} s; {index.nbytes() / 1e6:.1f} MB "
        f"in memory, {disk / 1e6:.1f} MB of tables; peak RSS of the process {before:,.0f} MB with "
        f"the texts, {peak_mb():,.0f} MB when it was made"
    )
    print("| kind | rows | contaminated | suspect | item named right | rows/s | MB/s |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for kind in corpus.KINDS:
        planted = corpus.rows(texts[: asked.n], kind, asked.seed)
        got = measured(index, planted)
        print(
            f"| {kind} | {len(planted):,} | {got['contaminated']:.4f} | {got['suspect']:.4f} | "
            f"{got['right']:.4f} | {got['rows/s']:,.0f} | {got['MB/s']:.1f} |"
        )
    print(f"peak RSS at the end: {peak_mb():,.0f} MB")


if __name__ == "__main__":
    main()
