"""One operation on two numbers, reduced.

`Compute 347*58 mod 61.`

The solution reduces the numbers first (`347=5*61+42`), so that products stay small.

Parameters: [modulus, a, operation, b]; the operation is 0, 1 or 2 for + - *.
"""

from functools import partial
from typing import Self

from pydantic import Field, model_validator

from tracefactory.sources.families.base import Family, Knobs, Params, Stratum
from tracefactory.sources.families.pen import Pen

VERSION = "1"
_OPERATIONS = "+-*"
_NAMES = ("plus", "minus", "times")


class ModularArithmeticKnobs(Knobs, frozen=True):
    """Sizes of the numbers."""

    min_modulus: int = Field(13, ge=2, le=999)
    """Smallest modulus."""
    max_modulus: int = Field(97, ge=2, le=999)
    """Largest modulus of train; the next as many are `larger_modulus`."""
    max_number: int = Field(999, ge=2, le=99_999)
    """Both numbers are from 1 to this."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.min_modulus > self.max_modulus:
            raise ValueError(f"min_modulus {self.min_modulus} is above {self.max_modulus}")
        return self

    def strata(self) -> tuple[Stratum, ...]:
        """One stratum per operation."""
        return self._by_operation("", self.min_modulus, 1)

    def ood(self) -> dict[str, tuple[Stratum, ...]]:
        """A leading minus, and moduli above all of train's."""
        return {
            "negative_first": self._by_operation("negative_first_", self.min_modulus, -1),
            "larger_modulus": self._by_operation("larger_modulus_", self.max_modulus + 1, 1),
        }

    def _by_operation(self, prefix: str, modulus: int, sign: int) -> tuple[Stratum, ...]:
        n_moduli = self.max_modulus - self.min_modulus + 1
        size = n_moduli * self.max_number**2
        span = (modulus, n_moduli, self.max_number)
        return tuple(
            Stratum(prefix + name, size, partial(_decode, operation=code, sign=sign, span=span))
            for code, name in enumerate(_NAMES)
        )


def _decode(rank: int, operation: int, sign: int, span: tuple[int, int, int]) -> Params:
    modulus, n_moduli, max_number = span
    rank, at = divmod(rank, n_moduli)
    a, b = divmod(rank, max_number)
    return [modulus + at, sign * (a + 1), operation, b + 1]


def statement(params: Params) -> str:
    """Ask: `Compute 347*58 mod 61.`."""
    modulus, a, operation, b = params
    return f"Compute {a}{_OPERATIONS[operation]}{b} mod {modulus}."


def reference(params: Params) -> str:
    """The residue, from 0 to modulus - 1."""
    modulus, a, operation, b = params
    return str((a + b if operation == 0 else a - b if operation == 1 else a * b) % modulus)


def solve(params: Params, pen: Pen) -> str:
    """Reduce both numbers, operate, reduce. Habit: takes the quotient for the remainder."""
    modulus, a, operation, b = params
    a = _reduce(a, modulus, pen)
    b = _reduce(b, modulus, pen)
    if operation == 2:
        return str(_reduce(pen.step(f"{a}*{b}=", a * b), modulus, pen))
    total = a + b if operation == 0 else a - b
    sign = _OPERATIONS[operation]
    return str(pen.step(f"{a}{sign}{b}={total}≡", total % modulus, modulus=modulus))


def _reduce(number: int, modulus: int, pen: Pen) -> int:
    if 0 <= number < modulus:
        return number
    quotient, remainder = divmod(number, modulus)
    text = f"{number}={quotient}*{modulus}+"
    # A negative quotient is no plausible remainder, so the habit leaves it alone.
    habit = quotient if quotient > 0 else None
    return pen.step(text, remainder, habit=habit, modulus=modulus)


FAMILY = Family(
    name="modular_arithmetic",
    version=VERSION,
    domain="math",
    knobs=ModularArithmeticKnobs,
    statement=statement,
    reference=reference,
    solve=solve,
)
