"""Column addition with carries.

`What is 4757+389?`

The solution goes column by column, the carry last: `units: 7+9+0=16`, `tens: 5+8+1=14`.

Parameters: the numbers to add.
"""

from functools import partial
from typing import Self

from pydantic import Field, model_validator

from tracefactory.sources.families.base import Family, Knobs, Params, Stratum
from tracefactory.sources.families.pen import Pen

VERSION = "1"
_PLACES = (
    "units",
    "tens",
    "hundreds",
    "thousands",
    "ten thousands",
    "hundred thousands",
    "millions",
    "ten millions",
    "hundred millions",
)


class AdditionKnobs(Knobs, frozen=True):
    """Lengths of the numbers."""

    min_digits: int = Field(2, ge=1, le=7)
    """Fewest digits of the first number; the others are no longer than it."""
    max_digits: int = Field(5, ge=1, le=7)
    """Most digits of the first number in train; `longer` has one and two more."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.min_digits > self.max_digits:
            raise ValueError(f"min_digits {self.min_digits} is above max_digits {self.max_digits}")
        return self

    def strata(self) -> tuple[Stratum, ...]:
        """One stratum per length."""
        lengths = range(self.min_digits, self.max_digits + 1)
        return tuple(_stratum(f"{digits}_digits", digits, 2) for digits in lengths)

    def ood(self) -> dict[str, tuple[Stratum, ...]]:
        """Longer numbers, and a third number."""
        lengths = range(self.min_digits, self.max_digits + 1)
        longer = (self.max_digits + 1, self.max_digits + 2)
        return {
            "longer": tuple(_stratum(f"{digits}_digits", digits, 2) for digits in longer),
            "three_numbers": tuple(
                _stratum(f"three_numbers_{digits}_digits", digits, 3) for digits in lengths
            ),
        }


def _stratum(name: str, digits: int, n_numbers: int) -> Stratum:
    smallest = 10 ** (digits - 1)
    others = 10**digits - 1
    size = 9 * smallest * others ** (n_numbers - 1)
    return Stratum(name, size, partial(_decode, smallest=smallest, others=others, n=n_numbers))


def _decode(rank: int, smallest: int, others: int, n: int) -> Params:
    rank, at = divmod(rank, 9 * smallest)
    params = [smallest + at]
    for _ in range(n - 1):
        rank, at = divmod(rank, others)
        params.append(at + 1)
    return params


def statement(params: Params) -> str:
    """Ask: `What is 4757+389?`."""
    return f"What is {'+'.join(map(str, params))}?"


def reference(params: Params) -> str:
    """The sum."""
    return str(sum(params))


def solve(params: Params, pen: Pen) -> str:
    """Add column by column from the right. Habit: writes the carry down but does not add it."""
    numbers = list(params)
    carry = total = 0
    scale = 1
    for place in _PLACES[: len(str(params[0]))]:
        digits = [number % 10 for number in numbers]
        numbers = [number // 10 for number in numbers]
        column = sum(digits)
        text = f"{place}: {'+'.join(map(str, digits))}+{carry}="
        written = pen.step(text, column + carry, habit=column)
        carry, digit = divmod(written, 10)
        total += digit * scale
        scale *= 10
    return str(total + carry * scale)


FAMILY = Family(
    name="addition",
    version=VERSION,
    domain="math",
    knobs=AdditionKnobs,
    statement=statement,
    reference=reference,
    solve=solve,
)
