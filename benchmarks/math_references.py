r"""What the symbolic checker makes of real references: the 5,000 answers of a MATH test file.

    python benchmarks/math_references.py --file test.jsonl   # lines with a `solution`

A reference is the last box of a solution. Two questions:

1. Does the checker accept a reference as its own answer when that is written anew? The tree of the
   reference is printed in four ways and judged in a box: as LaTeX, as plain text, and both once
   more after the tree was turned: sums, products, sets and lists backwards, equations with their
   sides exchanged, a number n as (2n)/2, a fraction with both parts doubled, a decimal as a
   fraction. Only the turned ways are honest: an equal tree is accepted for being equal, the turned
   one has to be computed with. Exponents, indices of roots, factorials, logarithms, numbers with a
   base and references that are words are printed unturned. All failures are listed.

2. Which references does the checker take for one of the 50 that follow? Nearly all such pairs are
   different answers to different problems, so that every accept that is not an equal string is
   either another way to write the answer, a convention, or a mistake. All are listed, the same pair
   once, with what decided.

Both parts run on two processes. Exit status 1 if the file is not there.

Not here: whether the listed accepts are right; that is for a reader to say.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from tracefactory.verifiers.extract import final_answer
from tracefactory.verifiers.maths.nodes import Node, fraction_of, number
from tracefactory.verifiers.maths.printing import latex, plain
from tracefactory.verifiers.maths.reading import read_reference
from tracefactory.verifiers.maths.values import NotAValue, decimal_value
from tracefactory.verifiers.symbolic import judge

FILE = Path(__file__).parents[2] / "shared" / "data" / "math" / "test.jsonl"
FOLLOWING = 50
CHUNK = 125
WAYS = ("latex", "plain", "turned latex", "turned plain")


class Judged(NamedTuple):
    reference: str
    answer: str
    way: str
    """One of WAYS, or "other" where another reference is the answer, or "unread"."""
    status: str
    reason: str
    tier: str
    certainty: str
    kind: str


def ask(reference: str, answer: str, way: str) -> Judged:
    verdict = judge(reference, f"\\boxed{{{answer}}}")
    evidence = json.loads(verdict.evidence) if verdict.evidence else {}
    return Judged(
        reference,
        answer,
        way,
        verdict.status,
        verdict.reason,
        evidence.get("tier", ""),
        evidence.get("certainty", ""),
        evidence.get("type", ""),
    )


# Written anew

_BACKWARDS = frozenset(["add", "mul", "set", "list", "union", "intersection"])
_AS_WRITTEN = frozenset(["based", "compound", "approx", "text", "factorial"])
_FIRST_ONLY = frozenset(["pow", "root", "quantity", "percent", "degrees"])


def turned(node: Node) -> Node:
    """Another tree that means the same."""
    kind = node.kind
    if kind == "number":
        top, bottom = fraction_of(node)
        return Node("div", (number(2 * top), number(2 * bottom)))
    if kind == "decimal":
        try:
            return Node("div", tuple(map(number, decimal_value(str(node.value)))))
        except NotAValue:
            return node
    if kind in _AS_WRITTEN:
        return node
    if kind in _FIRST_ONLY:
        return Node(kind, (turned(node.args[0]), *node.args[1:]), node.value)
    if kind == "call" and node.value in ("binomial", "mod", "double_factorial", "log"):
        return node
    args = tuple(map(turned, node.args))
    if kind in _BACKWARDS or (kind == "relation" and node.value == ("=",)):
        args = args[::-1]
    return Node(kind, args, node.value)


def rewritten(references: list[str]) -> list[Judged]:
    found = []
    for reference in references:
        reading = read_reference(reference)
        if reading.node is None or reading.kind != "math":
            if reading.word is None:
                found.append(Judged(reference, "", "unread", "", reading.why, "", "", reading.kind))
            else:
                found.append(ask(reference, f"\\text{{{reading.text}}}", "words"))
            continue
        other = turned(reading.node)
        for way, answer in zip(
            WAYS,
            (latex(reading.node), plain(reading.node), latex(other), plain(other)),
            strict=True,
        ):
            found.append(ask(reference, answer, way))
    return found


# Each against those that follow


class Crossed(NamedTuple):
    pairs: int
    same_text: int
    statuses: Counter[str]
    accepts: list[Judged]
    """And whatever is neither correct nor incorrect."""


def crossed(references: list[str], begin: int, end: int) -> Crossed:
    same, pairs = 0, 0
    statuses: Counter[str] = Counter()
    accepts = []
    for k in range(begin, end):
        reference = references[k]
        for other in references[k + 1 : k + 1 + FOLLOWING]:
            pairs += 1
            if other == reference:
                same += 1
                continue
            judged = ask(reference, other, "other")
            statuses[judged.status] += 1
            if judged.status != "incorrect":
                accepts.append(judged)
    return Crossed(pairs, same, statuses, accepts)


def _crossed(task: tuple[list[str], int, int]) -> Crossed:
    return crossed(*task)


def chunks(references: list[str]) -> Iterator[tuple[list[str], int, int]]:
    for begin in range(0, len(references), CHUNK):
        end = min(begin + CHUNK, len(references))
        yield references[begin : end + FOLLOWING], 0, end - begin


# What is printed


def print_rewritten(found: list[Judged], total: int) -> None:
    print(f"## 1. {total:,} references, each as its own answer, written anew\n")
    print("| way | asked | accepted | by tier |")
    print("|---|---:|---:|---|")
    for way in (*WAYS, "words"):
        asked = [judged for judged in found if judged.way == way]
        accepted = [judged for judged in asked if judged.status == "correct"]
        tiers = Counter(f"{j.tier} {j.certainty}" for j in accepted).most_common()
        shown = ", ".join(f"{name} {n:,}" for name, n in tiers)
        print(f"| {way} | {len(asked):,} | {len(accepted):,} | {shown} |")
    failed = [judged for judged in found if judged.status != "correct"]
    wrong = {judged.reference for judged in failed}
    print(f"\nFailures: {len(failed):,} ways of {len(wrong):,} references.")
    for judged in failed:
        print(
            f"- `{judged.reference}` as {judged.way} `{judged.answer}`: "
            f"{judged.status} {judged.reason} ({judged.tier}, {judged.kind})"
        )


def print_crossed(found: list[Crossed], seconds: float) -> None:
    pairs, same = sum(f.pairs for f in found), sum(f.same_text for f in found)
    statuses: Counter[str] = sum((f.statuses for f in found), Counter())
    print(f"\n## 2. Each against the {FOLLOWING} that follow\n")
    print(f"{pairs:,} pairs in {seconds:.0f} s; {same:,} equal as strings, not asked.")
    print(", ".join(f"{n:,} {status}" for status, n in statuses.most_common()) + ".")
    accepts: Counter[tuple[str, ...]] = Counter()
    for judged in (judged for f in found for judged in f.accepts):
        accepts[
            judged.status,
            judged.tier,
            judged.certainty,
            judged.reason,
            judged.reference,
            judged.answer,
        ] += 1
    print(f"{len(accepts):,} different ones that are not incorrect.\n")
    print("| status | tier | certainty | reason | reference | answer | times |")
    print("|---|---|---|---|---|---|---:|")
    for key, times in sorted(accepts.items()):
        cells = [cell.replace("|", "\\|").replace("\n", " ") for cell in key]
        print(f"| {' | '.join(cells[:4])} | `{cells[4]}` | `{cells[5]}` | {times} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--file", type=Path, default=FILE)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--part", type=int, choices=[1, 2], help="only one of the two")
    args = parser.parse_args()
    if not args.file.is_file():
        sys.exit(
            f"{args.file} IS NOT THERE: nothing was measured. Give --file a JSON Lines file whose "
            "lines have a `solution` with its answer boxed, such as test.jsonl of MATH."
        )
    solutions = [json.loads(line)["solution"] for line in args.file.open(encoding="utf-8")]
    answers = [final_answer(solution) for solution in solutions]
    references = [a.text for a in answers if a.text is not None and a.rule == "boxed"]
    print(f"{len(solutions):,} solutions, {len(references):,} with a box.\n", flush=True)
    with ProcessPoolExecutor(args.processes, mp_context=get_context("spawn")) as pool:
        if args.part != 2:
            parts = [references[k : k + CHUNK] for k in range(0, len(references), CHUNK)]
            found = [judged for part in pool.map(rewritten, parts) for judged in part]
            print_rewritten(found, len(references))
        if args.part != 1:
            started = time.perf_counter()
            everything = list(pool.map(_crossed, chunks(references)))
            print_crossed(everything, time.perf_counter() - started)


if __name__ == "__main__":
    main()
