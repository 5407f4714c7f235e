"""Fuzz the symbolic checker for a while: print each input that breaks what it promises.

    python3.11 -m venv fuzz && fuzz/bin/pip install -e . atheris
    fuzz/bin/python benchmarks/fuzz_symbolic.py [--seconds 180] [--slow 2] [--seed 1]

Asserted of any two texts:

    judge never raises, nor does parsing or printing, but for `Unreadable`
    judge ends within --slow seconds, and CAS_SECONDS more where computer algebra was asked
    the same input has the same verdict twice, unless a clock stopped computer algebra

Atheris (https://github.com/google/atheris, wheels for Python 3.11 to 3.13 on Linux) turns bytes
towards new branches. A quarter of the inputs are text as it comes; the others are made of tokens
and of the references of tests/cases/symbolic.jsonl. Exit status 1 when something was found.

Not here: whether a verdict is right (tests/verifiers).
"""

import argparse
import json
import os
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tracefactory.verifiers"]):
    from tracefactory.schemas.verdict import Verdict
    from tracefactory.verifiers.maths.lex import Unreadable
    from tracefactory.verifiers.maths.parse import parse
    from tracefactory.verifiers.maths.printing import latex, plain
    from tracefactory.verifiers.maths.reading import read_reference
    from tracefactory.verifiers.symbolic import judge

CASES = Path(__file__).parents[1] / "tests" / "cases" / "symbolic.jsonl"
PIECES = [json.loads(line)["reference"] for line in CASES.read_text("utf-8").splitlines()]
CAS_SECONDS = 10.0
"""2 s, 4 s more in a new process, and two starts of one."""
TOKENS = [
    "\\frac", "\\sqrt", "\\left", "\\right", "(", ")", "[", "]", "{", "}", "\\{", "\\}", "|", "^",
    "_", "+", "-", "*", "/", "=", "<", ">", ",", ";", ":", "!", "'", ".", "&", "\\\\", "\\%", "%",
    "$", "\\$", "0", "1", "2", "7", "10", "3.14", "0.5", "1e5", "9999", "x", "y", "a", "f", "e",
    "i", "\\pi", "\\infty", "\\pm", "\\cup", "\\cap", "\\in", "\\setminus", "\\le", "\\ne",
    "\\approx", "\\sin", "\\cos", "\\log", "\\ln", "\\binom", "\\lfloor", "\\rfloor", "\\text{",
    "\\mathrm{", "\\mathbb{R}", "\\sum", "\\int", "\\begin{pmatrix}", "\\end{pmatrix}", "^\\circ",
    "\\cdot", "\\times", "\\overline{", "\\dot", "\\bmod", "\\langle", "\\rangle", "\\boxed{",
    "\\color{", "\\emptyset", "and", "or", "to", "cm", "km/h", "dollars", "hours", "\\ldots", "...",
    "≤", "√", "½", "²", "π", "°", "−", "×", "€",
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=180, help="how long to run")
    parser.add_argument("--slow", type=float, default=2, help="seconds a verdict may take")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    trial = Trial(args.slow)
    deadline = time.monotonic() + args.seconds

    def one(data: bytes) -> None:
        trial.of(atheris.FuzzedDataProvider(data))
        if time.monotonic() > deadline:
            trial.report()
            # libFuzzer never returns, and takes an ordinary exit for a crash of what it fuzzes.
            sys.stdout.flush()
            os._exit(1 if trial.found else 0)

    limits = ["-max_len=600", "-timeout=120", "-rss_limit_mb=4096", "-verbosity=0"]
    atheris.Setup([sys.argv[0], f"-seed={args.seed}", *limits], one)
    atheris.Fuzz()


class Trial:
    """What was tried, and what was found."""

    def __init__(self, slow: float) -> None:
        self.slow = slow
        self.parsed = 0
        self.statuses: Counter[str] = Counter()
        self.longest = (0.0, "", "")
        self.found: set[str] = set()

    def of(self, source: atheris.FuzzedDataProvider) -> None:
        """Make two texts of the bytes, and try them."""
        if source.ConsumeProbability() < 0.25:
            one, other = source.ConsumeUnicode(200), source.ConsumeUnicode(200)
        else:
            one, other = soup(source), soup(source)
        self.read(one)
        for reference, answer in ((one, other), (other, one), (one, one)):
            self.pair(reference, f"\\boxed{{{answer}}}")
        self.pair(one, other)

    def read(self, text: str) -> None:
        try:
            tree = parse(text)
            plain(tree)
            latex(tree)
        except Unreadable:
            return
        except Exception:  # what is looked for
            self.keep(f"parse({text!r})", traceback.format_exc(limit=-1))
        self.parsed += 1

    def pair(self, reference: str, response: str) -> None:
        call = f"judge({reference!r}, {response!r})"
        try:
            began = time.perf_counter()
            verdict = judge(reference, response)
            taken = time.perf_counter() - began
            read_reference.cache_clear()
            again = judge(reference, response)
        except Exception:  # what is looked for
            self.keep(call, traceback.format_exc(limit=-1))
            return
        self.statuses[verdict.status] += 1
        self.longest = max(self.longest, (taken, reference, response))
        if taken > self.slow + (CAS_SECONDS if asked_algebra(verdict) else 0):
            self.keep(call, f"slow: {taken:.1f} s, {verdict.reason}")
        if verdict != again and not (verdict.limited_by or again.limited_by):
            self.keep(call, f"another verdict the second time: {verdict} and then {again}")

    def keep(self, call: str, what: str) -> None:
        """One input for each place that fails."""
        kind = what.partition(":")[0] if not what.startswith("Traceback") else what
        if kind not in self.found:
            self.found.add(kind)
            print(f"FOUND {call}\n{what}", flush=True)

    def report(self) -> None:
        taken, reference, response = self.longest
        print(
            f"{self.statuses.total():,} judged {dict(self.statuses)}, {self.parsed:,} parsed, "
            f"longest {taken:.2f} s: judge({reference!r}, {response!r}); {len(self.found)} found"
        )


def soup(source: atheris.FuzzedDataProvider) -> str:
    parts = []
    for _ in range(source.ConsumeIntInRange(1, 8)):
        words = PIECES if source.ConsumeProbability() < 0.3 else TOKENS
        parts.append(words[source.ConsumeIntInRange(0, len(words) - 1)])
    return (" " if source.ConsumeBool() else "").join(parts)


def asked_algebra(verdict: Verdict) -> bool:
    return bool(verdict.limited_by) or json.loads(verdict.evidence or "{}").get("tier") == "cas"


if __name__ == "__main__":
    main()
