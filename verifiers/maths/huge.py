"""Constants too big to write down: towers, factorials of factorials.

Products of powers are equal exactly when their prime exponents are, and those are exact whole
numbers: 2^(2^100) 2 = 2^(2^100 + 1). Otherwise logarithms, or logarithms of logarithms, may prove
a difference. Nothing else is told: two towers that overlap stay undecided.
"""

from flint import arb, fmpq

from tracefactory.verifiers.maths.balls import precision
from tracefactory.verifiers.maths.exact import MAX_BITS, Budget, rational
from tracefactory.verifiers.maths.graph import prime_powers
from tracefactory.verifiers.maths.nodes import Node

PRECISION = 256
MAX_LEVEL = 6

Powers = dict[int, fmpq]
Tower = tuple[int, arb]
"""(n, x): the number e^e^...^x with n exponentials; x > 2 when n > 1."""


def compare_huge(a: Node, b: Node, budget: Budget) -> bool | None:
    """Are two constants equal? None if that cannot be told."""
    first, second = _powers(a, budget), _powers(b, budget)
    if first is not None and second is not None:
        return first == second
    with precision(PRECISION):
        x, y = _tower(a, budget), _tower(b, budget)
        if x is None or y is None:
            return None
        while x[0] != y[0]:
            if x[0] < y[0]:
                x, y = y, x
            lower = _raised(y)
            if lower is None:
                # e^...^y with y < 2 is below e^...^(e^x) with x > 2.
                return False if y[1] < 2 and x[1] > 2 else None
            y = lower
        return None if x[1].overlaps(y[1]) else False


def _powers(node: Node, budget: Budget) -> Powers | None:
    """A positive number as primes to exact rational powers, without zeros."""
    budget.charge(2_000)
    value = rational(node, budget)
    if value is not None:
        factors = prime_powers(value) if value > 0 else None
        return None if factors is None else {p: fmpq(n) for p, n in factors.items() if n}
    kind, args, _ = node
    if kind == "mul" or kind == "div":
        total: Powers = {}
        for place, arg in enumerate(args):
            part = _powers(arg, budget)
            if part is None:
                return None
            for prime, n in part.items():
                total[prime] = total.get(prime, fmpq(0)) + (-n if kind == "div" and place else n)
        return {prime: n for prime, n in total.items() if n}
    if kind == "pow" or kind == "root":
        base, exponent = _powers(args[0], budget), rational(args[1], budget)
        if base is None or not exponent:
            return None
        scale = exponent if kind == "pow" else 1 / exponent
        if scale.height_bits() > MAX_BITS or any(n.height_bits() > 1000 for n in base.values()):
            return None
        budget.charge_number(scale.height_bits() * (1 + len(base)), whole=False)
        return {prime: n * scale for prime, n in base.items()}
    return None


def _tower(node: Node, budget: Budget) -> Tower | None:
    """A lower or higher logarithm of a positive constant; None if none is found."""
    budget.charge(20_000)
    kind, args, value = node
    number = rational(node, budget) if kind in ("number", "add", "mul", "neg", "div") else None
    if number is not None:
        return (0, arb(number)) if number > 0 else None
    if kind == "constant":
        known = {"e": arb(1).exp(), "pi": arb.pi()}
        return (0, known[str(value)]) if value in known else None
    if kind == "pow":
        base, exponent = _tower(args[0], budget), _tower(args[1], budget)
        if base is None or exponent is None:
            return None
        return _times(_log(base), exponent, 1)
    if kind == "root":
        inside, index = _tower(args[0], budget), args[1].value
        if inside is None or inside[0] != 1 or not isinstance(index, tuple):
            return None
        return 1, inside[1] / arb(fmpq(*map(int, index)))
    if kind == "factorial":
        return _factorial(_tower(args[0], budget))
    if kind == "add" or kind == "mul":
        total = _tower(args[0], budget)
        for arg in args[1:]:
            other = _tower(arg, budget)
            total = _plus(total, other) if kind == "add" else _times(total, other, 0)
        return total
    return None


def _settled(level: int, x: arb) -> Tower | None:
    """Lower the level while the number can be written; None if nothing is known of it."""
    while level > 0 and x < 40:
        level, x = level - 1, x.exp()
    return (level, x) if x.is_finite() and level <= MAX_LEVEL else None


def _raised(t: Tower) -> Tower | None:
    """The same number with one more exponential."""
    level, x = t
    return (level + 1, x.log()) if x > 1 else None


def _log(t: Tower | None) -> Tower | None:
    if t is None:
        return None
    level, x = t
    if level > 0:
        return level - 1, x
    return (0, x.log()) if x > 0 else None


def _times(a: Tower | None, b: Tower | None, level: int) -> Tower | None:
    """The product a b, under `level` more exponentials."""
    if a is None or b is None:
        return None
    if a[0] == 0 and b[0] == 0 and (level or (a[1] > 0 and b[1] > 0)):
        product = a[1] * b[1]
        return _settled(level, product) if product.is_finite() else None
    # Through the logarithms: None unless both are certainly positive.
    first, second = _log(a), _log(b)
    total = _plus(first, second)
    return None if total is None else _settled(total[0] + 1 + level, total[1])


def _plus(a: Tower | None, b: Tower | None) -> Tower | None:
    """The sum of two numbers; only plain balls may be negative."""
    if a is None or b is None:
        return None
    if a[0] < b[0]:
        a, b = b, a
    level, x = a
    if level == 0:
        return 0, x + b[1]
    if level == 1:
        total = x.exp() + (b[1] if b[0] == 0 else b[1].exp())
        if total.is_finite() and total > 1:
            return 1, total.log()
    if not x > 2:
        return None
    # Both at the same level, b by its size: then a + b is between a/2 and 2 max(a, b).
    negative = b[0] == 0 and not b[1] > 0
    other: Tower | None = (0, abs(b[1])) if b[0] == 0 else b
    if negative and abs(b[1]) < 1:
        return level, x + arb(0, 1)
    while other is not None and other[0] < level:
        other = (level, arb(0)) if other[1] < 2 else _raised(other)
    if other is None or (negative and not other[1] < x - 1):
        return None
    return level, x.max(other[1]) + arb(0, 1)


def _factorial(t: Tower | None) -> Tower | None:
    """By Stirling: ln n! = n ln n - n + ln(2πn)/2 + less than 1/n."""
    if t is None:
        return None
    level, x = t
    if level == 0:
        return _settled(1, (x + 1).lgamma()) if x > 2 else None
    if not x > 39:
        return None
    # With n = e^x, ln ln n! = x + ln(x - 1 + d), 0 < d < x e^-x. With a higher n = e^e^...^x,
    # it is ln n + ln ln n + ..., which changes x itself by less than ln n / n.
    slack = arb(0, arb(2) ** -40)
    return (2, x + (x - 1).log() + slack) if level == 1 else (level + 1, x + slack)
