"""Exact values of sums of rational multiples of square roots of whole numbers.

A value is a dict from a squarefree whole number (negative ones too: i is the root of -1) to its
rational coefficient; `{1: 1/2, 3: 1/2}` is (1 + √3)/2. The roots of different squarefree numbers
are linearly independent over the rationals, so two values are equal exactly when their dicts are:
this decides most answers with radicals, both ways, without any rounding.

Not here: cube roots, nested radicals, sines (algebraic.py); those give None.
"""

from functools import lru_cache
from math import gcd, isqrt

from flint import fmpq

from tracefactory.verifiers.maths.exact import (
    Budget,
    Undefined,
    bits,
    combine,
    leaf,
    power,
    root,
    whole_index,
)
from tracefactory.verifiers.maths.nodes import Node

Surd = dict[int, fmpq]

MAX_TERMS = 16
MAX_HEIGHT_BITS = 2_000
MAX_RADICAND = 10**9
"""Squarefree parts are split off by dividing by primes below 1000, which settles up to this."""


def surd(node: Node, budget: Budget) -> Surd | None:
    """The value as a dict, empty for 0; None if it is not of this form or too long.

    Raises:
        Undefined: if there is certainly no value.
        Spent: if the budget is.
    """
    kind, args, value = node
    if kind == "number":
        number = leaf(value, budget)
        return {1: number} if number else {}
    budget.charge(1_000)
    if kind == "constant":
        return {-1: fmpq(1)} if value == "i" else None
    if kind == "root":
        below = surd(args[0], budget)
        return None if below is None else _root(below, whole_index(node), budget)
    if kind not in _KINDS:
        return None
    parts: list[Surd] = []
    for arg in args:
        part = surd(arg, budget)
        if part is None:
            return None
        parts.append(part)
    first = parts[0]
    if kind == "neg":
        return {radicand: -c for radicand, c in first.items()}
    if kind == "add":
        for other in parts[1:]:
            first = _add(first, other)
        return _bounded(first)
    if kind == "mul":
        product: Surd | None = first
        for other in parts[1:]:
            product = None if product is None else _mul(product, other, budget)
        return product
    if kind == "div":
        inverse = _inverse(parts[1], budget)
        return None if inverse is None else _mul(first, inverse, budget)
    if kind == "pow":
        exponent = _rational(parts[1])
        return None if exponent is None else _power(first, exponent, budget)
    rationals = [_rational(part) for part in parts]
    if any(r is None for r in rationals):
        return None
    return _small(combine(kind, value, [r for r in rationals if r is not None], budget))


_KINDS = frozenset(["add", "mul", "neg", "div", "pow", "factorial", "call"])


def _small(number: fmpq | None) -> Surd | None:
    if number is None or bits(number) > MAX_HEIGHT_BITS:
        return None
    return {1: number} if number else {}


def _rational(part: Surd) -> fmpq | None:
    if not part:
        return fmpq(0)
    return part[1] if len(part) == 1 and 1 in part else None


def _bounded(part: Surd) -> Surd | None:
    if len(part) > MAX_TERMS or any(bits(c) > MAX_HEIGHT_BITS for c in part.values()):
        return None
    return part


def _add(a: Surd, b: Surd) -> Surd:
    total = dict(a)
    for radicand, c in b.items():
        have = total.get(radicand)
        if have is None:
            total[radicand] = c
            continue
        c = have + c
        if c:
            total[radicand] = c
        else:
            del total[radicand]
    return total


def _mul(a: Surd, b: Surd, budget: Budget) -> Surd | None:
    if len(a) * len(b) > MAX_TERMS * MAX_TERMS:
        return None
    budget.charge(3_000 * len(a) * len(b))
    if len(b) == 1 and 1 in b:
        return _bounded({m: c * b[1] for m, c in a.items()})
    product: Surd = {}
    for m, c in a.items():
        for n, d in b.items():
            if m == 1 or n == 1:
                radicand, term = m * n, c * d
            else:
                common = gcd(m, n)
                radicand, term = m * n // (common * common), c * d * common
                if m < 0 and n < 0:
                    term = -term  # √-2 √-3 = i√2 i√3 = -√6
            have = product.get(radicand)
            product[radicand] = term if have is None else have + term
    if len(a) > 1 and len(b) > 1:
        product = {radicand: c for radicand, c in product.items() if c}
    return _bounded(product)


def _inverse(a: Surd, budget: Budget) -> Surd | None:
    """1/a by multiplying with conjugates until the norm is rational."""
    if not a:
        raise Undefined
    if len(a) == 1:
        ((radicand, c),) = a.items()
        return {radicand: 1 / (c * radicand)}
    norm, conjugates = a, {1: fmpq(1)}
    for _ in range(8):
        radicands = [radicand for radicand in norm if radicand != 1]
        if not radicands:
            return _mul(conjugates, {1: 1 / norm[1]}, budget)
        prime = _some_prime(radicands[0])
        conjugate = {
            radicand: -c if (radicand < 0 if prime < 0 else radicand % prime == 0) else c
            for radicand, c in norm.items()
        }
        longer = _mul(conjugates, conjugate, budget)
        shorter = _mul(norm, conjugate, budget)
        if longer is None or not shorter:
            return None
        norm, conjugates = shorter, longer
    return None


def _power(base: Surd, exponent: fmpq, budget: Budget) -> Surd | None:
    """base^exponent; a half power needs a rational base, another one must come out."""
    if exponent.q != 1:
        value = _rational(base)
        if value is None:
            return None
        if exponent.q != 2:
            return _small(power(value, exponent, budget))
        below = _square_root(value)
        return None if below is None else _power(below, fmpq(exponent.p), budget)
    if bits(exponent) > 16:
        return None
    n = int(exponent.p)
    if not base and n <= 0:
        raise Undefined
    square: Surd | None = base if n >= 0 else _inverse(base, budget)
    n = abs(n)
    result: Surd | None = {1: fmpq(1)}
    while n and square is not None and result is not None:
        if n & 1:
            result = _mul(result, square, budget)
        n >>= 1
        if n:
            square = _mul(square, square, budget)
    return None if square is None else result


def _root(base: Surd, index: int, budget: Budget) -> Surd | None:
    if index == 1:
        return base
    value = _rational(base)
    if value is None:
        return None
    return _square_root(value) if index == 2 else _small(root(value, index, budget))


def _square_root(value: fmpq) -> Surd | None:
    """The principal one: √(p/q) = √(p q) / q."""
    if not value:
        return {}
    bottom = int(value.q)
    split = squarefree(int(value.p) * bottom)
    if split is None:
        return None
    return {split[1]: fmpq(split[0], bottom)}


_PRIMES = [p for p in range(2, 1000) if all(p % d for d in range(2, isqrt(p) + 1))]


@lru_cache(maxsize=4096)
def squarefree(number: int) -> tuple[int, int] | None:
    """(s, m) with number = s² m and m squarefree; None if that cannot be seen cheaply."""
    square, radicand = 1, -1 if number < 0 else 1
    left = abs(number)
    if left.bit_length() > 2 * MAX_HEIGHT_BITS:
        return None
    for prime in _PRIMES:
        if prime * prime > left:
            break
        while left % (prime * prime) == 0:
            left //= prime * prime
            square *= prime
        if left % prime == 0:
            left //= prime
            radicand *= prime
    whole_root = isqrt(left)
    if whole_root * whole_root == left:
        return square * whole_root, radicand
    # No prime below 1000 is left in it twice, so below 10^9 it is squarefree unless a square.
    return None if left >= MAX_RADICAND else (square, radicand * left)


def _some_prime(radicand: int) -> int:
    """A prime factor, or -1 of a negative number; of a squarefree one."""
    if radicand < 0:
        return -1
    for prime in _PRIMES:
        if radicand % prime == 0:
            return prime
    return radicand
