"""The exact rational value of a constant expression, or None.

Arithmetic, integer powers, roots that come out, factorials, binomials, gcd, floor and the like:
everything is an fmpq, every size is bounded before it is computed, and all work is charged to a
Budget, so that 9^{9^9} costs a comparison and not a computer.

Not here: numbers that are not rational (surds.py, algebraic.py, balls.py). None also means "too
big to write down", never "unequal".
"""

from collections.abc import Callable

from flint import fmpq, fmpz

from tracefactory.verifiers.maths.nodes import Node

MAX_BITS = 200_000
"""No exact number grows beyond this (60,000 digits)."""


class Undefined(Exception):
    """The expression has no value: 1/0, 0^0, (-1)!, gcd of nothing. It equals nothing."""


class Spent(Exception):
    """The counted budget is used up: nothing can be said."""


class Budget:
    """Work still allowed, about one unit a nanosecond; counted, so the same on every machine."""

    __slots__ = ("left",)

    def __init__(self, units: int = 100_000_000) -> None:
        self.left = units

    def charge(self, units: int) -> None:
        """Take units away.

        Raises:
            Spent: if that was more than there was.
        """
        self.left -= units
        if self.left < 0:
            raise Spent

    def charge_number(self, bits: int, whole: bool) -> None:
        """Charge one operation on numbers of that many bits; fractions need a gcd."""
        if bits > 512:
            self.charge(bits if whole else bits * 50)


ZERO, ONE = fmpq(0), fmpq(1)
_LONG = 2**512


def rational(node: Node, budget: Budget) -> fmpq | None:
    """The value of a constant; None if irrational, symbolic or beyond MAX_BITS.

    Raises:
        Undefined: if there is certainly no value.
        Spent: if the budget is.
    """
    kind, args, value = node
    if kind == "number":
        return leaf(value, budget)
    budget.charge(400)
    if kind in _LEAVES:
        return None
    if kind == "root":
        # Its index is a leaf of its own kind; only the radicand can be irrational.
        below = rational(args[0], budget)
        index = args[1].value
        if below is None or not isinstance(index, tuple):
            return None
        return root(below, whole_index(node), budget)
    values: list[fmpq] = []
    for arg in args:
        got = rational(arg, budget)
        if got is None:
            return None
        values.append(got)
    return combine(kind, value, values, budget)


_LEAVES = frozenset(["symbol", "constant", "apply"])


def leaf(value: object, budget: Budget) -> fmpq:
    """The value of a `number` node."""
    if not isinstance(value, tuple) or len(value) != 2:
        raise Undefined
    top, bottom = value
    if not isinstance(top, int) or not isinstance(bottom, int) or bottom == 0:
        raise Undefined
    if bottom == 1:
        if top > _LONG or top < -_LONG:
            budget.charge(top.bit_length())
        return fmpq(top)
    if bottom > _LONG or top > _LONG or top < -_LONG:
        budget.charge_number(max(top.bit_length(), bottom.bit_length()), whole=False)
    return fmpq(top, bottom)


def whole_index(node: Node) -> int:
    """The index of a `root` node.

    Raises:
        Undefined: if it is no positive whole number.
    """
    index = node.args[1].value
    if not isinstance(index, tuple) or len(index) != 2:
        raise Undefined
    top, bottom = index
    if not isinstance(top, int) or bottom != 1 or top < 1:
        raise Undefined
    return top


def combine(kind: str, value: object, values: list[fmpq], budget: Budget) -> fmpq | None:
    """One operation on rational arguments; None if its value is irrational or too big."""
    if kind in ("add", "mul"):
        total = values[0]
        for other in values[1:]:
            total = add(total, other, budget) if kind == "add" else mul(total, other, budget)
        return _bounded(total)
    if kind == "neg":
        return -values[0]
    if kind == "div":
        return _bounded(divide(values[0], values[1], budget))
    if kind == "pow":
        return power(values[0], values[1], budget)
    if kind == "factorial":
        return _factorial(values, budget)
    if kind == "call" and isinstance(value, str):
        function = _CALLS.get(value)
        return None if function is None else function(values, budget)
    return None


def bits(number: fmpq) -> int:
    """Bits of numerator or denominator, whichever is longer."""
    return number.height_bits()


def whole(number: fmpq) -> bool:
    """Is it an integer?"""
    return bool(number.q == 1)


def _bounded(number: fmpq) -> fmpq | None:
    return None if bits(number) > 2 * MAX_BITS else number


def add(a: fmpq, b: fmpq, budget: Budget) -> fmpq:
    """The sum a + b, charged."""
    size = bits(a) + bits(b)
    if size > 512:
        budget.charge_number(size, whole(a) and whole(b))
        if size > 4 * MAX_BITS:
            raise Spent
    return a + b


def mul(a: fmpq, b: fmpq, budget: Budget) -> fmpq:
    """The product a b, charged."""
    size = bits(a) + bits(b)
    if size > 512:
        budget.charge_number(size, whole(a) and whole(b))
        if size > 4 * MAX_BITS:
            raise Spent
    return a * b


def divide(a: fmpq, b: fmpq, budget: Budget) -> fmpq:
    """The quotient a / b.

    Raises:
        Undefined: if b is 0.
    """
    if not b:
        raise Undefined
    size = bits(a) + bits(b)
    if size > 512:
        budget.charge_number(size, whole=False)
    return a / b


def power(base: fmpq, exponent: fmpq, budget: Budget) -> fmpq | None:
    """base^exponent when that is rational and not too big; a negative base only to whole powers."""
    if not base:
        if exponent > 0:
            return ZERO
        raise Undefined
    if whole(exponent):
        if base == 1:
            return ONE
        if base == -1:
            return -ONE if int(exponent.p) % 2 else ONE
        if bits(exponent) > 64 or bits(base) * abs(int(exponent.p)) > MAX_BITS:
            return None
        budget.charge_number(bits(base) * abs(int(exponent.p)), whole=True)
        return base ** int(exponent.p)
    if base < 0:
        return None
    below = root(base, int(exponent.q), budget)
    return None if below is None else power(below, fmpq(exponent.p), budget)


def root(number: fmpq, index: int, budget: Budget) -> fmpq | None:
    """The real root if it is rational; None for an even root of a negative number."""
    if index == 1 or not number or number == 1:
        return number
    negative = number < 0
    if negative and index % 2 == 0:
        return None
    top = _whole_root(abs(number.p), index, budget)
    bottom = None if top is None else _whole_root(number.q, index, budget)
    if top is None or bottom is None:
        return None
    return fmpq(-top if negative else top, bottom)


def _whole_root(number: fmpz, index: int, budget: Budget) -> fmpz | None:
    if number == 1:
        return number
    size = number.bit_length()
    if index >= size:
        return None
    budget.charge_number(size, whole=True)
    found = number.root(index)
    return found if found**index == number else None


def _small(number: fmpq) -> int | None:
    """As an int if whole and below 2^62, else None."""
    return int(number.p) if whole(number) and bits(number) <= 62 else None


def _factorial(values: list[fmpq], budget: Budget) -> fmpq | None:
    if not whole(values[0]):
        return None
    if values[0] < 0:
        raise Undefined
    n = _small(values[0])
    if n is None or n * n.bit_length() > MAX_BITS:
        return None
    budget.charge_number(n * n.bit_length(), whole=True)
    return fmpq(fmpz.fac_ui(fmpz(n)))


def _double_factorial(values: list[fmpq], budget: Budget) -> fmpq | None:
    if not whole(values[0]):
        return None
    if values[0] < -1:
        raise Undefined
    n = _small(values[0])
    if n is None or n * n.bit_length() > MAX_BITS:
        return None
    budget.charge_number(n * n.bit_length(), whole=True)
    half = n // 2
    if n % 2 == 0:
        return fmpq(fmpz.fac_ui(fmpz(half)) << half)
    half = (n + 1) // 2
    return fmpq(fmpz.fac_ui(fmpz(2 * half)) // (fmpz.fac_ui(fmpz(half)) << half))


def _gamma(values: list[fmpq], budget: Budget) -> fmpq | None:
    if whole(values[0]) and values[0] <= 0:
        raise Undefined
    return _factorial([values[0] - 1], budget)


def _binomial(values: list[fmpq], budget: Budget) -> fmpq | None:
    n, k = values
    if not whole(k):
        return None
    if k < 0:
        return ZERO
    if whole(n) and n >= 0:
        if k > n:
            return ZERO
        k = min(k, n - k)
    steps = _small(k)
    if steps is None or steps * (bits(n) + 1) > MAX_BITS:
        return None
    budget.charge(10 * steps * (bits(n) + 1))
    small = _small(n)
    if small is not None and small >= 0:
        return fmpq(fmpz.bin_uiui(small, steps))
    if steps > 200:
        return None
    product = ONE
    for step in range(steps):
        product = mul(product, (n - step) / (step + 1), budget)
    return product


def _gcd(values: list[fmpq], budget: Budget) -> fmpq | None:
    if not all(whole(v) for v in values):
        return None
    got = fmpz(0)
    for v in values:
        budget.charge_number(bits(v), whole=False)
        got = got.gcd(v.p)
    return fmpq(got)


def _lcm(values: list[fmpq], budget: Budget) -> fmpq | None:
    if not all(whole(v) for v in values):
        return None
    got = fmpz(1)
    for v in values:
        if got.bit_length() + bits(v) > MAX_BITS:
            return None
        budget.charge_number(got.bit_length() + bits(v), whole=False)
        got = got.lcm(v.p)
    return fmpq(got)


def _mod(values: list[fmpq], budget: Budget) -> fmpq | None:
    a, b = values
    if not b:
        raise Undefined
    budget.charge_number(bits(a) + bits(b), whole=False)
    return a - b * (a / b).floor()


def _arg(values: list[fmpq], budget: Budget) -> fmpq | None:
    if not values[0]:
        raise Undefined
    return ZERO if values[0] > 0 else None


def _ln(values: list[fmpq], budget: Budget) -> fmpq | None:
    if not values[0]:
        raise Undefined
    return ZERO if values[0] == 1 else None


def _log(values: list[fmpq], budget: Budget) -> fmpq | None:
    number, base = values if len(values) == 2 else [values[0], fmpq(10)]
    if not number or not base or base == 1:
        raise Undefined
    if number == 1:
        return ZERO
    if number < 0 or base < 0:
        return None
    return _power_of(number, base, budget)


def _power_of(number: fmpq, base: fmpq, budget: Budget) -> fmpq | None:
    """The rational q with base^q = number, if there is one, by Euclid on the exponents."""
    p, q = [number, base], [(1, 0), (0, 1)]  # p[i] = number^q[i][0] * base^q[i][1]
    for _ in range(200):
        if p[0] < 1:
            p[0], q[0] = 1 / p[0], (-q[0][0], -q[0][1])
        if p[1] < 1:
            p[1], q[1] = 1 / p[1], (-q[1][0], -q[1][1])
        if p[1] == 1:
            up, down = q[1]
            return fmpq(-down, up) if up else None
        if p[0] < p[1]:
            p.reverse()
            q.reverse()
            continue
        if p[0].p.gcd(p[1].p) == 1:  # powers of one number above 1 share its factors
            return None
        budget.charge_number(bits(p[0]) + 512, whole=False)
        if bits(p[0]) + bits(p[1]) > 20_000:
            return None
        p[0] = p[0] / p[1]
        q[0] = (q[0][0] - q[1][0], q[0][1] - q[1][1])
    return None


def _at(point: int, image: int) -> Callable[[list[fmpq], Budget], fmpq | None]:
    """A function whose one rational value at a rational point is that one."""

    def value(values: list[fmpq], budget: Budget) -> fmpq | None:
        return fmpq(image) if values[0] == point else None

    return value


def _pole_at_zero(values: list[fmpq], budget: Budget) -> fmpq | None:
    if not values[0]:
        raise Undefined
    return None


_CALLS: dict[str, Callable[[list[fmpq], Budget], fmpq | None]] = {
    "abs": lambda values, _: abs(values[0]),
    "floor": lambda values, _: fmpq(values[0].floor()),
    "ceil": lambda values, _: fmpq(values[0].ceil()),
    "sign": lambda values, _: fmpq((values[0] > 0) - (values[0] < 0)),
    "re": lambda values, _: values[0],
    "im": lambda values, _: ZERO,
    "conjugate": lambda values, _: values[0],
    "max": lambda values, _: max(values),
    "min": lambda values, _: min(values),
    "arg": _arg,
    "exp": _at(0, 1),
    "ln": _ln,
    "log": _log,
    "gcd": _gcd,
    "lcm": _lcm,
    "mod": _mod,
    "binomial": _binomial,
    "gamma": _gamma,
    "double_factorial": _double_factorial,
    "arccos": _at(1, 0),
    "arcosh": _at(1, 0),
    "arcsec": _at(1, 0),
    **{name: _at(0, 0) for name in ("sin", "tan", "arcsin", "arctan", "sinh", "tanh", "arsinh")},
    **{name: _at(0, 1) for name in ("cos", "sec", "cosh", "sech")},
    **{name: _pole_at_zero for name in ("cot", "csc", "coth", "csch")},
    "artanh": _at(0, 0),
}
