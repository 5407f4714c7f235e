r"""The symbolic checker beside Math-Verify: pairs per second, and who is right.

    python benchmarks/symbolic.py --peer-python /path/to/python   # that has math-verify
    python benchmarks/symbolic.py                                 # makes such an environment itself

A pair is: read the reference, find and read the answer in the response, compare. Four classes:

    integers   integers and decimals, 200 pairs
    fractions  fractions and surds, 120 pairs
    hard       identities: trigonometry, expanded powers, nested radicals, logarithms, 48 pairs
    corpus     tests/cases/symbolic.jsonl, up to 2,000 characters a pair, without those that have
               options; and again without its types `huge` and `adversarial`

The first three are made here from a fixed seed, half of them near misses; every label is checked
by evaluating both sides as floats, by Python formulas that stand beside the LaTeX. Labels of the
corpus are the project's own conventions, of which many are a matter of taste: what Math-Verify
gets wrong there is not all wrong by its own.

Both run in one go, in turns, a round each, one process each, Math-Verify with its settings and
time limits as they come. Before a round both lose their caches (here every lru_cache of the
checker, there sympy's), and before each pair the checker forgets all references; no pair occurs
twice in a round. One untimed pass of other pairs comes first. Times are taken next to the call.

Not here: several processes, memory, adversarial input (tests/verifiers).
"""

import argparse
import cmath
import importlib
import inspect
import json
import math
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from tracefactory.verifiers.maths.reading import read_reference
from tracefactory.verifiers.symbolic import judge

CORPUS = Path(__file__).parents[1] / "tests" / "cases" / "symbolic.jsonl"
MAX_CHARS = 2_000
SLOW_TYPES = ("huge", "adversarial")
AIMS = {"integers": 100, "fractions": 50, "hard": 100, "corpus": 50, "ordinary": 50}
PEER_DIES_AFTER_S = 60
"""A pair that takes Math-Verify longer, in spite of its own limits, ends its process."""
SLOWEST = 0.013
PASSES = 5
"""Of ours a round: one takes milliseconds."""

RESPONSES = (
    "So the answer is $\\boxed{{{}}}$.",
    "Adding everything up gives $\\boxed{{{}}}$.",
    "We simplify both sides.\n\n\\[ \\boxed{{{}}} \\]",
    "Therefore, $$\\boxed{{{}}}$$",
    "First substitute, then solve. The final answer is $\\boxed{{{}}}$. I hope it is correct.",
    "**Step 3.** Collect the terms of step 2.\n\nHence \\boxed{{{}}}.",
)


class Pair(NamedTuple):
    reference: str
    response: str
    right: bool
    kind: str = ""


class Judged(NamedTuple):
    accepts: bool
    seconds: float
    note: str = ""
    """`timed out`, `died`, `unparsed`, `undecided`; "" otherwise."""


Side = tuple[str, complex | tuple[complex, ...]]
"""LaTeX, and its value, or its values at several places."""


def pair_of(rng: random.Random, reference: Side, answer: Side, right: bool, kind: str) -> Pair:
    """The pair, its label checked against the values."""
    one, other = (
        side[1] if isinstance(side[1], tuple) else (side[1],) for side in (reference, answer)
    )
    equal = all(cmath.isclose(a, b, rel_tol=1e-10, abs_tol=1e-13) for a, b in zip(one, other))  # noqa: B905
    if equal is not right:
        raise AssertionError(f"{reference} and {answer} are not {right}")
    return Pair(reference[0], rng.choice(RESPONSES).format(answer[0]), right, kind)


# (a) integers and decimals


def grouped(n: int, sign: str) -> str:
    return f"{n:,}".replace(",", sign)


def decimal(top: int, places: int) -> str:
    digits = str(abs(top)).rjust(places + 1, "0")
    return ("-" if top < 0 else "") + digits[:-places] + "." + digits[-places:]


def integers(rng: random.Random, right: bool) -> tuple[Side, Side]:
    """An integer or decimal, and the same in another dress or a near miss."""
    if rng.random() < 0.5:
        n = rng.choice(
            (rng.randint(-99, 99), rng.randint(1000, 10**7), rng.randint(-(10**4), 10**9))
        )
        m = n if right else rng.choice([k for k in (n + 1, n - 1, -n, n * 10, n + 100) if k != n])
        writings = [str(m), f"{m}.0", f"x = {m}", f"\\text{{{m}}}", f"{m}.00"]
        if abs(m) >= 1000:
            writings += [grouped(m, ","), grouped(m, "{,}"), grouped(m, ",\\!")] * 2
        shown = grouped(n, ",\\!") if n >= 1000 and rng.random() < 0.3 else str(n)
        return (shown, n), (rng.choice(writings), m)
    places = rng.randint(1, 4)
    n = rng.choice((-1, 1, 1)) * rng.randint(10**places // 20, 10 ** (places + 2))
    misses = [n + 1, n - 1, -n, n * 10, n + 10**places]
    m = n if right else rng.choice([k for k in misses if k != n])
    text = decimal(m, places)
    writings = [text, text + "0", f"x = {text}", f"\\frac{{{m}}}{{{10**places}}}", f"{text}00"]
    if abs(m) < 10**places:
        writings.append(text.replace("0.", ".", 1))
    writings.append(f"{decimal(m, places + 1)} \\times 10")
    return (decimal(n, places), n / 10**places), (rng.choice(writings), m / 10**places)


# (b) fractions and surds


def frac(top: int, bottom: int, rng: random.Random) -> str:
    sign = "-" if top < 0 else ""
    name = rng.choice(("frac", "frac", "dfrac", "tfrac"))
    return f"{sign}\\{name}{{{abs(top)}}}{{{bottom}}}"


def proper(rng: random.Random, most: int = 60) -> Fraction:
    while True:
        f = Fraction(rng.randint(1, most), rng.randint(2, most))
        if f.denominator > 1:
            return f


def squarefree(rng: random.Random, but: tuple[int, ...] = ()) -> int:
    return rng.choice([n for n in (2, 3, 5, 6, 7, 10, 11, 13, 14, 15) if n not in but])


def fractions(rng: random.Random, right: bool) -> tuple[Side, Side]:
    """One of twelve ways to write a fraction or a surd, and another way, or a number changed."""
    off = 0 if right else rng.choice((-1, 1))
    form = rng.randrange(12)
    a, b, k = rng.randint(2, 9), squarefree(rng), rng.randint(2, 7)
    c = rng.randint(2, 9)
    p, q = proper(rng), proper(rng)
    if form == 0:  # not in lowest terms
        top = p.numerator * k + off
        other = f"\\frac{{{top}}}{{{p.denominator * k}}}", top / (p.denominator * k)
        return (frac(p.numerator, p.denominator, rng), float(p)), other
    if form == 1:  # a sum of fractions
        s = p + q
        top = s.numerator + off
        one = f"{frac(p.numerator, p.denominator, rng)} + {frac(q.numerator, q.denominator, rng)}"
        return (f"\\frac{{{top}}}{{{s.denominator}}}", top / s.denominator), (one, float(s))
    if form == 2:  # with a slash
        top = -p.numerator + off
        return (
            (frac(-p.numerator, p.denominator, rng), -float(p)),
            (f"{top}/{p.denominator}", top / p.denominator),
        )
    if form == 3:  # a root in the denominator
        s = math.sqrt(b)
        one = f"\\frac{{{a}\\sqrt{{{b}}}}}{{{c}}}", a * s / c
        top = a * b + off
        return one, (f"\\frac{{{top}}}{{{c}\\sqrt{{{b}}}}}", top / (c * s))
    if form == 4:  # a square under the root
        n = k * k * b + off
        return (f"{k}\\sqrt{{{b}}}", k * math.sqrt(b)), (f"\\sqrt{{{n}}}", math.sqrt(n))
    if form == 5:  # like terms
        d = squarefree(rng, (b,))
        x, y = a + c + off, k
        value = (a + c) * math.sqrt(b) - k * math.sqrt(d)
        text = f"{a}\\sqrt{{{b}}} - {k}\\sqrt{{{d}}} + {c}\\sqrt{{{b}}}"
        one = f"{x}\\sqrt{{{b}}} - {y}\\sqrt{{{d}}}", x * math.sqrt(b) - y * math.sqrt(d)
        return one, (text, value)
    if form == 6:  # a rationalised denominator
        d = squarefree(rng, (b,))
        big, small = max(b, d), min(b, d)
        one = f"\\frac{{{k}}}{{\\sqrt{{{big}}} - \\sqrt{{{small}}}}}"
        top = k * (math.sqrt(big) + math.sqrt(small))
        bottom = big - small
        times = k + off
        other = f"\\frac{{{times}(\\sqrt{{{big}}} + \\sqrt{{{small}}})}}{{{bottom}}}"
        return (one, top / bottom), (other, times * top / k / bottom)
    if form == 7:  # a square written out
        root = math.sqrt(b)
        n, m = a * a + c * c * b, 2 * a * c + off
        one = f"({a} + {c}\\sqrt{{{b}}})^2", (a + c * root) ** 2
        return one, (f"{n} + {m}\\sqrt{{{b}}}", n + m * root)
    if form == 8:  # a mixed number
        whole = rng.randint(1, 9)
        rest = Fraction(p.numerator % p.denominator, p.denominator)
        top = (whole + rest).numerator + off
        bottom = rest.denominator
        return (
            (f"{whole}\\frac{{{rest.numerator}}}{{{bottom}}}", float(whole + rest)),
            (f"\\frac{{{top}}}{{{bottom}}}", top / bottom),
        )
    if form == 9:  # a fraction of fractions
        s = p / q
        top = s.numerator + off
        above, below = frac(p.numerator, p.denominator, rng), frac(q.numerator, q.denominator, rng)
        one = f"\\frac{{{above}}}{{{below}}}"
        return (f"\\frac{{{top}}}{{{s.denominator}}}", top / s.denominator), (one, float(s))
    if form == 10:  # a power of one half
        n, m = 2**k, -k + off
        return (f"\\frac{{1}}{{{n}}}", 1 / n), (f"2^{{{m}}}", 2.0**m)
    # a cube root
    n = k**3 * b + off
    value = k * b ** (1 / 3)
    return (f"{k}\\sqrt[3]{{{b}}}", value), (f"\\sqrt[3]{{{n}}}", n ** (1 / 3))


# (c) hard

X, Y = (0.71, 1.13, 0.37), (0.29, 0.53, 1.7)
"""Where both sides are evaluated."""

Formula = Callable[[float, float], complex]


def at(formula: Formula) -> tuple[complex, ...]:
    return tuple(map(formula, X, Y))


def polynomial(coefficients: list[int]) -> tuple[str, Formula]:
    """The polynomial in x of these, the highest power first."""
    text = ""
    degree = len(coefficients) - 1
    for k, c in enumerate(coefficients):
        n = degree - k
        if not c:
            continue
        power = "" if n == 0 else "x" if n == 1 else f"x^{{{n}}}"
        size = "" if abs(c) == 1 and n else str(abs(c))
        text += (" - " if c < 0 else " + " if text else "") + size + power

    def value(x: float, _: float) -> float:
        total = 0.0
        for c in coefficients:
            total = total * x + c
        return total

    return text, value


Maker = Callable[[random.Random, int], tuple[str, Formula, str, Formula]]
"""(rng, off) -> reference, its formula, answer, its formula; wrong if off is not 0."""


def pythagoras(rng: random.Random, off: int):
    k = rng.randint(2, 9)
    m = k + off
    return (
        str(k), lambda x, y: k,
        f"{k}\\sin^2 x + {m}\\cos^2 x",
        lambda x, y: k * math.sin(x) ** 2 + m * math.cos(x) ** 2,
    )  # fmt: skip


def double_angle(rng: random.Random, off: int):
    k = rng.randint(2, 6)
    m = 2 + off
    return (
        f"\\sin({2 * k}x)", lambda x, y: math.sin(2 * k * x),
        f"{m}\\sin({k}x)\\cos({k}x)", lambda x, y: m * math.sin(k * x) * math.cos(k * x),
    )  # fmt: skip


def triple_angle(rng: random.Random, off: int):
    k = rng.randint(2, 5)
    m = 3 * k + off
    return (
        f"{k}\\cos 3x", lambda x, y: k * math.cos(3 * x),
        f"{4 * k}\\cos^3 x - {m}\\cos x",
        lambda x, y: 4 * k * math.cos(x) ** 3 - m * math.cos(x),
    )  # fmt: skip


def tangents(rng: random.Random, off: int):
    k = rng.randint(2, 7)
    m = 2 * k + off
    return (
        f"{k}\\tan x + {k}\\cot x", lambda x, y: k * math.tan(x) + k / math.tan(x),
        f"\\frac{{{m}}}{{\\sin 2x}}", lambda x, y: m / math.sin(2 * x),
    )  # fmt: skip


def angle_sum(rng: random.Random, off: int):
    k, sign = rng.randint(2, 5), "-" if off else "+"
    factor = -1 if off else 1
    return (
        f"\\sin({k}x + y)", lambda x, y: math.sin(k * x + y),
        f"\\sin({k}x)\\cos y {sign} \\cos({k}x)\\sin y",
        lambda x, y: math.sin(k * x) * math.cos(y) + factor * math.cos(k * x) * math.sin(y),
    )  # fmt: skip


def expanded_power(rng: random.Random, off: int):
    a, n = rng.randint(1, 3), rng.randint(10, 12)
    coefficients = [math.comb(n, k) * a**k for k in range(n + 1)]
    coefficients[rng.randint(1, n)] += off
    text, value = polynomial(coefficients)
    return f"(x+{a})^{{{n}}}", lambda x, y: (x + a) ** n, text, value


def factored(rng: random.Random, off: int):
    roots = rng.sample(range(-9, 10), 5)
    coefficients = [1]
    for r in roots:
        coefficients = [
            p - r * q for p, q in zip([*coefficients, 0], [0, *coefficients], strict=True)
        ]
    coefficients[rng.randint(1, 5)] += off
    text, value = polynomial(coefficients)
    shown = "".join(f"(x {'-' if r > 0 else '+'} {abs(r)})" if r else "x" for r in sorted(roots))
    return (
        shown, lambda x, y: math.prod(x - r for r in roots), text, value
    )  # fmt: skip


def germain(rng: random.Random, off: int):
    a = rng.randint(2, 5)
    m = 2 * a + off
    return (
        f"x^4 + {4 * a**4}y^4", lambda x, y: x**4 + 4 * a**4 * y**4,
        f"(x^2 + {m}xy + {2 * a * a}y^2)(x^2 - {2 * a}xy + {2 * a * a}y^2)",
        lambda x, y: (x * x + m * x * y + 2 * a * a * y * y)
        * (x * x - 2 * a * x * y + 2 * a * a * y * y),
    )  # fmt: skip


def geometric(rng: random.Random, off: int):
    n = rng.randint(5, 9)
    coefficients = [1] * n
    coefficients[-1] += off
    text, value = polynomial(coefficients)
    return f"\\frac{{x^{{{n}}} - 1}}{{x - 1}}", lambda x, y: (x**n - 1) / (x - 1), text, value


def partial_fractions(rng: random.Random, off: int):
    a, b = sorted(rng.sample(range(1, 10), 2))
    k = rng.randint(2, 6)
    top = k * (b - a) + off
    return (
        f"\\frac{{{top}}}{{(x+{a})(x+{b})}}", lambda x, y: top / (x + a) / (x + b),
        f"\\frac{{{k}}}{{x+{a}}} - \\frac{{{k}}}{{x+{b}}}",
        lambda x, y: k / (x + a) - k / (x + b),
    )  # fmt: skip


def compound_fraction(rng: random.Random, off: int):
    k = rng.randint(2, 9)
    m = k + off
    return (
        f"\\frac{{{k}xy}}{{x+y}}", lambda x, y: k * x * y / (x + y),
        f"\\frac{{{m}}}{{\\frac{{1}}{{x}} + \\frac{{1}}{{y}}}}", lambda x, y: m / (1 / x + 1 / y),
    )  # fmt: skip


def nested_radical(rng: random.Random, off: int):
    p, q = rng.sample([2, 3, 5, 7, 11, 13], 2)
    m = p + q + off
    inner = 4 * p * q
    value = math.sqrt(p + q + math.sqrt(inner)) if not off else math.sqrt(m + math.sqrt(inner))
    return (
        f"\\sqrt{{{p}}} + \\sqrt{{{q}}}", lambda x, y: math.sqrt(p) + math.sqrt(q),
        f"\\sqrt{{{m} + 2\\sqrt{{{p * q}}}}}", lambda x, y: value,
    )  # fmt: skip


def cardano(rng: random.Random, off: int):
    """cbrt(2 + sqrt 5) + cbrt(2 - sqrt 5) = 1, times k."""
    k = rng.randint(2, 30)
    m = k + off
    return (
        str(m), lambda x, y: m,
        f"{k}\\left(\\sqrt[3]{{2+\\sqrt{{5}}}} + \\sqrt[3]{{2-\\sqrt{{5}}}}\\right)",
        lambda x, y: k,
    )  # fmt: skip


def surd_sums(rng: random.Random, off: int):
    a, b, c = rng.sample([2, 3, 5, 6, 7, 10, 11], 3)
    k, m, n = (rng.randint(2, 6) for _ in range(3))
    shown = n * n * c + off
    return (
        f"{k}\\sqrt{{{a}}} + {m}\\sqrt{{{b}}} + {n}\\sqrt{{{c}}}",
        lambda x, y: k * math.sqrt(a) + m * math.sqrt(b) + n * math.sqrt(c),
        f"\\sqrt{{{shown}}} + \\sqrt{{{k * k * a}}} + \\sqrt{{{m * m * b}}}",
        lambda x, y: math.sqrt(shown) + k * math.sqrt(a) + m * math.sqrt(b),
    )  # fmt: skip


def three_roots_below(rng: random.Random, off: int):
    """1/(sqrt 2 + sqrt 3 + sqrt 5) rationalised, times k."""
    k = rng.randint(1, 9)
    root = [math.sqrt(n) for n in (2, 3, 5, 30)]
    value = k / sum(root[:3])
    low = 12 * 1 + off
    return (
        f"\\frac{{{k}}}{{\\sqrt{{2}}+\\sqrt{{3}}+\\sqrt{{5}}}}", lambda x, y: value,
        f"\\frac{{{k}(2\\sqrt{{3}} + 3\\sqrt{{2}} - \\sqrt{{30}})}}{{{low}}}",
        lambda x, y: k * (2 * root[1] + 3 * root[0] - root[3]) / low,
    )  # fmt: skip


def log_sums(rng: random.Random, off: int):
    a, b = rng.sample(range(2, 20), 2)
    m = a * b + off
    return (
        f"\\ln {m}", lambda x, y: math.log(m),
        f"\\ln {a} + \\ln {b}", lambda x, y: math.log(a) + math.log(b),
    )  # fmt: skip


def log_bases(rng: random.Random, off: int):
    a, b, k = rng.choice([2, 3, 5]), rng.choice([7, 11, 13]), rng.randint(2, 4)
    m = k + off
    return (
        f"{m}\\log_{{{a}}} {b}", lambda x, y: m * math.log(b, a),
        f"\\frac{{\\ln {b**k}}}{{\\ln {a}}}", lambda x, y: k * math.log(b) / math.log(a),
    )  # fmt: skip


def log_powers(rng: random.Random, off: int):
    n, k = rng.randint(2, 7), rng.randint(2, 5)
    m = n + off
    return (
        f"{m}x", lambda x, y: m * x,
        f"\\frac{{\\ln(e^{{{n * k}x}})}}{{{k}}}", lambda x, y: n * x,
    )  # fmt: skip


def exponentials(rng: random.Random, off: int):
    k = rng.randint(2, 6)
    m = 1 + off
    return (
        f"\\frac{{e^{{{2 * k}x}} - 1}}{{e^{{{k}x}} - 1}}", lambda x, y: math.exp(k * x) + 1,
        f"e^{{{k}x}} + {m}", lambda x, y: math.exp(k * x) + m,
    )  # fmt: skip


def euler(rng: random.Random, off: int):
    k = rng.randint(1, 9)
    m = k + off
    return (
        str(-m), lambda x, y: -m, f"{k}e^{{i\\pi}}", lambda x, y: -k,
    )  # fmt: skip


def sixth_root(rng: random.Random, off: int):
    k = rng.randint(1, 6)
    m = k + off
    return (
        f"{m} + {k}i\\sqrt{{3}}", lambda x, y: complex(m, k * math.sqrt(3)),
        f"{2 * k}e^{{i\\pi/3}}", lambda x, y: 2 * k * cmath.exp(1j * math.pi / 3),
    )  # fmt: skip


def special_angle(rng: random.Random, off: int):
    k, m = rng.randint(1, 9), 6 + off
    return (
        f"{4 * k}\\sin\\frac{{\\pi}}{{12}}", lambda x, y: 4 * k * math.sin(math.pi / 12),
        f"{k}(\\sqrt{{{m}}} - \\sqrt{{2}})", lambda x, y: k * (math.sqrt(m) - math.sqrt(2)),
    )  # fmt: skip


def golden_angle(rng: random.Random, off: int):
    k, m = rng.randint(1, 9), 1 + off
    return (
        f"{4 * k}\\cos\\frac{{\\pi}}{{5}}", lambda x, y: 4 * k * math.cos(math.pi / 5),
        f"{k}({m} + \\sqrt{{5}})", lambda x, y: k * (m + math.sqrt(5)),
    )  # fmt: skip


def machin(rng: random.Random, off: int):
    k, m = rng.randint(1, 9), 239 + off
    return (
        f"\\frac{{{k}\\pi}}{{4}}", lambda x, y: k * math.pi / 4,
        f"{4 * k}\\arctan\\frac{{1}}{{5}} - {k}\\arctan\\frac{{1}}{{{m}}}",
        lambda x, y: k * (4 * math.atan(0.2) - math.atan(1 / m)),
    )  # fmt: skip


HARD: tuple[Maker, ...] = (
    pythagoras, double_angle, triple_angle, tangents, angle_sum, expanded_power, factored, germain,
    geometric, partial_fractions, compound_fraction, nested_radical, cardano, surd_sums,
    three_roots_below, log_sums, log_bases, log_powers, exponentials, euler, sixth_root,
    special_angle, golden_angle, machin,
)  # fmt: skip


def generated(name: str, seed: str) -> list[Pair]:
    """The pairs of a class, half of them right, none twice."""
    rng = random.Random(f"{seed}:{name}")
    pairs: dict[tuple[str, str], Pair] = {}

    def take(make: Callable[[random.Random, bool], tuple[Side, Side]], right: bool, kind: str):
        size = len(pairs)
        while len(pairs) == size:
            pair = pair_of(rng, *make(rng, right), right, kind)
            pairs.setdefault((pair.reference, pair.response), pair)

    if name == "hard":
        for maker in HARD:
            for right in (True, False):
                take(hard(maker), right, maker.__name__)
    else:
        make, count = {"integers": (integers, 200), "fractions": (fractions, 120)}[name]
        for k in range(count):
            take(make, k % 2 == 0, name)
    shuffled = list(pairs.values())
    rng.shuffle(shuffled)
    return shuffled


def hard(maker: Maker) -> Callable[[random.Random, bool], tuple[Side, Side]]:
    def make(rng: random.Random, right: bool) -> tuple[Side, Side]:
        off = 0 if right else rng.choice((-1, 1))
        one, first, other, second = maker(rng, off)
        return (one, at(first)), (other, at(second))

    return make


def corpus() -> tuple[list[Pair], str]:
    """The judged pairs of the tests, and what is not among them."""
    rows = [json.loads(line) for line in CORPUS.read_text("utf-8").splitlines()]
    plain = [row for row in rows if not row.get("options")]
    kept = {
        (row["reference"], row["response"]): Pair(
            row["reference"], row["response"], row["accept"], row["type"]
        )
        for row in plain
        if len(row["reference"]) + len(row["response"]) <= MAX_CHARS
    }
    left = (
        f"{len(kept):,} of {len(rows):,} rows; left out: {len(rows) - len(plain)} with options, "
        f"{len(plain) - len(kept)} over {MAX_CHARS:,} characters or said twice"
    )
    return list(kept.values()), left


# The two sides


def memories() -> Iterator[Callable[[], None]]:
    """What empties each cache of the checker; a table made once and for all is none."""
    seen = set()
    for name, module in list(sys.modules.items()):
        if not name.startswith("tracefactory.verifiers"):
            continue
        for value in vars(module).values():
            clear = getattr(value, "cache_clear", None)
            if clear is None or id(value) in seen or not inspect.signature(value).parameters:
                continue
            seen.add(id(value))
            yield clear


class Ours:
    """The checker, in this process."""

    def __init__(self) -> None:
        # Modules that are imported late hold caches too.
        importlib.import_module("tracefactory.verifiers.maths.cas")
        self.statuses: dict[Pair, str] = {}

    def clear(self) -> None:
        for forget in memories():
            forget()

    def ask(self, pair: Pair) -> Judged:
        read_reference.cache_clear()
        started = time.perf_counter()
        verdict = judge(pair.reference, pair.response)
        seconds = time.perf_counter() - started
        note = verdict.status if verdict.status in ("undecided", "error", "bad_reference") else ""
        return Judged(verdict.status == "correct", seconds, note)


class Peer:
    """Math-Verify, in a process of its environment."""

    def __init__(self, python: Path) -> None:
        self.python = python
        self.process = self.start()

    def start(self) -> subprocess.Popen[str]:
        script = Path(__file__).with_name("symbolic_peer.py")
        return subprocess.Popen(
            [str(self.python), str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def say(self, message: object) -> str:
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
            self.process.wait()
            self.process = self.start()
            self.ask(Pair("1", "\\boxed{1}", True))  # its imports are not the next pair's fault
            return Judged(False, seconds, "died")
        found = json.loads(line)
        note = "timed out" if found["timed_out"] else "unparsed" if found["unparsed"] else ""
        return Judged(found["accepts"], found["seconds"], note)

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


Rounds = list[list[Judged]]


def measure(ours: Ours, peer: Peer, pairs: list[Pair], rounds: int) -> tuple[Rounds, Rounds]:
    """Round by round, the other one first each time; ours PASSES times a round."""
    mine: Rounds = []
    theirs: Rounds = []
    for number in range(rounds):
        for side in ("ours", "peer") if number % 2 == 0 else ("peer", "ours"):
            if side == "peer":
                peer.clear()
                theirs.append([peer.ask(pair) for pair in pairs])
                continue
            for _ in range(PASSES):
                ours.clear()
                mine.append([ours.ask(pair) for pair in pairs])
    return mine, theirs


# Figures


def wilson(failures: int, n: int) -> tuple[float, float]:
    """The 95 % interval of the rate that `failures` of `n` estimate."""
    if n == 0:
        return 0.0, 1.0
    z = statistics.NormalDist().inv_cdf(0.975)
    rate = failures / n
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def rate(failures: int, n: int) -> dict[str, float]:
    low, high = wilson(failures, n)
    return {"count": failures, "of": n, "low": low, "high": high}


def figures(pairs: list[Pair], rounds: Rounds) -> dict[str, object]:
    """Of one side on one class; a pair's time is its median over the rounds."""
    totals = [sum(judged.seconds for judged in one) for one in rounds]
    each = sorted(statistics.median(one[k].seconds for one in rounds) for k in range(len(pairs)))
    verdicts = list(zip(pairs, rounds[0], strict=True))
    accepts = sum(judged.accepts and not pair.right for pair, judged in verdicts)
    rejects = sum(pair.right and not judged.accepts for pair, judged in verdicts)
    slowest = max(1, round(SLOWEST * len(each)))
    notes = [judged.note for _, judged in verdicts]
    return {
        "pairs_per_s": len(pairs) / statistics.median(totals),
        "right": len(pairs) - accepts - rejects,
        "false_accepts": rate(accepts, sum(not pair.right for pair in pairs)),
        "false_rejects": rate(rejects, sum(pair.right for pair in pairs)),
        "us_p50": each[len(each) // 2] * 1e6,
        "us_p99": each[math.ceil(0.99 * len(each)) - 1] * 1e6,
        "us_max": each[-1] * 1e6,
        "slowest_share": sum(each[-slowest:]) / sum(each),
        "notes": {note: notes.count(note) for note in sorted(set(notes)) if note},
        "changed": sum(
            len({one[k].accepts for one in rounds}) > 1 for k in range(len(pairs))
        ),
        "wrong": [
            {"reference": pair.reference, "response": pair.response, "right": pair.right}
            for pair, judged in verdicts
            if pair.right != judged.accepts
        ],
    }  # fmt: skip


def report(name: str, pairs: list[Pair], mine: Rounds, theirs: Rounds) -> dict[str, object]:
    ours, peer = figures(pairs, mine), figures(pairs, theirs)
    ratio = ours["pairs_per_s"] / peer["pairs_per_s"]  # type: ignore[operator]
    return {
        "class": name, "pairs": len(pairs), "rounds": len(theirs), "ratio": ratio,
        "aim": AIMS[name], "ours": ours, "math_verify": peer,
    }  # fmt: skip


def shown_rate(found: dict[str, float]) -> str:
    return f"{found['count']}/{found['of']} ({found['low']:.1%}-{found['high']:.1%})"


def print_tables(reports: list[dict[str, object]]) -> None:
    print("| class | pairs | rounds | checker pairs/s | Math-Verify pairs/s | ratio | aim |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for r in reports:
        ours, peer = r["ours"]["pairs_per_s"], r["math_verify"]["pairs_per_s"]  # type: ignore[index]
        print(
            f"| {r['class']} | {r['pairs']:,} | {r['rounds']} | {ours:,.0f} | {peer:,.1f} "
            f"| {r['ratio']:,.0f} | {r['aim']} |"
        )
    print("\n| class | who | right | false accepts (95 %) | false rejects (95 %) | of these |")
    print("|---|---|---:|---:|---:|---|")
    for r in reports:
        for who in ("ours", "math_verify"):
            f = r[who]
            notes = ", ".join(f"{n} {note}" for note, n in f["notes"].items())  # type: ignore[index]
            print(
                f"| {r['class']} | {who} | {f['right']:,}/{r['pairs']:,} "  # type: ignore[index]
                f"| {shown_rate(f['false_accepts'])} | {shown_rate(f['false_rejects'])} "  # type: ignore[index]
                f"| {notes} |"
            )
    print("\n| class | who | p50 us | p99 us | max us | share of the slowest 1.3 % |")
    print("|---|---|---:|---:|---:|---:|")
    for r in reports:
        for who in ("ours", "math_verify"):
            f = r[who]
            print(
                f"| {r['class']} | {who} | {f['us_p50']:,.0f} | {f['us_p99']:,.0f} "  # type: ignore[index]
                f"| {f['us_max']:,.0f} | {f['slowest_share']:.0%} |"  # type: ignore[index]
            )


def make_environment(folder: Path) -> Path:
    """An environment with Math-Verify, as its users have it."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "math-verify[antlr4_13_2]"]
    subprocess.run(install, check=True)
    return python


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--peer-python", type=Path, help="of an environment with math-verify")
    parser.add_argument("--seed", default="symbolic", help="of the generated pairs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--corpus-rounds", type=int, default=1, help="a round takes minutes")
    parser.add_argument("--only", nargs="+", choices=["integers", "fractions", "hard", "corpus"])
    parser.add_argument("--json", action="store_true", help="print JSON, with all wrong verdicts")
    args = parser.parse_args()
    names = args.only or ["integers", "fractions", "hard", "corpus"]
    with tempfile.TemporaryDirectory() as folder:
        python = args.peer_python or make_environment(Path(folder) / "peer")
        ours, peer = Ours(), Peer(python)
        for name in ("integers", "fractions", "hard"):
            for pair in generated(name, f"{args.seed}:warm-up"):
                ours.ask(pair)
                peer.ask(pair)
        reports = []
        left_out = ""
        for name in names:
            if name != "corpus":
                pairs = generated(name, args.seed)
                reports.append(report(name, pairs, *measure(ours, peer, pairs, args.rounds)))
                continue
            pairs, left_out = corpus()
            mine, theirs = measure(ours, peer, pairs, args.corpus_rounds)
            reports.append(report("corpus", pairs, mine, theirs))
            at_ = [k for k, pair in enumerate(pairs) if pair.kind not in SLOW_TYPES]
            few = [[[one[k] for k in at_] for one in side] for side in (mine, theirs)]
            reports.append(report("ordinary", [pairs[k] for k in at_], *few))
        peer.stop()
    if args.json:
        print(json.dumps({"left_out": left_out, "classes": reports}, indent=1))
        return
    print_tables(reports)
    print(
        "\nCaches cold: emptied on both sides before each round, references of the checker before "
        "each pair; no pair\ntwice in a round."
    )
    if left_out:
        print(f"corpus: {left_out}; ordinary: the same without {' and '.join(SLOW_TYPES)}.")


if __name__ == "__main__":
    main()
