"""The calculator marks, equations and congruences of one line, in exact rational arithmetic.

Not here: cutting a line into runs (scanner.py), letters, functions and roots (formulas.py finds
such equations, algebra.py decides them), and the count over a response (steps.py).
"""

import re
from bisect import bisect_left
from itertools import pairwise
from typing import NamedTuple

from tracefactory.verifiers.stepping.doubt import Doubts, other_unit
from tracefactory.verifiers.stepping.outcomes import (
    FALSE,
    MAX_SHOWN,
    ROUNDED,
    TRUE,
    UNCHECKABLE,
    Step,
)
from tracefactory.verifiers.stepping.rationals import Rational, evaluate, is_rounding
from tracefactory.verifiers.stepping.scanner import MODDED, NAME, Item, Run, Scanner

MARK = re.compile(r"<<([^<>]*)>>")
MODULUS = re.compile(r"(?<![A-Za-z])[bp]?[mM]od(?:ulo)?(?![A-Za-z])[\s{(]*([0-9]{1,400})(?![0-9])")
BULLET = re.compile(r"\s*[-*+•]\s+")
RECHECK = "Recheck:"

UNFINISHED = tuple("+-*/^×÷·⋅∙−–∕(")
UNIT_WORDS = 3
"""As many words may be the unit of a number: "2 degrees Celsius - 8 degrees Celsius"."""


_LONG_EXPONENT = re.compile(r"\^\s*[0-9]{2}")
_POINTED = re.compile(r"(?<=[0-9])\.(?=[0-9]{3}(?![0-9]))")


def _equal(left: Run, right: Run) -> int:
    """The outcome of `left = right`."""
    if left.bad or right.bad:
        return UNCHECKABLE
    a, b = evaluate(left.tokens), evaluate(right.tokens)
    if a is None or b is None:
        return UNCHECKABLE
    if a == b or a[0] * b[1] == b[0] * a[1]:
        return TRUE
    if left.loose or right.loose:
        return UNCHECKABLE
    if left.percents or right.percents:
        one, other = a[0] * b[1], b[0] * a[1]
        if one == 100 * other or other == 100 * one:
            return UNCHECKABLE  # 20/40*100 = 50%
    if right.operators == 0 and is_rounding(a, b, right.tokens, right.percents):
        return ROUNDED
    if left.operators == 0 and is_rounding(b, a, left.tokens, left.percents):
        return ROUNDED
    return FALSE


def _congruent(left: Run, right: Run, modulus: int | None) -> int:
    """The outcome of `left ≡ right` in a modulus."""
    if left.bad or right.bad or not modulus:
        return UNCHECKABLE
    a, b = evaluate(left.tokens), evaluate(right.tokens)
    m, n = _whole(a), _whole(b)
    if m is None or n is None:
        return UNCHECKABLE
    if (m - n) % modulus == 0:
        return TRUE
    return UNCHECKABLE if left.loose or right.loose else FALSE


def _key(left: Run, sign: str) -> str:
    return "".join(left.tokens).replace(",", "") + sign


def mark_step(inside: str, shown: str, at: int) -> Step:
    """The outcome of a calculator mark: every side must be read to its end."""
    items = Scanner(inside).scan()
    sides = items[::2]
    runs = [side for side in sides if isinstance(side, Run)]
    alternating = len(items) % 2 == 1 and len(runs) == len(sides)
    whole = alternating and all(link == "=" for link in items[1::2])
    if not whole or inside.count("(") != inside.count(")"):
        return Step(at, "mark", UNCHECKABLE, "", shown)
    outcomes = [_equal(left, right) for left, right in pairwise(runs)]
    return Step(at, "mark", max(outcomes), _key(runs[0], "="), shown)


def _is_name(item: Item) -> bool:
    return isinstance(item, Run) and item.tokens == [NAME]


def line_steps(
    begin: int, end: int, modulus: int | None, goes_on: bool, doubts: Doubts
) -> list[Step]:
    """The equations and congruences of the line response[begin:end], which has no marks.

    `goes_on` says whether the line before is unfinished.
    """
    bullet = BULLET.match(doubts.response, begin, end)
    if bullet is not None:
        begin = bullet.end()
    line = doubts.response[begin:end]
    scanner = Scanner(line)
    items = scanner.scan()
    if goes_on and items and isinstance(items[0], Run):
        items[0].bad = True
    moduli = _Moduli(line, items, modulus)
    recheck = line.lstrip().startswith(RECHECK)
    steps: list[Step] = []
    for at in range(1, len(items) - 1):
        link = _link(items, at, moduli)
        if link is None:
            continue
        kind, outcome, left, right, near = link
        is_doubted = outcome == FALSE and (
            doubts.about(begin + left.start, begin + right.end)
            or (kind == "equation" and _is_meant_otherwise(line, left, scanner.places[at], right))
        )
        if is_doubted:
            outcome = UNCHECKABLE
        key = shown = ""
        if outcome == FALSE or recheck:
            key = _key(left, f"≡{near}" if kind == "congruence" else "=")
            shown = line[left.start : right.end][:MAX_SHOWN]
        steps.append(Step(begin + scanner.places[at], kind, outcome, key, shown, is_doubted))
    return steps


class _Moduli:
    """The moduli of a line, and the relations that they belong to."""

    def __init__(self, line: str, items: list[Item], stated: int | None) -> None:
        self.stated = stated
        self.places: list[tuple[int, int]] = []
        self.modded = frozenset[int]()
        self.reduced: dict[int, Run] = {}
        if MODDED in items:
            self.places = [(found.start(), int(found[1])) for found in MODULUS.finditer(line)]
            self.modded = _modded_chains(items)
            self.reduced = _reduced(items)

    def near(self, position: int) -> int | None:
        """The first modulus of the line behind a position, else the last before it."""
        if not self.places:
            return self.stated
        return self.places[min(bisect_left(self.places, (position, 0)), len(self.places) - 1)][1]


class _Link(NamedTuple):
    """A relation that states a step."""

    kind: str
    outcome: int
    left: Run
    right: Run
    modulus: int | None


def _link(items: list[Item], at: int, moduli: _Moduli) -> _Link | None:
    """What the relation there states; None if it is none or states no step."""
    sign, left, right = items[at], items[at - 1], items[at + 1]
    if sign != "=" and sign != "≡":
        return None
    if not isinstance(left, Run) or not isinstance(right, Run):
        return None
    _doubt_what_goes_on(items, at, right)
    near = moduli.near(left.start)
    if at in moduli.reduced:
        near = None if left.bad else _whole(evaluate(left.tokens))
        left = moduli.reduced[at]
        again = sign == "≡" or items[at + 2 : at + 3] == [MODDED]
        return _Link("congruence", _residue(left, right, near, again), left, right, near)
    if sign == "≡":
        if _is_name(left) or _is_name(right):
            return None
        return _Link("congruence", _congruent(left, right, near), left, right, near)
    if at in moduli.modded:
        if _equal(left, right) != TRUE:
            return _Link("congruence", _congruent(left, right, near), left, right, near)
        if not left.operators and not right.operators:
            return None
    elif not _is_step(items, at, left, right):
        return None
    return _Link("equation", _equal(left, right), left, right, near)


def _is_meant_otherwise(line: str, left: Run, sign: int, right: Run) -> bool:
    """Can a false equation be in two units, or in another notation?"""
    a, b = evaluate(left.tokens), evaluate(right.tokens)
    if a is not None and b is not None and other_unit(line, left.start, sign, right.end, (a, b)):
        return True
    shown = line[left.start : right.end]
    if "[" in shown or ("\\" in shown and _LONG_EXPONENT.search(shown)):
        return True  # [7/2] = 3, 2\cdot3^24 = 72
    if _POINTED.search(shown) is None:
        return False
    a, b = (evaluate([_POINTED.sub("", token) for token in run.tokens]) for run in (left, right))
    return a is not None and a == b  # 1.500 + 500 = 2.000


def _is_step(items: list[Item], at: int, left: Run, right: Run) -> bool:
    """Whether `=` states a calculation, and does not only name a value."""
    if _is_name(left):
        # "2 degrees Celsius - 8 degrees Celsius = 10": behind the words stands a calculation.
        before = items[at - 2] if at >= 2 and left.words <= UNIT_WORDS else None
        return isinstance(before, Run) and before.operators > 0
    return not _is_name(right) and bool(left.operators or right.operators)


def _doubt_what_goes_on(items: list[Item], at: int, right: Run) -> None:
    """Doubt a right side that goes on behind a unit: `= 12 lemons - 3`, `= 1 hour 40 minutes`."""
    words = items[at + 2] if at + 2 < len(items) else None
    if not isinstance(words, Run) or not 0 < words.words <= UNIT_WORDS:
        return
    if words.operators:
        right.bad = True
    elif words.words < UNIT_WORDS and at + 3 < len(items) and isinstance(items[at + 3], Run):
        # "= 27 and 3*5 = 15" begins another step instead.
        right.loose = right.loose or items[at + 4 : at + 5] not in (["="], ["≡"])


def _whole(number: Rational | None) -> int | None:
    return None if number is None or number[0] % number[1] else number[0] // number[1]


def _residue(whole: Run, right: Run, modulus: int | None, again: bool) -> int:
    """The outcome of `E mod m = r`, read as E ≡ r.

    That follows from both readings, (E) mod m and a last term that alone is reduced. Where only the
    second would allow r (`3 + 4 mod 5 = 7`), nothing is said, unless it is a congruence `again`.
    """
    outcome = _congruent(whole, right, modulus)
    if outcome == TRUE and not again and modulus is not None:
        r = _whole(evaluate(right.tokens))
        if r is None or not 0 <= r < modulus:
            return UNCHECKABLE
    return outcome


def _modded_chains(items: list[Item]) -> frozenset[int]:
    """Where `=` stands in a chain that has no ≡ and that `mod` follows: `18 = 4 mod 7`."""
    found: set[int] = set()
    chain: list[int] = []
    for at, item in enumerate(items):
        if item == "=" or item == "≡":
            chain.append(at)
        elif item == MODDED:
            if not any(items[link] == "≡" for link in chain):
                found.update(chain)
            chain = []
            _doubt_modulus(items, at)
        elif not isinstance(item, Run) or (at and isinstance(items[at - 1], Run)):
            chain = []
    return frozenset(found)


def _reduced(items: list[Item]) -> dict[int, Run]:
    """Where a relation stands behind a modulus, with what is reduced by it: E of `E mod m = r`."""
    found: dict[int, Run] = {}
    for at in range(3, len(items)):
        whole = items[at - 3]
        if items[at] in ("=", "≡") and items[at - 2] == MODDED and isinstance(whole, Run):
            found[at] = whole
    return found


def _doubt_modulus(items: list[Item], at: int) -> None:
    """`9 mod 5 + 2` is more than a modulus."""
    behind = items[at + 1] if at + 1 < len(items) else None
    before = items[at - 1] if at else None
    if isinstance(behind, Run) and behind.operators:
        behind.bad = True
        if isinstance(before, Run):
            before.bad = True
