r"""The symbolic checker beside Math-Verify: pairs per second, and who is right.

    python3 -m venv peer && peer/bin/pip install 'math-verify[antlr4_13_2]==0.9.0'
    python benchmarks/symbolic.py --peer-python peer/bin/python      # --limit 20 for a first look

A pair is a reference and a response, and whether that is right. Both sides start from the same two
strings: read the reference, find the answer in the response, read it, compare. The classes:

    integers   200 integers and decimals as datasets have them, half of the answers a digit off,
               made from a fixed seed
    numbers    the rows of tests/cases/symbolic.jsonl about integers and decimals (in words, as
               powers, grouped, dressed) whose answer is in a box, so that finding it is no matter
               of taste
    fractions  the same of fractions and surds
    hard       24 identities and a near miss of each: trigonometry, expanded powers, nested
               radicals, logarithms (HARD below)
    corpus     all rows of up to MAX_CHARS characters that need no options; its slow tail is shown
    ordinary   the corpus without its types `huge` and `adversarial`

Labels of the corpus are this project's conventions (docs/symbolic.md), many a matter of taste: what
Math-Verify gets wrong there is not all wrong by its own.

The two run in turns, a round each, one process each, Math-Verify with its settings and time limits
as they come. Both lose their caches before a round (here every lru_cache of the checker, there
sympy's), the checker forgets its references before each pair, and no pair occurs twice in a round.
One untimed pass over `hard` comes first. Times are taken next to the call, within its process. The
pairs per second are of the median round; the time of a pair is its median over the rounds.

Not here: several processes, memory, hostile input (fuzz_symbolic.py, tests/verifiers).
"""

import argparse
import importlib
import inspect
import json
import math
import random
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from tracefactory.verifiers.maths.reading import read_reference
from tracefactory.verifiers.symbolic import judge

CORPUS = Path(__file__).parents[1] / "tests" / "cases" / "symbolic.jsonl"
MAX_CHARS = 2_000
TYPES = {
    "numbers": {"integer", "decimal", "thousands", "scientific"},
    "fractions": {"fraction", "mixed", "surd"},
}
SLOW_TYPES = {"huge", "adversarial"}
AIMS = {"integers": 100, "numbers": 0, "fractions": 50, "hard": 100, "corpus": 50, "ordinary": 50}
SAID = (
    "Therefore, the final answer is $\\boxed{{{}}}$.",
    "We add both sides and get\n\n\\[\n\\boxed{{{}}}\n\\]",
    "<think>\nFirst the left side, then the right one.\n</think>\n\nThe total is \\boxed{{{}}}.",
)
PASSES = 5
"""Of ours a round: one takes milliseconds."""
PEER_DIES_AFTER_S = 60
"""A pair that takes Math-Verify longer, in spite of its own limits, ends its process."""
SLOW_TAIL = 0.013

HARD = [  # reference, right answer, wrong answer
    ("7", "7\\sin^2 x + 7\\cos^2 x", "7\\sin^2 x + 8\\cos^2 x"),
    ("\\sin(6x)", "2\\sin(3x)\\cos(3x)", "3\\sin(3x)\\cos(3x)"),
    ("2\\cos 3x", "8\\cos^3 x - 6\\cos x", "8\\cos^3 x - 5\\cos x"),
    ("3\\tan x + 3\\cot x", "\\frac{6}{\\sin 2x}", "\\frac{7}{\\sin 2x}"),
    (
        "\\sin(3x + y)",
        "\\sin(3x)\\cos y + \\cos(3x)\\sin y",
        "\\sin(3x)\\cos y - \\cos(3x)\\sin y",
    ),
    (
        "(x+1)^{10}",
        "x^{10}+10x^9+45x^8+120x^7+210x^6+252x^5+210x^4+120x^3+45x^2+10x+1",
        "x^{10}+10x^9+45x^8+120x^7+210x^6+253x^5+210x^4+120x^3+45x^2+10x+1",
    ),
    (
        "(x+7)(x+2)(x-1)(x-3)(x-8)",
        "x^5 - 3x^4 - 59x^3 + 123x^2 + 274x - 336",
        "x^5 - 3x^4 - 58x^3 + 123x^2 + 274x - 336",
    ),
    (
        "x^4 + 324y^4",
        "(x^2 + 6xy + 18y^2)(x^2 - 6xy + 18y^2)",
        "(x^2 + 7xy + 18y^2)(x^2 - 6xy + 18y^2)",
    ),
    ("\\frac{x^5 - 1}{x - 1}", "x^4 + x^3 + x^2 + x + 1", "x^4 + x^3 + x^2 + x + 2"),
    (
        "\\frac{9}{(x+2)(x+5)}",
        "\\frac{3}{x+2} - \\frac{3}{x+5}",
        "\\frac{3}{x+2} - \\frac{3}{x+6}",
    ),
    (
        "\\frac{5xy}{x+y}",
        "\\frac{5}{\\frac{1}{x} + \\frac{1}{y}}",
        "\\frac{6}{\\frac{1}{x} + \\frac{1}{y}}",
    ),
    ("\\sqrt{3} + \\sqrt{7}", "\\sqrt{10 + 2\\sqrt{21}}", "\\sqrt{11 + 2\\sqrt{21}}"),
    (
        "4",
        "4\\left(\\sqrt[3]{2+\\sqrt{5}} + \\sqrt[3]{2-\\sqrt{5}}\\right)",
        "5\\left(\\sqrt[3]{2+\\sqrt{5}} + \\sqrt[3]{2-\\sqrt{5}}\\right)",
    ),
    (
        "2\\sqrt{3} + 3\\sqrt{5} + 4\\sqrt{7}",
        "\\sqrt{112} + \\sqrt{12} + \\sqrt{45}",
        "\\sqrt{113} + \\sqrt{12} + \\sqrt{45}",
    ),
    (
        "\\frac{5}{\\sqrt{2}+\\sqrt{3}+\\sqrt{5}}",
        "\\frac{5(2\\sqrt{3} + 3\\sqrt{2} - \\sqrt{30})}{12}",
        "\\frac{5(2\\sqrt{3} + 3\\sqrt{2} - \\sqrt{30})}{13}",
    ),
    ("\\ln 77", "\\ln 7 + \\ln 11", "\\ln 7 + \\ln 12"),
    ("3\\log_{2} 7", "\\frac{\\ln 343}{\\ln 2}", "\\frac{\\ln 344}{\\ln 2}"),
    ("4x", "\\frac{\\ln(e^{12x})}{3}", "\\frac{\\ln(e^{13x})}{3}"),
    ("\\frac{e^{6x} - 1}{e^{3x} - 1}", "e^{3x} + 1", "e^{3x} + 2"),
    ("-5", "5e^{i\\pi}", "6e^{i\\pi}"),
    ("3 + 3i\\sqrt{3}", "6e^{i\\pi/3}", "6e^{i\\pi/4}"),
    ("8\\sin\\frac{\\pi}{12}", "2(\\sqrt{6} - \\sqrt{2})", "2(\\sqrt{7} - \\sqrt{2})"),
    ("12\\cos\\frac{\\pi}{5}", "3(1 + \\sqrt{5})", "3(2 + \\sqrt{5})"),
    (
        "\\frac{3\\pi}{4}",
        "12\\arctan\\frac{1}{5} - 3\\arctan\\frac{1}{239}",
        "12\\arctan\\frac{1}{5} - 3\\arctan\\frac{1}{240}",
    ),
]


class Pair(NamedTuple):
    reference: str
    response: str
    right: bool
    kind: str


class Judged(NamedTuple):
    accepts: bool
    seconds: float
    note: str = ""
    """`timed out`, `died`, `unparsed`, `undecided`; "" otherwise."""


Rounds = list[list[Judged]]


def integers() -> list[Pair]:
    rng = random.Random("integers and decimals")
    pairs: dict[tuple[str, str], Pair] = {}
    while len(pairs) < 200:
        places = rng.choice((0, 0, 0, 1, 2, 3))
        digits = [*str(rng.randrange(10 ** rng.randrange(1, 9)))]
        digits = ["0"] * (places + 1 - len(digits)) + digits
        right = len(pairs) % 2 == 0
        answer = list(digits)
        if not right:
            at = rng.randrange(len(answer))
            answer[at] = str((int(answer[at]) + rng.randrange(1, 10)) % 10)
        sign = rng.choice(("", "", "", "-"))
        texts = [
            sign
            + "".join(one[: len(one) - places])
            + ("." if places else "")
            + "".join(one[len(one) - places :])
            for one in (digits, answer)
        ]
        pair = Pair(texts[0], rng.choice(SAID).format(texts[1]), right, "integers")
        if right or float(texts[0]) != float(texts[1]):
            pairs.setdefault((pair.reference, pair.response), pair)
    return list(pairs.values())


def hard() -> list[Pair]:
    return [
        Pair(reference, SAID[0].format(answer), answer is right, "hard")
        for reference, right, wrong in HARD
        for answer in (right, wrong)
    ]


def corpus() -> list[Pair]:
    rows = map(json.loads, CORPUS.read_text("utf-8").splitlines())
    return [
        Pair(row["reference"], row["response"], row["accept"], row["type"])
        for row in rows
        if "options" not in row and len(row["reference"]) + len(row["response"]) <= MAX_CHARS
    ]


# The two sides


class Ours:
    """The checker, in this process."""

    def __init__(self) -> None:
        importlib.import_module("tracefactory.verifiers.maths.cas")  # late, and holds caches too

    def clear(self) -> None:
        for name, module in sys.modules.items():
            if name.startswith("tracefactory.verifiers"):
                for value in vars(module).values():
                    # What takes no argument is a table, made once and for all.
                    if hasattr(value, "cache_clear") and inspect.signature(value).parameters:
                        value.cache_clear()

    def ask(self, pair: Pair) -> Judged:
        read_reference.cache_clear()
        started = time.perf_counter()
        verdict = judge(pair.reference, pair.response)
        seconds = time.perf_counter() - started
        note = verdict.status if verdict.status in ("undecided", "error", "bad_reference") else ""
        return Judged(verdict.status == "correct", seconds, note)


class Peer:
    """Math-Verify, in a process of its own environment (symbolic_peer.py)."""

    def __init__(self, python: Path) -> None:
        self.command = [str(python), str(Path(__file__).with_name("symbolic_peer.py"))]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        if not self.say({"clear": True}):  # its imports are not the first pair's fault
            sys.exit(f"{' '.join(self.command)} does not answer: is math-verify installed there?")

    def say(self, message: object) -> str:
        """Its line in answer; none if it died."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        watch = threading.Timer(PEER_DIES_AFTER_S, self.process.kill)
        watch.start()
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
            return self.process.stdout.readline()
        except BrokenPipeError:
            return ""
        finally:
            watch.cancel()

    def clear(self) -> None:
        self.say({"clear": True})

    def ask(self, pair: Pair) -> Judged:
        started = time.perf_counter()
        # In a box, as it wants its references; `$...$` gave the same verdicts on the corpus.
        line = self.say({"reference": f"\\boxed{{{pair.reference}}}", "response": pair.response})
        if not line:
            seconds = time.perf_counter() - started
            self.stop()
            self.start()
            return Judged(False, seconds, "died")
        found = json.loads(line)
        note = "timed out" if found["timed_out"] else "unparsed" if found["unparsed"] else ""
        return Judged(found["accepts"], found["seconds"], note)

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()


def measure(ours: Ours, peer: Peer, pairs: list[Pair], rounds: int) -> tuple[Rounds, Rounds]:
    """Round by round, the other one first each time; ours PASSES times a round."""
    mine: Rounds = []
    theirs: Rounds = []
    turns: list[tuple[Ours | Peer, Rounds, int]] = [(ours, mine, PASSES), (peer, theirs, 1)]
    for _ in range(rounds):
        for side, found, passes in turns:
            for _ in range(passes):
                side.clear()
                found.append([side.ask(pair) for pair in pairs])
        turns.reverse()
    return mine, theirs


# Figures


@dataclass(frozen=True)
class Side:
    """What one side did with one class."""

    pairs_per_s: float
    false_accepts: list[Pair]
    false_rejects: list[Pair]
    us_p50: float
    us_p99: float
    us_max: float
    tail_share: float
    """Of the time, what the slowest SLOW_TAIL of the pairs took."""
    notes: dict[str, int]
    changed: int
    """Verdicts that were not the same in each round."""


@dataclass(frozen=True)
class Report:
    name: str
    pairs: int
    rounds: int
    ratio: float
    agree: int
    ours: Side
    math_verify: Side


def figures(pairs: list[Pair], rounds: Rounds) -> Side:
    by_pair = list(zip(*rounds, strict=True))
    times = sorted(statistics.median(one.seconds for one in judged) for judged in by_pair)
    tail = times[-max(1, round(SLOW_TAIL * len(times))) :]
    first = list(zip(pairs, rounds[0], strict=True))
    return Side(
        pairs_per_s=len(pairs) / statistics.median(sum(j.seconds for j in one) for one in rounds),
        false_accepts=[pair for pair, judged in first if judged.accepts and not pair.right],
        false_rejects=[pair for pair, judged in first if pair.right and not judged.accepts],
        us_p50=times[len(times) // 2] * 1e6,
        us_p99=times[math.ceil(0.99 * len(times)) - 1] * 1e6,
        us_max=times[-1] * 1e6,
        tail_share=sum(tail) / sum(times),
        notes=dict(Counter(judged.note for judged in rounds[0] if judged.note)),
        changed=sum(len({one.accepts for one in judged}) > 1 for judged in by_pair),
    )


def report(name: str, pairs: list[Pair], mine: Rounds, theirs: Rounds) -> Report:
    ours, peer = figures(pairs, mine), figures(pairs, theirs)
    agree = sum(a.accepts == b.accepts for a, b in zip(mine[0], theirs[0], strict=True))
    ratio = ours.pairs_per_s / peer.pairs_per_s
    return Report(name, len(pairs), len(theirs), ratio, agree, ours, peer)


def print_tables(reports: list[Report]) -> None:
    def row(*cells: str) -> None:
        print(f"| {' | '.join(cells)} |")

    row("class", "pairs", "rounds", "checker/s", "Math-Verify/s", "ratio", "aim", "agree")
    row("---", *["---:"] * 7)
    for r in reports:
        mine, theirs = r.ours.pairs_per_s, r.math_verify.pairs_per_s
        speeds = f"{mine:,.0f}", f"{theirs:,.1f}", f"{r.ratio:,.0f}", str(AIMS[r.name])
        agree = f"{r.agree / r.pairs:.1%}"
        row(r.name, f"{r.pairs:,}", str(r.rounds), *speeds, agree)
    print()
    row("class", "who", "right", "false accepts", "false rejects", "p50 us", "p99 us", "max us",
        f"slowest {SLOW_TAIL:.1%} take", "notes")  # fmt: skip
    row("---", "---", *["---:"] * 7, "---")
    for r in reports:
        for who, side in (("checker", r.ours), ("Math-Verify", r.math_verify)):
            accepts, rejects = len(side.false_accepts), len(side.false_rejects)
            times = (f"{us:,.0f}" for us in (side.us_p50, side.us_p99, side.us_max))
            notes = ", ".join(f"{n} {note}" for note, n in side.notes.items())
            verdicts = f"{r.pairs - accepts - rejects:,}", str(accepts), str(rejects)
            row(r.name, who, *verdicts, *times, f"{side.tail_share:.0%}", notes)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--peer-python", type=Path, required=True, help="has math-verify")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--corpus-rounds", type=int, default=1, help="a round takes minutes")
    parser.add_argument("--only", nargs="+", choices=[*AIMS][:-1])
    parser.add_argument("--limit", type=int, help="about so many pairs of each class, evenly taken")
    parser.add_argument("--json", type=Path, help="a file for all figures and wrong verdicts")
    args = parser.parse_args()
    rows = corpus()
    boxed = [row for row in rows if "\\boxed{" in row.response]
    classes = {name: [row for row in boxed if row.kind in kinds] for name, kinds in TYPES.items()}
    classes = {"integers": integers(), **classes, "hard": hard(), "corpus": rows}
    ours, peer = Ours(), Peer(args.peer_python)
    measure(ours, peer, hard(), 1)
    reports = []
    for name, pairs in classes.items():
        if args.only and name not in args.only:
            continue
        taken = pairs[:: max(1, len(pairs) // args.limit)] if args.limit else pairs
        rounds = args.corpus_rounds if name == "corpus" else args.rounds
        mine, theirs = measure(ours, peer, taken, rounds)
        reports.append(report(name, taken, mine, theirs))
        if name == "corpus":
            keep = [k for k, pair in enumerate(taken) if pair.kind not in SLOW_TYPES]
            few = [[[one[k] for k in keep] for one in side] for side in (mine, theirs)]
            reports.append(report("ordinary", [taken[k] for k in keep], *few))
    peer.stop()
    print_tables(reports)
    if args.json:
        args.json.write_text(json.dumps([asdict(one) for one in reports], indent=1), "utf-8")


if __name__ == "__main__":
    main()
