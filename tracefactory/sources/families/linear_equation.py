"""A linear equation in one unknown.

`Solve 3x+5=20 for x.`

The solution collects the constants and divides: `constants: 20-5=15`, `x: 15/3=5`.

Parameters: [a, b, c, d] for ax+b=cx+d; c is 0 when the right side is a number.
"""

from functools import lru_cache, partial
from math import gcd

from pydantic import Field

from tracefactory.sources.families.base import Family, Knobs, Params, Stratum
from tracefactory.sources.families.pen import Pen

VERSION = "1"
# On two sides the coefficients differ by 3 to 9: a slip of at most 2 cannot make that zero.
_DIFFERENCES = range(3, 10)


class LinearEquationKnobs(Knobs, frozen=True):
    """Ranges of the numbers."""

    max_coefficient: int = Field(19, ge=2, le=99)
    """The unknown's coefficient is from 2 to this."""
    max_constant: int = Field(50, ge=1, le=999)
    """The constant on the left is from 1 to this, of either sign."""
    max_solution: int = Field(30, ge=1, le=999)
    """Solutions lie between minus this and this (a fraction may exceed it by less than 1)."""

    def strata(self) -> tuple[Stratum, ...]:
        """Equations with an integer solution, and with a fraction."""
        span = (self.max_constant, self.max_solution)
        n_pairs = len(_fractions(self.max_coefficient))
        fraction = partial(_decode_fraction, max_coefficient=self.max_coefficient, span=span)
        return (
            Stratum("integer", self._size(self.max_coefficient - 1), self._integer(1)),
            Stratum("fraction", self._size(n_pairs), fraction),
        )

    def ood(self) -> dict[str, tuple[Stratum, ...]]:
        """A leading minus, and the unknown on both sides; integer solutions."""
        size = self._size(self.max_coefficient - 1)
        span = (self.max_constant, self.max_solution)
        two_sides = partial(_decode_two_sides, n_right=self.max_coefficient - 1, span=span)
        return {
            "negative_first": (Stratum("negative_first", size, self._integer(-1)),),
            "two_sides": (Stratum("two_sides", size * len(_DIFFERENCES), two_sides),),
        }

    def _size(self, n_coefficients: int) -> int:
        return n_coefficients * 2 * self.max_constant * (2 * self.max_solution + 1)

    def _integer(self, sign: int) -> partial[Params]:
        span = (self.max_constant, self.max_solution)
        return partial(_decode_integer, n=self.max_coefficient - 1, sign=sign, span=span)


@lru_cache(maxsize=16)
def _fractions(max_coefficient: int) -> tuple[tuple[int, int], ...]:
    """All (coefficient, remainder) that leave a fraction."""
    return tuple((a, left) for a in range(2, max_coefficient + 1) for left in range(1, a))


def _constant_and_whole(rank: int, span: tuple[int, int]) -> tuple[int, int]:
    max_constant, max_solution = span
    at, whole = divmod(rank, 2 * max_solution + 1)
    constant = at - max_constant if at < max_constant else at - max_constant + 1  # no zero
    return constant, whole - max_solution


def _decode_integer(rank: int, n: int, sign: int, span: tuple[int, int]) -> Params:
    rank, at = divmod(rank, n)
    a = sign * (at + 2)
    b, solution = _constant_and_whole(rank, span)
    return [a, b, 0, a * solution + b]


def _decode_fraction(rank: int, max_coefficient: int, span: tuple[int, int]) -> Params:
    pairs = _fractions(max_coefficient)
    rank, at = divmod(rank, len(pairs))
    a, left = pairs[at]
    b, whole = _constant_and_whole(rank, span)
    return [a, b, 0, a * whole + left + b]


def _decode_two_sides(rank: int, n_right: int, span: tuple[int, int]) -> Params:
    rank, at = divmod(rank, len(_DIFFERENCES))
    rank, right = divmod(rank, n_right)
    b, solution = _constant_and_whole(rank, span)
    difference = _DIFFERENCES[at]
    return [right + 2 + difference, b, right + 2, difference * solution + b]


def statement(params: Params) -> str:
    """Ask: `Solve 3x+5=20 for x.`."""
    a, b, c, d = params
    right = f"{d}" if c == 0 else f"{c}x{d:+d}" if d else f"{c}x"
    return f"Solve {a}x{b:+d}={right} for x."


def reference(params: Params) -> str:
    """The solution, as a fraction in lowest terms where it is no integer."""
    a, b, c, d = params
    numerator, denominator = _lowest(d - b, a - c)
    return f"{numerator}{_over(denominator)}"


def solve(params: Params, pen: Pen) -> str:
    """Collect and divide. Habit: moves the constant across without changing its sign."""
    a, b, c, d = params
    coefficient = a
    if c:
        coefficient = pen.step(f"coefficients: {a}-{c}=", a - c)
    constant = pen.step(f"constants: {d}{-b:+d}=", d - b, habit=d + b)
    numerator, denominator = _lowest(constant, coefficient)
    if denominator == abs(coefficient) and coefficient > 0:
        return f"{constant}{_over(denominator)}"  # nothing left to cancel
    divisor = f"({coefficient})" if coefficient < 0 else f"{coefficient}"
    tail = _over(denominator)
    numerator = pen.step(f"x: {constant}/{divisor}=", numerator, tail=tail)
    return f"{numerator}{tail}"


def _lowest(numerator: int, denominator: int) -> tuple[int, int]:
    common = gcd(numerator, denominator)
    if denominator < 0:
        common = -common
    return numerator // common, denominator // common


def _over(denominator: int) -> str:
    return "" if denominator == 1 else f"/{denominator}"


FAMILY = Family(
    name="linear_equation",
    version=VERSION,
    domain="math",
    knobs=LinearEquationKnobs,
    statement=statement,
    reference=reference,
    solve=solve,
)
