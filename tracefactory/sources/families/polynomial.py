"""One coefficient of a product of two polynomials.

`What is the coefficient of x^2 in (2x^2+3x-1)(x^2-4x+5)?`

The solution multiplies the pairs of coefficients that meet there, then adds: `2*5=10`,
`3*(-4)=-12`, `-1*1=-1`, `10-12-1=-3`.

Parameters: [power, degree of the first factor, its coefficients, the second's coefficients], the
coefficients from the constant up; none is zero.
"""

from functools import partial

from pydantic import Field

from tracefactory.sources.families.base import Family, Knobs, Params, Stratum
from tracefactory.sources.families.pen import Pen

VERSION = "1"


class PolynomialKnobs(Knobs, frozen=True):
    """Degrees and coefficients."""

    max_degree: int = Field(2, ge=1, le=4)
    """Each factor has degree 1 to this; `longer` has factors one degree higher."""
    max_coefficient: int = Field(9, ge=1, le=99)
    """Coefficients are from 1 to this, of either sign; leading ones are positive in train."""

    def strata(self) -> tuple[Stratum, ...]:
        """One stratum per pair of degrees."""
        return self._by_degrees("", 1)

    def ood(self) -> dict[str, tuple[Stratum, ...]]:
        """A first factor with a leading minus, and two factors of a higher degree."""
        higher = self.max_degree + 1
        return {
            "negative_first": self._by_degrees("negative_first_", -1),
            "longer": (self._stratum(f"degrees_{higher}_{higher}", higher, higher, 1),),
        }

    def _by_degrees(self, prefix: str, sign: int) -> tuple[Stratum, ...]:
        degrees = range(1, self.max_degree + 1)
        return tuple(
            self._stratum(f"{prefix}degrees_{first}_{second}", first, second, sign)
            for first in degrees
            for second in degrees
        )

    def _stratum(self, name: str, first: int, second: int, sign: int) -> Stratum:
        largest = self.max_coefficient
        n_powers = first + second - 1
        size = n_powers * largest**2 * (2 * largest) ** (first + second)
        degrees = (first, second)
        return Stratum(name, size, partial(_decode, degrees=degrees, sign=sign, largest=largest))


def _decode(rank: int, degrees: tuple[int, int], sign: int, largest: int) -> Params:
    first, second = degrees
    rank, at = divmod(rank, first + second - 1)
    params = [at + 1, first]  # not the outermost powers: there one product would be all
    for degree, leading_sign in ((first, sign), (second, 1)):
        for _ in range(degree):
            rank, at = divmod(rank, 2 * largest)
            params.append(at - largest if at < largest else at - largest + 1)
        rank, at = divmod(rank, largest)
        params.append(leading_sign * (at + 1))
    return params


def _factors(params: Params) -> tuple[int, Params, Params]:
    end = params[1] + 3
    return params[0], params[2:end], params[end:]


def statement(params: Params) -> str:
    """Ask: `What is the coefficient of x^2 in (2x^2+3x-1)(x^2-4x+5)?`."""
    power, first, second = _factors(params)
    return f"What is the coefficient of {_x(power)} in ({_written(first)})({_written(second)})?"


def _x(power: int) -> str:
    return f"x^{power}" if power > 1 else "x"


def _written(coefficients: Params) -> str:
    terms: list[str] = []
    for power in range(len(coefficients) - 1, 0, -1):
        factor = coefficients[power]
        number = "+" if factor == 1 else "-" if factor == -1 else f"{factor:+d}"
        terms.append(number + _x(power))
    return f"{''.join(terms)}{coefficients[0]:+d}".removeprefix("+")


def reference(params: Params) -> str:
    """The coefficient."""
    power, first, second = _factors(params)
    return str(sum(a * b for a, b in _meeting(power, first, second)))


def _meeting(power: int, first: Params, second: Params) -> list[tuple[int, int]]:
    """The coefficients whose product falls on the power, from the first factor's highest down."""
    highest = min(power, len(first) - 1)
    lowest = max(0, power - len(second) + 1)
    return [(first[at], second[power - at]) for at in range(highest, lowest - 1, -1)]


def solve(params: Params, pen: Pen) -> str:
    """Multiply the pairs, then add. Habit: drops the minus of a second factor."""
    products: list[int] = []
    for a, b in _meeting(*_factors(params)):
        text = f"{a}*({b})=" if b < 0 else f"{a}*{b}="
        products.append(pen.step(text, a * b, habit=a * abs(b)))
    text = f"{products[0]}{''.join([f'{product:+d}' for product in products[1:]])}="
    return str(pen.step(text, sum(products)))


FAMILY = Family(
    name="polynomial",
    version=VERSION,
    domain="math",
    knobs=PolynomialKnobs,
    statement=statement,
    reference=reference,
    solve=solve,
)
