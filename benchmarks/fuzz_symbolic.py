r"""Fuzz the symbolic checker: does any text make it raise, or take longer than --slow seconds?

    python3.11 -m venv fuzz && fuzz/bin/pip install -e . atheris
    fuzz/bin/python benchmarks/fuzz_symbolic.py [--seconds 60] [--slow 2] [--seed 1]

Atheris (https://github.com/google/atheris) has wheels for Python 3.11 to 3.13 on Linux. It mutates
texts towards new branches of the parser; a quarter of the inputs are bytes as they come, the others are made
of tokens of LaTeX and pieces of tests/cases/symbolic.jsonl. Each is parsed and judged, both ways
round and against itself. Exit 1 when something raised or was slow; each such input is printed once.
"""

import argparse
import json
import sys
import time
import traceback
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tracefactory.verifiers"]):
    from tracefactory.verifiers.maths.lex import Unreadable
    from tracefactory.verifiers.maths.parse import parse
    from tracefactory.verifiers.maths.printing import latex, plain
    from tracefactory.verifiers.symbolic import judge

CASES = Path(__file__).parents[1] / "tests" / "cases" / "symbolic.jsonl"
TOKENS = (
    "\\frac \\sqrt \\left \\right ( ) [ ] { } \\{ \\} | ^ _ + - * / = < > , ; : ! ' . & \\\\ \\% $ "
    "\\$ 0 1 2 7 10 3.14 0.5 1e5 9999 x y a f e i \\pi \\infty \\pm \\cup \\cap \\in \\setminus \\le \\ne "
    "\\approx \\sin \\cos \\log \\ln \\binom \\lfloor \\rfloor \\text{ \\mathrm{ \\mathbb{R} \\sum \\int "
    "\\begin{pmatrix} \\end{pmatrix} ^\\circ \\cdot \\times \\overline{ \\dot \\bmod \\langle \\rangle "
    "\\boxed{ \\color{ \\emptyset and or to cm km/h dollars hours % \\ldots ... ≤ √ ½ ² π ° − × € , ="
).split(" ")


def main() -> int:
    """Run until the time is up; 1 when something was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--slow", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    run = Run(args.slow)
    # libFuzzer ends the process itself, without a way back: so the report is made within.
    deadline = time.monotonic() + args.seconds

    def one(data: bytes) -> None:
        run.texts(data)
        if time.monotonic() > deadline:
            run.report()

    flags = [
        f"-seed={args.seed}",
        "-max_len=600",
        "-timeout=60",
        "-rss_limit_mb=4096",
        "-verbosity=0",
    ]
    atheris.Setup([sys.argv[0], *flags], one)
    atheris.Fuzz()
    return 1  # not reached


class Run:
    """What was tried and what was found."""

    def __init__(self, slow: float) -> None:
        self.slow = slow
        self.tried = self.parsed = 0
        self.longest, self.longest_pair = 0.0, ("", "")
        self.found: dict[str, str] = {}
        self.statuses: dict[str, int] = {}
        rows = [json.loads(line) for line in CASES.read_text("utf-8").splitlines()]
        self.pieces = [row["reference"] for row in rows]

    def texts(self, data: bytes) -> None:
        """Make two texts of the bytes, and try them."""
        source = atheris.FuzzedDataProvider(data)
        if source.ConsumeProbability() < 0.25:
            one = source.ConsumeUnicode(200)
            other = source.ConsumeUnicode(200)
        else:
            one, other = self.soup(source), self.soup(source)
        self.tree(one)
        for reference, answer in ((one, other), (other, one), (one, one)):
            self.pair(reference, answer)

    def soup(self, source: "atheris.FuzzedDataProvider") -> str:
        parts = []
        for _ in range(source.ConsumeIntInRange(1, 8)):
            if source.ConsumeProbability() < 0.3:
                parts.append(self.pieces[source.ConsumeIntInRange(0, len(self.pieces) - 1)])
            else:
                parts.append(TOKENS[source.ConsumeIntInRange(0, len(TOKENS) - 1)])
        return (" " if source.ConsumeBool() else "").join(parts)

    def tree(self, text: str) -> None:
        try:
            node = parse(text)
            self.parsed += 1
            plain(node)
            latex(node)
        except Unreadable:
            return
        except Exception:
            self.keep(traceback.format_exc(limit=-1), f"parse({text!r})")

    def pair(self, reference: str, answer: str) -> None:
        self.tried += 1
        begin = time.perf_counter()
        try:
            verdict = judge(reference, f"\\boxed{{{answer}}}")
            self.statuses[verdict.status] = self.statuses.get(verdict.status, 0) + 1
        except Exception:
            self.keep(traceback.format_exc(limit=-1), f"judge({reference!r}, box of {answer!r})")
        taken = time.perf_counter() - begin
        if taken > self.longest:
            self.longest, self.longest_pair = taken, (reference, answer)
        if taken > self.slow:
            self.keep(
                f"slow {reference[:40]}", f"{taken:.1f} s: judge({reference!r}, box of {answer!r})"
            )

    def keep(self, where: str, what: str) -> None:
        """One input for each place that fails."""
        if where not in self.found:
            self.found[where] = what
            print(f"FOUND {what}\n{where}", flush=True)

    def report(self) -> None:
        """Print the sums and end the process."""
        print(
            f"{self.tried} judged, {self.parsed} parsed, {self.statuses}; longest {self.longest:.2f} s: "
            f"{self.longest_pair!r}; {len(self.found)} found",
            flush=True,
        )
        atheris_exit(1 if self.found else 0)


def atheris_exit(code: int) -> None:
    """End at once: libFuzzer takes an ordinary exit for a crash of the target."""
    import os

    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
