"""Between decimal and the bases 2 to 9, either way.

`Write 156 in base 7.` and `Write the base 7 number 312 in base 10.`

To a base by repeated division, the remainders from last to first (`156=22*7+2`, `22=3*7+1`,
`3=0*7+3`); back by Horner's scheme (`3*7+1=22`, `22*7+2=156`).

Parameters: [base, number, direction]; 0 writes the number in the base, 1 reads it back.
"""

from functools import partial
from typing import Self

from pydantic import Field, model_validator

from tracefactory.sources.families.base import Family, Knobs, Params, Stratum
from tracefactory.sources.families.pen import Pen

VERSION = "1"
_DIRECTIONS = ("to_base", "from_base")


class BaseConversionKnobs(Knobs, frozen=True):
    """Bases and lengths."""

    min_base: int = Field(2, ge=2, le=9)
    """Smallest base."""
    max_base: int = Field(9, ge=2, le=9)
    """Largest base."""
    min_digits: int = Field(2, ge=2, le=5)
    """Fewest decimal digits of the number."""
    max_digits: int = Field(4, ge=2, le=5)
    """Most decimal digits in train; `longer` has one more."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.min_base > self.max_base or self.min_digits > self.max_digits:
            raise ValueError("a minimum is above its maximum")
        return self

    def strata(self) -> tuple[Stratum, ...]:
        """One stratum per length and direction."""
        lengths = range(self.min_digits, self.max_digits + 1)
        return tuple(stratum for digits in lengths for stratum in self._both(digits))

    def ood(self) -> dict[str, tuple[Stratum, ...]]:
        """Longer numbers."""
        return {"longer": self._both(self.max_digits + 1)}

    def _both(self, digits: int) -> tuple[Stratum, ...]:
        span = (self.min_base, self.max_base - self.min_base + 1, 10 ** (digits - 1))
        return tuple(
            Stratum(
                f"{name}_{digits}_digits",
                span[1] * 9 * span[2],
                partial(_decode, direction=direction, span=span),
            )
            for direction, name in enumerate(_DIRECTIONS)
        )


def _decode(rank: int, direction: int, span: tuple[int, int, int]) -> Params:
    min_base, n_bases, smallest = span
    number, base = divmod(rank, n_bases)
    return [min_base + base, smallest + number, direction]


def statement(params: Params) -> str:
    """Ask: `Write 156 in base 7.` or `Write the base 7 number 312 in base 10.`."""
    base, number, direction = params
    if direction == 0:
        return f"Write {number} in base {base}."
    return f"Write the base {base} number {_in_base(number, base)} in base 10."


def reference(params: Params) -> str:
    """The digits in the base, or the decimal number."""
    base, number, direction = params
    return _in_base(number, base) if direction == 0 else str(number)


def _in_base(number: int, base: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, base)
        digits = f"{digit}{digits}"
    return digits


def solve(params: Params, pen: Pen) -> str:
    """Divide, or multiply and add. Each direction has its own habit."""
    base, number, direction = params
    if direction == 0:
        return _write(number, base, pen)
    return _read(_in_base(number, base), base, pen)


def _write(number: int, base: int, pen: Pen) -> str:
    """Habit: counts up to the next multiple of the base instead of down to the last."""
    value, scale = 0, 1
    while number:
        quotient, remainder = divmod(number, base)
        text = f"{number}={quotient}*{base}+"
        value += scale * pen.step(text, remainder, habit=-remainder % base, modulus=base)
        scale *= 10
        number = quotient
    return str(value)


def _read(digits: str, base: int, pen: Pen) -> str:
    """Habit: adds before it multiplies."""
    value = int(digits[0])
    for digit in map(int, digits[1:]):
        text = f"{value}*{base}+{digit}="
        value = pen.step(text, value * base + digit, habit=value * (base + digit))
    return str(value)


FAMILY = Family(
    name="base_conversion",
    version=VERSION,
    domain="math",
    knobs=BaseConversionKnobs,
    statement=statement,
    reference=reference,
    solve=solve,
)
